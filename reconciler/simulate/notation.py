"""Series as promtool writes them in rule tests: `0+20x30 _x3 620 stale`, and a little chance.

`a+bxn` is a, a+b, ... a+n*b, so n+1 values; `a-bxn` falls; `axn` stays, n+1 times; `_` and `_xn`
are points that are missing; `stale` ends a series until the next value. Of our own is `a~bxn`: as
`a+bxn`, but each step is drawn by chance with mean b (Poisson), another one for every site; and
`~bxn` goes on from the last value in n steps.

Source: promtool's page "Unit testing for rules", `series` and `values`.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

MOST_POINTS = 20_000
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,4})?|[nN]a[nN]|[iI]nf)"
_TERM = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<sign>[-+~])(?P<step>[0-9]+(?:\.[0-9]+)?))?(?:x(?P<times>[0-9]+))?"
)
_MORE = re.compile(r"~(?P<step>[0-9]+(?:\.[0-9]+)?)x(?P<times>[1-9][0-9]*)")
_GAP = re.compile(r"_(?:x(?P<times>[0-9]+))?")
STALE = "stale"
_NORMAL = 50.0  # above this mean a Poisson number is drawn as a normal one
_STANDARD = NormalDist()

Point = float | None
"""One value; None where there is none."""


@dataclass(frozen=True, slots=True)
class Term:
    """A run of points: from `start`, `times` steps of `step`, each perhaps by chance.

    One that `goes_on` begins a step after the last value before it.
    """

    start: Point
    step: float = 0.0
    times: int = 0
    by_chance: bool = False
    goes_on: bool = False

    def points(self, chance: "Chance", last: float) -> Iterator[Point]:
        """Write the run out, after this last value."""
        value = last + chance.poisson(self.step) if self.goes_on else self.start
        yield value
        for _ in range(self.times):
            if value is not None:
                value += chance.poisson(self.step) if self.by_chance else self.step
            yield value


@dataclass(frozen=True, slots=True)
class Notation:
    """One series, not written out yet."""

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> "Notation":
        """Read the notation.

        Raises:
            ValueError: Not in the grammar, no value at all, or more than 20,000 of them.
        """
        terms = tuple(_term(word) for word in text.split())
        if not terms:
            raise ValueError("write at least one value, such as 0+20x30")
        if sum(1 + term.times for term in terms) > MOST_POINTS:
            raise ValueError(f"a series has at most {MOST_POINTS} points")
        return cls(terms)

    @property
    def is_by_chance(self) -> bool:
        """Say whether two sites have different points."""
        return any(term.by_chance for term in self.terms)

    def points(self, name: str = "") -> tuple[Point, ...]:
        """Write the series out.

        Args:
            name: Whose luck it is; the same name has the same points.
        """
        chance, found, last = Chance(name), list[Point](), 0.0
        for term in self.terms:
            found += term.points(chance, last)
            last = found[-1] if found[-1] is not None else last
        return tuple(found)


def _term(word: str) -> Term:
    if word == STALE:
        return Term(None)
    gap = _GAP.fullmatch(word)
    if gap:
        return Term(None, times=max(0, int(gap["times"] or 1) - 1))
    more = _MORE.fullmatch(word)
    if more:
        times = int(more["times"]) - 1
        return Term(None, float(more["step"]), times, by_chance=True, goes_on=True)
    found = _TERM.fullmatch(word)
    if not found or (found["step"] and not found["times"]):
        raise ValueError(f"{word!r} is not in the notation: write 0+20x30, 5x3, 7, _, _x3 or stale")
    step = float(found["step"] or 0) * (-1 if found["sign"] == "-" else 1)
    return Term(float(found["start"]), step, int(found["times"] or 0), found["sign"] == "~")


class Chance:
    """Numbers that follow from a name; mutable."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._drawn = 0
        self._left: list[float] = []

    def uniform(self) -> float:
        """Draw a fraction above 0 and below 1."""
        if not self._left:
            digest = hashlib.sha256(b"%d/" % self._drawn + self._name).digest()
            self._drawn += 1
            parts = (digest[at : at + 4] for at in range(0, 32, 4))
            self._left = [(int.from_bytes(part) + 0.5) / 2**32 for part in parts]
        return self._left.pop()

    def poisson(self, mean: float) -> int:
        """Draw a count, by adding up probabilities until they pass a uniform number."""
        if mean > _NORMAL:
            return max(0, round(mean + math.sqrt(mean) * _STANDARD.inv_cdf(self.uniform())))
        level, term, count = self.uniform(), math.exp(-mean), 0
        while level >= term and term > 0.0:
            level -= term
            count += 1
            term *= mean / count
        return count

    def binomial(self, count: int, share: float) -> int:
        """Draw how many of some events are chosen, in the same manner."""
        if not 0.0 < share < 1.0 or count <= 0:
            return count if share >= 1.0 else 0
        spread = math.sqrt(count * share * (1 - share))
        if spread > math.sqrt(_NORMAL):
            drawn = round(count * share + spread * _STANDARD.inv_cdf(self.uniform()))
            return min(count, max(0, drawn))
        level, chosen = self.uniform(), 0
        term = (1 - share) ** count
        while level >= term and chosen < count:
            level -= term
            term *= (count - chosen) / (chosen + 1) * share / (1 - share)
            chosen += 1
        return chosen


def thinned(
    points: Sequence[Point], shares: Sequence[float], luck: Chance | None
) -> Iterator[Point]:
    """Let a counter count only a share of what it would.

    Args:
        points: What it would show.
        shares: What part of the events up to each point is its own, 0..1.
        luck: Draws which events those are; None = exactly the share, rounded down.
    """
    before, counted = 0.0, 0.0
    for point, share in zip(points, shares, strict=True):
        if point is None:
            yield None
            continue
        grown, before = point - before, point
        counted += luck.binomial(int(grown), share) if luck else grown * share
        yield float(math.floor(counted))
