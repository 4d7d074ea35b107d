"""Annotations by which an object steers who applies it: nothing waits, is kept back or skipped.

A sync that waits for a hook or a wave ignores a revert. An object that is kept or skipped stays as
it is when a release changes it, and every page still says that the site is in sync.
"""

import re
from collections.abc import Iterator

from generator.errors import Problem
from generator.lint.manifests import Source, originals, scan
from generator.lint.view import View

_WAITS = re.compile(r"argocd\.argoproj\.io/(?:sync-wave|hook[a-z-]*)|helm\.sh/hook[a-z-]*")
_SKIPS = (
    "argocd.argoproj.io/compare-options",
    "argocd.argoproj.io/skip-reconcile",
    "helm.sh/resource-policy",
    "kustomize.toolkit.fluxcd.io/force",
    "kustomize.toolkit.fluxcd.io/prune",
    "kustomize.toolkit.fluxcd.io/reconcile",
    "kustomize.toolkit.fluxcd.io/ssa",
)
_OPTIONS = "argocd.argoproj.io/sync-options"
_HARMFUL = ("Force=true", "Prune=", "PruneLast=true", "Replace=true")
_HINT = "take it away"


def steering(view: View) -> Iterator[Problem]:
    """Look at every annotation of a base, profile or chart."""
    yield from scan(view, originals(view), _steering)


def _steering(source: Source) -> Iterator[Problem]:
    for document in source.documents:
        for key, node in document.walk():
            text = _harm(key, node.text())
            if text:
                yield Problem(text, line=node.line, hint=_HINT)


def _harm(key: str, value: str) -> str:
    if _WAITS.fullmatch(key):
        return f"{key} makes a sync wait for health, and a waiting sync ignores a revert"
    if key in _SKIPS:
        return f"{key} keeps an object back from what a release says"
    options = [one.strip() for one in value.split(",")] if key == _OPTIONS else []
    found = [one for one in options if one.startswith(_HARMFUL)]
    return f"{_OPTIONS}: {found[0]} can lose a revert, or the object" if found else ""
