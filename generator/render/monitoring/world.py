"""Series of a made-up fleet, and what an objective sees in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from generator.model.config import ModelSpec
from generator.model.counters import counters, written
from generator.model.environment import Environment
from generator.model.objective import Below, Objective, Ratio, Selector
from generator.model.specimens import specimens

OLD, NEW = "v1-0000000a", "v2-0000000b"
SITES = ("plant-1", "plant-2", "plant-3", "plant-4")
Labels = Mapping[str, str]
Phases = Sequence[tuple[int, int, int]]  # minutes, events and bad events per minute
Rates = Sequence[tuple[int, int]]  # minutes, events per minute


@dataclass(frozen=True, slots=True)
class Series:
    """One series with one sample a minute.

    Attributes:
        metric: Its name.
        labels: All others.
        values: In promtool's notation.
        rates: What it grows by in a minute of each phase, for a counter.
    """

    metric: str
    labels: Labels
    values: str
    rates: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Write its name as PromQL does."""
        inner = ",".join(f"{name}={_quote(value)}" for name, value in self.labels.items())
        return f"{self.metric}{{{inner}}}"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@dataclass(frozen=True, slots=True)
class World:
    """One model in one environment."""

    settings: Environment
    model: ModelSpec

    def labels(self, **further: str) -> Labels:
        """Give the labels of a series of this model."""
        return {"environment": self.settings.name, "model": self.model.name, **further}

    def one(self, metric: str, values: str, **further: str) -> Series:
        """Make a series of this model."""
        return Series(metric, self.labels(**further), values)

    def sites(self, metric: str, *rows: tuple[str, str, str]) -> list[Series]:
        """Say what sites should run, have applied, or serve: (site, release, values)."""
        return [self.one(metric, values, release=name, site=site) for site, name, values in rows]

    def counted(self, one: Objective, site: str, phases: Phases, late: int = 0) -> list[Series]:
        """Make the counters of an objective on one site under the new release.

        Args:
            one: The objective.
            site: Where.
            phases: How many events there are, and how many are bad.
            late: Minutes until the first sample.
        """

        def counter(metric: str, rates: Rates, labels: Labels) -> Series:
            known = self.labels(**labels, release=NEW, site=site)
            values = f"_x{late} {grow(rates)}" if late else grow(rates)
            return Series(metric, known, values, tuple(rate for _, rate in rates))

        every = [(minutes, events) for minutes, events, _ in phases]
        bad = [(minutes, some) for minutes, _, some in phases]
        good = [(minutes, events - some) for minutes, events, some in phases]
        indicator, found = one.indicator, specimens(one.indicator)
        if isinstance(indicator, Ratio):
            rest = good if found.is_part else every
            return [
                counter(indicator.bad.metric, bad, found.bad),
                counter(indicator.total.metric, rest, found.good),
            ]
        is_below = isinstance(indicator, Below)
        bound = indicator.floor if isinstance(indicator, Below) else indicator.bound_s
        edge = written(bound)[SITES.index(site) % 2]  # clients of both sorts, one a site
        name, labels = indicator.histogram.metric, found.good
        return [
            counter(f"{name}_bucket", bad if is_below else good, {**labels, "le": edge}),
            counter(f"{name}_bucket", every, {**labels, "le": "+Inf"}),
            counter(f"{name}_count", every, labels),
        ]


def grow(rates: Rates) -> str:
    """Write a counter that grows at a rate for some minutes, then at the next."""
    total = 0
    parts: list[str] = []
    for minutes, rate in rates:
        start = total + rate if parts else 0
        parts.append(f"{start}+{rate}x{minutes - 1 if parts else minutes}")
        total += rate * minutes
    return " ".join(parts)


def share(one: Objective, series: Iterable[Series], phase: int) -> Fraction | None:
    """Give the share of bad events that an objective sees; None where it sees too little."""
    found = counters(one.indicator, ())
    series = tuple(series)
    total, part = _sum(found.total, series, phase), _sum(found.part, series, phase)
    if not total or part is None:
        return None
    return Fraction(max(0, total - part) if found.part_is_good else part, total)


def _sum(selector: Selector, series: Iterable[Series], phase: int) -> int | None:
    rates = [
        each.rates[phase]
        for each in series
        if each.metric == selector.metric
        and all(matcher.takes(each.labels.get(matcher.label, "")) for matcher in selector.matchers)
    ]
    return sum(rates) if rates else None
