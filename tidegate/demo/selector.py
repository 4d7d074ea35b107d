"""The part of PromQL that the demo's metrics API understands: one plain selector."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*
        ("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*""",
    re.ASCII | re.VERBOSE,
)
_SPAN = re.compile(r"\[\s*([0-9a-z]+)\s*\]", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_MOST = 4_000

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Tests of labels, all of which hold, and the length of a range in seconds, or None."""

    tests: tuple[tuple[str, Test], ...]
    span_s: int | None = None

    def accepts(self, labels: Mapping[str, str], names: frozenset[str] | None = None) -> bool:
        """Say whether the tests hold; a label that is absent is "".

        Args:
            labels: What is known.
            names: Look at the tests of these labels only.
        """
        return all(
            test(labels.get(label, ""))
            for label, test in self.tests
            if names is None or label in names
        )


def parse(text: str) -> Selector:
    """Read `name{label="value"}`, perhaps with a range such as `[5m]`.

    Raises:
        ValueError: It is more than that, or not PromQL.
    """
    if len(text) > _MOST:
        raise ValueError("parse error: the query is too long")
    rest, tests = text.strip(), list[tuple[str, Test]]()
    if name := _NAME.match(rest):
        rest = rest[name.end() :].lstrip()
        tests.append(("__name__", _test("=", name.group())))
    if rest.startswith("{"):
        rest = _matchers(rest, tests)
    span = _SPAN.fullmatch(rest)
    if rest and not span:
        raise ValueError(f"parse error: only a plain selector is understood here: {text[:100]!r}")
    if all(test("") for _, test in tests):
        raise ValueError("parse error: vector selector must contain a non-empty matcher")
    return Selector(tuple(tests), duration_s(span.group(1)) if span else None)


def duration_s(text: str) -> int:
    """Read a duration such as `5m` or `1h30m`, in seconds.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text) if len(text) < 20 else None
    parts = zip(found.groups("0"), (86_400, 3_600, 60, 1), strict=True) if found else ()
    total = sum(int(count) * unit_s for count, unit_s in parts)
    if total <= 0:
        raise ValueError(f"not a valid duration: {text[:40]!r}")
    return total


def _matchers(text: str, tests: list[tuple[str, Test]]) -> str:
    """Read `{...}` and give what follows it."""
    at = 1
    while not text[at:].lstrip().startswith("}"):
        found = _MATCHER.match(text, at)
        if not found:
            raise ValueError(f"parse error: unexpected {text[at : at + 40]!r} in label matching")
        label, operator, quoted = found.groups()
        tests.append((label, _test(operator, _unquote(quoted))))
        at = found.end()
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "}":
            raise ValueError(f"parse error: unexpected {text[at : at + 40]!r}, expected , or }}")
    return text[text.index("}", at) + 1 :].lstrip()


def _unquote(quoted: str) -> str:
    if quoted.startswith("`"):
        return quoted[1:-1]
    return re.sub(
        r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), quoted[1:-1]
    )


def _test(operator: str, value: str) -> Test:
    if operator in ("=", "!="):
        return (lambda label: label == value) if operator == "=" else (lambda label: label != value)
    try:
        pattern = re.compile(value, re.DOTALL)
    except re.error as error:
        raise ValueError(f"parse error: error parsing regexp: {error}") from None
    if operator == "=~":
        return lambda label: bool(pattern.fullmatch(label))
    return lambda label: not pattern.fullmatch(label)
