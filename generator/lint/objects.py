"""Objects of a base and its profiles have the form that Kustomize takes them for.

Kustomize says nothing about a key that it does not know, and a patch of a container that is not
there adds one.
"""

import difflib
from collections.abc import Iterable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import (
    CONTAINERS,
    KUSTOMIZATIONS,
    Source,
    containers,
    models_of,
    pod_spec,
    scan,
    sources,
)
from generator.lint.view import View
from generator.model.environment import Kind

_GROUP = "kustomize.config.k8s.io"
_KEYS = frozenset(
    {
        "apiVersion",
        "bases",
        "buildMetadata",
        "commonAnnotations",
        "commonLabels",
        "components",
        "configMapGenerator",
        "configurations",
        "crds",
        "generatorOptions",
        "generators",
        "helmCharts",
        "helmChartInflationGenerator",
        "helmGlobals",
        "images",
        "kind",
        "labels",
        "metadata",
        "namePrefix",
        "nameSuffix",
        "namespace",
        "openapi",
        "patches",
        "patchesJson6902",
        "patchesStrategicMerge",
        "replacements",
        "replicas",
        "resources",
        "secretGenerator",
        "sortOptions",
        "transformers",
        "validators",
        "vars",
    }
)
_ELSEWHERE = "the environment names the namespace, and the project allows no other"


def objects(view: View) -> Iterator[Problem]:
    """Check the objects of every model that has an edge rollout."""
    for model in sorted(models_of(view, Kind.EDGE)):
        base, profiles = view.ids(layout.base(model)), view.ids(layout.profiles(model))
        everything = tuple(sources(view, (*base, *profiles)))
        known = [one.path for one in everything if one.name in KUSTOMIZATIONS]
        yield from scan(view, known, _kustomizations)
        yield from scan(view, listed(everything, layout.base(model)), _objects)
        names = _container_names(everything)
        for source in everything:
            if names and source.is_profile:
                yield from _strangers(source, names)


def listed(files: Iterable[Source], base: RepoPath) -> list[RepoPath]:
    """List the manifests of a base; what else lies there is no object of it."""
    named = {
        f"{source.path.rpartition('/')[0]}/{text}"
        for source in files
        if source.name in KUSTOMIZATIONS
        for document in source.documents
        for text in document.texts("resources")
    }
    return [one.path for one in files if one.path in named and one.path.startswith(f"{base}/")]


def _kustomizations(source: Source) -> Iterator[Problem]:
    kind = "Component" if source.is_profile else "Kustomization"
    for document in source.documents:
        yield from _kustomization(document, kind)


def _objects(source: Source) -> Iterator[Problem]:
    for document in source.documents:
        yield from _object(document)


def _kustomization(document: Node, kind: str) -> Iterator[Problem]:
    version = f"{_GROUP}/v1alpha1" if kind == "Component" else f"{_GROUP}/v1beta1"
    for key, wanted in (("apiVersion", version), ("kind", kind)):
        if document.text(key) != wanted:
            line = document.line_of(key)
            yield Problem(f"{key} must be {wanted}", line=line, hint=f"write {key}: {wanted}")
    for key, node in document.entries().items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "Kustomize would ignore it"
            yield Problem(f"unknown key {key!r}", line=node.line, hint=hint)
    seen: set[str] = set()
    for node in document.items("resources"):
        if node.text() in seen:
            text = f"{node.text()!r} is listed twice"
            yield Problem(text, line=node.line, hint="take one line away")
        seen.add(node.text())
    if document.at("namespace") is not None:
        line = document.line_of("namespace")
        yield Problem("a base has no namespace", line=line, hint=_ELSEWHERE)


def _object(document: Node) -> Iterator[Problem]:
    for path in (("apiVersion",), ("kind",), ("metadata", "name")):
        if not document.text(*path):
            words = ".".join(path)
            line = document.line_of(*path)
            yield Problem(f"an object without {words}", line=line, hint=f"write {words}")
    if document.at("metadata", "namespace") is not None:
        line = document.line_of("metadata", "namespace")
        yield Problem("an object of a base has no namespace", line=line, hint=_ELSEWHERE)


def _container_names(files: Iterable[Source]) -> frozenset[str]:
    documents = (one for source in files if not source.is_profile for one in source.documents)
    specs = (pod_spec(document) for document in documents)
    return frozenset(
        one.text("name") for spec in specs if spec is not None for one in containers(spec)
    )


def _strangers(source: Source, known: frozenset[str]) -> Iterator[Problem]:
    for document in source.documents:
        for key, node in document.walk():
            for container in node.items() if key in CONTAINERS else ():
                name = container.text("name")
                if name not in known and container.at("image") is None:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"did you mean {near[0]!r}?" if near else "name one of the base"
                    text = f"the base has no container {name!r}, so this would add one"
                    yield Problem(text, source.path, container.line, hint)
