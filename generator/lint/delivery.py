"""What follows from environments, objectives, sites and baselines does so, byte for byte."""

import shlex
from collections.abc import Iterator, Sequence

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint import flux, pull, traps
from generator.lint.delivered import delivered, wrong
from generator.lint.finding import count, few
from generator.lint.view import View
from generator.render import argocd

_TRAPS = (*traps.RULES, *pull.RULES, *flux.RULES)


def hub(view: View) -> Iterator[Problem]:
    """Compare what one Argo CD for all sites reads."""
    yield from _compare(view, layout.ARGOCD)


def on_site(view: View) -> Iterator[Problem]:
    """Compare what an Argo CD on each site reads."""
    yield from _compare(view, argocd.PULL)


def fluxes(view: View) -> Iterator[Problem]:
    """Compare what a Flux on each site reads."""
    yield from _compare(view, layout.FLUX)


def watching(view: View) -> Iterator[Problem]:
    """Compare what Prometheus and Grafana read."""
    yield from _compare(view, layout.MONITORING, "objectives, settings and baselines")


def _compare(view: View, under: RepoPath, what: str = "sites and baselines") -> Iterator[Problem]:
    """Compare, leaving out the files whose danger another rule has named."""
    known = _trapped(view)
    found = [path for path in wrong(view, under) if path not in known]
    if found:
        text = (
            f"{count(len(found), 'file')} of {under}/ "
            f"{'is' if len(found) == 1 else 'are'} not what {what} give: {few(found)}"
        )
        yield Problem(text, found[0], _line(view, found[0]), _fix(view, under, found))


def _trapped(view: View) -> frozenset[RepoPath]:
    return view.once(
        "trapped",
        lambda: frozenset(one.file for rule in _TRAPS for one in rule(view) if one.file),
    )


def _line(view: View, path: RepoPath) -> int | None:
    expected = delivered(view)
    have = view.read(path).splitlines()
    want = expected.files.get(path, b"").splitlines() if expected is not None else []
    pairs = enumerate(zip(have, want, strict=False), 1)
    return next((number for number, (one, other) in pairs if one != other), None)


def _fix(view: View, under: RepoPath, found: Sequence[RepoPath]) -> str:
    if all(view.restore(path) for path in found):
        return view.restore(found[0]) if len(found) == 1 else f"git restore {under}"
    newest = view.tree.log((found[0],), 1)
    if len(found) == 1 and newest and found[0] in view.ids(under):
        return f"tidegate expand, or git revert {shlex.quote(newest[0].id[:12])}"
    return "tidegate expand"
