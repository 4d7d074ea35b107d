"""Evidence is append-only: the commit that wrote it names its digest."""

import hashlib
import re
from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.view import View

MOST_COMMITS = 10_000
_TRAILER = re.compile(r"(?P<path>evidence/[^@\s]+\.json)@(?P<digest>sha256:[0-9a-f]{64})", re.ASCII)


def evidence(view: View) -> Iterator[Problem]:
    """Compare evidence with the trailers of its commits, and with the last commit."""
    have = view.ids(layout.EVIDENCE)
    before = view.committed(layout.EVIDENCE) if view.tree.commit else {}
    changed = {path for path, id_ in before.items() if have.get(path) != id_}
    for path in sorted(changed):
        text = "evidence is append-only, and this was changed since the last commit"
        yield Problem(text, path, hint=view.restore(path))
    for path, (digest, commit) in _told(view).items():
        if path not in changed and _digest(view, path) != digest:
            text = f"this is not the evidence that {commit[:12]} was decided on"
            yield Problem(text, path, hint=f"git checkout {commit[:12]} -- {path}")
    for path in have:
        if path.endswith(".json") and layout.recording(path) not in have:
            yield _alone(path, layout.recording(path))
        elif path.endswith(".ndjson.gz") and f"{path.removesuffix('.ndjson.gz')}.json" not in have:
            yield _alone(path, f"{path.removesuffix('.ndjson.gz')}.json")


def _alone(path: RepoPath, other: RepoPath) -> Problem:
    name = other.rpartition("/")[2]
    hint = "git checkout the commit that wrote both"
    return Problem(f"{name} is missing beside this file", path, hint=hint)


def _told(view: View) -> dict[RepoPath, tuple[str, str]]:
    """Read what commits say about the evidence they bring; the first one counts."""
    found: dict[RepoPath, tuple[str, str]] = {}
    if view.tree.commit:
        log = view.tree.log((layout.EVIDENCE,), MOST_COMMITS, every_parent=True)
        for commit in log:
            told = _TRAILER.fullmatch(commit.trailers.get("Evidence", ""))
            if told:
                found[told["path"]] = (told["digest"], commit.id)
    return found


def _digest(view: View, path: RepoPath) -> str:
    data = view.tree.read(path)
    return f"sha256:{hashlib.sha256(data).hexdigest()}" if data is not None else ""
