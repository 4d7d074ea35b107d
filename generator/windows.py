"""Whether a step may be taken now, and when it may again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from generator.model.window import DenyWindow

MOST_IN_A_ROW = 100
Zones = Callable[[str], tzinfo | None]


@dataclass(frozen=True, slots=True)
class Denial:
    """A window that is open now.

    Attributes:
        window: Which.
        ends: When no window is open any more, UTC; None where no end is in sight.
        why: One sentence.
    """

    window: DenyWindow
    ends: datetime | None
    why: str


def utc_only(name: str) -> tzinfo | None:
    """Know no other time zone: for those who were given none."""
    return UTC if name == "UTC" else None


def denied(windows: Sequence[DenyWindow], now: datetime, zones: Zones) -> Denial | None:
    """Find the window that is open, and when the last of those that follow each other ends.

    Where this machine does not know a time zone, its window counts as open: a step can wait.

    Args:
        windows: Of one environment.
        now: UTC.
        zones: Gives the rules of a time zone; None where nobody knows it.
    """
    for window in windows:
        if zones(window.zone) is None:
            why = f"the time zone {window.zone} is not known on this machine: install tzdata"
            return Denial(window, None, why)
    first = next((one for one in windows if _end(one, now, zones) is not None), None)
    if first is None:
        return None
    ends = _ends(windows, now, zones)
    until = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else "with no end in sight"
    return Denial(first, ends, f"the deny window {first} is open {until}")


def _ends(windows: Sequence[DenyWindow], now: datetime, zones: Zones) -> datetime | None:
    end = now
    for _ in range(MOST_IN_A_ROW):
        found = [later for one in windows if (later := _end(one, end, zones)) is not None]
        if not found:
            return end
        end = max(found)
    return None


def _end(window: DenyWindow, at: datetime, zones: Zones) -> datetime | None:
    """Say when the window that is open at a time closes; None where none is."""
    rules = zones(window.zone)
    if rules is None:
        return None
    start = _latest(window, rules, at)
    end = start + window.duration if start is not None else None
    return end if end is not None and end > at else None


def _latest(window: DenyWindow, rules: tzinfo, at: datetime) -> datetime | None:
    """Find the latest start up to a time, as far back as a window could still be open."""
    day = at.astimezone(rules).date()
    earliest = (at - window.duration).astimezone(rules).date() - timedelta(days=1)
    while day >= earliest:
        starts = [start for start in _starts(window, rules, day) if start <= at]
        if starts:
            return max(starts)
        day -= timedelta(days=1)
    return None


def _starts(window: DenyWindow, rules: tzinfo, day: date) -> Iterator[datetime]:
    # A time that the clocks pass over begins as much later; one that they show twice, at first.
    if window.schedule.falls_on(day):
        for hour in window.schedule.hours:
            for minute in window.schedule.minutes:
                yield datetime.combine(day, time(hour, minute), rules).astimezone(UTC)
