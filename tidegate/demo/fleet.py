"""A fleet of plants that does what Git says, on a virtual clock.

It stands in for Argo CD and the plants' own pods, and knows nothing of tidegate but the release
that each site should serve. It is a function of seed, plants, what was applied when, and time:
however `advance` is called, the same moment shows the same numbers. One `Fleet` may be read by
other threads while it is advanced.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from generator.model.site import Site
from tidegate.demo.chance import Bools, Chance, Events
from tidegate.demo.plants import NOTHING, Plants, Releases, Sample

BROKEN = 20.0
MOST_BAD = 0.95
INTERVAL = timedelta(minutes=5)
KEEP = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How good a release truly is.

    Attributes:
        errors: Factor on the share of errors.
        slow: Factor on the share of predictions over 250 ms.
        unsure: Factor on the share of predictions under confidence 0.6.
        starts: Its pods become ready; else a site keeps serving what it served.
        reports: Its metrics arrive.
    """

    errors: float = 1.0
    slow: float = 1.0
    unsure: float = 1.0
    starts: bool = True
    reports: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """What one release did, measured or not.

    Attributes:
        predictions: Served with it.
        bad: Of those, in error, slow or unsure.
        excess: Of those, the ones that would have been good under a release like the first.
    """

    predictions: int = 0
    bad: int = 0
    excess: int = 0


class Fleet:
    """N plants, their pods and their metrics."""

    def __init__(
        self,
        sites: Sequence[Site],
        *,
        model: str,
        seed: int,
        start: datetime,
        interval: timedelta = INTERVAL,
        behaviours: Mapping[str, Behaviour] | None = None,
        pins: Mapping[str, Mapping[str, str]] | None = None,
        environment: str = "",
        per_5_minutes: float = 20.0,
        flaky: float = 0.2,
        keep: timedelta = KEEP,
    ) -> None:
        """Build the plants; nothing runs on them before the first `apply`.

        Args:
            sites: The plants.
            model: Value of the label `model`.
            seed: Names their nature.
            start: When time begins; aware, a multiple of the interval.
            interval: Spacing of the ticks, at which they are also scraped.
            behaviours: How good each release is; read at every tick, so it may grow.
            pins: Release to further labels of `model_release_info`; read when asked for.
            environment: Value of the label `environment`; "" for none.
            per_5_minutes: Predictions of an average plant.
            flaky: Share of plants that are away some of the time, 0..1.
            keep: How long samples are kept.

        Raises:
            ValueError: Two plants have one name, or the start is no tick.
        """
        self.sites = tuple(sites)
        self.model = model
        self.environment = environment
        self.interval_s = int(interval.total_seconds())
        self.releases: list[str] = []
        self.pins = pins if pins is not None else {}
        self._now = int(start.timestamp())
        self._rows = {site.id: row for row, site in enumerate(self.sites)}
        if len(self._rows) < len(self.sites) or self._now % self.interval_s:
            raise ValueError("site names are unique and time starts at a tick")
        self._behaviours = behaviours if behaviours is not None else {}
        self._chance = Chance(
            seed, len(sites), self.interval_s, per_5_minutes=per_5_minutes, flaky=flaky
        )
        self._plants = Plants.idle(len(sites))
        self._ledger: dict[int, NDArray[np.int64]] = {}
        self._samples: deque[Sample] = deque(maxlen=int(keep / interval) + 1)
        self._lock = Lock()

    @property
    def now(self) -> datetime:
        """Give the last tick that was simulated."""
        return datetime.fromtimestamp(self._now, UTC)

    def apply(self, at: datetime, desired: Mapping[str, str]) -> None:
        """Take a commit: sites that can be reached start their release 2 to 8 minutes later.

        Args:
            at: When it was pushed; commits come in the order of time.
            desired: Site to release; sites that are absent keep what they have, sites that
                this fleet does not know are ignored.

        Raises:
            ValueError: The commit lies before what was already simulated.
        """
        moment = at.timestamp()
        if moment < self._now:
            raise ValueError(f"a commit of {at.isoformat()} comes after {self.now.isoformat()}")
        wanted = self._plants.wanted.copy()
        for site, release in desired.items():
            if site in self._rows:
                wanted[self._rows[site]] = self._index(release)
        changed = wanted != self._plants.wanted
        delays = self._chance.start_delays(int(moment))
        self._plants.due[changed] = moment + delays[changed]
        self._plants.wanted = wanted

    def advance(self, to: datetime) -> None:
        """Simulate all ticks up to and including a moment."""
        while self._now + self.interval_s <= to.timestamp():
            self._tick(self._now + self.interval_s)

    def break_site(self, site: str) -> None:
        """Let a site make 20 times the errors from now on.

        Raises:
            KeyError: There is no such site.
        """
        self._plants.errors[self._rows[site]] = BROKEN

    def samples(self, first: float, last: float) -> tuple[Sample, ...]:
        """Give the kept samples of first <= t <= last, in seconds since the epoch."""
        with self._lock:
            return tuple(one for one in self._samples if first <= one.at <= last)

    def ledger(self) -> dict[str, Served]:
        """Say what every release truly did, by release."""
        return {
            self.releases[index]: Served(*(int(number) for number in numbers))
            for index, numbers in sorted(self._ledger.items())
        }

    def _index(self, release: str) -> int:
        if release not in self.releases:
            self.releases.append(release)
        return self.releases.index(release)

    def _traits(self) -> list[Behaviour]:
        """List behaviours by index of the release; the last one stands for no release."""
        known = [self._behaviours.get(name, Behaviour()) for name in self.releases]
        return [*known, Behaviour(reports=False)]

    def _tick(self, at: int) -> None:
        traits = self._traits()
        away = self._chance.away(at)
        flips = self._flips(at, away, traits)
        old = self._plants.serves.copy()
        self._plants.restart(flips, at - self.interval_s)
        self._serve(at, old, flips, traits)
        reports = np.array([trait.reports for trait in traits])
        shown = np.where(away | ~reports[self._plants.serves], NOTHING, self._plants.serves)
        with self._lock:
            self._samples.append(self._plants.sample(at, shown.astype(np.int16)))
            self._now = at

    def _flips(self, at: int, away: Bools, traits: Sequence[Behaviour]) -> Bools:
        """Say which sites start another release in the tick that ends at a moment."""
        plants = self._plants
        starts = np.array([trait.starts for trait in traits])
        pending = (plants.wanted != plants.serves) & starts[plants.wanted]
        late = pending & away
        plants.due[late] = np.maximum(plants.due, at + self._chance.start_delays(at))[late]
        flips: Bools = pending & ~away & (plants.due <= at)
        return flips

    def _serve(self, at: int, old: Releases, flips: Bools, traits: Sequence[Behaviour]) -> None:
        """Let every site predict: first with what it served, after its flip with the new one."""
        plants, events = self._plants, self._chance.events(at)
        when = at - self.interval_s + events.when * self.interval_s
        before = flips[events.sites] & (when < plants.started[events.sites])
        release = np.where(before, old[events.sites], plants.serves[events.sites])
        rates = self._chance.rates(at)
        rates[0] = np.minimum(rates[0] * plants.errors, MOST_BAD)
        usual = rates.take(events.sites, axis=1)
        factors = np.array([(trait.errors, trait.slow, trait.unsure) for trait in traits]).T
        limits = np.minimum(usual * factors.take(release, axis=1), MOST_BAD)
        bad: Bools = np.logical_or.reduce(events.luck < limits)
        self._book(release, bad, bad & ~np.logical_or.reduce(events.luck < usual))
        mine = np.flatnonzero(~before & (release != NOTHING))
        served = Events(events.sites[mine], when[mine], events.luck.take(mine, axis=1))
        plants.count(served, limits.take(mine, axis=1))

    def _book(self, release: Releases, bad: Bools, excess: Bools) -> None:
        chosen = (release, release[bad], release[excess])
        numbers = [np.bincount(one[one != NOTHING], minlength=len(self.releases)) for one in chosen]
        for index in np.flatnonzero(numbers[0]):
            known = self._ledger.setdefault(int(index), np.zeros(3, np.int64))
            known += [found[index] for found in numbers]
