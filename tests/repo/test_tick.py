"""What one pass of the reconciler commits, on a real repository and a fleet without chance."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.changes import Committed
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import Person
from generator.model.percent import Percent
from generator.model.rollout import Phase
from reconciler import loop, record
from reconciler.measure import Answer, Series
from reconciler.outlook import Memory, timeline
from reconciler.policy import Advance, Escalate, Hold, Revert
from reconciler.wiring import BareRemote
from tests.builders import (
    ADA,
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Origin,
    baseline,
    fleet,
    freeze,
    pause,
    percent,
    promote,
)
from tests.metrics import HOUR, MINUTE, ROLLOUT, Bad, Plants, Scene, Through, quick

START = NOW + 26 * HOUR
TICK = 10 * MINUTE
SEEN = START + TICK
READY = SEEN + HOUR
ROSA = Person("Rosa Release", "rosa@plants.example")
SETTINGS = layout.environment(EDGE)
MODEL_FILE = layout.model(MODEL)
EXPAND = f"tidegate expand {MODEL} --env {EDGE}, or git revert "
SHARD = layout.shard(EDGE, "s000")


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v12 on 100 sites for 26 hours."""
    scene = Scene(Origin.start(tmp_path_factory.mktemp("proven"), quick(fleet(100))), Plants())
    scene.do(baseline(12), NOW)
    scene.origin.packed()
    return scene


@pytest.fixture(scope="module")
def promoted(proven: Scene, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 on 5 of them, and the reconciler has frozen the history."""
    scene = proven.copy(tmp_path_factory.mktemp("promoted") / "copy")
    scene.do(promote(13), START)
    assert scene.tick(SEEN).commit
    scene.origin.packed()
    return scene


@pytest.fixture
def before(proven: Scene, tmp_path: Path) -> Scene:
    return proven.copy(tmp_path / "copy")


@pytest.fixture
def scene(promoted: Scene, tmp_path: Path) -> Scene:
    return promoted.copy(tmp_path / "copy")


def held(done: loop.Done) -> str:
    """A pass that committed nothing because it holds: why."""
    assert not done.commit
    assert isinstance(done.passed.decision, Hold)
    return done.passed.decision.code


def reverted(done: loop.Done) -> str:
    assert done.commit
    assert isinstance(done.passed.decision, Revert)
    return done.passed.decision.code


def trailers(scene: Scene) -> dict[str, str]:
    (commit,) = scene.tree().log(("**",), 1)
    return dict(commit.trailers)


def touched(scene: Scene) -> list[str]:
    return scene.origin.touched()


def evidence(scene: Scene) -> str:
    return f"{layout.EVIDENCE}/{EDGE}/{MODEL}"


# ------------------------------------------------------------------ the usual course


def test_the_history_is_frozen_first_and_alone(before: Scene) -> None:
    before.do(promote(13), START)
    pointers = before.sites()
    done = before.tick(SEEN)
    name = before.rollout().id
    assert touched(before) == [
        f"{evidence(before)}/{name}/0000-history.json",
        f"{evidence(before)}/{name}/0000-history.ndjson.gz",
    ]
    assert before.sites() == pointers
    assert "froze the history of 100 sites" in done.say()
    assert trailers(before)["Rollout-Sequence"] == "3"


def test_the_evidence_takes_the_next_step(scene: Scene) -> None:
    canary = scene.canary()
    assert held(scene.tick(READY - MINUTE)) == "soak"
    done = scene.tick(READY)
    assert isinstance(done.passed.decision, Advance)
    after = scene.canary()
    assert len(canary) == 5
    assert len(after) == 10
    assert set(canary) < set(after)
    folder = f"{evidence(scene)}/{scene.rollout().id}"
    assert touched(scene) == sorted(
        [
            f"{folder}/0001-advance.json",
            f"{folder}/0001-advance.ndjson.gz",
            ROLLOUT,
            *(
                f"{layout.pointer(EDGE, one, MODEL)}/kustomization.yaml"
                for one in set(after) - set(canary)
            ),
        ]
    )
    told = trailers(scene)
    assert (told["Rollout-Percent"], told["Rollout-Step"]) == ("5->10", "2/5")
    assert told["Verdict"] == "Healthy"
    assert told["Evidence"].startswith(f"{folder}/0001-advance.json@sha256:")


def test_a_step_is_not_taken_twice(scene: Scene) -> None:
    assert scene.tick(READY).commit
    for minutes in (0, 1, 10, 50):
        assert held(scene.tick(READY + minutes * MINUTE)) in ("nodata", "undecided", "soak")


def test_the_whole_climb(scene: Scene) -> None:
    at, seen = READY, []
    while scene.rollout().is_climbing:
        assert scene.tick(at).commit
        seen.append(trailers(scene).get("Rollout-Percent"))
        at += HOUR
    assert seen == ["5->10", "10->25", "25->50", "50->100", "100->0"]
    rollout = scene.rollout()
    assert (rollout.phase, rollout.canary, rollout.percent) == (Phase.COMPLETED, "", Percent(0))
    assert rollout.stable.startswith("v13-")
    assert set(scene.runs().values()) == {rollout.stable}
    assert not [path for path in touched(scene) if path.startswith("sites/")], "pointers stay"
    sequence = scene.origin.git.run("log", "--format=%(trailers:key=Rollout-Sequence,valueonly)")
    assert [int(one) for one in sequence.split()] == [8, 7, 6, 5, 4, 3, 2, 1]
    done = scene.tick(at + HOUR)
    assert (done.commit, done.passed.decision) == ("", None)


# ------------------------------------------------------------------ the soak


@pytest.mark.parametrize("arm", ["canary", "stable", "all"])
def test_time_without_data_does_not_soak(scene: Scene, arm: str) -> None:
    canary = scene.canary()
    everyone = set(scene.runs())
    gone = {"canary": set(canary), "stable": everyone - set(canary), "all": everyone}[arm]
    scene.plants.hide(gone, START + 25 * MINUTE, START + 45 * MINUTE)
    assert held(scene.tick(READY)) == "soak"
    assert held(scene.tick(READY + TICK)) == "soak"
    assert scene.tick(READY + 2 * TICK).commit


def test_one_objective_without_data_does_not_soak(scene: Scene) -> None:
    def drop(series: Series) -> Series | None:
        return None if series.labels["__name__"].startswith("model_prediction_conf") else series

    scene.plants.change = drop
    done = scene.tick(READY)
    assert held(done) == "stale"
    assert done.passed.outlook is not None
    assert done.passed.outlook.situation is not None
    assert done.passed.outlook.situation.soaked == timedelta(0)


def test_a_step_soaks_from_its_own_commit(scene: Scene) -> None:
    late = READY + 4 * MINUTE
    assert scene.tick(late).commit
    assert held(scene.tick(late + HOUR)) == "soak"
    assert scene.tick(late + HOUR + 6 * MINUTE).commit


def test_a_pause_neither_ends_a_soak_nor_begins_it_anew(scene: Scene) -> None:
    scene.do(pause(), START + 30 * MINUTE)
    assert held(scene.tick(READY)) == "paused"
    scene.edit("phase: Paused", "phase: Progressing", READY)
    assert scene.tick(READY).commit


# ------------------------------------------------------------------ harm


def worse(scene: Scene) -> None:
    scene.plants.bad["v13"] = Bad(errors=0.06)


def test_a_breach_is_one_commit_that_gives_back_every_byte(before: Scene) -> None:
    pointers = before.sites()
    worse(before)
    promotion = before.do(promote(13), START)
    assert before.tick(SEEN).commit
    assert before.sites() != pointers
    done = before.tick(SEEN + 2 * TICK)
    assert reverted(done) == "breach"
    assert before.sites() == pointers
    view = before.view
    rollout = view.rollout()
    folder = f"{evidence(before)}/{rollout.id}"
    canaries = [path for path in touched(before) if path.startswith("sites/")]
    assert len(canaries) == 5
    assert set(touched(before)) - set(canaries) == {
        ROLLOUT,
        "rejected.yaml",
        f"{folder}/0001-revert.json",
        f"{folder}/0001-revert.ndjson.gz",
    }
    assert (rollout.phase, rollout.canary, rollout.percent) == (Phase.REVERTED, "", Percent(0))
    (entry,) = view.repository.rejected()
    assert entry.release.startswith("v13-")
    assert entry.evidence == f"{folder}/0001-revert.json"
    assert entry.reason in json.loads(view.files[entry.evidence])["why"]
    told = trailers(before)
    assert told["Reverts"] == promotion
    assert told["Verdict"] == "Breached"
    assert "errors 3.0x stable" in done.say()


def test_a_paused_rollout_is_reverted(scene: Scene) -> None:
    scene.do(pause(), START + 10 * MINUTE)
    worse(scene)
    assert reverted(scene.tick(START + 30 * MINUTE)) == "breach"


@pytest.mark.parametrize("by", ["hand", "command"])
def test_a_bump_of_what_is_breached_is_not_followed(scene: Scene, by: str) -> None:
    worse(scene)
    at = START + 30 * MINUTE
    if by == "hand":
        scene.edit("percent: 5 ", "percent: 50 ", at)
    else:
        scene.do(percent("50"), at)
    assert reverted(scene.tick(at + MINUTE)) == "breach"
    assert set(scene.runs().values()) == {scene.rollout().stable}


def test_only_the_canary_arm_is_blamed(scene: Scene) -> None:
    """The same harm everywhere: nothing the canary did."""
    scene.plants.bad |= {"v12": Bad(errors=0.05), "v13": Bad(errors=0.05)}
    assert held(scene.tick(START + 60 * MINUTE)) == "soak"


def test_a_damaged_ledger_does_not_stop_a_revert(scene: Scene) -> None:
    worse(scene)
    scene.put("rejected.yaml", b"rejected: [\n", SEEN)
    assert reverted(scene.tick(START + 30 * MINUTE)) == "breach"
    assert "rejected.yaml" not in touched(scene)
    assert "not on the ledger, which cannot be read: rejected.yaml:" in scene.origin.message()


def test_a_breach_that_was_proven_outlives_silence(scene: Scene) -> None:
    worse(scene)
    everyone = set(scene.runs())
    scene.plants.hide(everyone, START + 35 * MINUTE, START + 90 * MINUTE)
    assert reverted(scene.tick(START + 60 * MINUTE)) == "breach"


def test_a_plant_that_burns_as_a_whole_asks_a_person(scene: Scene) -> None:
    """Both releases fail alike, a fifth of the time: twenty times what the target allows."""
    scene.plants.bad |= {"v12": Bad(errors=0.2), "v13": Bad(errors=0.2)}
    done = scene.tick(READY)
    assert not done.commit
    assert isinstance(done.passed.decision, Escalate)
    assert "error budget of the canary burns 20 and 20 times" in done.passed.decision.why
    assert "stable 20 times: it may be what all plants share" in done.passed.decision.why


# ------------------------------------------------------------------ metrics that say nothing


def down(scene: Scene) -> None:
    scene.plants.down = True


def doubtful(scene: Scene) -> None:
    scene.plants.warnings = ("partial response: store 3 is away",)


def empty(scene: Scene) -> None:
    scene.plants.change = lambda series: None


def without_numbers(scene: Scene) -> None:
    scene.plants.change = lambda series: replace(series, points=())


def old(scene: Scene) -> None:
    scene.plants.hide(set(scene.runs()), START, START + 30 * HOUR)


@pytest.mark.parametrize("what", [down, doubtful, empty, without_numbers, old])
def test_no_metrics_move_nothing(scene: Scene, what: Callable[[Scene], None]) -> None:
    """Neither what would be the next step, nor what would be a revert."""
    head = scene.head()
    what(scene)
    held(scene.tick(READY))
    worse(scene)
    held(scene.tick(READY + TICK))
    assert scene.head() == head


@pytest.mark.parametrize("what", [down, doubtful, empty, without_numbers])
def test_no_metrics_freeze_no_history(before: Scene, what: Callable[[Scene], None]) -> None:
    before.do(promote(13), START)
    what(before)
    assert held(before.tick(SEEN)) in ("metrics", "doubted", "no-history")


def test_metrics_that_come_back_are_judged_from_where_they_stopped(scene: Scene) -> None:
    worse(scene)
    scene.plants.down = True
    assert held(scene.tick(START + 60 * MINUTE)) == "metrics"
    scene.plants.down = False
    assert reverted(scene.tick(START + 60 * MINUTE)) == "breach"


def test_the_old_release_on_a_canary_site_does_not_count(before: Scene) -> None:
    """The canary sites still run v12, and fail: that says nothing about v13."""
    before.plants.never_start = {"v13"}
    before.do(promote(13), START)
    canary = set(before.canary())

    def fails(series: Series) -> Series:
        if series.labels["site"] not in canary or series.labels.get("outcome") != "error":
            return series
        more = 60 * (START.timestamp())
        grown = tuple((at, value + max(0.0, at * 60 - more) / 100) for at, value in series.points)
        return replace(series, points=grown)

    assert before.tick(SEEN).commit
    before.plants.change = fails
    assert held(before.tick(START + 50 * MINUTE)) == "nodata"


def test_a_third_of_the_sites_away_is_no_reason_to_wait(before: Scene) -> None:
    before.edit("steps: [5, 10, 25, 50, 100]", "steps: [10, 25, 50, 100]", START)
    before.do(promote(13), START)
    canary = before.canary()
    stable = sorted(set(before.runs()) - set(canary))
    before.plants.hide([*canary[:3], *stable[:27]], NOW, START + 30 * HOUR)
    assert before.tick(SEEN).commit
    done = before.tick(READY)
    assert isinstance(done.passed.decision, Advance)
    assert done.commit
    assert done.passed.outlook is not None
    assert done.passed.outlook.situation is not None
    adoption = done.passed.outlook.situation.adoption
    assert (adoption.canary, adoption.reachable, adoption.late) == (10, 7, 0)


# ------------------------------------------------------------------ a release that does not start

AN_HOUR = SEEN + HOUR


@pytest.mark.parametrize("how", ["never starts", "falls silent"])
def test_a_release_that_does_not_start_is_taken_back(before: Scene, how: str) -> None:
    if how == "never starts":
        before.plants.never_start = {"v13"}
    else:
        before.plants.dark = {"v13"}
    before.do(promote(13), START)
    assert before.tick(SEEN).commit
    assert held(before.tick(AN_HOUR)) == "nodata"
    done = before.tick(AN_HOUR + MINUTE)
    assert reverted(done) == "adoption"
    assert "5 of 5 sites never started it" in done.say()
    (entry,) = before.view.repository.rejected()
    assert entry.release.startswith("v13-")


def test_a_paused_release_that_does_not_start_is_taken_back(before: Scene) -> None:
    before.plants.dark = {"v13"}
    before.do(promote(13), START)
    assert before.tick(SEEN).commit
    before.do(pause(), START + 20 * MINUTE)
    assert reverted(before.tick(AN_HOUR + MINUTE)) == "adoption"


def test_two_late_sites_are_not_enough(scene: Scene) -> None:
    gone = scene.canary()[:2]
    scene.plants.hide(gone, START + MINUTE, START + 30 * HOUR)
    assert held(scene.tick(AN_HOUR + MINUTE)) in ("undecided", "soak")


def test_three_late_sites_are(scene: Scene) -> None:
    gone = scene.canary()[:3]
    scene.plants.hide(gone, START + MINUTE, START + 30 * HOUR)
    assert reverted(scene.tick(AN_HOUR + MINUTE)) == "adoption"


def test_sites_that_were_away_before_are_not_late(scene: Scene) -> None:
    scene.plants.hide(scene.canary(), START - 20 * MINUTE, START + 30 * HOUR)
    assert held(scene.tick(AN_HOUR + MINUTE)) == "nodata"


def test_sites_that_come_back_have_their_time_to_start(before: Scene) -> None:
    """They return with the old release: Argo CD could not reach them either."""
    before.plants.never_start = {"v13"}
    before.do(promote(13), START)
    back = AN_HOUR + 30 * MINUTE
    before.plants.hide(before.canary(), START - 20 * MINUTE, back)
    assert before.tick(SEEN).commit
    assert held(before.tick(back + TICK)) == "nodata"
    assert held(before.tick(back + HOUR)) == "nodata"
    assert reverted(before.tick(back + HOUR + TICK)) == "adoption"


def test_a_canary_that_goes_silent_after_it_served_is_taken_back(scene: Scene) -> None:
    scene.plants.hide(scene.canary(), START + 25 * MINUTE, START + 30 * HOUR)
    assert held(scene.tick(START + 50 * MINUTE)) == "undecided"
    assert reverted(scene.tick(READY)) == "breach"
    (path,) = (one for one in touched(scene) if one.endswith("-revert.json"))
    document = json.loads(scene.view.files[path])
    assert "5 of 5 canary sites went silent after they had served it" in document["why"]
    assert {one["verdict"] for one in document["objectives"]} == {"Breached"}
    assert "5 sites no longer report" in scene.origin.message()


def test_silence_of_both_arms_takes_nothing_back(scene: Scene) -> None:
    scene.plants.hide(scene.runs(), START + 25 * MINUTE, START + 30 * HOUR)
    assert held(scene.tick(AN_HOUR + 30 * MINUTE)) in ("stale", "nodata")


def test_a_canary_that_went_back_by_itself_is_not_silent(scene: Scene) -> None:
    """Its sites are seen, under the release that they should no longer serve."""
    stable = scene.rollout().stable
    for site in scene.canary():
        scene.plants.serve(site, stable, START + 25 * MINUTE)
    assert held(scene.tick(READY + HOUR)) == "adoption"


def test_a_network_that_is_down_is_no_bad_release(scene: Scene) -> None:
    everyone = sorted(scene.runs())
    scene.plants.hide(scene.canary(), START + MINUTE, START + 30 * HOUR)
    scene.plants.hide(everyone[:40], START + MINUTE, START + 30 * HOUR)
    assert held(scene.tick(AN_HOUR + MINUTE)) in ("stale", "nodata")


def test_sites_without_work_are_not_late(scene: Scene) -> None:
    """A line that stands still has no events; its site serves all the same.

    Right after a step there is no new tick yet, and only what a site says now is known.
    """
    scene.edit("minSites: 5 ", "minSites: 2 ", SEEN)
    scene.edit("soak: 1h ", "soak: 2h ", SEEN)
    idle = set(scene.canary()[:3])

    def stands_still(series: Series) -> Series:
        is_counter = not series.labels["__name__"].startswith(("model_release", "model_process"))
        if series.labels["site"] not in idle or not is_counter:
            return series
        return replace(series, points=tuple((at, 0.0) for at, _ in series.points))

    scene.plants.change = stands_still
    assert scene.tick(READY + HOUR).commit
    assert held(scene.tick(READY + HOUR + MINUTE)) == "nodata"
    assert held(scene.tick(READY + HOUR + TICK)) in ("undecided", "soak")


# ------------------------------------------------------------------ people


def test_an_edit_of_the_one_line_is_followed(scene: Scene) -> None:
    edit = scene.edit("percent: 5 ", "percent: 25 ", START + 15 * MINUTE, person=ROSA)
    assert len(scene.canary()) == 5
    assert scene.tick(START + 20 * MINUTE).commit
    assert len(scene.canary()) == 25
    assert len([path for path in touched(scene) if path.startswith("sites/")]) == 20
    told = trailers(scene)
    assert told["Requested-By"] == "Rosa Release <rosa@plants.example>"
    assert told["Reason"] == f"follows {edit[:12]}"
    assert told["Rollout-Percent"] == "5->25"
    assert held(scene.tick(START + 70 * MINUTE)) == "soak"
    assert scene.tick(START + 80 * MINUTE).commit
    assert trailers(scene)["Rollout-Percent"] == "25->50"


def test_an_edit_downwards_is_followed_and_soaks_anew(scene: Scene) -> None:
    assert scene.tick(READY).commit
    scene.edit("percent: 10 ", "percent: 6 ", READY + 25 * MINUTE)
    assert scene.tick(READY + 30 * MINUTE).commit
    assert len(scene.canary()) == 6
    assert held(scene.tick(READY + 60 * MINUTE)) == "soak"
    assert held(scene.tick(READY + 80 * MINUTE)) == "soak"
    assert scene.tick(READY + 90 * MINUTE).commit
    assert len(scene.canary()) == 10


def test_a_step_by_command_counts_from_when_it_was_seen(scene: Scene) -> None:
    scene.do(percent("25"), START + 15 * MINUTE)
    done = scene.tick(START + 20 * MINUTE)
    assert "the time at 25% counts from now" in done.say()
    assert not [path for path in touched(scene) if not path.startswith("evidence/")]
    assert held(scene.tick(START + 21 * MINUTE)) in ("soak", "undecided", "nodata")
    assert held(scene.tick(START + 75 * MINUTE)) == "soak"
    assert scene.tick(START + 80 * MINUTE).commit
    assert len(scene.canary()) == 50


def test_a_bump_to_the_top_still_soaks_and_completes(scene: Scene) -> None:
    scene.do(percent("100"), START + 20 * MINUTE)
    assert scene.tick(START + 20 * MINUTE).commit
    assert held(scene.tick(START + 70 * MINUTE)) == "soak"
    assert scene.tick(START + 80 * MINUTE).commit
    assert scene.rollout().phase is Phase.COMPLETED


def test_zero_percent_waits(scene: Scene) -> None:
    scene.edit("percent: 5 ", "percent: 0 ", START + 20 * MINUTE)
    assert scene.tick(START + 25 * MINUTE).commit
    assert scene.canary() == []
    assert held(scene.tick(READY + HOUR)) == "at-zero"


def hand_edited(scene: Scene, done: loop.Done, edit: str, what: str) -> None:
    """The pass holds, names the commit and the command, and commits nothing."""
    assert held(done) == "hand-edit"
    assert isinstance(done.passed.decision, Hold)
    assert done.passed.decision.why == f"{what} changed by hand in {edit[:12]}"
    assert done.passed.decision.command == EXPAND + edit[:12]
    assert done.trouble == f"{done.passed.decision.why}: {done.passed.decision.command}"
    assert scene.head() == edit


def pointer(scene: Scene, site: str) -> str:
    return f"{layout.pointer(EDGE, site, MODEL)}/kustomization.yaml"


def test_an_edited_pointer_holds(scene: Scene) -> None:
    rollout, site = scene.rollout(), scene.canary()[0]
    edit = scene.edit(rollout.canary, rollout.stable, SEEN, path=pointer(scene, site))
    hand_edited(scene, scene.tick(READY), edit, "the pointers were")
    scene.edit(rollout.stable, rollout.canary, READY, path=pointer(scene, site))
    assert scene.tick(READY).commit


def test_an_edited_pointer_holds_also_under_a_bump(scene: Scene) -> None:
    rollout, site = scene.rollout(), scene.canary()[0]
    edit = scene.edit(rollout.canary, rollout.stable, SEEN, path=pointer(scene, site))
    scene.edit("percent: 5 ", "percent: 10 ", SEEN + MINUTE)
    done = scene.tick(READY)
    assert held(done) == "hand-edit"
    assert edit[:12] in done.trouble


def test_a_deleted_pointer_holds(scene: Scene) -> None:
    edit = scene.put(pointer(scene, "plant-0001"), None, SEEN)
    hand_edited(scene, scene.tick(READY), edit, "the pointers were")


def test_an_edited_draw_holds(scene: Scene) -> None:
    path = layout.cohort(EDGE, MODEL)
    lines = scene.view.files[path].decode().splitlines(keepends=True)
    rows = [number for number, line in enumerate(lines) if "plant-" in line]
    lines[rows[0]], lines[rows[50]] = lines[rows[50]], lines[rows[0]]
    edit = scene.put(path, "".join(lines).encode(), SEEN)
    hand_edited(scene, scene.tick(READY), edit, "the draw was")


def test_edited_columns_of_every_pointer_hold(scene: Scene) -> None:
    edit = scene.edit("settings: [] ", "settings: [region] ", SEEN, path=SETTINGS)
    hand_edited(scene, scene.tick(READY), edit, "the columns under settings were")


def test_a_new_site_is_followed(scene: Scene) -> None:
    rows = scene.view.files[SHARD].decode()
    last = rows.rstrip("\n").rpartition("\n")[2]
    scene.put(SHARD, (rows + last.replace("plant-0100", "plant-0101") + "\n").encode(), SEEN)
    done = scene.tick(SEEN + MINUTE)
    assert "pointers follow the sites (5 of 101 on the canary)" in done.say()
    assert touched(scene) == [pointer(scene, "plant-0101")]
    assert "Rollout-Percent" not in trailers(scene)


def test_so_it_is_after_the_rollout(scene: Scene) -> None:
    scene.do(percent("100"), SEEN)
    assert scene.tick(SEEN).commit
    assert scene.tick(SEEN + HOUR).commit
    assert scene.rollout().phase is Phase.COMPLETED
    rows = scene.view.files[SHARD].decode()
    last = rows.rstrip("\n").rpartition("\n")[2]
    scene.put(SHARD, (rows + last.replace("plant-0100", "plant-0101") + "\n").encode(), READY)
    assert "pointers follow the sites (0 of 101" in scene.tick(READY + HOUR).say()


def test_a_fleet_that_vanishes_is_not_followed(scene: Scene) -> None:
    scene.put(SHARD, b"[]\n", SEEN)
    done = scene.tick(READY)
    assert held(done) == "invalid"
    assert f"this would take {MODEL} off every site of {EDGE}" in done.trouble
    assert len(scene.sites()) == 100


@pytest.mark.parametrize("line", ["stable", "canary", "rollout"])
def test_machine_lines_are_not_followed(scene: Scene, line: str) -> None:
    scene.do(freeze(14), SEEN)
    view = scene.view
    rollout = view.rollout()
    (other,) = (one for one in view.repository.releases(EDGE, MODEL) if one.startswith("v14-"))
    new = {"stable": other, "canary": other, "rollout": rollout.id[:-1] + "7"}[line]
    was = {"stable": rollout.stable, "canary": rollout.canary, "rollout": rollout.id}[line]
    edit = scene.edit(f"\n{line}: {was}", f"\n{line}: {new}", SEEN)
    done = scene.tick(READY)
    assert held(done) == "invalid"
    assert done.trouble.startswith((ROLLOUT, layout.cohort(EDGE, MODEL)))
    assert scene.head() == edit


def test_both_arms_the_same_is_no_rollout(scene: Scene) -> None:
    rollout = scene.rollout()
    scene.edit(f"\nstable: {rollout.stable}", f"\nstable: {rollout.canary}", SEEN)
    assert "do not go together" in scene.tick(READY).trouble


def test_the_objectives_of_a_rollout_are_those_it_began_with(scene: Scene) -> None:
    """Else whoever takes the failing objective out makes the model healthy."""
    worse(scene)
    text = scene.view.files[MODEL_FILE].decode()
    first, second = text.index("- name: errors"), text.index("- name: latency")
    scene.put(MODEL_FILE, (text[:first] + text[second:]).encode(), SEEN)
    assert "are not those that this rollout began with" in scene.tick(READY).trouble
    scene.put(MODEL_FILE, text.encode(), READY)
    assert reverted(scene.tick(READY)) == "breach"


def test_another_margin_counts_at_once(scene: Scene) -> None:
    assert held(scene.tick(START + 20 * MINUTE)) == "soak"
    text = scene.view.files[MODEL_FILE].decode()
    scene.put(MODEL_FILE, text.replace("margin: 1.5", "margin: 1.05").encode(), START + 20 * MINUTE)
    done = scene.tick(START + 30 * MINUTE)
    assert held(done) == "undecided"
    anew = scene.tick(START + 30 * MINUTE, memory=Memory())
    assert anew.passed.decision == done.passed.decision


def test_another_interval_is_taken_up(scene: Scene) -> None:
    scene.edit("interval: 10m ", "interval: 7m ", SEEN, path=SETTINGS)
    assert held(scene.tick(START + 50 * MINUTE)) == "soak"
    assert scene.tick(READY + 20 * MINUTE).commit
    assert held(scene.tick(READY + 21 * MINUTE)) in ("nodata", "undecided")


# ------------------------------------------------------------------ what only Git can tell


def test_an_edit_while_nobody_looked_is_no_late_release(scene: Scene) -> None:
    """The pointers did not move before the reconciler came back."""
    scene.edit("percent: 5 ", "percent: 25 ", START + 20 * MINUTE)
    done = scene.tick(START + 140 * MINUTE)
    assert "5% -> 25%" in done.say()
    assert held(scene.tick(START + 160 * MINUTE)) == "soak"


def test_a_commit_pushed_long_after_it_was_made_is_no_late_release(scene: Scene) -> None:
    scene.do(percent("25"), START + 140 * MINUTE, dated=START + 20 * MINUTE)
    assert "counts from now" in scene.tick(START + 140 * MINUTE + MINUTE).say()
    assert held(scene.tick(START + 160 * MINUTE)) == "soak"


def test_nor_is_a_promotion(before: Scene) -> None:
    before.do(promote(13), START, dated=START - 3 * HOUR)
    assert before.tick(START + MINUTE).commit
    assert held(before.tick(START + 2 * MINUTE)) in ("nodata", "undecided")
    assert held(before.tick(START + 60 * MINUTE)) == "soak"
    assert before.tick(READY).commit


def test_a_promotion_from_the_future_is_judged_now(before: Scene) -> None:
    worse(before)
    before.do(promote(13), START, dated=START + 24 * HOUR)
    assert before.tick(SEEN).commit
    assert reverted(before.tick(START + 30 * MINUTE)) == "breach"


def test_a_bump_from_the_future_is_judged_now(scene: Scene) -> None:
    at = START + 2 * TICK
    scene.do(percent("25"), at, dated=START + 24 * HOUR)
    assert scene.tick(at).commit
    assert scene.tick(at + HOUR).commit
    assert len(scene.canary()) == 50


class Checkout:
    """A person's clone, with plain Git."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene, self.folder = scene, folder
        url = str(scene.origin.folder / "origin.git")
        subprocess.run(["git", "clone", "--quiet", url, str(folder)], check=True)

    def git(self, at: datetime, *words: str) -> str:
        """Run one command with the person's clock at that time."""
        stamp = f"{int(at.timestamp())} +0000"
        dates = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words],
            check=True,
            capture_output=True,
            env={**os.environ, **dates},
        )
        return done.stdout.decode().strip()

    def push(self, at: datetime) -> str:
        """Push what stands here; the sites take it up."""
        self.git(at, "push", "--quiet", "origin", "HEAD:main")
        self.scene.follow(at)
        return self.scene.head()


def moments(scene: Scene, now: datetime) -> list[tuple[str, datetime, datetime]]:
    """Read the steps of the rollout: percent, since when sites may move, from when it counts."""
    view = scene.view
    chain = record.read_chain(view.repository.tree, view.rollout())
    found = timeline(view.repository.tree, view.rollout(), chain.seen, now)
    return [(str(one.percent), one.at, one.since) for one in found]


@pytest.mark.parametrize("way", ["merge", "squash", "fast-forward"])
def test_a_promotion_counts_from_when_it_landed(before: Scene, tmp_path: Path, way: str) -> None:
    """It lay on a branch for five hours, while main went on."""
    made = START - 5 * HOUR
    change = promote(13)(before.view.repository)
    assert change is not None
    outcome = before.origin.clone.land(change, ADA, made, "v13")
    assert isinstance(outcome, Committed)
    checkout = Checkout(before, tmp_path / "person")
    if way != "fast-forward":
        before.put("README.md", b"main went on", START - 4 * HOUR)
        checkout.git(START, "pull", "--quiet")
    option = {"merge": "--no-ff", "squash": "--squash", "fast-forward": "--ff-only"}[way]
    checkout.git(START, "merge", "--quiet", option, "origin/v13")
    if way == "squash":
        checkout.git(START, "commit", "--quiet", "-m", "Promote")
    checkout.push(START)
    began = made if way == "fast-forward" else START
    assert moments(before, SEEN) == [("5", began, SEEN)]
    assert before.tick(SEEN).commit
    assert moments(before, READY) == [("5", began, SEEN)]
    assert held(before.tick(START + 60 * MINUTE)) == "soak"
    assert before.tick(READY).commit
    assert moments(before, READY) == [("5", began, SEEN), ("10", READY, READY)]


def test_a_bump_in_a_merged_branch_counts_from_the_merge(scene: Scene, tmp_path: Path) -> None:
    at = START + 30 * MINUTE
    checkout = Checkout(scene, tmp_path / "person")
    checkout.git(SEEN, "switch", "--quiet", "-c", "bump")
    path = tmp_path / "person" / ROLLOUT
    path.write_text(path.read_text().replace("percent: 5 ", "percent: 25 "))
    checkout.git(SEEN, "commit", "--quiet", "-a", "-m", "bump")
    checkout.git(SEEN, "switch", "--quiet", "main")
    checkout.git(at, "merge", "--quiet", "--no-ff", "-m", "Merge the bump", "bump")
    checkout.push(at)
    assert scene.tick(at + MINUTE).commit
    assert moments(scene, at + HOUR) == [
        ("5", START, SEEN),
        ("25", at, at + MINUTE),
    ]
    assert len(scene.canary()) == 25


def test_a_step_that_a_person_reverts_is_a_step_down(scene: Scene, tmp_path: Path) -> None:
    assert scene.tick(READY).commit
    step = scene.head()
    at = READY + 20 * MINUTE
    checkout = Checkout(scene, tmp_path / "person")
    checkout.git(at, "revert", "--no-edit", step)
    checkout.push(at)
    assert len(scene.canary()) == 5
    assert "the time at 5% counts from now" in scene.tick(at + 5 * MINUTE).say()
    assert [percent for percent, _, _ in moments(scene, at + HOUR)] == ["5", "10", "5"]
    assert held(scene.tick(at + HOUR)) == "soak"
    assert scene.tick(at + HOUR + TICK).commit
    assert len(scene.canary()) == 10
    assert trailers(scene)["Rollout-Sequence"] == "6"


@pytest.mark.parametrize("is_bad", [True, False])
def test_a_revert_that_a_person_reverts_is_looked_at_anew(
    scene: Scene, tmp_path: Path, is_bad: bool
) -> None:
    worse(scene)
    at = START + 30 * MINUTE
    assert reverted(scene.tick(at)) == "breach"
    scene.plants.bad["v13"] = Bad()
    checkout = Checkout(scene, tmp_path / "person")
    checkout.git(at, "revert", "--no-edit", scene.head())
    checkout.push(at)
    assert len(scene.canary()) == 5
    assert scene.view.repository.rejected() == ()
    assert "counts from now" in scene.tick(at + MINUTE).say()
    if is_bad:
        worse(scene)
    done = scene.tick(at + 40 * MINUTE)
    if is_bad:
        assert reverted(done) == "breach"
        assert scene.canary() == []
    else:
        assert held(done) == "soak"


def test_a_promotion_that_a_person_reverts_is_over(scene: Scene, tmp_path: Path) -> None:
    start = scene.tree().log((ROLLOUT,), 1)[0].id
    checkout = Checkout(scene, tmp_path / "person")
    checkout.git(SEEN, "revert", "--no-edit", start)
    checkout.push(SEEN + MINUTE)
    done = scene.tick(READY)
    assert (done.commit, done.passed.decision, done.trouble) == ("", None, "")
    scene.do(promote(13), READY)
    assert scene.rollout().id.endswith("-2")
    assert scene.tick(READY + MINUTE).commit


def test_a_frozen_history_that_a_person_reverts_is_frozen_again(
    scene: Scene, tmp_path: Path
) -> None:
    checkout = Checkout(scene, tmp_path / "person")
    checkout.git(SEEN, "revert", "--no-edit", scene.head())
    checkout.push(SEEN)
    assert "froze the history" in scene.tick(SEEN + 5 * MINUTE).say()
    assert held(scene.tick(SEEN + 50 * MINUTE)) == "soak"


def test_a_rollout_that_replaces_another_begins_anew(scene: Scene) -> None:
    scene.edit("onNewVersion: refuse ", "onNewVersion: supersede ", SEEN)
    old = scene.rollout()
    assert scene.tick(READY).commit
    at = READY + 2 * TICK
    scene.do(promote(14), at)
    new = scene.rollout()
    assert len(scene.on(old.canary)) == 0
    assert len(scene.on(new.canary)) == 5
    assert moments(scene, at) == [("5", at, at)]
    assert "froze the history" in scene.tick(at + TICK).say()
    assert held(scene.tick(at + HOUR)) == "soak"
    assert scene.tick(at + HOUR + TICK).commit
    folders = {path.split("/")[3] for path in scene.view.under("evidence")}
    assert folders == {old.id, new.id}


# ------------------------------------------------------------------ deadlines


@pytest.mark.parametrize("what", ["hold", "revert", "ask"])
def test_the_deadline(before: Scene, what: str) -> None:
    before.edit("\nonDeadline: hold", f"\nonDeadline: {what}", NOW + HOUR)
    before.edit("deadline: 72h ", "deadline: 3h ", NOW + HOUR)
    before.do(promote(13), START)
    before.plants.hide(before.canary(), START - HOUR, START + 30 * HOUR)
    assert before.tick(SEEN).commit
    assert held(before.tick(SEEN + 3 * HOUR)) == "nodata"
    done = before.tick(SEEN + 3 * HOUR + MINUTE)
    decision = done.passed.decision
    if what == "revert":
        assert reverted(done) == "deadline"
        assert before.view.repository.rejected() == (), "waiting proves nothing"
        assert before.rollout().phase is Phase.REVERTED
        return
    assert not done.commit
    assert isinstance(decision, Hold if what == "hold" else Escalate)
    assert "3 h 1 min at 5%, deadline 3 h; errors: no canary events" in decision.why
    assert decision.command.startswith("tidegate revert ")


# ------------------------------------------------------------------ the cloud


def test_a_cloud_rollout_is_judged_as_any_other(before: Scene) -> None:
    before.do(baseline(12, CLOUD), START)
    before.do(promote(13, CLOUD), START)
    cloud = next(one for one in before.ticks(READY) if one.passed.environment == CLOUD)
    assert held(cloud) == "no-history"
    assert "no site has reported anything" in cloud.say()
    assert any(CLOUD in text for text in before.plants.asked)


# ------------------------------------------------------------------ several lines


def two(folder: Path) -> Scene:
    """The same fleet with a second model, whose name comes first."""
    files = quick(fleet(100, models=("aaa-model", MODEL)))
    scene = Scene(Origin.start(folder, files), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    return scene


def test_an_invalid_file_holds_only_its_own_line(tmp_path: Path) -> None:
    scene = two(tmp_path)
    path = layout.rollout(EDGE, "aaa-model")
    scene.edit("percent: 0 ", "percent: 5% ", START, path=path)
    done = {one.passed.model: one for one in scene.ticks(SEEN) if one.passed.environment == EDGE}
    assert held(done["aaa-model"]) == "invalid"
    assert done["aaa-model"].trouble.startswith(f"{path}:")
    assert done[MODEL].commit
    assert scene.tick(READY).commit
    assert len(scene.canary()) == 10


def test_a_bug_in_one_line_does_not_stop_another(tmp_path: Path) -> None:
    scene = two(tmp_path)
    scene.do(baseline(12, model="aaa-model"), START)
    scene.do(promote(13, model="aaa-model"), START)

    def ask(promql: str, *words: Any) -> Answer:
        if "aaa-model" in promql:
            raise ZeroDivisionError("not foreseen")
        return scene.plants.query(promql, *words)

    remote = scene.remote
    done = loop.once(remote, lambda _: ask, SEEN, Memory(), lambda _: None)
    found = {one.passed.model: one for one in done if one.passed.environment == EDGE}
    assert isinstance(found["aaa-model"].bug, ZeroDivisionError)
    assert "a bug in tidegate: ZeroDivisionError: not foreseen" in found["aaa-model"].say()
    assert found[MODEL].commit


# ------------------------------------------------------------------ no memory, any clock, anybody


def test_a_reconciler_without_a_disk_makes_the_same_commits(before: Scene, tmp_path: Path) -> None:
    heads = []
    for name in ("keeps", "forgets"):
        mine = before.copy(tmp_path / name)
        mine.do(promote(13), START)
        for minutes in (10, 40, 70, 71, 80, 100):
            if name == "forgets":
                mine.memory = Memory()
                folder = mine.origin.clone.git.folder
                mine.origin.clone = Bare(folder.with_name(f"{minutes}.git"), mine.origin.clone.url)
            mine.tick(START + minutes * MINUTE)
            if minutes == 80:
                worse(mine)
        heads.append(mine.head())
        assert mine.rollout().phase is Phase.REVERTED
    assert heads[0] == heads[1]


def test_a_clock_that_goes_back_waits(scene: Scene) -> None:
    assert scene.tick(READY).commit
    head = scene.head()
    for ago in (5 * MINUTE, 2 * HOUR, 30 * HOUR):
        held(scene.tick(READY - ago))
    assert scene.head() == head
    assert held(scene.tick(READY + 55 * MINUTE)) == "soak"
    assert scene.tick(READY + 60 * MINUTE).commit


def test_a_clock_a_day_ahead_moves_nothing(scene: Scene) -> None:
    """The sites have not got there yet, so nobody has reported anything then."""
    head = scene.head()
    scene.plants.hide(set(scene.runs()), READY + TICK, START + 50 * HOUR)
    assert held(scene.tick(START + 24 * HOUR)) == "stale"
    assert scene.head() == head
    assert scene.tick(READY).commit


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=3)])
def test_two_reconcilers_make_one_commit(scene: Scene, apart: timedelta) -> None:
    """The second pushes between the decision of the first and its push."""
    other = BareRemote(Bare(scene.origin.folder / "other.git", scene.origin.clone.url, "main"))
    landed: list[loop.Done] = []

    def meanwhile() -> None:
        if not landed:
            landed.append(scene.tick(READY + apart, memory=Memory(), remote=other))

    mine = Through(scene.remote, meanwhile)
    done = scene.tick(READY, remote=mine)
    assert landed[0].commit
    assert done.commit == ("" if apart else landed[0].commit)
    steps = scene.origin.git.run("log", "--format=%s", "main").decode().count("5% -> 10%")
    assert steps == 1


def test_a_person_who_is_faster_is_heard(scene: Scene) -> None:
    """Between the decision to advance and the push somebody pauses."""
    was: list[str] = []

    def meanwhile() -> None:
        if not was:
            was.append(scene.do(pause(), READY))

    done = scene.tick(READY, remote=Through(scene.remote, meanwhile))
    assert held(done) == "paused"
    assert scene.head() == was[0]
