"""The staircase: time by percentage, every rollout of a line, every move marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from generator.model.percent import WHOLE, Percent
from reconciler.analysis import Verdict
from tidegate.pages import phrases
from tidegate.pages.axis import Axis, lay_out, say_moment
from tidegate.pages.marks import clock, filled, key_of, legend, mark
from tidegate.pages.markup import Markup, join, path, tag, thinned, words
from tidegate.pages.story import Climb, End, Move, Step, Story, Tick, short

LEFT, RIGHT, TOP = 58.0, 16.0, 70.0
LETTER, SMALL = 6.4, 5.9
LEAST_SPAN = 180.0
LEAST_BLOCK = 3.0
OPEN = (End.CLIMBING, End.PAUSED)
_END_MOVES = {End.REVERTED: Move.REVERT, End.COMPLETED: Move.COMPLETE}


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things are drawn.

    Attributes:
        axis: Time to x.
        top: y of 100 percent.
        bottom: y of 0 percent.
        right: x of the right end.
    """

    axis: Axis
    top: float
    bottom: float
    right: float

    def y(self, percent: Percent) -> float:
        """Give the place of a percentage."""
        return self.share(percent.basis_points / WHOLE)

    def share(self, share: float) -> float:
        """Give the place of a fraction 0..1."""
        return self.bottom - share * (self.bottom - self.top)


def staircase(
    story: Story,
    width: float,
    height: float,
    *,
    most: int = 6,
    caption: str = "",
    detailed: bool = True,
) -> Markup:
    """Draw the newest rollouts of a line; "" where there was none.

    Args:
        story: The line.
        width: Of the drawing.
        height: Of the drawing.
        most: Newest rollouts to draw.
        caption: What stands at the end of the legend, foreign text.
        detailed: Whether to draw verdicts and the sites that serve it.
    """
    climbs = story.climbs[-most:]
    if not climbs:
        return Markup("")
    under = 100 + (42 if detailed else 0)
    frame = Frame(_axis(climbs, width), TOP, height - under, width - RIGHT)
    ribbon = frame.bottom + 12
    scale = ribbon + (22 if detailed else 0)
    return join(
        _grid(frame),
        *(_area(climb, frame) for climb in climbs),
        *(_serving(climb, frame) for climb in climbs if detailed),
        *(_line(climb, frame) for climb in climbs),
        *(_marks(climb, frame) for climb in climbs),
        *(_labels(climb, limit, frame) for climb, limit in _limits(climbs, frame)),
        *_titles(climbs, frame),
        _ribbon(climbs, frame, ribbon) if detailed else Markup(""),
        _times(frame, scale),
        _stable(story, climbs, frame, scale + 34),
        tag("text", words(caption), x=frame.right, y=scale + 72, class_="t2 s e"),
        legend(
            _used(climbs, detailed=detailed),
            LEFT,
            frame.right - len(caption) * LETTER,
            scale + 68,
        ),
    )


def _used(climbs: Sequence[Climb], *, detailed: bool) -> frozenset[str]:
    """Say which entries of the legend are needed."""
    found: set[str] = set()
    for climb in climbs:
        found |= {key_of(step.move, person=bool(step.by)) for step in climb.steps}
        waits = [step for step in climb.steps if _waits(step)]
        found |= {"wait" for step in waits if not _is_paused(climb, step)}
        found |= {"pause by" for _ in climb.pauses}
        found |= {"serve"} if detailed and _is_served(climb) else set()
        if climb.ending.how in _END_MOVES:
            found.add(key_of(_END_MOVES[climb.ending.how], person=bool(climb.ending.by)))
        if detailed:
            found |= {_HEIGHTS[tick.verdict][1] for tick in climb.ticks}
    return frozenset(found)


def _axis(climbs: Sequence[Climb], width: float) -> Axis:
    margins = [max(timedelta(minutes=2), climb.span / 40) for climb in climbs]
    pairs = zip(climbs, margins, strict=True)
    times = [(climb.begun - margin, climb.ending.at + margin) for climb, margin in pairs]
    return lay_out(times, LEFT, width - RIGHT, LEAST_SPAN)


def _grid(frame: Frame) -> Markup:
    parts = []
    for whole in (0, 25, 50, 100):
        y = frame.y(Percent.of(whole))
        kind = "axis" if whole == 0 else "grid"
        for span in frame.axis.spans:
            parts.append(tag("path", d=path([(span.left, y), (span.right, y)]), class_=kind))
        parts.append(tag("text", words(f"{whole}%"), x=LEFT - 10, y=y + 4, class_="t2 s e m"))
    for cut in frame.axis.cuts:
        y = frame.bottom
        slants = ([(cut + dx - 3, y + 5), (cut + dx + 3, y - 5)] for dx in (-3, 3))
        parts += [tag("path", d=path(slant), class_="axis") for slant in slants]
    return join(*parts)


def _outline(climb: Climb, frame: Frame) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for step in climb.steps:
        y = frame.y(step.percent)
        points += [(frame.axis.place(step.begun), y), (frame.axis.place(step.ended), y)]
    return points


def _area(climb: Climb, frame: Frame) -> Markup:
    points = _outline(climb, frame)
    around = [(points[0][0], frame.bottom), *points, (points[-1][0], frame.bottom)]
    shape = path(around, closed=True)
    if climb.ending.how is not End.REVERTED:
        return tag("path", d=shape, class_="area")
    hatched = tag("path", d=shape, fill="url(#hatch)")
    return join(tag("path", d=shape, class_="lost"), hatched)


def _serving(climb: Climb, frame: Frame) -> Markup:
    if not _is_served(climb):
        return Markup("")
    points = (
        (frame.axis.place(tick.at), frame.share(min(1.0, tick.serving / climb.n)))
        for tick in climb.ticks
    )
    return tag("path", d=path(list(thinned(points))), class_="serve")


def _is_served(climb: Climb) -> bool:
    return bool(climb.n and climb.highest.sites) and len(climb.ticks) > 2


def _line(climb: Climb, frame: Frame) -> Markup:
    parts = [_riser(frame, climb.steps[0], frame.bottom, "rise")]
    for before, after in zip(climb.steps, climb.steps[1:], strict=False):
        parts.append(_riser(frame, after, frame.y(before.percent), "rise"))
    for step in climb.steps:
        parts += _plateau(step, frame)
    if climb.ending.how in (End.REVERTED, End.SUPERSEDED):
        x, y = frame.axis.place(climb.ending.at), frame.y(climb.steps[-1].percent)
        kind = "fall" if climb.ending.how is End.REVERTED else "rise wait"
        parts.append(tag("path", d=path([(x, y), (x, frame.bottom)]), class_=kind))
    return join(*parts)


def _riser(frame: Frame, step: Step, start: float, kind: str) -> Markup:
    x = frame.axis.place(step.begun)
    return tag("path", d=path([(x, start), (x, frame.y(step.percent))]), class_=kind)


def _plateau(step: Step, frame: Frame) -> Iterator[Markup]:
    place, y = frame.axis.place, frame.y(step.percent)
    turn = place(step.waits_from) if _waits(step) else place(step.ended)
    yield tag("path", d=path([(place(step.begun), y), (turn, y)]), class_="rise")
    if turn < place(step.ended):
        yield tag("path", d=path([(turn, y), (place(step.ended), y)]), class_="rise wait")


def _waits(step: Step) -> bool:
    """Say whether a step took notably longer than its soak."""
    return step.ended - step.waits_from > max(step.soak / 5, timedelta(minutes=15))


def _marks(climb: Climb, frame: Frame) -> Markup:
    place = frame.axis.place
    parts = []
    for step in climb.steps:
        y = frame.y(step.percent)
        if _waits(step) and not _is_paused(climb, step):
            text = f"waits at {step.percent}% since {say_moment(step.waits_from)}"
            parts.append(clock(place(step.waits_from), y, text))
        text = f"{phrases.MOVES[step.move]} to {step.percent}%, {say_moment(step.begun)}"
        parts.append(mark(step.move, place(step.begun), y, text, person=bool(step.by)))
    for begun, _ in climb.pauses:
        y = frame.y(_step_at(climb, begun).percent)
        parts.append(mark(Move.PAUSE, place(begun), y, f"paused {say_moment(begun)}", person=True))
    return join(*parts, _end_mark(climb, frame))


def _is_paused(climb: Climb, step: Step) -> bool:
    return any(step.begun <= begun < step.ended for begun, _ in climb.pauses)


def _step_at(climb: Climb, at: datetime) -> Step:
    return next((one for one in reversed(climb.steps) if one.begun <= at), climb.steps[0])


def _end_mark(climb: Climb, frame: Frame) -> Markup:
    ending = climb.ending
    x, y = frame.axis.place(ending.at), frame.y(climb.steps[-1].percent)
    if ending.how in _END_MOVES:
        text = f"{phrases.ENDS[ending.how]} {say_moment(ending.at)}"
        return mark(_END_MOVES[ending.how], x, y, text, person=bool(ending.by))
    if ending.how in OPEN:
        return tag("circle", tag("title", words("now")), cx=x, cy=y, r=3, class_="tf")
    return Markup("")


def _limits(climbs: Sequence[Climb], frame: Frame) -> Iterator[tuple[Climb, float]]:
    """Say how far to the right the words of each rollout may reach."""
    lefts = [frame.axis.place(climb.begun) for climb in climbs]
    yield from zip(climbs, [*(left - 8 for left in lefts[1:]), frame.right], strict=True)


def _labels(climb: Climb, limit: float, frame: Frame) -> Markup:
    parts = []
    for step in climb.steps:
        left = frame.axis.place(step.begun) + 9
        right = limit if step is climb.steps[-1] else frame.axis.place(step.ended) - 5
        head, tail = phrases.rung(step)
        if right - left < (len(head) + len(tail) + 1) * SMALL:
            tail = ""
        if right - left < len(head) * SMALL:
            continue
        name = tag("tspan", words(head), class_="t b")
        count = tag("tspan", words(tail), dx=6, class_="t2") if tail else Markup("")
        y = frame.y(step.percent) - 9
        parts.append(tag("text", name, count, x=left, y=y, class_="m s"))
    return join(*parts)


def _titles(climbs: Sequence[Climb], frame: Frame) -> Iterator[Markup]:
    for climb, limit in _limits(climbs, frame):
        left = frame.axis.place(climb.begun)
        texts = (phrases.outcome(climb), phrases.cause(climb))
        long = max(len(text) for text in texts) * LETTER
        at_end = climb is climbs[-1] and left + long > frame.right
        anchor, end = (frame.right, " e") if at_end else (left, "")
        colour = "hf" if climb.ending.how is End.REVERTED else "t"
        yield tag("text", words(climb.short), x=anchor, y=18, class_=f"big {colour}{end}")
        if at_end or long < limit - left:
            for text, y in zip(texts, (34, 49), strict=True):
                yield tag("text", words(text), x=anchor, y=y, class_=f"t2{end}")


_LEAST_GOOD_FIRST = (
    Verdict.BREACHED,
    Verdict.STALE,
    Verdict.NO_DATA,
    Verdict.UNDECIDED,
    Verdict.HEALTHY,
)
_HEIGHTS = {
    Verdict.HEALTHY: (10.0, "good"),
    Verdict.BREACHED: (10.0, "bad"),
    Verdict.UNDECIDED: (5.0, "open"),
    Verdict.STALE: (1.5, "none"),
    Verdict.NO_DATA: (1.5, "none"),
}


def _ribbon(climbs: Sequence[Climb], frame: Frame, y: float) -> Markup:
    if not any(climb.ticks for climb in climbs):
        return Markup("")
    parts = [tag("text", words("verdict"), x=LEFT - 10, y=y + 9, class_="t2 s e")]
    for climb in climbs:
        for block in _blocks(climb, frame.axis):
            height, kind = _HEIGHTS[block.verdict]
            text = f"{block.verdict} until {say_moment(block.until)}"
            place = {"x": block.left, "y": y + 10 - height, "height": height}
            width = max(0.5, block.right - block.left)
            parts.append(tag("g", tag("title", words(text)), *filled(kind, width=width, **place)))
    return join(*parts)


@dataclass(frozen=True, slots=True)
class Block:
    """A time with one verdict, as it is drawn."""

    left: float
    right: float
    verdict: Verdict
    until: datetime


def _blocks(climb: Climb, axis: Axis) -> Iterator[Block]:
    """Join what is too narrow to be seen; the verdict that is least good stands for it."""
    held: Block | None = None
    start = climb.begun
    for run in _runs(climb.ticks):
        last = run[-1]
        new = Block(axis.place(start), axis.place(last.at), last.verdict, last.at)
        start = last.at
        if held and new.right - held.left < LEAST_BLOCK:
            verdict = min(held.verdict, new.verdict, key=_LEAST_GOOD_FIRST.index)
            new = replace(new, left=held.left, verdict=verdict)
        elif held:
            yield held
        held = new
    if held:
        yield held


def _runs(ticks: Sequence[Tick]) -> Iterator[list[Tick]]:
    run: list[Tick] = []
    for tick in ticks:
        if run and run[-1].verdict is not tick.verdict:
            yield run
            run = []
        run.append(tick)
    if run:
        yield run


def _times(frame: Frame, y: float) -> Markup:
    parts = [tag("text", words("UTC"), x=LEFT - 10, y=y + 14, class_="t2 s e")]
    for label in frame.axis.labels(64):
        x = label.place
        parts.append(tag("path", d=path([(x, y - 2), (x, y + 2)]), class_="axis"))
        parts.append(tag("text", words(label.text), x=x, y=y + 14, class_="t2 s c m"))
        parts.append(tag("text", words(label.day), x=x, y=y + 27, class_="t3 s c m"))
    return join(*parts)


def _stable(story: Story, climbs: Sequence[Climb], frame: Frame, y: float) -> Markup:
    """Draw which release was the stable one."""
    changes = [(frame.axis.spans[0].left, climbs[0].stable)]
    for climb in climbs:
        if climb.ending.how is End.COMPLETED:
            changes.append((frame.axis.place(climb.ending.at), climb.release))
    if changes[-1][1] != story.stable:
        changes.append((frame.axis.place(climbs[-1].ending.at), story.stable))
    parts = [tag("text", words("stable"), x=LEFT - 10, y=y + 12, class_="t2 s e")]
    ends = [*(left for left, _ in changes[1:]), frame.axis.spans[-1].right]
    for (left, release), right in zip(changes, ends, strict=True):
        width = max(0.0, right - left - 2)
        parts.append(tag("rect", x=left, y=y, width=width, height=16, rx=3, class_="strip"))
        if width > len(short(release)) * LETTER + 12:
            parts.append(tag("text", words(short(release)), x=left + 8, y=y + 12, class_="t s"))
    return join(*parts)
