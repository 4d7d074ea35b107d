"""Paths that can be, and nothing that no rollout, release or decision explains."""

import re
from collections.abc import Callable, Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.lint.releases import is_release
from generator.lint.view import View
from generator.model.names import check_name

_TOPS = (
    layout.ARGOCD,
    layout.ENVIRONMENTS,
    layout.EVIDENCE,
    layout.FLUX,
    layout.MODELS,
    layout.MONITORING,
    layout.RECONCILER,
    layout.RELEASES,
    layout.ROLLOUTS,
    layout.SITES,
)
_EVIDENCE = re.compile(r"[0-9]{4}-[a-z][a-z-]*\.(?:json|ndjson\.gz)", re.ASCII)
Belongs = Callable[[View, tuple[str, ...]], bool]


def undeclared(view: View) -> Iterator[Problem]:
    """Name the files that nothing explains, folder by folder."""
    for top, belongs in _PLACES.items():
        groups: dict[RepoPath, list[RepoPath]] = {}
        for path in view.ids(top):
            parts = tuple(path.split("/")[1:])
            if not belongs(view, parts):
                groups.setdefault("/".join(path.split("/")[:4]), []).append(path)
        for found in groups.values():
            yield _problem(view, found)


def _problem(view: View, found: list[RepoPath]) -> Problem:
    text = "nothing explains this file"
    if len(found) > 1:
        names = [path.rpartition("/")[2] for path in found]
        text = f"nothing explains {count(len(found), 'file')} here: {few(names)}"
    hint = view.restore(found[0]) if len(found) == 1 else ""
    return Problem(text, found[0], hint=hint or "git rm it, or give it a name that is known here")


def _is_environment(view: View, parts: tuple[str, ...]) -> bool:
    name, *rest = parts
    if rest and rest[0] == "sites":
        return name in view.environments() and len(rest) == 2 and rest[1].endswith(".yaml")
    return name in view.environments()


def _is_model(view: View, parts: tuple[str, ...]) -> bool:
    return parts[0] in view.models()


def _is_rollout(view: View, parts: tuple[str, ...]) -> bool:
    if len(parts) != 2 or not parts[1].endswith(".yaml"):
        return False
    model = parts[1].removesuffix(".yaml").removesuffix(".cohort")
    return (parts[0], model) in view.lines()


def _is_release(view: View, parts: tuple[str, ...]) -> bool:
    return len(parts) > 3 and is_release(view, "/".join(parts[:3]))


def _is_pointer(view: View, parts: tuple[str, ...]) -> bool:
    # Whether the site is there is for the rule `pointers`, which compares with the expansion.
    return len(parts) > 3 and (parts[0], parts[2]) in view.lines()


def _is_evidence(_: View, parts: tuple[str, ...]) -> bool:
    # Evidence stays when its environment or model goes.
    if len(parts) != 4 or not _EVIDENCE.fullmatch(parts[3]):
        return False
    return bool(re.fullmatch(re.escape(f"{parts[0]}-{parts[1]}-") + r"v\w+-\w+-[0-9]+", parts[2]))


def _is_own(view: View, parts: tuple[str, ...]) -> bool:
    path = f".tidegate/{'/'.join(parts)}"
    if not path.startswith(f"{layout.PRISTINE}/"):
        return path in (layout.ANSWERS, layout.LOCK)
    lock = view.lock()
    return lock is None or path.removeprefix(f"{layout.PRISTINE}/") in lock.files


def paths(view: View) -> Iterator[Problem]:
    """Demand paths that every file system and every tool can hold apart."""
    seen: dict[str, RepoPath] = {}
    for top in _TOPS:
        for path in view.ids(top):
            if not path.isprintable() or not path.isascii() or "\\" in path:
                text = "the path holds characters that are not printable ASCII"
                yield Problem(text, path, hint="rename it")
            twin = seen.setdefault(path.lower(), path)
            if twin != path:
                hint = "rename one of them: some file systems cannot hold both"
                yield Problem(f"differs from {twin} by case only", path, hint=hint)


def names(view: View) -> Iterator[Problem]:
    """Demand that folders that become names are names."""
    wanted = [
        *(("environment", name, 30, layout.environment(name)) for name in view.environments()),
        *(("model", name, 43, layout.model(name)) for name in view.models()),
        *(
            ("site file", stem, 53, layout.shard(name, stem))
            for name in view.environments()
            for stem in view.shards(name)
        ),
    ]
    for kind, name, longest, path in wanted:
        try:
            check_name(kind, name, longest)
        except ValueError as error:
            yield Problem(str(error), path, hint="rename it")


_PLACES: dict[RepoPath, Belongs] = {
    layout.ENVIRONMENTS: _is_environment,
    layout.MODELS: _is_model,
    layout.ROLLOUTS: _is_rollout,
    layout.RELEASES: _is_release,
    layout.SITES: _is_pointer,
    layout.EVIDENCE: _is_evidence,
    ".tidegate": _is_own,
}
