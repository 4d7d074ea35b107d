"""Weigh the sums of one objective: is the canary worse, is it not worse than the margin."""

import math
from dataclasses import dataclass

import numpy as np

from reconciler import statistics
from reconciler.analysis.evidence import Weighed
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

ERRORS_UP = 0.5
ERRORS_UP_FEW = 1.645  # the upper end of a one-sided 95 % interval
WORSE = statistics.pointed(statistics.worse_grid(12), ratio=1.55, weight=0.85, spread=0.12)
DELTAS = np.append(WORSE.deltas, 0.0)  # and what has not started


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
        bad, expected = statistics.believed(bad, expected)
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
        own = self._whole if window is self._ledger.sums else self._yardstick(window)
        return np.array([[max(self._whole.variance, own.variance)], [own.factor], [own.doubt]])

    @staticmethod
    def unweighed(later: float) -> Weighed:
        """Give what stands before the first tick; `later` as below."""
        parts = np.append(WORSE.log_weights + math.log1p(-later), math.log(max(later, 1e-12)))
        return Weighed(Grid(DELTAS, parts), 0.0)

    def worse(self, later: float, most: float) -> Weighed:
        """Weigh that the canary is worse: since the start, or since some restart.

        Args:
            later: The weight of all restarts, below 1.
            most: What one site can say, in nats.
        """
        ratios, information = self._since(NOTHING, most)
        parts = math.log1p(-later) + ratios
        idle = later
        for weight, start in self._ledger.restarts:
            idle -= later * weight
            if later:
                parts = np.logaddexp(parts, math.log(later * weight) + self._since(start, most)[0])
        parts = np.append(WORSE.log_weights + parts, math.log(max(idle, 1e-12)))
        return Weighed(Grid(DELTAS, parts), information)

    def _since(self, start: Sums, most: float) -> tuple[Array, float]:
        """Give the log ratio of each rate ratio since some start, and the information in it."""
        rows = self._rows(start)
        if not rows.size:
            return np.zeros_like(WORSE.deltas), 0.0
        counts = self._counts(start, rows, self._base)
        share = self._share(start, rows, counts, self._base)
        ratios = statistics.site_log_ratios(WORSE.deltas, counts)
        information = share * statistics.information(counts)
        return statistics.log_of_many(ratios, share, most), information

    def log_harmless(self, margin: float, most: float) -> float:
        """Give ln E_ok: since the step began, the canary is not `margin` times worse.

        Args:
            margin: Rate ratio.
            most: What one site can say, in nats.
        """
        start = self._ledger.steps[-1]
        rows = self._rows(start)
        if not rows.size:
            return 0.0
        width = self._ledger.sums.width
        base = Base(*(self._column(self._ledger.since_step(-1)) * np.ones(width)))
        counts = self._counts(start, rows, base).without_before()
        grid = statistics.harmless_grid(margin)
        ratios = statistics.site_log_ratios(grid.deltas, counts)
        ratios -= statistics.site_log_ratios(np.array([math.log(margin)]), counts)
        share = self._share(start, rows, counts, base, margin)
        return statistics.log_mixture(grid, statistics.log_of_many(ratios, share, most))

    def detectable(self, log_bound: float) -> float | None:
        """Give the smallest ratio that the evidence so far would have proven."""
        rows = self._rows(NOTHING)
        if not rows.size:
            return None
        counts = self._counts(NOTHING, rows, self._base)
        share = self._share(NOTHING, rows, counts, self._base)
        return statistics.detectable_ratio(WORSE, counts, share, log_bound)

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
