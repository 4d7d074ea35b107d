"""The words of a commit: subject, trailers, sequence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from generator import layout
from generator.changes import CommitInfo, Tree, one_line
from generator.model.cohort import Cohort
from generator.model.percent import ZERO, Percent
from generator.model.release import Release
from generator.model.rollout import Rollout

# Changes of sites are found too, and count for nothing here.
_LOOK_BACK = 5000
_SEQUENCE = re.compile(r"[0-9]{1,9}", re.ASCII)
Trailers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a change, and why.

    Attributes:
        by: `Name <mail>`; "" for the reconciler on its own account.
        reason: Free text of one line, or "".
    """

    by: str = ""
    reason: str = ""

    def trailers(self) -> Trailers:
        """Write Requested-By and Reason, bounded to one line each."""
        pairs = (("Requested-By", one_line(self.by)), ("Reason", one_line(self.reason)))
        return tuple((key, value) for key, value in pairs if value)


def history(tree: Tree, environment: str, model: str) -> tuple[CommitInfo, ...]:
    """List tidegate's own commits on one rollout line, newest first, merged branches included."""
    paths = (
        layout.rollout(environment, model),
        f"{layout.EVIDENCE}/{environment}/{model}",
        f"{layout.SITES}/{environment}/*/{model}/**",
    )
    found = tree.log(paths, _LOOK_BACK, every_parent=True)
    return tuple(one for one in found if "Rollout-Sequence" in one.trailers)


def next_sequence(commits: Iterable[CommitInfo]) -> int:
    """Count one on from the highest sequence seen."""
    texts = (one.trailers["Rollout-Sequence"] for one in commits)
    return 1 + max((int(text) for text in texts if _SEQUENCE.fullmatch(text)), default=0)


def trailers(
    tree: Tree,
    before: Rollout,
    after: Rollout,
    release: Release | None,
) -> Trailers:
    """Write the trailers that every commit on a rollout line carries.

    Args:
        tree: The base, for the sequence.
        before: The rollout as it was.
        after: The rollout as it will be.
        release: The release that moves, or None.
    """
    sequence = next_sequence(history(tree, before.environment, before.model))
    name = after.id or before.id
    pairs = [("Rollout-Id", name)] if name else []
    start = before.percent if after.id == before.id else ZERO
    if after.percent != start:
        pairs.append(("Rollout-Step", f"{after.step_number(after.percent)}/{len(after.steps)}"))
        pairs.append(("Rollout-Percent", f"{start}->{after.percent}"))
    pairs.append(("Rollout-Sequence", str(sequence)))
    if release is not None:
        pairs.append(("Model-Version", release.version.version))
        pairs.append(("Model-Digest", release.version.digest))
    return tuple(pairs)


def start_of(tree: Tree, rollout: Rollout) -> str:
    """Name the commit that started a rollout; "" where the log does not tell."""
    found = history(tree, rollout.environment, rollout.model)
    mine = [one.id for one in found if one.trailers.get("Rollout-Id") == rollout.id]
    return mine[-1] if mine else ""


def say_percent(before: Percent, after: Percent, counts: tuple[int, int], total: int) -> str:
    """Write `5% -> 10% (25 -> 50 of 500 sites)`."""
    return f"{before}% -> {after}% ({counts[0]} -> {counts[1]} of {total} sites)"


def title(rollout: Rollout) -> str:
    """Begin a subject: `defect-detector edge-k3s`."""
    return f"{rollout.model} {rollout.environment}"


def next_id(tree: Tree, environment: str, model: str, release: str, cohort: Cohort | None) -> str:
    """Name a new rollout: `<env>-<model>-<release>-<k>`, k one more than the highest used."""
    prefix = f"{environment}-{model}-{release}-"
    under = f"{layout.EVIDENCE}/{environment}/{model}/"
    used = {path.removeprefix(under).partition("/")[0] for path in tree.ids(under.rstrip("/"))}
    used |= {one.trailers.get("Rollout-Id", "") for one in history(tree, environment, model)}
    used |= {cohort.rollout} if cohort else set()
    numbers = (name.removeprefix(prefix) for name in used if name.startswith(prefix))
    return f"{prefix}{1 + max((int(n) for n in numbers if _SEQUENCE.fullmatch(n)), default=0)}"
