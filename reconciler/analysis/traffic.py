"""Weigh requests that stable and canary pods of the same clusters served at the same time.

Where traffic is split, a request is a canary's by chance, so neither history nor random effects
of sites are needed. Given that a bad event happens while the canary serves the share rho, it is
the canary's with probability rho e^delta / (1 - rho + rho e^delta), whatever the common rate does
meanwhile. Causes that come and go, a bad batch, one hot pod, make the odds of a whole block of
time stray: a block counts as beta-binomial, with a variance taken from the blocks before it. A
block may still grow: event by event a beta-binomial is Polya's urn, so its ratio has mean 1 at
every moment.

Source: Lindon & Malek 2022 (arXiv 2011.03567), for the binomial form.
"""

import math
from dataclasses import dataclass

import numpy as np

from reconciler.statistics import LARGEST_RATIO, Array, Grid, log_mixture

USUAL_VARIANCE = 0.15  # of the log odds of a block, before any block has told
USUAL_BLOCKS = 4.0  # as many blocks does that count for
LEAST_VARIANCE = 0.005  # 7 %: closer alike no two hours are
RUNS = (1, 2, 4)  # blocks
MOST_BAD = 1e7  # in one block; beyond it the gamma functions would cancel
_POISSON = 1e6  # a beta so narrow that it is none
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Bad events of both arms in blocks of time, one entry per block.

    Attributes:
        bad: The canary's.
        rest: Those of stable.
        share: The chance that a bad event is the canary's if nothing changed, above 0 and below
            1 where there is any.
    """

    bad: Array
    rest: Array
    share: Array

    @property
    def total(self) -> Array:
        """Give the bad events of both arms."""
        return self.bad + self.rest

    def merged(self, run: int) -> "Blocks":
        """Make one of so many neighbours; the newest that make no run are left out."""
        whole = len(self.bad) // run * run
        bad, rest, total, due = (
            one[:whole].reshape(-1, run).sum(axis=1)
            for one in (self.bad, self.rest, self.total, self.total * self.share)
        )
        return Blocks(bad, rest, np.where(total > 0, due / np.maximum(total, 1.0), 0.5))

    def shares(self, deltas: Array) -> Array:
        """Give the chance that a bad event is the canary's: deltas in lines, blocks in columns."""
        odds = self.share / (1 - self.share) * np.exp(deltas)[:, None]
        return np.asarray(odds / (1 + odds))


def log_ratios(deltas: Array, blocks: Blocks, variances: Array) -> Array:
    """Give the log likelihood ratio of each delta (lines) against 0 in each block (columns).

    Args:
        deltas: Log rate ratios.
        blocks: Their counts; one without bad events says nothing.
        variances: Of the log odds of each block, above 0.
    """
    chances = _log_chances(np.append(deltas, 0.0), blocks, variances)
    return np.asarray(np.where(blocks.total > 0, chances[:-1] - chances[-1], 0.0))


def _log_chances(deltas: Array, blocks: Blocks, variances: Array) -> Array:
    """Give the log probability of the canary's part, but for the binomial coefficient."""
    scale = np.minimum(1.0, MOST_BAD / np.maximum(blocks.total, 1.0))
    share, bad, rest = blocks.shares(deltas), blocks.bad * scale, blocks.rest * scale
    size = 1 / (share * (1 - share) * variances) - 1
    plain = bad * np.log(share) + rest * np.log1p(-share)
    beta = np.clip(size, 1e-3, _POISSON * (bad + rest) + 1)
    there, others = share * beta, (1 - share) * beta
    urn = _log_beta(bad + there, rest + others) - _log_beta(there, others)
    return np.asarray(np.where(size > _POISSON * (bad + rest), plain, urn))


def _log_beta(one: Array, other: Array) -> Array:
    found = log_gamma(np.stack([one, other, one + other]))
    return np.asarray(found[0] + found[1] - found[2])


def log_gamma(values: Array) -> Array:
    """Give ln Gamma of values above 0, to about ten digits.

    Source: Stirling's series from 8 on, reached by the recurrence.
    """
    steps, far = values.copy(), values + 8
    for step in range(1, 8):
        steps *= values + step
    inverse = 1 / far
    square, series = inverse * inverse, np.zeros_like(far)
    for part in reversed(_STIRLING):
        series = series * square + part
    half = 0.5 * math.log(2 * math.pi)
    return np.asarray((far - 0.5) * np.log(far) - far + half + series * inverse - np.log(steps))


def variance_between(blocks: Blocks) -> float:
    """Estimate how far the log odds of blocks stray, around the ratio that all of them show.

    Where what strays lasts longer than a block, neighbours stray alike and several of them are
    worth no more than one: runs of blocks are looked at, too, and the worst of it counts.
    """
    return max(run * _variance(blocks.merged(run), USUAL_VARIANCE / run) for run in RUNS)


def _variance(blocks: Blocks, usual: float) -> float:
    """Estimate it for one length; what one block alone shows is its ratio, not its variance."""
    known = blocks.total > 0
    bad, rest, share = blocks.bad[known], blocks.rest[known], blocks.share[known]
    if not bad.size:
        return usual
    chance = (bad + rest) * share * (1 - share)
    weights = (chance / (chance + 1 / usual)) ** 2
    odds = np.log((bad + 0.5) / (rest + 0.5)) - np.log(share / (1 - share))
    apart = odds - float(weights @ odds) / float(weights.sum())
    free = float(weights.sum()) - float((weights**2).sum()) / float(weights.sum())
    excess = float(weights @ (apart**2 - 1 / (bad + 0.5) - 1 / (rest + 0.5)))
    return max(LEAST_VARIANCE, (USUAL_BLOCKS * usual + excess) / (USUAL_BLOCKS + free))


def detectable(grid: Grid, blocks: Blocks, variances: Array, log_bound: float) -> float | None:
    """Find the smallest ratio that would have been found by now, or None above 10.

    A canary exactly that many times worse, beside what stable did, from the first block on.
    """
    odds = blocks.share / (1 - blocks.share)

    def log_found(ratio: float) -> float:
        then = Blocks(blocks.rest * odds * ratio, blocks.rest, blocks.share)
        return log_mixture(grid, log_ratios(grid.deltas, then, variances).sum(axis=1))

    low, high = 1.0, LARGEST_RATIO
    if not blocks.share.size or log_found(high) < log_bound:
        return None
    while high - low > 0.005:  # the evidence grows with the ratio
        middle = (low + high) / 2
        low, high = (low, middle) if log_found(middle) >= log_bound else (middle, high)
    return high
