"""What people read first: who has to approve what, and links that lead somewhere."""

import posixpath
import re
from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.view import View

_OWNERS = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
# What moves a model; a folder may not be there yet.
_MACHINE = (
    layout.ARGOCD,
    layout.EVIDENCE,
    layout.FLUX,
    layout.MONITORING,
    layout.RELEASES,
    layout.ROLLOUTS,
    layout.SITES,
    ".tidegate",
)
_FILES = (layout.CONFIG, layout.REJECTED)
_README = "README.md"
_LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?[^)\n]*\)")
_ROW = re.compile(r"^\| (`[^|]*`) \|", re.MULTILINE)
_NAMED = re.compile(r"`([A-Za-z0-9._-]+)[^`]*`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def owners(view: View) -> Iterator[Problem]:
    """Check that owners are named for paths that are there, and for all that moves a model."""
    for file in _OWNERS:
        data = view.tree.read(file)
        if data is not None:
            yield from _owned(view, file, data.decode("utf-8", "replace"))
            return  # a forge reads the first one only


def _owned(view: View, file: RepoPath, text: str) -> Iterator[Problem]:
    rules: list[tuple[str, bool]] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words or words[0].startswith(("[", "^[")):
            continue  # a section of GitLab
        rules.append((words[0], len(words) > 1))
        path = words[0].strip("/")
        if "*" not in path and words[0].startswith("/") and not _is_there(view, path):
            text = f"there is no {words[0]}, so these owners are asked for nothing"
            yield Problem(text, file, number, "mend the path, or take the line away")
    for path in (*(f"{top}/any" for top in _MACHINE), *_FILES):
        found = [is_owned for pattern, is_owned in rules if _covers(pattern, path)]
        if not found or not found[-1]:
            name = path.removesuffix("any")
            hint = f"write a line such as: /{name} @release-managers"
            yield Problem(f"nobody owns /{name}, so anybody's change of it passes", file, hint=hint)


def _is_there(view: View, path: RepoPath) -> bool:
    known = path.partition("/")[0] in (*_MACHINE, *_FILES)
    return known or view.tree.read(path) is not None or bool(view.ids(path))


def _covers(pattern: str, path: RepoPath) -> bool:
    anchored = "/" in pattern.rstrip("/")
    parts = [re.escape(part).replace(r"\*", "[^/]*") for part in pattern.strip("/").split("**")]
    body = ".*".join(parts)
    start = "" if anchored else "(?:.*/)?"
    end = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return bool(re.fullmatch(start + body + end, path))


def links(view: View) -> Iterator[Problem]:
    """Check the links of the README and the runbooks, and the README's table of folders."""
    pages = [_README, *(path for path in view.ids("docs") if path.endswith(".md"))]
    for path, data in view.tree.read_many(pages).items():
        text = data.decode("utf-8", "replace")
        yield from _broken(view, path, text)
        if path == _README:
            yield from _table(view, text)


def _broken(view: View, path: RepoPath, text: str) -> Iterator[Problem]:
    hidden = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    for link in _LINK.finditer(hidden):
        target = link[1].partition("#")[0]
        if not target or re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            continue
        folder = "" if target.startswith("/") else path.rpartition("/")[0]
        found = posixpath.normpath(posixpath.join(folder, target.lstrip("/")))
        if found.startswith("..") or not _is_there(view, found):
            line = text.count("\n", 0, link.start()) + 1
            yield Problem(f"the link leads to {target!r}, which is not here", path, line, "mend it")


def _table(view: View, text: str) -> Iterator[Problem]:
    """Compare the first words of the table's rows with what there is."""
    rows = {
        name: text.count("\n", 0, row.start()) + 1
        for row in _ROW.finditer(text)
        for name in _NAMED.findall(row[1])
    }
    if not rows:
        return  # a README that somebody wrote anew has no such table
    known = (layout.ENVIRONMENTS, layout.MODELS, *_MACHINE)
    for name, line in rows.items():
        if not _is_there(view, name) and name not in known:
            text = f"the table names {name!r}, which is not here"
            yield Problem(text, _README, line, "take the row away")
    for name in known:
        if name not in rows and view.ids(name):
            text = f"the table does not say what {name}/ is for"
            hint = f"write a row that begins with | `{name}/` |"
            yield Problem(text, _README, min(rows.values()), hint)
