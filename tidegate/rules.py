"""The rules of `verify` that look beyond the files: links, engines, evidence with recordings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from generator import layout
from generator.errors import InputError, Problem
from generator.gate.change import ODD
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.comparing import entries
from generator.lint import RULES, Rule, Severity
from generator.lint.evidence import evidence
from generator.lint.view import View
from generator.model.rollout import Rollout
from generator.zones import zone
from reconciler.record import read_chain
from tidegate.engine_rules import engine_rules
from tidegate.engines import Engines


def odd(opened: Bare | Checkout, commit: str, *, is_head: bool) -> Mapping[str, str]:
    """List what is no regular file: nobody reads it here, but Argo CD might follow it."""
    listed = entries(opened.git, commit) if commit else {}
    found = {path: ODD[mode] for path, (mode, _) in listed.items() if mode in ODD}
    if isinstance(opened, Checkout) and not is_head:
        for path in opened.dirty():
            found.pop(path, None)
            if (opened.folder / path).is_symlink():
                found[path] = "a symlink"
    return found


def rules(links: Mapping[str, str], engines: Engines) -> Sequence[Rule]:
    """Give all rules.

    Args:
        links: Path to what is no regular file there.
        engines: Those that may run.
    """

    def symlinks(_: View) -> Iterator[Problem]:
        for path, kind in links.items():
            text = f"{kind}: nothing of it is read or compared, and Argo CD may refuse the tree"
            yield Problem(text, path, hint="put the file itself there, or git rm it")

    known = {"unrendered"} if engines.has("kustomize") else set()
    return (
        *(replace(rule, check=_nothing) if rule.id in known else rule for rule in RULES),
        *engine_rules(engines),
        Rule("evidence-chain", _chains, "A decision could no longer be proved or replayed."),
        Rule("symlinks", symlinks, "A link can lead out of the repository, and nothing checks it."),
        Rule("windows", _windows, "No step would ever be taken again.", Severity.WARNING),
    )


def _nothing(_: View) -> Iterable[Problem]:
    return ()


def _windows(view: View) -> Iterator[Problem]:
    """Look every time zone up: where the reconciler does not know it, its window never ends."""
    for name in view.environments():
        settings = view.environment(name)
        for one in settings.deny_windows if settings else ():
            if zone(one.zone) is None:
                path = layout.environment(name)
                text = f"this machine does not know the time zone {one.zone}"
                hint = "correct its name, or install tzdata here and where the reconciler runs"
                yield Problem(text, path, view.line(path, "denyWindows"), hint)


def _chains(view: View) -> Iterator[Problem]:
    """Read every chain of evidence, with the recordings, as the reconciler would."""
    blamed = {_folder(one.file or "") for one in evidence(view)}
    for folder in sorted({_folder(path) for path in view.ids(layout.EVIDENCE)} - blamed):
        parts = folder.split("/")
        if len(parts) == 4:
            yield from _chain(view, Rollout(parts[2], parts[1], id=parts[3]))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _chain(view: View, rollout: Rollout) -> Iterable[Problem]:
    try:
        read_chain(view.tree, rollout)
    except InputError as error:
        return error.problems
    return ()
