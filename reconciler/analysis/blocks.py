"""Keep what the pods of both releases did, in blocks of time, where traffic is split.

A block lasts an hour at least, and until it is worth telling from others; it ends where a step
begins and where the split changes. All of that hangs on events and on bad events of both arms
together, never on who had them.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from reconciler.analysis.ledger import BAD, EVENTS, EXPECTED, Arm, Rows, Sums, widened
from reconciler.analysis.traffic import Blocks
from reconciler.statistics import Array

Flags = npt.NDArray[np.bool_]

LEAST_SPAN = timedelta(hours=1)
LEAST_BAD = 20
MOST_USUAL = 3.0  # how many usual pods of its release one pod may count for in a block
FEWEST_TO_DOUBT = 3  # pods of a release; with fewer each one has to be believed
CHANGED = 1.2  # times the share of the canary, and this many standard deviations:
DEVIATIONS = 4.0
STABLE, CANARY = range(2)


@dataclass(frozen=True, slots=True)
class Cells:
    """Events and bad events of both arms, per block (lines) and cluster (columns)."""

    events: tuple[Array, Array]
    bad: tuple[Array, Array]

    @property
    def is_compared(self) -> Flags:
        """Say where both arms served."""
        compared: Flags = (self.events[CANARY] > 0) & (self.events[STABLE] > 0)
        return compared

    def blocks(self, which: slice = slice(None)) -> Blocks:
        """Add the clusters up: each bad event is the canary's with the share of its own cell."""
        both = self.is_compared[which]
        bad, rest = (np.where(both, self.bad[arm][which], 0.0) for arm in (CANARY, STABLE))
        mine, others = self.events[CANARY][which], self.events[STABLE][which]
        served = mine / np.maximum(mine + others, 1e-9)
        total = (bad + rest).sum(axis=1)
        due = ((bad + rest) * np.where(both, served, 0.0)).sum(axis=1)
        share = np.where(total > 0, due / np.maximum(total, 1e-9), 0.5)
        return Blocks(bad.sum(axis=1), rest.sum(axis=1), np.clip(share, 1e-9, 1 - 1e-9))


@dataclass
class Pods:
    """The blocks of one objective of one rollout; mutable, no clock, no I/O.

    Attributes:
        events: Canary events since the rollout began.
        bad: Bad ones among them.
        steps: The block that each step begins with.
    """

    events: int = 0
    bad: int = 0
    steps: list[int] = field(default_factory=lambda: [0])
    _table: Array = field(default_factory=lambda: np.zeros((0, 2, 0)))  # block, count, row
    _arms: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    _clusters: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    _sure: Array = field(default_factory=lambda: np.zeros((0, 2, 0)))  # as far as believed
    _began: datetime | None = None
    _names: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Count the blocks."""
        return len(self._table)

    def begin_step(self) -> None:
        """Let a block begin with the next tick."""
        self._began = None
        self.steps.append(self.count)

    def add(self, at: datetime, canary: Arm, stable: Arm, clusters: dict[int, str]) -> bool:
        """Add a tick.

        Args:
            at: Its time.
            canary: What pods of the canary did.
            stable: The same of stable.
            clusters: Cluster of each row that these name.

        Returns:
            Whether a block began with it.
        """
        self._learn(canary, stable, clusters)
        tick = np.zeros((2, len(self._arms)))
        for arm in (canary, stable):
            tick[:, arm.rows] += (arm.events, arm.bad)
        begins = self._begins(at, tick)
        if begins:
            self._table = np.concatenate([self._table, np.zeros((1, *tick.shape))])
            self._began = at
        self._table[-1] += tick
        self._sure = np.concatenate([self._sure[: self.count - 1], self._believed()])
        self.events += int(canary.events.sum())
        self.bad += int(canary.bad.sum())
        return begins

    def _learn(self, canary: Arm, stable: Arm, clusters: dict[int, str]) -> None:
        width = max([len(self._arms), *(row + 1 for row in clusters)])
        missing = (0, width - len(self._arms))
        self._table, self._sure = widened(self._table, width), widened(self._sure, width)
        self._arms = np.pad(self._arms, missing)
        self._clusters = np.pad(self._clusters, missing)
        self._arms[canary.rows], self._arms[stable.rows] = CANARY, STABLE
        for row, name in clusters.items():
            self._clusters[row] = self._names.setdefault(name, len(self._names))

    def _begins(self, at: datetime, tick: Array) -> bool:
        if self._began is None or not self.count:
            return True
        newest = self._table[-1]
        if at - self._began >= LEAST_SPAN and float(newest[1].sum()) >= LEAST_BAD:
            return True
        return self._is_split_otherwise(newest[0], tick[0])

    def _is_split_otherwise(self, before: Array, now: Array) -> bool:
        canary = self._arms == CANARY
        served = float(before.sum()), float(now.sum())
        if 0 in served:
            return False
        mine = float(before[canary].sum()), float(now[canary].sum())
        share, usual = mine[1] / served[1], mine[0] / served[0]
        both = sum(mine) / sum(served)
        chance = math.sqrt(both * (1 - both) * (1 / served[0] + 1 / served[1]))
        pairs = ((share, usual), (1 - share, 1 - usual))
        apart = any(max(pair) > CHANGED * min(pair) for pair in pairs)
        return apart and abs(share - usual) > DEVIATIONS * chance

    def in_arm(self, arm: int) -> Rows:
        """Give the rows of an arm."""
        return np.flatnonzero(self._arms == arm)

    def cells(self, start: int = 0, without: tuple[int, ...] = ()) -> Cells:
        """Add up the pods of each cluster.

        Args:
            start: First block.
            without: Rows that are left out.
        """
        table = self._sure[start:].copy()
        table[:, :, list(without)] = 0.0
        places = np.eye(max(1, len(self._names)))[self._clusters]
        found = []
        for arm in (STABLE, CANARY):
            chosen = np.where((self._arms == arm)[:, None], places, 0.0)
            found.append(table @ chosen)
        stable, canary = found
        return Cells((stable[:, 0], canary[:, 0]), (stable[:, 1], canary[:, 1]))

    def _believed(self) -> Array:
        """Let no pod count for more than three usual ones of its release in the newest block."""
        table = self._table[-1:].copy()
        for arm in (STABLE, CANARY):
            rows = self.in_arm(arm)
            rows = rows[table[0, 0, rows] > 0]
            if len(rows) >= FEWEST_TO_DOUBT:
                events = table[0, 0, rows]
                table[0][:, rows] *= np.minimum(1.0, MOST_USUAL * np.median(events) / events)
        return table

    def excess(self, start: int = 0) -> Array:
        """Give how many bad events each pod has more than its share of its cells."""
        cells, table = self.cells(start), self._sure[start:]
        events = np.maximum(cells.events[CANARY] + cells.events[STABLE], 1e-9)
        rates = ((cells.bad[CANARY] + cells.bad[STABLE]) / events)[:, self._clusters]
        return np.asarray((table[:, 1] - table[:, 0] * rates).sum(axis=0))

    @property
    def sums(self) -> Sums:
        """Give what each canary pod did, and what is expected of it, as for the guards."""
        rows, cells = self.in_arm(CANARY), self.cells()
        both = cells.is_compared[:, self._clusters[rows]]
        rates = cells.bad[STABLE] / np.maximum(cells.events[STABLE], 1e-9)
        table = np.zeros((EXPECTED + 1, len(self._arms)))
        events, bad = (self._table[:, count, rows] for count in range(2))
        table[EVENTS, rows] = events.sum(axis=0)
        table[BAD, rows] = np.where(both, bad, 0.0).sum(axis=0)
        expected = events * rates[:, self._clusters[rows]]
        table[EXPECTED, rows] = np.where(both, expected, 0.0).sum(axis=0)
        return Sums(table)

    @property
    def expected_bad(self) -> float:
        """Give the bad events expected from the canary, where it could be compared."""
        return float(self.sums.table[EXPECTED].sum())

    @property
    def not_compared(self) -> int:
        """Count the canary events of clusters and blocks in which stable served none."""
        rows = self.in_arm(CANARY)
        alone = ~self.cells().is_compared[:, self._clusters[rows]]
        return int(np.where(alone, self._table[:, 0, rows], 0.0).sum())

    def since_step(self) -> tuple[Array, Array]:
        """Give events and bad events of each cluster's canary in the present step."""
        rows = self.in_arm(CANARY)
        counts = self._table[self.steps[-1] :][:, :, rows].sum(axis=0)
        names = max(1, len(self._names))
        events, bad = (
            np.bincount(self._clusters[rows], counts[one], names).astype(np.float64)
            for one in range(2)
        )
        return events, bad

    @property
    def has_stable(self) -> bool:
        """Say whether stable served anything in the newest block."""
        return bool(self.count and self._table[-1, 0, self.in_arm(STABLE)].any())
