"""Where a person works: a checkout, or a remote by its URL; and how a change lands there."""

import functools
import hashlib
import sys
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from generator.changes import ChangeSet, Committed, Refused, Stale, Tree
from generator.documents.config import read_time
from generator.errors import ConflictError, ExitCode, InputError, RemoteError
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.commit import Person
from generator.intents.words import Asked
from generator.repository import Repository

Intent = Callable[[Repository, Asked], ChangeSet | None]
TRIES = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A repository to work on.

    Attributes:
        repo: URL of a remote, or "" for the checkout around `folder`.
        folder: Where to look for the checkout.
        state_dir: Where bare clones are kept.
        now: Time of the commit.
        reason: Why, for the commit.
        push: Push the checkout's branch after the commit.
        branch: Branch to commit to, or "" for the usual one.
        person: Who works; None asks Git.
    """

    repo: str
    folder: Path
    state_dir: Path
    now: datetime
    reason: str = ""
    push: bool = False
    branch: str = ""
    person: Person | None = None
    _clones: dict[str, Bare] = field(default_factory=dict, init=False, repr=False)
    _parsed: dict[Hashable, object] = field(default_factory=dict, init=False, repr=False)

    def open(self) -> "Bare | Checkout":
        """Open the repository."""
        if not self.repo:
            return Checkout(self.folder)
        if self.repo not in self._clones:
            self._clones[self.repo] = bare_clone(self.repo, self.state_dir)
        return self._clones[self.repo]

    def repository(self, tree: Tree) -> Repository:
        """Read a tree; what several trees of this place have in common is parsed once."""
        return Repository(tree, self._parsed)

    def tree(self) -> Tree:
        """Open its newest files."""
        opened = self.open()
        return opened.fetch() if isinstance(opened, Bare) else opened.head()

    def change(self, intent: Intent) -> str | None:
        """Compute a change on the newest commit and land it; again when somebody was faster.

        Returns:
            The commit, or None when there was nothing to do.

        Raises:
            ConflictError: Somebody was faster every time.
            RemoteError: The remote refused.
        """
        opened = self.open()
        for _ in range(TRIES):
            tree = opened.fetch() if isinstance(opened, Bare) else opened.head()
            person = self.person or opened.person()
            change = intent(self.repository(tree), Asked(str(person), self.reason))
            if change is None:
                click.echo("nothing to do: that is how it stands already", err=True)
                return None
            done = self._land(opened, change, person)
            if done is not None:
                return done
        raise ConflictError(f"somebody else changed the branch {TRIES} times; try again")

    def _land(self, opened: "Bare | Checkout", change: ChangeSet, person: Person) -> str | None:
        outcome = opened.land(change, person, self.now, self.branch)
        match outcome:
            case Committed(commit):
                click.echo(f"{commit[:12]} {change.subject}")
                self._after(opened)
                return commit
            case Stale():
                return None
            case Refused(why):
                hint = "; if the branch is protected, use --branch NAME and open a pull request"
                shown = hint if isinstance(opened, Bare) and not self.branch else ""
                raise RemoteError("Git", f"the commit was refused: {why}{shown}")

    def _after(self, opened: "Bare | Checkout") -> None:
        if isinstance(opened, Checkout) and self.push:
            opened.push(self.branch)


def bare_clone(url: str, state: Path) -> Bare:
    """Name the bare clone that belongs to a URL."""
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Bare(state / f"{name}.git", url)


def changing(
    *, reasoned: bool = True
) -> Callable[[Callable[..., str | None]], Callable[..., None]]:
    """Make a verb that changes something: give it a `Place`, and exit with the right code.

    Args:
        reasoned: Whether `--reason` is needed.
    """

    def decorate(verb: Callable[..., str | None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def run(*, exit_code: bool, **told: Any) -> None:  # noqa: ANN401 (click's words)
            where = _place(told)
            if reasoned and not where.reason.strip():
                raise InputError("say why, it will stand in the commit", hint='--reason "..."')
            commit = verb(where=where, **told)
            sys.exit(ExitCode.NOTHING_CHANGED if exit_code and commit is None else ExitCode.DONE)

        return _with((*_PLACE_OPTIONS, *_CHANGE_OPTIONS), run)

    return decorate


def looking(verb: Callable[..., None]) -> Callable[..., None]:
    """Make a verb that only looks: give it a `Place`."""

    @functools.wraps(verb)
    def run(**told: Any) -> None:  # noqa: ANN401 (click's words)
        verb(where=_place(told), **told)

    return _with((*_PLACE_OPTIONS, _NOW), run)


def _with(
    options: Iterable[Callable[[Callable[..., None]], Callable[..., None]]],
    run: Callable[..., None],
) -> Callable[..., None]:
    for option in reversed(tuple(options)):
        run = option(run)
    return run


def _place(told: dict[str, Any]) -> Place:
    """Take the options that say where out of what was told."""
    words = {name: told.pop(name) for name in _WORDS if name in told}
    now = words.pop("now")
    if now and words["repo"] and not is_local(words["repo"]):
        raise InputError("--now is only for local remotes (file://), for tests and replays")
    return Place(**words, now=read_now(now))


_WORDS = ("repo", "folder", "state_dir", "reason", "push", "branch", "now")
_NOW = click.option(
    "--now", default="", metavar="RFC3339", help="Pretend it is then (local remotes only)."
)
_PLACE_OPTIONS = (
    click.option(
        "--repo", default="", metavar="URL", help="Work on this remote, without a checkout."
    ),
    click.option(
        "-C",
        "folder",
        default=".",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Work in this checkout.  [default: here]",
    ),
    click.option(
        "--state-dir",
        default=Path(click.get_app_dir("tidegate")),
        type=click.Path(path_type=Path),
        envvar="TIDEGATE_STATE_DIR",
        help="Where bare clones are kept; may be deleted at any time.",
    ),
)
_CHANGE_OPTIONS = (
    click.option("--reason", default="", help="Why; it stands in the commit."),
    click.option("--push", is_flag=True, help="Push the checkout's branch afterwards."),
    click.option("--branch", default="", metavar="NAME", help="Commit to a branch of its own."),
    _NOW,
    click.option("--exit-code", is_flag=True, help="Exit with 3 when nothing changed."),
)


def read_now(text: str) -> datetime:
    """Read `--now`, or the clock.

    Raises:
        InputError: Not a time.
    """
    if not text:
        return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 (the command line has the clock)
    try:
        return read_time(text)
    except ValueError as error:
        raise InputError(str(error)) from error


def is_local(url: str) -> bool:
    """Say whether a remote lies on this machine's disk."""
    return url.startswith(("file://", "/", "./", "../"))
