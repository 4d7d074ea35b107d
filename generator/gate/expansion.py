"""A pull request that edits only `percent`: the sites that follow from it."""

from collections.abc import Iterator

from generator.changes import ChangeSet
from generator.errors import InputError
from generator.gate.change import Change, Kind, Move
from generator.gate.policy import RULES_OF_A_ROLLOUT
from generator.intents.moves import expand_pointers
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.rollout import Rollout
from generator.repository import Repository

_KEPT = ("stable", "canary", "id", "phase", *RULES_OF_A_ROLLOUT.values())


def bumped(change: Change) -> tuple[Move, ...]:
    """Give the rollouts whose percent a person has edited, where nothing else was.

    What follows already (sites, when it was expanded before) may be there, too.
    """
    bumps = [move for move in change.moves if _is_bump(move)]
    ours = tuple(path for move in bumps for path in _mine(move))
    rest = [path for path in change.paths if not path.startswith(ours)] if ours else []
    return tuple(bumps) if len(bumps) == len(change.moves) and not rest else ()


def _is_bump(move: Move) -> bool:
    before, after = move.before, move.after
    if move.kind not in (Kind.UP, Kind.DOWN) or before is None or after is None:
        return False
    return all(getattr(before, name) == getattr(after, name) for name in _KEPT)


def _mine(move: Move) -> Iterator[RepoPath]:
    yield move.path
    yield f"sites/{move.environment}/"


def follow(repository: Repository, move: Move) -> ChangeSet | None:
    """Compute the sites of one bump on a commit; None when they are right already.

    Raises:
        InputError: They cannot be computed.
    """
    before = move.before or Rollout(move.model, move.environment)
    commits = repository.tree.log((move.path,), 1)
    if not commits:
        raise InputError("no commit has edited the percentage", file=move.path)
    who = Asked(commits[0].author, f"follows {commits[0].id[:12]}")
    return expand_pointers(repository, move.environment, move.model, who, before)
