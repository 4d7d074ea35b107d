"""A bare clone of one branch; the push is the compare-and-swap."""

from datetime import datetime
from pathlib import Path

from generator.changes import ChangeSet, Committed, Outcome, Refused, Stale
from generator.errors import InputError, RemoteError
from generator.gitrepo.commit import Person, build, person_of
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, redact
from generator.gitrepo.snapshot import Snapshot


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
        self.git = Git(folder)
        self._branch = branch

    @property
    def branch(self) -> str:
        """Name the branch; known after the first `fetch`."""
        return self._branch

    def fetch(self) -> Snapshot:
        """Bring the branch here and open its head.

        Raises:
            RemoteError: The remote does not answer.
            InputError: The branch is not there.
        """
        if not (self.git.folder / "HEAD").is_file():
            self.git.folder.mkdir(parents=True, exist_ok=True)
            self.git.run("init", "--bare", "--quiet")
        self._branch = self._branch or self._default_branch()
        spec = f"+refs/heads/{self._branch}:refs/remotes/origin/{self._branch}"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        code, _, err = self.git.call("fetch", *options, "--end-of-options", self.url, spec)
        if code != 0:
            self._explain_fetch(err)
        return Snapshot(self.git, self._head())

    def _explain_fetch(self, err: bytes) -> None:
        text = last_line(err)
        if "couldn't find remote ref" in text:
            hint = "push the first commit, or correct branch: in tidegate.yaml"
            raise InputError(f"the remote has no branch {self._branch!r}", hint=hint)
        raise RemoteError("Git", text or "fetch failed", endpoint=redact(self.url))

    def _default_branch(self) -> str:
        code, out, err = self.git.call(
            "ls-remote", "--symref", "--end-of-options", self.url, "HEAD"
        )
        if code != 0:
            self._explain_fetch(err)
        for line in out.decode("utf-8", "replace").splitlines():
            if line.startswith("ref: refs/heads/"):
                return line.removeprefix("ref: refs/heads/").partition("\t")[0]
        return "main"

    def _head(self) -> str:
        name = f"refs/remotes/origin/{self._branch}"
        return self.git.run("rev-parse", "--verify", "--end-of-options", name).decode().strip()

    def person(self) -> Person:
        """Say who works here, by Git's own rules."""
        return person_of(self.git)

    def land(self, change: ChangeSet, person: Person, now: datetime, branch: str = "") -> Outcome:
        """Build the commit, push it as a fast-forward, and read the branch back.

        With `branch` it goes to a new branch of that name. The exit code of a push lies in both
        directions; only the branch of the remote counts.

        Raises:
            RemoteError: The remote does not answer, so nobody knows.
        """
        commit = build(self.git, change, person, now)
        target = check_branch(branch) if branch else self._branch
        spec = f"{commit}:refs/heads/{target}"
        _, out, err = self.git.call("push", "--porcelain", "--end-of-options", self.url, spec)
        head = self._remote_head(target)
        if head == commit or (target == self._branch and self._contains(head, commit)):
            return Committed(commit)
        if target == self._branch and head != change.base:
            return Stale(head)
        return Refused(_refusal(out, err))

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
        code, _, _ = self.git.call("merge-base", "--is-ancestor", commit, self._head())
        return code == 0


def _refusal(out: bytes, err: bytes) -> str:
    told = [
        line[8:].strip()
        for line in err.decode("utf-8", "replace").splitlines()
        if line.startswith("remote: ")
    ]
    lines = [line for line in out.decode("utf-8", "replace").splitlines() if line.startswith("!")]
    reason = lines[0].rpartition("\t")[2] if lines else last_line(err)
    return redact(" ".join([reason, *[line for line in told if line][:3]]))[:400]
