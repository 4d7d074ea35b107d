"""Follow the evidence that the canary is worse, tick after tick."""

from dataclasses import dataclass

from reconciler import statistics
from reconciler.statistics import Grid


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the sums of one tick say.

    Attributes:
        parts: Each rate ratio, with the logarithm of its part in the evidence; that of 1 is what
            has not started yet.
        information: Nats of Fisher information so far.
    """

    parts: Grid
    information: float


class Evidence:
    """ln E_bad now and at its highest; mutable, no clock, no I/O."""

    def __init__(self, start: Weighed, log_bound: float) -> None:
        """Start at E_bad = 1, on the way to a bound."""
        self.log = 0.0
        self.most = 0.0
        self.log_bound = log_bound
        self._boost = 0.0
        self._before = start

    @property
    def is_proof(self) -> bool:
        """Say whether the bound is reached now."""
        return self.log >= self.log_bound

    def take(self, now: Weighed) -> None:
        """Add a tick."""
        gained, room = now.information - self._before.information, self.log_bound - self.log
        if gained > 0 and room > 0:
            self._boost += statistics.log_boost(self._before.parts, gained, room)
        self.log = statistics.log_sum(now.parts.log_weights) + self._boost
        self.most = max(self.most, self.log)
        self._before = now

    def put(self, log: float) -> None:
        """Take evidence that was weighed otherwise."""
        self.log = log
        self.most = max(self.most, log)
