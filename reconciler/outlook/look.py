"""One look at one rollout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from generator import layout
from generator.model.rollout import Rollout
from generator.repository import Repository
from generator.windows import Zones, denied, utc_only
from reconciler import record
from reconciler.analysis import Judge, Settings
from reconciler.basis import pace, soaked
from reconciler.measure import MetricsUnavailable, Sight, Window
from reconciler.outlook.adoption import adoption
from reconciler.outlook.course import Course, check_names, read_course
from reconciler.outlook.opening import Opening, Query, read_opening
from reconciler.outlook.reading import Kept, Reading, read, window_of
from reconciler.policy import (
    Advance,
    Decision,
    Escalate,
    Hold,
    Revert,
    Situation,
    decide,
)
from reconciler.recording import Line
from reconciler.waits import explain, unmeasured


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
    """What was read and judged before, by the blob ids it came from; may be lost at any time.

    And what no commit says: the rules of time zones.
    """

    zones: Zones = utc_only
    chains: dict[str, _Kept] = field(default_factory=dict)
    clean: dict[tuple[str, str], tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    readings: dict[str, Kept] = field(default_factory=dict)


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
    found = _found(outlook, course, judge, query, now, memory)
    if found.decision is None:
        return found
    told = explain(found.decision, rollout, found.since, found.situation)
    return replace(found, decision=told)


def _found(
    outlook: Outlook, course: Course, judge: Judge, query: Query, now: datetime, memory: Memory
) -> Outlook:
    try:
        if not course.chain.entries:
            return _open(outlook, course, query, now)
        return _look(outlook, course, judge, query, now, memory)
    except MetricsUnavailable as error:
        why = f"the metrics cannot be read: {error}"
        waits = unmeasured("metrics", why, course.rollout, course.since, now)
        return replace(outlook, decision=waits)


def _hear(repository: Repository, rollout: Rollout, memory: Memory) -> tuple[record.Chain, Judge]:
    """Give the evidence in Git, and a judge that has heard it, to be copied."""
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
    return chain, kept.judge


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
    if isinstance(found, Hold | Escalate):
        return replace(outlook, decision=found)
    return replace(outlook, opening=found, notes=found.notes)


def _look(
    outlook: Outlook, course: Course, judge: Judge, query: Query, now: datetime, memory: Memory
) -> Outlook:
    window, name = window_of(course, now), course.rollout.id
    kept = memory.readings.get(name)
    found = read(course, judge, query, window, kept)
    situation = _situation(course, found.newest, window, now, memory)
    decision = decide(situation)
    if isinstance(decision, Advance | Revert) and not found.newest.is_whole:
        found = read(course, judge, query, window, None)
        situation = _situation(course, found.newest, window, now, memory)
        decision = decide(situation)
    newest = found.newest
    memory.readings[name] = replace(found, newest=newest.lighter())
    return replace(
        outlook,
        decision=_doubted(situation, decision, newest.warnings),
        situation=situation,
        lines=tuple(newest.lines),
        through=window.end,
        sights=newest.sights,
        notes=(*newest.warnings, *newest.notes),
        used=judge.settings,
    )


def _situation(
    course: Course, found: Reading, window: Window, now: datetime, memory: Memory
) -> Situation:
    objectives = len(course.asked.counts)
    return Situation(
        rollout=course.rollout,
        verdicts=tuple({one.objective: one for _, one in found.heard if one}.values()),
        adoption=adoption(course, found.sights, found.judge.served, window, now),
        since=course.since,
        soaked=soaked(found.heard, course.since, course.settings.interval, objectives),
        now=now,
        pace=pace(found.heard),
        denied=denied(course.settings.deny_windows, now, memory.zones),
    )


def _doubted(situation: Situation, decision: Decision, warnings: Sequence[str]) -> Decision:
    # An answer that its own API doubts (partial response) moves nothing, neither way.
    if not warnings or isinstance(decision, Hold):
        return decision
    why = f"the metrics API warns: {warnings[0]}"
    return unmeasured("doubted", why, situation.rollout, situation.since, situation.now)
