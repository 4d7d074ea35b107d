"""Two commits against each other, from their objects alone: no work tree, index or attribute."""

from collections.abc import Mapping

from generator.errors import InputError
from generator.gitrepo.process import Git
from generator.layout import RepoPath

Entry = tuple[str, str]  # mode and object name


def resolve(git: Git, name: str) -> str:
    """Give the commit that a branch, tag or abbreviation stands for.

    Raises:
        InputError: There is none.
    """
    words = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    code, out, _ = git.call("rev-parse", *words)
    found = out.decode("ascii", "replace").strip()
    if code != 0 or not found:
        raise InputError(f"Git knows no commit {name[:200]!r} here", hint="git fetch origin")
    return found


def merge_base(git: Git, one: str, other: str) -> str:
    """Find the commit that two commits have come from.

    Raises:
        InputError: There is none, or more than one.
    """
    code, out, _ = git.call("merge-base", "--all", one, other)
    found = out.decode("ascii", "replace").split()
    if code != 0 or not found:
        text = f"{other[:12]} and {one[:12]} have no commit in common"
        raise InputError(text, hint="git fetch --unshallow origin")
    if len(found) > 1:
        text = f"{other[:12]} was merged crosswise with {one[:12]}, so it has no one base"
        raise InputError(text, hint="git rebase it, or merge the newest commit into it")
    return found[0]


def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """Say whether one commit is in the past of another, or that very one."""
    return git.call("merge-base", "--is-ancestor", older, newer)[0] == 0


def entries(git: Git, commit: str) -> Mapping[RepoPath, Entry]:
    """List everything in a commit, links and submodules, too."""
    out = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)
    found: dict[RepoPath, Entry] = {}
    for line in out.decode("utf-8", "surrogateescape").split("\0"):
        head, _, path = line.partition("\t")
        if path:
            mode, _, name = head.split(" ")
            found[path] = mode, name
    return found
