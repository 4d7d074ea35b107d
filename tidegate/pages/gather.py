"""Git and its evidence to one story; no metrics, no cluster, no clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from generator import layout
from generator.changes import Tree
from generator.documents.config import read_time
from generator.documents.rollout import read_cohort
from generator.errors import InputError
from generator.model.cohort import Cohort
from generator.model.environment import Kind
from generator.model.objective import Below, Objective, Ratio, Slower
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from reconciler import record
from tidegate.pages.chronicle import MOST_VERSIONS, Version, commits, versions
from tidegate.pages.cohorts import Fleet, all_in, fleet_of, squares
from tidegate.pages.replay import Replay, replay, settings_of
from tidegate.pages.story import (
    Climb,
    Commit,
    End,
    Ending,
    Move,
    Square,
    State,
    Step,
    Story,
)

MOST_CLIMBS = 12
OPEN = (End.CLIMBING, End.PAUSED)


def gather(
    repository: Repository,
    environment: str,
    model: str,
    *,
    now: datetime | None = None,
    most: int = MOST_CLIMBS,
) -> Story:
    """Read the story of one model in one environment.

    Args:
        repository: A commit of the generated repository, with its history.
        environment: Name.
        model: Name.
        now: UTC; a rollout that is under way is drawn up to here. None = up to the newest
            thing that Git knows.
        most: Newest rollouts to tell; the evidence of older ones is not read.

    Raises:
        InputError: The rollout file, the environment, the model or the sites are missing or
            invalid. Evidence that is damaged is told in `Climb.trouble` instead.
    """
    source = _read(repository, environment, model)
    names = source.names()
    told = [_climb(source, name, name == names[-1]) for name in names[-most:]]
    log = commits(repository.tree, environment, model, source.versions)
    through = _through(told, log, now)
    climbs = tuple(_extended(one, through) for one in told)
    rollout = source.rollout
    return Story(
        environment=environment,
        model=model,
        kind=source.kind,
        phase=rollout.phase,
        stable=rollout.stable,
        canary=rollout.canary,
        percent=rollout.percent,
        head=repository.tree.commit,
        through=through,
        commits=log,
        climbs=climbs,
        earlier=max(0, len(names) - most),
        squares=_now(source, climbs),
        objectives={one.name: _say(one) for one in source.objectives},
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """What was read once for all rollouts of the line."""

    repository: Repository
    rollout: Rollout
    kind: Kind
    objectives: tuple[Objective, ...]
    fleet: Fleet
    versions: tuple[Version, ...]
    cohorts: Mapping[str, Cohort]

    def names(self) -> tuple[str, ...]:
        """List the rollouts, oldest first; those that only left evidence come first."""
        started = [one.rollout.id for one in self.versions if one.move is Move.START]
        under = f"{layout.EVIDENCE}/{self.rollout.environment}/{self.rollout.model}"
        paths = self.repository.tree.ids(under)
        left = {path.removeprefix(f"{under}/").partition("/")[0] for path in paths}
        return (*sorted(left - set(started), key=_number), *dict.fromkeys(started))

    def versions_of(self, name: str) -> tuple[Version, ...]:
        """List the versions of the file under one rollout, and the one that ended it."""
        found: list[Version] = []
        for version in self.versions:
            if version.rollout.id == name or (found and found[-1].rollout.id == name):
                found.append(version)
            if found and version.move in (Move.COMPLETE, Move.REVERT):
                break
            if found and version.rollout.id != name:
                break
        return tuple(found)


def _number(name: str) -> tuple[int, str]:
    tail = name.rpartition("-")[2]
    return (int(tail) if tail.isdecimal() and tail.isascii() else 0, name)


def _read(repository: Repository, environment: str, model: str) -> _Source:
    settings = repository.environment(environment)
    return _Source(
        repository=repository,
        rollout=repository.rollout(environment, model),
        kind=settings.kind,
        objectives=repository.model(model).objectives,
        fleet=fleet_of(repository.sites(environment), settings.strata),
        versions=versions(repository.tree, environment, model),
        cohorts=_cohorts(repository.tree, environment, model),
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


def _climb(source: _Source, name: str, newest: bool) -> Climb:  # noqa: FBT001 (private)
    told = source.versions_of(name)
    rollout = told[0].rollout if told else replace(source.rollout, id=name, canary="")
    chain, trouble = _chain(source, rollout)
    judged = _judge(source, rollout, chain)
    cohort = source.cohorts.get(name)
    counts = _counts(source, cohort)
    steps = _steps(told, counts) if told else tuple(_steps_left(chain.entries, counts))
    ending = _ending(source, told, chain)
    return Climb(
        id=name,
        release=rollout.canary or _release_in(name, rollout),
        stable=rollout.stable if told else "",
        n=counts.n,
        steps=steps,
        ending=ending,
        pauses=_pauses(told, ending.at),
        reason=told[0].commit.trailers.get("Reason", "") if told else "",
        by=_who(told[0]) if told else "",
        digest=told[0].commit.trailers.get("Model-Digest", "") if told else "",
        curves=judged.curves,
        ticks=judged.ticks,
        squares=squares(
            cohort, steps, ending.how, rollout.holdback, source.fleet if newest else None
        )
        if cohort
        else (),
        evidence=chain.paths[-1] if chain.paths else "",
        trouble=trouble or judged.trouble,
    )


def _release_in(name: str, rollout: Rollout) -> str:
    return name.removeprefix(f"{rollout.environment}-{rollout.model}-").rpartition("-")[0]


def _chain(source: _Source, rollout: Rollout) -> tuple[record.Chain, str]:
    try:
        return record.read_chain(source.repository.tree, rollout), ""
    except (InputError, KeyError, ValueError) as error:
        return record.Chain(), str(error)


def _judge(source: _Source, rollout: Rollout, chain: record.Chain) -> Replay:
    margins = {one.name: one.margin for one in source.objectives}
    try:
        return replay(chain, settings_of(chain, margins, rollout.min_sites))
    except (ValueError, TypeError, KeyError) as error:
        return Replay(trouble=f"the settings of the judge in the evidence are damaged: {error}")


@dataclass(frozen=True, slots=True)
class _Counts:
    """Turns a percentage into canary sites."""

    n: int
    is_edge: bool

    def of(self, percent: Percent) -> int:
        """Count the sites of a percentage; 0 in the cloud."""
        return percent.count_of(self.n) if self.is_edge else 0


def _counts(source: _Source, cohort: Cohort | None) -> _Counts:
    return _Counts(cohort.n if cohort else len(source.fleet), source.kind is Kind.EDGE)


def _steps(told: Sequence[Version], counts: _Counts) -> tuple[Step, ...]:
    first = told[0]
    moved = (Move.ADVANCE, Move.LOWER)
    rungs = [first, *(v for v in told[1:] if v.move in moved and v.rollout.canary)]
    ends = [*(rung.at for rung in rungs[1:]), told[-1].at]
    return tuple(
        Step(
            percent=rung.rollout.percent,
            sites=counts.of(rung.rollout.percent),
            move=Move.START if rung is first else rung.move,
            begun=rung.at,
            ended=end,
            soak=rung.rollout.soak_at(rung.rollout.percent),
            by=_who(rung),
        )
        for rung, end in zip(rungs, ends, strict=True)
    )


def _steps_left(entries: Sequence[Mapping[str, Any]], counts: _Counts) -> Iterator[Step]:
    """Rebuild the rungs of a rollout whose commits the log does not hold, from its evidence."""
    move, last = Move.START, datetime.min.replace(tzinfo=UTC)
    for entry in entries:
        last = read_time(entry["at"])
        if "fromPercent" in entry:
            percent = Percent.parse(entry["fromPercent"])
            yield Step(percent, counts.of(percent), move, read_time(entry["since"]), last)
            move = Move.ADVANCE
    if move is Move.START:
        yield Step(ZERO, 0, move, last, last)


def _ending(source: _Source, told: Sequence[Version], chain: record.Chain) -> Ending:
    last = chain.entries[-1] if chain.entries else {}
    if not told:
        how = _ENDS.get(str(last.get("decision")), End.SUPERSEDED)
        at = read_time(last["at"]) if last else datetime.min.replace(tzinfo=UTC)
        return Ending(how, at, str(last.get("why", "")))
    final = told[-1]
    how = _how(told)
    if how in OPEN:
        return Ending(how, final.at)
    if how is End.SUPERSEDED:
        why = f"{final.rollout.canary or final.rollout.stable} took its place"
        return Ending(how, final.at, why, _who(final))
    by_judge = _ENDS.get(str(last.get("decision"))) is how
    why = str(last.get("why", "")) if by_judge else final.commit.trailers.get("Reason", "")
    return Ending(how, final.at, why, _who(final), _is_rejected(source, told[0].rollout))


_ENDS = {"revert": End.REVERTED, "complete": End.COMPLETED}


def _how(told: Sequence[Version]) -> End:
    first, final = told[0].rollout, told[-1]
    if final.move is Move.COMPLETE:
        return End.COMPLETED
    if final.move is Move.REVERT:
        return End.REVERTED
    if final.rollout.id != first.id or not final.rollout.canary:
        return End.SUPERSEDED
    return End.PAUSED if final.rollout.phase is Phase.PAUSED else End.CLIMBING


def _is_rejected(source: _Source, rollout: Rollout) -> bool:
    try:
        entries = source.repository.rejected()
    except InputError:
        return False
    return any(
        (one.environment, one.model, one.release)
        == (rollout.environment, rollout.model, rollout.canary)
        for one in entries
    )


def _who(version: Version) -> str:
    """Name the person behind a commit; "" for the reconciler on its own account."""
    trailers = version.commit.trailers
    asked = trailers.get("Requested-By", "")
    alone = "Rollout-Sequence" in trailers and not asked
    return "" if alone else asked or version.commit.author


def _pauses(told: Sequence[Version], end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for version in told:
        paused = version.rollout.phase is Phase.PAUSED and bool(version.rollout.canary)
        if paused and since is None:
            since = version.at
        elif not paused and since is not None:
            found.append((since, version.at))
            since = None
    return (*found, *([(since, end)] if since is not None else []))


def _through(climbs: Sequence[Climb], log: Sequence[Commit], now: datetime | None) -> datetime:
    times = [one.at for one in log[:1]]
    times += [tick.at for one in climbs[-1:] for tick in one.ticks[-1:]]
    times += [one.ending.at for one in climbs[-1:]]
    times += [now] if now else []
    return max(times, default=datetime.min.replace(tzinfo=UTC))


def _extended(climb: Climb, through: datetime) -> Climb:
    """Draw a rollout that is under way up to the newest time that is known."""
    if climb.ending.how not in OPEN or not climb.steps:
        return climb
    last = replace(climb.steps[-1], ended=through)
    pauses = climb.pauses
    if climb.ending.how is End.PAUSED and pauses:
        pauses = (*pauses[:-1], (pauses[-1][0], through))
    ending = replace(climb.ending, at=through)
    return replace(climb, steps=(*climb.steps[:-1], last), ending=ending, pauses=pauses)


def _now(source: _Source, climbs: Sequence[Climb]) -> tuple[Square, ...]:
    if climbs and climbs[-1].squares:
        return climbs[-1].squares
    both = source.kind is Kind.CLOUD and source.rollout.percent != ZERO
    return all_in(source.fleet, State.CANARY if both else State.STABLE)


def _say(objective: Objective) -> str:
    """Say in words what an objective counts as bad."""
    match objective.indicator:
        case Ratio(bad, _):
            return f"bad = {bad}"
        case Slower(bound_s, _):
            return f"bad = slower than {float(bound_s * 1000):g} ms"
        case Below(floor, _):
            return f"bad = below {float(floor):g}"
