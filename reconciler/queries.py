"""Turn objectives into the plain selectors that Prometheus is asked for.

tidegate reads raw counters at tick boundaries and takes differences itself (design.md
section 4), so there is no PromQL function here, and any API that knows `query_range` will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from generator.model.names import check_name, check_release
from generator.model.objective import Below, Matcher, Objective, Ratio, Selector, Slower

RELEASE_INFO = "model_release_info"
PROCESS_START = "model_process_start_time_seconds"
# Go writes a float with an exponent outside of this range, and so does `le`.
_PLAIN = (Decimal("0.0001"), Decimal(1_000_000))


@dataclass(frozen=True, slots=True)
class Count:
    """How the events and the bad events of one objective follow from two queries.

    Attributes:
        objective: Its name.
        total: PromQL whose counters are all events.
        part: PromQL whose counters are the bad events, or the good ones.
        part_is_good: Bad = total - part, for each counter; else bad = part.
    """

    objective: str
    total: str
    part: str
    part_is_good: bool = False


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is asked for one model: each text once, whatever number of objectives use it.

    Attributes:
        counts: One per objective, in their order.
        info: PromQL that names the release each site serves, of any release.
        started: PromQL of process start times, in seconds since the epoch.
    """

    counts: tuple[Count, ...]
    info: str
    started: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Give every distinct PromQL text, in a fixed order."""
        pairs = [text for count in self.counts for text in (count.total, count.part)]
        return tuple(dict.fromkeys([self.info, self.started, *pairs]))


def questions(model: str, releases: Sequence[str], objectives: Sequence[Objective]) -> Questions:
    """Write the queries of one rollout.

    Args:
        model: Value of the label `model`.
        releases: Stable and, where there is one, canary; "" is left out.
        objectives: Of that model.

    Raises:
        ValueError: A model or release that is not a name, or no release.
    """
    ours = _ours(model, releases)
    return Questions(
        counts=tuple(_count(objective, ours) for objective in objectives),
        info=str(Selector(RELEASE_INFO, ours[:1])),
        started=str(Selector(PROCESS_START, ours)),
    )


def _ours(model: str, releases: Sequence[str]) -> tuple[Matcher, ...]:
    wanted = sorted({check_release(release) for release in releases if release})
    if not wanted:
        raise ValueError("a query needs at least one release")
    return (
        Matcher("model", "=", check_name("model", model)),
        Matcher("release", "=~", "|".join(wanted)),
    )


def _count(objective: Objective, ours: tuple[Matcher, ...]) -> Count:
    match objective.indicator:
        case Ratio(bad, total):
            return Count(objective.name, _text(total, "", ours), _text(bad, "", ours))
        case Slower(bound, histogram):
            part = _text(histogram, "_bucket", (*ours, edge(bound)))
            return Count(objective.name, _text(histogram, "_count", ours), part, part_is_good=True)
        case Below(floor, histogram):
            part = _text(histogram, "_bucket", (*ours, edge(floor)))
            return Count(objective.name, _text(histogram, "_count", ours), part)
        case _:
            assert_never(objective.indicator)


def _text(selector: Selector, suffix: str, further: tuple[Matcher, ...]) -> str:
    return str(Selector(selector.metric + suffix, selector.matchers + further))


def edge(bound: Fraction) -> Matcher:
    """Match the bucket whose edge is `bound`, however the exporter writes the number.

    Prometheus 2 keeps the `le` of the exporter (`1`, in some clients `1.0`), Prometheus 3
    writes `1.0`; Go clients write `1e-05` and `1e+06`.

    Raises:
        ValueError: The bound is no finite decimal, so no bucket can have it as edge.
    """
    exact = Decimal(bound.numerator) / Decimal(bound.denominator)
    if Fraction(exact) != bound:
        raise ValueError(f"the bound {bound} is not a decimal number")
    forms = [_plain(exact)]
    if exact and not _PLAIN[0] <= abs(exact) < _PLAIN[1]:
        forms.append(_scientific(exact))
    return Matcher("le", "=~", "|".join(forms).replace(".", "[.]"))


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
