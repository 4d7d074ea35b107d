"""Nothing floats: no tag, alias, range, remote base or unpinned chart in what sites apply."""

import re
from collections.abc import Iterable, Iterator

from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import (
    ACTION,
    CONTAINERS,
    KUSTOMIZATIONS,
    Source,
    copies,
    is_remote,
    originals,
    read_patch,
    scan,
)
from generator.lint.pointers import unproven
from generator.lint.releases import folders
from generator.lint.view import View
from generator.render.kustomize import PLACEHOLDER

_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}", re.ASCII)
_EXACT = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?", re.ASCII)
_ALIAS = re.compile(r"models:/[^@]*(?:@.*|/(?:latest|staging|production|archived))", re.IGNORECASE)
_WORDS = ("annotations", "commonAnnotations", "commonLabels", "labels")
_PIN = "write REFERENCE@sha256:<64 hex digits>"


def floating(view: View) -> Iterator[Problem]:
    """Look at models, at releases, and at every pointer that the expansion does not vouch for."""
    yield from scan(view, (*originals(view), *copies(view), *unproven(view)), _floating)
    for folder in folders(view):
        file = f"{folder.path}/release.yaml"
        for node in view.documents(file):
            yield from _pins(file, node)


def _pins(file: RepoPath, pins: Node) -> Iterator[Problem]:
    if _ALIAS.fullmatch(uri := pins.text("version", "uri")):
        text = f"the model is named by what can move: {uri}"
        hint = "promote the version again, so that its location is resolved"
        yield Problem(text, file, pins.line_of("version", "uri"), hint)


def _floating(source: Source) -> Iterator[Problem]:
    name = source.name
    for document in source.documents:
        if name in KUSTOMIZATIONS:
            yield from _kustomization(document)
        elif name == "Chart.yaml":
            yield from _chart(document)
        elif name == "values.yaml":
            yield from _values(document)
        else:
            yield from _images(document)


def _images(document: Node) -> Iterator[Problem]:
    for key, node in document.walk():
        if key in CONTAINERS and isinstance(node.value, tuple):
            for container in node.value:
                yield from _image(container.at("image"))
        elif key == "image" and node.entries():
            yield from _image(node.at("reference"))


def _image(node: Node | None) -> Iterator[Problem]:
    if node is None or _PINNED.fullmatch(node.text()):
        return
    # The release puts the pinned image in place of these two.
    if node.text() not in (PLACEHOLDER, ACTION) and not node.text().endswith(f"@{ACTION}"):
        yield Problem(f"the image {node.text()!r} is not pinned", line=node.line, hint=_PIN)


def _kustomization(document: Node) -> Iterator[Problem]:
    for key, node in document.walk():
        if key in ("helmCharts", "helmChartInflationGenerator"):
            hint = "write its manifests into the base: a release is rendered without network"
            yield Problem(
                "a chart is fetched when the sites are rendered", line=node.line, hint=hint
            )
    for node in _references(document):
        if is_remote(node.text()):
            hint = "copy it into the base: a release is rendered without network"
            yield Problem(f"{node.text()!r} lies outside of Git", line=node.line, hint=hint)
    for image in document.items("images"):
        yield from _replacement(image)
    yield from _patched(document)


def _references(document: Node) -> Iterator[Node]:
    """Give the texts of a kustomization that may name a file."""
    for name, node in document.entries().items():
        if name not in _WORDS:
            yield from (one for _, one in node.walk(name) if "\n" not in one.text())


def _replacement(image: Node) -> Iterator[Problem]:
    if image.at("newTag") is not None:
        line = image.line_of("newTag")
        yield Problem("an image is replaced by a tag", line=line, hint="write digest: sha256:...")
    elif image.at("newName") is not None and image.at("digest") is None:
        yield Problem("an image is replaced without a digest", line=image.line, hint=_PIN)


def _patched(document: Node) -> Iterator[Problem]:
    """Look into the patches that stand in a kustomization as text."""
    for patch in document.items("patches"):
        text = patch.text("patch")
        for inner in read_patch(text):
            found = [*_images(inner), *_operations(inner)]
            yield from (Problem(one.message, line=patch.line, hint=one.hint) for one in found)


def _operations(patch: Node) -> Iterable[Problem]:
    for operation in patch.items():
        if operation.text("path").endswith("/image"):
            yield from _image(operation.at("value"))


def _chart(document: Node) -> Iterator[Problem]:
    for one in document.items("dependencies"):
        version, repository = one.text("version"), one.text("repository")
        if not _EXACT.fullmatch(version):
            text = f"the chart {one.text('name')!r} has no exact version, but {version!r}"
            yield Problem(text, line=one.line_of("version"), hint="write one version")
        if repository:
            hint = "a release is rendered without network: write what it needs as templates"
            yield Problem(f"a chart comes from {repository!r}", line=one.line, hint=hint)


def _values(document: Node) -> Iterator[Problem]:
    for key, node in document.walk():
        text = node.text()
        if key == "image" and text and not _PINNED.fullmatch(text):
            yield Problem(f"the image {text!r} is not pinned", line=node.line, hint=_PIN)
        elif node.at("repository") is not None and node.text("tag"):
            line = node.line_of("tag")
            yield Problem("an image is named by a tag", line=line, hint="name it by digest")
