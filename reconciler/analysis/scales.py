"""Weigh the sums of one objective: is the canary worse, is it not worse than the margin."""

import math
from dataclasses import dataclass

import numpy as np

from reconciler import statistics
from reconciler.analysis.ledger import (
    BAD,
    EXPECTED,
    NOTHING,
    STABLE_BAD,
    STABLE_EXPECTED,
    Ledger,
    Rows,
    Sums,
    widened,
)
from reconciler.statistics import Array, Counts, Grid

ANCHORED_WEIGHT = 0.9  # on "worse from the start"; the rest on "worse since a restart"
ERRORS_UP = 0.5
ERRORS_UP_FEW = 1.645  # the upper end of a one-sided 95 % interval
WORSE = statistics.worse_grid()
WORSE_LATER = statistics.worse_grid(12)  # for a tenth of the weight a coarse grid will do


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the stable sites of a window teach about expected counts, the same for every site.

    Attributes:
        variance: Of the random effect.
        factor: By which expected counts are off on average.
        doubt: Relative standard deviation of that average that comes from the random effects.
    """

    variance: float
    factor: float
    doubt: float


@dataclass(frozen=True, slots=True)
class Base:
    """The yardstick of each site, one entry per site."""

    variance: Array
    factor: Array
    doubt: Array


class Scales:
    """The evidence in a ledger as it stands now; holds nothing beyond the tick."""

    def __init__(self, ledger: Ledger, joined: Rows, sure_stable: int) -> None:
        """Read the yardsticks of the sites; `joined` is the step in which each joined."""
        self._ledger = ledger
        self._sure_stable = sure_stable
        self._whole = self._yardstick(ledger.sums)
        self._base = self._base_of(joined)

    def _yardstick(self, window: Sums) -> Yardstick:
        known = window.table[STABLE_EXPECTED] > 0
        bad, expected = window.table[STABLE_BAD, known], window.table[STABLE_EXPECTED, known]
        if not expected.size:
            return Yardstick(statistics.VARIANCE_FLOOR, 1.0, 0.0)
        errors_up = ERRORS_UP if expected.size >= self._sure_stable else ERRORS_UP_FEW
        variance = statistics.site_variance(bad, expected, errors_up)
        factor = statistics.site_factor(bad, expected, variance)
        information = float((expected / (1 + variance * expected)).sum())
        doubt = max(0.0, 1 / information - 1 / float(expected.sum()))
        return Yardstick(variance, factor, math.sqrt(doubt))

    def _base_of(self, joined: Rows) -> Base:
        # What changes slowly on a site (lots, shifts) averages out over a rollout, but has not
        # yet for a site that joined a moment ago: each is measured over its own time.
        columns = np.ones((3, len(joined)))
        for step in np.unique(joined):
            columns[:, joined == step] = self._column(self._ledger.since_step(step))
        return Base(*columns)

    def _column(self, window: Sums) -> Array:
        own = self._yardstick(window)
        return np.array([[max(self._whole.variance, own.variance)], [own.factor], [own.doubt]])

    def log_worse(self) -> float:
        """Give ln E_bad: the canary is worse, since the start or since some restart."""
        logs = [math.log(ANCHORED_WEIGHT) + self._log_from(NOTHING, WORSE)]
        idle = 1.0
        for weight, start in self._ledger.restarts:
            idle -= weight
            logs.append(
                math.log((1 - ANCHORED_WEIGHT) * weight) + self._log_from(start, WORSE_LATER)
            )
        logs.append(math.log((1 - ANCHORED_WEIGHT) * max(idle, 1e-12)))  # not started: worth 1
        return statistics.log_sum(np.array(logs))

    def _log_from(self, start: Sums, grid: Grid) -> float:
        rows = self._rows(start)
        if not rows.size:
            return 0.0
        counts = self._counts(start, rows, self._base)
        share = self._share(start, rows, counts, self._base)
        return statistics.log_mixture(grid, statistics.log_ratios(grid.deltas, counts), share)

    def log_harmless(self, margin: float) -> float:
        """Give ln E_ok: since the step began, the canary is not `margin` times worse."""
        start = self._ledger.steps[-1]
        rows = self._rows(start)
        if not rows.size:
            return 0.0
        width = self._ledger.sums.width
        base = Base(*(self._column(self._ledger.since_step(-1)) * np.ones(width)))
        counts = self._counts(start, rows, base).without_before()
        grid = statistics.harmless_grid(margin)
        ratios = statistics.log_ratios(grid.deltas, counts)
        ratios -= statistics.log_ratios(np.array([math.log(margin)]), counts)
        share = self._share(start, rows, counts, base, margin)
        return statistics.log_mixture(grid, ratios, share)

    def detectable(self, log_bound: float) -> float | None:
        """Give the smallest ratio that the evidence so far would have proven."""
        rows = self._rows(NOTHING)
        if not rows.size:
            return None
        counts = self._counts(NOTHING, rows, self._base)
        share = self._share(NOTHING, rows, counts, self._base)
        bound = log_bound - math.log(ANCHORED_WEIGHT)
        return statistics.detectable_ratio(WORSE, counts, share, bound)

    def _rows(self, start: Sums) -> Rows:
        sums = self._ledger.sums
        return np.flatnonzero(sums.table[EXPECTED] > widened(start.table, sums.width)[EXPECTED])

    def _counts(self, start: Sums, rows: Rows, base: Base) -> Counts:
        now = self._ledger.sums
        before = widened(start.table, now.width)[:, rows]
        within = now.table[:, rows] - before
        factor = base.factor[rows]
        return Counts(
            bad=within[BAD],
            expected=within[EXPECTED] * factor,
            variance=base.variance[rows],
            bad_before=before[BAD],
            expected_before=before[EXPECTED] * factor,
        )

    def _share(
        self, start: Sums, rows: Rows, counts: Counts, base: Base, ratio: float = 1.0
    ) -> float:
        """Say how much of a log ratio counts, expected counts being estimates themselves."""
        total = float(counts.expected.sum())
        poisson = (self._ledger.sums.wobble - start.wobble) / total**2
        doubt = float((counts.expected * base.doubt[rows]).sum()) / total
        information = statistics.information(counts, ratio)
        return 1 / (1 + information * (poisson + doubt**2))
