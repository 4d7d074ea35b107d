"""Read what is new of a rollout in pieces, judge it, and keep what will hardly change any more.

The pieces follow from the newest evidence and the size of the fleet alone, and each is read by
itself. So what an earlier pass found in a piece is what this one would find, but for data that
came late: the newest pieces are read again, and whatever moves a rollout is found without any
memory at all. Memory spares a rollout that waits from being read from its step on at each pass.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.analysis import Judge
from reconciler.basis import Heard
from reconciler.measure import Assignment, Cut, Measurement, Sight, Window, measure
from reconciler.outlook.course import Course, ceil, floor, floor_span
from reconciler.outlook.merging import Merger, factor
from reconciler.outlook.opening import Query, ask
from reconciler.recording import Arm, AssignedLine, Line, TickLine

LOOK_BACK = timedelta(minutes=30)
READ_AGAIN = timedelta(hours=2)
"""How late a site's data may come and be seen while a rollout waits: an agent's retries."""
MOST_AT_ONCE = 40_000
"""Sites x ticks that are read in one piece, and read again in each pass."""
MOST_NOTES = 20


@dataclass
class Reading:
    """What was read and judged since the newest evidence; mutable.

    Attributes:
        judge: Has heard the evidence in Git, and everything read.
        merger: Holds the ticks of the group that is open.
        through: The newest tick.
        lines: The recording, or a part of it where `is_whole` is False.
        heard: Each line with its verdict; of what was kept only as much as a soak needs.
        sights: What every site showed of itself.
        warnings: The metrics API doubts its own answer.
        notes: What was refused or disagrees.
        is_whole: Nothing was taken from memory.
    """

    judge: Judge
    merger: Merger
    through: datetime
    lines: list[Line] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    sights: Mapping[str, Sight] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_whole: bool = True

    def lighter(self) -> "Reading":
        """Leave out what only a commit needs, for a memory that is only looked at."""
        ticks: list[Heard] = [
            (_light(line), said) for line, said in self.heard if isinstance(line, TickLine)
        ]
        return replace(self, lines=[], heard=ticks, is_whole=False)

    def apart(self) -> "Reading":
        """Give a lighter copy that goes on alone."""
        own = self.lighter()
        own.judge, own.merger = copy.deepcopy(self.judge), self.merger.copy()
        return own

    def hear(self, lines: Sequence[Line]) -> None:
        """Judge lines that are complete."""
        self.lines += lines
        self.heard += [(line, self.judge.feed(line)) for line in lines]


def _light(line: TickLine) -> TickLine:
    events = sum(count for count, _ in line.canary.values())
    return replace(line, canary={"all": (events, 0)} if events else {}, stable={}, seen=())


@dataclass(frozen=True, slots=True)
class Kept:
    """What one pass leaves to the next; may be lost at any time.

    Attributes:
        basis: What it follows from; another one makes it worthless.
        closed: What was read up to the last piece that is not read again, if there is one.
        newest: Everything, as of the newest tick.
    """

    basis: object
    closed: Reading | None
    newest: Reading


def window_of(course: Course, now: datetime) -> Window:
    """Give the ticks since the newest evidence."""
    step = course.settings.interval
    # A person may have changed the interval meanwhile.
    start = ceil(course.chain.through or course.moments[0].at, step)
    look_back = max(2 * step, floor_span(LOOK_BACK, step))
    return Window(start, max(start, floor(now, step)), step, look_back)


def read(course: Course, judge: Judge, query: Query, window: Window, kept: Kept | None) -> Kept:
    """Read and judge what is new.

    Args:
        course: The rollout.
        judge: Has heard the evidence; a copy of it is fed.
        query: The metrics.
        window: All ticks since the evidence.
        kept: Of an earlier pass; None reads everything.

    Raises:
        MetricsUnavailable: Nothing can be read now.
    """
    sites, objectives = len(course.assignment.sites), len(course.asked.counts)
    times = factor(sites, objectives, (window.end - window.start) // window.step)
    basis = (
        course.chain.digest,
        course.assignment,
        course.asked,
        judge.settings,
        window.start,
        window.step,
        times,
    )
    fits = kept is not None and kept.basis == basis
    if kept and fits and kept.newest.through == window.end:
        return kept
    closed = kept.closed if kept and fits else None
    if closed and closed.through > window.end:
        closed = None  # a clock went back
    found = (
        closed.apart()
        if closed
        else Reading(copy.deepcopy(judge), Merger(times, window.step), window.start)
    )
    size = window.step * max(4, min(48, MOST_AT_ONCE // max(1, sites)))
    last = window.start + (window.end - window.start - min(READ_AGAIN, size)) // size * size
    for piece in _pieces(window, found.through, size):
        answers = ask(query, course.asked, piece)
        _take(course, found, piece, measure(course.asked, answers, course.assignment, piece))
        if piece.end == last and not found.warnings:
            closed = found.apart()
    found.hear(found.merger.rest())
    return Kept(basis, closed, found)


def _pieces(window: Window, start: datetime, size: timedelta) -> Iterator[Window]:
    while start < window.end or start == window.start:
        end = min(start + size, window.end)
        yield replace(window, start=start, end=end)
        if end == window.end:
            return
        start = end


def _take(course: Course, found: Reading, piece: Window, measurement: Measurement) -> None:
    assignment, objectives = course.assignment, len(course.asked.counts)
    waiting = _waiting(
        course, piece.start, is_first=piece.start == found.through and not found.sights
    )
    ticks = measurement.ticks
    for begin in range(0, len(ticks), objectives):
        tick = ticks[begin : begin + objectives]
        told: list[AssignedLine] = []
        while waiting and waiting[0].since <= tick[0].at:
            told.append(_assigned(assignment, waiting.pop(0)))
        found.hear(tuple(found.merger.take(told, tick)))
    found.sights = _joined(assignment, found.sights, measurement.sights)
    found.warnings = tuple(dict.fromkeys((*found.warnings, *measurement.warnings)))[:MOST_NOTES]
    found.notes = tuple(dict.fromkeys((*measurement.notes, *found.notes)))[:MOST_NOTES]
    found.through = piece.end


def _waiting(course: Course, start: datetime, *, is_first: bool) -> list[Cut]:
    """List the assignments to tell; each holds from the first tick at or after it."""
    cuts = course.assignment.cuts
    if not is_first:
        return [cut for cut in cuts if cut.since > start]
    is_told = any(isinstance(one, AssignedLine) for one in course.chain.lines)
    earlier = [cut for cut in cuts if cut.since < start]
    return [*([] if is_told else earlier[-1:]), *cuts[len(earlier) :]]


def _assigned(assignment: Assignment, cut: Cut) -> AssignedLine:
    def arm(site: str) -> Arm:
        if assignment.is_split:
            return "both"
        return "canary" if site in cut.canary else "stable"

    arms = {site: (arm(site), stratum) for site, stratum in assignment.sites.items()}
    return AssignedLine(assignment.rollout, cut.since, arms)


def _joined(
    assignment: Assignment, before: Mapping[str, Sight], now: Mapping[str, Sight]
) -> Mapping[str, Sight]:
    """Put the sights of two pieces together, as one look at both would have shown them."""
    if not before:
        return now
    flipped: dict[str, datetime] = {}
    last: frozenset[str] = frozenset()
    for cut in assignment.cuts:
        flipped |= dict.fromkeys(last ^ cut.canary, cut.since)
        last = cut.canary
    return {site: _both(before[site], one, flipped.get(site)) for site, one in now.items()}


def _both(before: Sight, now: Sight, flipped: datetime | None) -> Sight:
    backs = [back for back in (before.back, now.back) if back and (not flipped or back >= flipped)]
    seen = [one.last_seen for one in (before, now) if one.last_seen]
    return replace(
        now,
        last_seen=max(seen, default=None),
        served=before.served or now.served,
        back=min(backs, default=None),
    )
