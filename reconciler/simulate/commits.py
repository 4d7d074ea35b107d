"""Commits in memory: a `Tree` on which change sets land at a virtual time."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from generator.changes import ChangeSet, CommitInfo, blob_id
from generator.layout import RepoPath


@dataclass(frozen=True, slots=True)
class Landed:
    """One commit: what it changed, by whom, when."""

    info: CommitInfo
    change: ChangeSet


class Commits:
    """The files of one commit, and all commits before it; a `Tree`."""

    def __init__(
        self,
        files: Mapping[RepoPath, bytes],
        past: "tuple[Commits, ...]" = (),
        landed: Landed | None = None,
        ids: Mapping[RepoPath, str] | None = None,
    ) -> None:
        """Start a history with these files, or go on with one."""
        self._files = files
        self._past = past
        self._ids = ids or {path: blob_id(data) for path, data in sorted(files.items())}
        self.landed = landed

    @property
    def commit(self) -> str:
        """Name the commit."""
        return f"{len(self._past) + 1:040x}"

    def land(self, change: ChangeSet, at: datetime, author: str) -> "Commits":
        """Go on with a change that was made on this very commit.

        Raises:
            ValueError: It was made on another one.
        """
        if change.base != self.commit:
            raise ValueError(f"made on {change.base}, not on {self.commit}")
        kept = {path: data for path, data in change.files.items() if data is not None}
        gone = change.files.keys() - kept.keys()
        files = {path: data for path, data in self._files.items() if path not in gone} | kept
        ids = {path: name for path, name in self._ids.items() if path not in gone}
        ids |= {path: blob_id(data) for path, data in kept.items()}
        number = f"{len(self._past) + 2:040x}"
        info = CommitInfo(number, at, author, change.subject, dict(change.trailers))
        ordered = dict(sorted(ids.items()))
        return Commits(files, (*self._past, self), Landed(info, change), ordered)

    def read(self, path: RepoPath) -> bytes | None:
        """Read one file; None where it is absent."""
        return self._files.get(path)

    def id(self, path: RepoPath) -> str | None:
        """Give the blob id of one file; None where it is absent."""
        return self._ids.get(path)

    def read_many(self, paths: Iterable[RepoPath]) -> Mapping[RepoPath, bytes]:
        """Read several files; absent ones are left out."""
        return {path: self._files[path] for path in paths if path in self._files}

    def ids(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List the files below a folder with their blob ids, in path order."""
        within = f"{under}/" if under else ""
        return {path: name for path, name in self._ids.items() if path.startswith(within)}

    def log(
        self, paths: Iterable[RepoPath], most: int, *, every_parent: bool = False
    ) -> tuple[CommitInfo, ...]:
        """List the newest commits that changed one of these paths; there are no merges."""
        del every_parent
        wanted = [_pattern(path) for path in paths]
        found = (one.landed for one in (self, *reversed(self._past)) if one.landed)
        touching = (
            one.info
            for one in found
            if any(pattern.match(path) for pattern in wanted for path in one.change.files)
        )
        return tuple(info for info, _ in zip(touching, range(most), strict=False))

    def past(self, path: RepoPath, most: int) -> tuple[tuple[CommitInfo, bytes], ...]:
        """Give the newest versions of one file, newest first."""
        found = ((one, self.at(one.id).read(path)) for one in self.log((path,), most))
        return tuple((one, data) for one, data in found if data is not None)

    def at(self, commit: str) -> "Commits":
        """Open another commit."""
        return next(one for one in (self, *self._past) if one.commit == commit)


def _pattern(path: RepoPath) -> "re.Pattern[str]":
    folders = re.escape(path).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
    return re.compile(folders + r"(?:/|\Z)" if "*" not in path else folders)
