"""The evidence about one objective: upwards that it is worse, downwards that it is not.

Each half is a logarithmic scale from 1 (no evidence) in the middle to its own bound, so that the
two bounds lie equally far out and the eye need not know them. Evidence below 1 counts for the
other side and is drawn as none.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.pages import phrases
from tidegate.pages.axis import Axis, lay_out, say_moment
from tidegate.pages.marks import mark
from tidegate.pages.markup import Markup, join, path, tag, thinned, words
from tidegate.pages.story import Climb, Curve, End, Move, Point

LEFT, RIGHT, TOP, UNDER = 44.0, 22.0, 24.0, 26.0
BEYOND = 1.28
DOTS = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things are drawn.

    Attributes:
        axis: Time to x.
        middle: y of no evidence.
        reach: Distance from there to each bound.
        curve: What is drawn.
    """

    axis: Axis
    middle: float
    reach: float
    curve: Curve

    @property
    def left(self) -> float:
        """Give the left end."""
        return self.axis.spans[0].left

    @property
    def right(self) -> float:
        """Give the right end."""
        return self.axis.spans[-1].right

    def worse(self, e_bad: float) -> float:
        """Give the place of evidence that it is worse."""
        return self.middle - self.reach * _share(e_bad, self.curve.bound_bad)

    def fine(self, e_ok: float) -> float:
        """Give the place of evidence that it is not."""
        return self.middle + self.reach * _share(e_ok, self.curve.bound_ok)


def _share(value: float, bound: float) -> float:
    if value <= 1:
        return 0.0
    return min(BEYOND, math.log(value) / math.log(bound))


def evidence(climb: Climb, curve: Curve, width: float, height: float) -> Markup:
    """Draw one curve with its bounds and the moments of decision."""
    times = [(climb.begun, max(climb.ending.at, curve.last.at))]
    axis = lay_out(times, LEFT, width - RIGHT, 0)
    middle = (TOP + height - UNDER) / 2
    frame = Frame(axis, middle, (middle - TOP) / BEYOND, curve)
    return join(
        _bands(frame),
        _scale(frame),
        _moves(climb, frame),
        _line(frame, "ok", "rise thin"),
        _line(frame, "bad", "fall thin"),
        _names(frame),
        _moment(frame),
        _times(frame, height - UNDER + 4),
    )


def _bands(frame: Frame) -> Markup:
    """Shade what lies beyond the bounds."""
    width, depth = frame.right - frame.left, frame.reach * (BEYOND - 1)
    top, bottom = frame.middle - frame.reach, frame.middle + frame.reach
    parts = [
        tag("rect", x=frame.left, y=top - depth, width=width, height=depth, class_="lost"),
        tag("rect", x=frame.left, y=bottom, width=width, height=depth, class_="area"),
    ]
    for y, kind in ((top, "fall bound"), (bottom, "rise bound")):
        parts.append(tag("path", d=path([(frame.left, y), (frame.right, y)]), class_=kind))
    return join(*parts)


def _names(frame: Frame) -> Markup:
    """Name what lies beyond the bounds, over the lines."""
    away = frame.reach * (1 + BEYOND) / 2
    margin = f"not {phrases.times(frame.curve.margin)} worse"
    parts = []
    for text, y, halo in (
        ("proved worse", frame.middle - away, "on-lost"),
        (margin, frame.middle + away, "on-area"),
    ):
        kind = f"t2 s {halo}"
        parts.append(tag("text", words(text), x=frame.left + 7, y=y + 4, class_=kind))
    return join(*parts)


def _scale(frame: Frame) -> Markup:
    y = frame.middle
    parts = [tag("path", d=path([(frame.left, y), (frame.right, y)]), class_="axis")]
    parts.append(_name("1", frame.left, y))
    curve = frame.curve
    for value, bound, place in (
        *((value, curve.bound_bad, frame.worse) for value in _powers(curve.bound_bad)),
        *((value, curve.bound_ok, frame.fine) for value in _powers(curve.bound_ok)),
    ):
        at = place(value)
        if value < bound:
            line = [(frame.left, at), (frame.right, at)]
            parts.append(tag("path", d=path(line), class_="grid"))
        parts.append(_name(phrases.evidence(value), frame.left, at))
    return join(*parts)


def _powers(bound: float) -> Iterator[float]:
    """Name the powers of ten that are clear of the bound, and the bound."""
    value = 10.0
    while value < bound / 2.5:
        yield value
        value *= 10
    yield bound


def _name(text: str, x: float, y: float) -> Markup:
    return tag("text", words(text), x=x - 7, y=y + 4, class_="t2 s e m")


def _line(frame: Frame, which: str, kind: str) -> Markup:
    place = frame.axis.place
    points = [
        (place(one.at), frame.worse(one.e_bad) if which == "bad" else frame.fine(one.e_ok))
        for one in frame.curve.points
    ]
    start = (frame.left, frame.middle)
    drawn = [start, *thinned(points)]
    parts = [tag("path", d=path(drawn), class_=kind)]
    if len(points) <= DOTS:
        dot = "hf" if which == "bad" else "tf"
        end = frame.reach * BEYOND
        off = ((x, y) for x, y in points if 0 < abs(y - frame.middle) < end)
        parts += [tag("circle", cx=x, cy=y, r=2.2, class_=dot) for x, y in off]
    return join(*parts)


def _moves(climb: Climb, frame: Frame) -> Markup:
    top, bottom = frame.middle - frame.reach * BEYOND, frame.middle + frame.reach * BEYOND
    moves = [(step.begun, step.move, bool(step.by)) for step in climb.steps[1:]]
    ends = {End.REVERTED: Move.REVERT, End.COMPLETED: Move.COMPLETE}
    if climb.ending.how in ends:
        moves.append((climb.ending.at, ends[climb.ending.how], bool(climb.ending.by)))
    parts = []
    for at, move, person in moves:
        x = frame.axis.place(at)
        kind = "fall bound" if move is Move.REVERT else "axis"
        parts.append(tag("path", d=path([(x, top), (x, bottom)]), class_=kind))
        text = f"{phrases.MOVES[move]}, {say_moment(at)}"
        parts.append(mark(move, x, TOP - 9, text, person=person))
    return join(*parts)


def _moment(frame: Frame) -> Markup:
    """Ring the tick at which it was proved worse, and say what it showed."""
    proved = frame.curve.proved
    if proved is None:
        return Markup("")
    x, y = frame.axis.place(proved.at), frame.worse(proved.e_bad)
    text = tag(
        "text",
        words(f"{proved.at:%H:%M}: {_said(proved)}"),
        x=max(x + 5, frame.left + 170),
        y=frame.middle + 20,
        class_="t s b e",
    )
    return join(tag("circle", cx=x, cy=y, r=5, class_="mark stop by"), text)


def _said(point: Point) -> str:
    return f"{point.bad:,} bad, {point.expected:,.0f} expected"


def _times(frame: Frame, y: float) -> Markup:
    return join(
        *(
            tag("text", words(label.text), x=label.place, y=y + 12, class_="t2 s c m")
            for label in frame.axis.labels(58)
        )
    )
