"""Tests of the rules for promtool: each alert fires when it should, not before, and ends.

They are made from the same objectives as the rules, through their meaning: which events there are
and how many of them are bad. So a changed target changes what is expected, and a rule that no
longer says what the objective says fails its test.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from math import ceil

from generator.model.config import ModelSpec
from generator.model.environment import Environment
from generator.model.objective import Objective
from generator.model.telemetry import (
    RELEASE_INFO,
    ROLLOUT_DEADLINE,
    ROLLOUT_INFO,
    SITE_APPLIED,
    SITE_DESIRED,
    TICK,
)
from generator.render.kustomize import HEADER
from generator.render.monitoring import alerts, expected, promql
from generator.render.monitoring.alerts import Alert
from generator.render.monitoring.burn import FAST, FEWEST_BAD, SLOW, Burn
from generator.render.monitoring.expected import Case, Fires
from generator.render.monitoring.rules import GROUPS
from generator.render.monitoring.world import NEW, OLD, SITES, Phases, Series, World, share
from generator.yamltext import dump

_EVENTS = 1_000_000  # per minute; a share of a millionth is a whole number of events
_MINUTE = timedelta(minutes=1)


def model_tests(settings: Environment, model: ModelSpec) -> bytes:
    """Write the tests of one model's rules.

    Raises:
        ValueError: An objective whose selectors can match nothing.
    """
    world = World(settings, model)
    cases = [case for one in model.objectives for case in _objective(world, one)]
    cases += [case for make in _FLEET for case in make(world)]
    return _file(model.name, cases, GROUPS)


def reconciler_tests(settings: Environment, name: str) -> bytes:
    """Write the tests of the rules about tidegate itself."""
    alert = alerts.silent_reconciler(settings)
    late = ceil(max(3 * settings.interval, timedelta(minutes=5)) / _MINUTE) + 20
    ticks = f"0+60x60 3600+0x{late} {60 * (61 + late)}+60x60"
    mine = Series(TICK, {"environment": settings.name}, ticks)
    fires = [Fires(mine.labels)]
    checks: Mapping[int, Sequence[Fires]] = {60: [], 60 + late: fires, 100 + late: []}
    return _file(
        name,
        [
            Case("ticks stop, and start again", [mine], alert, checks),
            Case("there never was a tick", [], alert, {60: fires}),
        ],
    )


def _file(name: str, cases: Sequence[Case], groups: Sequence[str] = ()) -> bytes:
    tests = [expected.write(case) for case in cases]
    head = {"rule_files": [f"../rules/{name}.yaml"], "evaluation_interval": "5m"}
    # Else promtool takes the groups in any order, and an alert sees what was recorded a tick ago:
    # 5 m, which Prometheus 2 still looks back to, and Prometheus 3 no longer does.
    order = {"group_eval_order": [*groups]} if groups else {}
    return HEADER + dump({**head, **order, "tests": tests})


def _always(hours: int = 12) -> str:
    return f"1+0x{60 * hours}"


# ------------------------------------------------------------------ objectives


def _objective(world: World, one: Objective) -> Iterator[Case]:
    for burn in (FAST, SLOW):
        yield _burns(world, one, burn)
    between = _between(one)
    if between:
        yield _burns_slowly(world, one, between)
    yield _within_budget(world, one)
    yield _too_few(world, one)
    yield _one_site(world, one)
    yield _unmeasured(world, one)


def _far_above(one: Objective, burn: Burn) -> int:
    return min(_EVENTS, ceil(_EVENTS * (1 + burn.threshold(one)) / 2))


def _between(one: Objective) -> int | None:
    """Find a share that is too much for a day, but not for an hour."""
    low, high = (burn.threshold(one) for burn in (SLOW, FAST))
    bad = ceil(_EVENTS * (low + high) / 2)
    return bad if low * _EVENTS < bad < high * _EVENTS else None


def _everywhere(world: World, one: Objective, phases: Phases) -> list[Series]:
    return [row for site in SITES[:2] for row in world.counted(one, site, phases)]


def _fires(world: World, series: Sequence[Series], burn: Burn, phase: int = 0) -> list[Fires]:
    """Say for which objectives it burns: two of them can look at the same events."""
    found = []
    for one in world.model.objectives:
        seen = share(one, series, phase)
        if seen is not None and seen > burn.threshold(one):
            alert = alerts.burning(world.settings, world.model.name, one, burn)
            words = {alerts.SHARE: expected.percentage(seen)}
            labels = world.labels(release=NEW, objective=one.name)
            found.append(Fires(labels, words, alert))
    return found


def _burns(world: World, one: Objective, burn: Burn) -> Case:
    # Some trouble, then the short window has to pass.
    phases = [(40, _EVENTS, _far_above(one, burn)), (120, _EVENTS, 0)]
    series = _everywhere(world, one, phases)
    alert = alerts.burning(world.settings, world.model.name, one, burn)
    name = f"{one.name}: a {burn.name.lower()} burn fires and ends"
    # What is good to this objective can be bad to another one, for ever.
    end = {} if _fires(world, series, burn, 1) else {80: ()}
    return Case(name, series, alert, {0: (), 35: _fires(world, series, burn), **end})


def _burns_slowly(world: World, one: Objective, bad: int) -> Case:
    series = _everywhere(world, one, [(120, _EVENTS, bad)])
    alert = alerts.burning(world.settings, world.model.name, one, FAST)
    checks = {90: _fires(world, series, FAST)}
    return Case(f"{one.name}: a slow burn is no fast one", series, alert, checks)


def _within_budget(world: World, one: Objective) -> Case:
    budget = int(_EVENTS * (100 - one.target) / 100)
    series = _everywhere(world, one, [(120, _EVENTS, budget)])
    alert = alerts.burning(world.settings, world.model.name, one, SLOW)
    checks = {90: _fires(world, series, SLOW)}
    return Case(f"{one.name}: the budget may be used", series, alert, checks)


def _too_few(world: World, one: Objective) -> Case:
    few = [(30, 0, 0), (FEWEST_BAD - 3, 1, 1), (60, 0, 0)]
    series = world.counted(one, SITES[0], few)
    alert = alerts.burning(world.settings, world.model.name, one, FAST)
    checks: Mapping[int, Sequence[Fires]] = dict.fromkeys((30, 35, 40, 45, 60), ())
    return Case(f"{one.name}: a few bad events wake nobody", series, alert, checks)


def _one_site(world: World, one: Objective) -> Case:
    trouble = [(40, _EVENTS, _far_above(one, SLOW)), (460, _EVENTS, 0)]
    sites = {
        SITES[0]: world.counted(one, SITES[0], [(500, _EVENTS, 0)]),
        SITES[2]: world.counted(one, SITES[2], trouble),
    }
    fires = []
    for other in world.model.objectives:
        burning = [site for site in sites if _burns_on(other, sites[site])]
        if burning:
            alert = alerts.sites_burning(world.settings, world.model.name, other)
            named = alerts.sites(
                promql.SITE_BURN, world.settings.name, world.model.name, other.name
            )
            words = {alerts.VALUE: str(len(burning)), named: "".join(f"{s} " for s in burning)}
            labels = world.labels(release=NEW, objective=other.name)
            fires.append(Fires(labels, words, alert))
    goes_on = any(_burns_on(other, sites[SITES[0]]) for other in world.model.objectives)
    # It takes the whole window; all objectives have one form of rule, so one of them shows it.
    end = {} if goes_on or one != world.model.objectives[0] else {420: ()}
    alert = alerts.sites_burning(world.settings, world.model.name, one)
    name = f"{one.name}: one bad site among good ones is named"
    series = [row for rows in sites.values() for row in rows]
    return Case(name, series, alert, {0: (), 35: fires, **end})


def _burns_on(one: Objective, series: Sequence[Series]) -> bool:
    seen = share(one, series, 0)
    return seen is not None and seen > SLOW.threshold(one)


def _unmeasured(world: World, one: Objective) -> Case:
    """Leave out one objective's counters; the others are there, and those that share with it."""
    here = {
        str(row): row
        for other in world.model.objectives
        for row in world.counted(other, SITES[0], [(300, 100, 0)])
    }
    late = {str(row): row for row in world.counted(one, SITES[0], [(200, 100, 0)], late=90)}
    early = [row for name, row in here.items() if name not in late]
    fires = []
    for other in world.model.objectives:
        if share(other, early, 0) is None:
            alert = alerts.unmeasured(world.settings, world.model.name, other)
            labels = world.labels(release=NEW, objective=other.name)
            fires.append(Fires(labels, {alerts.VALUE: "2"}, alert))
    serving = world.sites(RELEASE_INFO, *((site, NEW, _always()) for site in SITES[:2]))
    alert = alerts.unmeasured(world.settings, world.model.name, one)
    name = f"{one.name}: counters that are missing are missed"
    series = [*serving, *early, *late.values()]
    return Case(name, series, alert, {10: [], 60: fires, 120: []})


# ------------------------------------------------------------------ the fleet


def _all(world: World, metric: str, values: str) -> list[Series]:
    return world.sites(metric, *((site, OLD, values) for site in SITES))


def _no_data(world: World) -> Iterator[Case]:
    alert = alerts.no_data(world.settings, world.model.name)
    fires = Fires(world.labels(), {alerts.VALUE: "4"})
    wanted = _all(world, SITE_DESIRED, _always())
    series = [*wanted, *_all(world, RELEASE_INFO, f"{_always(1)} _x60 {_always(2)}")]
    yield Case("no site reports", series, alert, {60: [], 100: [fires], 150: []})
    yield Case("nothing is wanted", _all(world, RELEASE_INFO, _always(2)), alert, {90: []})


def _silent(world: World) -> Iterator[Case]:
    alert = alerts.many_silent(world.settings, world.model.name)
    named = alerts.any_sites(promql.SILENT, world.settings.name, world.model.name)
    fires = Fires(world.labels(), {alerts.SHARE: "50%", named: f"{SITES[2]} {SITES[3]} "})
    away = f"{_always(1)} _x120 {_always(2)}"
    wanted = _all(world, SITE_DESIRED, _always())
    here = world.sites(RELEASE_INFO, *((site, OLD, _always()) for site in SITES[:2]))
    half = world.sites(RELEASE_INFO, *((site, OLD, away) for site in SITES[2:]))
    checks: Mapping[int, Sequence[Fires]] = {60: [], 120: [fires], 210: []}
    yield Case("half of the sites are silent", [*wanted, *here, *half], alert, checks)
    fewer = world.sites(RELEASE_INFO, (SITES[2], OLD, _always()), (SITES[3], OLD, away))
    yield Case("a quarter of the sites is silent", [*wanted, *here, *fewer], alert, {120: []})


def _lost(world: World) -> Iterator[Case]:
    alert = alerts.lost(world.settings, world.model.name)
    budget = world.settings.offline_budget // _MINUTE
    named = alerts.any_sites(promql.LOST, world.settings.name, world.model.name)
    fires = Fires(world.labels(), {alerts.VALUE: "1", named: f"{SITES[0]} "})
    whole, back = f"1+0x{budget + 600}", 60 + budget + 180
    series = [
        *world.sites(SITE_DESIRED, *((site, OLD, whole) for site in SITES[:2])),
        *world.sites(SITE_DESIRED, (SITES[3], OLD, f"_x{back - 60} {whole}")),
        *world.sites(RELEASE_INFO, (SITES[0], OLD, f"1+0x60 _x{budget + 180} {_always(5)}")),
        *world.sites(RELEASE_INFO, (SITES[1], OLD, whole)),
    ]
    checks = {budget: [], back - 10: [fires], back + 40: []}
    yield Case("a site is away for too long, another is new", series, alert, checks)


def _not_applied(world: World) -> Iterator[Case]:
    alert = alerts.not_applied(world.settings, world.model.name)
    yield from _disagreement(world, alert, SITE_APPLIED, promql.NOT_APPLIED, "applied")


def _not_serving(world: World) -> Iterator[Case]:
    alert = alerts.not_serving(world.settings, world.model.name)
    yield from _disagreement(world, alert, RELEASE_INFO, promql.NOT_SERVING, "serving")


def _disagreement(
    world: World, alert: Alert, metric: str, recorded: str, word: str
) -> Iterator[Case]:
    wait = ceil(world.settings.adopt_within / _MINUTE)
    named = alerts.sites(recorded, world.settings.name, world.model.name)
    words = {alerts.VALUE: "1", named: f"{SITES[0]} "}
    fires = Fires(world.labels(release=NEW), words)
    late = wait + 40
    whole = f"1+0x{2 * late}"
    wanted = world.sites(SITE_DESIRED, *((site, NEW, whole) for site in SITES[:3]))
    series = [
        *wanted,
        *world.sites(metric, (SITES[0], OLD, f"1+0x{late}")),
        *world.sites(metric, (SITES[0], NEW, f"_x{late} {whole}")),
        *world.sites(metric, (SITES[1], NEW, whole)),
    ]
    checks = {max(0, wait - 5): [], wait + 25: [fires], late + 15: []}
    yield Case(f"one site is not {word}, another is away", series, alert, checks)
    yield Case(f"nobody knows what is {word}", wanted, alert, {wait + 25: []})


def _stuck(world: World) -> Iterator[Case]:
    alert = alerts.stuck(world.settings, world.model.name)
    name = f"{world.settings.name}-{world.model.name}-{NEW}-1"
    info = {"rollout": name, "canary": NEW, "stable": OLD, "phase": "Progressing"}
    labels = world.labels(rollout=name, canary=NEW)
    fires = Fires(labels, {alerts.TIME: "1h 0m 0s"})
    rollout = world.one(ROLLOUT_INFO, _always(), **info)
    # The deadline lies at 1 h; at 3 h the next step starts.
    deadline = world.one(ROLLOUT_DEADLINE, "3600+0x180 3600000+0x300")
    checks: Mapping[int, Sequence[Fires]] = {55: [], 120: [fires], 200: []}
    yield Case("a step waits for longer than its deadline", [rollout, deadline], alert, checks)
    yield Case("nothing climbs", [rollout], alert, {120: []})


_FLEET: Sequence[Callable[[World], Iterator[Case]]] = (
    _no_data,
    _silent,
    _lost,
    _not_applied,
    _not_serving,
    _stuck,
)
