"""YAML of any schema as located values: bounded, never recursive, no anchors, no twin keys.

Manifests belong to people, so nothing is known about their keys; what is
asked is the text at a path and the line it stands on. The documents are built from the event
stream, because composing nodes recurses with the depth of a foreign file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from generator.errors import InputError

MOST_BYTES = 4 * 1024 * 1024
MOST_DEPTH = 64
# YAML 1.1 ends a line, and so a comment, where YAML 1.2 and a reviewer see none.
_STRANGE = {
    "\ufeff": "a byte order mark",
    "\r": "CRLF line ends",
    "\x85": "a line end that is not LF",
    "\u2028": "a line end that is not LF",
    "\u2029": "a line end that is not LF",
}
_TRUE = frozenset({"true", "yes", "on", "y"})
Key = str | int


@dataclass(frozen=True, slots=True)
class Node:
    """One value.

    Attributes:
        line: Line of its key or of itself, from 1.
        value: Text, items, or entries.
        is_plain: A scalar without quotes.
    """

    line: int
    value: "str | tuple[Node, ...] | Mapping[str, Node]"
    is_plain: bool = False

    def at(self, *path: Key) -> "Node | None":
        """Find the value below keys and places; None where there is none."""
        found: Node | None = self
        for step in path:
            found = found._step(step) if found is not None else None
        return found

    def _step(self, step: Key) -> "Node | None":
        match self.value, step:
            case Mapping(), str():
                return self.value.get(step)
            case tuple(), int():
                return self.value[step] if step < len(self.value) else None
            case _:
                return None

    def text(self, *path: Key) -> str:
        """Give the text of the scalar at a path, "" where there is none."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, str) else ""

    def items(self, *path: Key) -> "tuple[Node, ...]":
        """Give the items of the list at a path, none where there is no list."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, tuple) else ()

    def entries(self, *path: Key) -> "Mapping[str, Node]":
        """Give the entries of the mapping at a path, none where there is no mapping."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, Mapping) else {}

    def texts(self, *path: Key) -> tuple[str, ...]:
        """Give the scalars of the list at a path."""
        return tuple(one.text() for one in self.items(*path))

    def line_of(self, *path: Key) -> int:
        """Give the line of the value at a path, or of the nearest one above it."""
        while path and self.at(*path) is None:
            path = path[:-1]
        found = self.at(*path)
        return found.line if found is not None else self.line

    @property
    def is_true(self) -> bool:
        """Say whether a YAML 1.1 reader, such as Kubernetes, takes it for true."""
        return isinstance(self.value, str) and self.value.lower() in _TRUE

    def walk(self, key: str = "") -> "Iterator[tuple[str, Node]]":
        """Give every value below with the key above it, in the order of the file."""
        yield key, self
        if isinstance(self.value, Mapping):
            for name, node in self.value.items():
                yield from node.walk(name)
        elif isinstance(self.value, tuple):
            for node in self.value:
                yield from node.walk(key)


def read_documents(file: str, data: bytes) -> tuple[Node, ...]:
    """Read every document of a file; empty ones are left out.

    Args:
        file: Path for messages.
        data: The whole file.

    Raises:
        InputError: It cannot be read, or two readers could read it differently.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(_decode(file, data), Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML: {error.problem}", file=file, line=line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError("not YAML", file=file) from error
    return tuple(one for one in builder.found if one.value != "" or not one.is_plain)


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
            raise InputError(f"holds {name}", file=file, line=line, hint="use UTF-8 and LF")
    return text


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still open."""

    line: int
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    key: Node | None = None


class _Builder:
    """Puts events together."""

    def __init__(self, file: str) -> None:
        self.found: list[Node] = []
        self._file = file
        self._open: list[_Frame] = []

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                self._refuse(event, "anchors and aliases are not allowed")
            case yaml.ScalarEvent():
                self._check_event(event)
                is_plain = not event.style
                self._put(Node(self._line(event), event.value, is_plain))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_event(event)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._push(event, _Frame(self._line(event), is_mapping))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._open.pop()
                value = frame.entries if frame.is_mapping else tuple(frame.items)
                self._put(Node(frame.line, value))
            case _:
                pass  # the start and the end of a stream or document

    def _push(self, event: yaml.Event, frame: _Frame) -> None:
        if self._open and self._open[-1].is_mapping and self._open[-1].key is None:
            self._refuse(event, "a key must be a plain word")
        if len(self._open) >= MOST_DEPTH:
            self._refuse(event, "nested too deeply")
        self._open.append(frame)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.found.append(node)
            return
        frame = self._open[-1]
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = node
            self._check_twin(frame, node)
        else:
            frame.entries[str(frame.key.value)] = node
            frame.key = None

    def _check_twin(self, frame: _Frame, key: Node) -> None:
        if key.value in frame.entries:
            text = f"the key {key.value!r} stands here twice"
            raise InputError(text, file=self._file, line=key.line)

    def _line(self, event: yaml.Event) -> int:
        key = self._open[-1].key if self._open else None
        return key.line if key is not None else _line_of(event)

    def _check_event(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, "anchors and aliases are not allowed")
        if event.tag is not None:
            self._refuse(event, "tags are not allowed")

    def _refuse(self, event: yaml.Event, text: str) -> None:
        raise InputError(text, file=self._file, line=_line_of(event))


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1
