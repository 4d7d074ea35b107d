"""Know the sites of one rollout: their row, their arm now, and the step they joined in."""

from collections.abc import Collection

import numpy as np

from generator.errors import InputError
from reconciler.analysis.ledger import Arm, Rows
from reconciler.recording import AssignedLine, SiteCounts, TickLine

ABSENT, STABLE, CANARY = range(3)


class Roster:
    """The sites of one rollout, each with a row that it keeps; mutable.

    Attributes:
        step: Number of the present step, from 0 on.
        joined: The step in which each row joined the canary.
        clusters: Sites that serve both releases at once; 0 where traffic is not split. Then a row
            is a pod, or all of a release on one site, and stands in the arm where it was seen.
    """

    def __init__(self) -> None:
        self.step = 0
        self.clusters = 0
        self._last: AssignedLine | None = None
        self.joined: Rows = np.zeros(0, dtype=np.intp)
        self._arms: Rows = np.zeros(0, dtype=np.intp)
        self._rows: dict[str, int] = {}
        self._strata: dict[int, str] = {}
        self._canary: frozenset[str] = frozenset()

    @property
    def width(self) -> int:
        """Count the sites ever seen."""
        return len(self._rows)

    @property
    def strata(self) -> tuple[str, ...]:
        """Give the stratum of every row, or nothing where the draw is not known."""
        return tuple(self._strata.get(row, "") for row in range(self.width)) if self._strata else ()

    def drawn(self) -> tuple[tuple[int, int], ...]:
        """Give how many sites and how many canary sites each stratum has now."""
        found: dict[str, list[int]] = {}
        for row, stratum in sorted(self._strata.items()):
            if self._arms[row] != ABSENT:
                counts = found.setdefault(stratum, [0, 0])
                counts[0] += 1
                counts[1] += int(self._arms[row] == CANARY)
        return tuple((sites, canary) for sites, canary in found.values())

    def names(self, rows: Rows) -> frozenset[str]:
        """Give the sites of some rows."""
        wanted = set(rows.tolist())
        return frozenset(site for site, row in self._rows.items() if row in wanted)

    def in_arm(self, arm: int) -> Rows:
        """Give the rows of one arm."""
        return np.flatnonzero(self._arms == arm)

    def newcomers(self) -> Rows:
        """Give the rows that became canary with the present step; all canary if none did."""
        canary = self.in_arm(CANARY)
        joined = canary[self.joined[canary] == self.step]
        return joined if joined.size else canary

    def rows(self, sites: Collection[str]) -> Rows:
        """Give the row of each site; sites never seen before get new ones, by name."""
        table = self._rows
        for site in sorted(site for site in sites if site not in table):
            table[site] = len(table)
        missing = (0, len(table) - len(self._arms))
        if missing[1]:
            self.joined = np.pad(self.joined, missing)
            self._arms = np.pad(self._arms, missing)
        return np.array([table[site] for site in sites], dtype=np.intp)

    def assign(self, line: AssignedLine) -> bool:
        """Take a new assignment and say whether a step begins with it.

        Sites that it leaves out are in no arm.

        Raises:
            InputError: Traffic is split at some sites only, or not from the first line on.
        """
        both = sum(arm == "both" for arm, _ in line.sites.values())
        if both not in (0, len(line.sites)) or (self._last and (both > 0) != (self.clusters > 0)):
            raise InputError("either all sites are in both arms, from the first line on, or none")
        before, self._last = self._last, line
        if both:
            self.clusters = both
            # The same line again is no new step.
            begins = before is not None and line.at != before.at
            self.step += begins
            return begins
        canary = frozenset(site for site, (arm, _) in line.sites.items() if arm == "canary")
        begins = bool(self._canary) and canary != self._canary
        self.step += begins
        rows = self.rows(line.sites)
        strata = (stratum for _, stratum in line.sites.values())
        self._strata |= zip(rows.tolist(), strata, strict=True)
        self._arms[:] = ABSENT
        self._arms[rows] = [CANARY if site in canary else STABLE for site in line.sites]
        self.joined[self.rows(canary - self._canary)] = self.step
        self._canary = canary
        return begins

    def arms(self, line: TickLine) -> tuple[Arm, Arm]:
        """Turn a tick into canary and stable rows.

        Without any assignment a site is in the arm where it was seen last.
        """
        canary, stable = self._arm(line.canary), self._arm(line.stable)
        if not self._strata:
            self._arms[canary.rows] = CANARY
            self._arms[stable.rows] = STABLE
            self._canary = (self._canary | line.canary.keys()) - line.stable.keys()
        return canary, stable

    def _arm(self, counts: SiteCounts) -> Arm:
        # In the order of rows: the order in a file must not reach the last digit of a sum.
        rows = self.rows(counts)
        order = np.argsort(rows)
        events, bad = columns(counts)
        return Arm(rows[order], events[order], bad[order])


def columns(counts: SiteCounts) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Give events and bad events, two lines with one column per site."""
    return np.array(list(counts.values()), dtype=np.float64).reshape(-1, 2).T
