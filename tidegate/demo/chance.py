"""What the demo's plants are like: every random number, from a seed and the time alone.

The spread is that of judge.md section 3.2: plants differ (gamma, CV 0.5), share a daily cycle
(+-30 %) and drift by lots (gamma, CV 0.3, ten ticks long). Nothing here depends on what was
deployed, so two histories of the same seed differ only by what Git said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sin

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

BASE_RATES = (0.01, 0.006, 0.03)
SITE_CV = 0.5
LOT_CV = 0.3
LOT_TICKS = 10
CYCLE = 0.3
DAY_S = 86_400
VOLUME = (0.6, 1.4)  # a plant's share of the average
HIGHEST_RATE = 0.3
HERE_S, AWAY_S, SHORTEST_AWAY_S = 8 * 3600.0, 2.5 * 3600.0, 1800.0
SPELLS = 256
START_S = (120.0, 480.0)

_SITE, _AWAY, _LOT, _TICK, _START = range(5)


@dataclass(frozen=True)
class Events:
    """The predictions of one tick; E of them, ordered by site.

    Attributes:
        sites: Row of the site.
        when: When in the tick, as a fraction 0..1.
        luck: 3 x E uniform numbers; one below the rate of its kind makes the prediction bad.
    """

    sites: Rows
    when: Floats
    luck: Floats


class Chance:
    """The nature of N plants."""

    def __init__(
        self, seed: int, sites: int, interval_s: int, *, per_5_minutes: float, flaky: float
    ) -> None:
        """Draw what never changes.

        Args:
            seed: Names the fleet.
            sites: N.
            interval_s: Length of a tick in seconds.
            per_5_minutes: Predictions of an average plant.
            flaky: Share of plants that are away some of the time, 0..1.
        """
        self._seed, self._sites, self._interval_s = seed, sites, interval_s
        rng = self._rng(_SITE)
        self._rates = np.array(BASE_RATES)[:, None] * _gamma(rng, SITE_CV, (3, sites))
        self._volume = rng.uniform(*VOLUME, sites) * per_5_minutes * interval_s / 300
        self._flaky = np.flatnonzero(rng.permutation(sites) < round(flaky * sites))
        self._turns = self._spells(self._rng(_AWAY))
        self._lot = lru_cache(maxsize=4)(self._draw_lot)

    def rates(self, at: int) -> Floats:
        """Give the share of bad predictions of a good release: 3 kinds x N sites.

        Args:
            at: End of the tick, in seconds since the epoch.
        """
        cycle = 1 + CYCLE * sin(2 * pi * (at % DAY_S) / DAY_S)
        lot = self._lot(at // self._interval_s // LOT_TICKS)
        return np.minimum(self._rates * lot * cycle, HIGHEST_RATE)

    def away(self, at: int) -> Bools:
        """Say which plants cannot be reached at a moment."""
        found = np.zeros(self._sites, np.bool_)
        moment = at % self._turns[:, -1:]
        found[self._flaky] = (self._turns <= moment).sum(axis=1) % 2 == 1
        return found

    def start_delays(self, at: int) -> Floats:
        """Give the seconds that each plant takes from a commit to the new process."""
        return self._rng(_START, at).uniform(*START_S, self._sites)

    def events(self, at: int) -> Events:
        """Give the predictions of the tick that ends at a moment."""
        rng = self._rng(_TICK, at)
        sites = np.repeat(np.arange(self._sites), rng.poisson(self._volume))
        return Events(sites, rng.random(len(sites)), rng.random((3, len(sites))))

    def _spells(self, rng: np.random.Generator) -> Floats:
        """Draw when each flaky plant leaves and returns, for about 110 days; then it repeats."""
        shape = (len(self._flaky), SPELLS)
        here = rng.exponential(HERE_S, shape)
        away = SHORTEST_AWAY_S + rng.exponential(AWAY_S - SHORTEST_AWAY_S, shape)
        turns = np.stack([here, away], axis=2).reshape(len(self._flaky), 2 * SPELLS)
        return turns.cumsum(axis=1)

    def _draw_lot(self, lot: int) -> Floats:
        return _gamma(self._rng(_LOT, lot), LOT_CV, (3, self._sites))

    def _rng(self, *names: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *names])


def _gamma(rng: np.random.Generator, spread: float, shape: Sequence[int]) -> Floats:
    """Draw with mean 1 and this coefficient of variation."""
    return rng.gamma(1 / spread**2, spread**2, shape)
