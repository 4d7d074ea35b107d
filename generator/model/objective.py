"""What good means for a model: ratios of counters, in the words of OpenSLO."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from generator.model.names import check_name
from generator.model.patterns import Pattern, unquote

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]{0,199})(?:\{(.*)\})?", re.ASCII | re.DOTALL)
_MATCHER = re.compile(
    r'\s*([a-zA-Z_][a-zA-Z0-9_]{0,63})\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*', re.ASCII
)
RESERVED = frozenset({"environment", "site", "model", "release", "__name__", "le"})
# As the first word of an expression PromQL reads these as numbers or operators.
_WORDS = frozenset({"atan2", "bool", "group_left", "group_right", "ignoring", "inf", "nan", "on"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; `value` is the text between the quotes, still escaped."""

    label: str
    operator: str
    value: str

    @property
    def text(self) -> str:
        """Give the value as Prometheus reads it."""
        return unquote(self.value)

    def takes(self, value: str) -> bool:
        """Say whether a series with this value of the label is selected; "" where it has none."""
        is_same = self.operator in ("=", "!=")
        found = value == self.text if is_same else Pattern.parse(self.text).matches(value)
        return found != self.operator.startswith("!")

    def __str__(self) -> str:
        """Write PromQL."""
        return f'{self.label}{self.operator}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric name and matchers: all the PromQL that a repository may contain."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Read `name{label="value"}`; functions, `or` and subqueries are errors.

        Raises:
            ValueError: Not in the grammar, or a label that tidegate sets itself.
        """
        selector = cls.read(text)
        taken = [m.label for m in selector.matchers if m.label in RESERVED]
        if taken:
            raise ValueError(f"{text!r} sets the label {taken[0]!r}, which tidegate sets itself")
        if selector.metric.lower() in _WORDS:
            raise ValueError(f"{text!r} is not a selector: PromQL has another use for that word")
        for matcher in selector.matchers:
            if "~" in matcher.operator:
                Pattern.parse(matcher.text)
            unquote(matcher.value)
        return selector

    @classmethod
    def read(cls, text: str) -> "Selector":
        """Read what `str` writes, with labels of tidegate, too.

        Raises:
            ValueError: Not in the grammar.
        """
        found = _SELECTOR.fullmatch(text.strip())
        if not found:
            raise ValueError(
                f"{text!r} is not a selector: write a metric name and matchers, "
                'such as requests_total{outcome="error"}; tidegate takes the differences itself'
            )
        return cls(found.group(1), tuple(_matchers(found.group(2) or "", text)))

    def __str__(self) -> str:
        """Write PromQL."""
        inner = ",".join(str(matcher) for matcher in self.matchers)
        return f"{self.metric}{{{inner}}}" if inner else self.metric


def _matchers(body: str, whole: str) -> list[Matcher]:
    found: list[Matcher] = []
    position = 0
    while position < len(body):
        one = _MATCHER.match(body, position)
        if not one:
            raise ValueError(f"{whole!r} is not a selector: cannot read {body[position:]!r}")
        found.append(Matcher(*one.groups()))
        position = one.end()
        if position < len(body):
            if body[position] != ",":
                raise ValueError(f"{whole!r} is not a selector: expected ',' between matchers")
            position += 1
    return found


@dataclass(frozen=True, slots=True)
class Ratio:
    """Bad events over all events, from two counters."""

    bad: Selector
    total: Selector


@dataclass(frozen=True, slots=True)
class Slower:
    """Bad = slower than `bound_s` seconds, an edge of the histogram."""

    bound_s: Fraction
    histogram: Selector


@dataclass(frozen=True, slots=True)
class Below:
    """Bad = under `floor`, an edge of the histogram."""

    floor: Fraction
    histogram: Selector


Indicator = Ratio | Slower | Below


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of a model.

    Attributes:
        name: RFC 1123 label; "adoption" is built in and taken.
        indicator: What is counted.
        target: The SLO, percent of good events over 30 days, below 100.
        margin: The canary advances only when "margin times worse than stable" is ruled out; > 1.
        about_predictions: It looks at what the model says, not only at whether it answered.
    """

    name: str
    indicator: Indicator
    target: Fraction
    margin: float = 1.5
    about_predictions: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be judged."""
        check_name("objective", self.name, 40)
        if self.name == "adoption":
            raise ValueError("the objective 'adoption' is built in; choose another name")
        if not 0 < self.target < 100:
            raise ValueError(f"target lies between 0 and 100 percent, not {float(self.target)}")
        if not 1 < self.margin <= 10:
            raise ValueError(f"margin lies above 1 and at most 10, not {self.margin}")

    @property
    def budget(self) -> float:
        """Give the share of events, 0..1, that may be bad: with target 99, one in a hundred."""
        return float((100 - self.target) / 100)

    @property
    def negligible(self) -> float:
        """Give the share of bad events, 0..1, under which no ratio matters.

        It is a tenth of the error budget: with target 99, one bad event in a thousand.
        """
        return float((100 - self.target) / 1000)


def weights(objectives: tuple[Objective, ...]) -> Mapping[str, float]:
    """Split the share of alpha that objectives get, equally.

    A tenth stays with the tests that no objective owns (reporting loss, placebo).
    """
    return {o.name: 0.9 / len(objectives) for o in objectives}
