"""The log of one rollout line: what each commit did, told by the files and not by their words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from generator import layout
from generator.changes import CommitInfo, Tree
from generator.documents.config import read_rejected
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.model.rollout import Phase, Rollout
from tidegate.pages.story import Commit, Move

MOST_VERSIONS = 500
MOST_COMMITS = 200


@dataclass(frozen=True, slots=True)
class Version:
    """The rollout file after one commit that changed it.

    Attributes:
        commit: The commit.
        at: Its time, never earlier than that of the version before.
        rollout: The file as it was then.
        move: What the commit did.
    """

    commit: CommitInfo
    at: datetime
    rollout: Rollout
    move: Move


def versions(tree: Tree, environment: str, model: str) -> tuple[Version, ...]:
    """List the valid versions of the rollout file, oldest first."""
    path = layout.rollout(environment, model)
    found: list[Version] = []
    for commit, data in reversed(tree.past(path, MOST_VERSIONS)):
        try:
            after = read_rollout(path, data, environment, model)
        except InputError:
            continue
        before = found[-1] if found else None
        # Clocks of different machines: a later commit never counts as earlier than the one before.
        at = max(commit.at, before.at) if before else commit.at
        found.append(Version(commit, at, after, move_of(before.rollout if before else None, after)))
    return tuple(found)


def move_of(before: Rollout | None, after: Rollout) -> Move:
    """Say what the step from one version of the file to the next did."""
    if before is None:
        before = Rollout(after.model, after.environment)
    found = (move for move, is_it in _RULES if is_it(before, after))
    return next(found, Move.NOTE)


def _starts(before: Rollout, after: Rollout) -> bool:
    return bool(after.canary) and (after.id != before.id or not before.canary)


def _completes(before: Rollout, after: Rollout) -> bool:
    return bool(before.canary) and after.phase is Phase.COMPLETED


def _reverts(before: Rollout, after: Rollout) -> bool:
    if before.phase is Phase.REVERTED and after.stable == before.stable:
        return False  # in the cloud the objects follow the weights
    moved = bool(before.canary) or after.stable != before.stable
    return after.phase is Phase.REVERTED and moved


# Asked in order; the first that holds names the move.
_RULES: Sequence[tuple[Move, Callable[[Rollout, Rollout], bool]]] = (
    (Move.START, _starts),
    (Move.COMPLETE, _completes),
    (Move.REVERT, _reverts),
    (Move.BASELINE, lambda before, after: after.stable != before.stable),
    (Move.ADVANCE, lambda before, after: after.percent > before.percent),
    (Move.LOWER, lambda before, after: after.percent < before.percent),
    (Move.PAUSE, lambda before, after: before.phase is not after.phase is Phase.PAUSED),
    (Move.RESUME, lambda before, after: after.phase is not before.phase is Phase.PAUSED),
)


def commits(
    tree: Tree, environment: str, model: str, known: Iterable[Version]
) -> tuple[Commit, ...]:
    """List the newest commits on the line, newest first."""
    paths = (
        layout.rollout(environment, model),
        f"{layout.EVIDENCE}/{environment}/{model}",
        f"{layout.RELEASES}/{environment}/{model}",
        layout.model(model),
        f"{layout.SITES}/{environment}/*/{model}/**",
    )
    by_commit = {version.commit.id: version for version in known}
    ledger = _ledger_moves(tree, environment, model)
    found = {one.id: one for one in tree.log(paths, MOST_COMMITS)}
    found |= {one.id: one for one, _ in ledger.values() if one.id not in found}
    told = [_commit(one, by_commit.get(one.id), ledger) for one in found.values()]
    # The log is in the order of Git already; only what the ledger adds must find its place.
    return tuple(sorted(told, key=lambda one: one.at, reverse=True)) if ledger else tuple(told)


def _commit(
    info: CommitInfo, version: Version | None, ledger: Mapping[str, tuple[CommitInfo, Move]]
) -> Commit:
    move = version.move if version else Move.NOTE
    if move is Move.NOTE and info.id in ledger:
        move = ledger[info.id][1]
    moving = move in (Move.START, Move.ADVANCE, Move.LOWER, Move.REVERT, Move.COMPLETE)
    return Commit(
        id=info.id,
        at=version.at if version else info.at,
        author=info.author,
        subject=info.subject,
        move=move,
        percent=version.rollout.percent if version and moving else None,
        verdict=info.trailers.get("Verdict", ""),
        reason=info.trailers.get("Reason", ""),
    )


def _ledger_moves(
    tree: Tree, environment: str, model: str
) -> Mapping[str, tuple[CommitInfo, Move]]:
    """Find the commits that put a release of this line on the ledger or took it off."""
    found: dict[str, tuple[CommitInfo, Move]] = {}
    before: frozenset[str] = frozenset()
    for info, data in reversed(tree.past(layout.REJECTED, MOST_VERSIONS)):
        try:
            entries = read_rejected(layout.REJECTED, data)
        except InputError:
            continue
        mine = (one for one in entries if (one.environment, one.model) == (environment, model))
        after = frozenset(one.release for one in mine)
        if after != before:
            found[info.id] = (info, Move.REJECT if after - before else Move.UNREJECT)
        before = after
    return found
