"""Git and its evidence to one story; no metrics, no cluster, no clock."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from generator.model.environment import Kind
from generator.model.objective import Below, Objective, Ratio, Slower
from generator.model.percent import ZERO
from generator.model.rollout import Advance
from generator.repository import Repository
from tidegate.pages.chronicle import commits
from tidegate.pages.climbs import Line, climb, read_line
from tidegate.pages.cohorts import all_in
from tidegate.pages.story import Climb, Commit, End, Square, State, Story

MOST_CLIMBS = 12


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
    line = read_line(repository, environment, model)
    names = line.names()
    told = [climb(line, name, is_newest=name == names[-1]) for name in names[-most:]]
    log = commits(repository.tree, environment, model, line.versions)
    through = _through(told, log, now)
    climbs = tuple(_extended(one, through) for one in told)
    rollout = line.rollout
    return Story(
        environment=environment,
        model=model,
        kind=line.kind,
        phase=rollout.phase,
        stable=rollout.stable,
        canary=rollout.canary,
        percent=rollout.percent,
        head=repository.tree.commit,
        through=through,
        commits=log,
        climbs=climbs,
        earlier=max(0, len(names) - most),
        squares=_squares_now(line, climbs),
        objectives={one.name: _say(one) for one in line.objectives},
        advance=rollout.advance if line.kind is Kind.EDGE else Advance.MANUAL,
        next_step=rollout.step_after(rollout.percent),
    )


def _through(climbs: Sequence[Climb], log: Sequence[Commit], now: datetime | None) -> datetime:
    times = [one.at for one in log[:1]]
    times += [tick.at for one in climbs[-1:] for tick in one.ticks[-1:]]
    times += [one.ending.at for one in climbs[-1:]]
    times += [now] if now else []
    return max(times)


def _extended(one: Climb, through: datetime) -> Climb:
    """Draw a rollout that is under way up to the newest time that is known."""
    if one.ending.how not in (End.CLIMBING, End.PAUSED):
        return one
    last = replace(one.steps[-1], ended=through)
    pauses = one.pauses
    if one.ending.how is End.PAUSED and pauses:
        pauses = (*pauses[:-1], (pauses[-1][0], through))
    ending = replace(one.ending, at=through)
    return replace(one, steps=(*one.steps[:-1], last), ending=ending, pauses=pauses)


def _squares_now(line: Line, climbs: Sequence[Climb]) -> tuple[Square, ...]:
    if climbs and climbs[-1].squares:
        return climbs[-1].squares
    has_both = line.kind is Kind.CLOUD and line.rollout.percent != ZERO
    return all_in(line.fleet, State.CANARY if has_both else State.STABLE)


def _say(objective: Objective) -> str:
    """Say in words what an objective counts as bad."""
    match objective.indicator:
        case Ratio(bad, _):
            return f"bad = {bad}"
        case Slower(bound_s, _):
            return f"bad = slower than {float(bound_s * 1000):g} ms"
        case Below(floor, _):
            return f"bad = below {float(floor):g}"
