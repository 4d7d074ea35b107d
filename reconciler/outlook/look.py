"""One look at one rollout."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from generator import layout
from generator.model.environment import Kind
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler import policy, record
from reconciler.analysis import Judge, Settings
from reconciler.basis import soaked
from reconciler.measure import (
    Assignment,
    Cut,
    Measurement,
    MetricsUnavailable,
    Sight,
    Window,
    measure,
)
from reconciler.outlook.adoption import adoption
from reconciler.outlook.course import Course, ceil, check_names, floor, floor_span, read_course
from reconciler.outlook.opening import Opening, Query, ask, read_opening
from reconciler.policy import Decision, Hold, Situation, decide
from reconciler.recording import Arm, AssignedLine, Line, TickLine

LOOK_BACK = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How one rollout stands now.

    Attributes:
        rollout: What Git says.
        decision: What follows; None when nothing climbs.
        situation: What it was decided on; None when it could not be looked at.
        chain: The evidence that stands in Git.
        lines: The recording since then.
        through: The newest tick judged.
        opening: History to freeze first; else None.
        since: When the present step was taken, or seen; None when nothing climbs.
        unseen: Commit of the present step while Git does not say that it was seen; else "".
        sights: What every site showed of itself.
        canary: Sites that should run the canary.
        notes: Doubts about the metrics, in words.
        used: The settings of the judge.
    """

    rollout: Rollout
    decision: Decision | None = None
    situation: Situation | None = None
    chain: record.Chain = field(default_factory=record.Chain)
    lines: tuple[Line, ...] = ()
    through: datetime | None = None
    opening: Opening | None = None
    since: datetime | None = None
    unseen: str = ""
    sights: Mapping[str, Sight] = field(default_factory=dict)
    canary: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    used: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A judge that has heard a chain, with what both came from."""

    ids: Mapping[str, str]
    settings: Settings
    chain: record.Chain
    judge: Judge


@dataclass
class Memory:
    """What was read and judged before, by the blob ids it came from; may be lost at any time."""

    chains: dict[str, _Kept] = field(default_factory=dict)
    clean: dict[tuple[str, str], tuple[Mapping[str, str], ...]] = field(default_factory=dict)


def look(
    repository: Repository,
    environment: str,
    model: str,
    query: Query,
    now: datetime,
    memory: Memory,
) -> Outlook:
    """Judge one rollout as of now; writes nothing.

    Raises:
        InputError: Something in Git is invalid.
    """
    rollout = repository.rollout(environment, model)
    if not rollout.is_climbing:
        return Outlook(rollout)
    if repository.environment(environment).kind is Kind.CLOUD:
        why = "cloud rollouts are not judged yet: move the weights by hand, a step at a time"
        return Outlook(rollout, Hold("cloud", why, None, _by_hand(rollout)))
    check_names(rollout)
    chain, judge = _hear(repository, rollout, memory)
    course = read_course(repository, rollout, chain, now)
    outlook = Outlook(
        rollout,
        chain=chain,
        since=course.since,
        unseen=course.unseen,
        canary=course.canary(rollout.percent),
    )
    try:
        if not chain.entries:
            return _open(outlook, course, query, now)
        return _look(outlook, course, judge, query, now)
    except MetricsUnavailable as error:
        return replace(outlook, decision=Hold("metrics", f"the metrics cannot be read: {error}"))


def _by_hand(rollout: Rollout) -> str:
    if rollout.step_after(rollout.percent) is not None:
        return policy.bump(rollout)
    version = f"{rollout.model}/{rollout.canary[1:].partition('-')[0]}"
    return f'tidegate promote {version} --env {rollout.environment} --baseline --reason "..."'


def _hear(repository: Repository, rollout: Rollout, memory: Memory) -> tuple[record.Chain, Judge]:
    """Give the evidence in Git, and a judge of one's own that has heard it."""
    tree = repository.tree
    ids = tree.ids(layout.evidence(rollout.environment, rollout.model, rollout.id))
    kept = memory.chains.get(rollout.id)
    chain = kept.chain if kept and kept.ids == ids else _read_chain(repository, rollout)
    settings = settings_for(repository, rollout, chain)
    if kept is None or kept.chain is not chain or kept.settings != settings:
        judge = Judge(settings)
        for one in chain.lines:
            judge.feed(one)
        kept = _Kept(ids, settings, chain, judge)
        memory.chains[rollout.id] = kept
    return chain, copy.deepcopy(kept.judge)


def _read_chain(repository: Repository, rollout: Rollout) -> record.Chain:
    chain = record.read_chain(repository.tree, rollout)
    record.check_newest(repository.tree, chain)
    return chain


def settings_for(repository: Repository, rollout: Rollout, chain: record.Chain) -> Settings:
    """Give the settings of the judge: what Git says now, and how the rollout began."""
    spec = repository.model(rollout.model)
    return Settings(
        margins={one.name: one.margin for one in spec.objectives},
        negligible={one.name: one.negligible for one in spec.objectives},
        min_sites=rollout.min_sites,
        reporting_share=chain.share,
        budgets={one.name: one.budget for one in spec.objectives},
    )


def _open(outlook: Outlook, course: Course, query: Query, now: datetime) -> Outlook:
    found = read_opening(course, query, now)
    if isinstance(found, Hold):
        return replace(outlook, decision=found)
    return replace(outlook, opening=found, notes=found.notes)


def _look(outlook: Outlook, course: Course, judge: Judge, query: Query, now: datetime) -> Outlook:
    window = _window(course, now)
    assignment = course.assignment
    measurement = measure(course.asked, ask(query, course.asked, window), assignment, window)
    lines = tuple(_merge(course, assignment, window.start, measurement.ticks))
    heard = [(one, judge.feed(one)) for one in lines]
    situation = Situation(
        rollout=course.rollout,
        verdicts=tuple({one.objective: one for _, one in heard if one}.values()),
        adoption=adoption(course, measurement.sights, judge.served, window, now),
        since=course.since,
        soaked=soaked(heard, course.since, course.settings.interval, len(course.asked.counts)),
        now=now,
    )
    return replace(
        outlook,
        decision=_doubted(decide(situation), measurement),
        situation=situation,
        lines=lines,
        through=window.end,
        sights=measurement.sights,
        notes=(*measurement.warnings, *measurement.notes),
        used=judge.settings,
    )


def _window(course: Course, now: datetime) -> Window:
    step = course.settings.interval
    # A person may have changed the interval meanwhile.
    start = ceil(course.chain.through or course.moments[0].at, step)
    look_back = max(2 * step, floor_span(LOOK_BACK, step))
    return Window(start, max(start, floor(now, step)), step, look_back)


def _doubted(decision: Decision, measurement: Measurement) -> Decision:
    # An answer that its own API doubts (partial response) moves nothing, neither way.
    if not measurement.warnings or isinstance(decision, Hold):
        return decision
    return Hold("doubted", f"the metrics API warns: {measurement.warnings[0]}")


def _merge(
    course: Course, assignment: Assignment, start: datetime, ticks: Iterable[TickLine]
) -> Iterator[Line]:
    """Put the assignments between the ticks; each holds from the first tick at or after it."""
    is_told = any(isinstance(one, AssignedLine) for one in course.chain.lines)
    earlier = [cut for cut in assignment.cuts if cut.since < start]
    waiting = [*([] if is_told else earlier[-1:]), *assignment.cuts[len(earlier) :]]
    for tick in ticks:
        while waiting and waiting[0].since <= tick.at:
            yield _assigned(assignment, waiting.pop(0))
        yield tick


def _assigned(assignment: Assignment, cut: Cut) -> AssignedLine:
    arms: dict[str, tuple[Arm, str]] = {
        site: ("canary" if site in cut.canary else "stable", stratum)
        for site, stratum in assignment.sites.items()
    }
    return AssignedLine(assignment.rollout, cut.since, arms)
