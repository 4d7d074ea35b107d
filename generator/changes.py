"""A change as a value: files on a base commit, a sentence, trailers; and what became of it."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from generator.layout import RepoPath

SUBJECT_LENGTH = 120
TRAILER_LENGTH = 500
# An empty part, ".", ".." or ".git" in any case.
_OUTSIDE = re.compile(r"(?:\A|/)(?:\.{0,2}|\.[gG][iI][tT])(?:/|\Z)")


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit as it stands in the log.

    Attributes:
        id: Full object name.
        at: Committer time, UTC.
        author: `Name <mail>`.
        subject: First line.
        trailers: Last value per key.
    """

    id: str
    at: datetime
    author: str
    subject: str
    trailers: Mapping[str, str]


class Tree(Protocol):
    """The files of one commit."""

    @property
    def commit(self) -> str:
        """Name the commit; "" where there is none yet."""

    def read(self, path: RepoPath) -> bytes | None:
        """Read one file; None where it is absent."""

    def id(self, path: RepoPath) -> str | None:
        """Give the blob id of one file; None where it is absent."""

    def read_many(self, paths: Iterable[RepoPath]) -> Mapping[RepoPath, bytes]:
        """Read several files in one go; absent ones are left out."""

    def ids(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List the regular files below a folder with their blob ids, in path order."""

    def log(
        self, paths: Iterable[RepoPath], most: int, *, every_parent: bool = False
    ) -> tuple[CommitInfo, ...]:
        """List the newest commits that changed one of these paths.

        On the first-parent line, so a merge counts when it landed; with `every_parent` also the
        commits of merged branches. A path may hold `*` for any folder name.
        """

    def past(self, path: RepoPath, most: int) -> tuple[tuple[CommitInfo, bytes], ...]:
        """Give the newest versions of one file on the first-parent line, newest first."""

    def at(self, commit: str) -> "Tree":
        """Open the files of another commit of the same repository."""


class Draft:
    """A tree with pending changes on top, itself a tree, so that later rules see earlier edits."""

    def __init__(self, base: Tree) -> None:
        """Start without a change."""
        self._base = base
        self._pending: dict[RepoPath, bytes | None] = {}

    @property
    def commit(self) -> str:
        """Name the base commit."""
        return self._base.commit

    def read(self, path: RepoPath) -> bytes | None:
        """Read one file as it would be."""
        return self._pending[path] if path in self._pending else self._base.read(path)

    def id(self, path: RepoPath) -> str | None:
        """Give the blob id of one file as it would be."""
        if path not in self._pending:
            return self._base.id(path)
        data = self._pending[path]
        return self._name(data) if data is not None else None

    def read_many(self, paths: Iterable[RepoPath]) -> Mapping[RepoPath, bytes]:
        """Read several files as they would be."""
        wanted = tuple(paths)
        found = dict(self._base.read_many(p for p in wanted if p not in self._pending))
        pending = ((p, self._pending[p]) for p in wanted if p in self._pending)
        return found | {path: data for path, data in pending if data is not None}

    def ids(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List files and blob ids as they would be."""
        found = dict(self._base.ids(under))
        for path, data in self._pending.items():
            if not under or path.startswith(f"{under}/"):
                found.pop(path, None)
                if data is not None:
                    found[path] = self._name(data)
        return dict(sorted(found.items()))

    def _name(self, data: bytes) -> str:
        return blob_id(data, self.commit)

    def log(
        self, paths: Iterable[RepoPath], most: int, *, every_parent: bool = False
    ) -> tuple[CommitInfo, ...]:
        """List commits of the base."""
        return self._base.log(paths, most, every_parent=every_parent)

    def past(self, path: RepoPath, most: int) -> tuple[tuple[CommitInfo, bytes], ...]:
        """Give earlier versions of a file of the base."""
        return self._base.past(path, most)

    def at(self, commit: str) -> Tree:
        """Open another commit."""
        return self._base.at(commit)

    def write(self, files: Mapping[RepoPath, bytes]) -> None:
        """Set files."""
        self._pending.update(files)

    def delete(self, paths: Iterable[RepoPath]) -> None:
        """Take files away."""
        self._pending.update(dict.fromkeys(paths))

    def apply(self, files: Mapping[RepoPath, bytes | None]) -> None:
        """Set files, and take away those that are None."""
        self._pending.update(files)

    def edit(self, path: RepoPath, change: Callable[[str], str]) -> None:
        """Change the text of a file that is there.

        Raises:
            KeyError: It is not there.
        """
        data = self.read(path)
        if data is None:
            raise KeyError(path)
        self._pending[path] = change(data.decode("utf-8")).encode("utf-8")

    def replace(self, under: RepoPath, files: Mapping[RepoPath, bytes]) -> None:
        """Make these the only files below a folder."""
        self.delete(path for path in self.ids(under) if path not in files)
        self.write(files)

    def changes(self) -> Mapping[RepoPath, bytes | None]:
        """Give the pending files that differ from the base, None for a deletion."""
        folders: dict[str, Mapping[RepoPath, str]] = {}
        found: dict[RepoPath, bytes | None] = {}
        for path, data in sorted(self._pending.items()):
            top = path.partition("/")[0]
            if top not in folders:
                folders[top] = self._base.ids(top) if "/" in path else {}
            if self._differs(path, data, folders[top]):
                found[path] = data
        return found

    def _differs(self, path: RepoPath, data: bytes | None, ids: Mapping[RepoPath, str]) -> bool:
        if "/" not in path:
            return self._base.read(path) != data
        old = ids.get(path)
        if data is None or old is None:
            return data is not None or old is not None
        return old != self._name(data)


def blob_id(data: bytes, like: str | None = None) -> str:
    """Name a blob as Git does.

    Args:
        data: The blob.
        like: Any object name of the repository, which tells SHA-256 from SHA-1; None or "" where
            there is none yet.
    """
    algorithm = hashlib.sha256 if like is not None and len(like) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Files to write on one base commit, and the words that go with them.

    Attributes:
        base: The commit it was computed on; "" for the first one.
        files: Path to bytes, None for a deletion.
        subject: A sentence a person understands.
        body: Further lines, or "".
        trailers: Key and value, one line each.
    """

    base: str
    files: Mapping[RepoPath, bytes | None]
    subject: str
    body: str = ""
    trailers: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse words that could forge a trailer and paths that could leave the tree."""
        for text in (self.subject, *(part for pair in self.trailers for part in pair)):
            if not text or not text.isprintable() or len(text) > TRAILER_LENGTH:
                raise ValueError(f"{text[:80]!r} cannot stand in a commit message")
        for path in self.files:
            if _OUTSIDE.search(path):
                raise ValueError(f"{path!r} leaves the tree")

    def message(self) -> str:
        """Write the whole commit message."""
        trailers = "".join(f"{key}: {value}\n" for key, value in self.trailers)
        body = f"{self.body.strip()}\n\n" if self.body.strip() else ""
        return f"{self.subject}\n\n{body}{trailers}".rstrip("\n") + "\n"


def one_line(text: str, longest: int = TRAILER_LENGTH) -> str:
    """Make foreign text fit for a trailer: printable, one line, bounded."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


@dataclass(frozen=True, slots=True)
class Committed:
    """The change stands on the branch of the remote, which was read back."""

    id: str


@dataclass(frozen=True, slots=True)
class Stale:
    """Somebody else moved the branch: fetch and decide again from the start."""

    head: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The remote does not take the push (protected branch, hook, permission)."""

    why: str


Outcome = Committed | Stale | Refused
