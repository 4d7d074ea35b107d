"""A kustomization file: the keys that are understood here, each in the one form it is used in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from generator.build.values import OutsideSubsetError, check_text
from generator.documents.nodes import Node
from generator.errors import InputError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_GROUP = "kustomize.config.k8s.io"
_VERSIONS = {"Kustomization": f"{_GROUP}/v1beta1", "Component": f"{_GROUP}/v1alpha1"}
_KEYS = (
    "apiVersion", "kind", "metadata", "resources", "components", "labels", "images", "patches",
)  # fmt: skip
# Kustomize takes these for regular expressions, in which a dot is any character.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels for every object, and for the pods it makes."""

    pairs: Mapping[str, str]
    in_templates: bool


@dataclass(frozen=True, slots=True)
class Image:
    """What stands in the place of an image."""

    name: str
    new_name: str
    new_tag: str
    digest: str


@dataclass(frozen=True, slots=True)
class Target:
    """Which objects a patch is for; "" is any."""

    group: str
    version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that is not read yet.

    Attributes:
        path: The file it stands in, or "".
        text: Itself, where it stands in the kustomization.
        target: None: the object that it names.
        line: Of its row.
    """

    path: str
    text: str
    target: Target | None
    line: int


@dataclass(frozen=True, slots=True)
class Kustomization:
    """What one folder asks for."""

    file: str
    is_component: bool
    resources: tuple[Node, ...]
    components: tuple[Node, ...]
    labels: tuple[Labels, ...]
    images: tuple[Image, ...]
    patches: tuple[Patch, ...]


def read_kustomization(file: str, document: Node) -> Kustomization:
    """Read one document.

    Raises:
        InputError: It is not a kustomization.
        OutsideSubsetError: It asks for what only real Kustomize does.
    """
    reader = _Reader(file)
    top = reader.row(document, _KEYS)
    kind = reader.word(top, "kind") or "Kustomization"
    version = reader.word(top, "apiVersion") or _VERSIONS.get(kind, "")
    if version != _VERSIONS.get(kind):
        raise InputError(f"{kind} {version} is no kustomization", file=file, line=document.line)
    found = Kustomization(
        file,
        kind == "Component",
        reader.rows(top, "resources"),
        reader.rows(top, "components"),
        tuple(reader.labels(one) for one in reader.rows(top, "labels")),
        tuple(reader.image(one) for one in reader.rows(top, "images")),
        tuple(reader.patch(one) for one in reader.rows(top, "patches")),
    )
    if not any((found.resources, found.components, found.labels, found.images, found.patches)):
        raise InputError("the kustomization is empty", file=file, line=document.line)
    return found


class _Reader:
    """Reads the rows of one file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _refuse(self, what: str, line: int) -> OutsideSubsetError:
        return OutsideSubsetError(what, file=self._file, line=line)

    def row(self, node: Node, keys: tuple[str, ...]) -> Node:
        if not isinstance(node.value, Mapping):
            raise InputError("must be a mapping", file=self._file, line=node.line)
        for key, one in node.value.items():
            if key not in keys:
                raise self._refuse(f"the key {key[:80]!r}", one.line)
        return node

    def rows(self, node: Node, key: str) -> tuple[Node, ...]:
        found = node.at(key)
        if found is None:
            return ()
        if not isinstance(found.value, tuple):
            raise self._refuse(f"{key} that are no list", found.line)
        return found.value

    def word(self, node: Node, key: str) -> str:
        found = node.at(key)
        if found is None:
            return ""
        if not isinstance(found.value, str) or (found.is_plain and not _is_text(found.value)):
            raise self._refuse(f"{key} that is no text", found.line)
        check_text(self._file, found.line, found.value)
        return found.value

    def pattern(self, node: Node, key: str, form: "re.Pattern[str]") -> str:
        found = self.word(node, key)
        if found and not form.fullmatch(found):
            raise self._refuse(f"{key} {found[:80]!r}", node.line_of(key))
        return found

    def labels(self, node: Node) -> Labels:
        self.row(node, ("pairs", "includeSelectors", "includeTemplates"))
        flags = {}
        for key in ("includeSelectors", "includeTemplates"):
            one = node.at(key)
            if one is not None and (not one.is_plain or one.value not in ("true", "false")):
                raise self._refuse(f"{key} that is neither true nor false", one.line)
            flags[key] = one is not None and one.value == "true"
        if flags["includeSelectors"]:
            raise self._refuse("includeSelectors", node.line_of("includeSelectors"))
        pairs = node.at("pairs")
        if pairs is None or not isinstance(pairs.value, Mapping):
            raise self._refuse("labels without pairs", node.line)
        names = {key: self.word(pairs, key) for key in pairs.value}
        return Labels(names, flags["includeTemplates"])

    def image(self, node: Node) -> Image:
        self.row(node, ("name", "newName", "newTag", "digest"))
        name = self.pattern(node, "name", _NAME)
        words = (self.word(node, key) for key in ("newName", "newTag", "digest"))
        found = Image(name, *words)
        if not name:
            raise self._refuse("an image without a name", node.line)
        return found

    def patch(self, node: Node) -> Patch:
        self.row(node, ("path", "patch", "target"))
        path, text = self.word(node, "path"), self.word(node, "patch").strip()
        if bool(path) == bool(text):
            raise InputError("name one of path and patch", file=self._file, line=node.line)
        target = node.at("target")
        if target is None:
            return Patch(path, text, None, node.line)
        self.row(target, ("group", "version", "kind", "name"))
        words = (self.pattern(target, key, _WORD) for key in ("group", "version", "kind", "name"))
        return Patch(path, text, Target(*words), node.line)


def _is_text(text: str) -> bool:
    """Say whether every reader takes a plain scalar for text."""
    return bool(text) and not text[0].isdigit() and text.lower() not in _WORDS_OF_1_1


_WORDS_OF_1_1 = ("~", "null", "true", "false", "y", "n", "yes", "no", "on", "off")
