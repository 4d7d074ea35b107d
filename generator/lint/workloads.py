"""The pods of a model as its sites get them: a base under each of its profiles, or a chart.

Kustomize lays a profile over the base; the same is done here with located values, as far as the
rules ask: mappings by key, containers and the like by name, ports by number, other lists whole.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from generator import layout
from generator.documents.nodes import Node
from generator.layout import RepoPath
from generator.lint.manifests import (
    KUSTOMIZATIONS,
    Source,
    is_template,
    models_of,
    pod_spec,
    read_patch,
    sources,
)
from generator.lint.objects import listed
from generator.lint.view import View
from generator.model.environment import Kind

_WHOLE_IF = re.compile(rb"\{\{-? if (not )?\.Values\.([A-Za-z.]+) -?\}\}\n", re.ASCII)
_KEYS = {
    "containers": "name",
    "env": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


@dataclass(frozen=True, slots=True)
class Object:
    """One object with its file."""

    path: RepoPath
    node: Node

    @property
    def kind(self) -> str:
        """Give its kind."""
        return self.node.text("kind")

    @property
    def name(self) -> str:
        """Give its name."""
        return self.node.text("metadata", "name")

    @property
    def labels(self) -> Mapping[str, str]:
        """Give the labels of the pods that it makes."""
        found = self.node.entries("spec", "template", "metadata", "labels")
        return {key: node.text() for key, node in found.items()}

    @property
    def spec(self) -> Node | None:
        """Give the pod that it makes."""
        return pod_spec(self.node)


@dataclass(frozen=True, slots=True)
class Workload:
    """What one model brings to a site.

    Attributes:
        model: Its name.
        kind: Of the sites.
        profile: Hardware, or "" for a chart or a base that has no profiles.
        objects: Everything, with the Deployments as the profile leaves them.
        homes: Where a value came from, by identity.
    """

    model: str
    kind: Kind
    profile: str
    objects: tuple[Object, ...]
    homes: Mapping[int, RepoPath]

    def of(self, *kinds: str) -> Iterator[Object]:
        """Give the objects of some kinds."""
        yield from (one for one in self.objects if one.kind in kinds)

    def pods(self) -> Iterator[Object]:
        """Give the objects that make pods."""
        yield from (one for one in self.objects if one.spec is not None)

    def home(self, one: Object, node: Node) -> RepoPath:
        """Locate a value of an object."""
        return self.homes.get(id(node), one.path)


def workloads(view: View) -> tuple[Workload, ...]:
    """Lay out every model that has a rollout, for each profile.

    One that cannot be read, or has not its one Deployment, is left out: other rules tell why.
    """
    return view.once("workloads", lambda: tuple(_workloads(view)))


def _workloads(view: View) -> Iterator[Workload]:
    for model in sorted(models_of(view, Kind.EDGE)):
        yield from _edge(view, model)
    for model in sorted(models_of(view, Kind.CLOUD)):
        on = (one for one in templates(view, model) if not _is_off(view, model, one))
        yield Workload(model, Kind.CLOUD, "", tuple(_objects(on)), {})


def templates(view: View, model: str) -> tuple[Source, ...]:
    """Read the templates of a chart, those that its values switch off among them."""
    paths = (path for path in view.ids(layout.chart(model)) if is_template(path))
    return tuple(sources(view, paths))


def _is_off(view: View, model: str, template: Source) -> bool:
    """Say whether a condition around a whole template does not hold by the chart's own values."""
    found = _WHOLE_IF.match(template.data)
    if found is None:
        return False
    documents = view.documents(f"{layout.chart(model)}/values.yaml")
    node = documents[0].at(*found[2].decode().split(".")) if documents else None
    is_set = node is not None and node.text().lower() not in ("", "false", "0", "null", "~")
    return is_set is bool(found[1])


def _edge(view: View, model: str) -> Iterator[Workload]:
    files = tuple(sources(view, view.ids(layout.base(model))))
    paths = listed(files, layout.base(model))
    base = tuple(_objects(one for one in files if one.path in paths))
    broken = any(one.problems for one in files)
    if broken or [one.kind for one in base].count("Deployment") != 1:
        return
    profiles: dict[str, list[Source]] = {}
    for source in sources(view, view.ids(layout.profiles(model))):
        profiles.setdefault(source.path.split("/")[3], []).append(source)
    for name, found in profiles.items() or [("", [])]:
        if any(one.problems for one in found):
            continue
        patches = [*_patches(found)]
        homes = {id(node): one.path for one in (*base, *patches) for _, node in one.node.walk()}
        objects = tuple(_patched(one, patches) for one in base)
        yield Workload(model, Kind.EDGE, name, objects, homes)


def _objects(files: Iterable[Source]) -> Iterator[Object]:
    for source in files:
        yield from (Object(source.path, one) for one in source.documents)


def _patches(files: list[Source]) -> Iterator[Object]:
    for source in files:
        for document in source.documents:
            if source.name not in KUSTOMIZATIONS:
                yield Object(source.path, document)
            for patch in document.items("patches"):
                yield from (Object(source.path, one) for one in read_patch(patch.text("patch")))


def _patched(one: Object, patches: list[Object]) -> Object:
    node = one.node
    for patch in patches:
        # A model has one Deployment, and patches find it by its kind.
        if one.kind == "Deployment" and patch.kind == one.kind:
            node = merge(node, patch.node)
    return Object(one.path, node)


def merge(base: Node, patch: Node, name: str = "") -> Node:
    """Lay a patch over a value, as a strategic merge does."""
    match base.value, patch.value:
        case Mapping(), Mapping():
            entries = {**base.value}
            for key, node in patch.value.items():
                entries[key] = merge(entries[key], node, key) if key in entries else node
                if node.is_plain and node.text() in ("null", "~", ""):
                    del entries[key]
            return Node(base.line, entries)
        case tuple(), tuple() if name in _KEYS:
            return Node(base.line, tuple(_merged(base.value, patch.value, _KEYS[name])))
        case _:
            return patch


def _merged(base: tuple[Node, ...], patch: tuple[Node, ...], key: str) -> Iterator[Node]:
    news = {one.text(key): one for one in patch}
    for one in base:
        new = news.pop(one.text(key), None)
        yield merge(one, new) if new is not None else one
    yield from news.values()
