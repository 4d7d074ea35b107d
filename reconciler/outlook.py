"""How one rollout stands: Git + metrics + now -> verdicts, decision, and what it waits for.

The outlook is a pure function of (tree, metrics, now). `status` prints it, the reconciler acts
on it; neither knows more than the other. What is kept in `Memory` is a cache and nothing else.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from generator import layout
from generator.changes import Tree
from generator.cohort import canary_sites, stratum_of
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.model.cohort import Cohort
from generator.model.environment import Environment, Kind
from generator.model.objective import weights
from generator.model.percent import Percent
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler import policy, record
from reconciler.analysis import Judge, ObjectiveVerdict, Settings
from reconciler.measure import (
    Answer,
    Assignment,
    Cut,
    History,
    Measurement,
    MetricsUnavailable,
    Sight,
    Window,
    history,
    measure,
)
from reconciler.policy import Adoption, Decision, Hold, Situation, decide
from reconciler.queries import Questions, questions
from reconciler.recording import Arm, AssignedLine, Line, ObjectivesLine, TickLine

Query = Callable[[str, datetime, datetime, timedelta], Answer]

LOOK_BACK = timedelta(minutes=30)
HISTORY_STEP = timedelta(hours=1)
MOST_PAST = 500
USUAL = 0.8


@dataclass(frozen=True, slots=True)
class Moment:
    """From this commit on the rollout was at this percentage."""

    at: datetime
    percent: Percent


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
        opening: History to freeze first, with its share of reporting sites; else None.
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
    opening: "Opening | None" = None
    sights: Mapping[str, Sight] = field(default_factory=dict)
    canary: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    used: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Opening:
    """What has to be frozen before a rollout can be judged."""

    lines: tuple[Line, ...]
    share: float
    through: datetime


@dataclass
class Memory:
    """What was read and judged before, by the blob ids it came from; may be lost at any time."""

    chains: dict[str, tuple[Mapping[str, str], record.Chain, Judge]] = field(default_factory=dict)
    clean: dict[tuple[str, str], tuple[Mapping[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Course:
    """All that stands in Git about one climbing rollout."""

    repository: Repository
    rollout: Rollout
    settings: Environment
    cohort: Cohort
    moments: tuple[Moment, ...]

    @property
    def since(self) -> datetime:
        """Give the commit time of the present step."""
        return self.moments[-1].at


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
    settings = repository.environment(environment)
    if settings.kind is Kind.CLOUD:
        why = "cloud rollouts are not judged yet: move the weights by hand, a step at a time"
        return Outlook(rollout, Hold("cloud", why, None, _by_hand(rollout)))
    line = _read_line(repository, rollout, settings)
    try:
        return _look(line, query, now, memory)
    except MetricsUnavailable as error:
        return Outlook(rollout, Hold("metrics", f"the metrics cannot be read: {error}"))


def _by_hand(rollout: Rollout) -> str:
    if rollout.step_after(rollout.percent) is not None:
        return policy.bump(rollout)
    version = f"{rollout.model}/{rollout.canary[1:].partition('-')[0]}"
    return f'tidegate promote {version} --env {rollout.environment} --baseline --reason "..."'


def _read_line(repository: Repository, rollout: Rollout, settings: Environment) -> Course:
    cohort = repository.cohort(rollout.environment, rollout.model)
    if cohort is None or cohort.rollout != rollout.id:
        path = layout.cohort(rollout.environment, rollout.model)
        raise InputError("the cohort of this rollout is missing", file=path, hint="promote again")
    return Course(repository, rollout, settings, cohort, timeline(repository.tree, rollout))


def timeline(tree: Tree, rollout: Rollout) -> tuple[Moment, ...]:
    """Read from the log when the rollout reached each percentage, oldest first."""
    path = layout.rollout(rollout.environment, rollout.model)
    found: list[Moment] = []
    for commit, data in tree.past(path, MOST_PAST):
        try:
            then = read_rollout(path, data, rollout.environment, rollout.model)
        except InputError:
            continue
        if then.id != rollout.id or not then.canary:
            break
        if found and found[-1].percent == then.percent:
            found.pop()
        found.append(Moment(commit.at, then.percent))
    if not found:
        raise InputError("no commit started this rollout", file=path)
    # Clocks of different machines: a later commit never counts as earlier than the one before.
    rising: list[Moment] = []
    for moment in reversed(found):
        at = max(moment.at, rising[-1].at) if rising else moment.at
        rising.append(Moment(at, moment.percent))
    return tuple(rising)


def _look(line: Course, query: Query, now: datetime, memory: Memory) -> Outlook:
    chain, judge = _chain(line, memory)
    asked = _questions(line)
    if not chain.entries:
        return _open(line, asked, query, now)
    start = chain.through or line.moments[0].at
    step = line.settings.interval
    look_back = max(2 * step, floor_span(LOOK_BACK, step))
    window = Window(start, max(start, floor(now, step)), step, look_back)
    measurement = measure(asked, _ask(query, asked, window), _assignment(line), window)
    lines = tuple(_merge(line, start, measurement.ticks))
    latest: dict[str, ObjectiveVerdict] = {}
    for one in lines:
        verdict = judge.feed(one)
        if verdict is not None:
            latest[verdict.objective] = verdict
    verdicts = tuple(latest.values())
    situation = Situation(
        rollout=line.rollout,
        verdicts=verdicts,
        adoption=_adoption(line, measurement, judge, chain, window, now),
        since=line.since,
        soaked=_soaked(line, measurement.ticks),
        now=now,
    )
    decision = _doubted(decide(situation), measurement)
    return Outlook(
        rollout=line.rollout,
        decision=decision,
        situation=situation,
        chain=chain,
        lines=lines,
        through=window.end,
        sights=measurement.sights,
        canary=_canary(line, line.rollout.percent),
        notes=(*measurement.warnings, *measurement.notes),
        used=judge.settings,
    )


def _doubted(decision: Decision, measurement: Measurement) -> Decision:
    # An answer that its own API doubts (partial response) moves nothing, neither way.
    if not measurement.warnings or isinstance(decision, Hold):
        return decision
    return Hold("doubted", f"the metrics API warns: {measurement.warnings[0]}")


def _chain(line: Course, memory: Memory) -> tuple[record.Chain, Judge]:
    under = layout.evidence(line.rollout.environment, line.rollout.model, line.rollout.id)
    ids = line.repository.tree.ids(under)
    kept = memory.chains.get(line.rollout.id)
    if kept is None or kept[0] != ids:
        chain = record.read_chain(line.repository.tree, line.rollout)
        judge = Judge(_settings(line, chain))
        for one in chain.lines:
            judge.feed(one)
        kept = (ids, chain, judge)
        memory.chains[line.rollout.id] = kept
    return kept[1], copy.deepcopy(kept[2])


def _settings(line: Course, chain: record.Chain) -> Settings:
    spec = line.repository.model(line.rollout.model)
    return Settings(
        margins={one.name: one.margin for one in spec.objectives},
        negligible={one.name: one.negligible for one in spec.objectives},
        min_sites=line.rollout.min_sites,
        reporting_share=chain.share,
    )


def _questions(line: Course) -> Questions:
    rollout = line.rollout
    spec = line.repository.model(rollout.model)
    return questions(rollout.model, (rollout.stable, rollout.canary), spec.objectives)


def _ask(query: Query, asked: Questions, window: Window) -> Mapping[str, Answer]:
    return {text: query(text, window.fetched_from, window.end, window.step) for text in asked.texts}


def _open(line: Course, asked: Questions, query: Query, now: datetime) -> Outlook:
    """Find out what the sites did before the rollout; nothing can be judged before that."""
    started = line.moments[0].at
    step = line.settings.interval * max(1, HISTORY_STEP // line.settings.interval)
    end = floor(started, step)
    window = Window(end - floor_span(line.settings.history, step), end, step)
    found = history(asked, _ask(query, asked, window), _assignment(line), window)
    doubt = _doubt(found)
    if doubt is None and not any(found.reporting.values()):
        doubt = _silence(line, asked, query, now)
    if doubt is not None:
        return Outlook(line.rollout, doubt, notes=(*found.warnings, *found.notes))
    spec = line.repository.model(line.rollout.model)
    share = sum(found.reporting.values()) / max(1, len(found.reporting))
    lines: tuple[Line, ...] = (
        ObjectivesLine(line.rollout.id, weights(spec.objectives)),
        *(one for one in found.lines if one.sites),
    )
    opening = Opening(lines, share, floor(started, line.settings.interval))
    return Outlook(line.rollout, opening=opening, notes=found.notes)


def _doubt(found: History) -> Hold | None:
    if found.warnings:
        return Hold("doubted", f"the metrics API warns: {found.warnings[0]}")
    return None


def _silence(line: Course, asked: Questions, query: Query, now: datetime) -> Hold | None:
    """Tell a fleet that is new from metrics that are not there: the new one reports now."""
    step = line.settings.interval
    end = floor(now, step)
    window = Window(end - step, end, step)
    seen = measure(asked, _ask(query, asked, window), _assignment(line), window).sights
    if any(sight.last_seen for sight in seen.values()):
        return None
    why = "no site has reported anything, neither before the rollout nor now"
    return Hold("no-history", why, line.since + line.rollout.deadline)


def _assignment(line: Course) -> Assignment:
    strata = line.settings.strata
    sites = line.repository.sites(line.rollout.environment)
    cuts = tuple(Cut(one.at, _canary(line, one.percent)) for one in line.moments)
    return Assignment(
        rollout=line.rollout.id,
        stable=line.rollout.stable,
        canary=line.rollout.canary,
        sites={site.id: stratum_of(site, strata) for site in sites},
        cuts=cuts,
    )


def _canary(line: Course, percent: Percent) -> frozenset[str]:
    present = (site.id for site in line.repository.sites(line.rollout.environment))
    return canary_sites(at_percent(line.rollout, percent), line.cohort, present)


def at_percent(rollout: Rollout, percent: Percent) -> Rollout:
    """Give the rollout as it would be at another percentage."""
    return replace(rollout, percent=percent)


def _merge(line: Course, start: datetime, ticks: Iterable[TickLine]) -> Iterable[Line]:
    assignment = _assignment(line)
    waiting = [cut for cut in assignment.cuts if cut.since >= start]
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


def _soaked(line: Course, ticks: Iterable[TickLine]) -> timedelta:
    spec = line.repository.model(line.rollout.model)
    counted: dict[datetime, int] = {}
    for tick in ticks:
        if tick.at > line.since and any(events for events, _ in tick.canary.values()):
            counted[tick.at] = counted.get(tick.at, 0) + 1
    whole = sum(number == len(spec.objectives) for number in counted.values())
    return whole * line.settings.interval


def _adoption(
    line: Course,
    measurement: Measurement,
    judge: Judge,
    chain: record.Chain,
    window: Window,
    now: datetime,
) -> Adoption:
    rollout, sights = line.rollout, measurement.sights
    canary = _canary(line, rollout.percent)
    fresh = {site for site, sight in sights.items() if sight.last_seen == window.end}
    serving = {site for site in canary & fresh if sights[site].serving == rollout.canary}
    served = judge.served | {site for site, sight in sights.items() if sight.served}
    due = _due(line, sights, now)
    late = due - served
    others = set(sights) - late
    share = chain.share[1] if chain.share else 1.0
    return Adoption(
        canary=len(canary),
        serving=len(serving),
        reachable=len(canary & fresh),
        late=len(late),
        due=len(due),
        stable_fresh=len(others & fresh) >= USUAL * share * len(others) > 0,
    )


def _due(line: Course, sights: Mapping[str, Sight], now: datetime) -> set[str]:
    """Find the canary sites that had their time to start and were there when it began."""
    found: set[str] = set()
    before: frozenset[str] = frozenset()
    for moment in line.moments:
        canary = _canary(line, moment.percent)
        found &= canary
        if now - moment.at > line.settings.adopt_within:
            since = moment.at - 2 * line.settings.interval
            joined = canary - before
            found |= {s for s in joined if (seen := sights[s].last_seen) and seen >= since}
        before = canary
    return found


def floor(at: datetime, step: timedelta) -> datetime:
    """Give the newest UTC multiple of `step` at or before a time."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def floor_span(span: timedelta, step: timedelta) -> timedelta:
    """Give the longest multiple of `step` within a span, at least one."""
    return max(1, span // step) * step
