"""Read one YAML document of a closed schema, gathering every problem with its line.

Foreign bytes are bounded before they are walked: size, depth, no anchors, no duplicate keys,
no tabs, one document. Text is taken as it is written, never as YAML 1.1 would resolve it, and
whatever two readers could take for something else must be quoted.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import yaml

from generator.errors import InputError, Problem

T = TypeVar("T")
MOST_BYTES = 4 * 1024 * 1024
MOST_DEPTH = 20
_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:@+%-]*|[0-9]{1,6}(?:ms|s|m|h|d)", re.ASCII)
# YAML 1.1 ends a line, and so a comment, where YAML 1.2 and a reviewer see none.
_STRANGE = {
    "\ufeff": "a byte order mark",
    "\r": "CRLF line ends",
    "\t": "a tab",
    "\x85": "a line end that is not LF",
    "\u2028": "a line end that is not LF",
    "\u2029": "a line end that is not LF",
}
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?", re.ASCII)


class Document:
    """The problems of one file, and its root."""

    def __init__(self, file: str, data: bytes) -> None:
        """Compose the document.

        Args:
            file: Path for messages.
            data: The whole file.

        Raises:
            InputError: It cannot be read at all.
        """
        self.file = file
        self.text = _decode(file, data)
        self.problems, self.root = _compose(file, self.text)
        self._check(self.root, set())

    def report(self, node: yaml.Node | None, message: str, hint: str | None = None) -> None:
        """Note a problem at a node."""
        line = node.start_mark.line + 1 if node is not None else None
        self.problems.append(Problem(message, self.file, line, hint))

    def finish(self, build: Callable[[], T]) -> T:
        """Build the value when nothing was wrong.

        Raises:
            InputError: All problems found, or the one the value itself has.
        """
        if self.problems:
            ordered = sorted(self.problems, key=lambda one: (one.line or 0, one.message))
            raise InputError.many(ordered)
        try:
            return build()
        except ValueError as error:
            raise InputError(str(error), file=self.file) from error

    def top(self, kind: str) -> "Fields":
        """Open the root as a mapping of this kind."""
        fields = Fields(self, self.root)
        fields.constant("apiVersion", "tidegate.dev/v1alpha1")
        fields.constant("kind", kind)
        return fields

    def _check(self, node: yaml.Node, seen: set[int]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                self._check(child, seen)
        elif isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            for _, child in node.value:
                self._check(child, seen)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        names: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.report(key, "a key must be a plain word")
            elif key.value in names:
                self.report(key, f"the key {key.value!r} stands here twice")
            else:
                names.add(key.value)


class Fields:
    """The keys of one mapping; reading them all closes the schema."""

    def __init__(self, document: Document, node: yaml.Node | None) -> None:
        """Open a node that should be a mapping."""
        self._document = document
        self._node = node
        self._known: list[str] = []
        self._nodes: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value]
            self._nodes = {str(key.value): (key, value) for key, value in pairs}
        elif node is not None:
            document.report(node, "expected a mapping of keys to values")

    def constant(self, name: str, expected: str) -> None:
        """Demand one value."""
        node = self._take(name, required=True)
        if node is not None and _raw(node) != expected:
            self._document.report(node, f"{name} must be {expected!r}")

    def value(
        self, name: str, parse: Callable[[str], T], default: T, *, required: bool = False
    ) -> T:
        """Read one scalar of text, refusing what two readers could read differently."""
        node = self._take(name, required=required)
        if node is None:
            return default
        return self.scalar(node, parse, default, name)

    def number(
        self, name: str, parse: Callable[[str], T], default: T, *, required: bool = False
    ) -> T:
        """Read one unquoted number by its text."""
        node = self._take(name, required=required)
        if node is None:
            return default
        return self.plain_number(node, parse, default, name)

    def texts(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Read a list of scalars."""
        return tuple(
            one
            for node in self.items(name)
            if (one := self.scalar(node, parse, None, name)) is not None
        )

    def numbers(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Read a list of unquoted numbers."""
        return tuple(
            one
            for node in self.items(name)
            if (one := self.plain_number(node, parse, None, name)) is not None
        )

    def items(self, name: str) -> Sequence[yaml.Node]:
        """Open a list; empty where it is absent."""
        node = self._take(name, required=False)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self._document.report(node, f"{name} must be a list")
            return ()
        return tuple(node.value)

    def mappings(self, name: str) -> Iterator["Fields"]:
        """Open a list of mappings; each must be closed by its reader."""
        for node in self.items(name):
            yield Fields(self._document, node)

    def mapping(self, name: str, *, required: bool = False) -> "Fields":
        """Open an inner mapping; an absent one reads as empty."""
        return Fields(self._document, self._take(name, required=required))

    def entries(self, name: str) -> Iterator[tuple[str, yaml.Node]]:
        """Walk an inner mapping with free keys."""
        node = self._take(name, required=False)
        if isinstance(node, yaml.MappingNode):
            yield from ((str(key.value), value) for key, value in node.value)
        elif node is not None:
            self._document.report(node, f"{name} must be a mapping")

    def rest(self, *known: str) -> Iterator[tuple[str, yaml.Node]]:
        """Walk the keys that are not named, as further columns."""
        self._known.extend(known)
        for name, (_, value) in self._nodes.items():
            if name not in self._known:
                yield name, value

    def has(self, name: str) -> bool:
        """Say whether a key is there, without reading it."""
        return name in self._nodes

    def is_mapping(self, name: str) -> bool:
        """Say whether a key is there and holds a mapping, without reading it."""
        return name in self._nodes and isinstance(self._nodes[name][1], yaml.MappingNode)

    def line(self, name: str | None = None) -> int | None:
        """Give the line of a key, or of the mapping."""
        node = self._nodes[name][0] if name in self._nodes else self._node
        return node.start_mark.line + 1 if node is not None else None

    def report(self, message: str, name: str | None = None, hint: str | None = None) -> None:
        """Note a problem at a key, or at the mapping."""
        node = self._nodes[name][1] if name in self._nodes else self._node
        self._document.report(node, message, hint)

    def close(self) -> None:
        """Refuse every key that was not read, naming the nearest known one."""
        for name, (key, _) in self._nodes.items():
            if name not in self._known:
                near = difflib.get_close_matches(name, self._known, 1)
                known = ", ".join(sorted(set(self._known)))
                hint = f"did you mean {near[0]!r}?" if near else f"known keys: {known}"
                self._document.report(key, f"unknown key {name!r}", hint)

    def scalar(self, node: yaml.Node, parse: Callable[[str], T], default: T, name: str) -> T:
        """Parse one scalar node as text."""
        if not isinstance(node, yaml.ScalarNode):
            self._document.report(node, f"{name} must be one value")
            return default
        if not node.style and not _is_bare(node.value):
            self._document.report(
                node, f"{name}: {node.value!r} reads differently in different tools", "quote it"
            )
            return default
        return self._parse(node, parse, default, name)

    def plain_number(self, node: yaml.Node, parse: Callable[[str], T], default: T, name: str) -> T:
        """Parse one scalar node as a number, from its text."""
        if not isinstance(node, yaml.ScalarNode) or node.style:
            self._document.report(node, f"{name} must be a number without quotes")
            return default
        return self._parse(node, parse, default, name)

    def _parse(self, node: yaml.Node, parse: Callable[[str], T], default: T, name: str) -> T:
        try:
            return parse(str(node.value))
        except ValueError as error:
            self._document.report(node, f"{name}: {error}")
            return default

    def _take(self, name: str, *, required: bool) -> yaml.Node | None:
        self._known.append(name)
        if name in self._nodes:
            return self._nodes[name][1]
        if required and isinstance(self._node, yaml.MappingNode):
            self._document.report(self._node, f"the key {name!r} is missing")
        return None


def whole(text: str) -> int:
    """Read a whole number.

    Raises:
        ValueError: Anything else.
    """
    if not re.fullmatch(r"0|[1-9][0-9]{0,14}", text, re.ASCII):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def decimal(text: str) -> str:
    """Check a plain decimal number and give its text back.

    Raises:
        ValueError: Signs, exponents, underscores, leading zeros, nan and the like.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a plain decimal number")
    return text


def _is_bare(text: str) -> bool:
    return bool(_BARE.fullmatch(text)) and text.lower() not in _WORDS


def _raw(node: yaml.Node) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _decode(file: str, data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise InputError(f"larger than {MOST_BYTES} bytes", file=file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8", file=file, line=line) from error
    for char, name in _STRANGE.items():
        if char in text:
            line = text.count("\n", 0, text.index(char)) + 1
            raise InputError(f"holds {name}", file=file, line=line, hint="use LF and spaces")
    return text


def _compose(file: str, text: str) -> tuple[list[Problem], yaml.Node]:
    try:
        problems = list(_foreign(file, text))
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML: {error.problem}", file=file, line=line) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError("not YAML", file=file) from error
    if root is None:
        raise InputError("the file is empty", file=file)
    return problems, root


def _foreign(file: str, text: str) -> Iterator[Problem]:
    """Find what no file needs; the composer calls itself and would end the process when deep."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else None
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise InputError("nested too deeply", file=file, line=line)
        if getattr(event, "anchor", None):
            yield Problem("anchors and aliases are not allowed", file, line)
        if getattr(event, "tag", None):
            yield Problem("tags are not allowed", file, line)
