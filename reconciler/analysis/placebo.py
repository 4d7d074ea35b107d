"""Compare the canary with placebo cohorts: what if chance had drawn other sites?

Few sites do not tell how far sites differ, so no likelihood can be written down. The draw was
random, though, and that is enough: draw again inside the strata, many times, move the same
number of sites at the same ticks, and look how many of those cohorts, none of which got the
canary, look as bad. At each tick a little more of alpha may be spent; a draw that has looked as
bad once is spent for good. Exact for any noise between sites, and needs no random effect.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reconciler.analysis.ledger import Rows
from reconciler.statistics import Array

DRAWS = 1999
HALF_SPENT = 24  # ticks after which half of alpha may be spent
LOUDEST = 3.0  # standard deviations that one site can say at most
USUAL_VARIANCE = 0.1  # of what sites do besides chance; only the power depends on it
ROUNDING = 1e-9  # so that what is exactly at the bound reaches it


@dataclass(frozen=True, slots=True)
class Standing:
    """How the real draw stands among all.

    Attributes:
        rank: How many draws look at least like it, itself among them.
        allowed: How many may, by now.
    """

    rank: int
    allowed: int

    @property
    def is_shown(self) -> bool:
        """Say whether so few do that it was not the draw."""
        return self.rank <= self.allowed

    def log_evidence(self, log_bound: float) -> float:
        """Give the evidence on the scale of the likelihoods: at the bound it is shown."""
        return log_bound + math.log(max(self.allowed, 0.5) / self.rank) + ROUNDING


class Placebo:
    """Cohorts that chance might have drawn, and what their sites did; mutable."""

    def __init__(self, rollout: str, strata: Sequence[str]) -> None:
        """Draw them; `strata` are those of the rows known at the start."""
        digest = hashlib.sha256(rollout.encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        # Column s holds the site that plays the part of s; line 0 is what really was drawn.
        self._parts = np.tile(np.arange(len(strata)), (DRAWS + 1, 1))
        for stratum in sorted(set(strata)):
            rows = np.array([row for row, name in enumerate(strata) if name == stratum])
            self._parts[1:, rows] = rng.permuted(np.tile(rows, (DRAWS, 1)), axis=1)
        self._whole = _Contest(self._parts.shape)
        self._step = _Contest(self._parts.shape)

    def begin_step(self) -> None:
        """Start "not worse than the margin" anew."""
        self._step = _Contest(self._parts.shape)

    def add(self, canary: Rows, bad: Array, expected: Array, margin: float) -> None:
        """Add a tick.

        Args:
            canary: Rows that run the canary now; who joined the fleet later is left out.
            bad: Bad events of every row, whatever it runs.
            expected: Expected ones, by one factor for all sites.
            margin: How many times worse the canary would be, were it at its margin.
        """
        canary = canary[canary < self._parts.shape[1]]
        parts = self._parts[:, canary]
        self._whole.add(canary, bad[parts], expected[parts])
        # Were it at the margin, these would be alike again, and any draw as good as another.
        at_margin = expected.copy()
        at_margin[canary] *= margin
        total = float(at_margin.sum())
        at_margin *= float(expected.sum()) / total if total else 1.0
        self._step.add(canary, bad[parts], at_margin[parts])

    def worse(self, alpha: float) -> Standing:
        """Say how the canary stands among the draws that look bad; once a tick."""
        return self._whole.meet(self._whole.scores(), alpha)

    def harmless(self, beta: float) -> Standing:
        """Say how it stands among those that look good, were it at the margin; once a tick.

        What was shown in a step stays shown in it.
        """
        return self._step.keep(self._step.meet(-self._step.scores(), beta))


class _Contest:
    """One comparison of all draws, tick after tick; mutable."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._bad = np.zeros(shape)
        self._expected = np.zeros(shape)
        self._alive = np.ones(shape[0], dtype=bool)
        self._spent = 0
        self._ticks = 0
        self._shown: Standing | None = None

    def add(self, columns: Rows, bad: Array, expected: Array) -> None:
        self._ticks += 1
        self._bad[:, columns] += bad
        self._expected[:, columns] += expected

    def scores(self) -> Array:
        deviation = np.sqrt(self._expected + 0.5 + USUAL_VARIANCE * self._expected**2)
        apart = (self._bad - self._expected) / deviation
        return np.asarray(np.clip(apart, -LOUDEST, LOUDEST).sum(axis=1))

    def meet(self, scores: Array, chance: float) -> Standing:
        """Rank the real draw among those that were not spent before, and spend the highest."""
        alive = np.flatnonzero(self._alive)
        above = np.sort(scores[alive])[::-1]
        allowed = int(chance * self._ticks / (self._ticks + HALF_SPENT) * (DRAWS + 1)) - self._spent
        rank = int((above >= scores[0]).sum())
        # Draws that look the same count against each other: none of them is spent alone.
        highest = above[:allowed]
        if allowed and len(above) > allowed:
            highest = highest[highest > above[allowed]]
        if highest.size:
            gone = alive[scores[alive] >= highest[-1]]
            self._alive[gone] = False
            self._spent += gone.size
        return Standing(max(rank, 1), allowed)

    def keep(self, found: Standing) -> Standing:
        if self._shown is None and found.is_shown:
            self._shown = found
        return self._shown or found


def cohorts(sizes: Iterable[tuple[int, int]]) -> int:
    """Count the cohorts that chance might draw, from (sites, canary sites) of each stratum."""
    return math.prod(math.comb(sites, canary) for sites, canary in sizes)


def fewest_canary(sizes: Sequence[tuple[int, int]], wanted: float) -> int | None:
    """Give the smallest cohort of which there are enough; None where no cohort is."""
    total = sum(sites for sites, _ in sizes)
    for canary in range(1, total):
        drawn = [(sites, round(canary * sites / total)) for sites, _ in sizes]
        if cohorts(drawn) >= wanted:
            return sum(number for _, number in drawn)
    return None
