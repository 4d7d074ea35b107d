"""Take a canary back when the files that `expand` needs cannot be read.

A revert must not wait for somebody to mend a site file at night. A pointer names its release in
one place, so the pointers of the canary are turned to the stable release where they stand, and
nothing else is read. Once the files are mended, `expand` finds no difference.
"""

from collections.abc import Callable, Mapping

from generator import layout
from generator.changes import ChangeSet, Draft, Tree, one_line
from generator.expand import pointers
from generator.intents.words import Trailers
from generator.layout import RepoPath
from generator.model.rollout import Rollout

MOST_NAMED = 20


def take_back(
    draft: Draft,
    rollout: Rollout,
    say: Callable[[tuple[int, int], int], str],
    words: Trailers,
    files: Mapping[RepoPath, bytes],
    why: str,
) -> ChangeSet:
    """Turn every edge pointer of the canary to the stable release.

    Args:
        draft: Holds the rollout file as it will be.
        rollout: As it was, with both releases.
        say: Subject from (canary sites before, after) and the number of sites.
        words: Trailers.
        files: Evidence and ledger.
        why: What could not be read; it stands in the body.

    Returns:
        The change. Sites whose hardware profile the stable release does not have keep the canary,
        and are named in the body.
    """
    turned, left = _turn(draft, rollout)
    total = len(pointers(draft, rollout.environment, rollout.model))
    draft.write({**files, **turned})
    lines = [f"Reverted by the pointers alone: {one_line(why)}"]
    if left:
        named = ", ".join(left[:MOST_NAMED])
        lines.append(f"{len(left)} keep the canary, for want of their profile: {named}")
    counts = len(turned) + len(left), len(left)
    body = "\n".join(lines)
    return ChangeSet(draft.commit, draft.changes(), say(counts, total), body, words)


def on_canary(tree: Tree, rollout: Rollout) -> Mapping[RepoPath, tuple[str, str]]:
    """Find the edge pointers of a canary, each with the text before and after its release."""
    environment, model = rollout.environment, rollout.model
    name = f"/{layout.release(environment, model, rollout.canary)}/"
    data = tree.read_many(pointers(tree, environment, model))
    parts = {path: one.decode("utf-8", "replace").partition(name) for path, one in data.items()}
    return {path: (before, after) for path, (before, found, after) in parts.items() if found}


def _turn(draft: Draft, rollout: Rollout) -> tuple[Mapping[RepoPath, bytes], list[str]]:
    stable = layout.release(rollout.environment, rollout.model, rollout.stable)
    built = draft.ids(stable)
    turned: dict[RepoPath, bytes] = {}
    left: list[str] = []
    for path, (before, after) in on_canary(draft, rollout).items():
        profile = after.partition('"')[0]
        if f"{stable}/{profile}/kustomization.yaml" in built:
            turned[path] = f"{before}/{stable}/{after}".encode()
        else:
            left.append(path.split("/")[2])
    return turned, left
