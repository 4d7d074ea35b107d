"""Ticks are made coarser before they are judged, so that evidence fits into Git."""

import gzip
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.outlook.merging import MOST_BYTES, SITE_BYTES, Merger, factor
from reconciler.recording import MAX_COUNT, Arm, AssignedLine, Line, TickLine, dump

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
STEP = timedelta(minutes=5)
NAMES = ("errors", "confidence")


def tick(number: int, canary: int = 3, stable: int = 20) -> tuple[TickLine, ...]:
    """Counts differ from tick to tick; 0 = the arm is silent."""
    at = START + number * STEP
    arms = (
        {"a": (canary + number, 1)} if canary else {},
        {f"s{number % 2}": (stable, number % 3)} if stable else {},
    )
    return tuple(TickLine("r1", name, at, *arms, (1, 2), ("z",)) for name in NAMES)


def merged(merger: Merger, ticks: list[tuple[TickLine, ...]]) -> list[TickLine]:
    lines = [line for one in ticks for line in merger.take((), one)]
    return [line for line in (*lines, *merger.rest()) if isinstance(line, TickLine)]


def test_small_fleets_are_never_merged() -> None:
    assert factor(500, 3, 24) == 1
    assert factor(20, 3, 864) == 1


@given(st.integers(1, 20_000), st.integers(1, 6), st.integers(1, 2_000))
def test_what_is_merged_fits(sites: int, objectives: int, ticks: int) -> None:
    times = factor(sites, objectives, ticks)
    size = SITE_BYTES * sites * objectives * -(-ticks // times)
    assert size <= MOST_BYTES or times >= ticks
    assert times == 1 or SITE_BYTES * sites * objectives * -(-ticks // (times // 2)) > MOST_BYTES


def test_a_site_costs_what_is_reckoned_with() -> None:
    """Poisson counts of a fleet whose sites differ, as a recording and packed like evidence."""
    chance = np.random.default_rng(3)
    rates = chance.gamma(4, 5, 2_000)
    text = ""
    for number in range(8):
        events = chance.poisson(rates)
        bad = chance.binomial(events, 0.01)
        counts = {f"plant-{site:05d}": (int(events[site]), int(bad[site])) for site in range(2_000)}
        text += dump(TickLine("r1", "errors", START + number * STEP, {}, counts)) + "\n"
    size = len(gzip.compress(text.encode(), 9, mtime=0)) / (8 * 2_000)
    assert size <= SITE_BYTES
    assert size >= SITE_BYTES / 3


def test_nothing_is_lost_and_the_newest_tick_is_there() -> None:
    ticks = [tick(number) for number in range(1, 12)]
    lines = merged(Merger(4, STEP), ticks)
    for name in NAMES:
        mine = [line for line in lines if line.objective == name]
        assert [line.at for line in mine] == [START + n * STEP for n in (4, 8, 11)]
        events = sum(count for line in mine for count, _ in line.canary.values())
        assert events == sum(3 + number for number in range(1, 12))
        bad = sum(count for line in mine for _, count in line.stable.values())
        assert bad == sum(number % 3 for number in range(1, 12))
        assert {site for line in mine for site in line.stable} == {"s0", "s1"}
        assert mine[0].seen == ("z",)


def test_groups_do_not_depend_on_where_reading_began() -> None:
    late = merged(Merger(4, STEP), [tick(number) for number in range(5, 12)])
    whole = merged(Merger(4, STEP), [tick(number) for number in range(1, 12)])
    assert late == whole[2:]


def test_a_copy_goes_on_alone() -> None:
    merger = Merger(4, STEP)
    assert not list(merger.take((), tick(1)))
    other = merger.copy()
    assert not list(other.take((), tick(2)))
    assert merger.rest() == tick(1)
    assert other.rest()[0].canary == {"a": (9, 2)}


def test_one_is_no_merging() -> None:
    ticks = [tick(1), tick(2)]
    assert merged(Merger(1, STEP), ticks) == [*ticks[0], *ticks[1]]


@pytest.mark.parametrize("silent", [{"canary": 0}, {"stable": 0}])
def test_what_was_measured_is_not_merged_with_what_was_not(silent: dict[str, int]) -> None:
    ticks = [tick(1), tick(2), tick(3, **silent), tick(4)]
    lines = [line.at for line in merged(Merger(4, STEP), ticks) if line.objective == "errors"]
    assert lines == [START + number * STEP for number in (2, 3, 4)]


def test_a_group_ends_where_the_assignment_changes() -> None:
    sites: dict[str, tuple[Arm, str]] = {"a": ("canary", ""), "s0": ("stable", "")}
    told = AssignedLine("r1", START, sites)
    merger = Merger(4, STEP)
    lines: list[Line] = [*merger.take((), tick(1)), *merger.take((told,), tick(2))]
    assert lines == [*tick(1), told]


def test_a_counter_at_its_limit_stays_there() -> None:
    at = START + STEP
    lines = [
        (TickLine("r1", "errors", at + n * STEP, {"a": (MAX_COUNT, MAX_COUNT)}, {}),)
        for n in range(2)
    ]
    (found,) = merged(Merger(4, STEP), lines)
    assert found.canary == {"a": (MAX_COUNT, MAX_COUNT)}
