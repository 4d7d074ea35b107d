"""The marks of the moves; filled: the reconciler on evidence; hollow: a person."""

from collections.abc import Container, Iterator

from tidegate.pages.markup import Markup, join, path, tag, words
from tidegate.pages.story import Move

_UP = ((0.0, -6.0), (5.5, 4.0), (-5.5, 4.0))
_DOWN = ((0.0, 6.0), (5.5, -4.0), (-5.5, -4.0))


def mark(move: Move, x: float, y: float, title: str, *, person: bool) -> Markup:
    """Draw one move at a place."""
    hint = tag("title", words(title))
    who = " by" if person else ""
    match move:
        case Move.ADVANCE:
            return _triangle(_UP, x, y, f"mark go{who}", hint)
        case Move.REVERT:
            return _triangle(_DOWN, x, y, f"mark stop{who}", hint)
        case Move.LOWER:
            return _triangle(_DOWN, x, y, f"mark go{who}", hint)
        case Move.COMPLETE:
            return tag("g", hint, _dot(x, y, 5.5, f"mark go{who}"))
        case Move.PAUSE:
            return _pause(x, y, hint)
        case _:
            return tag("g", hint, _dot(x, y, 4.5, f"mark go{who}"))


def clock(x: float, y: float, title: str) -> Markup:
    """Draw the mark of a wait."""
    hands = tag("path", d=path([(x, y - 3), (x, y), (x + 2.5, y)]), class_="plain thin")
    return tag("g", tag("title", words(title)), _dot(x, y, 5.5, "mark still"), hands)


def _triangle(
    corners: tuple[tuple[float, float], ...], x: float, y: float, kind: str, hint: Markup
) -> Markup:
    shape = path([(x + dx, y + dy) for dx, dy in corners], closed=True)
    return tag("g", hint, tag("path", d=shape, class_=kind))


def _dot(x: float, y: float, radius: float, kind: str) -> Markup:
    return tag("circle", cx=x, cy=y, r=radius, class_=kind)


def _pause(x: float, y: float, hint: Markup) -> Markup:
    bars = (tag("path", d=path([(x + dx, y - 5), (x + dx, y + 5)])) for dx in (-2.5, 2.5))
    return tag("g", hint, *bars, class_="plain")


_LEGEND = (
    ("start by", "a person starts it"),
    ("advance", "advance on evidence"),
    ("advance by", "a person moves it up"),
    ("lower by", "a person moves it down"),
    ("pause by", "paused"),
    ("revert", "revert on evidence"),
    ("revert by", "a person reverts it"),
    ("complete", "complete"),
    ("complete by", "a person completes it"),
    ("wait", "waits longer than the soak"),
    ("serve", "sites that serve it"),
    ("good", "healthy"),
    ("open", "undecided"),
    ("bad", "breached"),
    ("none", "no data"),
)
_LETTER = 6.0


def legend(used: Container[str], left: float, right: float, y: float) -> Markup:
    """Explain what was drawn, in one row or more.

    Args:
        used: Keys of the legend that were drawn.
        left: Left end of the rows.
        right: Their right end.
        y: Middle of the first row.
    """
    parts = []
    x = left
    for key, text in _LEGEND:
        if key in used:
            width = 18 + len(text) * _LETTER
            x, y = (left, y + 20) if x + width > right else (x, y)
            parts.append(_sample(key, x + 7, y))
            parts.append(tag("text", words(text), x=x + 18, y=y + 4, class_="t2 s"))
            x += width + 16
    return join(*parts)


def _sample(key: str, x: float, y: float) -> Markup:
    match key:
        case "serve":
            return tag("path", d=path([(x - 7, y), (x + 7, y)]), class_="serve")
        case "wait":
            return clock(x, y, "")
        case "good" | "open" | "bad" | "none":
            height = {"open": 5.0, "none": 1.5}.get(key, 10.0)
            place = {"x": x - 5, "y": y + 5 - height, "width": 10, "height": height}
            return join(*filled(key, **place))
        case _:
            name, _, person = key.partition(" ")
            return mark(Move(name), x, y, "", person=bool(person))


def filled(kind: str, **place: float) -> Iterator[Markup]:
    """Fill the box of a verdict; a breach is hatched, so that it is not told by colour alone."""
    yield tag("rect", **place, class_="lost" if kind == "bad" else kind)
    if kind == "bad":
        yield tag("rect", **place, fill="url(#hatch)", class_="edged")


def key_of(move: Move, *, person: bool) -> str:
    """Name a mark in the legend."""
    return f"{move}{' by' if person else ''}"
