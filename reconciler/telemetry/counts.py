"""What is counted since the process started: passes, commits that landed, and troubles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from generator import layout
from generator.errors import InputError, RemoteError
from reconciler.policy import Advance, Decision, Hold, Revert
from reconciler.tick import Pass

KINDS = ("advance", "complete", "expand", "history", "revert", "seen")
CAUSES = ("bug", "invalid", "lost", "metrics", "refused", "remote")
OUTCOMES = ("bug", "input", "remote", "whole")
BUCKETS_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Outcome(Protocol):
    """What became of one rollout in one pass, as `reconciler.loop.Done` has it."""

    @property
    def passed(self) -> Pass:
        """Give the pass."""

    @property
    def commit(self) -> str:
        """Name the commit that landed, or ""."""

    @property
    def trouble(self) -> str:
        """Say why none did although one should have, or ""."""

    @property
    def lost(self) -> bool:
        """Say whether somebody else was faster every time."""

    @property
    def bug(self) -> Exception | None:
        """Give what should not have happened."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been counted.

    Attributes:
        commits: (environment, model, kind) to commits that landed.
        troubles: (environment, model, cause) to ticks that went wrong.
        passes: Outcome to passes.
        within: Bucket of BUCKETS_S to passes that took at most that long.
        seconds: All passes together.
    """

    commits: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    troubles: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    passes: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    within: Mapping[float, int] = field(default_factory=lambda: dict.fromkeys(BUCKETS_S, 0))
    seconds: float = 0.0

    def after(self, outcome: str, spent_s: float, done: Iterable[Outcome] = ()) -> "Counts":
        """Count one more pass.

        Args:
            outcome: One of OUTCOMES.
            spent_s: How long it took.
            done: What became of each rollout.
        """
        commits, troubles = dict(self.commits), dict(self.troubles)
        for one in done:
            line = (one.passed.environment, one.passed.model)
            _count(commits, line, KINDS, kind(one))
            _count(troubles, line, CAUSES, cause(one))
        return replace(
            self,
            commits=commits,
            troubles=troubles,
            passes={**self.passes, outcome: self.passes[outcome] + 1},
            within={top: number + (spent_s <= top) for top, number in self.within.items()},
            seconds=self.seconds + spent_s,
        )


def _count(
    into: dict[tuple[str, ...], int], line: tuple[str, str], known: Sequence[str], what: str
) -> None:
    """Add one to a series; every series starts at 0, so that no increase is missed."""
    for name in known:
        into[*line, name] = into.get((*line, name), 0) + (name == what)


def outcome_of(error: Exception) -> str:
    """Name the outcome of a pass that ended too early."""
    if isinstance(error, RemoteError):
        return "remote"
    return "input" if isinstance(error, InputError) else "bug"


def kind(one: Outcome) -> str:
    """Name the kind of the commit that landed; "" where none did."""
    change = one.passed.change
    if not one.commit or change is None:
        return ""
    trailers = dict(change.trailers)
    file = trailers.get("Evidence", "").rpartition("/")[2].partition(".json")[0]
    found = file.partition("-")[2]
    if found not in ("", "seen"):
        return found
    if not any(path.startswith(f"{layout.SITES}/") for path in change.files):
        return found
    return "expand" if found or "Requested-By" in trailers else _own(one.passed.decision)


def _own(decision: Decision | None) -> str:
    """Name what moved sites without evidence and without a person: a step in the cloud, mostly."""
    match decision:
        case Advance():
            return "advance"
        case Revert():
            return "revert"
        case _:
            return "expand"


def cause(one: Outcome) -> str:
    """Name what went wrong with one rollout; "" where nothing did."""
    decision = one.passed.decision
    if one.bug is not None:
        return "bug"
    if one.lost:
        return "lost"
    if isinstance(decision, Hold) and decision.code in ("metrics", "remote"):
        return decision.code
    if one.trouble:
        return "refused" if one.passed.change is not None else "invalid"
    return ""
