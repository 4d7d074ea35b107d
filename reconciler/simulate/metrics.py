"""A metrics API in memory: what the processes of a scenario export, as `query_range` answers it.

What goes wrong with the API, with points and with labels goes wrong here, in the very bytes that
the reconciler's own reader has to understand.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from generator.model.objective import Selector
from generator.model.spans import parse_span
from generator.model.telemetry import PROCESS_START, RELEASE_INFO
from reconciler.simulate.fleet import Fleet, Process
from reconciler.simulate.notation import Chance, Notation, Point, Term, thinned
from reconciler.simulate.reading import MODEL
from reconciler.simulate.scenario import Exported, Fault, Kind, Scenario, Where

ONE = Notation((Term(1.0),))
STALE_S = 300  # so long after its last point a series is still given out
EVERYWHERE = Where()
OWN = (
    Exported(EVERYWHERE, RELEASE_INFO, {}, ONE),
    Exported(EVERYWHERE, PROCESS_START, {}, ONE),
)


class Broken(Exception):  # noqa: N818 (a state of the API)
    """The API does not answer; the text says how."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API answers."""

    status: int
    body: bytes


@dataclass
class Metrics:
    """The API.

    Attributes:
        scenario: What there is.
        fleet: Who runs what.
        interval_s: Between points.
        luck: Names the luck of the sites.
        now: What comes later is not there yet.
    """

    scenario: Scenario
    fleet: Fleet
    interval_s: int
    luck: str
    now: datetime

    def __post_init__(self) -> None:
        """Start with empty memories."""
        self.labels = {"environment": self.scenario.environment, "model": MODEL}
        self._written: dict[tuple[int, str], tuple[Point, ...]] = {}
        self._served: dict[tuple[int, str, str, int], tuple[Point, ...]] = {}
        self._taken: dict[tuple[str, int, str], bool] = {}
        self._sources: dict[tuple[int, str, str, str, float], _Source] = {}
        self._zero = self.scenario.promoted.timestamp()

    def answer(self, form: Mapping[str, str]) -> Reply:
        """Answer one `query_range`.

        Raises:
            Broken: It does not.
        """
        now = self.now - self.scenario.promoted
        mine = [one for one in self.scenario.faults if one.holds(now)]
        for fault in mine:
            if fault.kind is Kind.API:
                return _trouble(fault.text)
        ticks = range(int(form["start"]), int(form["end"]) + 1, int(form["step"]))
        found = list(self._series(form["query"], ticks))
        for fault in mine:
            if fault.kind is Kind.EXPLODE:
                found += self._exploded(form["query"], int(fault.text), ticks[-1])
        document: dict[str, object] = {"status": "success", "data": _matrix(found)}
        warnings = [one.text for one in mine if one.kind is Kind.WARNINGS]
        return Reply(
            200, json.dumps(document | ({"warnings": warnings} if warnings else {})).encode()
        )

    def _exploded(self, query: str, count: int, at: int) -> Iterator[object]:
        site = next(iter(self.scenario.sites))
        for metric, labels in [(Selector.read(query).metric, {"site": site, **self.labels})]:
            for number in range(count):
                own = {"__name__": metric, **labels, "release": self.fleet.canary, "i": str(number)}
                yield {"metric": own, "values": [[at, "1"]]}

    def _series(self, query: str, ticks: range) -> Iterator[object]:
        exported = (*OWN, *self.scenario.series)
        for site, processes in self.fleet.processes.items():
            for process in processes:
                seen = [at for at in ticks if process.begun <= at < process.ended]
                done: set[tuple[str, ...]] = set()
                for number, one in enumerate(exported) if seen else ():
                    key = (
                        one.metric,
                        *(part for pair in sorted(one.labels.items()) for part in pair),
                    )
                    fits = self.fleet.fits(one.where, site, process.release)
                    if key in done or not fits:
                        continue
                    done.add(key)  # the first that fits counts
                    yield from self._lines(query, number, one, site, process, seen)

    def _is_taken(self, query: str, number: int, one: Exported, release: str) -> bool:
        key = (query, number, release)
        if key not in self._taken:
            selector = Selector.read(query)
            labels = {**self.labels, "release": release, **one.labels}
            self._taken[key] = selector.metric == one.metric and all(
                matcher.takes(labels.get(matcher.label, "")) for matcher in selector.matchers
            )
        return self._taken[key]

    def _lines(
        self, query: str, number: int, one: Exported, site: str, process: Process, seen: list[int]
    ) -> Iterator[object]:
        relabelled = any(fault.kind is Kind.RELABEL for fault in self.scenario.faults)
        if not relabelled and not self._is_taken(query, number, one, process.release):
            return
        source = self._source(number, one, site, process)
        by_release: dict[str, list[tuple[int, str]]] = {}
        for at in seen:
            shown = source.shown(at)
            if shown is not None:
                by_release.setdefault(shown[0], []).append(shown[1])
        for release, values in by_release.items():
            if not self._is_taken(query, number, one, release):
                continue
            labels = {"__name__": one.metric, **self.labels, "site": site, "release": release}
            line = {"metric": {**labels, **one.labels}, "values": values}
            yield line
            twice = source.faults[Kind.TWICE]
            yield from (line for fault in twice if self.holds(fault, values[-1][0]))

    def _source(self, number: int, one: Exported, site: str, process: Process) -> "_Source":
        key = (number, self.fleet.canary, site, process.release, process.begun)
        if key not in self._sources:
            faults = {
                kind: tuple(self.fleet.faults(kind, site, process.release, one.metric))
                for kind in Kind
            }
            self._sources[key] = _Source(self, number, one, site, process, faults)
        return self._sources[key]

    def release(self, text: str) -> str:
        """Name a release by its arm; other text stays."""
        stable = next((p.release for ps in self.fleet.processes.values() for p in ps), "")
        return {"canary": self.fleet.canary, "stable": stable}.get(text, text)

    def holds(self, fault: Fault, at: float) -> bool:
        """Say whether a fault holds at a time."""
        return fault.holds(timedelta(seconds=at - self._zero))

    def seconds(self, since: timedelta) -> float:
        """Give a time since the promotion in seconds since the epoch."""
        return self._zero + since.total_seconds()

    def written(self, number: int, one: Exported, site: str) -> tuple[Point, ...]:
        """Write out the points of a series, once for all sites that have the same."""
        whose = f"{self.luck}/{number}/{site}" if one.values.is_by_chance else ""
        key = (number, whose)
        if key not in self._written:
            self._written[key] = one.values.points(whose)
        return self._written[key]

    def served(self, number: int, one: Exported, site: str, process: Process) -> tuple[Point, ...]:
        """Write out what a release that has a share of the traffic counts."""
        told = self.fleet.shares.get(site, [])
        key = (number, site, process.release, len(told))
        if key not in self._served:
            points = self.written(number, one, site)
            start = self._zero - self.scenario.lead.total_seconds()
            begun = start if one.on_fleet_clock else process.begun
            step = self.interval_s
            first = -(-begun // step) * step
            shares = [
                next(
                    (by.get(process.release, 0.0) for since, by in reversed(told) if since < at),
                    0.0,
                )
                for at in (first + (place - 0.5) * step for place in range(len(points)))
            ]
            whose = f"{self.luck}/{number}/{site}/{process.release}/served"
            luck = Chance(whose) if one.values.is_by_chance else None
            self._served[key] = tuple(thinned(points, shares, luck))
        return self._served[key]


@dataclass
class _Source:
    """One series of one process."""

    api: Metrics
    number: int
    exported: Exported
    site: str
    process: Process
    faults: Mapping[Kind, tuple[Fault, ...]]

    def __post_init__(self) -> None:
        """Remember nothing yet."""
        self._shown: dict[int, tuple[str, tuple[int, str]] | None] = {}

    def shown(self, at: int) -> tuple[str, tuple[int, str]] | None:
        """Give the release and the point that are shown at a time, or None.

        Only what comes late depends on when one asks; all else is remembered.
        """
        if self.faults[Kind.LATE]:
            return self._made(at)
        if at not in self._shown:
            self._shown[at] = self._made(at)
        return self._shown[at]

    def _made(self, at: int) -> tuple[str, tuple[int, str]] | None:
        pair = self._point(at)
        if pair is None:
            return None
        relabelled = (one.text for one in self.faults[Kind.RELABEL] if self.api.holds(one, at))
        name = next(relabelled, None)
        return (self.process.release if name is None else self.api.release(name)), pair

    def _point(self, at: int) -> tuple[int, str] | None:
        api, faults = self.api, self.faults
        if any(api.holds(one, at) for one in faults[Kind.ABSENT]):
            return None
        for one in faults[Kind.LATE]:
            ends = one.until is not None and api.now >= api.scenario.promoted + one.until
            if api.holds(one, at) and not ends:
                return None
        text = self._text(at)
        if text is None:
            return None
        for one in faults[Kind.VALUE]:
            text = one.text if api.holds(one, at) else text
        ahead = [one for one in faults[Kind.AHEAD] if api.holds(one, at)]
        shift = sum(int(parse_span(one.text).total_seconds()) for one in ahead)
        return at + shift, text

    def _text(self, at: float) -> str | None:
        for one in self.faults[Kind.FROZEN]:
            if self.api.holds(one, at):
                at = max(self.process.begun, self.api.seconds(one.at))
        if self.exported.metric == PROCESS_START:
            return f"{self._restarted(at, Kind.RESTART) or self.process.begun:.3f}"
        if self.exported.metric == RELEASE_INFO:
            return "1"
        value = self._value(at)
        since = max(self._restarted(at, Kind.RESTART), self._restarted(at, Kind.RESET))
        if value is None:
            return None
        if self.exported.on_fleet_clock:
            # As the other series of this process: 0 at its first tick.
            step = self.api.interval_s
            since = max(since, -(-self.process.begun // step) * step)
        return _number(value - (self._value(since) or 0.0) if since else value)

    def _restarted(self, at: float, kind: Kind) -> float:
        times = (self.api.seconds(one.at) for one in self.faults[kind])
        return max((time for time in times if self.process.begun < time <= at), default=0.0)

    def _value(self, at: float) -> Point:
        step = self.api.interval_s
        start = self.api.scenario.start.timestamp()
        first = -(-(start if self.exported.on_fleet_clock else self.process.begun) // step)
        place = int(at // step - first)
        api, told = self.api, (self.number, self.exported, self.site)
        is_split = api.scenario.is_split and self.exported not in OWN
        points = api.served(*told, self.process) if is_split else api.written(*told)
        if not 0 <= place < len(points) or at % step > STALE_S:
            return None
        return points[place]


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value) or f"{value:.17g}"


def _matrix(series: list[object]) -> object:
    return {"resultType": "matrix", "result": series}


def _trouble(text: str) -> Reply:
    match text:
        case "500" | "503":
            return Reply(int(text), b"the query queue is full")
        case "garbage":
            return Reply(200, b'{"status":"success","data":{"resultType":"ma')
        case "empty":
            return Reply(200, json.dumps({"status": "success", "data": _matrix([])}).encode())
        case _:
            raise Broken(text)
