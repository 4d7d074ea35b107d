"""A person's checkout: read its head, land one commit on its branch, keep what is dirty.

A commit lands in three steps under a journal in the Git folder: the branch moves by
compare-and-swap, then the touched files and their index entries, then the journal goes. A kill
in between is mended by the next command, which finishes the files from the journal.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from generator.changes import ChangeSet, Committed, Outcome, Refused, Stale
from generator.errors import ConflictError, InputError, RemoteError
from generator.gitrepo.commit import Person, build, person_of
from generator.gitrepo.process import Git, check_branch, check_remote, last_line
from generator.gitrepo.snapshot import Snapshot
from generator.layout import RepoPath

JOURNAL = "tidegate-landing.json"
MOST_SHOWN = 5


class Checkout:
    """A folder with a work tree."""

    def __init__(self, folder: Path) -> None:
        """Find the repository around a folder and finish what a kill left half done.

        Raises:
            InputError: There is no checkout here.
        """
        code, out, _ = Git(folder).call(
            "-C", str(folder), "rev-parse", "--show-toplevel", bare=True
        )
        top, git_dir = out.decode("utf-8", "surrogateescape").strip(), ""
        if code == 0 and top:
            answer = Git(folder).call("-C", top, "rev-parse", "--absolute-git-dir", bare=True)
            git_dir = answer[1].decode("utf-8", "surrogateescape").strip()
        if not git_dir:
            hint = "go into the repository that `tidegate init` made, or name one with --repo URL"
            raise InputError(f"{folder} is not inside a Git checkout", hint=hint)
        self.folder = Path(top)
        self.git = Git(Path(git_dir), self.folder)
        self._mend()

    @property
    def branch(self) -> str:
        """Name the current branch.

        Raises:
            InputError: The head is detached.
        """
        code, out, _ = self.git.call("symbolic-ref", "--quiet", "--short", "HEAD")
        if code != 0:
            raise InputError("the checkout is on no branch", hint="git switch main")
        return out.decode().strip()

    def head(self) -> Snapshot:
        """Open the current commit; the empty tree before the first one."""
        code, out, _ = self.git.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return Snapshot(self.git, out.decode().strip() if code == 0 else "")

    def person(self) -> Person:
        """Say who works here, by Git's own rules."""
        return person_of(self.git)

    def dirty(self) -> frozenset[RepoPath]:
        """List the files that differ from the head, untracked ones too."""
        options = ("--porcelain", "-z", "--untracked-files=all", "--no-renames")
        out = self.git.run("status", *options).decode("utf-8", "surrogateescape")
        return frozenset(entry[3:] for entry in out.split("\0") if entry)

    def read(self, path: RepoPath) -> bytes | None:
        """Read one file of the work tree; symlinks are not followed."""
        place = self.folder / path
        if place.is_symlink() or not place.is_file():
            return None
        return place.read_bytes()

    def land(self, change: ChangeSet, person: Person, now: datetime, branch: str = "") -> Outcome:
        """Put a change set on the current branch and into the work tree.

        With `branch` a branch of that name is made on top of the head instead, and the checkout
        stays where it is.

        Raises:
            InputError: A file that it touches is dirty.
            RemoteError: Git could not write.
        """
        if branch and branch != self.branch:
            commit = build(self.git, change, person, now)
            return self._move(f"refs/heads/{check_branch(branch)}", commit, "0" * len(commit))
        self._refuse_dirty(change.files)
        branch = self.branch
        commit = build(self.git, change, person, now)
        self._open_journal(commit, change.files)
        old = change.base or "0" * len(commit)
        outcome = self._move(f"refs/heads/{branch}", commit, old)
        if isinstance(outcome, Committed):
            self._move_files(change.base, commit)
            return outcome
        (self.git.folder / JOURNAL).unlink()
        head = self.head().commit
        return Stale(head) if head != change.base else outcome

    def _open_journal(self, commit: str, paths: Iterable[RepoPath]) -> None:
        entry = json.dumps({"commit": commit, "paths": sorted(paths)})
        (self.git.folder / JOURNAL).write_text(entry)

    def _move(self, name: str, commit: str, old: str) -> Outcome:
        code, _, err = self.git.call("update-ref", name, commit, old)
        return Committed(commit) if code == 0 else Refused(last_line(err))

    def _move_files(self, old: str, new: str) -> None:
        self.git.call("update-index", "-q", "--refresh")
        trees = (old, new) if old else (new,)
        code, _, _ = self.git.call("read-tree", "-m", "-u", *trees)
        if code == 0:
            (self.git.folder / JOURNAL).unlink()
        else:
            self._mend()

    def write(self, files: Mapping[RepoPath, bytes | None]) -> None:
        """Write files into the work tree without a commit, each atomically.

        Raises:
            InputError: A folder on the way is a symlink.
        """
        for path, data in sorted(files.items()):
            place = self.folder / path
            if any(parent.is_symlink() for parent in place.parents if parent != self.folder):
                raise InputError("a folder on the way is a symlink", file=path)
            if data is None:
                place.unlink(missing_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f".{place.name}.tidegate")
            beside.write_bytes(data)
            beside.replace(place)

    def push(self, branch: str = "") -> None:
        """Push a branch, the current one unless named, to `origin` as a fast-forward.

        Raises:
            InputError: There is no remote.
            ConflictError: Somebody pushed first.
            RemoteError: The remote refused or does not answer.
        """
        branch = branch or self.branch
        code, _, _ = self.git.call("remote", "get-url", "origin")
        if code != 0:
            raise InputError("there is no remote 'origin'", hint="git remote add origin URL")
        code, out, err = self.git.call("push", "--porcelain", "origin", f"refs/heads/{branch}")
        if code == 0:
            return
        told = out.decode("utf-8", "replace")
        if "[rejected]" in told:
            raise ConflictError(
                f"the commit is on your branch, but somebody pushed to {branch} first: "
                "git reset --keep HEAD~1, git pull --ff-only, and run the command again"
            )
        raise RemoteError("Git", last_line(err), endpoint="origin")

    def pull(self) -> bool:
        """Bring the current branch up to its remote, when that only adds commits.

        Returns:
            False when there was nothing to bring, or the branch has commits of its own.

        Raises:
            RemoteError: The remote does not answer, or a dirty file is in the way.
        """
        branch, old = self.branch, self.head().commit
        self.git.run("fetch", "--quiet", "origin", f"refs/heads/{branch}")
        new = self.git.run("rev-parse", "FETCH_HEAD").decode().strip()
        code, _, _ = self.git.call("merge-base", "--is-ancestor", old, new)
        if code != 0 or old == new:
            return False
        self.git.call("update-index", "-q", "--refresh")
        self.git.run("read-tree", "-m", "-u", old, new)
        self.git.run("update-ref", f"refs/heads/{branch}", new, old)
        return True

    def _refuse_dirty(self, files: Mapping[RepoPath, bytes | None]) -> None:
        # A person's own edit that is part of the change is no obstacle to it.
        mine = self.dirty() & frozenset(files)
        touched = sorted(path for path in mine if self.read(path) != files[path])
        if touched:
            more = f" and {len(touched) - MOST_SHOWN} more" if len(touched) > MOST_SHOWN else ""
            shown = ", ".join(touched[:MOST_SHOWN])
            hint = "commit or stash your own changes first"
            raise InputError(f"this would overwrite {shown}{more}", hint=hint)

    def _mend(self) -> None:
        journal = self.git.folder / JOURNAL
        if not journal.is_file():
            return
        entry = json.loads(journal.read_text())
        if self.head().commit == entry["commit"]:
            tracked = self.git.run("ls-files", "-z").decode("utf-8", "surrogateescape").split("\0")
            there = frozenset(tracked) | frozenset(self.head().ids(""))
            wanted = [f":(literal,top){path}" for path in entry["paths"] if path in there]
            options = (f"--source={entry['commit']}", "--staged", "--worktree", "--no-overlay")
            where = ("--pathspec-from-file=-", "--pathspec-file-nul")
            if wanted:
                stdin = "\0".join(wanted).encode("utf-8", "surrogateescape")
                self.git.run("restore", *options, *where, stdin=stdin)
        journal.unlink()


def start_checkout(folder: Path, branch: str, remote: str) -> Checkout:
    """Make an empty repository with a work tree.

    Raises:
        RemoteError: Git could not.
    """
    git = Git(folder / ".git", folder)
    git.run("init", "--quiet", "--template=", f"--initial-branch={check_branch(branch)}")
    if remote:
        git.run("remote", "add", "origin", check_remote(remote))
        git.run("config", f"branch.{branch}.remote", "origin")
        git.run("config", f"branch.{branch}.merge", f"refs/heads/{branch}")
    return Checkout(folder)


def start_bare(folder: Path, branch: str, source: Checkout) -> None:
    """Make a bare repository with one branch of a checkout: whole, or not at all.

    Raises:
        RemoteError: Git could not.
    """
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    git = Git(beside)
    git.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
    git.run("fetch", "--quiet", str(source.folder), f"+refs/heads/{branch}:refs/heads/{branch}")
    beside.rename(folder)
