"""Differences of raw counters, series by series: resets, restarts, gaps and first sights.

A counter is what all its labels say it is. Between two sights it grew by their difference,
however long the gap; that is booked at the tick at which it is seen again. It starts from 0
again when its value falls, or when its process was started anew since the last sight. At its
first sight it counts from 0 only if its process started after the site was moved to its arm
*and* after the first fetched tick: otherwise it may have been booked before, or have counted
for another arm, and its first value is a baseline.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Roster, Window
from reconciler.measure.series import Series
from reconciler.measure.table import Floats, Names, Rows, Table, Texts, table_of

MAX_COUNT = 2.0**53  # a double holds it exactly
SAME_START_S = 2.0  # start times are read off a clock that is sometimes set
SKEW_S = 300.0  # how wrong a site's clock may be before it is not believed


Key = tuple[Names, Texts, str | None]
"""All labels but the name, in the order of their names, and the edge of a bucket by itself."""


@dataclass(frozen=True)
class Starts:
    """Process start times, in seconds since the epoch.

    Attributes:
        known: (site, release) to the labels and the row of each process.
        names: Of all those labels; no other says to which process a series belongs.
        values: Processes x ticks, carried forward over gaps; the last row is all NaN.
    """

    known: Mapping[tuple[str, str], Sequence[tuple[Mapping[str, str], int]]]
    names: frozenset[str]
    values: Floats
    _found: dict[Names, dict[Texts, int]] = field(default_factory=dict, repr=False)

    def found(self, names: Names) -> dict[Texts, int]:
        """Give a memory of what `row` said of labels with these names."""
        return self._found.setdefault(names, {})

    def row(self, labels: Mapping[str, str]) -> int:
        """Find the one process that a series with these labels belongs to, or the NaN row."""
        near = self.known.get((labels["site"], labels["release"]), ())
        rows = [row for start, row in near if start.items() <= labels.items()]
        rows = rows or [row for start, row in near if _agree(start, labels)]
        return rows[0] if len(rows) == 1 else -1

    def latest(self, site: str, release: str) -> float:
        """Give the newest start of a release on a site at the last tick, or -inf."""
        rows = [row for _, row in self.known.get((site, release), ())]
        return float(np.nan_to_num(self.values[rows, -1], nan=-np.inf).max(initial=-np.inf))


@dataclass(frozen=True)
class Counters:
    """S counters of one query x T fetched ticks.

    Attributes:
        keys: What they are.
        sites: Their rows in the roster.
        arms: 1 under the canary release, 0 under the stable one.
        values: Whole numbers; NaN where a counter was not seen.
        started: Start of its process; NaN where that is not known.
    """

    keys: Sequence[Key]
    sites: Rows
    arms: Rows
    values: Floats
    started: Floats


def read_starts(series: Iterable[Series] | Table, window: Window) -> Starts:
    """Read process start times."""
    table = table_of(series, window.ticks)
    known: dict[tuple[str, str], list[tuple[Mapping[str, str], int]]] = {}
    every: set[str] = set()
    for row, line in enumerate(zip(table.names, table.texts, strict=True)):
        labels = dict(zip(*line, strict=True))
        labels.pop("__name__", None)
        if "site" in labels and "release" in labels:
            known.setdefault((labels["site"], labels["release"]), []).append((labels, row))
            every.update(labels)
    values = table.spread(np.arange(len(table)), len(table))
    unknown = np.full((1, values.shape[1]), np.nan)
    return Starts(known, frozenset(every), np.concatenate([_carried(values), unknown]))


def read_counters(
    series: Iterable[Series] | Table, roster: Roster, window: Window, starts: Starts
) -> tuple[Counters, tuple[str, ...]]:
    """Read the counters of one query, and say what was refused.

    Two series with the same labels leave no way to tell which is right, so their site has
    no data at all.
    """
    table = table_of(series, window.ticks)
    found = _group(table, roster, starts)
    sites = np.array(found.sites, np.intp)
    values = table.spread(np.array(found.targets, np.intp), len(sites))
    values[np.isin(sites, list(found.refused))] = np.nan
    unfit = (values < 0) | (values > MAX_COUNT)
    refused = [roster.names[row] for row in sorted(found.refused)]
    notes = [f"two series with the same labels at site {site}" for site in refused]
    notes += [
        f"a counter at site {roster.names[row]} is negative or too large"
        for row in np.unique(sites[unfit.any(axis=1)])
    ]
    counters = Counters(
        keys=tuple(found.rows),
        sites=sites,
        arms=np.array(found.arms, np.intp),
        values=np.floor(np.where(unfit, np.nan, values)),
        started=starts.values[found.processes],
    )
    return counters, tuple(notes)


def increments(counters: Counters, roster: Roster, window: Window) -> Floats:
    """Give what each counter grew by at each tick; NaN where that cannot be known."""
    values, started, ticks = counters.values, counters.started, window.seconds
    before = _last_seen_before(values)
    prior = np.take_along_axis(values, np.maximum(before, 0), axis=1)
    prior_start = np.take_along_axis(started, np.maximum(before, 0), axis=1)
    moved = np.abs(started - prior_start) > SAME_START_S
    # A start that lies before the last sight is a clock that was set, not a restart.
    restarted = moved & (started > ticks[np.maximum(before, 0)] - SKEW_S)
    grown = np.where(restarted | (values < prior), values, values - prior)
    earliest = np.maximum(roster.flipped[counters.sites], ticks[0])
    is_new = (started >= earliest) & (started <= ticks + SKEW_S)
    return np.where(before >= 0, grown, np.where(is_new, values, np.nan))


@dataclass(frozen=True, slots=True)
class _Form:
    """Where to find what among the texts of series whose labels have the same names.

    Attributes:
        site: Place of the site.
        release: Place of the release.
        edge: Place of `le`, or None.
        names: Of the labels that make a counter what it is, but for `le`, sorted.
        own: Picks those.
        shared: Names of the labels that processes have, too.
        process: Picks those.
    """

    site: int
    release: int
    edge: int | None
    names: Names
    own: Callable[[Texts], Texts]
    shared: Names
    process: Callable[[Texts], Texts]


def _form(names: Names, of_processes: frozenset[str]) -> _Form | None:
    if "site" not in names or "release" not in names:
        return None
    place = {name: number for number, name in enumerate(names)}
    own = tuple(sorted(place.keys() - {"__name__", "le"}))
    shared = tuple(sorted(place.keys() & {*of_processes, "site", "release"}))
    return _Form(
        site=place["site"],
        release=place["release"],
        edge=place.get("le"),
        names=own,
        own=itemgetter(*(place[name] for name in own)),
        shared=shared,
        process=itemgetter(*(place[name] for name in shared)),
    )


@dataclass
class _Group:
    """Series by counter: series i belongs to counter targets[i], or to none where that is -1."""

    roster: Roster
    starts: Starts
    targets: list[int] = field(default_factory=list)
    rows: dict[Key, int] = field(default_factory=dict)
    sites: list[int] = field(default_factory=list)
    arms: list[int] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    _edges: dict[str, str] = field(default_factory=dict)
    _first: list[str | None] = field(default_factory=list)
    _more: dict[int, set[str | None]] = field(default_factory=dict)

    def add(self, form: _Form | None, texts: Texts) -> None:
        """Find the counter of one series."""
        site = self.roster.rows.get(texts[form.site]) if form else None
        arm = self.roster.arm_of.get(texts[form.release]) if form else None
        if form is None or site is None or arm is None:
            self.targets.append(-1)
            return
        edge = None if form.edge is None else texts[form.edge]
        row = self.rows.setdefault((form.names, form.own(texts), self._known(edge)), len(self.arms))
        self.targets.append(row)
        if row == len(self.arms):
            self.sites.append(site)
            self.arms.append(arm)
            self.processes.append(self._process(form, texts))
            self._first.append(edge)
        else:
            self._again(row, edge)

    def _known(self, edge: str | None) -> str | None:
        if edge is None:
            return None
        return self._edges.get(edge) or self._edges.setdefault(edge, _edge(edge))

    def _process(self, form: _Form, texts: Texts) -> int:
        own, found = form.process(texts), self.starts.found(form.shared)
        row = found.get(own)
        if row is None:
            row = found[own] = self.starts.row(dict(zip(form.shared, own, strict=True)))
        return row

    def _again(self, row: int, edge: str | None) -> None:
        """Meet a counter again: two series are one where Prometheus began to write `le` anew."""
        edges = self._more.setdefault(row, {self._first[row]})
        if edge in edges:
            self.refused.add(self.sites[row])
        edges.add(edge)


def _group(table: Table, roster: Roster, starts: Starts) -> _Group:
    found = _Group(roster, starts)
    forms = {names: _form(names, starts.names) for names in set(table.names)}
    for names, texts in zip(table.names, table.texts, strict=True):
        found.add(forms[names], texts)
    return found


def _edge(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _agree(start: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(name, value) == value for name, value in start.items())


def _last_seen(values: Floats) -> NDArray[np.intp]:
    places = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    return np.maximum.accumulate(places, axis=1)


def _last_seen_before(values: Floats) -> NDArray[np.intp]:
    never = np.full((len(values), 1), -1)
    return np.concatenate([never, _last_seen(values)[:, :-1]], axis=1)


def _carried(values: Floats) -> Floats:
    # Where nothing was seen yet, column 0 is NaN itself.
    return np.take_along_axis(values, np.maximum(_last_seen(values), 0), axis=1)
