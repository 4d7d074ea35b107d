"""The files of one commit, read without a work tree."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from generator.changes import CommitInfo
from generator.gitrepo.process import Git
from generator.layout import RepoPath

_FILES = ("100644 blob ", "100755 blob ")
_NAME = len(_FILES[0])
_LOG_FORMAT = "%H%x1f%ct%x1f%an <%ae>%x1f%s%x1f%(trailers:only,unfold,separator=%x1e)"


class Snapshot:
    """The files of one commit; a `Tree`. What was read once is kept."""

    def __init__(self, git: Git, commit: str) -> None:
        """Open a commit; "" is the empty tree."""
        self._git = git
        self._commit = commit
        self._ids: dict[RepoPath, str] | None = None
        self._paths: list[RepoPath] = []
        self._read: dict[RepoPath, bytes] = {}

    @property
    def commit(self) -> str:
        """Name the commit."""
        return self._commit

    def read(self, path: RepoPath) -> bytes | None:
        """Read one file; None where it is absent or not a regular file."""
        return self.read_many((path,)).get(path)

    def id(self, path: RepoPath) -> str | None:
        """Give the blob id of one file; None where it is absent or not a regular file."""
        return self._all().get(path)

    def read_many(self, paths: Iterable[RepoPath]) -> Mapping[RepoPath, bytes]:
        """Read several files with one process.

        Raises:
            RemoteError: The clone is damaged.
        """
        ids = self._all()
        wanted = [path for path in paths if path in ids]
        missing = [path for path in wanted if path not in self._read]
        if missing:
            request = "".join(f"{ids[path]}\n" for path in missing).encode()
            answer = self._git.run("cat-file", "--batch", stdin=request)
            for path, data in zip(missing, _batch(answer, len(missing)), strict=True):
                # What is listed but missing is damage; asked for it alone, Git says so.
                ask = self._git.run
                self._read[path] = ask("cat-file", "blob", ids[path]) if data is None else data
        return {path: self._read[path] for path in wanted}

    def ids(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List the regular files below a folder ("" for all) with their blob ids."""
        ids = self._all()
        if not under:
            return dict(ids)
        # In the order of text, "0" comes right after "/".
        start, stop = (bisect_left(self._paths, f"{under}{end}") for end in "/0")
        return {path: ids[path] for path in self._paths[start:stop]}

    def log(
        self, paths: Iterable[RepoPath], most: int, *, every_parent: bool = False
    ) -> tuple[CommitInfo, ...]:
        """List the newest commits that changed one of these paths."""
        if not self._commit:
            return ()
        options = ["-z", f"-n{most}", f"--format={_LOG_FORMAT}", "--no-patch"]
        options += [] if every_parent else ["--first-parent", "-m"]
        places = [f":({'glob' if '*' in path else 'literal'},top){path}" for path in paths]
        out = self._git.run("log", *options, "--end-of-options", self._commit, "--", *places)
        entries = out.decode("utf-8", "replace").split("\0")
        return tuple(_commit_info(entry) for entry in entries if entry.strip())

    def past(self, path: RepoPath, most: int) -> tuple[tuple[CommitInfo, bytes], ...]:
        """Give the newest versions of one file on the first-parent line, newest first."""
        commits = self.log((path,), most)
        request = "".join(f"{one.id}:{path}\n" for one in commits).encode()
        answer = self._git.run("cat-file", "--batch", stdin=request) if commits else b""
        versions = _batch(answer, len(commits))
        pairs = zip(commits, versions, strict=True)
        return tuple((commit, data) for commit, data in pairs if data is not None)

    def at(self, commit: str) -> "Snapshot":
        """Open another commit; this one is not read again."""
        return self if commit == self._commit else Snapshot(self._git, commit)

    def _all(self) -> dict[RepoPath, str]:
        if self._ids is None:
            self._ids = dict(self._list()) if self._commit else {}
            self._paths = sorted(self._ids)
        return self._ids

    def _list(self) -> Iterable[tuple[RepoPath, str]]:
        out = self._git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", self._commit)
        for entry in out.decode("utf-8", "surrogateescape").split("\0"):
            head, _, path = entry.partition("\t")
            # A symlink or submodule is not followed and not read: to us it is not there.
            if head.startswith(_FILES):
                yield path, head[_NAME:]


def _batch(answer: bytes, count: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    position = 0
    for _ in range(count):
        stop = answer.index(b"\n", position)
        head = answer[position:stop]
        if head.endswith(b" missing"):
            found.append(None)
            position = stop + 1
            continue
        size = int(head.rsplit(b" ", 1)[1])
        found.append(answer[stop + 1 : stop + 1 + size])
        position = stop + size + 2
    return found


def _commit_info(entry: str) -> CommitInfo:
    id_, seconds, author, subject, trailers = entry.strip("\n").split("\x1f", 4)
    at = datetime.fromtimestamp(int(seconds), UTC)
    pairs = (line.partition(": ") for line in trailers.split("\x1e") if ": " in line)
    return CommitInfo(id_, at, author, subject, {key: value.strip() for key, _, value in pairs})
