"""Scenarios: promtool's notation, chance by name, and a file whose every mistake is told."""

from datetime import timedelta
from math import isnan
from typing import Any

import pytest

from generator.changes import ChangeSet
from generator.errors import InputError
from reconciler.simulate import Notation, read_scenario
from reconciler.simulate.commits import Commits
from reconciler.simulate.notation import Chance
from reconciler.simulate.scenario import START, Kind, Where

SCENARIO = """\
apiVersion: tidegate.dev/v1alpha1
kind: Scenario
about: "a fleet"
fleet:
  sites: {north: 60, south: 40}
environment: {interval: 10m}
rollout: {steps: [5, 100], soak: 1h}
series:
- {series: 'model_predictions_total{outcome="ok"}', values: '0+98x40', runs: canary}
faults:
- {fault: api, with: "503", at: 30m, for: 20m}
people:
- {at: 40m, do: pause}
expect:
- {at: 40m, decision: Hold, percent: 5, not: {verdict: Breached}}
"""


def read() -> Any:
    return read_scenario("s.yaml", SCENARIO.encode())


def edited(old: str, new: str) -> list[str]:
    """Read an edited scenario, and give its problems as `line: text`."""
    assert SCENARIO.count(old) == 1, old
    with pytest.raises(InputError) as told:
        read_scenario("s.yaml", SCENARIO.replace(old, new).encode())
    return [f"{one.line}: {one.message}" for one in told.value.problems]


# ------------------------------------------------------------------ the notation


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("0+20x3", (0, 20, 40, 60)),
        ("7-1.5x2", (7, 5.5, 4)),
        ("-3+1x2", (-3, -2, -1)),
        ("5x3", (5, 5, 5, 5)),
        ("5", (5,)),
        ("_ 1 _x3 2", (None, 1, None, None, None, 2)),
        ("1 stale 2", (1, None, 2)),
        ("1e3+0x1", (1000, 1000)),
        ("  0+1x1   9 ", (0, 1, 9)),
        ("Inf -Inf", (float("inf"), float("-inf"))),
        ("0~0x3", (0, 0, 0, 0)),
        ("4 _ ~0x2", (4, None, 4, 4)),
    ],
)
def test_a_series_is_written_out(text: str, points: tuple[float | None, ...]) -> None:
    assert Notation.parse(text).points("a") == points


def test_a_value_may_be_no_number() -> None:
    (value,) = Notation.parse("NaN").points()
    assert value is not None
    assert isnan(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "x",
        "1+",
        "1+2",
        "1+2x",
        "1+2x-3",
        "_3",
        "1_000",
        "--1",
        "nan x",
        "0+20x30000",
        "~2",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"notation|at least one|at most"):
        Notation.parse(text)


def test_chance_follows_from_a_name() -> None:
    series = Notation.parse("0~20x300")
    assert series.is_by_chance
    assert series.points("one") == series.points("one")
    assert series.points("one") != series.points("other")
    steps = [b - a for a, b in zip(series.points("one"), series.points("one")[1:], strict=False)]  # type: ignore[operator]
    assert all(step >= 0 for step in steps)


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 49.0, 51.0, 600.0])
def test_chance_has_the_mean_and_the_variance_of_poisson(mean: float) -> None:
    chance = Chance("here")
    found = [chance.poisson(mean) for _ in range(4000)]
    average = sum(found) / len(found)
    variance = sum((one - average) ** 2 for one in found) / len(found)
    assert average == pytest.approx(mean, abs=4 * (mean / 4000) ** 0.5 + 1e-9)
    assert variance == pytest.approx(mean, rel=0.12)


# ------------------------------------------------------------------ the file


def test_a_scenario_is_read() -> None:
    found = read()
    assert len(found.sites) == 100
    assert found.sites["south-0040"] == "south"
    assert found.lead == timedelta(hours=26)
    (series,) = found.series
    assert (series.metric, series.labels) == ("model_predictions_total", {"outcome": "ok"})
    assert series.where == Where(runs="canary")
    (fault,) = found.faults
    assert (fault.kind, fault.text, fault.until) == (Kind.API, "503", timedelta(minutes=50))
    (expected,) = found.expected
    assert (expected.wants, expected.refuses, expected.line) == (
        {"decision": "Hold", "percent": "5"},
        {"verdict": "Breached"},
        15,
    )
    assert found.promoted == START + timedelta(hours=26)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("soak: 1h", "soak: soon", "7: rollout: soak: 'soon' is not a span of time"),
        ("soak: 1h", "soack: 1h", "7: rollout: unknown key 'soack'"),
        ("interval: 10m", "interval: 1s", "6: environment: interval lies between 10s and 1h"),
        ("north: 60", "north: 0", "5: sites: 0 does not lie between 1 and 10000"),
        ("0+98x40", "0+98", "9: values: '0+98' is not in the notation"),
        ('{outcome="ok"}', '{outcome=~"ok"}', "9: series: 'model_predictions_total"),
        ("runs: canary", "runs: both", "9: runs: 'both' is neither canary nor stable"),
        ("runs: canary", "sites: west", "9: sites: 'west' is none of the groups north, south"),
        ("fault: api", "fault: fire", "11: fault: 'fire' is none of api, warnings"),
        ('with: "503"', 'with: "404"', "11: '404' is none of 500, 503"),
        ("do: pause", "do: dance", "13: do: 'dance' is not a percentage"),
        ("decision: Hold", "decision: Wait", "15: decision: 'Wait' is none of Advance"),
        ("{verdict: Breached}", "{verdict: Bad}", "15: verdict: 'Bad' is none of Healthy"),
        ("about:", "abuot:", "3: unknown key 'abuot'"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in edited(old, new)), edited(old, new)


def test_an_expectation_expects_something() -> None:
    expect = "- {at: 40m, decision: Hold, percent: 5, not: {verdict: Breached}}"
    (problem,) = edited(expect, "- {at: 40m}")
    assert problem == "15: expect something: one of verdict, decision, code, percent, phase, says"
    (problem,) = edited(expect, "- {at: 40m, until: 30m, decision: Hold}")
    assert problem == "15: until 30m lies before at 40m"


# ------------------------------------------------------------------ the branch


def test_commits_are_a_tree_with_a_past() -> None:
    one = Commits({"a/x": b"1", "b": b"2"})
    two = one.land(ChangeSet(one.commit, {"a/x": b"3", "b": None}, "edit"), START, "Ada <a@b>")
    assert (one.read("a/x"), two.read("a/x"), two.read("b")) == (b"1", b"3", None)
    assert list(two.ids("a")) == ["a/x"]
    assert two.id("a/x") != one.id("a/x")
    assert two.at(one.commit) is one
    assert [info.subject for info in two.log(("a/x",), 5)] == ["edit"]
    assert two.log(("a",), 5) == two.log(("*/x",), 5) == two.log(("**",), 5)
    assert two.log(("c",), 5) == one.log(("a/x",), 5) == ()
    assert [data for _, data in two.past("a/x", 5)] == [b"3"]
    with pytest.raises(ValueError, match="not on"):
        two.land(ChangeSet(one.commit, {}, "late"), START, "Ada <a@b>")
