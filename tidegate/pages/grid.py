"""The cohort grid: one square per site, in draw order, a block for each stratum."""

from collections import Counter
from collections.abc import Mapping, Sequence

from generator.model.percent import Percent
from tidegate.pages.dense import dense
from tidegate.pages.markup import Markup, tag, words
from tidegate.pages.sheet import RAMP
from tidegate.pages.story import Square, State

MOST_NAMED = 2000
MOST_STRATA = 60
OTHERS = "all others"
MEANING = {
    State.CANARY: "got it",
    State.LATE: "asked, not heard of yet",
    State.RETURNED: "had it and gave it back",
    State.STABLE: "never had it",
    State.EXCLUDED: "excluded until the last step",
    State.GONE: "left the fleet",
}
_LETTERS = {
    State.LATE: "l",
    State.RETURNED: "r",
    State.STABLE: "s",
    State.EXCLUDED: "x",
    State.GONE: "g",
}


def shades(squares: Sequence[Square]) -> Mapping[Percent, int]:
    """Give every step its lightness, 0 for the first."""
    joined = sorted({one.joined for one in squares if one.joined is not None})
    most = max(1, len(joined) - 1)
    return {percent: round(rank * (RAMP - 1) / most) for rank, percent in enumerate(joined)}


def grid(squares: Sequence[Square], *, named: bool = True) -> Markup:
    """Draw all sites; where there are many, as small squares without their names.

    Args:
        squares: The sites.
        named: Whether each may say its name to those who point at it.
    """
    strata = _strata(squares)
    shade, named = shades(squares), named and len(squares) <= MOST_NAMED
    rows = [_stratum(name, strata[name], shade, named) for name in strata]
    size = "cohort" if named else "cohort tiny"
    return tag("div", *rows, class_=size, role="img", aria_label=summary(squares))


def _strata(squares: Sequence[Square]) -> Mapping[str, Sequence[Square]]:
    """Group by stratum; the smallest of very many share a block."""
    found: dict[str, list[Square]] = {}
    for one in squares:
        found.setdefault(one.stratum, []).append(one)
    if len(found) <= MOST_STRATA:
        return {name: found[name] for name in sorted(found)}
    large = sorted(sorted(found), key=lambda name: -len(found[name]))[:MOST_STRATA]
    kept: dict[str, list[Square]] = {name: found[name] for name in sorted(large)}
    kept[OTHERS] = [one for one in squares if one.stratum not in kept]
    return kept


def _stratum(
    name: str,
    squares: Sequence[Square],
    shade: Mapping[Percent, int],
    named: bool,  # noqa: FBT001 (private)
) -> Markup:
    had = sum(one.joined is not None for one in squares)
    label = tag("b", words(name or "all", 60))
    count = tag("span", words(f"{had:,} of {len(squares):,}"))
    head = tag("p", label, count)
    if named:
        marks = (tag("i", class_=kind_of(one, shade), title=_title(one)) for one in squares)
        return tag("div", head, tag("div", *marks, class_="q"), class_="stratum")
    kinds = [kind_of(one, shade) for one in squares]
    counts = Counter(kinds)
    said = {kind: _means(one) for kind, one in zip(kinds, squares, strict=True)}
    meaning = {kind: f"{counts[kind]:,}: {text}" for kind, text in said.items()}
    return tag("div", head, dense(kinds, meaning), class_="stratum")


def _means(one: Square) -> str:
    return say(one) if one.state is State.CANARY else MEANING[one.state]


def _title(one: Square) -> str:
    return f"{one.id}: {say(one)}"


def kind_of(one: Square, shade: Mapping[Percent, int]) -> str:
    """Name the class of a square."""
    if one.state is State.CANARY and one.joined is not None:
        return f"c{shade[one.joined]}"
    return _LETTERS.get(one.state, "c0")


def say(one: Square) -> str:
    """Say what became of one site."""
    at = f" at {one.joined}%" if one.joined and one.state is not State.GONE else ""
    return f"{MEANING[one.state]}{at}"


def legend(squares: Sequence[Square]) -> Markup:
    """Explain the squares that are there, with their counts."""
    shade = shades(squares)
    counts = Counter(
        (one.state, one.joined if one.state is State.CANARY else None) for one in squares
    )
    parts = []
    for state in State:
        for (kind, joined), count in sorted(counts.items(), key=_by_step):
            if kind is state:
                one = Square("", "", kind, joined)
                square = tag("i", class_=kind_of(one, shade))
                text = words(f"{say(one)}: {count:,}")
                parts.append(tag("span", square, text))
    return tag("p", *parts, class_="legend")


def _by_step(entry: tuple[tuple[State, Percent | None], int]) -> int:
    joined = entry[0][1]
    return joined.basis_points if joined else 0


def summary(squares: Sequence[Square]) -> str:
    """Say the same in one sentence, for those who cannot see it."""
    counts = Counter(one.state for one in squares)
    return f"{len(squares):,} sites: " + ", ".join(
        f"{counts[state]:,} {MEANING[state]}" for state in State if counts[state]
    )
