"""Which release each site says it serves, and when it was seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Roster, Window
from reconciler.measure.counters import Starts, spread
from reconciler.measure.series import Series

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
    """`model_release_info` over the ticks.

    Attributes:
        named: Per row of the roster, the releases it names, each with its ticks.
        present: N sites x T ticks: whether it names any.
    """

    named: Mapping[int, Sequence[tuple[str, Bools]]]
    present: Bools


def read_info(series: Sequence[Series], roster: Roster, window: Window) -> Info:
    """Read the info series; they count while they are above 0."""
    kept = [one for one in series if one.labels.get("site") in roster.rows]
    seen = spread(kept, range(len(kept)), len(kept), window) > 0
    named: dict[int, list[tuple[str, Bools]]] = {}
    present = np.zeros((len(roster.names), seen.shape[1]), np.bool_)
    for one, ticks in zip(kept, seen, strict=True):
        row = roster.rows[one.labels["site"]]
        named.setdefault(row, []).append((_shown(one.labels.get("release", "")), ticks))
        present[row] |= ticks
    return Info(named, present)


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
    found = {}
    for row, site in enumerate(roster.names):
        named = info.named.get(row, ())
        releases = sorted({release for release, ticks in named if ticks[-1]})
        serving = _newest(site, releases, starts)
        seen, since = np.flatnonzero(present[row]), np.flatnonzero(since_flip[row])
        found[site] = Sight(
            serving=serving,
            last_seen=window.at(int(seen[-1])) if len(seen) else None,
            served=any(
                release == canary != "" and bool(ticks[window.judged].any())
                for release, ticks in named
            ),
            back=window.at(int(since[0])) if len(since) else None,
            others=tuple(release for release in releases if release != serving)[:MOST_OTHERS],
        )
    return found


def _newest(site: str, releases: Sequence[str], starts: Starts) -> str | None:
    if len(releases) <= 1:
        return releases[0] if releases else None
    ages = sorted(((starts.latest(site, release), release) for release in releases), reverse=True)
    return ages[0][1] if ages[0][0] > ages[1][0] else None


def _shown(release: str) -> str:
    # A site can say anything; what is no release id is shown to people and must not forge a line.
    fits = release.isprintable() and len(release) <= LONGEST_RELEASE
    return release if fits else repr(release[:LONGEST_RELEASE])
