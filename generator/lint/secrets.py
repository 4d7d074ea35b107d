"""No secret stands in Git: neither as an object nor as a key in any file."""

import re
from collections.abc import Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import KUSTOMIZATIONS, Source, is_template, scan
from generator.lint.view import View

_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_TOKEN = re.compile(
    rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50}|glpat-[A-Za-z0-9_-]{20}"
    rb"|AKIA[A-Z0-9]{16}|hf_[A-Za-z0-9]{30}|xox[abpr]-[A-Za-z0-9-]{10}"
    rb"|eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{16})"
)
# Without what stands before the colon, and bounded: a long line must not take minutes.
_LOGIN = re.compile(rb"(?<=[a-z0-9])://[^\s/:@\"'{}]{1,256}:[^\s/@\"'{}]{1,512}@", re.IGNORECASE)
_KIND = re.compile(rb"^kind:[ ]*[\"']?Secret[\"']?[ ]*(?:#.*)?$", re.MULTILINE)
_MOVE = "keep it in a secret store, and name it with an ExternalSecret; change the secret, too"
_LOGINS = ("agent-token", "auth", "identity_token", "password", "token")  # of K3s
_MANIFESTS = (layout.MODELS, layout.RELEASES, layout.MONITORING, layout.RECONCILER)
_OTHERS = (layout.ENVIRONMENTS, layout.ROLLOUTS, "docs", ".github")


def secrets(view: View) -> Iterator[Problem]:
    """Look at the words of every file, and at the objects of manifests."""
    for folder in (*_MANIFESTS, *_OTHERS):
        for path, data in view.tree.read_many(view.ids(folder)).items():
            yield from _words(path, data)
    for folder in _MANIFESTS:
        yield from scan(view, view.ids(folder), _secrets)
    hosts = [path for path in view.ids(layout.ENVIRONMENTS) if "/k3s/" in path]
    yield from scan(view, hosts, _host)


def _words(path: RepoPath, data: bytes) -> Iterator[Problem]:
    for pattern, what in ((_KEY, "a private key"), (_TOKEN, "a token"), (_LOGIN, "a password")):
        if found := pattern.search(data):
            line = data.count(b"\n", 0, found.start()) + 1
            yield Problem(f"{what} stands here", path, line, _MOVE)


def _secrets(source: Source) -> Iterator[Problem]:
    if is_template(source.path):
        yield from _template(source.data)
        return
    for document in source.documents:
        yield from _objects(document)
        if source.name in KUSTOMIZATIONS:
            yield from _generators(document)


def _host(source: Source) -> Iterator[Problem]:
    """Look at what K3s applies, and at the passwords that its own settings can hold."""
    for document in source.documents:
        yield from _objects(document)
        for key, node in document.walk():
            if key in _LOGINS and node.text():
                hint = "write it on the site, when it is set up; change it, too"
                yield Problem(f"{key} stands here", line=node.line, hint=hint)


def _template(data: bytes) -> Iterator[Problem]:
    # Whatever it is filled with stands in Git, too.
    if found := _KIND.search(data):
        line = data.count(b"\n", 0, found.start()) + 1
        yield Problem("a Secret is made from values", line=line, hint=_MOVE)


def _objects(document: Node) -> Iterator[Problem]:
    if document.text("kind") == "Secret":
        for key in ("data", "stringData"):
            if document.entries(key):
                yield Problem("a Secret with its data", line=document.line_of(key), hint=_MOVE)


def _generators(document: Node) -> Iterator[Problem]:
    if document.items("secretGenerator"):
        line = document.line_of("secretGenerator")
        yield Problem("a Secret is made from files in Git", line=line, hint=_MOVE)
