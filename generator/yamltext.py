"""YAML as text: one canonical writer for the machine, one splice for what people own.

The writer quotes every string, so that no reader of YAML 1.1 or 1.2 and no Go parser can take
a version for a number. The splice changes the bytes of one scalar and proves, by reading the
result again, that nothing else changed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_VERBATIM = re.compile(r"[ !#-\[\]-~]*")  # printable ASCII without quotes and backslashes
_WORDS_OF_1_1 = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
Scalar = str | int | bool
Value = Any  # Mapping[str, Value] | Sequence[Value] | Scalar; mypy has no recursive JSON type


class Row(dict[str, Value]):
    """A mapping that the writer puts on one line, so that one row is one line of a diff."""


def quote(text: str) -> str:
    """Write a string as a double-quoted scalar that YAML 1.1, YAML 1.2 and Go read alike."""
    if _VERBATIM.fullmatch(text):
        return f'"{text}"'
    return f'"{"".join(_escape(char) for char in text)}"'


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\U{code:08x}"


def dump(value: Value) -> bytes:
    """Write a document in block style: keys in the order given, strings quoted, one newline.

    Raises:
        TypeError: A value is neither mapping, sequence, string, int nor bool.
    """
    return ("\n".join(_block(value, 0)) + "\n").encode("ascii")


def _block(value: Value, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, Row) or not _is_nested(value):
        return [pad + _inline(value)]
    if isinstance(value, Mapping):
        return [line for key, one in value.items() for line in _entry(pad, _key(key), one, depth)]
    return [line for one in value for line in _item(pad, one, depth)]


def _entry(pad: str, key: str, value: Value, depth: int) -> list[str]:
    if isinstance(value, Row) or not _is_nested(value):
        return [f"{pad}{key}: {_inline(value)}"]
    inner = depth + 1 if isinstance(value, Mapping) else depth
    return [f"{pad}{key}:", *_block(value, inner)]


def _item(pad: str, value: Value, depth: int) -> list[str]:
    first, *rest = _block(value, depth + 1)
    return [f"{pad}- {first[len(pad) + 2 :]}", *rest]


def _is_nested(value: Value) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)


def _inline(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return quote(value)
        case Mapping():
            inner = ", ".join(f"{_key(key)}: {_inline(one)}" for key, one in value.items())
            return f"{{{inner}}}"
        case Sequence():
            return f"[{', '.join(_inline(one) for one in value)}]"
        case _:
            raise TypeError(f"the canonical writer does not write {type(value).__name__}")


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS_OF_1_1
    return key if plain else quote(key)


def set_scalar(text: str, key: str, scalar: str, *, before: str = "", after: str = "") -> str:
    """Set a top-level key of a block mapping to a scalar, leaving all other bytes alone.

    Args:
        text: A document that a person owns.
        key: Plain top-level key.
        scalar: The new value as YAML text.
        before: Where the key is absent, put it on a line above this key,
        after: or on a line below this one; with neither it goes to the end.

    Raises:
        ValueError: The document is not a block mapping, or the value is not a scalar.
    """
    entries = _top(text)
    if key in entries:
        start, end = _span(entries[key][1])
        result = text[:start] + scalar + text[end:]
    else:
        place = _place(text, entries, before, after)
        head = text[:place] if text[:place].endswith("\n") or not place else f"{text[:place]}\n"
        result = f"{head}{key}: {scalar}\n{text[place:]}"
    _prove(text, result, key, _load(scalar))
    return result


def delete_key(text: str, key: str) -> str:
    """Delete the line of a top-level scalar; a text without it comes back as it is.

    Raises:
        ValueError: The document is not a block mapping, or the value is not a scalar.
    """
    entries = _top(text)
    if key not in entries:
        return text
    name, value = entries[key]
    _span(value)
    start = text.rfind("\n", 0, name.start_mark.index) + 1
    stop = text.find("\n", value.end_mark.index) + 1 or len(text)
    result = text[:start] + text[stop:]
    _prove(text, result, key, None)
    return result


def _top(text: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError("the document is not YAML") from error
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise ValueError("the document is not a block mapping")
    return {name.value: (name, value) for name, value in root.value}


def _span(node: yaml.Node) -> tuple[int, int]:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise ValueError("the value is not a plain or quoted scalar")
    return node.start_mark.index, node.end_mark.index


def _place(
    text: str, entries: Mapping[str, tuple[yaml.Node, yaml.Node]], before: str, after: str
) -> int:
    if before in entries:
        return text.rfind("\n", 0, entries[before][0].start_mark.index) + 1
    if after in entries:
        return text.find("\n", len(text[: end_of(entries[after][1])].rstrip())) + 1 or len(text)
    return len(text)


def end_of(node: yaml.Node) -> int:
    """Give the index behind the last character of a node."""
    # A block collection "ends" where the next token begins, behind the comments in between.
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _prove(old: str, new: str, key: str, value: object) -> None:
    expected = _load(old)
    expected.pop(key, None)
    if value is not None:
        expected[key] = value
    if _load(new) != expected:
        raise ValueError(f"setting {key!r} would change more than that; edit the file by hand")


def _load(text: str) -> Any:  # noqa: ANN401 (whatever a person wrote)
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError("with this value the document would not be YAML") from error
