"""Every event of a rollout as one change set: start, step, stop, end.

The table of events is design.md section 3. Each function takes the repository as it is and
gives back the change, or None when there is nothing to do; none of them knows who pushes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.expand import assign, differences
from generator.intents.takeback import on_canary, take_back
from generator.intents.traffic import had_traffic
from generator.intents.words import (
    Asked,
    Trailers,
    say_percent,
    start_of,
    title,
    trailers,
)
from generator.layout import RepoPath
from generator.model.environment import Kind
from generator.model.percent import ZERO, Percent
from generator.model.release import Release
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from generator.yamltext import delete_key, set_scalar

_PLACES = {"stable": ("", "environment"), "canary": ("", "stable"), "rollout": ("percent", "")}


@dataclass(frozen=True, slots=True)
class Attached:
    """What the reconciler puts beside a move: evidence, verdict, other files.

    Attributes:
        files: Path to bytes.
        trailers: Verdict and Evidence.
        body: Lines under the subject.
    """

    files: Mapping[RepoPath, bytes] = field(default_factory=dict)
    trailers: Trailers = ()
    body: str = ""


NOTHING = Attached()


def edit(draft: Draft, environment: str, model: str, **keys: str | None) -> Rollout:
    """Splice keys of the rollout file and read it back; None deletes a key.

    Raises:
        InputError: The result is not a valid rollout.
    """
    path = layout.rollout(environment, model)

    def change(text: str) -> str:
        for key, scalar in keys.items():
            if scalar is None:
                text = delete_key(text, key)
            else:
                before, after = _PLACES.get(key, ("", ""))
                text = set_scalar(text, key, scalar, before=before, after=after)
        return text

    try:
        draft.edit(path, change)
    except ValueError as error:
        raise InputError(str(error), file=path) from error
    return read_rollout(path, draft.read(path) or b"", environment, model)


def finish(
    base: Repository,
    draft: Draft,
    before: Rollout,
    after: Rollout,
    say: Callable[[tuple[int, int], int], str],
    asked: Asked,
    attached: Attached = NOTHING,
    extra: Trailers = (),
) -> ChangeSet | None:
    """Expand the pointers, write the words and close the change set.

    Args:
        base: What the draft was started on.
        draft: Holds the edits made so far.
        before: The rollout as it was.
        after: The rollout as it is in the draft.
        say: Subject from (canary sites before, after) and the number of sites.
        asked: Who and why.
        attached: Evidence of the reconciler.
        extra: Further trailers.
    """
    repository = base.beside(draft)
    counts = _canaries(base, before), _canaries(repository, after)
    draft.write(attached.files)
    _write_pointers(draft, repository, after)
    files = draft.changes()
    if not files:
        return None
    release = _moving(repository, before, after)
    total = len(repository.sites(after.environment))
    words = (
        *trailers(base.tree, before, after, release),
        *attached.trailers,
        *asked.trailers(),
        *extra,
    )
    return ChangeSet(draft.commit, files, say(counts, total), attached.body, words)


def _canaries(repository: Repository, rollout: Rollout) -> int:
    if repository.environment(rollout.environment).kind is Kind.CLOUD:
        out = rollout.canary and rollout.percent != ZERO
        return len(repository.sites(rollout.environment)) if out else 0
    if not rollout.canary:
        return 0
    try:
        return sum(1 for one in assign(repository, rollout).values() if one == rollout.canary)
    except InputError:
        # A broken draw must not stop a revert; the pointers tell as well.
        return len(on_canary(repository.tree, rollout))


def _write_pointers(draft: Draft, repository: Repository, rollout: Rollout) -> None:
    changed = differences(repository, rollout.environment, rollout.model)
    draft.write({path: data for path, data in changed.items() if data is not None})
    draft.delete(path for path, data in changed.items() if data is None)


def _moving(repository: Repository, before: Rollout, after: Rollout) -> Release | None:
    name = after.canary or before.canary or after.stable
    return repository.release(after.environment, after.model, name) if name else None


def _open(repository: Repository, environment: str, model: str) -> tuple[Draft, Rollout]:
    return Draft(repository.tree), repository.rollout(environment, model)


def _need_climbing(rollout: Rollout, verb: str) -> None:
    if rollout.is_climbing:
        return
    path = layout.rollout(rollout.environment, rollout.model)
    state = f"the last rollout is {rollout.phase}" if rollout.phase else "there is no baseline yet"
    hint = f"tidegate promote {rollout.model}@ALIAS --env {rollout.environment}"
    raise InputError(f"nothing to {verb}: no canary is out, {state}", file=path, hint=hint)


def set_percent(
    repository: Repository,
    environment: str,
    model: str,
    percent: Percent,
    asked: Asked,
    attached: Attached = NOTHING,
) -> ChangeSet | None:
    """Move to a percentage: a person's bump up or down, or the next step.

    Raises:
        InputError: No canary is out.
    """
    draft, before = _open(repository, environment, model)
    _need_climbing(before, "move")
    if percent == before.percent and not attached.files:
        return None
    after = edit(draft, environment, model, percent=str(percent))
    words = f"{title(before)}: "
    return finish(
        repository,
        draft,
        before,
        after,
        lambda counts, total: words + _say_step(repository, before, after, counts, total),
        asked,
        attached,
    )


def _say_step(
    repository: Repository, before: Rollout, after: Rollout, counts: tuple[int, int], total: int
) -> str:
    if repository.environment(after.environment).kind is Kind.CLOUD:
        return f"{before.percent}% -> {after.percent}% of traffic on {total} clusters"
    return say_percent(before.percent, after.percent, counts, total)


def expand_pointers(
    repository: Repository, environment: str, model: str, asked: Asked, before: Rollout
) -> ChangeSet | None:
    """Write the pointers that the files already ask for.

    Args:
        repository: What stands in Git, the person's edit included.
        environment: Environment of the line.
        model: Model of the line.
        asked: Who made the edit.
        before: The rollout as the pointers still show it.
    """
    draft, after = _open(repository, environment, model)
    words = f"{title(after)}: "

    def say(counts: tuple[int, int], total: int) -> str:
        shown = _canaries(repository, before)
        if before.percent == after.percent:
            return f"{words}pointers follow the sites ({counts[1]} of {total} on the canary)"
        return words + _say_step(repository, before, after, (shown, counts[1]), total)

    change = finish(repository, draft, after, after, say, asked)
    if change is None or before.percent == after.percent:
        return change
    moved = trailers(repository.tree, before, after, _moving(repository, before, after))
    return ChangeSet(
        change.base, change.files, change.subject, change.body, (*moved, *asked.trailers())
    )


def pause(repository: Repository, environment: str, model: str, asked: Asked) -> ChangeSet | None:
    """Stop advancing; a breach still reverts.

    Raises:
        InputError: No canary is out.
    """
    return _set_phase(repository, environment, model, Phase.PAUSED, "paused", asked)


def resume(repository: Repository, environment: str, model: str, asked: Asked) -> ChangeSet | None:
    """Let a paused rollout climb again.

    Raises:
        InputError: No canary is out.
    """
    return _set_phase(repository, environment, model, Phase.PROGRESSING, "resumed", asked)


def _set_phase(
    repository: Repository, environment: str, model: str, phase: Phase, verb: str, asked: Asked
) -> ChangeSet | None:
    draft, before = _open(repository, environment, model)
    _need_climbing(before, verb.removesuffix("d"))
    if before.phase is phase:
        return None
    after = edit(draft, environment, model, phase=phase.value)

    def say(counts: tuple[int, int], total: int) -> str:
        return f"{title(before)}: {verb} at {after.percent}% ({counts[1]} of {total} sites)"

    return finish(repository, draft, before, after, say, asked)


def complete(
    repository: Repository, environment: str, model: str, asked: Asked, attached: Attached = NOTHING
) -> ChangeSet | None:
    """End a rollout whose last step has soaked: the canary is the stable release now.

    Raises:
        InputError: No canary is out.
    """
    draft, before = _open(repository, environment, model)
    _need_climbing(before, "complete")
    after = edit(
        draft,
        environment,
        model,
        stable=before.canary,
        canary=None,
        percent="0",
        phase=Phase.COMPLETED.value,
    )
    name = before.canary.partition("-")[0]

    def say(_: tuple[int, int], total: int) -> str:
        return f"{title(before)}: {name} is stable on all {total} sites"

    return finish(repository, draft, before, after, say, asked, attached)


def revert(
    repository: Repository,
    environment: str,
    model: str,
    asked: Asked,
    attached: Attached = NOTHING,
    why: str = "",
) -> ChangeSet | None:
    """Take the canary back from every site; in the cloud the weights first, then the objects.

    Args:
        repository: What stands in Git.
        environment: Environment of the line.
        model: Model of the line.
        asked: Who and why.
        attached: Evidence and ledger of a breach.
        why: Short cause for the subject, or "".

    Returns:
        The change, or None when the last rollout was reverted already.

    Raises:
        InputError: No canary is out.
    """
    draft, before = _open(repository, environment, model)
    if before.phase is Phase.REVERTED and not before.canary:
        return None
    cloud = _is_cloud(repository, before)
    waits = cloud and bool(before.canary) and before.phase is Phase.REVERTED
    if not waits:
        _need_climbing(before, "revert")
    keys: dict[str, str | None] = {"percent": "0", "phase": Phase.REVERTED.value}
    # Git has no share for it any more; whether every cluster has read that, only the second call
    # may take for granted.
    if not cloud or waits or (before.percent == ZERO and not had_traffic(repository, before)):
        keys["canary"] = None
    after = edit(draft, environment, model, **keys)
    name = before.canary.partition("-")[0]
    start = start_of(repository.tree, before)

    def say(counts: tuple[int, int], total: int) -> str:
        moved = say_percent(before.percent, after.percent, counts, total)
        cause = f": {why}" if why else ""
        return f"{title(before)}: revert {name}, {moved}{cause}"

    extra = (("Reverts", start),) if start else ()
    try:
        return finish(repository, draft, before, after, say, asked, attached, extra)
    except InputError as error:
        if cloud:
            raise
        told = trailers(repository.tree, before, after, None)
        words = (*told, *attached.trailers, *asked.trailers(), *extra)
        return take_back(draft, before, say, words, attached.files, f"{attached.body}\n{error}")


def _is_cloud(repository: Repository, rollout: Rollout) -> bool:
    try:
        return repository.environment(rollout.environment).kind is Kind.CLOUD
    except InputError:
        # Its settings cannot be read; the release tells what it is made of.
        chart = layout.release(rollout.environment, rollout.model, rollout.stable) + "/chart"
        return bool(repository.tree.ids(chart))


def revert_to(
    repository: Repository, environment: str, model: str, release: str, asked: Asked
) -> ChangeSet | None:
    """Set an earlier release on all sites in one commit, also after a completed rollout.

    Raises:
        InputError: The release was never frozen here, it was rejected, or it is the canary.
    """
    draft, before = _open(repository, environment, model)
    target = repository.release(environment, model, release)
    if before.canary == release:
        hint = f"tidegate set-percent {model} --env {environment} 100 --reason ..."
        raise InputError(f"{release} is the canary, not an earlier release", hint=hint)
    for entry in repository.rejected():
        if entry.key == target.key:
            hint = f"tidegate unreject {model} {release} --env {environment} --reason ..."
            raise InputError(f"{release} was rejected: {entry.reason}", hint=hint)
    if before.stable == release and not before.canary:
        return None
    phase = Phase.REVERTED.value
    after = edit(draft, environment, model, stable=release, canary=None, percent="0", phase=phase)

    def say(_: tuple[int, int], total: int) -> str:
        return f"{title(before)}: back to {target.short} on all {total} sites"

    start = start_of(repository.tree, before)
    extra = (("Reverts", start),) if start else ()
    return finish(repository, draft, before, after, say, asked, NOTHING, extra)
