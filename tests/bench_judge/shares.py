"""Shares and means with their intervals, and the bound that no test can beat."""

import math
import statistics
from collections.abc import Callable, Sequence


def share(found: int, runs: int) -> str:
    """Write a share with its exact 95 % interval (Clopper and Pearson)."""
    low, high = interval(found, runs)
    return f"{found / runs:.1%} ({low:.1%} to {high:.1%})".replace("%", " %")


def interval(found: int, runs: int) -> tuple[float, float]:
    """Give the exact 95 % interval of a share."""
    low = 0.0 if found == 0 else _root(lambda p: 1 - _at_most(found - 1, runs, p) - 0.025)
    high = 1.0 if found == runs else _root(lambda p: 0.025 - _at_most(found, runs, p))
    return low, high


def _at_most(found: int, runs: int, chance: float) -> float:
    if not 0 < chance < 1:
        return 1.0 if chance <= 0 or found >= runs else 0.0
    whole = math.lgamma(runs + 1)
    logs = (
        whole - math.lgamma(k + 1) - math.lgamma(runs - k + 1)
        + k * math.log(chance) + (runs - k) * math.log1p(-chance)
        for k in range(found + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def mean(values: Sequence[float]) -> str:
    """Write a mean with twice its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return f"{statistics.fmean(values):,.0f} +- {2 * error:,.0f}"


def wald_bound(rate: float, times: float, alpha: float) -> float:
    """Give the fewest requests in which any test of this alpha finds the harm, on average.

    Source: Wald; the rate known, requests independent, which no fleet grants.
    """
    worse = rate * times
    nats = worse * math.log(times) + (1 - worse) * math.log((1 - worse) / (1 - rate))
    return -math.log(alpha) / nats
