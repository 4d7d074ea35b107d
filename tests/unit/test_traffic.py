"""Split traffic is weighed as published, and blocks of time that stray raise no alarm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.analysis.traffic import Block, log_ratios, log_worse, variance_between
from reconciler.statistics import log_mixture, worse_grid

WORSE = worse_grid()
POISSON = 1e-12  # no block strays


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([Block(500, 5, 9500, 95)], -0.635538),
        ([Block(500, 10, 9500, 95)], 1.237326),
        ([Block(500, 10, 9500, 95)] * 2, 2.729433),
        ([Block(500, 25, 9500, 95)], 15.467616),
    ],
)
def test_blocks_that_do_not_stray_give_the_reference_figures(
    blocks: list[Block], expected: float
) -> None:
    ratios = np.sum([log_ratios(WORSE.deltas, block, POISSON) for block in blocks], axis=0)
    assert log_mixture(WORSE, ratios) == pytest.approx(expected, abs=1e-6)


@given(st.integers(1, 60), st.floats(1e-5, 0.5), st.floats(0.02, 2.3))
def test_the_ratio_of_a_block_has_mean_one_while_nothing_changed(
    total: int, variance: float, delta: float
) -> None:
    def log_chance(bad: int) -> float:
        share = Block(300, 0, 700, 1).share(0.0)
        size = max(1 / (share * (1 - share) * variance) - 1, 1e-3)
        there, others = share * size, (1 - share) * size
        choose = math.lgamma(total + 1) - math.lgamma(bad + 1) - math.lgamma(total - bad + 1)
        top = math.lgamma(bad + there) + math.lgamma(total - bad + others)
        bottom = math.lgamma(there) + math.lgamma(others) - math.lgamma(size)
        return choose + top - math.lgamma(total + size) - bottom

    mean = 0.0
    for bad in range(total + 1):
        block = Block(300, bad, 700, total - bad)
        ratio = float(log_ratios(np.array([delta]), block, variance)[0])
        mean += math.exp(log_chance(bad) + ratio)
    assert mean == pytest.approx(1, abs=1e-6)


def test_an_idle_block_says_nothing() -> None:
    for block in (Block(0, 0, 900, 9), Block(100, 1, 0, 0), Block(100, 0, 900, 0)):
        assert log_ratios(WORSE.deltas, block, 0.1).tolist() == [0.0] * 30


def test_bad_events_beyond_all_events_are_refused() -> None:
    with pytest.raises(ValueError, match="bad events"):
        Block(10, 11, 5, 0)


def drawn(seed: int, times: float, spread: float, blocks: int = 30) -> list[Block]:
    """Give an hour a block: 5 % of 20,000 requests, and odds that stray."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(blocks):
        common = 0.01 * rng.gamma(10, 0.1)
        stray = rng.gamma(1 / spread**2, spread**2) if spread else 1.0
        bad = rng.binomial(1000, min(1, common * stray * times))
        found.append(Block(1000, int(bad), 19_000, int(rng.binomial(19_000, common))))
    return found


def test_the_variance_between_blocks_is_recovered_under_harm_too() -> None:
    steady = variance_between(drawn(1, 2.0, 0.0, 400))
    astray = variance_between(drawn(1, 2.0, 0.5, 400))
    assert steady < 0.03
    assert astray == pytest.approx(0.25, rel=0.4)


@pytest.mark.cpu(15)
@pytest.mark.slow
def test_of_harmless_rollouts_with_straying_blocks_hardly_any_is_called_worse() -> None:
    found = 0
    for seed in range(100):
        blocks = drawn(seed, 1.0, 0.3, 12)
        found += any(log_worse(WORSE, blocks[:end]) >= math.log(100) for end in range(1, 13))
    assert found <= 3


def test_harm_is_found() -> None:
    found = sum(log_worse(WORSE, drawn(seed, 2.0, 0.3, 12)) >= math.log(100) for seed in range(20))
    assert found >= 18
