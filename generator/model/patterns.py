"""Regular expressions of label matchers: what we and Prometheus read alike, and no more.

One expression that Prometheus refuses makes it refuse every rule file, of all models. So the
expressions are parsed here: literals, `.`, classes, groups, alternatives and repetition. Matching
takes sets of positions, so no expression of a repository can make it slow.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 500
_DEEPEST = 20
_MOST = 1000  # RE2's own bound of a repetition, nested ones multiplied
_DIGITS = ((48, 57),)
_LETTERS = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACES = ((9, 10), (12, 13), (32, 32))
_CLASSES = {"d": _DIGITS, "w": _LETTERS, "s": _SPACES}
_CONTROLS = {"a": 7, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_QUOTED = {"\\": "\\", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r"}
_QUOTED |= {"t": "\t", "v": "\v"}
_LIKELY = string.ascii_lowercase + string.digits + "_-" + string.printable


@dataclass(frozen=True, slots=True)
class _One:
    ranges: tuple[tuple[int, int], ...]
    is_negated: bool = False

    def takes(self, char: str) -> bool:
        return any(low <= ord(char) <= high for low, high in self.ranges) != self.is_negated


@dataclass(frozen=True, slots=True)
class _Row:
    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Many:
    part: "_Node"
    least: int
    most: int | None


_Node = _One | _Row | _Choice | _Many


@dataclass(frozen=True, slots=True)
class Pattern:
    """An expression that has to match a whole label value."""

    _node: _Node

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read an expression.

        Raises:
            ValueError: More than Prometheus and we read alike, or nothing can match it.
        """
        if len(text) > LONGEST:
            raise ValueError(f"an expression of a matcher has at most {LONGEST} characters")
        node, end = _choice(text, 0, 0)
        if end < len(text):
            raise _refused(text, end)
        if _size(node) > _MOST:
            raise ValueError(f"{text!r} repeats more than {_MOST} times")
        return cls(node)

    def matches(self, value: str) -> bool:
        """Say whether it matches the whole value."""
        return len(value) in _ends(self._node, value, frozenset({0}))

    def example(self) -> str:
        """Give a text that it matches."""
        return _example(self._node)


def unquote(text: str) -> str:
    """Read what stands between double quotes in PromQL.

    Raises:
        ValueError: An escape that PromQL does not know, or a character that cannot be seen.
    """
    found, chars = [], iter(text)
    for char in chars:
        if not char.isprintable():
            raise ValueError(f"{text!r} holds a character that cannot be seen")
        if char == "\\":
            escape = next(chars, "")
            if escape not in _QUOTED:
                raise ValueError(f"PromQL knows no escape \\{escape}; write \\\\{escape}")
            char = _QUOTED[escape]
        found.append(char)
    return "".join(found)


def _refused(text: str, at: int) -> ValueError:
    return ValueError(
        f"{text!r}: cannot read {text[at : at + 10]!r} in an expression; write characters, "
        "[classes], (groups), | and repetition, and a backslash before a sign"
    )


# ------------------------------------------------------------------ reading


def _choice(text: str, at: int, depth: int) -> tuple[_Node, int]:
    parts = []
    while True:
        part, at = _row(text, at, depth)
        parts.append(part)
        if text[at : at + 1] != "|":
            return (parts[0] if len(parts) == 1 else _Choice(tuple(parts))), at
        at += 1


def _row(text: str, at: int, depth: int) -> tuple[_Node, int]:
    parts: list[_Node] = []
    while at < len(text) and text[at] not in "|)":
        if (text[at] == "^" and at == 0) or (text[at] == "$" and at == len(text) - 1):
            at += 1  # every expression is anchored anyway
            continue
        part, at = _atom(text, at, depth)
        part, at = _repeated(text, at, part)
        parts.append(part)
    return _Row(tuple(parts)), at


def _atom(text: str, at: int, depth: int) -> tuple[_Node, int]:
    match text[at]:
        case "(":
            start = at + 3 if text.startswith("(?:", at) else at + 1
            if depth == _DEEPEST:
                raise ValueError(f"{text!r} has more than {_DEEPEST} groups in each other")
            part, end = _choice(text, start, depth + 1)
            if text[end : end + 1] != ")":
                raise _refused(text, end)
            return part, end + 1
        case "[":
            return _class(text, at + 1)
        case ".":
            return _One((), is_negated=True), at + 1
        case "\\":
            ranges, negated, end = _escape(text, at + 1)
            return _One(ranges, negated), end
        case char if char in "*+?{}])^$":
            raise _refused(text, at)
        case char:
            return _One(((ord(char), ord(char)),)), at + 1


def _escape(text: str, at: int) -> tuple[tuple[tuple[int, int], ...], bool, int]:
    char = text[at : at + 1]
    if char.lower() in _CLASSES:
        return _CLASSES[char.lower()], char.isupper(), at + 1
    if char in _CONTROLS:
        return ((_CONTROLS[char], _CONTROLS[char]),), False, at + 1
    if char and char in string.punctuation:
        return ((ord(char), ord(char)),), False, at + 1
    raise _refused(text, at - 1)


def _class(text: str, at: int) -> tuple[_Node, int]:
    negated = text[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[int, int]] = []
    while text[at : at + 1] not in ("]", ""):
        low, at = _members(text, at)
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high, at = _members(text, at + 1)
            if len(low) > 1 or len(high) > 1 or low[0][0] > high[0][1]:
                raise _refused(text, at)
            low = ((low[0][0], high[0][1]),)
        ranges.extend(low)
    if not ranges or at >= len(text):
        raise _refused(text, min(at, len(text) - 1))
    return _One(tuple(ranges), negated), at + 1


def _members(text: str, at: int) -> tuple[tuple[tuple[int, int], ...], int]:
    if text[at] == "\\":
        ranges, negated, end = _escape(text, at + 1)
        if not negated:
            return ranges, end
    if text[at] in "[\\":
        raise _refused(text, at)
    return ((ord(text[at]), ord(text[at])),), at + 1


def _repeated(text: str, at: int, part: _Node) -> tuple[_Node, int]:
    sign = text[at : at + 1]
    if sign not in ("*", "+", "?", "{"):
        return part, at
    if sign == "{":
        body, closed, _ = text[at + 1 : at + 11].partition("}")
        low, comma, high = body.partition(",")
        if not closed or not low.isdecimal() or not (high.isdecimal() or not high):
            raise _refused(text, at)
        least, most = int(low), int(high) if high else None if comma else int(low)
        if most is not None and least > most:
            raise _refused(text, at)
        at += len(body) + 2
    else:
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        at += 1
    # A question mark behind it changes how Prometheus searches, not what it finds.
    return _Many(part, least, most), at + (text[at : at + 1] == "?")


# ------------------------------------------------------------------ what it means


def _size(node: _Node) -> int:
    match node:
        case _One():
            return 1
        case _Row(parts) | _Choice(parts):
            return sum(map(_size, parts))
        case _Many(part, least, most):
            return max(1, least, most or 0) * _size(part)


def _ends(node: _Node, value: str, starts: frozenset[int]) -> frozenset[int]:
    match node:
        case _One():
            return frozenset(i + 1 for i in starts if i < len(value) and node.takes(value[i]))
        case _Row(parts):
            for part in parts:
                starts = _ends(part, value, starts)
            return starts
        case _Choice(parts):
            return _union(_ends(part, value, starts) for part in parts)
        case _Many():
            return _repeat(node, value, starts)


def _repeat(node: _Many, value: str, starts: frozenset[int]) -> frozenset[int]:
    for _ in range(node.least):
        starts = _ends(node.part, value, starts)
    found, fresh, count = starts, starts, node.least
    while fresh and (node.most is None or count < node.most):
        fresh = _ends(node.part, value, fresh) - found
        found, count = found | fresh, count + 1
    return found


def _union(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets)


def _example(node: _Node) -> str:
    match node:
        case _One(ranges, _):
            candidates = (*_LIKELY, *(chr(low) for low, _ in ranges))
            found: str = next(char for char in candidates if node.takes(char))
            return found
        case _Row(parts):
            return "".join(map(_example, parts))
        case _Choice(parts):
            return _example(parts[0])
        case _Many(part, least, most):
            return _example(part) * (least if least or most == 0 else 1)
