"""`monitoring/` follows from objectives, settings and baselines, and one bad file holds its own."""

import json
import re
from functools import cache

import pytest
import yaml

from generator import layout
from generator.intents.delivery import refresh
from generator.lint import Finding, lint
from generator.model.telemetry import OWN_LABELS
from generator.render.monitoring import dashboards
from generator.repository import Repository
from tests.builders import (
    ASKED,
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Memory,
    add_sites,
    baseline,
    fleet,
    plant,
    promote,
)

OTHER = "other-model"
RULES, TESTS = layout.rules(EDGE, MODEL), layout.rule_tests(EDGE, MODEL)
MODEL_FILE, ROLLOUT = layout.model(MODEL), layout.rollout(EDGE, MODEL)
ENVIRONMENT = layout.environment(EDGE)
AGENT = f"{layout.watched(EDGE)}/agent.yaml"
CENTRAL = "monitoring/central/prometheus.yaml"


@cache
def settled() -> Memory:
    have = Memory(fleet(sites=100, clusters=1, models=(MODEL, OTHER)))
    return have.do(baseline(12)).do(baseline(12, model=OTHER)).do(baseline(12, CLOUD))


def findings(have: Memory) -> tuple[Finding, ...]:
    return lint(Repository(have), NOW)


def expanded(have: Memory) -> Memory:
    return have.do(lambda repository: refresh(repository, ASKED))


def test_nothing_is_watched_before_the_first_baseline() -> None:
    assert Memory(fleet()).view.under(layout.MONITORING) == {}


def test_a_test_evaluates_the_groups_in_the_order_of_the_rules() -> None:
    files = settled().files
    rules, tests = (
        yaml.safe_load(files[path(EDGE, MODEL)]) for path in (layout.rules, layout.rule_tests)
    )
    assert tests["group_eval_order"] == [group["name"] for group in rules["groups"]]


def test_a_baseline_brings_what_watches_it_and_nothing_else_changes_it() -> None:
    have = settled()
    assert findings(have) == ()
    assert {
        path.removeprefix(f"{layout.watched(EDGE)}/")
        for path in have.view.under(layout.watched(EDGE))
    } == {
        "agent.args",
        "agent.yaml",
        *(
            f"{kind}/{name}.yaml"
            for kind in ("rules", "tests")
            for name in ("_reconciler", MODEL, OTHER)
        ),
    }
    assert OTHER not in str(have.view.under(layout.watched(CLOUD)).keys())
    later = have.do(promote(13)).do(add_sites(plant(500)))
    assert later.view.under(layout.MONITORING) == have.view.under(layout.MONITORING)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (RULES, "> 0.144", "> 0.2"),
        (TESTS, '"35m"', '"36m"'),
        (f"{layout.watched(EDGE)}/rules/_reconciler.yaml", "absent", "absent_over_time"),
        (AGENT, '"30s"', '"60s"'),
        (f"{layout.watched(EDGE)}/agent.args", "=26h", "=4h"),
        (CENTRAL, '"27h"', '"30m"'),
        ("monitoring/central/prometheus.args", "--web.enable", "--no-web.enable"),
        (layout.dashboard("fleet"), "Silent sites", "Sites"),
    ],
)
def test_an_edited_file_is_named_alone_and_expand_mends_it(path: str, old: str, new: str) -> None:
    text = settled().files[path].decode()
    assert old in text
    have = settled().put(path, text.replace(old, new, 1).encode())
    (one,) = findings(have)
    assert (one.rule, one.file) == ("monitoring", path)
    assert one.line
    assert one.fix.startswith("tidegate expand")
    assert expanded(have).files == settled().files


@pytest.mark.parametrize("path", [RULES, AGENT, CENTRAL, layout.dashboard("site")])
def test_a_file_that_is_gone_is_named_and_comes_back(path: str) -> None:
    have = settled().put(path, None)
    assert [(one.rule, one.file) for one in findings(have)] == [("monitoring", path)]
    assert expanded(have).files == settled().files


@pytest.mark.parametrize("path", ["monitoring/x.yaml", f"{layout.watched('old')}/agent.yaml"])
def test_a_file_too_many_is_named_and_goes(path: str) -> None:
    have = settled().put(path, b"a: b\n")
    assert [(one.rule, one.file) for one in findings(have)] == [("monitoring", path)]
    assert expanded(have).files == settled().files


def test_a_changed_target_changes_its_own_rules_and_tests_only() -> None:
    have = settled().edit(layout.model(MODEL), "target: 95.0", "target: 90.0")
    (one,) = findings(have)
    assert (one.rule, one.file) == ("monitoring", layout.rules(CLOUD, MODEL))
    assert one.message.startswith("4 files of monitoring/ are not what objectives")
    before, after = settled().files, expanded(have).files
    assert {path for path in after if after[path] != before.get(path)} == {
        layout.model(MODEL),
        *(
            where(env, MODEL)
            for env in (EDGE, CLOUD)
            for where in (layout.rules, layout.rule_tests)
        ),
    }


def test_the_offline_budget_reaches_agent_and_centre() -> None:
    have = settled().edit(layout.environment(EDGE), "offlineBudget: 24h", "offlineBudget: 48h")
    files = expanded(have).files
    assert b"retention.max-time=50h\n" in files[f"{layout.watched(EDGE)}/agent.args"]
    assert b"retention.max-time=26h\n" in files[f"{layout.watched(CLOUD)}/agent.args"]
    assert b'"out_of_order_time_window": "51h"' in files[CENTRAL]
    assert b"[2d]" in files[RULES]


@pytest.mark.parametrize(("interval", "every"), [("5m", "30s"), ("30s", "15s"), ("10s", "5s")])
def test_a_site_is_scraped_twice_between_two_looks_of_the_judge(interval: str, every: str) -> None:
    have = settled().edit(ENVIRONMENT, "interval: 5m", f"interval: {interval}")
    found = yaml.safe_load(expanded(have).files[AGENT])
    assert found["global"]["scrape_interval"] == every


@pytest.mark.parametrize(
    ("url", "sends", "user"),
    [
        ("https://p.example/x/", "https://p.example/x/api/v1/write", EDGE),
        ("http://p", "http://p/api/v1/write", None),
    ],
)
def test_a_password_goes_over_tls_only_and_never_stands_in_git(
    url: str, sends: str, user: str | None
) -> None:
    have = expanded(settled().edit(ENVIRONMENT, 'prometheus: ""', f'prometheus: "{url}"'))
    (row,) = yaml.safe_load(have.files[AGENT])["remote_write"]
    assert row["url"] == sends
    assert row.get("basic_auth", {}).get("username") == user
    assert set(row.get("basic_auth", {})) <= {"username", "password_file"}
    assert "remote_write" not in yaml.safe_load(settled().files[AGENT])


def test_a_server_cannot_say_that_it_is_another_site() -> None:
    """What the pod is stands on the pod; the same words of the server itself are dropped."""
    (job,) = yaml.safe_load(settled().files[AGENT])["scrape_configs"]
    assert job["honor_labels"] is False
    targets = {one.get("target_label") for one in job["relabel_configs"]}
    assert targets >= {"environment", "model", "release", "site"}
    (drop,) = job["metric_relabel_configs"]
    assert all(re.fullmatch(drop["regex"], f"exported_{name}") for name in OWN_LABELS)


# ------------------------------------------------------------------ one bad file


@pytest.mark.parametrize(
    "bad",
    [
        layout.model(MODEL),
        layout.environment(CLOUD),
        layout.rollout(EDGE, MODEL),
        layout.shard(CLOUD, "s000"),
    ],
)
def test_a_file_that_cannot_be_read_holds_what_is_its_own(bad: str) -> None:
    before = settled().edit(layout.model(OTHER), "target: 95.0", "target: 90.0")
    have = before.put(bad, b"[")
    assert {(one.rule, one.file) for one in findings(have)} >= {("schema", bad)}
    after = expanded(have)
    assert {one.rule for one in findings(after)} == {"schema"}
    old, new = settled().view.under("monitoring"), after.view.under("monitoring")
    assert {path for path in old | new if old.get(path) != new.get(path)} == {
        layout.rules(EDGE, OTHER),
        layout.rule_tests(EDGE, OTHER),
    }


def test_one_bad_model_lets_other_models_and_sites_pass() -> None:
    have = settled().put(layout.model(MODEL), b"{")
    kept = {path: have.files[path] for path in (RULES, TESTS)}
    have = have.do(promote(13, model=OTHER)).do(add_sites(plant(500)))
    have = have.do(baseline(12, CLOUD, OTHER))
    assert layout.rules(CLOUD, OTHER) in have.files
    assert {path: have.files[path] for path in kept} == kept


# ------------------------------------------------------------------ objectives and spans

ERROR = 'model_predictions_total{outcome="error"}'
TOTAL = "total: 'model_predictions_total'"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ERROR, "model_predictions_total", "errors: every event of model_predictions_total is"),
        (ERROR, 'x{a="1",a="2"}', 'errors: no series can match x{a="1",a="2"}'),
        (TOTAL, "total: 'model_predictions_total{outcome=\"ok\"}'", "errors: no event can be both"),
        (ERROR, 'model_predictions_total{outcome="failed"}', "errors: no model_predictions_total"),
        (ERROR, 'model_predictions_total{outcome=~"fail.*"}', "errors: no model_predictions_to"),
        (ERROR, "model_prediction_total", "errors: there is no metric model_prediction_total"),
        (ERROR, "model_release_info", "errors: model_release_info is a gauge, not a counter"),
        (TOTAL, "total: model_prediction_confidence", "errors: model_prediction_confidence is a h"),
        ("model_prediction_latency_seconds", "model_prediction_latency_second", "latency: there "),
        ("'model_prediction_confidence'", "model_predictions_total", "confidence: model_predict"),
        ("below: 0.6", "below: 60", "confidence: model_prediction_confidence lies between 0 and 1"),
    ],
)
def test_an_objective_that_cannot_be_measured_is_named(old: str, new: str, said: str) -> None:
    have = expanded(settled().edit(MODEL_FILE, old, new))
    (one,) = findings(have)
    assert (one.rule, one.file) == ("objectives", MODEL_FILE)
    assert one.message.startswith(said)
    assert have.files[MODEL_FILE].decode().splitlines()[one.line - 1].strip() != ""
    assert one.line > 13
    assert one.fix


def test_other_metrics_of_a_server_are_its_own_business() -> None:
    have = settled().edit(MODEL_FILE, ERROR, "model_rejects_total")
    have = have.edit(MODEL_FILE, TOTAL, "total: 'nv_inference_count{gpu!=\"\"}'")
    assert findings(expanded(have)) == ()


@pytest.mark.parametrize(
    ("path", "old", "new", "key"),
    [
        (ENVIRONMENT, "history: 24h", "history: 23h", "history"),
        (ENVIRONMENT, "offlineBudget: 24h", "offlineBudget: 25h", "history"),
        (ROLLOUT, "deadline: 72h", "deadline: 23h", "deadline"),
        (ENVIRONMENT, "adoptWithin: 1h", "adoptWithin: 72h", "deadline"),
    ],
)
def test_spans_that_leave_no_room_are_named(path: str, old: str, new: str, key: str) -> None:
    have = expanded(settled().edit(path, old, new))
    found = findings(have)
    assert {one.rule for one in found} == {"spans"}
    for one in found:
        assert have.files[one.file].decode().splitlines()[one.line - 1].startswith(f"{key}:")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (ENVIRONMENT, "offlineBudget: 24h", "offlineBudget: 2h"),
        (ENVIRONMENT, "history: 24h", "history: 48h"),
        (ROLLOUT, "deadline: 72h", "deadline: 24h"),
    ],
)
def test_spans_that_just_fit_are_fine(path: str, old: str, new: str) -> None:
    assert findings(expanded(settled().edit(path, old, new))) == ()


# ------------------------------------------------------------------ dashboards


@pytest.mark.parametrize("name", ["fleet", "rollout", "site"])
def test_a_dashboard_can_be_imported_anywhere(name: str) -> None:
    board = json.loads(dashboards()[layout.dashboard(name)])
    assert (board["uid"], board["schemaVersion"]) == (f"tidegate-{name}", 41)
    variables = {one["name"] for one in board["templating"]["list"]}
    cells = set()
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        where = panel["gridPos"]
        assert where["x"] + where["w"] <= 24
        mine = {(where["x"] + dx, where["y"]) for dx in range(where["w"])}
        assert not cells & mine
        cells |= mine
        for target in panel["targets"]:
            used = set(re.findall(r"\$\{?(\w+)", json.dumps(target)))
            assert used <= variables
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_only_the_dashboard_of_one_site_reads_series_of_sites_as_they_come() -> None:
    for name in ("fleet", "rollout"):
        for panel in json.loads(dashboards()[layout.dashboard(name)])["panels"]:
            for target in panel["targets"]:
                assert not re.search(r"\bmodel_\w+", target["expr"]), target["expr"]
