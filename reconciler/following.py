"""Follow what Argo CD makes of each commit, and help it along; Git decides, this only watches.

What is kept between looks is a cache: a reconciler that starts anew sees the same and does the
same. Trouble with the hub is said and never keeps a rollout from its revert.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from generator.errors import RemoteError
from generator.repository import Repository
from reconciler.applied import (
    Application,
    Contents,
    Nudges,
    Standing,
    State,
    Wanted,
    nudge,
    stand,
    wanted,
)

UNDER_WAY = (State.BEHIND, State.STUCK, State.MOVING, State.GAVE_UP)
WAKE_EVERY_S = 180
BUSY_FOR = timedelta(minutes=1)
"""So long after the last change it is worth looking every few seconds."""
NAMED = 5
Row = tuple[str, str, str]


class Hub(Protocol):
    """Argo CD, behind its API server."""

    def rows(self) -> Mapping[str, Row]:
        """List sync, health and revision of every Application, by name."""

    def read(self, names: Collection[str]) -> Mapping[str, Application]:
        """Read Applications; those that are gone are left out."""

    def nudge(self, nudges: Nudges, mark: str) -> Mapping[str, str]:
        """Touch them; give what could not be done, by name."""


@dataclass(frozen=True, slots=True)
class View:
    """What was seen at one look.

    Attributes:
        commit: What Git wanted.
        standings: Every wanted Application, by name.
        orphans: Applications with our labels' names that nothing in Git wants any more.
        nudged: What was touched.
        troubles: What could not be read or done.
    """

    commit: str = ""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    orphans: tuple[str, ...] = ()
    nudged: Nudges = field(default_factory=Nudges)
    troubles: tuple[str, ...] = ()

    def line(self, environment: str, model: str) -> Mapping[str, Standing]:
        """Give the standings of one rollout by site; empty where nobody looked."""
        return {
            one.wanted.site: one
            for one in self.standings.values()
            if (one.wanted.environment, one.wanted.model) == (environment, model)
        }

    @property
    def applied(self) -> Mapping[tuple[str, str, str], str]:
        """Give the one live and healthy release of each (environment, model, site) that has it."""
        return {
            (one.wanted.environment, one.wanted.model, one.wanted.site): one.applied
            for one in self.standings.values()
            if one.applied
        }

    @property
    def under_way(self) -> frozenset[str]:
        """Name the Applications that are on their way."""
        return frozenset(name for name, one in self.standings.items() if one.state in UNDER_WAY)

    def say(self) -> tuple[str, ...]:
        """Write a line for each rollout, naming what is not as it should be."""
        lines: dict[str, dict[State, list[str]]] = {}
        for one in self.standings.values():
            name = f"{one.wanted.environment}/{one.wanted.model}"
            lines.setdefault(name, {}).setdefault(one.state, []).append(one.wanted.site)
        said = [f"{name}: {_say_states(states)}" for name, states in sorted(lines.items())]
        if self.orphans:
            said.append(f"in Argo CD but not in Git: {_few(self.orphans)}")
        return tuple(said)


@dataclass
class Following:
    """Looks at every Application after each commit and pass, and only at some in between."""

    hub: Hub
    view: View = field(default_factory=View)
    changed: datetime | None = None
    _wanted: Mapping[str, Wanted] = field(default_factory=dict)
    _contents: Contents | None = None
    _rows: dict[str, Row] = field(default_factory=dict)
    _read: dict[str, Application] = field(default_factory=dict)

    def look(self, repository: Repository, now: datetime) -> View:
        """Compare every Application with Git, and nudge those that need it; never raises."""
        tree = repository.tree
        return self._keep(lambda: self._look(repository, now), tree.commit, now)

    def glance(self, now: datetime) -> View:
        """Look again at what is on its way, and at nothing else; never raises."""
        if not self.view.under_way:
            return self.view
        return self._keep(lambda: self._glance(now), self.view.commit, now)

    def line(
        self, repository: Repository, environment: str, model: str, now: datetime
    ) -> Mapping[str, Standing]:
        """Give the standings of one rollout, as of this very commit."""
        if self.view.commit != repository.tree.commit:
            self.look(repository, now)
        return self.view.line(environment, model)

    def is_busy(self, now: datetime) -> bool:
        """Say whether something is on its way that has moved a moment ago."""
        if not self.view.under_way or self.changed is None:
            return False
        return now - self.changed < BUSY_FOR

    def _keep(self, see: Callable[[], View], commit: str, now: datetime) -> View:
        try:
            found = see()
        except RemoteError as error:
            # What was seen before says nothing about now.
            found = View(commit, troubles=(str(error),))
        except Exception as error:  # noqa: BLE001 (what watches must never keep a revert back)
            text = f"this is a bug in tidegate: {type(error).__name__}: {error}"
            found = View(commit, troubles=(text,))
        if (found.commit, found.under_way) != (self.view.commit, self.view.under_way):
            self.changed = now
        self.view = found
        return found

    def _look(self, repository: Repository, now: datetime) -> View:
        tree = repository.tree
        if self._contents is None or self._contents.tree.commit != tree.commit:
            self._contents = self._contents.moved(tree) if self._contents else Contents(tree)
            self._wanted = wanted(repository)
        self._refresh(self.hub.rows())
        contents = self._contents
        standings = {
            name: stand(one, self._read.get(name), contents) for name, one in self._wanted.items()
        }
        return self._nudge(View(tree.commit, standings, self._orphans()), contents, now)

    def _glance(self, now: datetime) -> View:
        names, contents = self.view.under_way, self._contents
        assert contents is not None  # noqa: S101 (nothing is under way before a look)
        found = self.hub.read(names)
        self._read.update(found)
        again = {name: stand(self._wanted[name], found.get(name), contents) for name in names}
        standings = {**self.view.standings, **again}
        return self._nudge(replace(self.view, standings=standings, troubles=()), contents, now)

    def _refresh(self, rows: Mapping[str, Row]) -> None:
        """Read whole what a row does not tell; what is steady was read before."""
        mine = {name: row for name, row in rows.items() if name in self._wanted}
        # An unreachable site shows nothing that its row does not.
        stale = {name for name, row in mine.items() if self._is_stale(name, row)}
        found = self.hub.read(stale) if stale else {}
        self._read = {
            name: found.get(name) or self._steady(name, row) for name, row in mine.items()
        }
        self._rows = dict(rows)

    def _is_stale(self, name: str, row: Row) -> bool:
        before, kept = self._rows.get(name), self._read.get(name)
        if kept is None or before is None or before[:2] != row[:2]:
            return True
        is_calm = row[:2] == ("Synced", "Healthy") and kept.marks == self._wanted[name].releases
        is_calm &= kept.operation is None or not kept.operation.is_running
        return not is_calm and row[0] != "Unknown"

    def _steady(self, name: str, row: Row) -> Application:
        kept = self._read.get(name) or Application(name)
        sync, health, revision = row
        return replace(kept, sync=sync, health=health, revision=revision)

    def _orphans(self) -> tuple[str, ...]:
        heads = {f"{one.environment}-{one.model}-" for one in self._wanted.values()}
        left = self._rows.keys() - self._wanted.keys()
        return tuple(sorted(name for name in left if any(name.startswith(h) for h in heads)))

    def _nudge(self, view: View, contents: Contents, now: datetime) -> View:
        wishes = nudge(view.standings, now)
        if not wishes:
            return replace(view, nudged=wishes)
        # Another value every few minutes: a set that could not act on one ignores it from then on.
        period = int(now.timestamp()) // WAKE_EVERY_S
        failed = self.hub.nudge(wishes, f"{contents.tree.commit[:12]}-{period}")
        troubles = tuple(f"{name}: {why}" for name, why in sorted(failed.items())[:NAMED])
        return replace(view, nudged=wishes, troubles=troubles)


def _say_states(states: Mapping[State, list[str]]) -> str:
    parts = []
    for state in State:
        sites = states.get(state, [])
        if sites:
            named = "" if state is State.APPLIED else f" ({_few(sites)})"
            parts.append(f"{len(sites)} {state.value}{named}")
    return ", ".join(parts)


def _few(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more
