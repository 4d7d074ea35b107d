"""Spans of time: one number, one unit, and back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.spans import parse_span, say_span, write_span

MS = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", timedelta(0)),
        ("0d", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("72h", timedelta(hours=72)),
        ("3d", timedelta(days=3)),
        ("999999d", timedelta(days=999_999)),
    ],
)
def test_one_number_and_one_unit_are_read(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "m", "5 m", " 5m", "5m ", "5m\n", "5M", "5H", "5min", "5w", "5y", "5us"),
        *(
            "-5m",
            "+5m",
            "05m",
            "5.5h",
            "5,5h",
            "1h30m",
            "5_0m",
            "1e1m",
            "nanm",
            "\u0665m",
            "\uff15m",
        ),
        *("1000000d", "PT5M", "00:05:00", "5m5m", "0x5m"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time: write 250ms, 90s, 5m, 2h or 3d"):
        parse_span(text)


@given(st.integers(0, 999_999), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_what_is_written_reads_back_as_the_same_span(count: int, unit: str) -> None:
    span = parse_span(f"{count}{unit}")
    assert parse_span(write_span(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (250 * MS, "250ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(minutes=90), "90m"),
        (timedelta(hours=24), "1d"),
        (timedelta(hours=25), "25h"),
    ],
)
def test_the_largest_exact_unit_is_written(span: timedelta, text: str) -> None:
    assert write_span(span) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 min"),
        (timedelta(seconds=-90), "0 min"),
        (timedelta(seconds=29), "0 min"),
        (timedelta(minutes=80), "1 h 20 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=1, hours=2, minutes=3), "1 d 2 h"),
        (timedelta(minutes=59, seconds=45), "1 h"),
    ],
)
def test_a_person_reads_the_two_largest_units(span: timedelta, text: str) -> None:
    assert say_span(span) == text
