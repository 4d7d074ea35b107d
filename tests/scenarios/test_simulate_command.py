"""`tidegate simulate`: what it prints, what it exits with, and that its notation is promtool's."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulate import Notation
from tidegate.cli import run

SCENARIO = """\
apiVersion: tidegate.dev/v1alpha1
kind: Scenario
about: "three times the errors"
fleet: {sites: {north: 30, south: 30}, delay: 5m}
environment: {interval: 10m, history: 2h}
rollout: {steps: [10, 100], soak: 1h}
lead: 3h
until: 90m
series:
- {series: 'model_predictions_total{outcome="ok"}', values: '0+588x100'}
- {series: 'model_predictions_total{outcome="error"}', values: '0~36x100', runs: canary}
- {series: 'model_predictions_total{outcome="error"}', values: '0~12x100'}
expect:
- {at: 90m, phase: Reverted, percent: 0}
- {at: 10m, until: 90m, not: {decision: Advance}}
"""
Answer = tuple[int, str, str]
Simulate = Callable[..., Answer]


@pytest.fixture
def simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulate:
    """Give a function: text and words -> exit code, standard output, standard error."""

    def simulated(text: str, *words: str) -> Answer:
        file = tmp_path / "s.yaml"
        file.write_text(text)
        try:
            code = run(["simulate", str(file), *words])
        except SystemExit as stop:
            code = int(str(stop.code))
        out, err = capsys.readouterr()
        return code, out.replace(f"{tmp_path}/", ""), err

    return simulated


def test_it_tells_what_changes_and_what_lands(simulate: Simulate) -> None:
    code, out, err = simulate(SCENARIO)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "+0:10   10%  None      None"
    assert lines[1] == "        commit: defect-detector edge-k3s: froze the history of 60 sites"
    place = next(number for number, line in enumerate(lines) if "Revert [breach]" in line)
    assert lines[place].split()[1:3] == ["0%", "Breached"]
    assert lines[place + 1].startswith(
        "        commit: defect-detector edge-k3s: revert v2, 10% -> 0%"
    )
    assert lines[-1] == "s.yaml: as expected (2): three times the errors"
    assert err == "went through it 1 of 1 times\n"


def test_what_came_otherwise_is_a_diff_and_an_exit_code(simulate: Simulate) -> None:
    wrong = SCENARIO.replace("phase: Reverted, percent: 0", "phase: Progressing, decision: Hold")
    code, out, _ = simulate(wrong)
    assert code == 1
    assert "line 14, at +1:30: decision\n  - Hold\n  + None\n" in out
    assert "line 14, at +1:30: phase\n  - Progressing\n  + Reverted\n" in out
    assert out.endswith("s.yaml: not as expected: three times the errors\n")


def test_an_expectation_that_no_pass_meets_is_not_met(simulate: Simulate) -> None:
    code, out, _ = simulate(SCENARIO.replace("- {at: 90m, phase", "- {at: 95m, phase"))
    assert code == 1
    assert "line 14, at +1:35: pass\n  - a pass then\n  + none\n" in out


def test_as_data_it_holds_every_pass(simulate: Simulate) -> None:
    code, out, _ = simulate(SCENARIO, "--json")
    told = json.loads(out)
    (time,) = told["times"]
    assert (code, told["about"], time["asExpected"]) == (0, "three times the errors", True)
    assert [one["since"] for one in time["passes"]] == [
        f"+{m // 60}:{m % 60:02d}" for m in range(10, 100, 10)
    ]
    last = time["passes"][-1]
    assert (last["phase"], last["percent"], last["commit"]) == ("Reverted", "0", None)


def test_the_same_scenario_gives_the_same_bytes(simulate: Simulate) -> None:
    assert simulate(SCENARIO, "--json") == simulate(SCENARIO, "--json")


def test_other_luck_is_another_seed(simulate: Simulate) -> None:
    code, out, err = simulate(SCENARIO.replace("about:", "seeds: 2\nabout:"), "--json")
    one, other = json.loads(out)["times"]
    assert code == 0
    assert (one["seed"], other["seed"]) == (1, 2)
    assert one["passes"] != other["passes"]
    assert "2 of 2" in err


def test_a_person_is_followed(simulate: Simulate) -> None:
    people = "people:\n- {at: 15m, do: revert}\nexpect:"
    code, out, _ = simulate(SCENARIO.replace("expect:", people), "--all")
    assert code == 0
    assert "+0:20   0%   None      None" in out


def test_a_wrong_file_is_told_with_its_line(simulate: Simulate) -> None:
    code, out, err = simulate(SCENARIO.replace("soak: 1h", "soak: 1"))
    assert (code, out) == (1, "")
    assert "s.yaml:6: rollout: soak: " in err


TEXTS = ["0+20x3 _ _x2 5 stale 7-1x2", "3x2 1e3", "_x2 0.5+0.25x4", "-4+2x3 _ 9"]


def test_promtool_writes_the_same_points(engine: Callable[[str], str], tmp_path: Path) -> None:
    """Each point is asked for alone, without what Prometheus would look back to."""
    tests: list[dict[str, Any]] = []
    for text in TEXTS:
        asked = [
            {
                "expr": "last_over_time(m[59s])",
                "eval_time": f"{minute}m",
                "exp_samples": [] if value is None else [{"labels": "m", "value": value}],
            }
            for minute, value in enumerate(Notation.parse(text).points())
        ]
        series = [{"series": "m", "values": text}]
        tests.append({"interval": "1m", "input_series": series, "promql_expr_test": asked})
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": tests}))
    words = (engine("promtool"), "test", "rules", "test.yaml")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
