"""Series that the rules record, and PromQL put together from names and parsed selectors."""

from collections.abc import Mapping
from datetime import timedelta

from generator.model.counters import counters
from generator.model.objective import Matcher, Objective
from generator.model.spans import write_span

# Per site; only the sites that a rule is about have a series.
SERVING = "site:tidegate_serving:present"
NOT_APPLIED = "site:tidegate_not_applied:present"
NOT_SERVING = "site:tidegate_not_serving:present"
SILENT = "site:tidegate_silent:present"
SEEN = "site:tidegate_seen:present1h"
LOST = "site:tidegate_lost:present"
SITE_EVENTS = "site:tidegate_events:increase6h"
SITE_BAD = "site:tidegate_bad_events:increase6h"
SITE_BURN = "site:tidegate_burning:ratio6h"
# Per model or release.
DESIRED_SITES = "release:tidegate_desired:sites"
APPLIED_SITES = "release:tidegate_applied:sites"
SERVING_SITES = "release:tidegate_serving:sites"
SILENT_SHARE = "model:tidegate_silent:ratio"


def events(window: str) -> str:
    """Name the events of a release in a window."""
    return f"release:tidegate_events:increase{window}"


def bad_events(window: str) -> str:
    """Name the bad events of a release in a window."""
    return f"release:tidegate_bad_events:increase{window}"


def ratio(window: str) -> str:
    """Name the share of bad events of a release in a window, 0..1."""
    return f"release:tidegate_bad:ratio{window}"


def labels(environment: str, model: str, objective: str = "") -> tuple[Matcher, ...]:
    """Match what belongs to one model of one environment."""
    pairs = {"environment": environment, "model": model, "objective": objective}
    return tuple(Matcher(name, "=", value) for name, value in pairs.items() if value)


def select(metric: str, matchers: Mapping[str, str] | tuple[Matcher, ...]) -> str:
    """Write a selector of series with names that are ours."""
    if isinstance(matchers, Mapping):
        matchers = tuple(Matcher(name, "=", value) for name, value in matchers.items())
    return f"{metric}{{{','.join(map(str, matchers))}}}"


def increases(
    objective: Objective, ours: tuple[Matcher, ...], window: str, by: str
) -> tuple[str, str]:
    """Write all events and the bad events of an objective in a window, summed by labels.

    A counter that falls was reset; `increase` knows that, and it survives a gap in the series.
    """
    found = counters(objective.indicator, ours)
    total = f"sum by ({by}) (increase({found.total}[{window}]))"
    part = f"sum by ({by}) (increase({found.part}[{window}]))"
    # The two are extrapolated one by one, so the difference can miss 0 by a hair.
    return total, f"clamp_min({total} - {part}, 0)" if found.part_is_good else part


def span(value: timedelta) -> str:
    """Write a span as PromQL reads it."""
    return write_span(value)
