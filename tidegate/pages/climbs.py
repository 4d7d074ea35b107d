"""The rollouts of one line: the log says what moved, the evidence says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from generator import layout
from generator.changes import Tree
from generator.documents.rollout import read_cohort
from generator.errors import InputError
from generator.model.cohort import Cohort
from generator.model.environment import Kind
from generator.model.objective import Objective
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from tidegate.pages.chronicle import MOST_VERSIONS, Version, versions
from tidegate.pages.cohorts import Fleet, fleet_of, squares, with_late
from tidegate.pages.replay import Replay, replay
from tidegate.pages.story import Climb, End, Ending, Move, Step

_ENDS = {"revert": End.REVERTED, "complete": End.COMPLETED}
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """What was read once for all rollouts of a line.

    Attributes:
        repository: Where it was read.
        rollout: The rollout file now.
        kind: Edge or cloud.
        objectives: Today's.
        fleet: The present sites with their strata.
        versions: The rollout file, version by version.
        cohorts: The draws by rollout id.
        rejected: Releases of this line on the ledger.
    """

    repository: Repository
    rollout: Rollout
    kind: Kind
    objectives: tuple[Objective, ...]
    fleet: Fleet
    versions: tuple[Version, ...]
    cohorts: Mapping[str, Cohort]
    rejected: frozenset[str]

    @property
    def evidence(self) -> str:
        """Locate the evidence of all its rollouts."""
        return f"{layout.EVIDENCE}/{self.rollout.environment}/{self.rollout.model}"

    def names(self) -> tuple[str, ...]:
        """List the rollouts, oldest first; those that only left evidence come first."""
        started = [one.rollout.id for one in self.versions if one.move is Move.START]
        paths = self.repository.tree.ids(self.evidence)
        left = {path.removeprefix(f"{self.evidence}/").partition("/")[0] for path in paths}
        return (*sorted(left - set(started), key=_number), *dict.fromkeys(started))

    def versions_of(self, name: str) -> tuple[Version, ...]:
        """List the versions of the file under one rollout, and the one that ended it."""
        found: list[Version] = []
        for version in self.versions:
            if version.rollout.id == name or found:
                found.append(version)
            ended = version.move in (Move.COMPLETE, Move.REVERT) or version.rollout.id != name
            if found and ended:
                break
        return tuple(found)

    def count(self, percent: Percent, n: int) -> int:
        """Count the sites of a percentage; 0 in the cloud, where traffic is split."""
        return percent.count_of(n) if self.kind is Kind.EDGE else 0


def _number(name: str) -> tuple[int, str]:
    tail = name.rpartition("-")[2]
    return (int(tail[:9]) if tail.isdecimal() and tail.isascii() else 0, name)


def read_line(repository: Repository, environment: str, model: str) -> Line:
    """Read all that the rollouts of a line have in common.

    Raises:
        InputError: The rollout file, the environment, the model or the sites are missing or
            invalid.
    """
    settings = repository.environment(environment)
    return Line(
        repository=repository,
        rollout=repository.rollout(environment, model),
        kind=settings.kind,
        objectives=repository.model(model).objectives,
        fleet=fleet_of(repository.sites(environment), settings.strata),
        versions=versions(repository.tree, environment, model),
        cohorts=_cohorts(repository.tree, environment, model),
        rejected=_rejected(repository, environment, model),
    )


def _cohorts(tree: Tree, environment: str, model: str) -> Mapping[str, Cohort]:
    path = layout.cohort(environment, model)
    found: dict[str, Cohort] = {}
    for _, data in tree.past(path, MOST_VERSIONS):
        try:
            cohort = read_cohort(path, data)
        except InputError:
            continue
        found.setdefault(cohort.rollout, cohort)
    return found


def _rejected(repository: Repository, environment: str, model: str) -> frozenset[str]:
    try:
        entries = repository.rejected()
    except InputError:
        return frozenset()
    mine = (one for one in entries if (one.environment, one.model) == (environment, model))
    return frozenset(one.release for one in mine)


def climb(line: Line, name: str, *, is_newest: bool) -> Climb:
    """Tell one rollout.

    Args:
        line: Its line.
        name: Rollout id.
        is_newest: Whether the sites that are present now took part in it.
    """
    told = line.versions_of(name)
    tree = line.repository.tree
    rollout = told[0].rollout if told else replace(line.rollout, id=name, canary="")
    judged = replay(tree, rollout, {one.name: one.margin for one in line.objectives})
    cohort = line.cohorts.get(name)
    n = cohort.n if cohort else len(line.fleet)
    steps = _steps(line, told, n) if told else _steps_left(line, judged, n)
    ending = _ending(line, told, judged) if told else _ending_left(judged, steps)
    fleet = line.fleet if is_newest else None
    drawn = squares(cohort, steps, ending.how, rollout.holdback, fleet) if cohort else ()
    trailers = told[0].commit.trailers if told else {}
    return Climb(
        id=name,
        release=rollout.canary or _release_in(name, rollout),
        stable=rollout.stable if told else "",
        n=n,
        steps=steps,
        ending=ending,
        pauses=_pauses(told, ending.at),
        reason=trailers.get("Reason", ""),
        by=_who(told[0]) if told else "",
        digest=trailers.get("Model-Digest", ""),
        curves=judged.curves,
        ticks=judged.ticks,
        late=judged.late,
        squares=with_late(drawn, judged.late),
        evidence=judged.path,
        trouble=judged.trouble,
    )


def _release_in(name: str, rollout: Rollout) -> str:
    return name.removeprefix(f"{rollout.environment}-{rollout.model}-").rpartition("-")[0]


def _steps(line: Line, told: Sequence[Version], n: int) -> tuple[Step, ...]:
    moved = (Move.ADVANCE, Move.LOWER)
    rungs = [told[0], *(one for one in told[1:] if one.move in moved and one.rollout.canary)]
    ends = [*(rung.at for rung in rungs[1:]), told[-1].at]
    return tuple(
        Step(
            percent=rung.rollout.percent,
            sites=line.count(rung.rollout.percent, n),
            move=Move.START if rung is told[0] else rung.move,
            begun=rung.at,
            ended=end,
            soak=rung.rollout.soak_at(rung.rollout.percent),
            by=_who(rung),
        )
        for rung, end in zip(rungs, ends, strict=True)
    )


def _steps_left(line: Line, judged: Replay, n: int) -> tuple[Step, ...]:
    """Rebuild the rungs of a rollout whose commits the log does not hold, from its evidence."""
    moves = (Move.START, *(Move.ADVANCE for _ in judged.rungs))
    found = tuple(
        Step(one.percent, line.count(one.percent, n), move, one.since, one.until)
        for one, move in zip(judged.rungs, moves, strict=False)
    )
    if found:
        return found
    touched = line.repository.tree.log((line.evidence,), 1)
    at = touched[0].at if touched else _LONG_AGO
    return (Step(ZERO, 0, Move.START, at, at),)


def _ending(line: Line, told: Sequence[Version], judged: Replay) -> Ending:
    final, how = told[-1], _how(told)
    if how in (End.CLIMBING, End.PAUSED):
        return Ending(how, final.at)
    if how is End.SUPERSEDED:
        why = f"{final.rollout.canary or final.rollout.stable} took its place"
        return Ending(how, final.at, why, _who(final))
    by_judge = _ENDS.get(judged.decision) is how
    why = judged.why if by_judge else final.commit.trailers.get("Reason", "")
    is_rejected = told[0].rollout.canary in line.rejected
    return Ending(how, final.at, why, _who(final), is_rejected)


def _ending_left(judged: Replay, steps: Sequence[Step]) -> Ending:
    how = _ENDS.get(judged.decision, End.SUPERSEDED)
    return Ending(how, steps[-1].ended, judged.why)


def _how(told: Sequence[Version]) -> End:
    first, final = told[0].rollout, told[-1]
    if final.move is Move.COMPLETE:
        return End.COMPLETED
    if final.move is Move.REVERT:
        return End.REVERTED
    if final.rollout.id != first.id or not final.rollout.canary:
        return End.SUPERSEDED
    return End.PAUSED if final.rollout.phase is Phase.PAUSED else End.CLIMBING


def _who(version: Version) -> str:
    """Name the person behind a commit; "" for the reconciler on its own account."""
    trailers = version.commit.trailers
    asked = trailers.get("Requested-By", "")
    is_alone = "Rollout-Sequence" in trailers and not asked
    return "" if is_alone else asked or version.commit.author


def _pauses(told: Sequence[Version], end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for version in told:
        is_paused = version.rollout.phase is Phase.PAUSED and bool(version.rollout.canary)
        if is_paused and since is None:
            since = version.at
        elif not is_paused and since is not None:
            found.append((since, version.at))
            since = None
    return (*found, *([(since, end)] if since is not None else []))
