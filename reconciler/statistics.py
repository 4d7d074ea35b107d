"""Weigh evidence: likelihood ratios of bad-event counts with a random effect per site.

Theory (one objective). Site s sees n events at tick t and is expected to have n * r_s * g_t bad
ones: r_s is its own rate under the stable release (history, shrunk to the fleet), g_t what the
concurrent stable cohort does at t. Sums over ticks give `expected` m_s and `bad` K_s. Sites stay
different, so K_s is Poisson(u_s m_s e^delta) with u_s ~ Gamma(mean 1, variance c): waiting does
not shrink the noise of a fixed set of sites. The ratio of the two marginal likelihoods (delta
against 0) is closed, and a mixture of such ratios over delta is an e-process: it may be read at
every tick. Everything stays in logarithms.

m_s is itself estimated. With relative variance v of the common part and I nats of Fisher
information, a ratio deserves only the share 1 / (1 + I v) of its logarithm (for Poisson counts
the well-known R / (1 + R), R = stable over canary). That is the `share` below.

Source: Lindon & Malek 2022 (arXiv 2011.03567); Shin, Ramdas & Rinaldo (arXiv 2203.03532).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

VARIANCE_FLOOR = 1e-6  # below it the random effect is gone: Poisson
PSEUDO_COUNT = 1.0  # bad events; pulls the factor of a tick to the mean of the ticks before
LARGEST_RATIO = 10.0
MOST_USUAL = 3.0  # how many usual sites one stable site may weigh
FEWEST_TO_DOUBT = 3  # canary sites; with fewer each one has to be believed
DOUBTED = 0.05  # weight of "one of the canary sites lies"
MOST_EVENTS = 400.0  # in one tick; a boost for fewer is smaller, so never too large


@dataclass(frozen=True, slots=True)
class Grid:
    """Log rate ratios with logarithmic weights that sum to one."""

    deltas: Array
    log_weights: Array


@dataclass(frozen=True, slots=True)
class Counts:
    """What sites did in one window, one row per site; `before` = the same sites, earlier.

    `variance` is the random effect of each site, above 0.
    """

    bad: Array
    expected: Array
    variance: Array
    bad_before: Array
    expected_before: Array

    def without_before(self) -> "Counts":
        """Forget what the sites did earlier."""
        nothing = np.zeros_like(self.bad)
        return replace(self, bad_before=nothing, expected_before=nothing)


def worse_grid(points: int = 30) -> Grid:
    """Spread "worse" over ratios from 1.02 to 10, with most weight below 2.

    Source: the weights are half a normal of standard deviation ln 2.
    """
    deltas = np.linspace(math.log(1.02), math.log(LARGEST_RATIO), points)
    return Grid(deltas, _normalised(-(deltas**2) / (2 * math.log(2) ** 2)))


def pointed(grid: Grid, ratio: float, weight: float, spread: float) -> Grid:
    """Give part of a grid's weight to ratios near one.

    Args:
        grid: Where the rest stays.
        ratio: In the middle.
        weight: That part, 0..1.
        spread: Standard deviation of the logarithms around it.
    """
    near = np.linspace(-1.5 * spread, 1.5 * spread, 5)
    bell = _normalised(-(near**2) / (2 * spread**2)) + math.log(weight)
    deltas = np.append(grid.deltas, near + math.log(ratio))
    return Grid(deltas, np.append(grid.log_weights + math.log1p(-weight), bell))


def harmless_grid(margin: float, points: int = 12) -> Grid:
    """Spread "not worse than the margin" around "the same as stable".

    Ends half way (in logarithms) to the margin; closer to it the weight would be spent where
    little can be learnt.
    """
    bound = math.log(margin)
    deltas = np.linspace(-0.6 * bound, 0.5 * bound, points)
    return Grid(deltas, _normalised(-(deltas**2) / (2 * (bound / 4) ** 2)))


def _normalised(log_weights: Array) -> Array:
    return np.asarray(log_weights - log_sum(log_weights))


def log_sum(values: Array) -> float:
    """Give ln(sum(exp(values))) without overflow."""
    top = float(values.max())
    return top if math.isinf(top) else top + math.log(float(np.exp(values - top).sum()))


def site_rates(events: Array, bad: Array) -> Array:
    """Estimate each site's own rate: its history, shrunk by the fleet's gamma prior.

    Sites without history (0 events) get the prior mean. Where no history tells rates apart
    (none, or not one bad event) all rates are 1, and the factor of a tick is the stable rate.

    Args:
        events: N history events per site.
        bad: Bad ones among them.
    """
    total, seen = float(events.sum()), float(bad.sum())
    if seen == 0:
        return np.ones_like(events)
    mean = seen / total
    excess = float(((bad - mean * events) ** 2 - mean * events).sum())
    spread = max(excess / float((events**2).sum()), (0.01 * mean) ** 2)
    return np.asarray((bad + mean * mean / spread) / (events + mean / spread))


def believed(bad: Array, expected: Array) -> tuple[Array, Array]:
    """Bound what one stable site can say about all: a plant that lies must not move the fleet.

    No site weighs more than three usual ones, and none has more bad events than a few and five
    times what its weight and the other sites allow for.

    Returns:
        Bad and expected events that may be summed up.
    """
    if not expected.any():
        return bad, expected
    heaviest = MOST_USUAL * float(np.median(expected[expected > 0]))
    scale = np.where(expected > heaviest, heaviest / np.maximum(expected, heaviest), 1.0)
    bad, expected = bad * scale, expected * scale
    others = (bad.sum() - bad + 0.5) / (expected.sum() - expected + 0.5)
    return np.minimum(bad, 3 + 5 * expected * others), expected


def tick_factor(bad: float, expected: float, bad_before: float, expected_before: float) -> float:
    """Say how much worse than its history the stable cohort is at this tick.

    One pseudo-event, spread at the mean rate of the ticks before, keeps the factor above 0: a
    tick without a stable bad event must not make the canary look infinitely worse.
    """
    mean = (bad_before + 0.5) / (expected_before + 0.5)
    return (bad + PSEUDO_COUNT) / (expected + PSEUDO_COUNT / mean)


def site_variance(bad: Array, expected: Array, errors_up: float) -> float:
    """Estimate the variance of the random effect from stable sites, by moments.

    Args:
        bad: Bad events per stable site.
        expected: Expected ones, same order.
        errors_up: Standard errors to add; few sites know their own variance badly.
    """
    excess = (bad - expected) ** 2 - expected
    if excess.size > 2:  # the most deviant site is left out: it may be a lie
        honest = np.arange(excess.size) != int(np.argmax(excess))
        excess, expected = excess[honest], expected[honest]
    square = float((expected**2).sum())
    if square == 0:
        return VARIANCE_FLOOR
    variance = max(0.0, float(excess.sum()) / square)
    error = math.sqrt(float(((excess - variance * expected**2) ** 2).sum())) / square
    return max(VARIANCE_FLOOR, variance + errors_up * error)


def site_factor(bad: Array, expected: Array, variance: float) -> float:
    """Say how much worse than expected stable sites are, in the weights of the canary's ratio.

    A random effect makes busy sites count less. Where expected counts are wrong in a way that
    goes with busyness (history that drifted regresses to the mean) the two arms must be weighed
    alike, or the largest fleets would see a difference that is none. One pseudo-event holds it.
    """
    weight = 1 / (1 + variance * expected)
    return float(((weight * bad).sum() + 1) / ((weight * expected).sum() + 1))


def log_ratios(deltas: Array, counts: Counts) -> Array:
    """Give the log likelihood ratio of each delta against 0, summed over the sites."""
    return np.asarray(site_log_ratios(deltas, counts).sum(axis=0))


def site_log_ratios(deltas: Array, counts: Counts) -> Array:
    """Give the log likelihood ratio of each delta (columns) against 0 for each site (lines).

    What a site did before the window tells its random effect and nothing about delta.
    """
    weight = (counts.bad + counts.bad_before + 1 / counts.variance)[:, None]
    return np.asarray(deltas * counts.bad[:, None] - weight * _log_growth(deltas, counts))


def log_of_many(ratios: Array, share: float, most: float) -> Array:
    """Sum log ratios over sites so that no single one decides.

    From above each site counts at most `most`, which makes an e-value only smaller. From below
    the sum is mixed with those that leave one site out: each is an e-value, so their mean is.

    Args:
        ratios: One line per site.
        share: As for `log_mixture`.
        most: Nats.
    """
    sites = len(ratios)
    if sites < FEWEST_TO_DOUBT:
        return np.asarray(share * ratios.sum(axis=0))
    ratios = np.minimum(ratios, most)
    total = ratios.sum(axis=0)
    # Without a site that says little the sum is nearly the same, and need not be counted again.
    loud = ratios[(ratios < -1.0).any(axis=1)]
    logs = np.vstack([total[None, :], total - loud]) * share
    logs[0] += math.log1p(-DOUBTED)
    logs[1:] += math.log(DOUBTED / sites)
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=0)))


def _log_growth(deltas: Array, counts: Counts) -> Array:
    before = (counts.variance * counts.expected_before)[:, None]
    within = (counts.variance * counts.expected)[:, None]
    return np.asarray(np.log1p(before + within * np.exp(deltas)) - np.log1p(before + within))


def information(counts: Counts, ratio: float = 1.0) -> float:
    """Give the Fisher information about delta, at a given rate ratio."""
    variance = counts.variance / (1 + counts.variance * counts.expected_before)
    expected = counts.expected * ratio
    return float((expected / (1 + variance * expected)).sum())


def log_mixture(grid: Grid, ratios: Array, share: float = 1.0) -> float:
    """Mix the ratios of a grid to the logarithm of one e-value.

    Args:
        grid: Where the ratios were taken.
        ratios: Log likelihood ratios.
        share: 0..1, the share of their logarithm that they deserve (module docstring).
    """
    return log_sum(grid.log_weights + share * ratios)


def log_boost(grid: Grid, events: float, room: float) -> float:
    """Say how much more the evidence of one tick may count, as nothing counts beyond the bound.

    At the tick that proves harm the evidence jumps over the bound, and what lies beyond it was
    paid for in vain. The factor by which it grows, L, may be multiplied by any b >= 1 for which
    min(bL, what is missing) still has mean 1 while nothing changed.

    Args:
        grid: Rate ratios with the logarithm of the part of each in the evidence before the tick.
        events: Nats of Fisher information that the tick brings: a Poisson count as telling.
        room: Logarithm of the factor that is missing to the bound, above 0.

    Returns:
        ln b.

    Source: Fischer & Ramdas 2024 (arXiv 2410.16076).
    """
    events = min(events, MOST_EVENTS)
    spread = math.sqrt(events)
    counts = np.arange(max(0, int(events - 7 * spread)), int(events + 8 * spread) + 8)
    log_chances = counts * math.log(events) - events - _log_factorials(counts)
    log_weights = _normalised(grid.log_weights)
    logs = log_weights + grid.deltas * counts[:, None] - events * np.expm1(grid.deltas)
    top = logs.max(axis=1)
    growth = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
    order = np.argsort(growth)
    growth, log_chances = growth[order], log_chances[order]
    # With the counts above some place cut off at the bound, the rest has to make up the mean.
    beyond = np.append(np.exp(log_chances)[::-1].cumsum()[::-1], 0.0)
    within = np.append(0.0, np.exp(log_chances + growth).cumsum())
    missing = np.maximum(1 - math.exp(room) * beyond, 1e-300)
    boosts = np.log(missing) - np.log(np.maximum(within, 1e-30))
    reached = np.append(growth, math.inf) + boosts >= room
    return max(0.0, float(boosts[int(np.argmax(reached))]))


def _log_factorials(counts: npt.NDArray[np.int64]) -> Array:
    return np.array([math.lgamma(count + 1) for count in counts.tolist()])


def detectable_ratio(grid: Grid, counts: Counts, share: float, log_bound: float) -> float | None:
    """Find the smallest ratio that would have been found by now, or None above 10.

    A canary exactly that many times worse, from the first event on and at every site alike,
    would stand at the bound now. The log ratio is linear in the counts, so one pass does it.
    """
    growth = _log_growth(grid.deltas, counts)
    slope = (counts.expected[:, None] * (grid.deltas - growth)).sum(axis=0)
    offset = (growth / counts.variance[:, None]).sum(axis=0)
    ratios = np.exp(np.linspace(0.0, math.log(LARGEST_RATIO), 401))
    logs = grid.log_weights + share * (ratios[:, None] * slope - offset)
    top = logs.max(axis=1)
    found = np.flatnonzero(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)) >= log_bound)
    return float(ratios[found[0]]) if found.size else None


def log_under(bad: int, events: int, rate: float) -> float:
    """Weigh the evidence that bad events are rarer than `rate`, whatever anybody else has.

    Args:
        bad: Bad events.
        events: Events.
        rate: Fraction 0..1, above 0.

    Returns:
        ln E of a mixture of rate/2, rate/4 and 0 against `rate`, Poisson; its expectation is
        at most 1 for every true rate at or above it.
    """
    found = [bad * math.log(part) + (1 - part) * rate * events for part in (0.5, 0.25)]
    if bad == 0:
        found.append(rate * events)
    return log_sum(np.array(found)) - math.log(3)
