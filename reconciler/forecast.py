"""What a rollout will cost and could find, told before it: judge and policy on made-up ticks.

There is no second formula here. A fleet that behaves as its history says goes through the steps;
its counts go to a fresh judge, the verdicts to the policy, and these say how long a step takes,
what could be seen by its end, and when a release that is so many times worse would be taken back.
Sites differ from their history by `spread`, up and down by turns in both arms, so nothing here is
by chance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from generator.model.percent import WHOLE, Percent
from generator.model.rollout import Advance as AdvanceMode
from generator.model.rollout import Phase, Rollout
from reconciler.analysis import Judge, ObjectiveVerdict, Settings
from reconciler.policy import Adoption, Advance, Decision, Revert, Situation, decide
from reconciler.recording import Arm, AssignedLine, HistoryLine, ObjectivesLine, TickLine

LOOKS = 24  # at a step; the reconciler looks at every interval and finds things a little sooner
HOUR = timedelta(hours=1)
START = datetime(2000, 1, 1, tzinfo=UTC)
NAME = "plan"
GOLDEN = 0.618034  # puts each site at another place between two whole counts


@dataclass(frozen=True, slots=True)
class Rate:
    """What one objective counts at each site that it counts at.

    Attributes:
        events: Site to events per hour.
        bad: Site to the share of them that is bad, 0..1.
    """

    events: Mapping[str, float]
    bad: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Course:
    """A rollout that has not been.

    Attributes:
        rollout: Steps, soak and deadline.
        sites: Site and stratum.
        canary: Who runs the canary at each step.
        rates: By objective.
        settings: Of the judge.
        weights: Shares of alpha, by objective.
        interval: Between ticks.
        hours: Length of the history.
        spread: How far sites are from their history, 0..1; where traffic is split, how far the
            canary's odds stray from hour to hour.
        is_split: Each site serves both releases, in shares of its traffic.
    """

    rollout: Rollout
    sites: tuple[tuple[str, str], ...]
    canary: Mapping[Percent, frozenset[str]]
    rates: Mapping[str, Rate]
    settings: Settings
    weights: Mapping[str, float]
    interval: timedelta
    hours: float
    spread: float
    is_split: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """What a step will come to.

    Attributes:
        percent: Of the step.
        lasts: Until the next step; None where the deadline comes first.
        predictions: Served by the canary until its end, since the promotion.
        detectable: Per objective the smallest "times worse" that is proven by its end, if any.
        waits_for: What it waits for longer than its soak, or "".
    """

    percent: Percent
    lasts: timedelta | None
    predictions: int
    detectable: Mapping[str, float | None]
    waits_for: str


@dataclass(frozen=True, slots=True)
class Find:
    """When a release that is worse from the start is taken back.

    Attributes:
        objective: In which it is worse.
        times: How much.
        after: Since the promotion; None when it passes every step.
        predictions: Served by the canary until then.
        percent: Where it stands then.
    """

    objective: str
    times: float
    after: timedelta | None
    predictions: int
    percent: Percent


def stages(course: Course) -> tuple[Stage, ...]:
    """Go through the steps with a release that is as good as stable."""
    walk, found = _Walk(course, "", 1.0), list[Stage]()
    for percent in course.rollout.steps:
        lasts, waits = None, ""
        for spent, decision in walk.looks(percent):
            if isinstance(decision, Advance):
                lasts = spent
                break
            if spent >= course.rollout.soak_at(percent) and not waits:
                waits = getattr(decision, "why", "")
        numbers = {one.objective: one.detectable_ratio for one in walk.verdicts}
        found.append(Stage(percent, lasts, walk.predictions, numbers, waits))
        if lasts is None:
            break
    return tuple(found)


def find(course: Course, objective: str, times: float, good: tuple[Stage, ...]) -> Find:
    """Go through them with one that is so many times worse in one objective.

    Args:
        course: The rollout.
        objective: One of its objectives.
        times: How much worse, from the promotion on.
        good: How it goes with a good release: no step lasts longer.
    """
    walk = _Walk(course, objective, times)
    for stage in good:
        longest = stage.lasts or course.rollout.deadline
        for spent, decision in walk.looks(stage.percent):
            if isinstance(decision, Revert):
                after = walk.at - START
                return Find(objective, times, after, walk.predictions, stage.percent)
            if spent >= longest:
                break
    return Find(objective, times, None, walk.predictions, good[-1].percent)


class _Walk:
    """One way through the steps; mutable."""

    def __init__(self, course: Course, objective: str, times: float) -> None:
        self.at = START
        self.predictions = 0
        self.verdicts: tuple[ObjectiveVerdict, ...] = ()
        self._course, self._objective, self._times = course, objective, times
        self._share = 0.0
        self._judge = _judge(course)

    def looks(self, percent: Percent) -> Iterator[tuple[timedelta, Decision]]:
        """Give the time at a step and the decision, look after look, until the deadline."""
        course, began = self._course, self.at
        canary, soak = course.canary[percent], course.rollout.soak_at(percent)
        self._share = percent.basis_points / WHOLE
        spacing = course.interval * max(1, round(soak / course.interval / LOOKS))
        arms: dict[str, tuple[Arm, str]] = {
            site: ("both" if course.is_split else "canary" if site in canary else "stable", stratum)
            for site, stratum in course.sites
        }
        self._judge.feed(AssignedLine(NAME, self.at, arms))
        while self.at - began < course.rollout.deadline:
            self._serve(canary, spacing)
            yield self.at - began, self._decide(percent, began)

    def _serve(self, canary: frozenset[str], spacing: timedelta) -> None:
        hours = (self.at - START) / HOUR, (self.at + spacing - START) / HOUR
        self.at += spacing
        heard, most = list[ObjectiveVerdict](), 0
        for name in self._course.rates:
            line = self._tick(name, canary, hours)
            most = max(most, sum(events for events, _ in line.canary.values()))
            verdict = self._judge.feed(line)
            heard += [verdict] if verdict else []
        self.predictions += most
        self.verdicts = tuple(heard)

    def _tick(self, name: str, canary: frozenset[str], hours: tuple[float, float]) -> TickLine:
        course, rate = self._course, self._course.rates[name]
        arms: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]] = ({}, {})
        worse = self._times if name == self._objective else 1.0
        for place, (site, _) in enumerate(course.sites):
            if site not in rate.events:
                continue
            events, bad = rate.events[site], rate.bad[site]
            if course.is_split:
                astray = 1 + course.spread * (1 if int(hours[1]) % 2 else -1)
                counts = _counts(events * self._share, bad * worse * astray, hours, place)
                arms[0][f"{site}/canary"] = counts
                arms[1][f"{site}/stable"] = _counts(events * (1 - self._share), bad, hours, place)
                continue
            is_canary, astray = site in canary, 1 + course.spread * (1 if place % 2 else -1)
            share = bad * (worse if is_canary else 1.0) * astray
            arms[not is_canary][site] = _counts(events, share, hours, place)
        return TickLine(NAME, name, self.at, *arms)

    def _decide(self, percent: Percent, began: datetime) -> Decision:
        then = replace(
            self._course.rollout,
            percent=percent,
            phase=Phase.PROGRESSING,
            advance=AdvanceMode.AUTOMATIC,
        )
        count = len(self._course.canary[percent])
        adoption = Adoption(count, count, count, 0, count, stable_fresh=True)
        return decide(Situation(then, self.verdicts, adoption, began, self.at - began, self.at))


def _judge(course: Course) -> Judge:
    judge = Judge(course.settings)
    judge.feed(ObjectivesLine(NAME, course.weights))
    for name, rate in course.rates.items():
        events = {site: round(course.hours * each) for site, each in rate.events.items()}
        history = {site: (many, round(many * rate.bad[site])) for site, many in events.items()}
        judge.feed(HistoryLine(NAME, name, history))
    return judge


def _counts(
    per_hour: float, share: float, hours: tuple[float, float], place: int
) -> tuple[int, int]:
    """Give events and bad events of a span of hours."""
    events = _between(per_hour, hours, place * GOLDEN % 1)
    bad = _between(per_hour * min(1.0, share), hours, place * GOLDEN**2 % 1)
    return events, min(events, bad)


def _between(per_hour: float, hours: tuple[float, float], phase: float) -> int:
    return int(hours[1] * per_hour + phase) - int(hours[0] * per_hour + phase)
