"""The lock holds the digests of what cannot be computed again."""

import hashlib
import re
from collections.abc import Iterator, Mapping

from generator import layout
from generator.errors import InputError, Problem
from generator.intents.setup import read_lock
from generator.layout import RepoPath
from generator.lint.view import View

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MACHINE = ("argocd/", "evidence/", "monitoring/", "releases/", "sites/", ".github/")


def lock(view: View) -> Iterator[Problem]:
    """Compare machine files with the lock; what people own may differ."""
    if view.tree.read(layout.LOCK) is None:
        hint = "git restore it: without it an update cannot tell your edits from the blueprint"
        yield Problem("the file is missing", layout.LOCK, hint=hint)
    blueprints, files = _read(view)
    for name, digest in blueprints.items():
        if not _SHA256.fullmatch(digest.removeprefix("sha256:")):
            yield _at(view, f"the digest of blueprint {name} is none", "blueprints")
    for path, digest in files.items():
        if not _SHA256.fullmatch(digest) or not _is_inside(path):
            yield _at(view, f"the entry of {path!r} is none", "files")
        elif path.startswith(_MACHINE) and _digest(view, path) not in (digest, ""):
            hint = view.restore(path) or "git revert the edit"
            yield Problem("a machine file differs from the lock", path, hint=hint)


def _at(view: View, text: str, key: str) -> Problem:
    hint = view.restore(layout.LOCK) or "git revert the edit"
    return Problem(text, layout.LOCK, view.line(layout.LOCK, key), hint)


def _read(view: View) -> tuple[Mapping[str, str], Mapping[RepoPath, str]]:
    try:
        return read_lock(view.tree)
    except InputError:
        return {}, {}


def _is_inside(path: str) -> bool:
    return all(part not in ("", ".", "..", ".git") for part in path.split("/"))


def _digest(view: View, path: RepoPath) -> str:
    data = view.tree.read(path)
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def missing(view: View) -> Iterator[Problem]:
    """Name the files of a blueprint that are gone."""
    _, files = _read(view)
    there = view.tree.read_many(files)
    for path in files:
        if path not in there and _is_inside(path) and path != layout.CONFIG:
            hint = view.restore(path) or "restore it, if nobody meant to delete it"
            yield Problem("the file of a blueprint is missing", path, hint=hint)
