"""Keep the running sums of one objective, one column per site."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reconciler import statistics
from reconciler.statistics import Array

Rows = npt.NDArray[np.intp]

RESTARTS = 16  # of each kind, step boundaries and powers of two of ticks: 32 in all

EVENTS, BAD, EXPECTED, STABLE_BAD, STABLE_EXPECTED = range(5)


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm did in one tick: a row, events and bad events per site."""

    rows: Rows
    events: Array
    bad: Array


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums since the rollout began.

    Attributes:
        table: One line each for EVENTS, BAD, EXPECTED, ...; one column per site. EVENTS holds
            all canary events, the other lines only what could be compared.
        wobble: sum of e^2 g / D over ticks, the Poisson variance that the factors g carry into
            the canary's expected bad events (e, D: expected of canary and stable at g = 1).
    """

    table: Array
    wobble: float = 0.0

    def since(self, then: "Sums") -> "Sums":
        """Take the difference to an earlier copy, which may know fewer sites."""
        return Sums(self.table - widened(then.table, self.width), self.wobble - then.wobble)

    @property
    def width(self) -> int:
        """Count the sites."""
        return int(self.table.shape[1])


NOTHING = Sums(np.zeros((5, 0)))


def widened(table: Array, width: int) -> Array:
    """Give a table at least so many columns, the new ones 0."""
    known = table.shape[-1]
    if known >= width:
        return table
    wide = np.zeros((*table.shape[:-1], width))
    wide[..., :known] = table
    return wide


def _restart_weights() -> tuple[Array, Array]:
    """Fix the weights of all restarts in advance: early boundaries are the likely ones.

    So near to the start that they say the same, or months after it, restarts get little.
    """
    boundaries = 1 / np.arange(1, RESTARTS + 1)
    powers = np.array([0.1, 0.1, 0.5, *[1.0] * 8, *[0.1] * 5])
    return boundaries / (4 * boundaries.sum()), 0.75 * powers / powers.sum()


BOUNDARY_WEIGHTS, POWER_WEIGHTS = _restart_weights()


class Ledger:
    """The sums of one objective of one rollout; mutable, no clock, no I/O."""

    def __init__(self, step: int) -> None:
        """Start empty at a step (0 = the first)."""
        self.sums = NOTHING
        self.events = 0
        self.bad = 0
        self.not_compared = 0
        self._ticks = 0
        self._history: Array = np.zeros((2, 0))
        self._rates: Array = np.zeros(0)
        self._stable = (0.0, 0.0)  # bad, expected at g = 1
        self._both = (0.0, 0.0)  # the same for both arms together
        self.steps = [NOTHING] * (step + 1)
        self.restarts: list[tuple[float, Sums]] = []

    @property
    def expected_bad(self) -> float:
        """Give the bad events expected from the canary, where it could be compared."""
        return float(self.sums.table[EXPECTED].sum())

    def learn(self, rows: Rows, events: Array, bad: Array) -> None:
        """Add history; only before the first tick."""
        if not rows.size:
            return
        self._history = widened(self._history, int(rows.max()) + 1)
        self._history[0, rows] = events
        self._history[1, rows] = bad

    def begin_step(self) -> None:
        """Mark a step boundary: E_ok starts anew, E_bad gets one more restart."""
        mark = self._mark()
        if len(self.steps) <= RESTARTS:
            self.restarts.append((float(BOUNDARY_WEIGHTS[len(self.steps) - 1]), mark))
        self.steps.append(mark)

    def _mark(self) -> Sums:
        return Sums(self.sums.table.copy(), self.sums.wobble)

    def add(self, canary: Arm, stable: Arm, width: int) -> None:
        """Add one tick; stable events of the same tick are what canary events compare with."""
        self._grow(width)
        self._restart_at_power_of_two()
        self._ticks += 1
        self.events += int(canary.events.sum())
        self.bad += int(canary.bad.sum())
        table = self.sums.table
        table[EVENTS, canary.rows] += canary.events
        stable_at_one = stable.events * self._rates[stable.rows]
        believed_bad, believed = statistics.believed(stable.bad, stable_at_one)
        total = float(believed.sum())
        if total == 0:
            self.not_compared += int(canary.events.sum())
            return
        stable_bad = float(believed_bad.sum())
        factor = statistics.tick_factor(stable_bad, total, *self._stable)
        self._stable = (self._stable[0] + stable_bad, self._stable[1] + total)
        canary_at_one = canary.events * self._rates[canary.rows]
        table[BAD, canary.rows] += canary.bad
        table[EXPECTED, canary.rows] += factor * canary_at_one
        table[STABLE_BAD, stable.rows] += stable.bad
        table[STABLE_EXPECTED, stable.rows] += factor * stable_at_one
        wobble = float(canary_at_one.sum()) ** 2 * factor / total
        self.sums = Sums(table, self.sums.wobble + wobble)

    def as_one_fleet(self, canary: Arm, stable: Arm) -> tuple[Array, Array]:
        """Give bad and expected events of every row in a tick, by one factor for both arms.

        Once a tick, after `add`: the factor leans on the ticks before.
        """
        bad, expected = np.zeros((2, self.sums.width))
        for arm in (canary, stable):
            bad[arm.rows] += arm.bad
            expected[arm.rows] += arm.events * self._rates[arm.rows]
        sure_bad, sure = (float(part.sum()) for part in statistics.believed(bad, expected))
        factor = statistics.tick_factor(sure_bad, sure, *self._both) if sure else 0.0
        self._both = (self._both[0] + sure_bad, self._both[1] + sure)
        return bad, factor * expected

    def _grow(self, width: int) -> None:
        if width > len(self._rates):
            self.sums = Sums(widened(self.sums.table, width), self.sums.wobble)
            self._history = widened(self._history, width)
            self._rates = statistics.site_rates(*self._history)

    def _restart_at_power_of_two(self) -> None:
        power = self._ticks.bit_length() - 1
        if 1 <= power <= RESTARTS and self._ticks == 1 << power:
            self.restarts.append((float(POWER_WEIGHTS[power - 1]), self._mark()))

    def since_step(self, step: int) -> Sums:
        """Give the sums since a step boundary; step 0 is the start, -1 the present step."""
        then = self.steps[step]
        return self.sums if then is NOTHING else self.sums.since(then)

    def stable_sites(self, rows: Rows) -> int:
        """Count the sites among `rows` that ever had stable events."""
        return int((self.sums.table[STABLE_EXPECTED, rows] > 0).sum())
