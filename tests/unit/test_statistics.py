"""The numbers behind the judge, against published and enumerated ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.statistics import (
    VARIANCE_FLOOR,
    Array,
    Counts,
    Grid,
    believed,
    detectable_ratio,
    harmless_grid,
    information,
    log_boost,
    log_mixture,
    log_of_many,
    log_ratios,
    log_sum,
    log_under,
    site_factor,
    site_log_ratios,
    site_rates,
    site_variance,
    tick_factor,
    worse_grid,
)

WORSE = worse_grid()


def counts(bad: list[float], expected: list[float], variance: float, **before: Array) -> Counts:
    zero = np.zeros(len(bad))
    return Counts(
        bad=np.array(bad, dtype=float),
        expected=np.array(expected, dtype=float),
        variance=np.full(len(bad), variance),
        bad_before=before.get("bad_before", zero),
        expected_before=before.get("expected_before", zero),
    )


def ratio(delta: float, found: Counts) -> float:
    return float(log_ratios(np.array([delta]), found)[0])


def log_negative_binomial(bad: int, mean: float, variance: float) -> float:
    size = 1 / variance
    return (
        math.lgamma(bad + size)
        - math.lgamma(size)
        - math.lgamma(bad + 1)
        + size * math.log(size / (size + mean))
        + bad * math.log(mean / (size + mean))
    )


def binomial_ratios(canary: int, stable: int, events: int, stable_events: int) -> Array:
    """Formula 4.2: given a bad event, it is the canary's with probability rho e^delta / (...)."""
    rho = events / (events + stable_events)
    tilted = rho * np.exp(WORSE.deltas) / (1 - rho + rho * np.exp(WORSE.deltas))
    return np.asarray(
        canary * np.log(tilted / rho) + stable * np.log((1 - tilted) / (1 - rho)), dtype=float
    )


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        ([(5, 95, 500, 9500)], -0.635538),
        ([(10, 95, 500, 9500)], 1.237326),
        ([(10, 95, 500, 9500), (10, 95, 500, 9500)], 2.729433),
        ([(25, 95, 500, 9500)], 15.467616),
    ],
)
def test_grid_and_weights_give_the_reference_figures(
    ticks: list[tuple[int, int, int, int]], expected: float
) -> None:
    ratios = np.sum([binomial_ratios(*tick) for tick in ticks], axis=0)
    assert log_mixture(WORSE, ratios, 1.0) == pytest.approx(expected, abs=1e-6)


def test_frailty_ratio_gives_the_reference_figure() -> None:
    found = ratio(math.log(2), counts([7], [4], 0.25))
    assert found == pytest.approx(0.3919140747, abs=1e-10)


@given(
    st.integers(0, 200),
    st.floats(0.01, 100),
    st.floats(0.001, 5),
    st.floats(-1, 2.3),
)
def test_frailty_ratio_is_one_of_negative_binomials(
    bad: int, mean: float, variance: float, delta: float
) -> None:
    above = log_negative_binomial(bad, mean * math.exp(delta), variance)
    below = log_negative_binomial(bad, mean, variance)
    found = ratio(delta, counts([bad], [mean], variance))
    assert found == pytest.approx(above - below, rel=1e-6, abs=1e-6)


@given(st.integers(0, 200), st.floats(0.01, 100), st.floats(-1, 2.3))
def test_without_random_effect_the_ratio_is_poisson(bad: int, mean: float, delta: float) -> None:
    poisson = bad * delta - mean * math.expm1(delta)
    found = ratio(delta, counts([bad], [mean], VARIANCE_FLOOR))
    assert found == pytest.approx(poisson, rel=0.02, abs=0.1)
    assert ratio(delta, counts([bad], [mean], 1e-9)) == pytest.approx(poisson, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("delta", [-0.4, 0.1, 0.7, 2.3])
def test_ratio_has_mean_one_while_nothing_changed(delta: float) -> None:
    mean, variance = 3.0, 0.2
    total = sum(
        math.exp(
            log_negative_binomial(bad, mean, variance)
            + ratio(delta, counts([bad], [mean], variance))
        )
        for bad in range(1500)
    )
    assert total == pytest.approx(1, abs=1e-6)


def test_what_a_site_did_before_tells_its_own_rate() -> None:
    effects = np.linspace(1e-4, 12, 200_000)
    variance, before, within = 0.3, (9, 5.0), (11, 6.0)

    def marginal(delta: float) -> float:
        weight = effects ** (1 / variance - 1) * np.exp(-effects / variance)
        early = effects ** before[0] * np.exp(-effects * before[1])
        late = (effects * math.exp(delta)) ** within[0]
        return float((weight * early * late * np.exp(-effects * within[1] * math.exp(delta))).sum())

    found = counts(
        [within[0]],
        [within[1]],
        variance,
        bad_before=np.array([float(before[0])]),
        expected_before=np.array([before[1]]),
    )
    by_integral = math.log(marginal(0.5) / marginal(0.0))
    assert ratio(0.5, found) == pytest.approx(by_integral, abs=1e-6)


def test_ratios_of_sites_add_up() -> None:
    both = ratio(0.5, counts([3, 8], [2, 9], 0.1))
    apart = ratio(0.5, counts([3], [2], 0.1)) + ratio(0.5, counts([8], [9], 0.1))
    assert both == pytest.approx(apart)


def test_information_is_the_curvature_of_the_mean_ratio() -> None:
    found = counts([4, 6], [4, 6], 0.2)
    step = 1e-3
    curvature = -(ratio(step, found) + ratio(-step, found)) / step**2
    assert information(found) == pytest.approx(curvature, rel=1e-3)


@pytest.mark.parametrize("grid", [WORSE, harmless_grid(1.5), harmless_grid(1.3), harmless_grid(4)])
def test_weights_of_a_grid_sum_to_one(grid: Grid) -> None:
    assert np.exp(grid.log_weights).sum() == pytest.approx(1)


def test_grids_stay_on_their_side() -> None:
    assert WORSE.deltas[0] == pytest.approx(math.log(1.02))
    assert WORSE.deltas[-1] == pytest.approx(math.log(10))
    assert harmless_grid(1.5).deltas.max() < math.log(1.5)


def test_evidence_that_deserves_no_share_is_none() -> None:
    assert log_mixture(WORSE, np.full(30, 500.0), 0.0) == pytest.approx(0)


@given(st.integers(0, 2**32), st.floats(0.5, 30), st.floats(0.01, 0.3), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_whoever_stops_when_he_likes_finds_no_more_evidence_than_chance_gives(
    seed: int, per_tick: float, chance: float, patience: int
) -> None:
    """Optional stopping: any rule that looks only back has a mean of at most 1."""
    rng = np.random.default_rng(seed)
    runs, ticks = 200, 40
    bad = rng.poisson(per_tick, (runs, ticks)).cumsum(axis=1)
    expected = per_tick * np.arange(1, ticks + 1)
    ratios = bad[:, :, None] * WORSE.deltas - expected[:, None] * np.expm1(WORSE.deltas)
    evidence = np.exp(np.logaddexp.reduce(WORSE.log_weights + ratios, axis=2))
    highest = np.maximum.accumulate(evidence, axis=1)
    tired = rng.random((runs, ticks)) < chance  # a coin that falls after the tick was seen
    waited = np.arange(ticks) >= patience
    stop = tired | waited | (evidence >= 20) | (evidence < highest / 50)
    stop[:, -1] = True
    stopped = np.minimum(evidence[np.arange(runs), stop.argmax(axis=1)], 1e3)
    assert stopped.mean() <= 1 + 5 * max(stopped.std(), 0.3) / runs**0.5


@pytest.mark.parametrize("events", [0.2, 3.0, 40.0, 300.0])
@pytest.mark.parametrize("room", [0.3, 1.0, 4.0])
def test_a_boost_makes_up_for_what_lies_beyond_the_bound(events: float, room: float) -> None:
    boost = log_boost(WORSE, events, room)
    numbers = np.arange(1500)
    chances = np.array([k * math.log(events) - events - math.lgamma(k + 1) for k in numbers])
    ratios = WORSE.deltas * numbers[:, None] - events * np.expm1(WORSE.deltas)
    growth = np.logaddexp.reduce(WORSE.log_weights + ratios, axis=1)
    assert boost >= 0
    assert np.exp(chances + np.minimum(boost + growth, room)).sum() == pytest.approx(1, abs=1e-9)


def test_a_boost_far_from_the_bound_is_none() -> None:
    assert log_boost(WORSE, 0.5, 50.0) == pytest.approx(0, abs=1e-6)
    assert log_boost(WORSE, 1e9, 4.0) == log_boost(WORSE, 400.0, 4.0)


@pytest.mark.cpu(20)
@pytest.mark.slow
def test_boosted_evidence_reaches_the_bound_in_alpha_of_harmless_runs() -> None:
    """Each run takes its own way; the bound is met in nearly all of alpha, and never in more."""
    rng, alpha, runs = np.random.default_rng(4), 0.1, 800
    grid = Grid(np.array([math.log(1.5)]), np.zeros(1))
    found = 0
    for _ in range(runs):
        log = 0.0
        for bad in rng.poisson(6.0, 25):
            log += log_boost(grid, 6.0, -math.log(alpha) - log)
            log += bad * grid.deltas[0] - 6.0 * 0.5
            if log >= -math.log(alpha):
                found += 1
                break
    assert found / runs == pytest.approx(alpha, abs=3 * (alpha / runs) ** 0.5)


def test_one_site_says_no_more_than_it_may() -> None:
    ratios = np.array([[9.0], [0.1], [0.1], [-0.2]])
    assert log_of_many(ratios, 1.0, 2.0)[0] == pytest.approx(2.0 + math.log1p(-0.05), abs=1e-6)
    assert log_of_many(ratios[:2], 1.0, 2.0)[0] == pytest.approx(9.1)  # two have to be believed


def test_one_site_cannot_hide_what_all_others_say() -> None:
    ratios = np.array([[-500.0], *[[1.0]] * 20])
    assert log_of_many(ratios, 1.0, 2.0)[0] == pytest.approx(20 + math.log(0.05 / 21))


@pytest.mark.cpu(20)
@pytest.mark.slow
@given(st.integers(0, 2**32), st.floats(0.1, 30), st.floats(0.02, 1))
@settings(max_examples=10, deadline=None)
def test_sums_that_doubt_one_site_have_a_mean_of_at_most_one(
    seed: int, mean: float, variance: float
) -> None:
    rng = np.random.default_rng(seed)
    sites, runs = 6, 1000
    effects = rng.gamma(1 / variance, variance, (runs, sites))
    bad = rng.poisson(effects * mean).astype(float)
    evidence = np.empty(runs)
    for run in range(runs):
        found = counts(bad[run].tolist(), [mean] * sites, variance)
        ratios = site_log_ratios(np.array([0.2]), found)
        evidence[run] = math.exp(log_of_many(ratios, 1.0, 2.0)[0])
    assert evidence.mean() <= 1 + 4 * evidence.std() / runs**0.5


def test_stable_sites_are_believed_as_far_as_they_are_usual() -> None:
    usual = np.full(100, 2.0)
    bad, expected = believed(usual, usual)
    assert (bad.tolist(), expected.tolist()) == (usual.tolist(), usual.tolist())
    loud, quiet = bad.copy(), expected.copy()
    loud[0], quiet[1] = 2**53, 2**53
    bad, expected = believed(loud, quiet)
    assert bad[0] == pytest.approx(3 + 5 * 2, rel=0.05)
    assert expected[1] == 6


def test_log_sum_survives_what_exp_does_not() -> None:
    assert log_sum(np.array([1e5, 1e5])) == pytest.approx(1e5 + math.log(2))
    assert log_sum(np.array([-1e5, -1e5])) == pytest.approx(-1e5 + math.log(2))
    assert log_sum(np.array([-math.inf, -math.inf])) == -math.inf


def test_rates_without_history_are_all_one() -> None:
    assert site_rates(np.zeros(3), np.zeros(3)).tolist() == [1, 1, 1]
    assert site_rates(np.full(3, 1000.0), np.zeros(3)).tolist() == [1, 1, 1]


def test_a_site_without_history_gets_the_mean_of_the_prior() -> None:
    rates = site_rates(np.array([1000.0, 1000.0, 0.0]), np.array([5.0, 45.0, 0.0]))
    assert rates[2] == pytest.approx(0.025)


def test_a_rate_lies_between_its_own_history_and_the_fleet() -> None:
    own, fleet = np.array([0.005, 0.045]), 0.025
    short = site_rates(np.full(2, 1000.0), own * 1000)
    long = site_rates(np.full(2, 100_000.0), own * 100_000)
    assert own[0] < long[0] < short[0] < fleet < short[1] < long[1] < own[1]


def test_sites_that_do_not_differ_share_one_rate() -> None:
    rates = site_rates(np.full(4, 100.0), np.array([1.0, 1.0, 1.0, 1.0]))
    assert rates == pytest.approx(np.full(4, 0.01))


def test_a_tick_without_stable_bad_events_keeps_a_factor() -> None:
    usual = tick_factor(95, 95, 950, 950)
    assert usual == pytest.approx(1)
    assert 0 < tick_factor(0, 95, 950, 950) < 0.02
    assert 0 < tick_factor(0, 9500, 0, 0) < 0.001


def test_variance_between_sites_is_recovered() -> None:
    rng = np.random.default_rng(5)
    expected = np.full(4000, 20.0)
    bad = rng.poisson(expected * rng.gamma(1 / 0.2, 0.2, 4000)).astype(float)
    plain = site_variance(bad, expected, 0.0)
    assert plain == pytest.approx(0.2, rel=0.1)
    assert site_variance(bad, expected, 2.0) > plain


def test_variance_has_a_floor() -> None:
    assert site_variance(np.full(9, 5.0), np.full(9, 5.0), 0.0) == VARIANCE_FLOOR
    assert site_variance(np.zeros(0), np.zeros(0), 2.0) == VARIANCE_FLOOR


def test_factor_weighs_busy_sites_like_the_ratio_does() -> None:
    expected = np.array([1000.0, *[1.0] * 1000])
    bad = np.array([900.0, *[1.1] * 1000])
    assert bad.sum() == expected.sum()
    assert site_factor(bad, expected, 1e-6) == pytest.approx(1, abs=1e-3)
    assert site_factor(bad, expected, 0.5) == pytest.approx(1.1, abs=1e-2)


def test_factor_without_bad_events_stays_above_zero() -> None:
    assert site_factor(np.zeros(5), np.full(5, 0.001), 0.1) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_detectable_ratio_stands_at_the_bound(share: float) -> None:
    expected, bound = [4.0, 9.0, 1.0], math.log(100)
    found = detectable_ratio(WORSE, counts([0, 0, 0], expected, 0.02), share, bound)
    assert found is not None

    def evidence(times: float) -> float:
        there = counts([times * each for each in expected], expected, 0.02)
        return log_mixture(WORSE, log_ratios(WORSE.deltas, there), share)

    assert evidence(found / 1.01) < bound <= evidence(found)


def test_nothing_is_detectable_without_events() -> None:
    assert detectable_ratio(WORSE, counts([0], [1e-6], 0.1), 1.0, math.log(100)) is None


@pytest.mark.parametrize("true", [0.001, 0.002, 0.01])
def test_the_evidence_of_rarity_expects_at_most_one_where_events_are_not_rare(true: float) -> None:
    events, rate = 2000, 0.001
    mean = true * events
    chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(120)]
    expected = sum(
        chance * math.exp(log_under(k, events, rate)) for k, chance in enumerate(chances)
    )
    assert expected <= 1 + 1e-9


def test_no_bad_event_in_4100_shows_less_than_one_in_a_thousand() -> None:
    assert log_under(0, 4100, 0.001) > math.log(20)
    assert log_under(4, 4100, 0.001) < 0
