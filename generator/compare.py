"""What Argo CD would apply now against another commit: sites in groups that are the same.

Two sites are in one group when their pointers, old and new, differ by nothing but the site's own
name and the columns of its row; that is compared, never assumed. Blob ids are compared first, so
only what differs is read.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from generator import layout
from generator.changes import Tree
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.environment import Kind
from generator.model.release import Release
from generator.model.rollout import Rollout
from generator.repository import Repository

MOST_READ = 4 * 1024 * 1024  # bytes of one pointer
_EDGE = re.compile(rb'"(?:\.\./)+releases/([^/"]+)/([^/"]+)/([^/"]+)/([^/"]+)"')
_CLOUD = re.compile(rb'^(stable|canary):\n(?:  .*\n)*?  release: "([^"\n]+)"', re.MULTILINE)
_WEIGHTS = re.compile(rb"^weights: (\{[^\n]*\})$", re.MULTILINE)
_SETTING = re.compile(rb'(tidegate\.dev(?:~1|/)setting-[^"\\]+)(\\?": \\?"|\\", \\"value\\": \\")')
_LATER = {
    layout.MODELS: "takes effect with the next release",
    layout.ENVIRONMENTS: "",
    layout.ROLLOUTS: "",
    layout.RELEASES: "",
    layout.EVIDENCE: "",
    layout.ARGOCD: "Argo CD reads it through the root Application",
    "flux": "Flux reads it through its root",
    "monitoring": "Prometheus and Grafana read it when it is applied there",
}


@dataclass(frozen=True, slots=True)
class Side:
    """What one pointer says, on one side.

    Attributes:
        releases: Alias to release; an edge pointer has the one alias "".
        profile: Hardware profile, "" in the cloud.
        weights: Release to basis points; empty on the edge.
        shape: Digest of its bytes without what belongs to the one site.
    """

    releases: Mapping[str, str]
    profile: str
    weights: Mapping[str, int]
    shape: str


@dataclass(frozen=True, slots=True)
class Group:
    """Sites that change in the same way.

    Attributes:
        environment: Where.
        model: Which.
        old: What their pointers said; None for sites that join.
        new: What they say; None for sites that leave.
        cohort: `canary`, `stable` or "" by the rollout as it is now.
        sites: All of them, in order; the first is the sample.
        columns: Settings in which they differ from each other.
        edited: Settings that have another value than before.
    """

    environment: str
    model: str
    old: Side | None
    new: Side | None
    cohort: str
    sites: tuple[str, ...]
    columns: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs.

    Attributes:
        groups: By environment, model and what changes.
        unchanged: (environment, model) to the number of sites that stay as they are.
        folders: Top folder to the number of files that differ, without `sites/`.
        releases: Every release that a group names, as far as it can be read.
    """

    groups: tuple[Group, ...]
    unchanged: Mapping[tuple[str, str], int]
    folders: Mapping[str, int]
    releases: Mapping[tuple[str, str, str], Release] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Say whether nothing differs."""
        return not self.groups and not self.folders


def explain(folder: str) -> str:
    """Say what a change of a folder does to the sites; "" where the groups say it."""
    return _LATER.get(folder, "nothing that a site applies")


def compare(old: Tree, new: Tree, tops: Sequence[str]) -> Comparison:
    """Compare two trees.

    Args:
        old: Before.
        new: After.
        tops: The top folders and files that are there on either side.

    Returns:
        What differs; an invalid file hides only the words that belong to it.
    """
    changed = {top: _changed(old, new, top) for top in tops}
    pointers = _folders(changed.pop(layout.SITES, ()))
    sides = _read(old, pointers), _read(new, pointers)
    groups = tuple(_groups(Repository(new), pointers, *sides))
    names = {
        (group.environment, group.model, release)
        for group in groups
        for side in (group.old, group.new)
        if side is not None
        for release in side.releases.values()
    }
    return Comparison(
        groups,
        _unchanged(new, pointers),
        {top: len(paths) for top, paths in changed.items() if paths},
        dict(_releases((Repository(new), Repository(old)), names)),
    )


def _changed(old: Tree, new: Tree, top: str) -> tuple[RepoPath, ...]:
    before, after = old.ids(top), new.ids(top)
    if not before and not after:  # a file of the root
        return (top,) if old.read(top) != new.read(top) else ()
    if before == after:
        return ()
    return tuple(sorted({path for path, _ in before.items() ^ after.items()}))


def _folders(paths: Iterable[RepoPath]) -> tuple[tuple[str, str, str], ...]:
    """Give (environment, site, model) of every pointer that differs."""
    parts = (path.split("/") for path in paths)
    return tuple(dict.fromkeys((p[1], p[2], p[3]) for p in parts if len(p) > 4))


Pointer = tuple[Side, Mapping[str, str]]  # and the values of its settings


def _read(tree: Tree, pointers: Sequence[tuple[str, str, str]]) -> Mapping[object, Pointer]:
    """Read the pointers that differ, all at once; vendored charts stand for themselves."""
    wanted = {
        (layout.pointer(env, site, model)): (env, site, model) for env, site, model in pointers
    }
    files: dict[RepoPath, dict[RepoPath, str]] = {}
    for path, id_ in tree.ids(layout.SITES).items():
        folder = "/".join(path.split("/", 4)[:4])
        if folder in wanted:
            files.setdefault(folder, {})[path] = id_
    own = [p for found in files.values() for p in found if "/charts/" not in p]
    data = tree.read_many(own)
    return {
        wanted[folder]: _side(wanted[folder][1], folder, found, data)
        for folder, found in files.items()
    }


def _side(
    site: str, folder: RepoPath, ids: Mapping[RepoPath, str], data: Mapping[RepoPath, bytes]
) -> Pointer:
    digest = hashlib.sha256()
    releases: dict[str, str] = {}
    weights: Mapping[str, int] = {}
    settings: dict[str, str] = {}
    profile = ""
    for path, id_ in sorted(ids.items()):
        text = data.get(path, b"")
        if path not in data:
            digest.update(f"{path[len(folder) :]} {id_}\n".encode())
            continue
        if path == f"{folder}/kustomization.yaml" and (found := _EDGE.search(text)):
            releases[""], profile = _text(found[3]), _text(found[4])
        releases |= {_text(alias): _text(name) for alias, name in _CLOUD.findall(text)}
        if path == f"{folder}/values.yaml":
            weights = _weights(text)
        bare, own = _abstract(text, site)
        settings |= own
        digest.update(f"{path[len(folder) :]} {len(bare)}\n".encode() + bare)
    return Side(releases, profile, weights, digest.hexdigest()), settings


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _weights(text: bytes) -> Mapping[str, int]:
    found = _WEIGHTS.search(text)
    try:
        weights = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError):
        return {}
    return {name: one for name, one in weights.items() if isinstance(one, int)}


def _abstract(text: bytes, site: str) -> tuple[bytes, Mapping[str, str]]:
    """Take out what belongs to the one site: its name, and its columns."""
    text = text.replace(f': "{site}"'.encode(), b": <site>")
    settings: dict[str, str] = {}
    pieces, position = [], 0
    for found in _SETTING.finditer(text):
        stop = _end(text, found.end(), b'\\"' if b"\\" in found[2] else b'"')
        name = _text(re.split(rb"setting-", found[1])[1])
        settings[name] = _text(text[found.end() : stop])
        pieces += [text[position : found.end()], b"<value>"]
        position = stop
    return b"".join([*pieces, text[position:]]), settings


def _end(text: bytes, start: int, quote: bytes) -> int:
    """Find where a quoted value ends; in doubt at once, so that it counts as a difference."""
    position = start
    while (position := text.find(quote, position)) >= 0:
        run = position
        while run > start and text[run - 1 : run] == b"\\":
            run -= 1
        # Where the value stands inside of a quoted text, each of its signs is written twice.
        if (position - run) % (2 * len(quote)) == 0:
            return position
        position += 1
    return start


def _groups(
    repository: Repository,
    pointers: Sequence[tuple[str, str, str]],
    before: Mapping[object, Pointer],
    after: Mapping[object, Pointer],
) -> Iterator[Group]:
    found: dict[tuple[object, ...], list[tuple[str, str, str]]] = {}
    for one in pointers:
        old, new = before.get(one), after.get(one)
        shapes = (pair[0].shape if pair else "" for pair in (old, new))
        edited = _columns([pair[1] for pair in (old, new) if pair])
        found.setdefault((one[0], one[2], *shapes, edited), []).append(one)
    for key, members in found.items():
        yield _group(repository, members, before, after, key[-1])


def _group(
    repository: Repository,
    members: Sequence[tuple[str, str, str]],
    before: Mapping[object, Pointer],
    after: Mapping[object, Pointer],
    edited: Any,  # noqa: ANN401 (the last part of a key)
) -> Group:
    environment, _, model = members[0]
    old, new = (found[members[0]][0] if members[0] in found else None for found in (before, after))
    now = after if new else before
    return Group(
        environment,
        model,
        old,
        new,
        _cohort(repository, environment, model, new),
        tuple(site for _, site, _ in members),
        _columns([now[one][1] for one in members]),
        edited if old and new else (),
    )


def _columns(settings: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    names = dict.fromkeys(name for one in settings for name in one)
    return tuple(name for name in names if len({one.get(name) for one in settings}) > 1)


def _cohort(repository: Repository, environment: str, model: str, side: Side | None) -> str:
    try:
        rollout: Rollout = repository.rollout(environment, model)
        if repository.environment(environment).kind is Kind.CLOUD or side is None:
            return ""
    except InputError:
        return ""
    cohorts = {rollout.canary: "canary", rollout.stable: "stable"}
    return cohorts.get(side.releases.get("", "?"), "")


def _unchanged(
    new: Tree, pointers: Sequence[tuple[str, str, str]]
) -> Mapping[tuple[str, str], int]:
    moved = frozenset(pointers)
    found: dict[tuple[str, str], set[str]] = {}
    for path in new.ids(layout.SITES):
        parts = path.split("/", 4)
        if len(parts) > 4 and (parts[1], parts[2], parts[3]) not in moved:
            found.setdefault((parts[1], parts[3]), set()).add(parts[2])
    return {key: len(sites) for key, sites in sorted(found.items())}


def _releases(
    repositories: Sequence[Repository], names: Iterable[tuple[str, str, str]]
) -> Iterator[tuple[tuple[str, str, str], Release]]:
    for name in sorted(names):
        for repository in repositories:
            try:
                yield name, repository.release(*name)
                break
            except InputError:
                continue  # it says so: nothing is known about it
