"""Rows as the canonical writer leaves them, read without a YAML parser.

The site files and the draw of a fleet of 10,000 are nearly all that a step reads, and a YAML
parser takes seconds for them. Only the writer's own form is read here, where each value stands
as it is; whatever else a file holds is left to the full reader, which also names its problems.
"""

import re

from generator.documents.reading import MOST_BYTES

TEXT = r"[ !#-\[\]-~]*"  # printable ASCII that a double-quoted scalar holds without an escape
_KEY = r'(?:[A-Za-z][A-Za-z0-9]{0,62}|"[A-Za-z0-9_-]{1,63}")'
_CELL = re.compile(f'({_KEY}): "{TEXT}"', re.ASCII)
_ROW = re.compile(rf'- \{{{_KEY}: "{TEXT}"(?:, {_KEY}: "{TEXT}")+\}}', re.ASCII)

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


def plain(data: bytes) -> str:
    """Give the text of a file; "" where only the full reader may judge it."""
    return data.decode("ascii") if data.isascii() and len(data) <= MOST_BYTES else ""


def read_rows(text: str) -> Rows | None:
    """Read lines such as `- {id: "a", region: "b"}`, all with the same columns.

    Returns:
        The names of the columns, and the values of every row; None where anything else stands.
    """
    first = text.partition("\n")[0]
    if not text.endswith("\n") or not _ROW.fullmatch(first):
        return None
    keys = _CELL.findall(first)
    cells = ", ".join(f'{re.escape(key)}: "({TEXT})"' for key in keys)
    rows = re.findall(rf"^- \{{{cells}\}}$", text, re.MULTILINE | re.ASCII)
    names = tuple(key.strip('"') for key in keys)
    whole = len(rows) == text.count("\n") and len(set(names)) == len(names)
    return (names, rows) if whole else None
