"""The processes on the demo's plants, and the counters they expose.

The luck of a prediction is one uniform number per kind: below the rate of that kind it is bad,
and where in that range it falls decides the bucket. So a worse release makes other predictions
bad *besides* those that were bad anyway.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate.demo.chance import Bools, Events, Floats, Rows

LATENCY_EDGES = (0.1, 0.25, 0.5, 1.0, 2.5)
CONFIDENCE_EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Shares of the buckets beyond and within the bound: slow and fast, unsure and sure.
_SLOW, _FAST = (0.7, 0.2, 0.08, 0.02), (0.6, 0.4)
_UNSURE, _SURE = (0.05, 0.1, 0.15, 0.25, 0.45), (0.1, 0.15, 0.25, 0.2, 0.3)
NOTHING = -1

# Columns of the counters; the buckets are cumulative and their last one is the count.
OK, ERROR = 0, 1
LATENCY = slice(2, 2 + len(LATENCY_EDGES) + 1)
CONFIDENCE = slice(LATENCY.stop, LATENCY.stop + len(CONFIDENCE_EDGES) + 1)
COLUMNS = CONFIDENCE.stop

Counts = NDArray[np.int32]
Releases = NDArray[np.int16]
Shares = tuple[float, ...]


@dataclass(frozen=True)
class Sample:
    """What a scrape shows at one tick, N sites in the order of the fleet.

    Attributes:
        at: Seconds since the epoch.
        release: Index into `Fleet.releases`; NOTHING where a site shows nothing.
        counters: N x COLUMNS, since the start of the process.
        started: Process start, seconds since the epoch.
        last: Last prediction, seconds since the epoch.
    """

    at: int
    release: Releases
    counters: Counts
    started: Floats
    last: Floats


@dataclass
class Plants:
    """What N sites are doing now.

    Attributes:
        wanted: Release that Git says, as an index; NOTHING before the first commit.
        serves: Release that runs.
        due: When the wanted one may start, seconds since the epoch.
        started: When the running one started.
        last: Its last prediction; 0 before the first one.
        counters: N x COLUMNS since that start.
        errors: Factor on the share of errors, whatever the release.
    """

    wanted: Releases
    serves: Releases
    due: Floats
    started: Floats
    last: Floats
    counters: Counts
    errors: Floats

    @classmethod
    def idle(cls, sites: int) -> "Plants":
        """Build N sites without a release."""
        return cls(
            wanted=np.full(sites, NOTHING, np.int16),
            serves=np.full(sites, NOTHING, np.int16),
            due=np.full(sites, np.inf),
            started=np.zeros(sites),
            last=np.zeros(sites),
            counters=np.zeros((sites, COLUMNS), np.int32),
            errors=np.ones(sites),
        )

    def restart(self, which: Bools, earliest: float) -> None:
        """Start the wanted release as a new process: everything counts from 0."""
        self.serves[which] = self.wanted[which]
        self.started[which] = np.maximum(self.due[which], earliest)
        self.counters[which] = 0
        self.last[which] = 0.0

    def count(self, events: Events, limits: Floats) -> None:
        """Add predictions to the counters; luck under the limit of its kind made one bad."""
        error = (events.luck[0] < limits[0]).astype(np.intp)
        latency = _bucket(events.luck[1], limits[1], (len(_FAST), _SLOW), (0, _FAST))
        confidence = _bucket(events.luck[2], limits[2], (0, _UNSURE), (len(_UNSURE), _SURE))
        self._add(events.sites, error, slice(OK, ERROR + 1))
        self._add(events.sites, latency, LATENCY, cumulative=True)
        self._add(events.sites, confidence, CONFIDENCE, cumulative=True)
        np.maximum.at(self.last, events.sites, events.when)

    def sample(self, at: int, shown: Releases) -> Sample:
        """Copy what is exposed."""
        return Sample(at, shown, self.counters.copy(), self.started.copy(), self.last.copy())

    def _add(self, sites: Rows, places: Rows, columns: slice, *, cumulative: bool = False) -> None:
        width = columns.stop - columns.start
        found = np.bincount(sites * width + places, minlength=len(self.counters) * width)
        table = found.reshape(-1, width)
        self.counters[:, columns] += table.cumsum(axis=1) if cumulative else table


def _bucket(luck: Floats, limit: Floats, bad: tuple[int, Shares], good: tuple[int, Shares]) -> Rows:
    """Place predictions in buckets: (first bucket, shares) of the bad and of the good ones.

    A uniform number that is known to lie in a part of 0..1 is uniform in that part.
    """
    is_bad = luck < limit
    rest = np.where(is_bad, luck / limit, (luck - limit) / (1 - limit))
    # Few edges and many numbers: comparing with each edge is faster than searching.
    places = [
        first + sum((rest >= edge).astype(np.intp) for edge in np.cumsum(shares)[:-1])
        for first, shares in (bad, good)
    ]
    chosen: Rows = np.where(is_bad, *places)
    return chosen
