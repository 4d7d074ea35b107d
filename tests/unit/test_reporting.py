"""Sites that served and went silent: a breach where only the canary's did, nothing else."""

import itertools
import math
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import hypergeom

from reconciler.analysis import Code, Judge, ObjectiveVerdict, Verdict
from reconciler.analysis.reporting import PRIOR, THETAS, chance_of_ratio, log_loss_ratios
from reconciler.recording import Arm, AssignedLine, Line, TickLine, dump, parse

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
SITES = tuple(f"plant-{number:04d}" for number in range(100))
CANARY, STABLE = SITES[:5], SITES[5:]
Away = Callable[[int], Collection[str]]


def assigned(canary: Collection[str] = CANARY, strata: int = 1) -> AssignedLine:
    sites: dict[str, tuple[Arm, str]] = {
        site: ("canary" if site in canary else "stable", f"s{number % strata}")
        for number, site in enumerate(SITES)
    }
    return AssignedLine("r1", START, sites)


def ticks(
    first: int,
    last: int,
    away: Away = lambda _: (),
    canary: Collection[str] = CANARY,
    objectives: Collection[str] = ("errors",),
    counts: tuple[int, int] = (20, 0),
) -> Iterator[TickLine]:
    for number in range(first, last + 1):
        gone = set(away(number))
        there = [site for site in SITES if site not in gone]
        arms = (
            {site: counts for site in there if site in canary},
            {site: counts for site in there if site not in canary},
        )
        at = START + number * timedelta(minutes=5)
        for objective in objectives:
            yield TickLine("r1", objective, at, *arms, (len(arms[0]), len(arms[1])))


def judged(*lines: Line) -> list[ObjectiveVerdict]:
    judge = Judge()
    found = (judge.feed(parse(dump(line), "recording", 1)) for line in lines)
    return [verdict for verdict in found if verdict is not None]


def is_lost(verdict: ObjectiveVerdict) -> bool:
    return verdict.reasons[0].code is Code.REPORTING_LOST


def from_tick(first: int, sites: Collection[str]) -> Away:
    return lambda number: sites if number >= first else ()


# ------------------------------------------------------------------ what is a breach


def test_a_canary_that_goes_silent_is_breached_after_15_minutes_and_a_tick() -> None:
    found = judged(assigned(), *ticks(1, 20, from_tick(11, CANARY)))
    first = next(number for number, one in enumerate(found, 1) if is_lost(one))
    assert first == 14
    assert found[first - 1].verdict is Verdict.BREACHED
    assert "5 of 5 canary sites went silent" in found[first - 1].reasons[0].text
    assert "while 95 of 95 stable sites report" in found[first - 1].reasons[0].text
    assert all(one.verdict is Verdict.BREACHED for one in found[first:]), "it stays proven"


def test_every_objective_says_it() -> None:
    lines = ticks(1, 20, from_tick(11, CANARY), objectives=("errors", "confidence"))
    assert [is_lost(one) for one in judged(assigned(), *lines)[-2:]] == [True, True]


def test_sites_that_go_one_after_the_other_are_found_too() -> None:
    lines = ticks(1, 60, lambda number: CANARY[: max(0, (number - 6) // 6)])
    assert is_lost(judged(assigned(), *lines)[-1])


def test_a_late_loss_is_found_after_days_of_equal_ones() -> None:
    """Before, one site in five went away once, whatever its arm."""

    ten = SITES[:10]

    def away(number: int) -> Collection[str]:
        return ten if number >= 260 else SITES[::5][number // 12 : number // 12 + 1]

    found = judged(assigned(ten), *ticks(1, 266, away, ten))
    assert not any(is_lost(one) for one in found[:260])
    assert is_lost(found[-1])


def test_a_recording_without_assignment_is_judged_alike() -> None:
    assert is_lost(judged(*ticks(1, 20, from_tick(11, CANARY)))[-1])


def test_sites_that_joined_later_are_watched_too() -> None:
    ten = SITES[:10]
    lines = (*ticks(1, 12), assigned(ten), *ticks(13, 40, from_tick(25, ten), ten))
    assert is_lost(judged(assigned(), *lines)[-1])


# ------------------------------------------------------------------ what is none

EVERY_THIRD = SITES[::3]
EQUAL: dict[str, Away] = {
    "all at once": from_tick(11, SITES),
    "Prometheus is away for an hour": lambda number: SITES if 11 <= number < 23 else (),
    "half of the fleet and all of the canary": from_tick(11, SITES[:52]),
    "a region with its share of the canary": from_tick(11, (*CANARY[:2], *STABLE[:38])),
    "ten minutes": lambda number: CANARY if 11 <= number < 13 else (),
    "two of five": from_tick(11, CANARY[:2]),
    "each site now and then": lambda number: SITES[number % 7 :: 7],
    "a third for a quarter of an hour each hour": lambda number: (
        SITES[number // 12 % 3 :: 3] if number % 12 < 4 else ()
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_silence_that_is_not_the_canarys_own_is_no_breach(name: str) -> None:
    found = judged(assigned(), *ticks(1, 80, EQUAL[name]))
    assert not any(one.verdict is Verdict.BREACHED for one in found)


def test_a_canary_that_never_served_is_left_to_adoption() -> None:
    found = judged(assigned(), *ticks(1, 40, from_tick(0, CANARY)))
    assert not any(one.verdict is Verdict.BREACHED for one in found)


def test_a_line_that_stands_still_is_not_silent() -> None:
    idle = [
        TickLine("r1", one.objective, one.at, dict.fromkeys(CANARY, (0, 0)), one.stable)
        for one in ticks(11, 40)
    ]
    found = judged(assigned(), *ticks(1, 10), *idle)
    assert not any(is_lost(one) for one in found)


def test_canary_sites_that_are_fresh_without_being_named_are_not_silent() -> None:
    """Such as those that count under another release, in recordings of before."""
    unnamed = [
        TickLine("r1", one.objective, one.at, {}, one.stable, (5, 95)) for one in ticks(11, 40)
    ]
    found = judged(assigned(), *ticks(1, 10), *unnamed)
    assert not any(is_lost(one) for one in found)


def test_canary_sites_that_are_seen_without_counts_are_not_silent() -> None:
    seen = [
        TickLine("r1", one.objective, one.at, {}, one.stable, (3, 95), CANARY)
        for one in ticks(11, 40)
    ]
    found = judged(assigned(), *ticks(1, 10), *seen)
    assert not any(is_lost(one) for one in found)


def test_a_whole_stratum_that_goes_says_nothing() -> None:
    """With one switch for each stratum, the canary's share of it goes with the rest."""
    away = from_tick(11, SITES[::20] + SITES[1::20] + SITES[2::20])
    found = judged(assigned(strata=20), *ticks(1, 40, away))
    assert not any(one.verdict is Verdict.BREACHED for one in found)


def test_at_100_percent_nobody_is_left_to_compare_with() -> None:
    found = judged(assigned(SITES), *ticks(1, 40, from_tick(11, SITES[:60]), SITES))
    assert not any(one.verdict is Verdict.BREACHED for one in found)


def test_objectives_one_after_the_other_are_taken() -> None:
    lines = [*ticks(1, 9), *ticks(1, 9, objectives=("confidence",))]
    assert not any(one.verdict is Verdict.BREACHED for one in judged(assigned(), *lines))


# ------------------------------------------------------------------ the numbers


@pytest.mark.parametrize(
    ("canary", "stable", "lost"), [(3, 7, 2), (5, 95, 5), (4, 2, 5), (1, 0, 1)]
)
def test_a_ratio_is_worth_one_on_average(canary: int, stable: int, lost: int) -> None:
    could = range(max(0, lost - stable), min(lost, canary) + 1)
    usual = hypergeom(canary + stable, canary, lost)
    mean = sum(usual.pmf(one) * np.exp(log_loss_ratios(canary, stable, lost, one)) for one in could)
    assert mean == pytest.approx(np.ones(len(THETAS)))


def test_a_ratio_is_the_one_of_two_draws() -> None:
    """Against all 120 equally likely ways to draw 3 of 10, weighed by theta for each canary."""
    draws = list(itertools.combinations(range(10), 3))
    for theta, found in zip(THETAS, log_loss_ratios(4, 6, 3, 2), strict=True):
        weights = [theta ** sum(one < 4 for one in draw) for draw in draws]
        assert found == pytest.approx(math.log(theta**2 * len(draws) / sum(weights)))


def test_the_weights_sum_to_one() -> None:
    assert PRIOR.sum() == pytest.approx(1)


# ------------------------------------------------------------------ the sample ratio


def mixed(*lines: Line) -> bool:
    found = judged(*lines)[-1]
    assert found.verdict is not Verdict.BREACHED
    return Code.SAMPLE_RATIO in {reason.code for reason in found.reasons}


@pytest.mark.parametrize(
    ("away", "is_odd"),
    [
        ((), False),
        (CANARY[:3], True),
        (CANARY[:2], False),
        (SITES[::3], False),
        ((*CANARY[:2], *STABLE[:30]), False),
        (STABLE[:60], False),
        (STABLE[:85], True),
    ],
)
def test_those_who_report_are_those_who_were_drawn(away: Collection[str], is_odd: bool) -> None:
    lines = ticks(1, 30, lambda _: away, counts=(200, 2))
    assert mixed(assigned(), *lines) is is_odd


def test_an_odd_ratio_keeps_a_healthy_canary_from_advancing() -> None:
    ten = SITES[:20]
    fine = ticks(1, 30, lambda _: (), ten, counts=(200, 4))
    odd = ticks(1, 30, lambda _: ten[:9], ten, counts=(200, 4))
    assert judged(assigned(ten), *fine)[-1].verdict is Verdict.HEALTHY
    found = judged(assigned(ten), *odd)[-1]
    assert (found.verdict, found.reasons[0].code) == (Verdict.UNDECIDED, Code.SAMPLE_RATIO)
    assert "11 of 20 canary and 80 of 80 stable sites report" in found.reasons[0].text


def test_the_chance_of_a_ratio_is_that_of_the_draw() -> None:
    usual = hypergeom(100, 5, 97)
    assert chance_of_ratio(5, 95, 2, 95) == pytest.approx(2 * usual.cdf(2))
    assert chance_of_ratio(5, 95, 5, 92) == pytest.approx(1.0, abs=0.3)


@pytest.mark.cpu(30)
def test_random_assignment_keeps_the_promise_whatever_takes_sites_away() -> None:
    """Switches of ten sites that fail together, drawn anew; the canary at random."""
    chance = np.random.default_rng(20261121)
    crossed = 0
    for _ in range(60):
        canary = {SITES[one] for one in chance.choice(100, 10, replace=False)}
        away: dict[int, set[str]] = {}
        for group in chance.permutation(100).reshape(10, 10):
            begin, length = int(chance.integers(5, 40)), int(chance.integers(1, 20))
            for number in range(begin, begin + length):
                away.setdefault(number, set()).update(SITES[one] for one in group)
        judge = Judge()
        judge.feed(assigned(canary))
        for line in ticks(1, 45, lambda number, away=away: away.get(number, ()), canary):
            judge.feed(line, decide=False)
        crossed += judge.reporting.proof is not None
    assert crossed == 0
