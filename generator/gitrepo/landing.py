"""One commit lands in a checkout: the branch, then the files, under a lock and a journal.

The branch moves by compare-and-swap, then the touched files and their index entries, then the
journal goes. A kill in between is mended by the next command, which finishes the files from the
journal; a file that a person has edited since then keeps the edit.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from generator.changes import Committed, Outcome, Refused, Stale
from generator.errors import RemoteError
from generator.gitrepo.alone import alone
from generator.gitrepo.process import Git, last_line
from generator.gitrepo.snapshot import Snapshot
from generator.layout import RepoPath

JOURNAL = "tidegate-landing.json"
LOCK = "tidegate.lock"
ORPHAN_S = 3.0  # a Git command that outlives a killed tidegate has ended by then


@dataclass(frozen=True, slots=True)
class Move:
    """A branch goes from one commit to another, and these files with it; the journal's entry.

    Attributes:
        branch: The one that is checked out.
        old: The commit it is at; "" before the first one.
        new: The commit that was built.
        paths: Files that differ between the two.
    """

    branch: str
    old: str
    new: str
    paths: tuple[RepoPath, ...]


def head_of(git: Git) -> Snapshot:
    """Open the current commit; the empty tree before the first one."""
    code, out, _ = git.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return Snapshot(git, out.decode().strip() if code == 0 else "")


def read_file(folder: Path, path: RepoPath) -> bytes | None:
    """Read one file of the work tree; symlinks are not followed."""
    place = folder / path
    if place.is_symlink() or not place.is_file():
        return None
    return place.read_bytes()


def land(git: Git, folder: Path, move: Move) -> Outcome:
    """Move a branch and its files.

    The caller is alone and has seen to it that no touched file is dirty.

    Raises:
        RemoteError: Another Git command is at work in the checkout.
    """
    lock = git.folder / "index.lock"
    if lock.exists():
        raise RemoteError("Git", f"another Git command is at work here, or was killed: {lock}")
    journal = git.folder / JOURNAL
    journal.write_text(json.dumps(asdict(move)))
    old = move.old or "0" * len(move.new)
    code, _, err = git.call("update-ref", f"refs/heads/{move.branch}", move.new, old)
    if code == 0:
        _move_files(git, folder, move)
        return Committed(move.new)
    journal.unlink()
    head = head_of(git).commit
    return Stale(head) if head != move.old else Refused(last_line(err))


def _move_files(git: Git, folder: Path, move: Move) -> None:
    moved = False
    try:
        git.call("update-index", "-q", "--refresh")
        trees = (move.old, move.new) if move.old else (move.new,)
        moved = git.call("read-tree", "-m", "-u", *trees)[0] == 0
    finally:
        if moved:
            (git.folder / JOURNAL).unlink()
        else:
            _finish(git, folder)


def mend(git: Git, folder: Path) -> None:
    """Finish what a kill left half done.

    Raises:
        RemoteError: Git could not write.
    """
    if (git.folder / JOURNAL).is_file():
        with alone(git.folder / LOCK):
            _finish(git, folder)


def _finish(git: Git, folder: Path) -> None:
    journal = git.folder / JOURNAL
    if not journal.is_file():
        return
    move = _read_journal(journal)
    if move is not None and head_of(git).commit == move.new:
        _end_orphan(git.folder / "index.lock")
        _restore(git, folder, move)
    journal.unlink()


def _read_journal(journal: Path) -> Move | None:
    try:
        entry = json.loads(journal.read_text())
        return Move(entry["branch"], entry["old"], entry["new"], tuple(entry["paths"]))
    except (ValueError, KeyError, TypeError):
        return None  # killed while it was written, before the branch moved


def _end_orphan(lock: Path) -> None:
    """Take the index lock of a killed landing away; Git itself may still be at work on it."""
    deadline = time.monotonic() + ORPHAN_S
    while lock.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    lock.unlink(missing_ok=True)


def _restore(git: Git, folder: Path, move: Move) -> None:
    before, after = Snapshot(git, move.old), Snapshot(git, move.new)
    tracked = git.run("ls-files", "-z").decode("utf-8", "surrogateescape").split("\0")
    known = after.ids("").keys() | frozenset(tracked)
    ours = [path for path in move.paths if path in known]
    versions = before.read_many(ours), after.read_many(ours)
    edited = {p for p in ours if read_file(folder, p) not in (None, *(v.get(p) for v in versions))}
    clean = [path for path in ours if path not in edited]
    for places, chosen in ((("--staged", "--worktree"), clean), (("--staged",), sorted(edited))):
        names = "\0".join(f":(literal,top){path}" for path in chosen)
        options = (f"--source={move.new}", *places, "--no-overlay", "--pathspec-file-nul")
        if chosen:
            stdin = names.encode("utf-8", "surrogateescape")
            git.run("restore", *options, "--pathspec-from-file=-", stdin=stdin)
