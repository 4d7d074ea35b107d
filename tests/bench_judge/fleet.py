"""Simulated fleets of unlike sites, and what one rollout on them records.

Every site has its own rate, its history drifted away from it, and lots (batches of material)
make it better or worse for some looks. None of these figures was measured on a real fleet.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from reconciler.recording import Arm, AssignedLine, HistoryLine, Line, TickLine

Table = npt.NDArray[np.int64]

OBJECTIVE = "errors"
START = datetime(2026, 11, 20, tzinfo=UTC)
LOOK = timedelta(minutes=5)
CYCLE_LOOKS = 24


@dataclass(frozen=True)
class Fleet:
    """What sites are like; `spread`, `lots`, `drift` are coefficients of variation.

    `surge` is (first look, last look, times): what the whole fleet suffers, both arms alike.
    `worst` is a number of canary sites whose own counts are lies: every event is bad; negative,
    that many stable sites lie.
    """

    sites: int = 500
    requests: int = 20
    rate: float = 0.01
    spread: float = 0.5
    cycle: float = 0.3
    lots: float = 0.3
    lot_looks: int = 10
    history_looks: int = 288
    drift: float = 0.2
    losing: float = 0.2
    surge: tuple[int, int, float] = (0, 0, 1.0)
    liars: int = 0
    lying_stable: bool = False


@dataclass(frozen=True)
class Rollout:
    """Canary sites from which look on, how long it is watched, and how bad the release is."""

    steps: tuple[tuple[int, int], ...] = ((0, 25),)
    looks: int = 60
    times: float = 1.0
    since: int = 0


@dataclass(frozen=True)
class Recorded:
    """One rollout: a row per look and a column per site; the first sites are canary."""

    events: Table
    bad: Table
    history: Table
    canary: tuple[int, ...]

    def canary_sums(self) -> tuple[Table, Table]:
        """Give events and bad events of the canary at each look."""
        looks = range(len(self.canary))
        chosen = [(self.events[t, : self.canary[t]], self.bad[t, : self.canary[t]]) for t in looks]
        return np.array([n.sum() for n, _ in chosen]), np.array([k.sum() for _, k in chosen])


def simulate(fleet: Fleet, rollout: Rollout, seed: tuple[int, ...]) -> Recorded:
    """Let one rollout happen."""
    rng = np.random.default_rng(seed)
    looks, sites = rollout.looks, fleet.sites
    rates = fleet.rate * _around_one(rng, fleet.spread, (sites,))
    past = np.full(sites, fleet.requests * fleet.history_looks)
    drifted = np.minimum(rates * _around_one(rng, fleet.drift, (sites,)), 1)
    history = np.stack([past, rng.binomial(past, drifted)])
    lots = _around_one(rng, fleet.lots, (-(-looks // fleet.lot_looks), sites))
    look = np.arange(looks)
    common = 1 + fleet.cycle * np.sin(2 * math.pi * (look / CYCLE_LOOKS + rng.random()))
    first, last, times = fleet.surge
    common[first:last] *= times
    chance = rates * np.repeat(lots, fleet.lot_looks, axis=0)[:looks] * common[:, None]
    canary = tuple(max(n for since, n in rollout.steps if since <= t) for t in look)
    for t in range(rollout.since, looks):
        chance[t, : canary[t]] *= rollout.times
    liars = slice(sites - fleet.liars, sites) if fleet.lying_stable else slice(0, fleet.liars)
    chance[:, liars] = 1.0
    events = np.full((looks, sites), fleet.requests)
    events[_gone(rng, fleet, looks)] = 0
    return Recorded(events, rng.binomial(events, np.minimum(chance, 1)), history, canary)


def _around_one(
    rng: np.random.Generator, spread: float, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    return rng.gamma(1 / spread**2, spread**2, shape) if spread else np.ones(shape)


def _gone(rng: np.random.Generator, fleet: Fleet, looks: int) -> npt.NDArray[np.bool_]:
    """Choose the sites that are away once, for 5 to 30 looks: nothing served, nothing seen."""
    away = rng.integers(5, 31, fleet.sites) * (rng.random(fleet.sites) < fleet.losing)
    left = (rng.random(fleet.sites) * np.maximum(looks - away + 1, 1)).astype(np.int64)
    look = np.arange(looks)[:, None]
    return np.asarray((look >= left) & (look < left + away))


def lines(recorded: Recorded) -> Iterator[Line]:
    """Write the rollout as the judge reads it; a tick line per look."""
    looks, sites = recorded.events.shape
    names = [f"plant-{site:05d}" for site in range(sites)]
    yield HistoryLine("bench", None, dict(zip(names, _pairs(recorded.history), strict=True)))
    canary = 0
    for look in range(looks):
        if recorded.canary[look] != canary:
            canary = recorded.canary[look]
            arms: list[Arm] = ["canary"] * canary + ["stable"] * (sites - canary)
            assigned = {site: (arm, "all") for site, arm in zip(names, arms, strict=True)}
            yield AssignedLine("bench", None, assigned)
        counts = _pairs(np.stack([recorded.events[look], recorded.bad[look]]))
        arm_counts = [
            {site: pair for site, pair in zip(names[of], counts[of], strict=True) if pair[0]}
            for of in (slice(canary), slice(canary, None))
        ]
        yield TickLine("bench", OBJECTIVE, START + (look + 1) * LOOK, *arm_counts)


def _pairs(table: Table) -> list[tuple[int, int]]:
    return [(n, k) for n, k in table.T.tolist()]
