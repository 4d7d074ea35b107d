"""The real promtool takes every file under `monitoring/`, and its tests hold and can fail."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import layout
from generator.documents.model import read_model
from generator.model.environment import Environment, Kind
from generator.render.monitoring import agent, central, dashboards, model_rules, model_tests
from generator.yamltext import dump
from reconciler.queries import questions
from tests.builders import CLOUD, EDGE, MODEL, Memory, baseline, fleet

RULES, TESTS = layout.rules(EDGE, MODEL), layout.rule_tests(EDGE, MODEL)
# What the agent needs and this promtool may not know: its version, and how it was built.
NEWER = {"sample_age_limit": (2, 50)}
LEFT_OUT = "kubernetes_sd_configs"

# Every kind of indicator and matcher, targets from the lowest to the highest, shared counters.
HARD = r"""
objectives:
- name: availability
  target: 99.999
  bad: 'http_total{code=~"5..|[xy]\\d+"}'
  total: 'http_total{job!="a\"b"}'
- {name: any-error, target: 90, bad: 'http_total{code!~"2.."}', total: http_total}
- name: refused
  target: 5
  bad: refused_total
  total: 'seen_total{camera=~"c[0-3]{1,2}(a|b)?"}'
- {name: fast, target: 99.9, slowerThan: 1s, histogram: 'latency{path="/v1"}'}
- {name: not-slow, target: 99.5, slowerThan: 10s, histogram: 'latency{path="/v1"}'}
- {name: sure, target: 80, below: 0.00001, histogram: confidence}
- {name: very-sure, target: 50, below: 2000000, histogram: confidence}
"""


@pytest.fixture(scope="module", params=["promtool", "promtool3"])
def promtool(
    request: pytest.FixtureRequest, engine: Callable[[str], str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    path = engine(request.param)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([path, *words], capture_output=True, text=True, timeout=100)

    return run


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `promote --baseline` writes in two environments."""
    files = fleet(sites=12, clusters=1)
    for name in (EDGE, CLOUD):
        path = layout.environment(name)
        files[path] = re.sub(rb'prometheus: ""', b'prometheus: "https://p.example"', files[path])
    have = Memory(files).do(baseline(12)).do(baseline(12, CLOUD))
    return write(tmp_path_factory.mktemp("tree"), have.view.under(layout.MONITORING))


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def of(objectives: str, **changed: Any) -> Mapping[str, bytes]:
    """Write rules and tests of a model with these objectives."""
    settings = Environment(EDGE, Kind.EDGE, **changed)
    head = f"apiVersion: tidegate.dev/v1alpha1\nkind: Model\nname: {MODEL}\nimageFrom: tag\n"
    spec = read_model("model.yaml", (head + objectives).encode(), MODEL)
    return {RULES: model_rules(settings, spec), TESTS: model_tests(settings, spec)}


def scaffolded() -> str:
    text = fleet()[layout.model(MODEL)].decode()
    return text[text.index("objectives:") :]


# ------------------------------------------------------------------ what a repository gets


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_the_rules_of_a_new_repository_pass_their_own_tests(promtool, tree: Path, env: str) -> None:
    folder = tree / layout.watched(env)
    rules, tests = sorted(folder.glob("rules/*")), sorted(folder.glob("tests/*"))
    assert [file.name for file in rules] == [file.name for file in tests]
    assert len(rules) == 2
    checked = promtool("check", "rules", "--lint-fatal", *map(str, rules))
    assert checked.returncode == 0, checked.stderr
    if env == CLOUD:  # apart from its name it has the same tests
        same = (tree / TESTS).read_text().replace(EDGE, CLOUD)
        assert (tree / layout.rule_tests(CLOUD, MODEL)).read_text() == same
        return
    ran = promtool("test", "rules", *map(str, tests))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("SUCCESS") == 2


def test_the_central_prometheus_takes_its_settings_and_all_rules(promtool, tree: Path) -> None:
    ran = promtool("check", "config", str(tree / "monitoring/central/prometheus.yaml"))
    assert ran.returncode == 0, ran.stderr
    assert "4 rule files found" in ran.stdout


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_an_agent_takes_its_settings(promtool, tree: Path, tmp_path: Path, env: str) -> None:
    """An older promtool, or one built without Kubernetes, refuses these two keys and no other."""
    file = tree / layout.watched(env) / "agent.yaml"
    ran = promtool("check", "config", "--agent", str(file))
    unknown = set(re.findall(r"field (\w+) not found", ran.stderr))
    assert unknown <= {*NEWER, LEFT_OUT}, ran.stderr
    version = re.search(r"version (\d+)\.(\d+)", promtool("--version").stdout)
    assert version
    for key in unknown - {LEFT_OUT}:
        assert (int(version[1]), int(version[2])) < NEWER[key]
    config = yaml.safe_load(file.read_bytes())
    for key in unknown:
        config["scrape_configs"][0].pop(key, None)
        config["remote_write"][0]["queue_config"].pop(key, None)
    again = tmp_path / "agent.yaml"
    again.write_bytes(dump(config))
    ran = promtool("check", "config", "--agent", str(again))
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("env", "mode"), [(EDGE, "agent"), ("", "prometheus")])
def test_prometheus_takes_the_flags(
    engine: Callable[[str], str], tree: Path, env: str, mode: str
) -> None:
    folder = tree / (layout.watched(env) if env else "monitoring/central")
    words = [engine("prometheus"), f"@{folder}/{mode}.args", "--version"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    wrong = [*words[:2], "--storage.agent.retention.maximal-time=1h", "--version"]
    assert subprocess.run(wrong, capture_output=True, timeout=30).returncode


def test_every_query_of_a_dashboard_is_promql(promtool, tmp_path: Path) -> None:
    rules = []
    for path, data in dashboards().items():
        for panel in json.loads(data)["panels"]:
            for target in panel["targets"]:
                expr = re.sub(r"\$(environment|model|site)\b", "x", target["expr"])
                assert "$" not in expr, path
                rules.append({"record": f"q{len(rules)}", "expr": expr})
    assert len(rules) > 30
    file = tmp_path / "rules.yaml"
    file.write_bytes(dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    ran = promtool("check", "rules", "--lint-fatal", str(file))
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("objectives", ["", HARD])
def test_every_question_of_the_judge_is_promql(promtool, tmp_path: Path, objectives: str) -> None:
    head = f"apiVersion: tidegate.dev/v1alpha1\nkind: Model\nname: {MODEL}\nimageFrom: tag\n"
    spec = read_model("model.yaml", (head + (objectives or scaffolded())).encode(), MODEL)
    asked = questions(EDGE, MODEL, ("v12-9be07d11", "v13-3f9a1c2b"), spec.objectives).texts
    rules = [{"record": f"q{number}", "expr": text} for number, text in enumerate(asked)]
    assert len(rules) >= 2 + 2 * len(spec.objectives) - 4  # some are shared
    file = tmp_path / "rules.yaml"
    file.write_bytes(dump({"groups": [{"name": "judge", "rules": rules}]}))
    ran = promtool("check", "rules", "--lint-fatal", str(file))
    assert ran.returncode == 0, ran.stderr
    rules[0]["expr"] += " or ("
    file.write_bytes(dump({"groups": [{"name": "judge", "rules": rules}]}))
    assert promtool("check", "rules", str(file)).returncode == 1


# ------------------------------------------------------------------ other objectives


@pytest.mark.parametrize(
    ("objectives", "changed"),
    [
        pytest.param(HARD, {"offline_budget": timedelta(hours=2)}, id="every kind of selector"),
        pytest.param(
            scaffolded().replace("99.0", "99.95").replace("95.0", "60"),
            {"offline_budget": timedelta(hours=2), "adopt_within": timedelta(minutes=47)},
            id="other targets, a short budget",
        ),
    ],
)
def test_the_tests_follow_the_objectives(
    promtool, tmp_path: Path, objectives: str, changed: Mapping[str, Any]
) -> None:
    write(tmp_path, of(objectives, **changed))
    checked = promtool("check", "rules", "--lint-fatal", str(tmp_path / RULES))
    assert checked.returncode == 0, checked.stderr
    ran = promtool("test", "rules", str(tmp_path / TESTS))
    assert ran.returncode == 0, ran.stdout + ran.stderr


# Each break of a rule, and the alert whose test has to notice.
BREAKS = [
    ("TidegateErrorBudgetFast", "> 0.144", "> 0.6"),
    ("TidegateErrorBudgetFast", "> 0.144", "> 0.05"),
    ("TidegateErrorBudgetFast", '"2m"', '"2h"'),
    ("TidegateErrorBudgetFast", ">= 10", ">= 0"),
    ("TidegateErrorBudgetSlow", "> 0.06", "> 0.009"),
    ("TidegateErrorBudgetSlow", "over 6h", "over 7h"),
    ("TidegateErrorBudgetFast", 'outcome=\\"error\\"', 'outcome=\\"ok\\"'),
    ("TidegateErrorBudgetFast", 'le=~\\"0[.]60*\\"', 'le=~\\"0[.]70*\\"'),
    ("TidegateObjectiveUnmeasured", 'le=~\\"0[.]250*\\"', 'le=~\\"0[.]50*\\"'),
    ("TidegateSitesBurning", "sum by (release, site)", "sum by (release)"),
    ("TidegateSitesBurning", "topk(5, site:", "topk(5, sites:"),
    ("TidegateNoData", "unless on (environment, model) release:", "and on (model) release:"),
    ("TidegateManySitesSilent", "> 0.30", "> 0.20"),
    ("TidegateManySitesSilent", "< 1", "< 0.1"),
    ("TidegateSitesLost", "offset 2h", "offset 1m"),
    ("TidegateSitesLost", "[2h]", "[9h]"),
    ("TidegateNotApplied", "offset 1h", "offset 1m"),
    ("TidegateNotServing", "and on (environment, model, site)", "or on (environment, model, site)"),
    ("TidegateRolloutStuck", "> 0)", "> 9999)"),
    ("TidegateRolloutStuck", "group_left (rollout, canary)", "group_left (rollout)"),
]


@pytest.mark.parametrize(("alert", "old", "new"), BREAKS)
def test_a_rule_that_is_broken_fails_its_test(
    promtool, tmp_path: Path, alert: str, old: str, new: str
) -> None:
    files = of(scaffolded(), offline_budget=timedelta(hours=2))
    rules, tests = files[RULES].decode(), yaml.safe_load(files[TESTS])
    assert old in rules
    tests["tests"] = [
        one for one in tests["tests"] if one["alert_rule_test"][0]["alertname"] == alert
    ]
    write(tmp_path, {RULES: rules.replace(old, new).encode(), TESTS: dump(tests)})
    ran = promtool("test", "rules", str(tmp_path / TESTS))
    assert ran.returncode == 1, (old, new)
    assert f"alertname: {alert}, time" in ran.stdout + ran.stderr


def test_every_alert_has_a_break_that_its_test_finds() -> None:
    text = of(scaffolded())[RULES].decode()
    assert {alert for alert, *_ in BREAKS} == set(re.findall(r'alert: "(\w+)"', text))


def test_a_silent_reconciler_is_noticed(promtool, tree: Path, tmp_path: Path) -> None:
    folder = tree / layout.watched(EDGE)
    rules = (folder / "rules/_reconciler.yaml").read_text()
    tests = (folder / "tests/_reconciler.yaml").read_bytes()
    for old, new in (("> 900", "> 9000"), ("or absent(", "or (")):
        assert old in rules
        files = {
            RULES: rules.replace(old, new).encode(),
            TESTS: tests.replace(b"_reconciler", MODEL.encode()),
        }
        write(tmp_path, files)
        ran = promtool("test", "rules", str(tmp_path / TESTS))
        assert ran.returncode == 1, (old, ran.stdout)


def test_the_server_takes_whatever_an_agent_keeps() -> None:
    """The window of the server is longer than the log of the agent with the largest budget."""
    few = Environment("a", Kind.EDGE, offline_budget=timedelta(hours=6))
    many = Environment("b", Kind.EDGE, offline_budget=timedelta(days=2), prometheus="https://p")
    (text,) = (data for path, data in central([few, many]).items() if path.endswith(".yaml"))
    assert yaml.safe_load(text)["storage"]["tsdb"]["out_of_order_time_window"] == "51h"
    files = {Path(path).name: data.decode() for path, data in agent(many).items()}
    assert "--storage.agent.retention.max-time=50h\n" in files["agent.args"]
    queue = yaml.safe_load(files["agent.yaml"])["remote_write"][0]["queue_config"]
    assert queue["sample_age_limit"] == "50h"


def test_replaced_targets_change_rules_and_tests() -> None:
    one, other = of(scaffolded()), of(scaffolded().replace("99.0", "98.0"))
    assert one[RULES] != other[RULES]
    assert one[TESTS] != other[TESTS]
