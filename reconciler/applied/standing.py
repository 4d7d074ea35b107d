"""How an Application stands to what Git wants of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from generator.changes import Tree
from generator.errors import RemoteError
from generator.layout import RepoPath
from reconciler.applied.application import Application
from reconciler.applied.wanted import Wanted

MOST_COMMITS = 16
_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)


class State(StrEnum):
    """How an Application stands."""

    APPLIED = "applied"
    MOVING = "moving"
    BEHIND = "behind"
    STUCK = "stuck"
    GAVE_UP = "gave up"
    AWAY = "away"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Standing:
    """One Application and what Git wants of it.

    Attributes:
        wanted: What Git wants.
        application: What Argo CD holds; None when there is none.
        state: How the two compare. APPLIED: live is what Git wants, and healthy. MOVING: on
            its way. BEHIND: Argo CD has not looked at the commit yet. STUCK: a sync of another
            commit runs and keeps it from looking. GAVE_UP: the sync failed for good. AWAY: the
            site cannot be reached. MISSING: no such Application.
        is_settled: Live is what Git wants; whether it is healthy is another question.
    """

    wanted: Wanted
    application: Application | None
    state: State
    is_settled: bool = False

    @property
    def applied(self) -> str:
        """Name the one release that is live and healthy, whatever Git wants; else ""."""
        one = self.application
        if one is None or one.sync != "Synced" or one.health != "Healthy" or len(one.marks) != 1:
            return ""
        return next(iter(one.marks))


@dataclass
class Contents:
    """Compares the folder of an Application at two commits; keeps the commits it has opened.

    Argo CD names the commit that it compared with or applies. Whether that is the newest one
    says nothing: what counts is whether this Application's folder is the same there.
    """

    tree: Tree
    _at: dict[str, Tree | None] = field(default_factory=dict)

    def moved(self, tree: Tree) -> "Contents":
        """Compare with another head, and keep what is open."""
        kept = dict(list(self._at.items())[-MOST_COMMITS:])
        return Contents(tree, kept)

    def is_same(self, commit: str, folder: RepoPath) -> bool:
        """Say whether the folder at a commit is what the head holds.

        A commit that nobody here knows (rewritten, or of another repository) holds nothing.
        """
        if commit == self.tree.commit:
            return True
        then = self._open(commit)
        return then is not None and then.ids(folder) == self.tree.ids(folder)

    def _open(self, commit: str) -> Tree | None:
        if commit not in self._at:
            self._at[commit] = self._try(commit)
        return self._at[commit]

    def _try(self, commit: str) -> Tree | None:
        if len(commit) not in _LENGTHS or not _HEX.issuperset(commit):
            return None
        if len(self._at) >= 4 * MOST_COMMITS:
            return None
        then = self.tree.at(commit)
        try:
            then.ids("")
        except RemoteError:
            return None
        return then


def stand(wanted: Wanted, application: Application | None, contents: Contents) -> Standing:
    """Compare one Application with what Git wants of it."""
    if application is None:
        return Standing(wanted, None, State.MISSING)
    state = _state(wanted, application, contents)
    settled = application.sync == "Synced" and state in (State.APPLIED, State.MOVING)
    settled &= contents.is_same(application.revision, wanted.folder)
    return Standing(wanted, application, state, settled)


def _state(wanted: Wanted, application: Application, contents: Contents) -> State:
    operation = application.operation
    if operation is not None and operation.is_running:
        same = not operation.revision or contents.is_same(operation.revision, wanted.folder)
        return State.MOVING if same else State.STUCK
    if application.sync == "Unknown":
        return State.AWAY
    if not contents.is_same(application.revision, wanted.folder):
        return State.BEHIND
    if application.sync == "Synced":
        is_good = application.health == "Healthy" and application.marks == wanted.releases
        return State.APPLIED if is_good else State.MOVING
    if operation is not None and operation.phase in ("Failed", "Error"):
        tried = contents.is_same(operation.revision, wanted.folder)
        return State.GAVE_UP if tried else State.MOVING
    return State.MOVING


def count(standings: Mapping[str, Standing]) -> Mapping[State, int]:
    """Count the states; all of them, in their order."""
    found = dict.fromkeys(State, 0)
    for one in standings.values():
        found[one.state] += 1
    return found
