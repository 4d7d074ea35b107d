"""`tidegate diff`."""

import sys

import click

from generator import layout
from generator.changes import Draft, Tree
from generator.compare import compare
from generator.errors import ExitCode, InputError
from generator.expand import differences
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.snapshot import Snapshot
from generator.repository import Repository
from tidegate.diffing import Differ, data, text
from tidegate.engines import Engines, with_engines
from tidegate.place import Place, looking

_UPSTREAMS = ("@{upstream}", "refs/remotes/origin/HEAD")


@click.command
@click.argument("rev", default="")
@click.option("--head", is_flag=True, help="The last commit, without what is not committed yet.")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when nothing differs.")
@with_engines
@looking
def diff(
    where: Place, *, rev: str, head: bool, as_json: bool, exit_code: bool, engines: Engines
) -> None:
    """Show what the sites would get that they do not have at REV.

    Sites that change alike stand together, with one of them rendered before and after; "x 25
    identical" has been compared, not assumed. Without REV it is compared with where your branch
    left the one that it tracks; if nothing is in between, your edits are compared with the last
    commit, and a clean checkout with the commit before.

    Your uncommitted edits count, and the sites are shown as `tidegate expand` would write them.
    Kustomize and Helm are run where they are found; without Kustomize tidegate renders by itself.

    \b
    tidegate diff
    tidegate diff v2026.11 --json
    tidegate diff --repo https://git.example/fleet.git main~5
    """
    opened = where.open()
    new: Snapshot = opened.fetch() if isinstance(opened, Bare) else opened.head()
    dirty = opened.dirty() if isinstance(opened, Checkout) and not head else frozenset()
    old = _old(opened, new, rev, is_dirty=bool(dirty))
    draft, notes = _edited(opened, new, dirty)
    tops = _tops(old, new, dirty)
    found = compare(old, draft, tops)
    differ = Differ(old, draft, engines)
    ends = (old.commit, "edits on " + new.commit if dirty else new.commit)
    click.echo(data(found, differ, notes, ends) if as_json else text(found, differ, notes))
    for line in engines.told() if found.groups else ():
        click.echo(line, err=True)
    sys.exit(ExitCode.NOTHING_CHANGED if exit_code and found.is_empty else ExitCode.DONE)


def _old(opened: Bare | Checkout, new: Snapshot, rev: str, *, is_dirty: bool) -> Snapshot:
    """Open the commit to compare with."""
    if rev:
        names = (rev, f"refs/remotes/origin/{rev}") if isinstance(opened, Bare) else (rev,)
        found = next((one for name in names if (one := _commit(opened, name))), "")
        if not found:
            raise InputError(f"there is no commit {rev!r}", hint="git log --oneline lists them")
        return new.at(found)
    if isinstance(opened, Checkout) and (fork := _fork(opened, new.commit)):
        return new.at(fork)
    return new if is_dirty else new.at(_commit(opened, f"{new.commit}^") if new.commit else "")


def _commit(opened: Bare | Checkout, name: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    code, out, _ = opened.git.call(*words)
    return out.decode().strip() if code == 0 else ""


def _fork(opened: Checkout, commit: str) -> str:
    """Find where the branch left the one that it tracks; "" where it did not."""
    for name in _UPSTREAMS:
        upstream = _commit(opened, name)
        if not upstream:
            continue
        code, out, _ = opened.git.call("merge-base", commit, upstream)
        found = out.decode().strip() if code == 0 else ""
        return found if found != commit else ""
    return ""


def _edited(
    opened: Bare | Checkout, new: Snapshot, dirty: frozenset[str]
) -> tuple[Tree, list[str]]:
    """Put the person's edits on top, and the sites that follow from them."""
    draft, notes = Draft(new), []
    for path in sorted(dirty):
        read = opened.read(path) if isinstance(opened, Checkout) else None
        draft.delete((path,)) if read is None else draft.write({path: read})
    for environment, model in Repository(draft).rollouts() if dirty else ():
        sources = layout.rollout(environment, model), f"{layout.ENVIRONMENTS}/{environment}/"
        if not any(path.startswith(sources) for path in dirty):
            continue
        try:
            changed = differences(Repository(draft), environment, model)
        except InputError as error:
            notes.append(f"{model} on {environment} cannot be expanded: {error.problems[0]}")
            continue
        draft.delete(path for path, one in changed.items() if one is None)
        draft.write({path: one for path, one in changed.items() if one is not None})
    return draft, notes


def _tops(old: Tree, new: Tree, dirty: frozenset[str]) -> list[str]:
    """List what stands at the root on either side."""
    paths = (*old.ids(""), *new.ids(""), *dirty)
    return sorted({path.partition("/")[0] for path in paths} | {layout.SITES})
