"""A share of the sites of an environment, exact to a hundredth of a percent."""

import re
from dataclasses import dataclass

_GRAMMAR = re.compile(r"(0|[1-9][0-9]{0,2})(?:\.([0-9]{1,2}))?", re.ASCII)
WHOLE = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """0 to 100 percent, held as basis points (hundredths of a percent)."""

    basis_points: int

    def __post_init__(self) -> None:
        """Refuse what is outside 0..10000."""
        if not 0 <= self.basis_points <= WHOLE:
            raise ValueError(f"a percentage lies between 0 and 100, not {self.basis_points / 100}")

    @classmethod
    def parse(cls, text: str) -> "Percent":
        """Read `25` or `2.5`; nothing else that a number parser would take.

        Raises:
            ValueError: The text is not 0..100 with at most two digits after the point.
        """
        found = _GRAMMAR.fullmatch(text)
        if not found:
            raise ValueError(
                f"{text!r} is not a percentage: write a number from 0 to 100 "
                "with at most two digits after the point"
            )
        whole, fraction = found.group(1), (found.group(2) or "").ljust(2, "0")
        return cls(int(whole) * 100 + int(fraction))

    @classmethod
    def of(cls, whole: int) -> "Percent":
        """Take whole percent."""
        return cls(whole * 100)

    def __str__(self) -> str:
        """Write the shortest form that `parse` reads back."""
        whole, fraction = divmod(self.basis_points, 100)
        return str(whole) if not fraction else f"{whole}.{fraction:02d}".rstrip("0")

    def count_of(self, total: int) -> int:
        """Round up to whole sites: ceil(percent * N / 100)."""
        return -(-self.basis_points * total // WHOLE)


ZERO = Percent(0)
FULL = Percent(WHOLE)
