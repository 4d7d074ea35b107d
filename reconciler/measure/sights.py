"""Which release each site says it serves, and when it was seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Roster, Window
from reconciler.measure.counters import Starts
from reconciler.measure.series import Series
from reconciler.measure.table import Rows, Table, table_of

MOST_OTHERS = 5
LONGEST_RELEASE = 63
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one site showed of itself.

    Attributes:
        serving: Release it names at the last tick; of several the one started last; None where
            it names none, or several and nothing says which is newer.
        last_seen: Last fetched tick with any of its series; None when there is none.
        served: It named the canary release at a tick of the window.
        back: First fetched tick with any of its series since it was moved to its arm.
        others: Further releases it names at the last tick, at most 5.
    """

    serving: str | None = None
    last_seen: datetime | None = None
    served: bool = False
    back: datetime | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Info:
    """`model_release_info` over the ticks, K series of sites of the roster.

    Attributes:
        rows: Their rows in the roster.
        releases: What each names.
        seen: K x T ticks: whether it does so.
    """

    rows: Rows
    releases: Sequence[str]
    seen: Bools

    def present(self, sites: int) -> Bools:
        """Say for N sites x T ticks whether they name any."""
        found = np.zeros((sites, self.seen.shape[1]), np.bool_)
        np.logical_or.at(found, self.rows, self.seen)
        return found

    def named(self) -> Mapping[int, Sequence[str]]:
        """Give the releases that a row of the roster names at the last tick, sorted."""
        found: dict[int, set[str]] = {}
        for number in np.flatnonzero(self.seen[:, -1]).tolist():
            found.setdefault(int(self.rows[number]), set()).add(self.releases[number])
        return {row: sorted(releases) for row, releases in found.items()}

    def naming(self, release: str, judged: slice) -> frozenset[int]:
        """Give the rows that name a release at any of some ticks."""
        by = np.array([one == release for one in self.releases], np.bool_)
        return frozenset(self.rows[by & self.seen[:, judged].any(axis=1)].tolist())


def read_info(series: Iterable[Series] | Table, roster: Roster, window: Window) -> Info:
    """Read the info series; they count while they are above 0."""
    table = table_of(series, window.ticks)
    targets = [-1] * len(table)
    rows: list[int] = []
    releases: list[str] = []
    for number, line in enumerate(zip(table.names, table.texts, strict=True)):
        labels = dict(zip(*line, strict=True))
        row = roster.rows.get(labels.get("site", ""))
        if row is not None:
            targets[number] = len(rows)
            rows.append(row)
            releases.append(_shown(labels.get("release", "")))
    seen = table.spread(np.array(targets, np.intp), len(rows)) > 0
    return Info(np.array(rows, np.intp), releases, seen)


def sights(
    info: Info, present: Bools, canary: str, roster: Roster, window: Window, starts: Starts
) -> dict[str, Sight]:
    """Say for every site of the roster what it showed.

    Args:
        info: Who named what.
        present: N sites x T ticks: whether any series of the site was there.
        canary: Release that climbs, or "".
        roster: Sites and arms.
        window: Ticks.
        starts: Process starts, to tell two named releases apart.
    """
    since_flip = present & (window.seconds >= roster.flipped[:, -1:])
    times = [window.at(column) for column in range(len(window.ticks))]
    named = info.named()
    served = info.naming(canary, window.judged) if canary else ()
    last, first = _last(present, times), _first(since_flip, times)
    found = {}
    for row, site in enumerate(roster.names):
        releases = named.get(row, ())
        serving = _newest(site, releases, starts)
        found[site] = Sight(
            serving=serving,
            last_seen=last[row],
            served=row in served,
            back=first[row],
            others=tuple(release for release in releases if release != serving)[:MOST_OTHERS],
        )
    return found


def _first(ticks: Bools, times: Sequence[datetime]) -> list[datetime | None]:
    columns = np.where(ticks.any(axis=1), ticks.argmax(axis=1), -1)
    return [times[column] if column >= 0 else None for column in columns.tolist()]


def _last(ticks: Bools, times: Sequence[datetime]) -> list[datetime | None]:
    return _first(ticks[:, ::-1], times[::-1])


def _newest(site: str, releases: Sequence[str], starts: Starts) -> str | None:
    if len(releases) <= 1:
        return releases[0] if releases else None
    ages = sorted(((starts.latest(site, release), release) for release in releases), reverse=True)
    return ages[0][1] if ages[0][0] > ages[1][0] else None


def _shown(release: str) -> str:
    # A site can say anything; what is no release id is shown to people and must not forge a line.
    fits = release.isprintable() and len(release) <= LONGEST_RELEASE
    return release if fits else repr(release[:LONGEST_RELEASE])
