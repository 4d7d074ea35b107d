"""Manifests that people own read the same under YAML 1.1, YAML 1.2 and in Go."""

import re
from collections.abc import Iterable, Iterator

from generator import layout
from generator.errors import Problem
from generator.lint.manifests import Source, is_manifest, is_template, originals, scan
from generator.lint.view import View

_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?", re.ASCII)


def syntax(view: View) -> Iterator[Problem]:
    """Read every manifest of a model, and of the reconciler, as any other tool would."""
    known = (*originals(view), *view.ids(layout.RECONCILER))
    paths = (path for path in known if is_manifest(path) and not is_template(path))
    yield from scan(view, paths, _unreadable)


def _unreadable(source: Source) -> Iterable[Problem]:
    if source.problems or source.path.endswith(".json"):
        return source.problems
    return [
        Problem(
            f"{str(node.value)[:80]!r} reads differently in different tools",
            line=node.line,
            hint=hint,
        )
        for document in source.documents
        for _, node in document.walk()
        if node.is_plain and (hint := doubt(str(node.value)))
    ]


def doubt(text: str) -> str:
    """Say how to write a plain scalar that YAML 1.1, YAML 1.2 and Go do not read alike."""
    lowered = text.lower()
    if lowered in ("y", "n", "yes", "no", "on", "off"):
        return "quote it, or write true or false"
    if not text or not (text[0].isdigit() or text[0] in "+-.") or not text[-1].isalnum():
        return ""
    if _DATE.fullmatch(text):
        return "quote it: to some tools this is a date"
    digits = lowered.lstrip("+-").replace("_", "")
    is_octal = digits.isdigit() and len(digits) > 1 and digits[0] == "0"
    if is_octal or ("_" in text and digits.replace(".", "").isdigit()):
        return "quote it, or write it as a decimal number"
    parts = lowered.lstrip("+-").split(":")
    if len(parts) > 1 and all(part.isdigit() for part in parts):
        return "quote it: to some tools this is a number to the base of 60"
    return "quote it, or write it as a decimal number" if _is_odd_number(digits) else ""


def _is_odd_number(digits: str) -> bool:
    mantissa, letter, exponent = digits.partition("e")
    is_power = bool(letter) and mantissa.replace(".", "").isdigit()
    return digits.startswith(("0x", "0o", "0b")) or (is_power and exponent.lstrip("+-").isdigit())
