"""What doctor says about a Prometheus: who reports, under which names, and how it is set up."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from generator.model.environment import Environment, Kind
from reconciler.checkup import Finding, State
from reconciler.checkup.collector import (
    RuleFile,
    flags,
    lateness,
    read_rules,
    read_span,
    rules,
)
from reconciler.checkup.series import (
    Expected,
    contract,
    duplicates,
    labels,
    releases,
    reporting,
)

URL = "http://prometheus:9090"
EDGE, MODEL, STABLE = "edge-k3s", "defect-detector", "v12-9be07d11"
SITES = tuple(f"plant-{k:04d}" for k in range(4))
EXPECTED = Expected(EDGE, frozenset(SITES), {MODEL: STABLE})
KNOWN = (EDGE, "cloud-eks")
SETTINGS = Environment(EDGE, Kind.EDGE)


def info(site: str, **more: str) -> Mapping[str, str]:
    head = {"__name__": "model_release_info", "environment": EDGE, "model": MODEL}
    return {**head, "site": site, "release": STABLE, "instance": f"{site}-0", **more}


ALL = [info(site) for site in SITES]


def said(found: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.state.value, one.check) for one in found]


def only(found: Iterable[Finding], state: State) -> Finding:
    (one,) = (each for each in found if each.state is state)
    return one


# ------------------------------------------------------------------ who reports


def test_every_site_reports() -> None:
    (one,) = reporting(URL, EXPECTED, ALL, {EDGE: 4})
    assert (one.state, one.message) == (State.OK, "edge-k3s: 4 of 4 sites report")


def test_a_few_silent_sites_are_named_and_most_of_them_a_warning() -> None:
    (one,) = reporting(URL, EXPECTED, ALL[1:], {EDGE: 3})
    assert (one.state, one.message.endswith("silent: plant-0000")) == (State.OK, True)
    assert said(reporting(URL, EXPECTED, ALL[:1], {EDGE: 1})) == [("warning", "metrics.sites")]


def test_a_site_that_git_does_not_know_is_an_error() -> None:
    found = reporting(URL, EXPECTED, [*ALL, info("plant-9999"), info("")], {EDGE: 6})
    one = only(found, State.ERROR)
    assert "2 sites in metrics that Git does not know: (no site label), plant-9999" in one.message
    assert "monitoring/fleet/edge-k3s/agent.yaml" in one.fix


def test_no_series_at_all_is_an_error_that_says_what_is_there_instead() -> None:
    (nothing,) = reporting(URL, EXPECTED, [], {})
    assert "there is no series model_release_info" in nothing.message
    (other,) = reporting(URL, EXPECTED, [], {"cloud-eks": 3})
    assert other.message.endswith("it has those of cloud-eks")
    assert {one.state for one in (nothing, other)} == {State.ERROR}


def test_before_the_baseline_no_site_can_report() -> None:
    (one,) = reporting(URL, replace(EXPECTED, stable={}), [], {})
    assert (one.state, "promote" in one.fix) == (State.NOT_CHECKED, True)


def test_a_missing_or_strange_environment_is_told() -> None:
    assert said(labels(URL, {EDGE: 4}, [EDGE], KNOWN)) == [("ok", "metrics.environment")]
    assert said(labels(URL, {}, [EDGE], KNOWN)) == []
    one = only(labels(URL, {"": 7, EDGE: 1}, [EDGE], KNOWN), State.ERROR)
    assert one.message.startswith("7 series of model_release_info without")
    assert "agent.yaml" in one.fix
    assert said(labels(URL, {"": 7}, [EDGE, "cloud-eks"], KNOWN)) == [
        ("error", "metrics.environment")
    ]
    assert said(labels(URL, {"": 7}, [EDGE], KNOWN)) == [("warning", "metrics.environment")]
    assert said(labels(URL, {"edge": 1}, [EDGE], KNOWN)) == [("warning", "metrics.environment")]


def test_a_stable_release_that_nobody_serves_is_an_error() -> None:
    assert said(releases(URL, EXPECTED, ALL)) == [("ok", "metrics.release")]
    (one,) = releases(URL, EXPECTED, [info("plant-0000", release="v11-00000000")])
    assert one.state is State.ERROR
    assert one.message.endswith(
        "nobody serves the stable release v12-9be07d11; served: v11-00000000"
    )


def test_two_collectors_without_deduplication_are_an_error() -> None:
    assert said(duplicates(URL, EDGE, ALL)) == [("ok", "metrics.twice")]
    twice = [{**one, "replica": letter} for one in ALL for letter in "ab"]
    (one,) = duplicates(URL, EDGE, twice)
    assert one.state is State.ERROR
    assert one.message == (
        "edge-k3s: a process on plant-0000 is counted 2 times, and 3 further ones: "
        "the series differ in replica"
    )
    (single,) = duplicates(URL, EDGE, [*twice[:2], *ALL[1:]])
    assert "is counted 2 times: the series differ in replica" in single.message


def test_two_pods_of_one_site_are_no_duplicates() -> None:
    both = [info("plant-0000", instance=f"pod-{k}") for k in range(2)]
    assert said(duplicates(URL, EDGE, both)) == [("ok", "metrics.twice")]


def test_an_objective_without_series_is_an_error() -> None:
    name = f"{EDGE}/{MODEL}"
    assert said(contract(URL, name, {"a": 1, "b": 2})) == [("ok", "metrics.contract")]
    (one,) = contract(URL, name, {"a": 1, "b": 0, "c": 0})
    assert one.state is State.ERROR
    assert "no series matches b and 1 more" in one.message
    assert one.fix.startswith("correct objectives: in models/defect-detector/model.yaml")


# ------------------------------------------------------------------ how it is set up

FLAGS = {
    "query.lookback-delta": "5m",
    "storage.tsdb.retention.time": "31d",
    "web.enable-remote-write-receiver": "true",
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("0", 0),
        ("250ms", 0.25),
        ("1w", 604800),
        ("", None),
        ("5", None),
    ],
)
def test_a_duration_is_read_as_prometheus_writes_it(text: str, seconds: float | None) -> None:
    assert read_span(text) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("flag", "value", "state", "check"),
    [
        ("query.lookback-delta", "30s", "error", "metrics.lookback"),
        ("storage.tsdb.retention.time", "1d", "error", "metrics.retention"),
        ("web.enable-remote-write-receiver", "false", "warning", "metrics.receiver"),
    ],
)
def test_a_planted_flag_is_found_alone(flag: str, value: str, state: str, check: str) -> None:
    assert {one.state for one in flags(URL, FLAGS, [SETTINGS])} == {State.OK}
    bad = [one for one in flags(URL, {**FLAGS, flag: value}, [SETTINGS]) if one.fix]
    assert said(bad) == [(state, check)]


def test_a_retention_that_is_not_set_is_fifteen_days() -> None:
    found = list(flags(URL, {**FLAGS, "storage.tsdb.retention.time": "0s"}, [SETTINGS]))
    assert "it keeps 15d" in [one.message for one in found]


WINDOW = "storage: {tsdb: {out_of_order_time_window: %s}}"


def test_late_samples_must_be_taken_for_the_whole_budget() -> None:
    assert said(lateness(URL, WINDOW % "27h", [SETTINGS])) == [("ok", "metrics.late")]
    (one,) = lateness(URL, WINDOW % "30m", [SETTINGS])
    assert (one.state, "out_of_order_time_window: 27h" in one.fix) == (State.WARNING, True)
    assert said(lateness(URL, "{}", [SETTINGS])) == [("warning", "metrics.late")]
    assert said(lateness(URL, "[", [SETTINGS])) == [("not checked", "metrics.late")]


GIT = b"groups:\n- name: g\n  rules:\n  - {record: a, expr: x}\n  - {alert: B, expr: y}\n"
FILE = RuleFile("rules/m.yaml", EDGE, frozenset({"a", "B"}))


def loaded(*listed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"groups": [{"name": "g", "rules": list(listed)}]}


def rule(name: str, query: str = f'x{{environment="{EDGE}"}}', **more: str) -> Mapping[str, Any]:
    return {"name": name, "query": query, "health": "ok", **more}


def test_the_names_of_a_rule_file_are_read() -> None:
    assert read_rules("rules/m.yaml", EDGE, GIT) == FILE
    assert read_rules("rules/m.yaml", EDGE, b"[") == RuleFile("rules/m.yaml", EDGE, frozenset())


def test_rules_that_are_not_loaded_or_do_not_work_are_warnings() -> None:
    assert said(rules(URL, [FILE], loaded(rule("a"), rule("B")))) == [("ok", "metrics.rules")]
    (gone,) = rules(URL, [FILE], loaded(rule("a")))
    assert gone.message == "1 rule of Git not loaded: rules/m.yaml"
    (other,) = rules(URL, [FILE], loaded(rule("a", "x"), rule("B", "x")))
    assert other.message == "2 rules of Git not loaded: rules/m.yaml"
    (ill,) = rules(URL, [FILE], loaded(rule("a", health="err", lastError="oh"), rule("B")))
    assert ill.message == "1 rule cannot be evaluated: a: oh"
    assert said(rules(URL, [FILE], None)) == [("warning", "metrics.rules")]
