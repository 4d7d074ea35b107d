"""Split traffic is weighed as published, and blocks of time that stray raise no alarm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.analysis.traffic import (
    Blocks,
    detectable,
    log_gamma,
    log_ratios,
    variance_between,
)
from reconciler.statistics import Array, log_mixture, worse_grid

WORSE = worse_grid()
POISSON = 1e-12  # no block strays


def blocks(*told: tuple[int, int, int, int]) -> Blocks:
    """Take canary events and bad ones, stable events and bad ones, of each block."""
    canary, bad, stable, rest = np.array(told, dtype=np.float64).T
    return Blocks(bad, rest, canary / (canary + stable))


def log_worse(of: Blocks, variances: Array) -> float:
    return log_mixture(WORSE, log_ratios(WORSE.deltas, of, variances).sum(axis=1))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(500, 5, 9500, 95)], -0.635538),
        ([(500, 10, 9500, 95)], 1.237326),
        ([(500, 10, 9500, 95)] * 2, 2.729433),
        ([(500, 25, 9500, 95)], 15.467616),
    ],
)
def test_blocks_that_do_not_stray_give_the_reference_figures(
    told: list[tuple[int, int, int, int]], expected: float
) -> None:
    found = log_worse(blocks(*told), np.full(len(told), POISSON))
    assert found == pytest.approx(expected, abs=1e-6)


def log_ratio(
    thetas: np.ndarray[tuple[int], np.dtype[np.float64]], of: Blocks
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weigh chances of a canary's bad event against the share that is due, one for each."""
    (share,) = of.share
    deltas = np.log(thetas / (1 - thetas)) - math.log(share / (1 - share))
    return log_ratios(deltas, of, np.array([POISSON])).sum(axis=1)


@pytest.mark.parametrize(
    ("bad", "rest", "expected"),
    [(25, 475, -0.909783), (40, 460, 2.344949), (50, 450, 7.702229), (0, 100, 1.586463)],
)
def test_mixed_over_a_beta_the_ratio_is_the_conjugate_e_value(
    bad: int, rest: int, expected: float
) -> None:
    """Lindon & Malek's two-sided form with k = 100, in which a beta takes the place of our grid."""
    share, size = 0.05, 100
    thetas = (np.arange(200_000) + 0.5) / 200_000
    one, other = share * size, (1 - share) * size
    log_prior = (one - 1) * np.log(thetas) + (other - 1) * np.log1p(-thetas)
    log_prior += math.lgamma(size) - math.lgamma(one) - math.lgamma(other)
    found = log_ratio(thetas, Blocks(*(np.array([of]) for of in (bad, rest, share))))
    assert math.log(np.exp(log_prior + found).mean()) == pytest.approx(expected, abs=1e-6)


def test_the_ratio_gives_the_lines_of_the_sequential_sampling_plan() -> None:
    """NIST/SEMATECH handbook: p1 0.01, p2 0.10, alpha 0.05, beta 0.10."""
    worse = np.array([0.10])
    (bad,), (good,) = (
        log_ratio(worse, Blocks(np.array([one]), np.array([1 - one]), np.array([0.01])))
        for one in (1.0, 0.0)
    )
    each = bad - good
    assert round(-good / each, 4) == 0.0397
    assert round(math.log(0.10 / 0.95) / each, 3) == -0.939
    assert round(math.log(0.90 / 0.05) / each, 3) == 1.205


@given(st.floats(1e-6, 1e9))
def test_the_gamma_function_is_right(value: float) -> None:
    assert log_gamma(np.array([value]))[0] == pytest.approx(math.lgamma(value), rel=1e-10, abs=1e-9)


@given(st.integers(1, 60), st.floats(1e-5, 0.5), st.floats(0.02, 2.3))
def test_the_ratio_of_a_block_has_mean_one_while_nothing_changed(
    total: int, variance: float, delta: float
) -> None:
    bad = np.arange(total + 1)
    share = 0.3
    size = max(1 / (share * (1 - share) * variance) - 1, 1e-3)
    there, others = share * size, (1 - share) * size

    def log_chance(one: int) -> float:
        choose = math.lgamma(total + 1) - math.lgamma(one + 1) - math.lgamma(total - one + 1)
        top = math.lgamma(one + there) + math.lgamma(total - one + others)
        bottom = math.lgamma(there) + math.lgamma(others) - math.lgamma(size)
        return choose + top - math.lgamma(total + size) - bottom

    every = Blocks(bad * 1.0, (total - bad) * 1.0, np.full(total + 1, share))
    ratios = log_ratios(np.array([delta]), every, np.full(total + 1, variance))[0]
    mean = sum(math.exp(log_chance(int(one)) + ratio) for one, ratio in zip(bad, ratios, strict=1))
    assert mean == pytest.approx(1, abs=1e-6)


def test_a_block_without_anything_bad_says_nothing() -> None:
    assert log_ratios(WORSE.deltas, blocks((100, 0, 900, 0)), np.array([0.1])).any() == 0


def test_absurd_counts_stay_numbers() -> None:
    huge = 2**53
    found = log_ratios(WORSE.deltas, blocks((huge, huge, 900, 9)), np.array([0.15]))
    assert np.isfinite(found).all()


def drawn(seed: int, times: float, spread: float, count: int) -> Blocks:
    """Give an hour a block: 5 % of 20,000 requests, and odds that stray."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        common = 0.01 * rng.gamma(10, 0.1)
        stray = rng.gamma(1 / spread**2, spread**2) if spread else 1.0
        bad = rng.binomial(1000, min(1, common * stray * times))
        found.append((1000, int(bad), 19_000, int(rng.binomial(19_000, common))))
    return blocks(*found)


def test_the_variance_between_blocks_is_recovered_under_harm_too() -> None:
    steady = variance_between(drawn(1, 2.0, 0.0, 400))
    astray = variance_between(drawn(1, 2.0, 0.5, 400))
    assert steady < 0.03
    assert astray == pytest.approx(0.25, rel=0.4)


def test_what_could_have_been_found_shrinks_with_time() -> None:
    grid, bound = WORSE, math.log(100)
    found = [
        detectable(grid, drawn(1, 1.0, 0.0, count), np.full(count, 0.05), bound)
        for count in (1, 4, 16)
    ]
    assert all(one is not None for one in found)
    assert found == sorted(found, reverse=True)
    assert 1.2 < found[-1] < 1.6 < found[0]
    assert detectable(grid, blocks((10, 0, 90, 1)), np.array([0.15]), bound) is None
