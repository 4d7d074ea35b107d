"""A person's checkout: read its head, land one commit on its branch, keep what is dirty."""

import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from generator.changes import ChangeSet, Committed, Outcome, Refused
from generator.errors import ConflictError, InputError
from generator.gitrepo.alone import alone
from generator.gitrepo.commit import Person, build, person_of
from generator.gitrepo.landing import LOCK, Move, head_of, land, mend, read_file
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, refusal
from generator.gitrepo.snapshot import Snapshot
from generator.layout import RepoPath

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
        mend(self.git, self.folder)

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
        return head_of(self.git)

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
        return read_file(self.folder, path)

    def land(self, change: ChangeSet, person: Person, now: datetime, branch: str = "") -> Outcome:
        """Put a change set on the current branch and into the work tree.

        With `branch` a branch of that name is made on top of the head instead, and the checkout
        stays where it is.

        Raises:
            InputError: A file that it touches is dirty, or the new branch is there already.
            RemoteError: Git could not write.
        """
        if branch and branch != self.branch:
            commit = build(self.git, change, person, now)
            return self._make_branch(check_branch(branch), commit)
        with alone(self.git.folder / LOCK):
            self._refuse_dirty(change.files)
            commit = build(self.git, change, person, now)
            move = Move(self.branch, change.base, commit, tuple(sorted(change.files)))
            return land(self.git, self.folder, move)

    def _make_branch(self, branch: str, commit: str) -> Outcome:
        name = f"refs/heads/{branch}"
        code, _, err = self.git.call("update-ref", name, commit, "0" * len(commit))
        if code == 0:
            return Committed(commit)
        if self.git.call("rev-parse", "--verify", "--quiet", name)[0] == 0:
            raise InputError(f"the branch {branch!r} is there already", hint="name another one")
        return Refused(last_line(err))

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

    def spread(self, change: ChangeSet) -> None:
        """Write the files of a change into the work tree, for a person to finish and commit.

        Raises:
            InputError: A file that it touches is dirty.
        """
        with alone(self.git.folder / LOCK):
            self._refuse_dirty(change.files)
            self.write(change.files)

    def remote(self) -> str:
        """Give the URL of `origin`.

        Raises:
            InputError: There is none.
        """
        code, out, _ = self.git.call("remote", "get-url", "origin")
        if code != 0:
            raise InputError("there is no remote 'origin'", hint="git remote add origin URL")
        return out.decode("utf-8", "replace").strip()

    def push(self, branch: str = "") -> None:
        """Push a branch, the current one unless named, to `origin` as a fast-forward.

        Raises:
            InputError: There is no remote, it refused, or it does not answer.
            ConflictError: Somebody pushed first.
        """
        branch = branch or self.branch
        self.remote()
        code, out, err = self.git.call("push", "--porcelain", "origin", f"refs/heads/{branch}")
        if code == 0 or self._is_pushed(branch):
            return
        why = refusal(out, err)
        if "[rejected]" in why and branch == self.branch:
            raise ConflictError(
                f"the commit is on your branch {branch}, but somebody pushed to it first: "
                "git reset --keep HEAD~1, git pull --ff-only, and run the command again"
            )
        text = f"the commit is on your branch {branch}, but not on origin: {why}"
        raise InputError(text, hint=f"git push origin {branch}")

    def pull(self) -> bool:
        """Bring the current branch up to its remote, when that only adds commits.

        Returns:
            False when there was nothing to bring, or the branch has commits of its own.

        Raises:
            InputError: A dirty file is in the way.
            RemoteError: The remote does not answer.
        """
        branch, old = self.branch, self.head()
        self.git.run("fetch", "--quiet", "origin", f"refs/heads/{branch}")
        new = old.at(self.git.run("rev-parse", "FETCH_HEAD").decode().strip())
        code, _, _ = self.git.call("merge-base", "--is-ancestor", old.commit, new.commit)
        if code != 0 or old.commit == new.commit:
            return False
        paths = tuple(sorted({path for path, _ in old.ids("").items() ^ new.ids("").items()}))
        there = new.read_many(paths)
        with alone(self.git.folder / LOCK):
            self._refuse_dirty({path: there.get(path) for path in paths})
            outcome = land(self.git, self.folder, Move(branch, old.commit, new.commit, paths))
        return isinstance(outcome, Committed)

    def _is_pushed(self, branch: str) -> bool:
        name = f"refs/heads/{branch}"
        code, out, _ = self.git.call("ls-remote", "origin", name)
        mine = self.git.run("rev-parse", "--verify", name)
        return code == 0 and out.partition(b"\t")[0] == mine.strip()

    def _refuse_dirty(self, files: Mapping[RepoPath, bytes | None]) -> None:
        touched = sorted(self._in_the_way(files))
        if touched:
            more = f" and {len(touched) - MOST_SHOWN} more" if len(touched) > MOST_SHOWN else ""
            shown = ", ".join(touched[:MOST_SHOWN])
            hint = "commit or stash your own changes first"
            raise InputError(f"this would overwrite {shown}{more}", hint=hint)

    def _in_the_way(self, files: Mapping[RepoPath, bytes | None]) -> frozenset[RepoPath]:
        """Find what a person would lose: edits, untracked and ignored files, symlinks."""
        dirty, known = self.dirty(), self.head().ids("")
        parents = {parent for path in files for parent in _parents(path)}
        found = {one for one in parents if _is_leaf(self.folder / one)}
        for path, data in files.items():
            foreign = path in dirty or (path not in known and _is_there(self.folder / path))
            # A person's own edit that is part of the change is no obstacle to it.
            if foreign and self.read(path) != data:
                found.add(path)
        return frozenset(found)


def _parents(path: RepoPath) -> Iterable[RepoPath]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _is_there(place: Path) -> bool:
    return place.is_symlink() or place.exists()


def _is_leaf(place: Path) -> bool:
    return place.is_symlink() or (place.exists() and not place.is_dir())


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
