"""Sites that do what Git says a little later, and the processes that they run.

A cloud cluster runs both releases at once and splits its traffic by the weights in Git.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import yaml

from generator.layout import RepoPath
from generator.model.percent import WHOLE
from reconciler.simulate.scenario import Fault, Kind, Scenario, Where

_POINTER = re.compile(r"sites/[^/]+/(?P<site>[^/]+)/[^/]+/kustomization\.yaml")
_VALUES = re.compile(r"sites/[^/]+/(?P<site>[^/]+)/[^/]+/values\.yaml")
_TARGET = re.compile(rb"/(v[0-9]+-[0-9a-f]{8})/[a-z0-9-]+\"")
FOREVER = float("inf")


@dataclass(slots=True)
class Process:
    """One process on one site; times in seconds since the epoch."""

    release: str
    begun: float
    ended: float = FOREVER


class Fleet:
    """The sites of a scenario; mutable.

    Attributes:
        processes: By site, in the order of time.
        canary: Release that climbs, or "".
        shares: By cluster, the share of its traffic that each release has, and from when on; in
            the order of time.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.processes: dict[str, list[Process]] = {site: [] for site in scenario.sites}
        self.canary = ""
        self.shares: dict[str, list[tuple[float, Mapping[str, float]]]] = {}
        self._scenario = scenario
        self._order: Sequence[str] = tuple(scenario.sites)
        self._chosen: dict[Where, frozenset[str]] = {}

    def draw(self, order: Iterable[str], canary: str) -> None:
        """Take the order in which a rollout takes the sites, and its canary."""
        self._order, self.canary = tuple(order), canary
        self._chosen.clear()

    def sites(self, where: Where) -> frozenset[str]:
        """Choose sites, whatever they run."""
        if where not in self._chosen:
            groups = self._scenario.sites
            fit = [site for site in self._order if where.group in ("", groups.get(site))]
            last = None if where.first is None else where.skip + where.first
            self._chosen[where] = frozenset(fit[where.skip : last])
        return self._chosen[where]

    def fits(self, where: Where, site: str, release: str) -> bool:
        """Say whether a place means a site while it runs a release."""
        arm = "canary" if release == self.canary else "stable"
        return where.runs in ("", arm) and site in self.sites(where)

    def faults(self, kind: Kind, site: str, release: str, metric: str) -> Iterator[Fault]:
        """Give what goes wrong in one way with one series."""
        for one in self._scenario.faults:
            is_meant = one.kind is kind and one.metric in ("", metric)
            if is_meant and self.fits(one.where, site, release):
                yield one

    def follow(self, files: Mapping[RepoPath, bytes | None], at: datetime) -> None:
        """Let every site whose pointer changed start the release that it names now."""
        begun = (at + self._scenario.delay).timestamp()
        for path, data in files.items():
            found = _POINTER.fullmatch(path)
            target = _TARGET.search(data) if found and data else None
            if found and target and found["site"] in self.processes:
                self._start(found["site"], target.group(1).decode(), begun)
            values = _VALUES.fullmatch(path)
            if values and data and values["site"] in self.processes:
                self._split(values["site"], yaml.safe_load(data)["weights"], begun)

    def is_settled(self, at: datetime) -> bool:
        """Say whether every cluster does what Git says."""
        return all(told[-1][0] <= at.timestamp() for told in self.shares.values())

    def _split(self, site: str, weights: Mapping[str, int], begun: float) -> None:
        told = self.shares.setdefault(site, [])
        told.append((begun, {name: weight / WHOLE for name, weight in weights.items()}))
        mine = self.processes[site]
        for one in mine:
            if one.release not in weights and one.ended == FOREVER:
                one.ended = max(one.begun, begun)
        running = {one.release for one in mine if one.ended == FOREVER}
        mine += [Process(name, begun) for name in weights if name not in running]

    def _start(self, site: str, release: str, begun: float) -> None:
        since = timedelta(seconds=begun - self._scenario.promoted.timestamp())
        for fault in self.faults(Kind.STUCK, site, release, ""):
            if fault.holds(since):
                if fault.until is None:
                    return
                begun = self._scenario.promoted.timestamp() + fault.until.total_seconds()
        mine = self.processes[site]
        if mine:
            mine[-1].ended = max(mine[-1].begun, begun)
        mine.append(Process(release, begun))
