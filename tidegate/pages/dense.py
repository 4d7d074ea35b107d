"""Many squares from few strokes: a run of equal sites is one dashed line, a dash is a site.

Every state has its own shape, so that none needs its colour: filled, hollow, hollow with a
slash or a dot, a bar, a dot alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from tidegate.pages.markup import Markup, tag, words

PITCH, SIDE = 6, 5
COLUMNS = 40
HOLLOW = ("r", "s", "l")


def dense(kinds: Sequence[str], meaning: Mapping[str, str]) -> Markup:
    """Draw one block, row by row, left to right.

    Args:
        kinds: The class of each site.
        meaning: What each class means, for those who point at it.
    """
    found: dict[str, list[str]] = {}
    for row, start in enumerate(range(0, len(kinds), COLUMNS)):
        for kind, run in _runs(kinds[start : start + COLUMNS]):
            found.setdefault(kind, []).append(_dash(row, *run))
    height = -(-len(kinds) // COLUMNS) * PITCH
    return tag(
        "svg",
        *(_state(kind, "".join(found[kind]), meaning[kind]) for kind in sorted(found)),
        viewBox=f"0 0 {COLUMNS * PITCH} {height}",
        class_="dense",
    )


def _runs(kinds: Sequence[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give each run of equal sites: its class, its first column, its length."""
    column = 0
    for kind, run in groupby(kinds):
        length = len(list(run))
        yield kind, (column, length)
        column += length


def _dash(row: int, column: int, length: int) -> str:
    # Half a pixel down, so that a line as wide as a square covers just its pixels.
    return f"M{column * PITCH} {row * PITCH + SIDE / 2:g}h{length * PITCH - (PITCH - SIDE)}"


def _state(kind: str, line: str, meaning: str) -> Markup:
    outline = tag("path", d=line, class_=f"k {kind}")
    hole = tag("path", d=line, class_="k hole") if kind in HOLLOW else Markup("")
    inside = {
        "r": tag("path", d=line, stroke="url(#hatch)", class_="k"),
        "l": tag("path", d=line, class_="k dot"),
    }
    return tag("g", tag("title", words(meaning)), outline, hole, inside.get(kind, Markup("")))
