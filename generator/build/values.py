"""YAML nodes as the values that Kustomize, a Go program, reads from them."""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from generator.documents.nodes import Node
from generator.errors import InputError

Value = Any  # Mapping[str, Value] | list[Value] | str | int | float | bool | None | Blank
Object = dict[str, Value]

MOST_INT = 2**53  # above it Kustomize loses digits, in some places and not in others
MOST_DEPTH = 64
_WORDS: Mapping[str, Value] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL")),
}
_INT = re.compile(r"0|-?[1-9][0-9]{0,16}", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,6}", re.ASCII)
# What one of the two YAML libraries inside Kustomize may take for something else than text.
_DOUBTFUL = re.compile(
    r"y|n|yes|no|on|off|<<|=|[-+]?\.(?:inf|nan)"
    r"|[-+]?(?=[_.]*[0-9])[0-9_]*\.?[0-9_]*(?:e[-+]?[0-9_]+)?"
    r"|[-+]?0[xob][0-9a-f_.]*"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\s].*)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-9_]+)+(?:\.[0-9_]*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)


_STRANGE = frozenset("\x85\u2028\u2029\ufeff")


class OutsideSubsetError(InputError):
    """Only real Kustomize can render this; that alone is no fault of it."""

    def __init__(
        self, what: str, *, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        """Say what it is, and where."""
        super().__init__(f"needs real kustomize: {what}", file=file, line=line, hint=hint or None)


class Blank:
    """A key without anything behind it: null, but a merge forgets it."""

    def __deepcopy__(self, memo: object) -> "Blank":
        """There is one."""
        return self


BLANK = Blank()


class Quoted(str):
    """Text in quotes or in a block: a patch that is merged into it stays text."""

    __slots__ = ()


class Rewritten(str):
    """Text that Kustomize itself wrote, with quotes or without, who knows."""

    __slots__ = ()


def is_null(value: Value) -> bool:
    """Say whether a value is null, written out or not."""
    return value is None or value is BLANK


def typed(file: str, node: Node) -> Value:
    """Give the value of a node.

    Raises:
        OutsideSubsetError: A scalar that two YAML readers take for two things.
    """
    match node.value:
        case str() as text:
            check_text(file, node.line, text)
            return _scalar(file, node.line, text) if node.is_plain else Quoted(text)
        case tuple() as items:
            return [typed(file, one) for one in items]
        case entries:
            for key in entries:
                _check_key(file, node.line, key)
            return {key: typed(file, one) for key, one in entries.items()}


def check_text(file: str, line: int | None, text: str) -> None:
    """Refuse what Kustomize would write as a line end that only some readers take for one.

    Raises:
        OutsideSubsetError: It would.
    """
    if not _STRANGE.isdisjoint(text):
        raise OutsideSubsetError("a line end that is not LF, in a text", file=file, line=line)


def _scalar(file: str, line: int, text: str) -> Value:
    if not text:
        return BLANK
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and abs(int(text)) <= MOST_INT:
        return int(text)
    if _FLOAT.fullmatch(text):
        return number(float(text))
    if _DOUBTFUL.fullmatch(text):
        raise OutsideSubsetError(
            f"{text[:80]!r} is no plain text to every reader", file=file, line=line
        )
    return text


def _check_key(file: str, line: int, key: str) -> None:
    # The reader does not tell a quoted key from a plain one.
    if not key or key in _WORDS or _DOUBTFUL.fullmatch(key):
        raise OutsideSubsetError(
            f"the key {key[:80]!r} is no text to every reader", file=file, line=line
        )


def number(value: float) -> int | float:
    """Give a number as JSON would bring it back: a whole one is an integer."""
    return int(value) if value.is_integer() else value


def read_json(file: str, line: int, text: str) -> Value:
    """Read JSON as Kustomize does.

    Raises:
        InputError: It is not JSON.
        OutsideSubsetError: A number that Kustomize would change.
    """

    def refuse(word: str) -> Value:
        raise OutsideSubsetError(f"the number {word[:40]}", file=file, line=line)

    def whole(word: str) -> Value:
        return int(word) if _INT.fullmatch(word) and abs(int(word)) <= MOST_INT else refuse(word)

    def real(word: str) -> Value:
        return number(float(word)) if _FLOAT.fullmatch(word) else refuse(word)

    try:
        return json.loads(text, parse_int=whole, parse_float=real, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON", file=file, line=line) from error


def spelt(value: Value) -> Value:
    """Give a value of its own, with every null written out."""
    if isinstance(value, dict):
        return {key: spelt(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spelt(one) for one in value]
    return None if value is BLANK else value


def finished(value: Value) -> Value:
    """Give a value as plain JSON."""
    if isinstance(value, dict):
        return {key: finished(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finished(one) for one in value]
    if isinstance(value, str):
        return str(value)
    return None if value is BLANK else value


def rewritten(value: Value) -> Value:
    """Give a value as it is after it was JSON for a while."""
    if isinstance(value, dict):
        return {key: rewritten(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rewritten(one) for one in value]
    if isinstance(value, str):
        return Rewritten(value)
    return None if value is BLANK else value


def copied(value: Value) -> Value:
    """Give the same value, to be changed elsewhere."""
    return copy.deepcopy(value)
