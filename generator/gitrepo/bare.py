"""A bare clone of one branch; the push is the compare-and-swap."""

import shutil
from datetime import datetime
from pathlib import Path

from generator.changes import ChangeSet, Committed, Outcome, Refused, Stale
from generator.errors import InputError, RemoteError, redact
from generator.gitrepo.alone import alone
from generator.gitrepo.commit import Person, build, person_of
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, refusal
from generator.gitrepo.snapshot import Snapshot

# What a server says when two pushes meet; the reference may not show the other one yet.
_RACES = ("[rejected]", "failed to update ref", "cannot lock ref", "incorrect old value")


class Bare:
    """A bare clone of a remote branch, in a folder of its own that may be deleted at any time."""

    def __init__(self, folder: Path, url: str, branch: str = "") -> None:
        """Name the clone; nothing is touched before `fetch`.

        Args:
            folder: Where the clone lies; made when needed.
            url: The remote.
            branch: "" takes the remote's own default branch.

        Raises:
            InputError: The URL is one that Git would take for a command or an option.
        """
        self.url = check_remote(url)
        self.git = Git(folder, throwaway=True)
        self._branch = branch
        self._kept: Snapshot | None = None

    @property
    def branch(self) -> str:
        """Name the branch; known after the first `fetch`."""
        return self._branch

    def fetch(self) -> Snapshot:
        """Bring the branch here and open its head.

        A clone that is damaged, or whose remote was made anew in another object format, is made
        anew beside its place and takes the place once that has worked.

        Raises:
            RemoteError: The remote does not answer.
            InputError: The branch is not there.
        """
        folder = self.git.folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder.with_name(f".{folder.name}.lock")):
            for _ in range(2 if (folder / "HEAD").is_file() else 0):
                why, found = self._fetch(self.git)
                if found is not None:
                    return found
                if _is_absent(why):
                    raise self._explain(why)
                self._ask()  # where this fails, it is not the clone that is at fault
            self._start_anew()
            return self._open(self.git)

    def _fetch(self, git: Git) -> tuple[str, Snapshot | None]:
        """Fetch into one clone; give what went wrong, or the head with all its folders."""
        self._branch = self._branch or self._ask()[0]
        spec = f"+refs/heads/{self._branch}:refs/remotes/origin/{self._branch}"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        code, _, err = git.call("fetch", *options, "--end-of-options", self.url, spec)
        if code != 0:
            return last_line(err) or "fetch failed", None
        try:
            found = self._open(git)
        except RemoteError as error:
            return str(error), None
        return "", found

    def _open(self, git: Git) -> Snapshot:
        """Open the head with all its folders; one that stayed where it was is not read again."""
        head = self._head(git)
        if self._kept is not None and self._kept.commit == head:
            return self._kept
        found = Snapshot(git, head)
        found.ids("")
        if git is self.git:
            self._kept = found
        return found

    def _start_anew(self) -> None:
        self._kept = None
        folder = self.git.folder
        beside, gone = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "gone"))
        shutil.rmtree(beside, ignore_errors=True)
        branch, length = self._ask()
        self._branch = self._branch or branch
        git = Git(beside)
        form = ("--object-format=sha256",) if length == 64 else ()
        git.run("init", "--bare", "--quiet", "--template=", *form)
        why, found = self._fetch(git)
        if found is None:
            shutil.rmtree(beside, ignore_errors=True)
            raise self._explain(why)
        shutil.rmtree(gone, ignore_errors=True)
        if folder.exists():
            folder.rename(gone)
        beside.rename(folder)
        shutil.rmtree(gone, ignore_errors=True)

    def _explain(self, why: str) -> InputError | RemoteError:
        if _is_absent(why):
            hint = "push the first commit, or correct branch: in tidegate.yaml"
            return InputError(f"the remote has no branch {self._branch!r}", hint=hint)
        return RemoteError("Git", why, endpoint=redact(self.url))

    def _ask(self) -> tuple[str, int]:
        """Ask the remote for its default branch, and for the length of its object names."""
        wanted = ("HEAD", *((f"refs/heads/{self._branch}",) if self._branch else ()))
        nowhere = Git(self.git.folder / "none")  # the clone may be damaged
        code, out, err = nowhere.call(
            "ls-remote", "--symref", "--end-of-options", self.url, *wanted
        )
        if code != 0:
            raise self._explain(last_line(err))
        branch, length = "main", 0
        for line in out.decode("utf-8", "replace").splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: refs/heads/") and name == "HEAD":
                branch = value.removeprefix("ref: refs/heads/")
            else:
                length = len(value)
        return branch, length

    def _head(self, git: Git) -> str:
        name = f"refs/remotes/origin/{self._branch}"
        return git.run("rev-parse", "--verify", "--end-of-options", name).decode().strip()

    def person(self) -> Person:
        """Say who works here, by Git's own rules."""
        return person_of(self.git)

    def land(self, change: ChangeSet, person: Person, now: datetime, branch: str = "") -> Outcome:
        """Build the commit, push it as a fast-forward, and read the branch back.

        With `branch` it goes to a new branch of that name. The exit code of a push lies in both
        directions; only the branch of the remote counts.

        Raises:
            InputError: The new branch is there already.
            RemoteError: The remote does not answer, so nobody knows.
        """
        target = check_branch(branch) if branch else self._branch
        commit = build(self.git, change, person, now)
        spec = f"{commit}:refs/heads/{target}"
        _, out, err = self.git.call("push", "--porcelain", "--end-of-options", self.url, spec)
        head = self._remote_head(target)
        if head == commit or (target == self._branch and self._contains(head, commit)):
            return Committed(commit)
        why = refusal(out, err)
        if target == self._branch:
            raced = head != change.base or any(word in why for word in _RACES)
            return Stale(head) if raced else Refused(why)
        if head:
            raise InputError(f"the branch {target!r} is there already", hint="name another one")
        return Refused(why)

    def _remote_head(self, branch: str) -> str:
        name = f"refs/heads/{branch}"
        code, out, err = self.git.call("ls-remote", "--end-of-options", self.url, name)
        if code != 0:
            raise RemoteError("Git", last_line(err), endpoint=redact(self.url))
        return out.decode().partition("\t")[0].strip()

    def _contains(self, head: str, commit: str) -> bool:
        if not head:
            return False
        try:
            self.fetch()
        except (RemoteError, InputError):
            return False
        code, _, _ = self.git.call("merge-base", "--is-ancestor", commit, self._head(self.git))
        return code == 0


def _is_absent(why: str) -> bool:
    return "couldn't find remote ref" in why
