"""Ask a remote what a rollout needs of it, and change nothing there."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from generator.errors import RemoteError, redact
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, refusal

ASK_S = 30.0


@dataclass(frozen=True, slots=True)
class Heads:
    """The branches of a remote.

    Attributes:
        default: What its HEAD names, "" where it names none.
        branches: All of them.
    """

    default: str
    branches: Collection[str]


def heads(url: str) -> Heads:
    """List the branches of a remote.

    Raises:
        InputError: The URL is one that Git would take for a command.
        RemoteError: It does not answer, or not in time.
    """
    words = ("ls-remote", "--symref", "--end-of-options", check_remote(url), "HEAD", "refs/heads/*")
    code, out, err = Git(Path("/nonexistent")).call(*words, timeout_s=ASK_S, bare=True)
    if code != 0:
        raise RemoteError("Git", last_line(err) or "no answer", endpoint=redact(url))
    default, branches = "", set()
    for line in out.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            default = value.removeprefix("ref: refs/heads/")
        elif name.startswith("refs/heads/"):
            branches.add(name.removeprefix("refs/heads/"))
    return Heads(default, frozenset(branches))


def try_push(git: Git, url: str, commit: str, branch: str) -> str:
    """Ask whether a commit may be pushed, without pushing it; give why not, "" for yes.

    A server says at this point whether it knows the credentials and lets them write at all.
    Rules of a branch and hooks are asked only by a real push.

    Raises:
        RemoteError: It took too long.
    """
    spec = f"{commit}:refs/heads/{check_branch(branch)}"
    words = ("push", "--dry-run", "--porcelain", "--end-of-options", check_remote(url), spec)
    code, out, err = git.call(*words, timeout_s=ASK_S)
    return "" if code == 0 else refusal(out, err)


def is_shallow(git: Git) -> bool:
    """Say whether the history ends before its beginning."""
    return git.run("rev-parse", "--is-shallow-repository").strip() == b"true"


def origin_of(folder: Path) -> str:
    """Give the URL of `origin` of the checkout around a folder, "" where there is none."""
    git = Git(folder)
    words = ("-C", str(folder), "remote", "get-url", "origin")
    code, out, _ = git.call(*words, bare=True)
    return out.decode("utf-8", "replace").strip() if code == 0 else ""


def git_version() -> str:
    """Give the version of Git, without further words.

    Raises:
        InputError: There is no Git.
    """
    out = Git(Path("/nonexistent")).call("version", bare=True)[1]
    return out.decode("utf-8", "replace").strip().removeprefix("git version ")
