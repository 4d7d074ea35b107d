"""Markdown that three forges show alike, and in which foreign text is only text.

Foreign text stands in a code span, always: inside of one no forge looks for mentions, links,
numbers of issues, HTML, emphasis or quick actions, and a table keeps its columns.
"""

import re
from collections.abc import Iterable, Sequence

from generator.changes import one_line

BEGIN = "<!-- tidegate:begin -->"
END = "<!-- tidegate:end -->"
MOST = 60_000  # characters of a text; GitHub takes 65,536
_CUT = "\n\n(cut here: the rest stands in the repository)"
_MARKER = re.compile(r"[a-z0-9][a-z0-9./:-]{0,199}", re.ASCII)


def code(text: str, longest: int = 200) -> str:
    """Show foreign text as a code span of one line, fit for a table.

    Args:
        text: Anything.
        longest: Characters that are shown.
    """
    line = one_line(text, longest).replace("<!--", "<! --").replace("|", "\\|")
    if not line:
        return "-"
    runs = {len(run) for run in re.findall(r"`+", line)}
    fence = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str) -> str:
    """Show text of our own, in which foreign names may stand, as it is."""
    runs = (len(run) for run in re.findall(r"`+", text))
    fence = "`" * max(3, 1 + max(runs, default=0))
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def section(text: str) -> str:
    """Frame what is ours, so that it can be found among what people write around it."""
    room = MOST - len(BEGIN) - len(END) - len(_CUT) - 2
    kept = text if len(text) <= room else text[: text.rindex("\n", 0, room)] + _CUT
    return f"{BEGIN}\n{kept.strip()}\n{END}"


def splice(body: str, ours: str) -> str:
    """Put our section into a body, in the place of the earlier one; the rest stays as it is."""
    body = body.replace("\r\n", "\n")
    begins, ends = body.find(BEGIN), body.rfind(END)
    if begins < 0 or ends < begins:
        return f"{body.rstrip()}\n\n{ours}".strip()
    return body[:begins] + ours + body[ends + len(END) :]


def marked(marker: str, text: str) -> str:
    """Begin a comment with a line that only machines see."""
    return f"{_mark(marker)}\n{text.strip()}"


def is_marked(text: str, marker: str) -> bool:
    """Say whether a comment begins with that very line."""
    return text.replace("\r\n", "\n").partition("\n")[0].rstrip() == _mark(marker)


def _mark(marker: str) -> str:
    if not _MARKER.fullmatch(marker):
        raise ValueError(f"{marker!r} is not a marker")
    return f"<!-- tidegate:comment {marker} -->"
