"""A Kustomize base is complete and local, and has a place for the pins and the image."""

import posixpath
from collections.abc import Iterable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import (
    KUSTOMIZATIONS,
    containers,
    is_manifest,
    is_remote,
    models_of,
    pod_spec,
    sources,
)
from generator.lint.view import View
from generator.model.environment import Kind
from generator.render.kustomize import PLACEHOLDER

_LISTS = ("resources", "components", "bases", "crds", "configurations", "patchesStrategicMerge")


def base(view: View) -> Iterator[Problem]:
    """Check the Kustomize base and profiles of every model that has an edge rollout."""
    for model in sorted(models_of(view, Kind.EDGE)):
        folder = layout.base(model)
        files = view.ids(folder)
        if not files:
            hint = f"git restore it, or tidegate model add {model}"
            yield Problem("the folder is missing or empty", folder, hint=hint)
        else:
            yield from _kustomizations(view, folder)
            yield from _kustomizations(view, layout.profiles(model))
            yield from _workload(view, folder)
        if files and not view.ids(layout.profiles(model)):
            hint = "write one Component per hardware class of the sites"
            yield Problem("there is no hardware profile", layout.profiles(model), hint=hint)


def _kustomizations(view: View, folder: RepoPath) -> Iterator[Problem]:
    """Demand a kustomization per folder, and that all it names is there."""
    found = [one for one in sources(view, view.ids(folder)) if one.name in KUSTOMIZATIONS]
    wanted = [folder] if folder.endswith("/base") else sorted(_folders(view, folder))
    for one in wanted:
        if one not in {source.path.rpartition("/")[0] for source in found}:
            yield Problem("there is no kustomization.yaml", one, hint="list the manifests in one")
    for source in found:
        if not source.documents and not source.problems:
            hint = "list the manifests in it"
            yield Problem(
                "the kustomization is empty, which does not build", source.path, hint=hint
            )
        for document in source.documents:
            yield from _references(view, source.path, document)


def _folders(view: View, folder: RepoPath) -> set[RepoPath]:
    depth = folder.count("/") + 2
    return {"/".join(path.split("/")[:depth]) for path in view.ids(folder)}


def _references(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    inside = "/".join(path.split("/")[:3])
    if "/profiles/" in path:
        inside = "/".join(path.split("/")[:4])
    for node in _named(document):
        if not node.text() or is_remote(node.text()):
            continue  # the rule `floating` tells what lies outside of Git
        target = posixpath.normpath(f"{path.rpartition('/')[0]}/{node.text()}")
        if not target.startswith(f"{inside}/"):
            hint = "copy it into the folder: only that becomes part of a release"
            yield Problem(f"{node.text()!r} lies outside of {inside}", path, node.line, hint)
        elif target not in view.ids(inside) and not _has_files(view, inside, target):
            yield Problem(f"there is no {node.text()!r}", path, node.line, "take the line away")
        elif target in view.ids(inside) and not is_manifest(target):
            hint = "end its name in .yaml, so that it is checked"
            yield Problem(f"{node.text()!r} is not called a manifest", path, node.line, hint)


def _has_files(view: View, inside: RepoPath, target: RepoPath) -> bool:
    return any(path.startswith(f"{target}/") for path in view.ids(inside))


def _named(document: Node) -> Iterable[Node]:
    for key in _LISTS:
        yield from document.items(key)
    for key in ("patches", "replacements", "patchesJson6902"):
        for row in document.items(key):
            path = row.at("path")
            if path is not None:
                yield path


def _workload(view: View, folder: RepoPath) -> Iterator[Problem]:
    """The release patches the one Deployment and replaces the one placeholder image."""
    files = tuple(sources(view, view.ids(folder)))
    if any(source.problems for source in files):
        return
    found = [
        (source.path, document)
        for source in files
        for document in source.documents
        if document.text("kind") == "Deployment"
    ]
    if len(found) != 1:
        path, line = (found[1][0], found[1][1].line) if found else (folder, None)
        text = f"a base has one Deployment, which gets the pins; here are {len(found)}"
        yield Problem(text, path, line, "one model, one Deployment")
        return
    yield from _image(*found[0])


def _image(path: RepoPath, document: Node) -> Iterator[Problem]:
    spec = pod_spec(document)
    images = [one.text("image") for one in containers(spec)] if spec is not None else []
    if PLACEHOLDER not in images:
        text = f"no container has the image {PLACEHOLDER!r}, which the release replaces"
        hint = f"write image: {PLACEHOLDER}; model.yaml names the real one"
        yield Problem(text, path, document.line_of("spec", "template", "spec", "containers"), hint)
