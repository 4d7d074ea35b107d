"""The text format of Prometheus: families of samples, in a stable order.

Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from generator.model.telemetry import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Sample = tuple[tuple[str, ...], float]


def escape(text: str) -> str:
    """Write a label value as it stands between its quotes."""
    return text.translate(_ESCAPES)


def family(
    name: str, metric: Metric, says: str, labels: Sequence[str], samples: Iterable[Sample]
) -> str:
    """Write one metric with all its series, in the order of their labels.

    Args:
        name: Of the metric.
        metric: Counter or gauge.
        says: One line without a backslash.
        labels: Their names.
        samples: Their values, and the number.
    """
    rows = [f"{name}{_labels(labels, held)} {number(value)}\n" for held, value in sorted(samples)]
    return head(name, metric, says) + "".join(rows)


def histogram(name: str, says: str, within: Mapping[float, int], total: int, added: float) -> str:
    """Write one histogram without labels.

    Args:
        name: Of the metric.
        says: One line without a backslash.
        within: Upper bound to events at or below it.
        total: All events.
        added: The sum of what was observed.
    """
    tops = [(f"{top:g}", count) for top, count in sorted(within.items())]
    rows = [f'{name}_bucket{{le="{top}"}} {count}\n' for top, count in [*tops, ("+Inf", total)]]
    ends = f"{name}_sum {number(added)}\n{name}_count {total}\n"
    return head(name, Metric.HISTOGRAM, says) + "".join(rows) + ends


def per_site(name: str, environment: str, model: str, releases: Mapping[str, str]) -> str:
    """Write one series per site; these are nearly all lines, so only what differs is made anew."""
    begin = f'{name}{{environment="{escape(environment)}",model="{escape(model)}",site="'
    ends = {one: f'",release="{escape(one)}"}} 1\n' for one in set(releases.values())}
    return "".join([f"{begin}{escape(site)}{ends[releases[site]]}" for site in sorted(releases)])


def head(name: str, metric: Metric, says: str) -> str:
    """Write the two lines above the series of a metric."""
    return f"# HELP {name} {says}\n# TYPE {name} {metric.value}\n"


def _labels(known: Sequence[str], values: Sequence[str]) -> str:
    pairs = (f'{name}="{escape(value)}"' for name, value in zip(known, values, strict=True))
    inner = ",".join(pairs)
    return f"{{{inner}}}" if inner else ""


def number(value: float) -> str:
    """Write a number as Prometheus reads it back."""
    if isfinite(value):
        return str(value) if isinstance(value, int) else f"{value:.15g}"
    return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
