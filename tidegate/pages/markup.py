"""Write HTML and SVG: foreign text enters through one function, which escapes it."""

import html
from collections.abc import Iterable, Iterator
from typing import NewType

from generator.changes import one_line

Markup = NewType("Markup", str)

VOID = frozenset({"br", "circle", "line", "link", "meta", "path", "polyline", "rect", "stop"})
MOST_TEXT = 400


def words(text: str, longest: int = MOST_TEXT) -> Markup:
    """Escape foreign text: printable, one line, bounded, and markup in none of it."""
    return Markup(html.escape(one_line(text, longest), quote=True))


def tag(element: str, /, *children: Markup, **attributes: str | float | None) -> Markup:
    """Write one element.

    Args:
        element: Its name.
        children: What stands in it.
        attributes: `stroke_width` becomes `stroke-width`, a last `_` falls away, None is left
            out, numbers are rounded to a hundredth.
    """
    found = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in VOID:
        return Markup(f"<{element}{found}/>")
    return Markup(f"<{element}{found}>{''.join(children)}</{element}>")


def join(*parts: Markup) -> Markup:
    """Put elements after each other."""
    return Markup("".join(parts))


def number(value: float) -> str:
    """Write a coordinate, to a hundredth."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _value(value: str | float) -> str:
    return words(value, len(value) + 3) if isinstance(value, str) else number(value)


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """Write the `d` of a path through points."""
    text = " ".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{text}{'Z' if closed else ''}"


def thinned(
    points: Iterable[tuple[float, float]], grain: float = 0.5
) -> Iterator[tuple[float, float]]:
    """Leave out what falls on the same spot, so that a long record makes no long path.

    Args:
        points: In the order in which they are joined.
        grain: Size of a spot, in pixels.
    """
    seen = (-1, -1)
    for x, y in points:
        spot = (round(x / grain), round(y / grain))
        if spot != seen:
            seen = spot
            yield x, y
