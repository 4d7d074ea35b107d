"""`tidegate plan`: what a rollout will do, before a merge and when it stands."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from generator.errors import InputError
from generator.repository import Repository
from reconciler.measure import Answer, MetricsUnavailable
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Origin,
    add_sites,
    baseline,
    fleet,
    plant,
    promote,
)
from tests.metrics import HOUR, MINUTE, Plants, Scene
from tests.metrics import quick as quickened
from tests.states import At, Quick
from tidegate.cli import run
from tidegate.commands.plan import text
from tidegate.planning import Plan, data, outline
from tidegate.planning import plan as foresee

LATER = NOW + 26 * HOUR


def nothing(*_: Any) -> Answer:
    raise MetricsUnavailable("Prometheus", "no connection")


def planned(repository: Repository, env: str = EDGE, **words: Any) -> Plan:
    return foresee(repository, env, MODEL, nothing, LATER, **words)


def test_without_rates_it_knows_sites_and_least_times(quick: Quick) -> None:
    found = planned(quick("stable").view.repository)
    assert (found.stands, found.total, found.stages, found.finds) == (False, 100, (), ())
    assert [(str(one.percent), len(one.sites), len(one.joins)) for one in found.steps] == [
        ("5", 5, 5),
        ("10", 10, 5),
        ("25", 25, 15),
        ("50", 50, 25),
        ("100", 100, 50),
    ]
    assert found.basis.source.startswith("unknown: ")
    assert found.lasts == timedelta(hours=10)
    said = "\n".join(text(found))
    assert "100% and complete after at least 10 h" in said
    assert "re-renders 100 Applications, 50 of them at the largest step" in said
    assert f'tidegate revert {MODEL} --env {EDGE} --reason "..."' in said


def test_every_stratum_climbs_in_its_share(quick: Quick) -> None:
    found = planned(quick("stable").view.repository)
    for step in found.steps:
        assert sum(mine for mine, _ in step.strata.values()) == len(step.sites)
        for mine, size in step.strata.values():
            assert abs(mine - size * step.percent.basis_points / 10_000) < 1


def test_of_a_rollout_that_stands_it_names_the_very_sites(quick: Quick) -> None:
    place = quick("climbing")
    found = planned(place.view.repository)
    canary = place.view.on(place.view.rollout().canary)
    assert found.stands
    assert found.steps[0].sites == frozenset(canary)
    assert data(found)["rollout"] == place.view.rollout().id


def test_sites_that_joined_later_are_named(quick: Quick) -> None:
    place = quick("climbing")
    place.must(add_sites(plant(101)))
    found = planned(place.view.repository)
    assert found.excluded == {"plant-0101": "joined after the draw: enters with the last step"}
    assert [len(one.sites) for one in found.steps] == [5, 10, 25, 50, 101]
    assert "  plant-0101: joined after the draw: enters with the last step" in list(text(found))


def test_a_rate_is_enough_for_a_forecast(quick: Quick) -> None:
    found = planned(quick("stable").view.repository, per_hour=3600.0)
    assert found.basis.source == "--rate 3600, and as many bad as each target allows"
    assert [one.lasts for one in found.stages] == [timedelta(hours=2)] * 5
    assert found.stages[0].predictions == pytest.approx(5 * 2 * 3600, rel=0.01)
    assert {one.objective for one in found.finds} == {"errors", "latency", "confidence"}
    said = "\n".join(text(found))
    assert "100% and complete after 10 h" in said
    assert "  errors x2: after " in said


def test_in_the_cloud_traffic_moves_on_every_cluster(quick: Quick) -> None:
    found = planned(quick("stable").view.repository, CLOUD)
    assert [len(one.sites) for one in found.steps] == [2] * len(found.steps)
    assert found.stages == ()
    assert "every step moves traffic on all 2 clusters" in "\n".join(text(found))


@pytest.mark.parametrize("state", ["stable", "climbing"])
def test_a_promotion_says_it_on_one_line(quick: Quick, state: str) -> None:
    said = outline(quick(state).view.repository, EDGE, MODEL)
    assert said == (
        "steps: 5% 5, 10% 10, 25% 25, 50% 50, 100% 100 sites; at least 10 h; "
        f"tidegate plan {MODEL} --env {EDGE} says more"
    )


def test_an_environment_without_sites_is_refused(tmp_path: Path) -> None:
    origin = Origin.start(tmp_path / "new", fleet(0))
    with pytest.raises(InputError, match="has no sites"):
        planned(origin.view.repository)


# ------------------------------------------------------------------ where rates come from


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 on 5 of 100 sites that serve 3,600 predictions an hour; its history is frozen."""
    scene = Scene(Origin.start(tmp_path_factory.mktemp("seen"), quick_files()), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), LATER)
    assert scene.tick(LATER + 10 * MINUTE).commit
    return scene


def quick_files() -> dict[str, bytes]:
    return quickened(fleet(100))


def test_the_metrics_say_how_busy_sites_are(seen: Scene) -> None:
    have = Repository(seen.tree())
    found = foresee(have, EDGE, MODEL, seen.plants.query, LATER)
    assert found.basis.source == "the metrics of the last 24 h"
    rate = found.basis.rates["errors"]
    assert set(rate.events.values()) == {3600.0}
    assert rate.bad["plant-0001"] == pytest.approx(0.02, rel=0.01)


def test_else_the_newest_evidence_does(seen: Scene) -> None:
    found = planned(Repository(seen.tree()))
    name = seen.rollout().id
    assert found.basis.source.startswith(f"the evidence of {name}, since Prometheus: no connection")
    assert set(found.basis.rates["errors"].events.values()) == {3600.0}
    assert found.stages[0].lasts == HOUR


# ------------------------------------------------------------------ the command


@pytest.fixture
def command(
    at: At, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Give a function: words -> exit code, standard output, standard error."""

    def ran(*words: str, now: datetime = LATER) -> tuple[int, str, str]:
        url = f"file://{at('stable').folder}/origin.git"
        where = ("--repo", url, "--state-dir", str(tmp_path / "state"))
        code = run(["plan", *words, *where, "--now", now.isoformat()])
        return code, *capsys.readouterr()

    return ran


def test_the_command_needs_no_metrics(command: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = command(MODEL, "--env", EDGE)
    assert code == 0
    assert out.startswith(f"{EDGE}/{MODEL}: the next promotion, 100 sites\nrates: unknown: ")


def test_as_data_it_is_one_document(command: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = command(MODEL, "--env", EDGE, "--json")
    told = json.loads(out)
    assert (code, told["sites"], told["seconds"]) == (0, 100, 36_000)
    assert [one["sites"] for one in told["steps"]] == [5, 10, 25, 50, 100]
    assert all(one["predictions"] is None for one in told["steps"])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("other", "--env", EDGE), "there is no model 'other'"),
        ((MODEL, "--env", "west"), "there is no environment 'west'"),
    ],
)
def test_a_name_that_nobody_has_is_refused(
    command: Callable[..., tuple[int, str, str]], words: tuple[str, ...], hint: str
) -> None:
    code, _, err = command(*words)
    assert code == 1
    assert hint in err
