"""The walk: resources, then components, then patches, labels and images, folder by folder."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from generator.build.kustomization import NAMES, Kustomization, Patch, read_kustomization
from generator.build.merge import merge
from generator.build.operations import Operation, apply, read_operation
from generator.build.transform import add_labels, is_target, order, set_images
from generator.build.values import (
    Object,
    OutsideSubsetError,
    Value,
    finished,
    read_json,
    rewritten,
    spelt,
    typed,
)
from generator.documents.nodes import Node, read_documents
from generator.errors import InputError
from generator.layout import RepoPath

MOST_FOLDERS = 200
MOST_NESTED = 16
MOST_OBJECTS = 2_000
MOST_BYTES = 16 * 1024 * 1024
_REMOTE = re.compile(r"://|^git@|^gh:|^(?:www\.)?git(?:hub|lab)\.com[/:]|[?&]ref=", re.IGNORECASE)
# Annotations that make Kustomize do something, and comments that tell it a schema.
_TOLD = ("config.kubernetes.io/", "internal.config.kubernetes.io/", "kustomize.config.k8s.io/")
_COMMENT = re.compile(rb"#\s*\{\s*\"")


def build(files: Mapping[RepoPath, bytes], folder: RepoPath) -> tuple[Object, ...]:
    """Render a folder as `kustomize build` does.

    Args:
        files: A tree, or the part of it that the folder needs.
        folder: Where the kustomization stands.

    Returns:
        The objects in the order in which Kustomize writes them.

    Raises:
        InputError: Kustomize would not build it either, or it is not bounded.
        OutsideSubsetError: It asks for what only real Kustomize does.
    """
    objects = _Kitchen(files).accumulate(folder, (), ())
    return tuple(finished(one) for one in order(objects))


class _Kitchen:
    """Builds one folder; every file is taken apart once."""

    def __init__(self, files: Mapping[RepoPath, bytes]) -> None:
        self._files = files
        self._folders = {parent for path in files for parent in _parents(path)}
        self._read: dict[RepoPath, tuple[Node, ...]] = {}
        self._bytes = 0
        self._built = 0

    def accumulate(
        self, folder: RepoPath, above: Sequence[Object], stack: tuple[RepoPath, ...]
    ) -> list[Object]:
        """Build a folder; a Component goes on with the objects of its parent."""
        one = self._open(folder, stack)
        stack = (*stack, folder)
        objects = list(above)
        for node in one.resources:
            for found in self._resource(one, folder, node, stack):
                _add(objects, found, one.file, node.line)
        for node in one.components:
            objects = self._component(one, folder, node, objects, stack)
        for patch in one.patches:
            objects = self._patch(one, folder, patch, objects)
        for labels in one.labels:
            objects = [add_labels(each, labels, one.file) for each in objects]
        for image in one.images:
            objects = [set_images(each, image, one.file) for each in objects]
        return objects

    def _open(self, folder: RepoPath, stack: tuple[RepoPath, ...]) -> Kustomization:
        self._built += 1
        if len(stack) >= MOST_NESTED or self._built > MOST_FOLDERS:
            raise InputError("too many folders in each other", file=folder)
        paths = [f"{folder}/{name}" for name in NAMES if f"{folder}/{name}" in self._files]
        if len(paths) != 1:
            text = "there is no kustomization.yaml" if not paths else "two kustomizations"
            raise InputError(text, file=folder)
        documents = self._documents(paths[0])
        if len(documents) != 1:
            raise InputError("a kustomization is one document", file=paths[0])
        return read_kustomization(paths[0], documents[0])

    def _documents(self, path: RepoPath) -> tuple[Node, ...]:
        if path not in self._read:
            data = self._files[path]
            self._bytes += len(data)
            if self._bytes > MOST_BYTES:
                raise InputError(f"needs more than {MOST_BYTES} bytes of files", file=path)
            if told := _COMMENT.search(data):
                line = data.count(b"\n", 0, told.start()) + 1
                raise OutsideSubsetError("a comment that tells a schema", file=path, line=line)
            self._read[path] = read_documents(path, data)
        return self._read[path]

    def _resource(
        self, one: Kustomization, folder: RepoPath, node: Node, stack: tuple[RepoPath, ...]
    ) -> Sequence[Object]:
        path = self._find(one, folder, node)
        if path in self._files:
            return [_object(path, document) for document in self._documents(path)]
        return self.accumulate(path, (), self._entered(one, path, node, stack, kind=False))

    def _component(
        self,
        one: Kustomization,
        folder: RepoPath,
        node: Node,
        objects: Sequence[Object],
        stack: tuple[RepoPath, ...],
    ) -> list[Object]:
        path = self._find(one, folder, node)
        if path in self._files:
            text = f"{node.text()!r} is no folder"
            raise InputError(text, file=one.file, line=node.line)
        return self.accumulate(path, objects, self._entered(one, path, node, stack, kind=True))

    def _entered(
        self,
        one: Kustomization,
        path: RepoPath,
        node: Node,
        stack: tuple[RepoPath, ...],
        *,
        kind: bool,
    ) -> tuple[RepoPath, ...]:
        if any(f"{each}/".startswith(f"{path}/") for each in stack):
            text = f"{node.text()!r} leads back to a folder that asks for it"
            raise InputError(text, file=one.file, line=node.line)
        if self._open(path, stack).is_component is not kind:
            text = f"{node.text()!r} is {'no' if kind else 'a'} Component"
            raise InputError(text, file=one.file, line=node.line)
        return stack

    def _find(self, one: Kustomization, folder: RepoPath, node: Node) -> RepoPath:
        """Find what a row names: a file below this folder, or a folder anywhere in the tree."""
        text = node.text()
        path = posixpath.normpath(posixpath.join(folder, text))
        if not text or text.startswith("/") or "\\" in text or path.split("/")[0] == "..":
            raise InputError(f"{text!r} leaves the tree", file=one.file, line=node.line)
        if path in self._files:
            if not path.startswith(f"{folder}/"):
                text = f"the file {text!r} lies outside of {folder}"
                raise InputError(text, file=one.file, line=node.line)
        elif path not in self._folders:
            if _REMOTE.search(text):
                raise OutsideSubsetError(f"{text!r} is remote", file=one.file, line=node.line)
            raise InputError(f"there is no {text!r}", file=one.file, line=node.line)
        return path

    def _patch(
        self, one: Kustomization, folder: RepoPath, patch: Patch, objects: list[Object]
    ) -> list[Object]:
        file, found = self._read_patch(one, folder, patch)
        if found and isinstance(found[0], Operation):
            if patch.target is None:
                raise InputError("a JSON patch without target", file=one.file, line=patch.line)
            chosen = patch.target
            return [
                _plain(apply(each, found, file, patch.line), file, patch.line)
                if is_target(each, chosen)
                else each
                for each in objects
            ]
        for change in found:
            objects = self._merge(one, patch, change, objects, file)
        return objects

    def _merge(
        self, one: Kustomization, patch: Patch, change: Object, objects: list[Object], file: str
    ) -> list[Object]:
        if patch.target is None:
            wanted = [each for each in objects if _identity(each) == _identity(change)]
            if not wanted:
                text = f"no object is {change['kind']} {change['metadata']['name']}"
                raise InputError(text, file=one.file, line=patch.line)
        else:
            wanted = [each for each in objects if is_target(each, patch.target)]
        return [
            _plain(merge(each, change, file, None), file, None)
            if any(each is one for one in wanted)
            else each
            for each in objects
        ]

    def _read_patch(
        self, one: Kustomization, folder: RepoPath, patch: Patch
    ) -> tuple[RepoPath, Sequence[Value]]:
        """Read a patch as operations, or as objects."""
        file, text = one.file, patch.text
        if patch.path:
            file = self._find(one, folder, Node(patch.line, patch.path))
            if file not in self._files:
                raise InputError(f"{patch.path!r} is no file", file=one.file, line=patch.line)
            text = self._files[file].decode("utf-8", "replace")
        line = None if patch.path else patch.line
        if text.startswith("["):
            rows = rewritten(read_json(file, line or 1, text))
        else:
            nodes = self._documents(file) if patch.path else _inline(file, patch)
            rows = [spelt(typed(file, node)) for node in nodes]
            if len(rows) == 1 and isinstance(rows[0], list):
                (rows,) = rows
            else:
                return file, [_identified(row, file, line) for row in _some(rows, file, line)]
        return file, [read_operation(row, file, line) for row in _some(rows, file, line)]


def _inline(file: RepoPath, patch: Patch) -> tuple[Node, ...]:
    try:
        return read_documents(file, patch.text.encode("utf-8", "surrogatepass"))
    except InputError as error:
        text = f"the patch: {error.problems[0].message}"
        raise InputError(text, file=file, line=patch.line) from error


def _some(rows: Sequence[Value], file: RepoPath, line: int | None) -> Sequence[Value]:
    if not rows:
        raise OutsideSubsetError("an empty patch", file=file, line=line)
    return rows


def _object(file: RepoPath, document: Node) -> Object:
    found = _identified(typed(file, document), file, document.line)
    if found["kind"].endswith("List"):
        raise OutsideSubsetError(f"a {found['kind']}", file=file, line=document.line)
    return _plain(found, file, document.line)


def _identified(value: Value, file: RepoPath, line: int | None) -> Object:
    """Check what makes an object one."""
    if isinstance(value, dict) and isinstance(value.get("metadata"), dict):
        words = (value.get("apiVersion"), value.get("kind"), value["metadata"].get("name"))
        if all(isinstance(word, str) and word for word in words):
            return value
    raise InputError("no object: apiVersion, kind, metadata.name", file=file, line=line)


def _plain(one: Object, file: RepoPath, line: int | None) -> Object:
    """Give an object back whose metadata mean nothing to Kustomize.

    Raises:
        OutsideSubsetError: They do.
    """
    if "namespace" in one["metadata"]:
        raise OutsideSubsetError("an object with a namespace", file=file, line=line)
    for key in ("labels", "annotations"):
        words = one["metadata"].get(key, {"": ""})
        if not isinstance(words, dict) or not words:
            raise OutsideSubsetError(f"{key} that are no mapping, or empty", file=file, line=line)
        if not all(isinstance(word, str) for word in words.values()):
            raise OutsideSubsetError(f"{key} that are not all text", file=file, line=line)
        if any(name.startswith(_TOLD) for name in words):
            raise OutsideSubsetError(f"{key} that speak to Kustomize", file=file, line=line)
    return one


def _identity(one: Object) -> tuple[str, str, str]:
    return one["apiVersion"], one["kind"], one["metadata"]["name"]


def _add(objects: list[Object], found: Object, file: RepoPath, line: int) -> None:
    if len(objects) >= MOST_OBJECTS:
        raise InputError(f"more than {MOST_OBJECTS} objects", file=file, line=line)
    if any(_identity(one) == _identity(found) for one in objects):
        _, kind, name = _identity(found)
        raise InputError(f"{kind} {name} is there twice", file=file, line=line)
    objects.append(found)


def _parents(path: RepoPath) -> Iterator[RepoPath]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
