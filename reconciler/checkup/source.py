"""The Git remote: what it says about itself, held against what the repository says."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from generator import layout
from generator.lint.finding import count
from generator.model.config import Config
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned


@dataclass(frozen=True, slots=True)
class Remote:
    """What a remote answered.

    Attributes:
        url: Its address, without credentials.
        default: The branch that a clone gets; "" where its HEAD names none.
        branches: All its branches.
    """

    url: str
    default: str
    branches: Collection[str]


def branch(remote: Remote, config: Config) -> Iterator[Finding]:
    """Is the branch that Argo CD applies the one that everybody pushes to?"""
    wanted, default = config.branch, remote.default
    if wanted not in remote.branches:
        text = f"there is no branch {wanted!r}, which {layout.CONFIG} says Argo CD applies"
        fix = f"git push {remote.url} HEAD:refs/heads/{wanted}, or correct branch: in the file"
        yield failed("git.branch", remote.url, text, fix)
    elif wanted != default:
        text = (
            f"the default branch is {default or 'not set'!r}, and Argo CD applies {wanted!r}: "
            "what the reconciler pushes would never arrive"
        )
        fix = f"make {wanted} the default branch in the settings of the remote"
        yield failed("git.branch", remote.url, text, fix)
    else:
        yield passed("git.branch", remote.url, f"{wanted} is the default branch, and Argo CD's")


def same(remote: Remote, config: Config, *, is_local: bool) -> Iterator[Finding]:
    """Does Argo CD fetch the repository that is looked at?"""
    if not config.remote:
        text = f"{layout.CONFIG} has no remote:, so there is nothing in argocd/ for Argo CD"
        fix = f"write remote: and the URL that Argo CD knows into {layout.CONFIG}: tidegate update"
        yield failed("git.remote", layout.CONFIG, text, fix)
    elif is_local:
        text = f"whether {config.remote} is this repository: a local one was named"
        yield unknown("git.remote", remote.url, text)
    elif _place(config.remote) != _place(remote.url):
        text = f"Argo CD fetches {config.remote}: is that the repository that is pushed to?"
        yield warned("git.remote", remote.url, text, f"correct remote: in {layout.CONFIG}")
    else:
        yield passed("git.remote", remote.url, "Argo CD fetches from there too")


def _place(url: str) -> tuple[str, str]:
    """Give host and path, however the URL is written."""
    if "://" not in url:
        host, _, path = url.partition(":")
        url = f"ssh://{host}/{path}"
    parts = urlsplit(url)
    return parts.hostname or "", parts.path.strip("/").removesuffix(".git")


def push(remote: Remote, branch_name: str, refusal: str) -> Iterator[Finding]:
    """May these credentials push? `refusal` is what a dry run was told, "" for nothing."""
    if refusal:
        fix = (
            f"give the reconciler's credentials the right to push to {branch_name}; "
            "a revert is a direct push"
        )
        yield failed("git.push", remote.url, f"a push was refused: {refusal}", fix)
        return
    text = f"a dry run to {branch_name} was let in; a dry run does not ask rules and hooks"
    yield passed("git.push", remote.url, text)
    hidden = f"whether {branch_name} is protected: only the forge's own settings say so"
    fix = f"look there that the reconciler may push to {branch_name} without a pull request"
    yield unknown("git.protection", remote.url, hidden, fix)


def history(where: str, *, is_shallow: bool) -> Iterator[Finding]:
    """Is all of the history there? Rollouts and evidence are read from it."""
    if is_shallow:
        text = "the history is shallow: rollouts and their evidence cannot be read from it"
        yield failed("git.history", where, text, "git fetch --unshallow, and push from there")
    else:
        yield passed("git.history", where, "the history is whole")


def tree(where: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Is what stands there right? `counts` are those of `tidegate verify`."""
    errors, warnings = counts.get("error", 0), counts.get("warning", 0)
    told = f"verify finds {count(errors, 'error')} and {count(warnings, 'warning')}"
    if errors:
        yield failed("git.tree", where, told, "tidegate verify names each, and what mends it")
    elif warnings:
        yield warned("git.tree", where, told, "tidegate verify names each, and what mends it")
    else:
        yield passed("git.tree", where, told)
