"""Series that an indicator would count: proof that its selectors can mean something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.model.objective import Indicator, Matcher, Ratio, Selector
from generator.model.patterns import Pattern

Labels = Mapping[str, str]
_NEGATED = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_ANY = ("other", "")


@dataclass(frozen=True, slots=True)
class Specimens:
    """Labels of a series of good events and one of bad events.

    Attributes:
        good: Selected by `total` only; for a histogram, its series.
        bad: Selected by `bad`; for a histogram, the same series.
        is_part: Bad events are among the total, so they are counted twice.
    """

    good: Labels
    bad: Labels
    is_part: bool = False


def specimens(indicator: Indicator) -> Specimens:
    """Find labels of one series of each sort.

    Raises:
        ValueError: There can be none, so the indicator says nothing; the text says why.
    """
    if not isinstance(indicator, Ratio):
        labels = _need(indicator.histogram, indicator.histogram.matchers)
        return Specimens(labels, labels)
    bad, total = indicator.bad, indicator.total
    if bad.metric != total.metric:
        return Specimens(_need(total, total.matchers), _need(bad, bad.matchers))
    both = find_labels((*bad.matchers, *total.matchers))
    if both is None:
        raise ValueError(f"no event can be both {bad} and {total}, so none is ever bad")
    others = (find_labels((*total.matchers, _negate(one))) for one in bad.matchers)
    good = next((labels for labels in others if labels is not None), None)
    if good is None:
        raise ValueError(f"every event of {total} is also one of {bad}, so all are bad")
    return Specimens(good, both, is_part=True)


def _need(selector: Selector, matchers: Sequence[Matcher]) -> Labels:
    labels = find_labels(matchers)
    if labels is None:
        raise ValueError(f"no series can match {selector}")
    return labels


def find_labels(matchers: Sequence[Matcher]) -> Labels | None:
    """Find labels that all matchers take; None where no value of a label was found."""
    found: dict[str, str] = {}
    for label in dict.fromkeys(matcher.label for matcher in matchers):
        mine = [matcher for matcher in matchers if matcher.label == label]
        values = (*(_value(matcher) for matcher in mine), *_ANY)
        value = next((one for one in values if all(m.takes(one) for m in mine)), None)
        if value is None:
            return None
        if value:
            found[label] = value
    return found


def _value(matcher: Matcher) -> str:
    return Pattern.parse(matcher.text).example() if "~" in matcher.operator else matcher.text


def _negate(matcher: Matcher) -> Matcher:
    return Matcher(matcher.label, _NEGATED[matcher.operator], matcher.value)
