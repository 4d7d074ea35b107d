"""A change on a branch of its own, offered for review: pushed once, and brought up to date.

The branch only ever grows. When the same change has to be computed anew on a newer base, the new
commit has both as parents, so that the push is a plain fast-forward; what a person has added on
top is left alone. A kill leaves the branch as it was or as it will be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from generator.changes import ChangeSet
from generator.documents.release import read_release
from generator.errors import ConflictError, InputError, RemoteError, redact
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import Person, build
from generator.gitrepo.process import Git, check_branch, last_line, refusal
from generator.gitrepo.snapshot import Snapshot
from generator.layout import RepoPath

# What tells one computation of the same change from another.
_TELLING = ("Rollout-Id", "Rollout-Sequence", "Rollout-Percent", "Model-Digest")


@dataclass(frozen=True, slots=True)
class Offered:
    """A branch on the remote.

    Attributes:
        head: Its commit.
        is_ours: Whether it ends with the change; otherwise people have added to it.
    """

    head: str
    is_ours: bool = True


def offer(bare: Bare, change: ChangeSet, person: Person, now: datetime, branch: str) -> Offered:
    """Push a change to a branch of its own, unless it stands there already.

    Raises:
        ConflictError: Somebody else has pushed to it meanwhile.
        InputError: The remote does not take the push.
        RemoteError: The remote does not answer.
    """
    git, target = bare.git, check_branch(branch)
    before = _fetch(bare, target)
    told = _trailers(git, before) if before else {}
    if before and "Rollout-Sequence" not in told:
        return Offered(before, is_ours=False)
    if before and not _is_outdated(Snapshot(git, before), told, change):
        return Offered(before)
    if before:
        # Whoever audits the history must not count one move twice.
        change = replace(change, trailers=(*change.trailers, ("Replaces", before)))
    commit = build(git, change, person, now, beside=before)
    spec = f"{commit}:refs/heads/{target}"
    _, out, err = git.call("push", "--porcelain", "--end-of-options", bare.url, spec)
    head = _remote(bare, target)
    if head == commit:
        return Offered(commit)
    if head != before:
        raise ConflictError(f"somebody else pushed to {target!r} meanwhile; try again")
    hint = "give the token or key of Git the right to push branches"
    raise InputError(f"the branch {target!r} was refused: {refusal(out, err)}", hint=hint)


def _trailers(git: Git, commit: str) -> Mapping[str, str]:
    """Read the trailers of exactly this commit, whatever it changed."""
    options = ("-1", "--no-patch", "--format=%(trailers:only,unfold)")
    out = git.run("log", *options, "--end-of-options", commit).decode("utf-8", "replace")
    pairs = (line.partition(": ") for line in out.splitlines())
    return {key: value for key, colon, value in pairs if colon}


def _is_outdated(there: Snapshot, told: Mapping[str, str], change: ChangeSet) -> bool:
    """Say whether the branch ends with an earlier computation of this change."""
    wanted = dict(change.trailers)
    if any(told.get(key) != wanted.get(key) for key in _TELLING):
        return True
    found = there.read_many(path for path, data in change.files.items() if data is not None)
    return any(_differs(path, found.get(path), data) for path, data in change.files.items())


def _differs(path: RepoPath, there: bytes | None, wanted: bytes | None) -> bool:
    if there is None or wanted is None or not path.endswith("/release.yaml"):
        return there != wanted
    try:
        # The commit it was made from is another one whenever anybody has pushed anything.
        both = [replace(read_release(path, data), source_commit="") for data in (there, wanted)]
    except InputError:
        return True
    return both[0] != both[1]


def _fetch(bare: Bare, branch: str) -> str:
    """Bring the branch here; "" where the remote has none."""
    head = _remote(bare, branch)
    if head and bare.git.call("cat-file", "-e", f"{head}^{{commit}}")[0] != 0:
        spec = f"+refs/heads/{branch}:refs/remotes/origin/{branch}"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        code, _, err = bare.git.call("fetch", *options, "--end-of-options", bare.url, spec)
        if code != 0:
            raise RemoteError("Git", last_line(err), endpoint=redact(bare.url))
    return head


def _remote(bare: Bare, branch: str) -> str:
    git: Git = bare.git
    code, out, err = git.call("ls-remote", "--end-of-options", bare.url, f"refs/heads/{branch}")
    if code != 0:
        raise RemoteError("Git", last_line(err), endpoint=redact(bare.url))
    return out.decode().partition("\t")[0].strip()
