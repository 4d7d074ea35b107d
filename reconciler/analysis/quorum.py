"""Tell whether enough sites report to compare at all."""

from dataclasses import dataclass

from reconciler.analysis.verdict import Settings


@dataclass(frozen=True, slots=True)
class Presence:
    """Fresh sites and all sites of both arms at one tick."""

    canary_fresh: int
    canary: int
    stable_fresh: int
    stable: int


class Quorum:
    """How many sites usually report, learnt from the stable arm; mutable.

    Sites that are away leave the denominator: what counts is the share that reports usually.
    A tick in which the stable arm fell silent teaches nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sum = 0.0
        self._ticks = 0

    def stable_trouble(self, now: Presence) -> str | None:
        """Say what is wrong with the stable arm at a new tick, and learn from it if nothing."""
        if not now.stable:
            return None
        wanted = self._usual(1, now) * self._settings.quorum * now.stable
        if now.stable_fresh == 0 or now.stable_fresh < wanted:
            return f"{now.stable_fresh} of {now.stable} stable sites are fresh, {wanted:.0f} needed"
        self._sum += now.stable_fresh / now.stable
        self._ticks += 1
        return None

    def canary_trouble(self, now: Presence) -> str | None:
        """Say what is wrong with the canary arm, measured by the share usual in the fleet."""
        wanted = self._usual(0, now) * self._settings.quorum * now.canary
        if now.canary_fresh >= wanted:
            return None
        return f"{now.canary_fresh} of {now.canary} canary sites are fresh, {wanted:.1f} needed"

    def _usual(self, arm: int, now: Presence) -> float:
        if self._settings.reporting_share is not None:
            return self._settings.reporting_share[arm]
        if self._ticks:
            return self._sum / self._ticks
        return now.stable_fresh / now.stable if now.stable else 0.0
