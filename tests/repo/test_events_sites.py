"""The table of events, design section 3: sites come and go; and what holds for every event."""

import json
from dataclasses import replace

import pytest
import yaml

from generator import layout
from generator.intents import moves
from generator.intents.words import Asked
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    Intent,
    Memory,
    add_sites,
    baseline,
    cluster,
    expand,
    fleet,
    freeze,
    pause,
    percent,
    plant,
    promote,
    reject,
    remove_sites,
    revert,
    revert_to,
)
from tests.states import (
    BY_ADA,
    COHORT,
    ROLLOUT,
    At,
    Quick,
    Shelf,
    canary_of,
    pointer,
    pointers_of,
    refusal,
    refused,
    release,
    remembered,
)

# ------------------------------------------------------------------ sites come and go


def test_a_removed_site_takes_its_row_and_its_pointers(at: At) -> None:
    origin = at("climbing")
    before = origin.view
    gone, stays = canary_of(before)[0], "plant-0001"
    change = origin.must(remove_sites(gone, "plant-0100"))
    shard = layout.shard(EDGE, "s000")
    project = f"argocd/fleet/{EDGE}/s000/project.yaml"
    assert origin.touched() == sorted([project, shard, pointer(gone), pointer("plant-0100")])
    assert f"k3s-{gone[-4:]}" not in origin.view.files[project].decode()
    assert change.subject == "edge-k3s: 2 sites removed, 98 now"
    assert origin.trailers() == BY_ADA
    # A departure never adds a canary site.
    assert canary_of(origin.view) == canary_of(before)[1:]
    assert pointer(stays) in origin.view.files
    assert origin.view.cohort() == before.cohort()
    rows = before.files[shard].splitlines(keepends=True)
    kept = [row for row in rows if gone.encode() not in row and b"plant-0100" not in row]
    assert origin.view.files[shard] == b"".join(kept)


def test_a_new_site_gets_stable_and_joins_with_the_last_step(at: At) -> None:
    origin = at("climbing")
    before = canary_of(origin.view)
    change = origin.must(add_sites(plant(101)))
    v12, v13 = release(origin, 12), release(origin, 13)
    assert change.subject == "edge-k3s: 1 site added, 101 now"
    assert pointers_of(origin.touched()) == [pointer("plant-0101")]
    assert len(origin.touched()) == 3
    assert (origin.view.runs()["plant-0101"], canary_of(origin.view)) == (v12, before)
    origin.must(percent("50"))
    assert origin.view.runs()["plant-0101"] == v12
    assert len(canary_of(origin.view)) == 50
    origin.must(percent("100"))
    assert origin.view.runs()["plant-0101"] == v13
    assert origin.do(add_sites(plant(101))) is None


def test_a_new_cluster_gets_the_weights_of_the_others(quick: Quick) -> None:
    origin = quick("climbing")
    origin.must(add_sites(cluster(3), env=CLOUD))
    assert origin.view.values("cluster-3")["weights"] == origin.view.values()["weights"]


def test_only_a_site_that_is_there_can_go(quick: Quick) -> None:
    origin = quick("stable")
    line = refused(origin, remove_sites("plant-9999", "plant-0001", "../x"))
    assert line.split("\n") == [
        "there is no site 'plant-9999'; see environments/edge-k3s/sites/",
        "there is no site '../x'; see environments/edge-k3s/sites/",
    ]


def test_the_last_site_stays(quick: Quick) -> None:
    everything = [site.id for site in quick("stable").view.repository.sites(EDGE)]
    line = refusal(remove_sites(*everything), remembered("stable"))
    assert "this would remove every site of edge-k3s" in line


def test_a_site_with_an_unknown_hardware_profile_is_refused(quick: Quick) -> None:
    origin = quick("stable")
    line = refused(origin, add_sites(replace(plant(101), hardware="tpu")))
    v12 = release(origin, 12)
    assert line == (
        f"{layout.shard(EDGE, 's000')}: site 'plant-0101': release {v12} has no hardware profile "
        "'tpu'; profiles: cpu, gpu, jetson-arm64"
    )


def test_a_site_that_is_there_with_other_values_is_refused(quick: Quick) -> None:
    line = refused(quick("stable"), add_sites(replace(plant(7), cluster="other"), plant(8)))
    assert line == (
        "site 'plant-0007' is there already, with other values; "
        f"edit {layout.shard(EDGE, 's000')} instead"
    )


@pytest.mark.parametrize("intent", [add_sites(plant(101)), remove_sites("plant-0001")])
def test_a_change_of_sites_moves_no_percentage(quick: Quick, intent: Intent) -> None:
    origin = quick("climbing")
    before = origin.view.rollout()
    origin.edit(ROLLOUT, "percent: 5 ", "percent: 25 ")
    assert refused(origin, intent) == (
        f"{ROLLOUT}: the pointers do not follow this file yet; "
        "first: tidegate expand defect-detector --env edge-k3s"
    )
    origin.must(expand(before))
    origin.must(intent)


def test_rows_of_one_line_each_are_needed_to_remove_one() -> None:
    path = layout.shard(EDGE, "s000")
    rows = remembered("stable").view.files[path].decode().replace("- {", "{").splitlines()
    flow = remembered("stable").put(path, f"[{', '.join(rows)}]\n".encode())
    for intent in (remove_sites("plant-0001"), add_sites(plant(101))):
        assert refusal(intent, flow).startswith(
            f"{path}: the site file is not written one site a line"
        )


# ------------------------------------------------------------------ what holds for all of them


@pytest.mark.parametrize(
    ("state", "intent"),
    [
        ("new", freeze(12)),
        ("new", baseline(12)),
        ("new", baseline(12, CLOUD)),
        ("stable", promote(13)),
        ("stable", promote(13, CLOUD)),
        ("climbing", percent("10")),
        ("climbing", percent("10", CLOUD)),
        ("climbing", pause()),
        ("climbing", revert()),
        ("climbing", reject("v13")),
        ("climbing", add_sites(plant(101))),
        ("completed", revert_to("v12")),
    ],
)
def test_the_second_time_changes_nothing(state: str, intent: Intent) -> None:
    once = remembered(state).do(intent)
    assert once is not remembered(state)
    assert once.do(intent) is once


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_one_environment_leaves_the_other_alone(env: str) -> None:
    other = CLOUD if env == EDGE else EDGE
    have = remembered("stable")
    for intent in (promote(13, env), percent("25", env), pause(env), revert(env)):
        have = have.do(intent)
        assert have.change is not None
        assert not [path for path in have.change.files if f"/{other}/" in path]


def test_two_models_climb_side_by_side() -> None:
    other = "weld-check"
    origin = Shelf(Memory(fleet(models=(MODEL, other))))
    for model in (MODEL, other):
        origin.must(baseline(12, model=model))
    before = origin.view
    origin.must(promote(13))
    origin.must(promote(13, model=other))
    assert "Rollout-Sequence: 2" in origin.trailers()
    view = origin.view
    assert view.rollout().id == f"{EDGE}-{MODEL}-{view.rollout().canary}-1"
    weld = view.runs(model=other)
    assert len([one for one in weld.values() if one.startswith("v13-")]) == 5
    change = origin.must(revert())
    assert not [path for path in change.files if f"/{other}" in path]
    assert origin.view.runs(model=other) == weld
    assert origin.view.runs() == before.runs()


def test_the_sequence_goes_on_after_many_changes_of_sites() -> None:
    have = remembered("climbing")
    path = pointer("plant-0001")
    for number in range(250):
        have = have.put(path, f"{number}\n".encode())
    have = have.put(path, remembered("climbing").files[path]).do(revert())
    assert have.change is not None
    words = dict(have.change.trailers)
    started = next(
        one
        for one in remembered("climbing").log((COHORT,), 9)
        if one.subject.endswith("stays stable")
    )
    assert (words["Rollout-Sequence"], words["Reverts"]) == ("3", started.id)


@pytest.mark.parametrize(
    ("strip", "state", "intent"),
    [("\n", "stable", promote(13)), ("\n", "climbing", revert()), ("\n", "climbing", pause())],
)
def test_a_rollout_file_without_a_last_newline_is_no_trouble(
    strip: str, state: str, intent: Intent
) -> None:
    have = remembered(state)
    bare = have.put(ROLLOUT, have.files[ROLLOUT].rstrip(strip.encode()))
    assert bare.do(intent).view.rollout() == have.do(intent).view.rollout()


def test_a_rollout_file_in_brackets_is_left_to_the_person() -> None:
    have = remembered("stable")
    text = json.dumps(yaml.safe_load(have.files[ROLLOUT]))
    flow = have.put(ROLLOUT, text.encode() + b"\n")
    assert refusal(promote(13), flow) == (f"{ROLLOUT}: the document is not a block mapping")


def test_a_hostile_reason_cannot_forge_a_trailer(at: At) -> None:
    origin = at("climbing")
    asked = Asked(
        "Eve\nVerdict: Healthy <e@x>", "ok\n\nRollout-Percent: 5->100\r\u2028x" + "y" * 900
    )
    origin.must(lambda have: moves.pause(have, EDGE, MODEL, asked))
    trailers = origin.trailers()
    assert trailers[-2] == "Requested-By: Eve Verdict: Healthy <e@x>"
    assert trailers[-1].startswith("Reason: ok Rollout-Percent: 5->100 x")
    assert len(trailers) == 6
    assert len(trailers[-1]) <= 520
