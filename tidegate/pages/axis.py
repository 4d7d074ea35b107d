"""Time to a place on a line: busy times to scale, idle ones between them cut out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

GAP = 34.0
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPACINGS_MIN = (5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10080, 20160, 40320)
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A time that is drawn to scale.

    Attributes:
        begun: Left end.
        ended: Right end, after `begun`.
        left: Its place on the line.
        right: Its place on the line.
    """

    begun: datetime
    ended: datetime
    left: float
    right: float

    def place(self, at: datetime) -> float:
        """Give the place of a time, which is kept within the span."""
        share = (at - self.begun) / (self.ended - self.begun)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Label:
    """A time that is named: its place, its text, and the day where a new one begins."""

    place: float
    text: str
    day: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """One or more spans, left to right."""

    spans: tuple[Span, ...]

    def place(self, at: datetime) -> float:
        """Give the place of a time; one in a gap is put at the end of the span before it."""
        before = [span for span in self.spans if span.begun <= at]
        return (before[-1] if before else self.spans[0]).place(at)

    @property
    def cuts(self) -> tuple[float, ...]:
        """Give the middle of every gap."""
        pairs = zip(self.spans, self.spans[1:], strict=False)
        return tuple((one.right + two.left) / 2 for one, two in pairs)

    def labels(self, room: float) -> tuple[Label, ...]:
        """Name round times, about `room` apart."""
        found: list[Label] = []
        day = ""
        for span in self.spans:
            for at in _round_times(span, room):
                label = Label(span.place(at), f"{at:%H:%M}", say_day(at))
                near = bool(found) and label.place - found[-1].place < room * 0.7
                # The first time of a span says more than the last one of the span before.
                if near and found[-1].place < span.left and not found[-1].day:
                    found.pop()
                elif near:
                    continue
                found.append(label if label.day != day else Label(label.place, label.text))
                day = label.day
        return tuple(found)


def _round_times(span: Span, room: float) -> Iterator[datetime]:
    spacing = _spacing(span, room)
    at = _MONDAY + -(-(span.begun - _MONDAY) // spacing) * spacing
    while at <= span.ended:
        yield at
        at += spacing


def _spacing(span: Span, room: float) -> timedelta:
    fit = max(1.0, (span.right - span.left) / room)
    wanted = (span.ended - span.begun) / fit
    spacings = (timedelta(minutes=minutes) for minutes in _SPACINGS_MIN)
    return next((one for one in spacings if one >= wanted), timedelta(days=364))


def lay_out(
    times: Sequence[tuple[datetime, datetime]],
    left: float,
    right: float,
    least: float,
    gap: float = GAP,
) -> Axis:
    """Give every busy time its place.

    Args:
        times: Begin and end, in order; those that touch are drawn as one, every other one to
            a scale of its own.
        left: Left end of the line.
        right: Right end of the line.
        least: Least width of one busy time.
        gap: Width between two of them.
    """
    merged = _merge(times)
    gap = min(gap, (right - left) / (2 * len(merged)))
    gaps = gap * (len(merged) - 1)
    least = min(least, (right - left - gaps) / len(merged))
    spare = right - left - gaps - least * len(merged)
    total = sum(((end - begin) for begin, end in merged), timedelta(0))
    spans: list[Span] = []
    place = left
    for begin, end in merged:
        width = least + spare * ((end - begin) / total)
        spans.append(Span(begin, end, place, place + width))
        place += width + gap
    return Axis(tuple(spans))


def _merge(times: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for begin, given in times:
        end = max(given, begin + timedelta(minutes=1))
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def say_day(at: datetime) -> str:
    """Write `21 Nov`."""
    return f"{at.day} {MONTHS[at.month - 1]}"


def say_moment(at: datetime) -> str:
    """Write `21 Nov 2026, 17:30`."""
    return f"{say_day(at)} {at.year}, {at:%H:%M}"
