"""The convergence curve: how many sites Git asked, and how many have reported the canary."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from generator.model.spans import say_span
from tidegate.pages.axis import Axis, lay_out, say_moment
from tidegate.pages.markup import Markup, join, path, tag, thinned, words
from tidegate.pages.story import Climb, End, Step, Tick

LEFT, RIGHT, TOP, UNDER = 44.0, 22.0, 24.0, 26.0
MOST_NAMED = 8
NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things are drawn.

    Attributes:
        axis: Time to x.
        top: y of all sites that were ever asked.
        bottom: y of none.
        most: How many those are, at least 1.
    """

    axis: Axis
    top: float
    bottom: float
    most: int

    def y(self, sites: int) -> float:
        """Give the place of a number of sites."""
        return self.bottom - (self.bottom - self.top) * min(sites, self.most) / self.most


def is_known(climb: Climb) -> bool:
    """Say whether Git holds reports of single sites."""
    return bool(climb.ticks) and climb.highest.sites > 0


def convergence(climb: Climb, width: float, height: float) -> Markup:
    """Draw what was asked as a staircase, and below it what has reported."""
    times = [(climb.begun, max(climb.ending.at, climb.ticks[-1].at))]
    axis = lay_out(times, LEFT, width - RIGHT, 0)
    most = max(climb.highest.sites, *(tick.canary for tick in climb.ticks))
    frame = Frame(axis, TOP, height - UNDER, most)
    return join(
        _scale(frame),
        _reported(climb, frame),
        _asked(climb.steps, frame),
        _end(climb, frame),
        _times(frame),
    )


def _scale(frame: Frame) -> Markup:
    parts = []
    left, right = frame.axis.spans[0].left, frame.axis.spans[-1].right
    for sites in (0, *rounds(frame.most)):
        y = frame.y(sites)
        kind = "axis" if sites == 0 else "grid"
        parts.append(tag("path", d=path([(left, y), (right, y)]), class_=kind))
        name = words(f"{sites:,}")
        parts.append(tag("text", name, x=left - 7, y=y + 4, class_="t2 s e m"))
    return join(*parts)


def rounds(most: int) -> tuple[int, ...]:
    """Choose one to four round numbers up to `most`."""
    rough = most / 4
    power = 10 ** math.floor(math.log10(max(1.0, rough)))
    unit = next(int(m * power) for m in (1, 2, 5, 10) if m * power >= rough)
    return tuple(range(unit, most + 1, unit))


def _asked(steps: Sequence[Step], frame: Frame) -> Markup:
    points: list[tuple[float, float]] = []
    for step in steps:
        y = frame.y(step.sites)
        points += [(frame.axis.place(step.begun), y), (frame.axis.place(step.ended), y)]
    name = tag("text", words("asked"), x=points[0][0] + 6, y=points[0][1] - 7, class_="t2 s")
    return join(tag("path", d=path(points), class_="plain thin wait"), name)


def _reported(climb: Climb, frame: Frame) -> Markup:
    start = (frame.axis.place(climb.begun), frame.bottom)
    come = ((frame.axis.place(tick.at), frame.y(tick.adopted)) for tick in climb.ticks)
    points = [start, *thinned(come, 1)]
    around = [*points, (points[-1][0], frame.bottom)]
    return join(
        tag("path", d=path(around, closed=True), class_="area"),
        tag("path", d=path(points), class_="rise thin"),
    )


def _end(climb: Climb, frame: Frame) -> Markup:
    last = climb.ticks[-1]
    x, y = frame.axis.place(last.at), frame.y(last.adopted)
    text = words(f"{last.adopted:,} of {last.canary:,}")
    under = y + 18 if y + 18 < frame.bottom else y - 9
    name = tag("text", text, x=x - 8, y=under, class_="t b s e on-area")
    return join(tag("circle", cx=x, cy=y, r=3.5, class_="tf"), name)


def _times(frame: Frame) -> Markup:
    return join(
        *(
            tag("text", words(label.text), x=label.place, y=frame.bottom + 18, class_="t2 s c m")
            for label in frame.axis.labels(58)
        )
    )


def caption(climb: Climb) -> str:
    """Say in a few words how far it has come."""
    last = climb.ticks[-1]
    if last.adopted == last.canary:
        return f"all {last.canary:,} reported by {last.at:%H:%M}"
    return f"{last.adopted:,} of {last.canary:,} reported by {last.at:%H:%M}"


def notes(climb: Climb) -> Iterator[str]:
    """Say how fast sites came, who has not, and from when on nothing is in Git."""
    spans = [span for span in (adopted_after(step, climb.ticks) for step in climb.steps) if span]
    if spans:
        fastest, slowest = say_span(min(spans)), say_span(max(spans))
        took = fastest if fastest == slowest else f"{fastest} to {slowest}"
        yield f"A step was on {NEARLY:.0%} of its sites after {took}."
    if climb.late:
        names = ", ".join(climb.late[:MOST_NAMED])
        more = len(climb.late) - MOST_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        yield f"Not heard of when the evidence ended: {names}{rest}."
    is_open = climb.ending.how in (End.CLIMBING, End.PAUSED)
    if is_open and climb.ending.at - climb.ticks[-1].at > timedelta(hours=1):
        at = say_moment(climb.ticks[-1].at)
        yield f"Reports after {at} come into Git with the next decision."


def adopted_after(step: Step, ticks: Sequence[Tick]) -> timedelta | None:
    """Say how long a step took to reach nearly all of its sites; None where it did not."""
    during = (tick for tick in ticks if step.begun < tick.at <= step.ended)
    found = (tick.at for tick in during if tick.adopted >= NEARLY * max(1, step.sites))
    at = next(found, None)
    return at - step.begun if at is not None else None
