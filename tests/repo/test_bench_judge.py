"""The bench of the judge runs, and its fleets, intervals and rivals are what they say."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench_judge.cases import all_cases
from tests.bench_judge.fleet import Fleet, Recorded, Rollout, simulate
from tests.bench_judge.rivals import Rule, reverted_at
from tests.bench_judge.run import END, START
from tests.bench_judge.shares import interval, wald_bound

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_bench_simulates_and_writes_its_tables_down(tmp_path: Path) -> None:
    page, data = tmp_path / "judge.md", tmp_path / "outcomes.json"
    page.write_text(f"above\n{START}old\n{END}below\n")
    where = ("--write", "--page", str(page), "--json", str(data))
    command = [sys.executable, "tests/bench_judge", "--scale", "0", "--only", "one step", *where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert page.read_text() == f"above\n{START}\n{done.stdout}\n{END}below\n"
    outcomes = json.loads(data.read_text())
    assert [len(found) for found in outcomes.values()] == [2] * 5
    assert all(one["looks"]["judge"] == 0 for one in outcomes["one step x5"])
    assert "to go" in done.stderr


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in all_cases(1.0)]
    assert len(set(names)) == len(names)


def test_the_same_seed_gives_the_same_rollout() -> None:
    one, same, other = (simulate(Fleet(), Rollout(), (7, n)) for n in (1, 1, 2))
    assert np.array_equal(one.bad, same.bad)
    assert not np.array_equal(one.bad, other.bad)


def test_a_fleet_is_what_its_figures_say() -> None:
    fleet = Fleet(sites=40_000, losing=0.2, cycle=0.0)
    recorded = simulate(fleet, Rollout(steps=((0, 20_000),), times=2.0, since=30), (1,))
    events, bad = recorded.events, recorded.bad
    assert bad[:30].sum() / events[:30].sum() == pytest.approx(0.01, rel=0.03)
    harm = bad[30:, :20_000].sum() / events[30:, :20_000].sum()
    assert harm == pytest.approx(0.02, rel=0.03)
    assert (events == 0).mean() == pytest.approx(0.2 * 17.5 / 60, rel=0.05)
    assert recorded.history[1].sum() / recorded.history[0].sum() == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize(
    ("found", "runs", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (3, 10, 0.0667, 0.6525),
        (10, 10, 0.6915, 1.0),
        (20, 2000, 0.0061, 0.0154),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(
    found: int, runs: int, low: float, high: float
) -> None:
    assert interval(found, runs) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("times", "alpha", "requests"), [(1.5, 0.01, 4207), (2.0, 0.01, 1177), (2.0, 0.05, 765)]
)
def test_no_test_is_faster_than_this(times: float, alpha: float, requests: int) -> None:
    assert wald_bound(0.01, times, alpha) == pytest.approx(requests, abs=1)


@pytest.mark.parametrize(
    ("rule", "look"), [(Rule(1, 0), 1), (Rule(1, 1), 3), (Rule(2, 0), 3), (Rule(5, 0), None)]
)
def test_a_rival_counts_its_failures_in_all(rule: Rule, look: int | None) -> None:
    bad = np.array([[0, 1], [8, 1], [0, 1], [10, 1], [0, 1], [0, 1]])
    history = np.array([[10_000, 10_000], [300, 300]])
    recorded = Recorded(np.full((6, 2), 100), bad, history, (1,) * 6)
    assert reverted_at(rule, recorded) == look
