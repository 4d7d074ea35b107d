"""Recording and alert rules of one model in one environment, for the central Prometheus.

An agent on a site knows no rules, so all of this runs where the series of all sites arrive. What
is heavy at 10,000 sites is recorded once: 6 h windows are summed per site, everything else per
release, and a join of all sites is made only where a series per site is recorded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from generator.model.config import ModelSpec
from generator.model.environment import Environment
from generator.model.objective import Matcher, Objective
from generator.model.telemetry import RELEASE_INFO, SITE_APPLIED, SITE_DESIRED
from generator.render.kustomize import HEADER
from generator.render.monitoring import promql
from generator.render.monitoring.alerts import Alert, model_alerts, reconciler_alerts
from generator.render.monitoring.burn import FAST, FEWEST_BAD, SLOW, number
from generator.render.monitoring.promql import select
from generator.yamltext import dump

RECONCILER = "_reconciler"  # no model can have this name
WHOLE = "environment, model"
_PER_SITE = f"{WHOLE}, site"
_PER_RELEASE = f"{WHOLE}, release"
_ALL = f"{WHOLE}, site, release"
Rule = Mapping[str, object]
_NAME = "tidegate-"
GROUPS = tuple(f"{_NAME}{name}" for name in ("sites", "fast", "slow", "seen", "alerts"))
"""The groups of one model in the order in which a test has to evaluate them."""


def model_rules(settings: Environment, model: ModelSpec) -> bytes:
    """Write the rules of one model.

    Raises:
        ValueError: An objective has a bound that no bucket can have.
    """
    ours = promql.labels(settings.name, model.name)
    groups = [
        _group("sites", "1m", _sites(ours)),
        _group("fast", "1m", _burn(settings, model, FAST.short, FAST.long)),
        _group("slow", "2m", chain(_slow(settings, model), _lost(settings, ours))),
        # Looked at over the whole budget, so there is one sample in half an hour.
        _group("seen", "30m", _seen(ours)),
        _group("alerts", "1m", map(_alert, model_alerts(settings, model))),
    ]
    return HEADER + dump({"groups": groups})


def reconciler_rules(settings: Environment) -> bytes:
    """Write the rules that notice when tidegate itself is silent."""
    alerts = map(_alert, reconciler_alerts(settings))
    return HEADER + dump({"groups": [_group("reconciler", "1m", alerts)]})


def _group(name: str, interval: str, rules: Iterable[Rule]) -> Mapping[str, object]:
    return {"name": f"{_NAME}{name}", "interval": interval, "rules": [*rules]}


def _alert(one: Alert) -> Rule:
    return {
        "alert": one.name,
        "expr": one.expr,
        "for": one.wait,
        "labels": {**one.labels, "severity": one.severity},
        "annotations": one.annotations,
    }


def _record(name: str, expr: str, labels: Mapping[str, str] | None = None) -> Rule:
    return {"record": name, "expr": expr, **({"labels": dict(labels)} if labels else {})}


def _sites(ours: Sequence[Matcher]) -> Iterator[Rule]:
    known = tuple(ours)
    desired, applied = select(SITE_DESIRED, known), select(SITE_APPLIED, known)
    serving = select(promql.SERVING, known)
    wanted = f"max by ({_ALL}) ({desired})"
    yield _record(promql.SERVING, f"max by ({_ALL}) ({select(RELEASE_INFO, known)})")
    for name, series in (
        (promql.DESIRED_SITES, wanted),
        (promql.APPLIED_SITES, f"max by ({_ALL}) ({applied})"),
        (promql.SERVING_SITES, serving),
    ):
        yield _record(name, f"count by ({_PER_RELEASE}) ({series})")
    for name, there in ((promql.NOT_APPLIED, applied), (promql.NOT_SERVING, serving)):
        other = f"({wanted} unless on ({_ALL}) {there})"
        # What is not known of a site is no disagreement: pull mode, or a site that is away.
        yield _record(name, f"{other} and on ({_PER_SITE}) {there}")
    yield _record(promql.SILENT, f"{wanted} unless on ({_PER_SITE}) {serving}")
    silent, all_ = select(promql.SILENT, known), f"count by ({WHOLE}) ({desired})"
    share = f"(count by ({WHOLE}) ({silent}) or 0 * {all_}) / {all_}"
    yield _record(promql.SILENT_SHARE, share)


def _seen(ours: Sequence[Matcher]) -> Iterator[Rule]:
    serving = select(promql.SERVING, tuple(ours))
    yield _record(promql.SEEN, f"max by ({_PER_SITE}) (present_over_time({serving}[1h]))")


def _lost(settings: Environment, ours: Sequence[Matcher]) -> Iterator[Rule]:
    known = tuple(ours)
    desired = select(SITE_DESIRED, known)
    budget = promql.span(settings.offline_budget)
    seen = f"present_over_time({select(promql.SEEN, known)}[{budget}])"
    # A site that joined since then has not been away for so long.
    long_there = f"and on ({_PER_SITE}) {desired} offset {budget}"
    wanted = f"max by ({_ALL}) ({desired})"
    yield _record(promql.LOST, f"{wanted} unless on ({_PER_SITE}) {seen} {long_there}")


def _burn(settings: Environment, model: ModelSpec, *windows: str) -> Iterator[Rule]:
    ours = promql.labels(settings.name, model.name)
    for one in model.objectives:
        labels = _labels(settings, model, one)
        for window in windows:
            total, bad = promql.increases(one, ours, window, "release")
            yield _record(promql.events(window), total, labels)
            yield _record(promql.bad_events(window), bad, labels)
            yield _ratio(settings, model, one, window)


def _ratio(settings: Environment, model: ModelSpec, one: Objective, window: str) -> Rule:
    mine = promql.labels(settings.name, model.name, one.name)
    bad, total = (select(name(window), mine) for name in (promql.bad_events, promql.events))
    return _record(promql.ratio(window), f"{bad} / {total}", _labels(settings, model, one))


def _slow(settings: Environment, model: ModelSpec) -> Iterator[Rule]:
    ours = promql.labels(settings.name, model.name)
    yield from _burn(settings, model, SLOW.short)
    for one in model.objectives:
        labels = _labels(settings, model, one)
        mine = promql.labels(settings.name, model.name, one.name)
        total, bad = promql.increases(one, ours, SLOW.long, "release, site")
        yield _record(promql.SITE_EVENTS, total, labels)
        yield _record(promql.SITE_BAD, bad, labels)
        by = f"{_PER_RELEASE}, objective"
        for name, site in (
            (promql.events(SLOW.long), promql.SITE_EVENTS),
            (promql.bad_events(SLOW.long), promql.SITE_BAD),
        ):
            yield _record(name, f"sum by ({by}) ({select(site, mine)})", labels)
        yield _ratio(settings, model, one, SLOW.long)
        bad, total = select(promql.SITE_BAD, mine), select(promql.SITE_EVENTS, mine)
        burns = f"{bad} / {total} > {number(SLOW.threshold(one))}"
        yield _record(promql.SITE_BURN, f"({burns}) and {bad} >= {FEWEST_BAD}", labels)


def _labels(settings: Environment, model: ModelSpec, one: Objective) -> Mapping[str, str]:
    return {"environment": settings.name, "model": model.name, "objective": one.name}
