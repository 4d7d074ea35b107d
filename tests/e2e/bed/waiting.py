"""Deadlines for a machine whose speed is not known: nothing ever sleeps for a fixed time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
_SHORTEST_S, _OFTEN_S, _SELDOM_S = 0.02, 0.3, 1.0


class TooLate(AssertionError):  # noqa: N818 (it is what happened)
    """Something did not become true in time."""


@dataclass
class Patience:
    """How much slower this machine is than the one on which the bed was written.

    Attributes:
        factor: Measured when the bed started; never under 1.
    """

    factor: float = 1.0

    def measured(self, took_s: float, usual_s: float) -> None:
        """Take over what a start of a known length needed here."""
        self.factor = max(self.factor, took_s / usual_s)

    def __call__(self, seconds: float) -> float:
        """Scale a deadline."""
        return seconds * self.factor

    def until(
        self, look: Callable[[], T], seconds: float, what: str, *, is_timed: bool = False
    ) -> T:
        """Look again and again until it is true, and give what was seen.

        An AssertionError or an OSError of `look` counts as not yet true. To look costs time of the
        API servers, so only who wants to know when it became true (`is_timed`) looks often.

        Raises:
            TooLate: It was not true within the scaled deadline; the message has the last sight.
        """
        started = time.monotonic()
        deadline, pause_s = started + self(seconds), _SHORTEST_S
        seen: object = None
        while True:
            try:
                found = look()
                if found:
                    return found
                seen = found
            except (AssertionError, OSError) as error:
                seen = error
            if time.monotonic() >= deadline:
                spent_s = time.monotonic() - started
                raise TooLate(f"not within {spent_s:.1f} s: {what}; last seen: {str(seen)[:2000]}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _OFTEN_S if is_timed else _SELDOM_S)
