"""The cohort grid: one square per site, in draw order, a block for each stratum."""

from collections import Counter
from collections.abc import Mapping, Sequence

from generator.model.percent import Percent
from tidegate.pages.markup import Markup, join, tag, words
from tidegate.pages.sheet import RAMP
from tidegate.pages.story import Square, State

MOST_NAMED = 2000
MEANING = {
    State.CANARY: "got it",
    State.RETURNED: "had it and gave it back",
    State.STABLE: "never had it",
    State.EXCLUDED: "excluded until the last step",
    State.GONE: "left the fleet",
}
_LETTERS = {State.RETURNED: "r", State.STABLE: "s", State.EXCLUDED: "x", State.GONE: "g"}


def shades(squares: Sequence[Square]) -> Mapping[Percent, int]:
    """Give every step its lightness, 0 for the first."""
    joined = sorted({one.joined for one in squares if one.joined is not None})
    most = max(1, len(joined) - 1)
    return {percent: round(rank * (RAMP - 1) / most) for rank, percent in enumerate(joined)}


def grid(squares: Sequence[Square]) -> Markup:
    """Draw all sites; small squares where there are many."""
    strata: dict[str, list[Square]] = {}
    for one in squares:
        strata.setdefault(one.stratum, []).append(one)
    shade, named = shades(squares), len(squares) <= MOST_NAMED
    rows = [_stratum(name, strata[name], shade, named) for name in sorted(strata)]
    size = "cohort" if named else "cohort tiny"
    return tag("div", *rows, class_=size, role="img", aria_label=summary(squares))


def _stratum(
    name: str,
    squares: Sequence[Square],
    shade: Mapping[Percent, int],
    named: bool,  # noqa: FBT001 (private)
) -> Markup:
    had = sum(one.joined is not None for one in squares)
    label = tag("b", words(name or "all", 60))
    count = tag("span", words(f"{had} of {len(squares)}"))
    marks = join(*(_square(one, shade, named) for one in squares))
    return tag("div", tag("p", label, count), tag("div", marks, class_="q"), class_="stratum")


def _square(one: Square, shade: Mapping[Percent, int], named: bool) -> Markup:  # noqa: FBT001
    kind = _kind(one, shade)
    if not named:
        return tag("i", class_=kind)
    return tag("i", class_=kind, title=f"{one.id}: {say(one)}")


def _kind(one: Square, shade: Mapping[Percent, int]) -> str:
    if one.state is State.CANARY and one.joined is not None:
        return f"c{shade[one.joined]}"
    return _LETTERS.get(one.state, "c0")


def say(one: Square) -> str:
    """Say what became of one site."""
    at = f" at {one.joined}%" if one.joined else ""
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
                square = tag("i", class_=_kind(one, shade))
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
