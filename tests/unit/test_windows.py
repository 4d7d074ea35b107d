"""Deny windows: schedules, clocks that are changed, windows that follow each other."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.window import DenyWindow, Schedule, check_zone
from generator.windows import denied
from generator.zones import zone

BERLIN = "Europe/Berlin"


def window(schedule: str, hours: float, zone: str = "UTC") -> DenyWindow:
    return DenyWindow(Schedule.parse(schedule), timedelta(hours=hours), zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def until(windows: list[DenyWindow], now: str) -> str:
    """Say until when a step is denied, "" where it is not."""
    found = denied(windows, utc(now), zone)
    return "" if found is None else f"{found.ends:%m-%d %H:%M}" if found.ends else "for ever"


# ------------------------------------------------------------------ schedules


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 22 * * 5", [6, 13, 20, 27]),
        ("0 22 * * fri", [6, 13, 20, 27]),
        ("0 22 * * 0", [1, 8, 15, 22, 29]),
        ("0 22 * * 7", [1, 8, 15, 22, 29]),
        ("0 0 1,15 * *", [1, 15]),
        ("0 0 1 * mon", [1, 2, 9, 16, 23, 30]),  # either, as cron has it
        ("0 0 */10 * *", [1, 11, 21]),
        ("0 0 * nov sat-sat", [7, 14, 21, 28]),
        ("0 0 31 * *", []),
    ],
)
def test_the_days_of_a_schedule(text: str, days: list[int]) -> None:
    schedule = Schedule.parse(text)
    november = (date(2026, 11, number) for number in range(1, 31))
    assert [day.day for day in november if schedule.falls_on(day)] == days


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 22 * *", "is not a schedule of five fields"),
        ("0 22  * * 5", "is not a schedule of five fields"),
        ("@daily", "is not a schedule of five fields"),
        ("60 * * * *", "'60' does not lie in 0-59"),
        ("0 24 * * *", "'24' does not lie in 0-23"),
        ("0 0 0 * *", "'0' does not lie in 1-31"),
        ("0 0 * 13 *", "'13' does not lie in 1-12"),
        ("0 0 * * 8", "'8' does not lie in 0-7"),
        ("0 5-2 * * *", "'5-2' does not lie in 0-23"),
        ("0 0 * * xyz", "'xyz' is not a number"),
        ("0 0 * * 1/2", "'1/2' is no part of a schedule"),
        ("0 */0 * * *", "'*/0' is no part of a schedule"),
        ("0 -1 * * *", "'-1' is no part of a schedule"),
        ("0 ٣ * * *", "'٣' is no part of a schedule"),
        ("0 0 30 2 *", "names a day that does not exist"),
    ],
)
def test_a_schedule_that_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="^.*" + why.replace("*", r"\*")):
        Schedule.parse(text)


def test_a_leap_day_is_a_day() -> None:
    assert Schedule.parse("0 0 29 2 *").falls_on(date(2028, 2, 29))


@pytest.mark.parametrize("text", ["../etc/passwd", "/etc/passwd", "", "a b", "Europe//Berlin", "ü"])
def test_a_time_zone_that_could_be_a_path(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone such as Europe/Berlin"):
        check_zone(text)


@pytest.mark.parametrize("hours", [0, 24 * 32])
def test_a_window_has_a_length(hours: float) -> None:
    with pytest.raises(ValueError, match="lies between 1m and 31d"):
        window("0 0 * * *", hours)


# ------------------------------------------------------------------ open and closed


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20T21:59:59", ""),
        ("2026-11-20T22:00:00", "11-23 06:00"),
        ("2026-11-23T05:59:59", "11-23 06:00"),
        ("2026-11-23T06:00:00", ""),
    ],
)
def test_a_weekend(now: str, end: str) -> None:
    assert until([window("0 22 * * 5", 56)], now) == end


def test_windows_that_follow_each_other_are_one() -> None:
    nights = [window("0 18 * * *", 6), window("0 0 * * *", 6), window("0 3 * * *", 2)]
    assert until(nights, "2026-11-20T19:00:00") == "11-21 06:00"
    assert until([window("0 * * * *", 1)], "2026-11-20T19:00:00") == "for ever"


def test_what_is_open_is_named() -> None:
    found = denied(
        [window("0 0 1 1 *", 1), window("0 22 * * 5", 56, BERLIN)], utc("2026-11-21"), zone
    )
    assert found is not None
    assert found.why == (
        "the deny window 0 22 * * 5 Europe/Berlin is open until 2026-11-23 05:00 UTC"
    )


def test_a_zone_that_nobody_knows_keeps_its_window_open() -> None:
    found = denied([window("0 0 1 1 *", 1, "Europe/Atlantis")], utc("2026-06-01"), zone)
    assert found is not None
    assert (found.ends, found.why) == (
        None,
        "the time zone Europe/Atlantis is not known on this machine: install tzdata",
    )


# ------------------------------------------------------------------ clocks that are changed


@pytest.mark.parametrize(
    ("schedule", "hours", "now", "end"),
    [
        # Berlin: on 2026-03-29 at 02:00 the clocks go to 03:00, on 2026-10-25 at 03:00 to 02:00.
        ("0 22 * * 6", 8, "2026-03-28T21:00:00", "03-29 05:00"),  # really eight hours
        ("0 22 * * 6", 8, "2026-10-24T20:00:00", "10-25 04:00"),
        ("30 2 * * *", 1, "2026-03-29T01:29:59", ""),  # 02:30 is passed over: 03:30 instead
        ("30 2 * * *", 1, "2026-03-29T01:30:00", "03-29 02:30"),
        ("30 2 * * *", 1, "2026-10-25T00:30:00", "10-25 01:30"),  # shown twice: at first
        ("30 2 * * *", 1, "2026-10-25T01:30:00", ""),
        ("0 22 * * *", 2, "2026-03-28T21:30:00", "03-28 23:00"),  # before: UTC+1
        ("0 22 * * *", 2, "2026-03-29T20:30:00", "03-29 22:00"),  # after: UTC+2
    ],
)
def test_clocks_that_are_changed(schedule: str, hours: float, now: str, end: str) -> None:
    assert until([window(schedule, hours, BERLIN)], now) == end


@given(
    st.timedeltas(timedelta(0), timedelta(days=16)),
    st.sampled_from(["0 22 * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 29 3 sun"]),
    st.integers(1, 60 * 40),
)
def test_it_is_denied_until_the_end_and_not_at_it(
    later: timedelta, schedule: str, minutes: int
) -> None:
    now = utc("2026-03-20") + later
    windows = [window(schedule, minutes / 60, BERLIN)]
    found = denied(windows, now, zone)
    if found is not None and found.ends is not None:
        assert now < found.ends
        span = found.ends - now
        points = [now + span * part / 7 for part in range(8)]
        assert all(denied(windows, point, zone) is not None for point in points[:-1])
        assert denied(windows, found.ends, zone) is None
        assert all(one <= other for one, other in pairwise(points))
