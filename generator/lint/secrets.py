"""No secret stands in Git: neither as an object nor as a key in any file."""

import re
from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import KUSTOMIZATIONS, try_manifest
from generator.lint.nodes import Node
from generator.lint.view import View

_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_TOKEN = re.compile(
    rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}|AKIA[A-Z0-9]{16}"
    rb"|xox[abpr]-[A-Za-z0-9-]{10,})\b"
)
_LOGIN = re.compile(rb"[a-z][a-z0-9+.-]*://[^\s/:@\"'{}]+:[^\s/@\"'{}]+@", re.IGNORECASE)
_MOVE = "keep it in a secret store, and name it with an ExternalSecret; change the secret, too"
_FOLDERS = (
    layout.MODELS,
    layout.RELEASES,
    layout.ENVIRONMENTS,
    layout.ROLLOUTS,
    "monitoring",
    "docs",
    ".github",
)


def secrets(view: View) -> Iterator[Problem]:
    """Look at every file that people or blueprints write."""
    for folder in _FOLDERS:
        yield from view.scan(view.ids(folder), _secrets)


def _secrets(path: RepoPath, data: bytes) -> Iterator[Problem]:
    name = path.rpartition("/")[2]
    for pattern, what in ((_KEY, "a private key"), (_TOKEN, "a token"), (_LOGIN, "a password")):
        if found := pattern.search(data):
            line = data.count(b"\n", 0, found.start()) + 1
            yield Problem(f"{what} stands here", line=line, hint=_MOVE)
    if not any(word in data for word in (b"Secret", b"secret")):
        return
    for document in try_manifest(path, data):
        yield from _objects(document)
        if name in KUSTOMIZATIONS:
            yield from _generators(document)


def _objects(document: Node) -> Iterator[Problem]:
    if document.text("kind") == "Secret":
        for key in ("data", "stringData"):
            if document.entries(key):
                yield Problem("a Secret with its data", line=document.line_of(key), hint=_MOVE)


def _generators(document: Node) -> Iterator[Problem]:
    if document.items("secretGenerator"):
        line = document.line_of("secretGenerator")
        yield Problem("a Secret is made from files in Git", line=line, hint=_MOVE)
