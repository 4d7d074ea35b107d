"""Weigh requests that stable and canary pods of the same clusters served at the same time.

Where traffic is split, a request is a canary's by chance, so neither history nor random effects
of sites are needed. Given that a bad event happens while the canary serves the share rho, it is
the canary's with probability rho e^delta / (1 - rho + rho e^delta), whatever the common rate does
meanwhile. Causes that come and go, a bad batch, one hot pod, make the odds of a whole block of
time stray: a block counts as beta-binomial, with a variance taken from the blocks before it.

Source: Lindon & Malek 2022 (arXiv 2011.03567), for the binomial form.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconciler.statistics import Array, Grid, log_mixture

USUAL_VARIANCE = 0.15  # of the log odds of a block, before any block has told
USUAL_WEIGHT = 400.0  # how much that counts: a few blocks of twenty bad canary events
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Block:
    """Events and bad events of both arms in one block of time."""

    canary: int
    canary_bad: int
    stable: int
    stable_bad: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if not (0 <= self.canary_bad <= self.canary and 0 <= self.stable_bad <= self.stable):
            raise ValueError("bad events lie between 0 and the events of their arm")

    @property
    def is_telling(self) -> bool:
        """Say whether both arms served, and something was bad."""
        return min(self.canary, self.stable) > 0 and self.canary_bad + self.stable_bad > 0

    def share(self, delta: float) -> float:
        """Give the chance that a bad event is the canary's, at a log rate ratio."""
        odds = self.canary / self.stable * math.exp(delta)
        return odds / (1 + odds)


def log_ratios(deltas: Array, block: Block, variance: float) -> Array:
    """Give the log likelihood ratio of each delta against 0 in one block.

    Args:
        deltas: Log rate ratios.
        block: Its counts.
        variance: Of the log odds of blocks, above 0.
    """
    if not block.is_telling:
        return np.zeros_like(deltas)
    usual = _log_chance(block, 0.0, variance)
    return np.array([_log_chance(block, delta, variance) - usual for delta in deltas.tolist()])


def _log_chance(block: Block, delta: float, variance: float) -> float:
    """Give the log probability of the canary's part, but for the binomial coefficient."""
    share, bad, rest = block.share(delta), block.canary_bad, block.stable_bad
    size = 1 / (share * (1 - share) * variance) - 1
    if size > 1e6 * (bad + rest):  # the gamma functions would cancel
        return bad * math.log(share) + rest * math.log1p(-share)
    size = max(size, 1e-3)
    there, others = share * size, (1 - share) * size
    return _log_beta(bad + there, rest + others) - _log_beta(there, others)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)


def variance_between(blocks: Sequence[Block]) -> float:
    """Estimate how far the log odds of blocks stray, around the ratio that all of them show."""
    known = [block for block in blocks if block.is_telling]
    bad = sum(block.canary_bad for block in known) + 0.5
    due = sum((block.canary_bad + block.stable_bad) * block.share(0.0) for block in known) + 0.5
    rest = sum(block.stable_bad for block in known) + 0.5
    rest_due = sum(
        (block.canary_bad + block.stable_bad) * (1 - block.share(0.0)) for block in known
    )
    delta = math.log(bad / due * (rest_due + 0.5) / rest)
    excess, square = USUAL_VARIANCE * USUAL_WEIGHT, USUAL_WEIGHT
    for block in known:
        total, share = block.canary_bad + block.stable_bad, block.share(delta)
        chance = total * share * (1 - share)
        excess += (block.canary_bad - total * share) ** 2 - chance
        square += chance**2
    return max(LEAST_VARIANCE, excess / square)


def log_worse(grid: Grid, blocks: Sequence[Block]) -> float:
    """Give ln E_bad over all blocks; each is weighed by what the blocks before it taught."""
    ratios = np.zeros_like(grid.deltas)
    for number, block in enumerate(blocks):
        ratios += log_ratios(grid.deltas, block, variance_between(blocks[:number]))
    return log_mixture(grid, ratios)
