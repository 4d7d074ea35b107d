"""What blueprints wrote is kept as they wrote it, and the lock proves it."""

from collections.abc import Iterator

from generator import layout
from generator.documents.lock import sha256
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.view import View


def lock(view: View) -> Iterator[Problem]:
    """Compare the copies of what blueprints wrote with the lock."""
    if view.tree.read(layout.LOCK) is None:
        hint = "git restore it: without it an update cannot tell your edits from the blueprint"
        yield Problem("the file is missing", layout.LOCK, hint=hint)
        return
    found = view.lock()
    if found is None:
        return
    copies = view.tree.read_many(map(layout.pristine, found.files))
    for path, digest in found.files.items():
        copy = layout.pristine(path)
        if copy not in copies:
            yield _wrong(view, "the copy of what the blueprint wrote is missing", copy)
        elif sha256(copies[copy]) != digest.removeprefix("sha256:"):
            yield _wrong(view, "this is not what the blueprint wrote, says the lock", copy)


def _wrong(view: View, text: str, path: RepoPath) -> Problem:
    hint = view.restore(path) or "git revert the commit that touched it; only an update may"
    return Problem(text, path, hint=hint)


def missing(view: View) -> Iterator[Problem]:
    """Name the files of a blueprint that are gone."""
    found = view.lock() if view.tree.read(layout.LOCK) is not None else None
    files = found.files if found is not None else {}
    there = view.tree.read_many(files)
    for path in files:
        if path not in there and path != layout.CONFIG:
            hint = view.restore(path) or "restore it, if nobody meant to delete it"
            yield Problem("the file of a blueprint is missing", path, hint=hint)
