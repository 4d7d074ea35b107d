"""Deny windows: times in which no step is taken, by a schedule of five fields as cron has them."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

LONGEST = timedelta(days=31)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_PART = re.compile(r"(?:(\*)|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:/([1-9][0-9]?))?", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Minute, hour, day of the month, month and day of the week, as cron reads them.

    Attributes:
        text: As it was written.
        minutes: 0..59.
        hours: 0..23.
        days: 1..31.
        months: 1..12.
        weekdays: 0..6, Sunday is 0.
        is_either: Whether day of the month and day of the week are both named, so that one of
            the two is enough.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either: bool

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read five fields with `*`, numbers, names, ranges, lists and steps.

        Raises:
            ValueError: It is none, or no day could ever match.
        """
        fields = text.lower().split(" ")
        if len(fields) != 5:
            raise ValueError(f'{text!r} is not a schedule of five fields such as "0 22 * * 5"')
        minute, hour, day, month, weekday = fields
        found = cls(
            text,
            _field(minute, 0, 59),
            _field(hour, 0, 23),
            _field(day, 1, 31),
            _field(month, 1, 12, _MONTHS, 1),
            frozenset(number % 7 for number in _field(weekday, 0, 7, _DAYS, 0)),
            not day.startswith("*") and not weekday.startswith("*"),
        )
        years = (date(2027, 1, 1) + timedelta(days=number) for number in range(366 * 5))
        if not any(found.falls_on(day) for day in years):
            raise ValueError(f"{text!r} names a day that does not exist")
        return found

    def falls_on(self, day: date) -> bool:
        """Say whether it names this day."""
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_month or by_week) if self.is_either else (by_month and by_week)


def _field(
    text: str, least: int, most: int, names: list[str] | None = None, first: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[4] and not (match[1] or match[3])):
            raise ValueError(f"{part!r} is no part of a schedule: write *, 5, 1-5, mon-fri or */15")
        start, stop = least, most
        if not match[1]:
            start = _number(match[2], names, first)
            stop = _number(match[3], names, first) if match[3] else start
        if not least <= start <= stop <= most:
            raise ValueError(f"{part!r} does not lie in {least}-{most}")
        found.update(range(start, stop + 1, int(match[4] or 1)))
    return frozenset(found)


def _number(text: str, names: list[str] | None, first: int) -> int:
    if names and text in names:
        return names.index(text) + first
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number")
    return int(text)


@dataclass(frozen=True, slots=True)
class DenyWindow:
    """A time that comes again, in which no step is taken.

    Attributes:
        schedule: When it begins, by the clocks on the wall of its zone.
        duration: How long it lasts, by the time that really passes.
        zone: Name of a time zone, such as Europe/Berlin.
    """

    schedule: Schedule
    duration: timedelta
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse a window that would be none, or never end."""
        if not timedelta(minutes=1) <= self.duration <= LONGEST:
            raise ValueError("the duration of a deny window lies between 1m and 31d")

    def __str__(self) -> str:
        """Write it as people know it."""
        return f"{self.schedule.text} {self.zone}"


def check_zone(text: str) -> str:
    """Give the name of a time zone back; whether a machine knows it is another question.

    Raises:
        ValueError: It could not be one.
    """
    if len(text) > 60 or not _ZONE.fullmatch(text):
        raise ValueError(f"{text!r} is not a time zone such as Europe/Berlin")
    return text
