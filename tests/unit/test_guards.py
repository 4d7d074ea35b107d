"""The absolute guards: a burning canary goes, a burning fleet waits for a person."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from reconciler.analysis import Code, Judge, ObjectiveVerdict, Settings, Verdict
from reconciler.analysis.burn import Share, log_above
from reconciler.recording import Arm, AssignedLine, HistoryLine, Line, TickLine

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
SITES = tuple(f"plant-{number:04d}" for number in range(100))
TEN, REST = SITES[:10], SITES[10:]
HOLDING = {Code.BURNS_ALIKE}
ACTING = {Code.BURNING, Code.CEILING, Code.EXPOSED}
# Evidence of comparison is switched off, so that only the guards can speak.
BLIND: dict[str, Any] = {"alpha": 1e-300, "least_stable": 10**6, "budgets": {"errors": 0.01}}


def assigned(canary: Collection[str], sites: Collection[str] = SITES) -> AssignedLine:
    arms: dict[str, tuple[Arm, str]] = {
        site: ("canary" if site in canary else "stable", "") for site in sites
    }
    return AssignedLine("r1", START, arms)


def ticks(
    first: int,
    last: int,
    canary: Mapping[str, tuple[int, int]],
    stable: Mapping[str, tuple[int, int]],
    minutes: int = 5,
) -> Iterator[TickLine]:
    for number in range(first, last + 1):
        at = START + number * timedelta(minutes=minutes)
        yield TickLine("r1", "errors", at, canary, stable, (len(canary), len(stable)))


def all_of(
    sites: Collection[str], events: int = 100, bad: int = 1
) -> Mapping[str, tuple[int, int]]:
    return dict.fromkeys(sites, (events, bad))


def judged(*lines: Line, **more: Any) -> ObjectiveVerdict:
    judge = Judge(Settings(**BLIND | more))
    found = [judge.feed(line) for line in lines]
    assert found[-1] is not None
    return found[-1]


def codes(verdict: ObjectiveVerdict) -> set[Code]:
    return {reason.code for reason in verdict.reasons}


def acts(verdict: ObjectiveVerdict) -> Code | None:
    if verdict.verdict is not Verdict.BREACHED:
        assert not codes(verdict) & ACTING
        return None
    assert verdict.reasons[0].code in ACTING
    return verdict.reasons[0].code


# ------------------------------------------------------------------ burn rate


def test_a_canary_that_burns_alone_is_taken_back() -> None:
    found = judged(assigned(TEN), *ticks(1, 3, all_of(TEN, bad=15), all_of(REST)))
    assert acts(found) is Code.BURNING
    text = found.reasons[0].text
    assert text.startswith("the error budget of the canary burns 15 and 15 times too fast")
    assert text.endswith("stable 1 times")


def test_a_slower_burn_needs_the_longer_windows() -> None:
    lines = [
        *ticks(1, 60, all_of(TEN), all_of(REST)),
        *ticks(61, 90, all_of(TEN, bad=8), all_of(REST)),
    ]
    assert acts(judged(assigned(TEN), *lines)) is None
    more = ticks(91, 132, all_of(TEN, bad=8), all_of(REST))
    found = judged(assigned(TEN), *lines, *more)
    assert acts(found) is Code.BURNING
    assert "over 6 h and 30 min" in found.reasons[0].text


@pytest.mark.parametrize("bad", [2, 5])
def test_what_burns_slower_is_left_to_the_comparison(bad: int) -> None:
    found = judged(assigned(TEN), *ticks(1, 8, all_of(TEN, bad=bad), all_of(REST)))
    assert acts(found) is None
    assert not codes(found) & HOLDING


def test_one_tick_in_which_all_is_bad_takes_nothing_back() -> None:
    lines = (
        *ticks(1, 36, all_of(TEN), all_of(REST)),
        *ticks(37, 37, all_of(TEN, bad=100), all_of(REST)),
        *ticks(38, 42, all_of(TEN), all_of(REST)),
    )
    assert acts(judged(assigned(TEN), *lines)) is None


def test_few_events_prove_nothing() -> None:
    found = judged(assigned(TEN), *ticks(1, 5, all_of(TEN, 2, 1), all_of(REST)))
    assert acts(found) is None


@pytest.mark.parametrize("stable", [8, 15, 40])
def test_a_plant_that_burns_as_a_whole_waits_for_a_person(stable: int) -> None:
    found = judged(assigned(TEN), *ticks(1, 30, all_of(TEN, bad=15), all_of(REST, bad=stable)))
    assert acts(found) is None
    assert Code.BURNS_ALIKE in codes(found)
    assert found.verdict is not Verdict.HEALTHY
    text = next(one.text for one in found.reasons if one.code is Code.BURNS_ALIKE)
    assert text.endswith(f"stable {stable} times: it may be what all plants share")


def test_sites_that_were_always_bad_do_not_burn_by_the_release() -> None:
    history = HistoryLine("r1", None, {**all_of(TEN, 9000, 1350), **all_of(REST, 9000, 90)})
    lines = (assigned(TEN), *ticks(1, 30, all_of(TEN, bad=15), all_of(REST)))
    assert acts(judged(*lines)) is Code.BURNING
    found = judged(history, *lines)
    assert acts(found) is None
    assert Code.BURNS_ALIKE in codes(found)


def test_a_silent_stable_arm_takes_nothing_back() -> None:
    first = ticks(1, 3, all_of(TEN), all_of(REST))
    found = judged(assigned(TEN), *first, *ticks(4, 40, all_of(TEN, bad=50), {}))
    assert acts(found) is None
    assert found.verdict is Verdict.STALE


# ------------------------------------------------------------------ a plant that lies


@pytest.mark.parametrize("lie", [(2**50, 2**50), (100, 100), (10_000, 9_999)])
def test_one_canary_site_cannot_force_a_revert(lie: tuple[int, int]) -> None:
    canary = {**all_of(TEN), TEN[3]: lie}
    found = judged(assigned(TEN), *ticks(1, 40, canary, all_of(REST)))
    assert acts(found) is None


@pytest.mark.parametrize("lie", [(2**50, 0), (10**6, 0)])
def test_one_canary_site_cannot_stop_one(lie: tuple[int, int]) -> None:
    canary = {**all_of(TEN, bad=40), TEN[3]: lie}
    found = judged(assigned(TEN), *ticks(1, 40, canary, all_of(REST)))
    assert acts(found) is Code.BURNING


@pytest.mark.parametrize("lie", [(2**50, 2**50), (100, 100), (2**50, 0)])
def test_one_stable_site_can_do_neither(lie: tuple[int, int]) -> None:
    stable = {**all_of(REST), REST[3]: lie}
    burning = judged(assigned(TEN), *ticks(1, 8, all_of(TEN, bad=40), stable))
    quiet = judged(assigned(TEN), *ticks(1, 8, all_of(TEN), stable))
    assert (acts(burning), acts(quiet)) == (Code.BURNING, None)


# ------------------------------------------------------------------ small fleets


def test_four_of_twenty_sites_are_enough() -> None:
    few = SITES[:20]
    lines = ticks(1, 3, all_of(few[:4], bad=30), all_of(few[4:]))
    assert acts(judged(assigned(few[:4], few), *lines)) is Code.BURNING


def test_one_canary_site_alone_asks_a_person() -> None:
    five = SITES[:5]
    lines = ticks(1, 12, all_of(five[:1], bad=30), all_of(five[1:]))
    found = judged(assigned(five[:1], five), *lines)
    assert acts(found) is None
    assert "one site alone proves nothing" in str(found.reasons)


# ------------------------------------------------------------------ at 100 percent


def test_at_100_percent_sites_that_joined_last_are_compared_with_those_before() -> None:
    half = SITES[:50]
    before = ticks(1, 12, all_of(half), all_of(SITES[50:]))
    burning = {**all_of(half), **all_of(SITES[50:], bad=30)}
    after = ticks(13, 16, burning, {})
    found = judged(assigned(half), *before, assigned(SITES), *after)
    assert acts(found) is Code.BURNING
    assert "error budget of the sites that joined last burns" in found.reasons[0].text
    assert "those before them 1 times" in found.reasons[0].text


def test_at_100_percent_a_fleet_that_burns_as_a_whole_waits_for_a_person() -> None:
    half = SITES[:50]
    before = ticks(1, 12, all_of(half), all_of(SITES[50:]))
    found = judged(
        assigned(half), *before, assigned(SITES), *ticks(13, 40, all_of(SITES, bad=30), {})
    )
    assert acts(found) is None
    assert Code.BURNS_ALIKE in codes(found)


@pytest.mark.parametrize("bad", [15, 30, 90])
@pytest.mark.parametrize("first", [2, 13, 30])
def test_a_fleet_that_begins_to_burn_with_a_step_waits_for_a_person(first: int, bad: int) -> None:
    """Those who joined a moment ago have no good hour behind them, the others do."""
    half = SITES[:50]
    lines = [
        *ticks(1, first - 1, all_of(TEN), all_of(REST)),
        assigned(half),
        *ticks(first, first + 30, all_of(half, bad=bad), all_of(SITES[50:], bad=bad)),
    ]
    assert acts(judged(assigned(TEN), *lines)) is None


def test_at_100_percent_in_one_step_nobody_is_left_to_compare_with() -> None:
    found = judged(assigned(SITES), *ticks(1, 12, all_of(SITES, bad=30), {}))
    assert acts(found) is None
    assert "nobody is left to compare with" in str(found.reasons)


# ------------------------------------------------------------------ ceiling and exposure


def test_the_ceiling_does_not_need_a_short_window() -> None:
    """A burst in every other tick: none of the short windows sees both."""
    lines = []
    for number in range(1, 40):
        canary = all_of(TEN, 20, 8) if number % 2 else all_of(TEN, 20, 0)
        lines += [*ticks(number, number, canary, all_of(REST, 20, 0))]
    lines = [*lines, *ticks(40, 40, all_of(TEN, 20, 0), all_of(REST, 20, 0))]
    found = judged(assigned(TEN), *lines)
    assert acts(found) in (Code.CEILING, Code.BURNING)


def test_more_than_a_twentieth_of_a_month_of_errors_is_enough() -> None:
    """Five times the errors on half of the fleet, with the comparison switched off."""
    half = SITES[:50]
    lines = ticks(1, 24 * 12, all_of(half, bad=5), all_of(SITES[50:], bad=1))
    assert acts(judged(assigned(half), *lines)) is Code.EXPOSED


# ------------------------------------------------------------------ the numbers


def test_no_guard_without_a_target() -> None:
    found = judged(assigned(TEN), *ticks(1, 30, all_of(TEN, bad=90), all_of(REST)), budgets={})
    assert acts(found) is None


def test_the_ceiling_is_a_bernoulli_mixture() -> None:
    share = Share(np.array([[1000.0], [200.0]]))
    rates = 0.144 * np.array([1.1, 1.25, 1.5, 2.0, 3.0, 5.0])
    ratios = (rates / 0.144) ** 200 * ((1 - rates) / (1 - 0.144)) ** 800
    assert log_above(share, 0.144) == pytest.approx(np.log(ratios.mean()))
    assert log_above(share, 0.95) == 0.0


def test_the_ceiling_is_worth_at_most_one_on_average() -> None:
    from scipy.stats import binom

    worth = [np.exp(log_above(Share(np.array([[60.0], [float(bad)]])), 0.144)) for bad in range(61)]
    for rate in (0.144, 0.1, 0.01):
        assert float(binom.pmf(range(61), 60, rate) @ worth) <= 1 + 1e-9
