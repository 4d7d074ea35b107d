"""Count what makes something new on a forge, so that no limit is ever run into.

Source: GitHub allows about 80 such calls a minute and 500 an hour, whoever makes them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

PER_MINUTE = 80
PER_HOUR = 500
MINUTE_S = 60.0
HOUR_S = 3600.0


@dataclass
class Budget:
    """The calls of one process; another process is only noticed by what the forge refuses.

    Attributes:
        clock: Gives seconds that never go back.
        per_minute: Most calls in any minute.
        per_hour: Most calls in any hour.
    """

    clock: Callable[[], float]
    per_minute: int = PER_MINUTE
    per_hour: int = PER_HOUR
    _spent: deque[float] = field(default_factory=deque)

    def wait_s(self) -> float:
        """Say how long the next call has to wait; 0 where it may be made now."""
        now = self.clock()
        while self._spent and self._spent[0] <= now - HOUR_S:
            self._spent.popleft()
        waits = [0.0]
        for most, span_s in ((self.per_minute, MINUTE_S), (self.per_hour, HOUR_S)):
            if len(self._spent) >= most:
                waits.append(self._spent[-most] + span_s - now)
        return max(waits)

    def spend(self) -> None:
        """Count one call."""
        self._spent.append(self.clock())

    @property
    def spent(self) -> int:
        """Give the number of calls in the last hour."""
        return len(self._spent)
