"""Burn rates: how much of a month's error budget is gone in a window, and when that is too much.

Source: Google, The Site Reliability Workbook, chapter 5: two windows each, 2 % of the budget of 30
days in 1 h (14.4 times) and 5 % in 6 h (6 times); the short window ends an alert soon.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from generator.model.objective import Objective

# A site sees few events: a ratio of less says nothing, and nobody is woken for it.
FEWEST_BAD = 10
_HIGHEST = Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class Burn:
    """Two windows that both have to burn.

    Attributes:
        long: The window that is measured.
        short: The window that ends the alert.
        factor: How many times faster than the budget allows.
        wait: How long both have to hold.
        severity: `page` wakes a person, `ticket` waits for the morning.
    """

    name: str
    long: str
    short: str
    factor: Fraction
    wait: str
    severity: str

    def threshold(self, objective: Objective) -> Fraction:
        """Give the share of bad events, 0..1, above which it burns.

        Under a low target the factor would ask for more than every event: then nearly every
        event, but always more than the target allows.
        """
        budget = (100 - objective.target) / 100
        return min(self.factor * budget, max(_HIGHEST, (1 + budget) / 2))


FAST = Burn("Fast", "1h", "5m", Fraction(72, 5), "2m", "page")
SLOW = Burn("Slow", "6h", "30m", Fraction(6), "15m", "ticket")


def number(value: Fraction) -> str:
    """Write a share with nine digits, without an exponent."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    text = f"{exact:.9f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
