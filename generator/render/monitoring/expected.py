"""What promtool should find: alerts with the very words that an operator would read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from generator.render.monitoring.alerts import Alert
from generator.render.monitoring.world import Series


@dataclass(frozen=True, slots=True)
class Fires:
    """One alert that is there.

    Attributes:
        labels: Of its series, apart from those of the rule.
        words: What the pieces of its templates become.
        alert: Its rule, where it is not the one that is looked at but one of the same name.
    """

    labels: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One test: series, and which alerts fire when.

    Attributes:
        name: What happens, in words.
        series: What there is.
        alert: The one that is looked at.
        checks: Minutes since the start to what fires then.
    """

    name: str
    series: Sequence[Series]
    alert: Alert
    checks: Mapping[int, Sequence[Fires]]


def write(case: Case) -> Mapping[str, object]:
    """Write a test as promtool reads it."""
    checks = [
        {
            "eval_time": f"{minutes}m",
            "alertname": case.alert.name,
            "exp_alerts": [_alert(one.alert or case.alert, one) for one in fires],
        }
        for minutes, fires in sorted(case.checks.items())
    ]
    return {
        "name": case.name,
        "interval": "1m",
        "input_series": [{"series": str(one), "values": one.values} for one in case.series],
        "alert_rule_test": checks,
    }


def _alert(alert: Alert, one: Fires) -> Mapping[str, object]:
    labels = {**one.labels, **alert.labels, "severity": alert.severity}
    return {
        "exp_labels": labels,
        "exp_annotations": {
            name: _say(text, labels, one.words) for name, text in alert.annotations.items()
        },
    }


def _say(text: str, labels: Mapping[str, str], words: Mapping[str, str]) -> str:
    for piece, word in words.items():
        text = text.replace(piece, word)
    for name, value in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text


def percentage(share: Fraction) -> str:
    """Write a share as `humanizePercentage` of Prometheus does."""
    return f"{float(share) * 100:.4g}%"
