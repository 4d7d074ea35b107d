"""Which counters an indicator is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from generator.model.objective import Below, Indicator, Matcher, Ratio, Selector, Slower

# Go writes a float with an exponent outside of this range, and so does `le`.
_PLAIN = (Decimal("0.0001"), Decimal(1_000_000))


@dataclass(frozen=True, slots=True)
class Counters:
    """All events, and a part of them.

    Attributes:
        total: Selects the counters of all events.
        part: Selects the counters of the bad events, or of the good ones.
        part_is_good: Bad = total - part; else bad = part.
    """

    total: Selector
    part: Selector
    part_is_good: bool = False


def counters(indicator: Indicator, ours: Sequence[Matcher]) -> Counters:
    """Find the counters of an indicator, among series with these labels only.

    Raises:
        ValueError: A bound that no bucket can have as its edge.
    """
    match indicator:
        case Ratio(bad, total):
            return Counters(_among(total, "", ours), _among(bad, "", ours))
        case Slower(bound, histogram):
            part = _among(histogram, "_bucket", (*ours, edge(bound)))
            return Counters(_among(histogram, "_count", ours), part, part_is_good=True)
        case Below(floor, histogram):
            part = _among(histogram, "_bucket", (*ours, edge(floor)))
            return Counters(_among(histogram, "_count", ours), part)
        case _:
            assert_never(indicator)


def _among(selector: Selector, suffix: str, further: Sequence[Matcher]) -> Selector:
    return Selector(selector.metric + suffix, (*selector.matchers, *further))


def edge(bound: Fraction) -> Matcher:
    """Match the bucket whose edge is `bound`, however the exporter writes the number.

    Prometheus 2 keeps the `le` of the exporter (`1`, in some clients `1.0`), Prometheus 3
    writes `1.0`; Go clients write `1e-05` and `1e+06`.

    Raises:
        ValueError: The bound is no finite decimal, so no bucket can have it as edge.
    """
    exact = _decimal(bound)
    forms = [_plain(exact)]
    if exact and not _PLAIN[0] <= abs(exact) < _PLAIN[1]:
        forms.append(_scientific(exact))
    return Matcher("le", "=~", "|".join(forms).replace(".", "[.]"))


def written(bound: Fraction) -> tuple[str, str]:
    """Write an edge as a client does that knows no float, and as Prometheus 3 does."""
    text = f"{_decimal(bound):f}"
    return text, text if "." in text else f"{text}.0"


def _decimal(bound: Fraction) -> Decimal:
    exact = Decimal(bound.numerator) / Decimal(bound.denominator)
    if Fraction(exact) != bound:
        raise ValueError(f"the bound {bound} is not a decimal number")
    return exact


def _plain(exact: Decimal) -> str:
    text = f"{exact:f}"
    if "." in text:
        return text.rstrip("0").rstrip(".") + "0*" if exact % 1 else _plain(exact.to_integral())
    return f"{text}(.0+)?"


def _scientific(exact: Decimal) -> str:
    negative, digits, _ = exact.normalize().as_tuple()
    first, *rest = (str(digit) for digit in digits)
    mantissa = first + ("." + "".join(rest) if rest else "(.0)?")
    sign, power = ("-", -exact.adjusted()) if exact.adjusted() < 0 else ("[+]", exact.adjusted())
    return f"{'-' * negative}{mantissa}e{sign}{power:02d}"
