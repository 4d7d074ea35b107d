"""A change as it is judged: three commits, what differs, and which rollouts it moves.

`base` is where the branch has left main, `head` is its newest commit, `main` is main as it is
now. What holds is always read from `base`; `head` is only what is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from generator import layout
from generator.errors import InputError
from generator.layout import RepoPath
from generator.lint.view import View
from generator.model.rollout import Phase, Rollout, key
from generator.repository import Repository

MOST_PAST = 500
LINK, SUBMODULE = "120000", "160000"
ODD = {LINK: "a symlink", SUBMODULE: "a submodule"}


class Kind(StrEnum):
    """What happens to one rollout."""

    PROMOTION = "promotion"
    BASELINE = "baseline"
    UP = "percent up"
    DOWN = "percent down"
    REVERT = "revert"
    RESTORE = "return to an earlier release"
    PAUSE = "pause"
    RESUME = "resume"
    REMOVAL = "removal"


# These take risk away: no window holds them up, and they wait for nobody.
CALMING = frozenset({Kind.DOWN, Kind.REVERT, Kind.PAUSE})
# These bring a release to sites that do not have it.
ENTERING = frozenset({Kind.PROMOTION, Kind.BASELINE})


@dataclass(frozen=True, slots=True)
class Move:
    """One rollout file that says something else.

    Attributes:
        kind: What happens.
        environment: Where.
        model: Which.
        before: As it stands at the base; None where there was none, or none that can be read.
        after: As it is asked for; None where it is taken away.
    """

    kind: Kind
    environment: str
    model: str
    before: Rollout | None
    after: Rollout | None

    @property
    def path(self) -> RepoPath:
        """Locate the rollout file."""
        return layout.rollout(self.environment, self.model)

    @property
    def name(self) -> str:
        """Name the line: `edge-k3s/defect-detector`."""
        return key(self.environment, self.model)

    @property
    def release(self) -> str:
        """Name the release that sites get by it; "" where they get none."""
        after = self.after
        return (after.canary or after.stable) if after else ""

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.kind in (Kind.UP, Kind.DOWN) and self.before and self.after:
            return f"{self.kind} of {self.name} ({self.before.percent}% -> {self.after.percent}%)"
        what = f" of {self.release}" if self.kind in ENTERING | {Kind.RESTORE} else ""
        return f"{self.kind}{what} in {self.name}"


@dataclass(frozen=True, slots=True)
class Edit:
    """One path that differs; a mode is "" where it is not there."""

    path: RepoPath
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is judged.

    Attributes:
        base: The commit where the branch has left main.
        head: The newest commit of the branch.
        main: Main as it is now.
        edits: What differs between base and head.
        reaches: Says whether a commit is in the past of the base.
        view: The head, for lines and documents.
        moves: The rollouts that it moves.
    """

    base: Repository
    head: Repository
    main: Repository
    edits: tuple[Edit, ...]
    reaches: Callable[[str], bool]
    view: View = field(init=False)
    moves: tuple[Move, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find the moves."""
        object.__setattr__(self, "view", View(self.head))
        object.__setattr__(self, "moves", tuple(_moves(self)))

    @property
    def paths(self) -> frozenset[RepoPath]:
        """Give the paths that differ."""
        return frozenset(edit.path for edit in self.edits)


def edits(
    before: Mapping[RepoPath, tuple[str, str]], after: Mapping[RepoPath, tuple[str, str]]
) -> tuple[Edit, ...]:
    """Compare two listings of mode and object name."""
    none = ("", "")
    return tuple(
        Edit(path, before.get(path, none)[0], after.get(path, none)[0])
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _moves(change: Change) -> Iterator[Move]:
    paths = change.paths
    lines = sorted({*change.base.rollouts(), *change.head.rollouts()})
    for environment, model in lines:
        if layout.rollout(environment, model) not in paths:
            continue
        before, after = (attempt(one, environment, model) for one in (change.base, change.head))
        kind = _kind(change.base, before, after)
        if kind is not None:
            yield Move(kind, environment, model, before, after)


def attempt(repository: Repository, environment: str, model: str) -> Rollout | None:
    """Read a rollout; None where it is not there or not valid."""
    try:
        return repository.rollout(environment, model)
    except InputError:
        return None


def _kind(base: Repository, before: Rollout | None, after: Rollout | None) -> Kind | None:
    if after is None:
        return Kind.REMOVAL if before is not None and before.stable else None
    if before is None:
        before = Rollout(after.model, after.environment)
    if after.canary and (after.canary, after.id) != (before.canary, before.id):
        return Kind.PROMOTION
    if after.stable != before.stable:
        return _stable(base, before, after)
    is_ended = after.phase is Phase.REVERTED and before.phase is not Phase.REVERTED
    if is_ended or (before.canary and not after.canary):
        return Kind.REVERT
    return _step(before, after)


def _stable(base: Repository, before: Rollout, after: Rollout) -> Kind:
    if not after.stable:
        return Kind.REMOVAL
    is_back = after.phase is Phase.REVERTED and not after.canary
    return Kind.RESTORE if is_back and _was_stable(base, before, after.stable) else Kind.BASELINE


def _was_stable(base: Repository, rollout: Rollout, release: str) -> bool:
    """Say whether all sites had a release once; frozen alone, it was never looked at."""
    environment, model = rollout.environment, rollout.model
    past = base.tree.past(layout.rollout(environment, model), MOST_PAST)
    for commit, _ in past:
        then = attempt(base.beside(base.tree.at(commit.id)), environment, model)
        if then is not None and then.stable == release:
            return True
    return False


def _step(before: Rollout, after: Rollout) -> Kind | None:
    if after.percent != before.percent:
        return Kind.UP if after.percent > before.percent else Kind.DOWN
    if after.phase is before.phase:
        return None
    return Kind.PAUSE if after.phase is Phase.PAUSED else Kind.RESUME
