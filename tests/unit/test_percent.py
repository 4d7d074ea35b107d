"""Percentages: a strict grammar, exact hundredths, whole sites rounded up."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.percent import FULL, WHOLE, ZERO, Percent


@pytest.mark.parametrize(
    ("text", "basis_points"),
    [
        ("0", 0),
        ("0.0", 0),
        ("0.01", 1),
        ("0.1", 10),
        ("2.5", 250),
        ("2.50", 250),
        ("5", 500),
        ("99.99", 9999),
        ("100", 10000),
        ("100.00", 10000),
    ],
)
def test_a_number_with_at_most_two_digits_after_the_point_is_read(
    text: str, basis_points: int
) -> None:
    assert Percent.parse(text) == Percent(basis_points)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "5 ", " 5", "5\n", "\n5", "5%", "%", "five", "None"),
        *("nan", ".nan", "NaN", "inf", "-inf", "Infinity"),
        *("5_0", "1e1", "1E1", "1e-1", "0x5", "0b1", "0o5", "5d", "5j"),
        *("+5", "-5", "-0", "--5", "05", "00", "007", "5.", ".5", ".", "5.005", "5.000", "5..0"),
        *(
            "5,0",
            "1.234",
            "5.-1",
            "\u0665",
            "\uff15",
            "5\uff0e0",
            "100.01",
            "101",
            "999",
            "1000",
            "5/1",
            "(5)",
        ),
    ],
)
def test_what_other_parsers_would_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        Percent.parse(text)


def test_the_text_of_every_percentage_reads_back() -> None:
    everything = [Percent(points) for points in range(WHOLE + 1)]
    assert [Percent.parse(str(one)) for one in everything] == everything


@pytest.mark.parametrize(
    ("basis_points", "text"), [(0, "0"), (1, "0.01"), (10, "0.1"), (250, "2.5"), (10000, "100")]
)
def test_the_shortest_form_is_written(basis_points: int, text: str) -> None:
    assert str(Percent(basis_points)) == text


@pytest.mark.parametrize("basis_points", [-1, 10001, 10**9])
def test_a_percentage_outside_0_to_100_cannot_be_built(basis_points: int) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 100"):
        Percent(basis_points)


@given(st.integers(0, WHOLE), st.integers(0, 20_000))
def test_a_share_is_rounded_up_to_whole_sites(basis_points: int, total: int) -> None:
    assert Percent(basis_points).count_of(total) == math.ceil(Fraction(basis_points, WHOLE) * total)


@pytest.mark.parametrize(
    ("text", "total", "count"),
    [("5", 500, 25), ("0.01", 500, 1), ("33.33", 3, 1), ("33.34", 3, 2), ("100", 7, 7)],
)
def test_no_float_can_add_or_lose_a_site(text: str, total: int, count: int) -> None:
    assert Percent.parse(text).count_of(total) == count


def test_percentages_are_ordered_by_size() -> None:
    texts = ["100", "5", "25", "0.01", "0", "10"]
    assert [str(one) for one in sorted(map(Percent.parse, texts))] == [
        *("0", "0.01", "5", "10", "25", "100")
    ]
    assert (Percent.of(0), Percent.of(100)) == (ZERO, FULL)
