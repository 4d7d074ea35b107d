"""Differences of raw counters, series by series: resets, restarts, gaps and first sights.

A counter is what all its labels say it is. Between two sights it grew by their difference,
however long the gap; that is booked at the tick at which it is seen again. It starts from 0
again when its value falls, or when its process was started anew since the last sight. At its
first sight it counts from 0 only if its process started after the site was moved to its arm
*and* after the first fetched tick: otherwise it may have been booked before, or have counted
for another arm, and its first value is a baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Roster, Window
from reconciler.measure.series import Series

Key = frozenset[tuple[str, str]]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

MAX_COUNT = 2.0**53  # a double holds it exactly
SAME_START_S = 2.0  # start times are read off a clock that is sometimes set
SKEW_S = 300.0  # how wrong a site's clock may be before it is not believed


@dataclass(frozen=True)
class Starts:
    """Process start times, in seconds since the epoch.

    Attributes:
        known: (site, release) to the labels and the row of each process.
        values: Processes x ticks, carried forward over gaps; the last row is all NaN.
    """

    known: Mapping[tuple[str, str], Sequence[tuple[Mapping[str, str], int]]]
    values: Floats

    def row(self, labels: Mapping[str, str]) -> int:
        """Find the one process that a series with these labels belongs to, or the NaN row."""
        mine = labels.items()
        near = self.known.get((labels["site"], labels["release"]), ())
        rows = [row for start, row in near if start.items() <= mine]
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
        keys: What they are: all labels but the name.
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


def spread(series: Sequence[Series], rows: Sequence[int], height: int, window: Window) -> Floats:
    """Lay the points of series i into row rows[i] of ticks; where two meet, the larger stays."""
    points = [one.points for one in series]
    targets = np.repeat(np.array(rows, np.intp), [len(some) for some in points])
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(points)), np.float64)
    times, values = flat.reshape(-1, 2).T
    ticks = window.seconds
    places, rest = np.divmod(times - ticks[0], window.step.total_seconds())
    found = np.full((height, len(ticks)), np.nan)
    inside = (rest == 0) & (places >= 0) & (places < len(ticks))
    np.fmax.at(found, (targets[inside], places[inside].astype(np.intp)), values[inside])
    return found


def read_starts(series: Iterable[Series], window: Window) -> Starts:
    """Read process start times."""
    known: dict[tuple[str, str], list[tuple[Mapping[str, str], int]]] = {}
    kept = [one for one in series if "site" in one.labels and "release" in one.labels]
    for row, one in enumerate(kept):
        labels = {name: value for name, value in one.labels.items() if name != "__name__"}
        known.setdefault((labels["site"], labels["release"]), []).append((labels, row))
    values = spread(kept, range(len(kept)), len(kept), window)
    unknown = np.full((1, values.shape[1]), np.nan)
    return Starts(known, np.concatenate([_carried(values), unknown]))


def read_counters(
    series: Iterable[Series], roster: Roster, window: Window, starts: Starts
) -> tuple[Counters, tuple[str, ...]]:
    """Read the counters of one query, and say what was refused.

    Two series with the same labels leave no way to tell which is right, so their site has
    no data at all.
    """
    found = _group(series, roster)
    labels = [one.labels for one in found.first]
    values = spread(found.lines, found.rows, len(labels), window)
    values[[one["site"] in found.refused for one in labels]] = np.nan
    unfit = (values < 0) | (values > MAX_COUNT)
    sites = np.array([roster.rows[one["site"]] for one in labels], np.intp)
    notes = [f"two series with the same labels at site {site}" for site in sorted(found.refused)]
    notes += [
        f"a counter at site {roster.names[row]} is negative or too large"
        for row in np.unique(sites[unfit.any(axis=1)])
    ]
    counters = Counters(
        keys=found.keys,
        sites=sites,
        arms=np.array([roster.arm_of[one["release"]] for one in labels], np.intp),
        values=np.floor(np.where(unfit, np.nan, values)),
        started=starts.values[[starts.row(one) for one in labels]],
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


@dataclass
class _Group:
    """Series by counter: line i belongs to counter rows[i]."""

    keys: list[Key]
    first: list[Series]
    lines: list[Series]
    rows: list[int]
    refused: set[str]


def _group(series: Iterable[Series], roster: Roster) -> _Group:
    """Find the series of each counter: two, where Prometheus began to write `le` anew."""
    found = _Group([], [], [], [], set())
    row_of: dict[Key, int] = {}
    edges: dict[int, set[str]] = {}
    for one in series:
        site = one.labels.get("site", "")
        if site not in roster.rows or one.labels.get("release") not in roster.arm_of:
            continue
        key = _identity(one.labels)
        row = row_of.setdefault(key, len(row_of))
        if row == len(found.first):
            found.keys.append(key)
            found.first.append(one)
        else:
            known = edges.setdefault(row, {found.first[row].labels.get("le", "")})
            if one.labels.get("le", "") in known:
                found.refused.add(site)
            known.add(one.labels.get("le", ""))
        found.lines.append(one)
        found.rows.append(row)
    return found


def _identity(labels: Mapping[str, str]) -> Key:
    own = dict(labels)
    own.pop("__name__", None)
    if "le" in own:
        own["le"] = _edge(own["le"])
    return frozenset(own.items())


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
