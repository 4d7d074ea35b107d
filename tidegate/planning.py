"""A rollout before it is one: steps, sites, time, and what the judge could see of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from generator import layout
from generator.changes import Tree
from generator.cohort import canary_sites, draw, stratum_of
from generator.errors import InputError
from generator.model.cohort import Cohort
from generator.model.config import ModelSpec
from generator.model.environment import Environment, Kind
from generator.model.objective import weights
from generator.model.percent import Percent
from generator.model.rollout import Rollout
from generator.model.spans import say_span
from generator.repository import Repository
from reconciler.analysis import Settings
from reconciler.forecast import Course, Find, Rate, Stage, find, stages
from reconciler.measure import Assignment, MetricsUnavailable, Window, history
from reconciler.outlook import Query
from reconciler.outlook.course import floor, floor_span
from reconciler.outlook.look import settings_for
from reconciler.outlook.opening import HISTORY_STEP, ask
from reconciler.queries import questions
from reconciler.record import Chain, read_chain
from reconciler.recording import HistoryLine, Line
from reconciler.replay import rollouts

WORSE = (1.5, 2.0, 5.0)
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """One step: who is on the canary, and who joins with it.

    Attributes:
        percent: Of the sites.
        sites: On the canary.
        joins: Of those, the ones that join with this step.
        strata: Stratum to how many of its sites are on the canary, and how many it has.
        soak: Least time.
    """

    percent: Percent
    sites: frozenset[str]
    joins: frozenset[str]
    strata: Mapping[str, tuple[int, int]]
    soak: timedelta


@dataclass(frozen=True, slots=True)
class Basis:
    """Where the rates come from.

    Attributes:
        rates: By objective; empty where nobody knows.
        source: In words.
        hours: Length of the history that they are from.
    """

    rates: Mapping[str, Rate]
    source: str
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen.

    Attributes:
        rollout: As it stands, or as a promotion would make it.
        stands: Whether this very rollout has begun.
        total: Sites of the environment.
        steps: In order.
        excluded: Site to why it takes no part before the last step.
        basis: Where the rates come from.
        stages: What the steps come to; empty without rates.
        finds: When worse releases are taken back; empty without rates.
        delivery: Kind of the environment.
    """

    rollout: Rollout
    stands: bool
    total: int
    steps: tuple[Step, ...]
    excluded: Mapping[str, str]
    basis: Basis
    stages: tuple[Stage, ...]
    finds: tuple[Find, ...]
    kind: Kind

    @property
    def lasts(self) -> timedelta | None:
        """Give the time until it is complete; None where a step waits for ever."""
        if not self.stages:
            return sum((step.soak for step in self.steps), timedelta(0))
        known = [stage.lasts for stage in self.stages if stage.lasts is not None]
        return sum(known, timedelta(0)) if len(known) == len(self.steps) else None


def plan(
    repository: Repository,
    environment: str,
    model: str,
    query: Query,
    now: datetime,
    *,
    per_hour: float | None = None,
    spread: float = SPREAD,
) -> Plan:
    """Say what a rollout will do, step by step; writes nothing.

    Args:
        repository: What stands in Git.
        environment: Where.
        model: Which.
        query: The metrics; may raise MetricsUnavailable.
        now: UTC.
        per_hour: Predictions of each site in an hour; None asks the metrics, then Git.
        spread: How far sites are from their own history, 0..1.

    Raises:
        InputError: There is no such rollout file, or there are no sites.
    """
    settings, spec = repository.environment(environment), repository.model(model)
    rollout, cohort, strata = _draw(repository, environment, model)
    stands = repository.rollout(environment, model).is_climbing
    steps = tuple(_steps(rollout, cohort, strata, settings))
    basis = _basis(repository, rollout, spec, query, now, per_hour)
    judged = settings_for(repository, rollout, Chain())
    walked, finds = _forecast(rollout, spec, settings, steps, strata, basis, judged, spread)
    return Plan(
        rollout=rollout,
        stands=stands,
        total=len(strata),
        steps=steps,
        excluded=_excluded(cohort, strata),
        basis=basis,
        stages=walked,
        finds=finds,
        kind=settings.kind,
    )


def outline(repository: Repository, environment: str, model: str) -> str:
    """Say on one line what the next promotion or the rollout that stands will do.

    Raises:
        InputError: As `plan` does.
    """
    rollout, cohort, strata = _draw(repository, environment, model)
    settings = repository.environment(environment)
    steps = tuple(_steps(rollout, cohort, strata, settings))
    noun = "clusters" if settings.kind is Kind.CLOUD else "sites"
    climb = ", ".join(f"{step.percent}% {len(step.sites)}" for step in steps)
    least = sum((step.soak for step in steps), timedelta(0))
    words = f"tidegate plan {model} --env {environment}"
    return f"steps: {climb} {noun}; at least {say_span(least)}; {words} says more"


def _draw(
    repository: Repository, environment: str, model: str
) -> tuple[Rollout, Cohort, Mapping[str, str]]:
    """Give the rollout that stands, or the next one, its draw, and the stratum of every site."""
    rollout, settings = repository.rollout(environment, model), repository.environment(environment)
    sites = repository.sites(environment)
    if not sites:
        raise InputError(f"{environment} has no sites", hint="tidegate site import FILE.csv")
    strata = {site.id: stratum_of(site, settings.strata) for site in sites}
    cohort = repository.cohort(environment, model) if rollout.is_climbing else None
    if cohort is None:
        # Who exactly follows from the id of the rollout; how many of each stratum hardly does.
        rollout = replace(rollout, canary=rollout.canary or "v0-00000000")
        cohort = draw(f"{environment}-{model}-next", sites, settings.strata)
    return rollout, cohort, strata


def _steps(
    rollout: Rollout, cohort: Cohort, strata: Mapping[str, str], settings: Environment
) -> Iterator[Step]:
    sizes = Counter(strata.values())
    before: frozenset[str] = frozenset()
    for percent in rollout.steps:
        then = replace(rollout, percent=percent)
        chosen = canary_sites(then, cohort, strata)
        chosen = frozenset(strata) if settings.kind is Kind.CLOUD else chosen
        mine = Counter(strata[site] for site in chosen)
        counts = {name: (mine[name], sizes[name]) for name in sorted(sizes)}
        yield Step(percent, chosen, chosen - before, counts, rollout.soak_at(percent))
        before = chosen


def _excluded(cohort: Cohort, strata: Mapping[str, str]) -> Mapping[str, str]:
    found = {one.id: one.why for one in cohort.excluded}
    known = {one.id for one in cohort.members} | found.keys()
    late = sorted(strata.keys() - known)
    return found | dict.fromkeys(late, "joined after the draw: enters with the last step")


# ------------------------------------------------------------------ rates


def _basis(
    repository: Repository,
    rollout: Rollout,
    spec: ModelSpec,
    query: Query,
    now: datetime,
    per_hour: float | None,
) -> Basis:
    settings = repository.environment(rollout.environment)
    sites = repository.sites(rollout.environment)
    if per_hour is not None:
        events = {site.id: per_hour for site in sites}
        rates = {
            one.name: Rate(events, dict.fromkeys(events, float(100 - one.target) / 100))
            for one in spec.objectives
        }
        return Basis(rates, f"--rate {per_hour:g}, and as many bad as each target allows")
    hours = settings.history / timedelta(hours=1)
    found: Sequence[Line]
    try:
        found = _from_metrics(repository, rollout, spec, query, now)
        source = f"the metrics of the last {hours:g} h"
    except (MetricsUnavailable, InputError) as error:
        found, name = _from_git(repository.tree, rollout)
        source = f"the evidence of {name}, since {str(error).splitlines()[0]}" if name else ""
    measured = _rates(found, hours)
    if len(measured) < len(spec.objectives):
        return Basis({}, "unknown: name the predictions of a site and hour with --rate")
    return Basis(measured, source, hours)


def _from_metrics(
    repository: Repository, rollout: Rollout, spec: ModelSpec, query: Query, now: datetime
) -> Sequence[HistoryLine]:
    environment, model = rollout.environment, rollout.model
    if not rollout.stable:
        return ()
    settings = repository.environment(environment)
    asked = questions(environment, model, (rollout.stable,), spec.objectives)
    step = settings.interval * max(1, HISTORY_STEP // settings.interval)
    end = floor(now, step)
    window = Window(end - floor_span(settings.history, step), end, step)
    sites = {site.id: "" for site in repository.sites(environment)}
    who = Assignment("plan", rollout.stable, "", sites)
    found = history(asked, ask(query, asked, window), who, window)
    return [one for one in found.lines if any(events for events, _ in one.sites.values())]


def _from_git(tree: Tree, rollout: Rollout) -> tuple[Sequence[Line], str]:
    """Take the newest history that stands in Git for this model in this environment."""
    under = f"{layout.EVIDENCE}/{rollout.environment}/{rollout.model}/"
    mine = [name for name, (_, paths) in rollouts(tree).items() if paths[0].startswith(under)]
    mine.sort(key=lambda name: int(name.rpartition("-")[2]))
    for name in reversed(mine):
        try:
            chain = read_chain(tree, replace(rollout, id=name))
        except InputError:
            continue
        if chain.pieces:
            return chain.pieces[0], name
    return (), ""


def _rates(lines: Sequence[Line], hours: float) -> Mapping[str, Rate]:
    found: dict[str, Rate] = {}
    for line in lines:
        if isinstance(line, HistoryLine) and line.objective:
            counts = {site: pair for site, pair in line.sites.items() if pair[0]}
            events = {site: events / hours for site, (events, _) in counts.items()}
            bad = {site: bad / events for site, (events, bad) in counts.items()}
            found[line.objective] = Rate(events, bad)
    return found


def _forecast(
    rollout: Rollout,
    spec: ModelSpec,
    settings: Environment,
    steps: Sequence[Step],
    strata: Mapping[str, str],
    basis: Basis,
    judged: Settings,
    spread: float,
) -> tuple[tuple[Stage, ...], tuple[Find, ...]]:
    if not basis.rates:
        return (), ()
    course = Course(
        rollout=rollout,
        sites=tuple(sorted(strata.items())),
        canary={step.percent: step.sites for step in steps},
        rates=basis.rates,
        settings=judged,
        weights=weights(spec.objectives),
        interval=settings.interval,
        hours=basis.hours,
        spread=spread,
        is_split=settings.kind is Kind.CLOUD,
    )
    walked = stages(course)
    names = [one.name for one in spec.objectives]
    return walked, tuple(find(course, name, times, walked) for name in names for times in WORSE)


def data(found: Plan) -> Mapping[str, Any]:
    """Give a plan as data."""
    walked: Sequence[Stage | None] = (*found.stages, *[None] * len(found.steps))
    return {
        "environment": found.rollout.environment,
        "model": found.rollout.model,
        "stands": found.stands,
        "rollout": found.rollout.id if found.stands else None,
        "sites": found.total,
        "rates": found.basis.source,
        "seconds": None if found.lasts is None else int(found.lasts.total_seconds()),
        "excluded": dict(found.excluded),
        "steps": [
            {
                "percent": str(step.percent),
                "sites": len(step.sites),
                "joins": len(step.joins),
                "strata": {name: list(pair) for name, pair in step.strata.items()},
                "soakSeconds": int(step.soak.total_seconds()),
                "seconds": _seconds(stage.lasts) if stage else None,
                "predictions": stage.predictions if stage else None,
                "detectable": dict(stage.detectable) if stage else None,
                "waitsFor": stage.waits_for or None if stage else None,
            }
            for step, stage in zip(found.steps, walked, strict=False)
        ],
        "finds": [
            {
                "objective": one.objective,
                "times": one.times,
                "seconds": _seconds(one.after),
                "predictions": one.predictions,
                "percent": str(one.percent),
            }
            for one in found.finds
        ],
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
