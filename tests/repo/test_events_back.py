"""The table of events, design section 3, back: breach, revert, reject, a second promotion."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from generator import layout
from generator.changes import ChangeSet
from generator.intents import moves
from generator.intents.ledger import entry, with_entry
from generator.intents.moves import Attached
from generator.intents.words import Asked
from generator.model.percent import ZERO
from generator.model.rollout import Phase
from generator.repository import Repository
from tests.builders import (
    ADA,
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Intent,
    freeze,
    percent,
    promote,
    reject,
    revert,
    revert_to,
    unreject,
)
from tests.states import (
    BY_ADA,
    ROLLOUT,
    At,
    Quick,
    Shelf,
    canary_of,
    pins,
    pointer,
    refusal,
    refused,
    release,
    remembered,
)

# ------------------------------------------------------------------ breach and revert


SHARD = layout.shard(EDGE, "s000")


def _bad_row(have: Shelf) -> None:
    have.edit(SHARD, '{id: "plant-0007"', '{id: "Plant 7"')


def _other_hardware(have: Shelf) -> None:
    row = next(r for r in have.view.files[SHARD].decode().splitlines() if '"plant-0007"' in r)
    have.edit(SHARD, row, row.replace('hardware: "', 'hardware: "x-'))


NIGHT = {
    "a bad row": _bad_row,
    "a profile that no release has": _other_hardware,
    "an emptied site file": lambda have: have.put(SHARD, b""),
    "no site file": lambda have: have.put(SHARD, None),
    "a broken environment": lambda have: have.put(layout.environment(EDGE), b"kind: [\n"),
    "a broken ledger": lambda have: have.put(layout.REJECTED, b"kind: [\n"),
    "no draw": lambda have: have.put(layout.cohort(EDGE, MODEL), None),
}


@pytest.mark.parametrize("what", NIGHT)
def test_nothing_that_a_person_broke_stops_a_revert(quick: Quick, what: str) -> None:
    """The canary is bad, and somebody has broken another file since: the sites still come back."""
    have = quick("climbing")
    before = quick("stable").view.under(f"sites/{EDGE}")
    assert have.view.under(f"sites/{EDGE}") != before
    NIGHT[what](have)
    change = have.must(revert())
    assert {path: change.files[path] for path in change.files if path.startswith("sites/")} == {
        path: before[path] for path in before if path in change.files
    }
    assert have.view.under(f"sites/{EDGE}") == before
    rollout = have.view.rollout()
    assert (rollout.phase, rollout.canary, rollout.percent) == (Phase.REVERTED, "", ZERO)
    assert change.subject.startswith(f"{MODEL} {EDGE}: revert v13, 5% -> 0% (5 -> 0 of ")
    assert have.do(revert()) is None


def test_a_site_whose_profile_only_the_canary_has_keeps_it_and_is_named(quick: Quick) -> None:
    have = quick("climbing")
    stable = have.view.rollout().stable
    gone = layout.release(EDGE, MODEL, stable)
    site = have.view.on(have.view.rollout().canary)[0]
    path = pointer(site)
    data = have.view.files[path].replace(b'/gpu"', b'/orin"').replace(b'/cpu"', b'/orin"')
    have.put(path, data.replace(b'/jetson-arm64"', b'/orin"'))
    _bad_row(have)
    assert not [name for name in have.view.under(gone) if "/orin/" in name]
    change = have.must(revert())
    assert f"1 keep the canary, for want of their profile: {site}" in change.body
    assert "Reverted by the pointers alone: " in change.body
    assert path not in change.files
    assert change.subject.endswith("5% -> 0% (5 -> 1 of 100 sites)")


def breach(env: str = EDGE) -> Intent:
    """What the reconciler does on a breach: evidence, verdict and ledger beside the revert."""

    def intent(have: Repository) -> ChangeSet | None:
        rollout = have.rollout(env, MODEL)
        path = layout.evidence_file(env, MODEL, rollout.id, 2, "revert")
        canary = have.release(env, MODEL, rollout.canary)
        added = entry(canary, rollout.id, "errors 2.1x stable", path, NOW)
        files = {path: b"{}\n", layout.REJECTED: with_entry(have, added)}
        words = (("Verdict", "Breached"), ("Evidence", f"{path}@sha256:{'0' * 64}"))
        attached = Attached(files, words)
        return moves.revert(have, env, MODEL, Asked(), attached, "errors 2.1x stable")

    return intent


def test_a_breach_takes_the_canary_back_in_one_commit(at: At) -> None:
    origin = at("stable")
    before = origin.view.under("sites")
    origin.must(promote(13))
    started, v13 = origin.commit, release(origin, 13)
    origin.must(percent("10"))
    change = origin.must(breach())
    view = origin.view
    rollout = view.rollout()
    assert (rollout.percent, rollout.canary, rollout.phase) == (ZERO, "", Phase.REVERTED)
    assert view.under("sites") == before
    (ledger,) = view.repository.rejected()
    assert (ledger.release, ledger.rollout, ledger.reason) == (
        v13,
        rollout.id,
        "errors 2.1x stable",
    )
    assert ledger.key == view.repository.release(EDGE, MODEL, v13).key
    assert len([path for path in origin.touched() if path.startswith("sites/")]) == 10
    assert change.subject == (
        "defect-detector edge-k3s: revert v13, 10% -> 0% (10 -> 0 of 100 sites): errors 2.1x stable"
    )
    assert origin.trailers() == [
        f"Rollout-Id: {rollout.id}",
        "Rollout-Step: 0/5",
        "Rollout-Percent: 10->0",
        "Rollout-Sequence: 4",
        *pins(13),
        "Verdict: Breached",
        f"Evidence: {ledger.evidence}@sha256:{'0' * 64}",
        f"Reverts: {started}",
    ]


@pytest.mark.parametrize("intent", [breach(CLOUD), revert(CLOUD), reject("v13", CLOUD)])
def test_in_the_cloud_the_weights_go_first_and_then_the_objects(at: At, intent: Intent) -> None:
    before = remembered("stable").view.under(f"sites/{CLOUD}")
    origin = at("climbing")
    v12, v13 = release(origin, 12, CLOUD), release(origin, 13, CLOUD)
    change = origin.must(intent)
    rollout = origin.view.rollout(CLOUD)
    assert (rollout.percent, rollout.canary, rollout.phase) == (ZERO, v13, Phase.REVERTED)
    assert origin.view.values()["weights"] == {v12: 10000, v13: 0}
    moved = [path for path in change.files if path.startswith("sites/")]
    assert moved == [f"sites/{CLOUD}/cluster-{n}/{MODEL}/values.yaml" for n in (1, 2)]
    assert origin.view.charts() == [v12, v13]

    second = origin.must(revert(CLOUD))
    assert origin.view.under(f"sites/{CLOUD}") == before
    assert origin.view.rollout(CLOUD).canary == ""
    assert all(data is None for path, data in second.files.items() if "/charts/" in path)
    trailers = origin.trailers()
    assert trailers[:2] == [f"Rollout-Id: {rollout.id}", "Rollout-Sequence: 5"]
    assert origin.do(revert(CLOUD)) is None


def test_a_cloud_canary_without_traffic_goes_in_one_commit(quick: Quick) -> None:
    origin = quick("stable")
    before = origin.view.under("sites")
    origin.must(promote(13, CLOUD))
    origin.must(revert(CLOUD))
    assert origin.view.under("sites") == before


def test_a_persons_revert_writes_no_ledger(at: At) -> None:
    origin = at("stable")
    before = origin.view
    origin.must(promote(13))
    started, v13 = origin.commit, release(origin, 13)
    change = origin.must(revert())
    view = origin.view
    rollout = view.rollout()
    assert (rollout.percent, rollout.canary, rollout.phase) == (ZERO, "", Phase.REVERTED)
    assert view.under("sites") == before.under("sites")
    assert view.files[layout.REJECTED] == before.files[layout.REJECTED]
    assert change.subject == "defect-detector edge-k3s: revert v13, 5% -> 0% (5 -> 0 of 100 sites)"
    assert origin.trailers() == [
        f"Rollout-Id: {EDGE}-{MODEL}-{v13}-1",
        "Rollout-Step: 0/5",
        "Rollout-Percent: 5->0",
        "Rollout-Sequence: 3",
        *pins(13),
        *BY_ADA,
        f"Reverts: {started}",
    ]
    assert origin.do(revert()) is None


def test_a_reverted_release_can_be_promoted_again_and_draws_other_sites(quick: Quick) -> None:
    origin = quick("climbing")
    first = canary_of(origin.view)
    origin.must(revert())
    origin.must(promote(13))
    v13 = release(origin, 13)
    assert origin.view.rollout().id == f"{EDGE}-{MODEL}-{v13}-2"
    assert origin.view.cohort().rollout == f"{EDGE}-{MODEL}-{v13}-2"
    assert canary_of(origin.view) != first
    started = origin.commit
    origin.must(revert())
    assert origin.trailers()[-1] == f"Reverts: {started}"
    origin.must(promote(13))
    assert origin.view.rollout().id.endswith("-3")


# ------------------------------------------------------------------ revert --to


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_an_earlier_release_can_be_set_after_completion(at: At, env: str) -> None:
    origin = at("completed")
    name = origin.view.rollout(env).id
    v12 = release(origin, 12, env)
    change = origin.must(revert_to("v12", env))
    rollout = origin.view.rollout(env)
    assert (rollout.stable, rollout.canary, rollout.phase) == (v12, "", Phase.REVERTED)
    assert origin.view.under(f"sites/{env}") == remembered("stable").view.under(f"sites/{env}")
    total = 100 if env == EDGE else 2
    assert change.subject == f"defect-detector {env}: back to v12 on all {total} sites"
    trailers = origin.trailers()
    assert trailers[0] == f"Rollout-Id: {name}"
    assert trailers[2:6] == [*pins(12), *BY_ADA]
    assert trailers[6].startswith("Reverts: ")
    assert origin.do(revert_to("v12", env)) is None


def test_an_earlier_release_can_be_set_while_another_one_climbs(quick: Quick) -> None:
    origin = quick("completed")
    origin.must(promote(14))
    origin.must(percent("25"))
    origin.must(revert_to("v12"))
    rollout = origin.view.rollout()
    assert (rollout.stable[:4], rollout.canary, rollout.percent) == ("v12-", "", ZERO)
    assert set(origin.view.runs().values()) == {rollout.stable}


def test_a_rejected_release_is_never_set_again(quick: Quick) -> None:
    origin = quick("completed")
    v12 = release(origin, 12)
    origin.must(reject("v12"))
    assert refused(origin, revert_to("v12")) == (
        f"{v12} was rejected: a good reason; "
        f"tidegate unreject defect-detector {v12} --env edge-k3s --reason ..."
    )
    origin.must(unreject("v12"))
    origin.must(revert_to("v12"))
    assert set(origin.view.runs().values()) == {v12}


def test_the_canary_is_no_earlier_release(quick: Quick) -> None:
    origin = quick("climbing")
    line = refused(origin, revert_to("v13"))
    assert f"{release(origin, 13)} is the canary, not an earlier release" in line


def test_a_release_that_is_not_there_is_named_with_those_that_are(quick: Quick) -> None:
    origin = quick("climbing")
    v12, v13 = release(origin, 12), release(origin, 13)
    assert refused(origin, revert_to("v11")) == (f"there is no release 'v11'; known: {v12}, {v13}")


# ------------------------------------------------------------------ reject, unreject


def test_rejecting_the_canary_reverts_it_in_the_same_commit(at: At) -> None:
    origin = at("climbing")
    name, v13 = origin.view.rollout().id, release(origin, 13)
    change = origin.must(reject("v13"))
    view = origin.view
    assert view.rollout().phase is Phase.REVERTED
    assert v13 not in view.runs().values()
    (ledger,) = view.repository.rejected()
    assert (ledger.release, ledger.rollout, ledger.evidence) == (v13, name, "")
    assert (ledger.reason, ledger.at) == ("a good reason", "2026-11-20T08:00:00Z")
    assert change.subject.endswith("(5 -> 0 of 100 sites): rejected by hand")
    assert origin.trailers()[-1].startswith("Reverts: ")
    assert origin.do(reject("v13")) is None


def test_rejecting_a_release_that_does_not_climb_moves_nothing(quick: Quick) -> None:
    origin = quick("climbing")
    v12 = release(origin, 12)
    change = origin.must(reject("v12"))
    assert list(change.files) == [layout.REJECTED]
    assert change.subject == f"defect-detector edge-k3s: rejected {v12}"
    assert origin.trailers() == [*pins(12), *BY_ADA]
    assert origin.view.rollout().is_climbing


def test_a_canary_that_was_rejected_elsewhere_is_still_reverted() -> None:
    # The ledger is repository-wide: what broke in one environment may climb in another.
    have = remembered("climbing")
    canary = Repository(have).release(EDGE, MODEL, have.view.rollout().canary)
    elsewhere = replace(entry(canary, "", "bad", "", NOW), environment="edge-2")
    have = have.put(layout.REJECTED, with_entry(Repository(have), elsewhere))
    after = have.do(reject("v13"))
    assert after.view.rollout().phase is Phase.REVERTED
    assert after.view.on(canary.id) == []
    assert after.view.repository.rejected() == (elsewhere,)


def test_taking_a_rejection_back_lets_the_release_in_again(at: At) -> None:
    origin = at("stable")
    empty = origin.view.files[layout.REJECTED]
    origin.must(freeze(13))
    origin.must(reject("v13"))
    change = origin.must(unreject("v13"))
    assert change.subject == (f"defect-detector edge-k3s: {release(origin, 13)} may be tried again")
    assert origin.trailers() == [*pins(13), *BY_ADA]
    assert origin.view.files[layout.REJECTED] == empty
    assert origin.do(unreject("v13")) is None
    origin.must(promote(13))


def test_only_the_named_rejection_is_taken_back() -> None:
    have = remembered("completed").do(reject("v12")).do(freeze(14)).do(reject("v14"))
    (left,) = have.do(unreject("v14")).view.repository.rejected()
    assert left.release == have.view.repository.rejected()[0].release
    assert left.release.startswith("v12-")


@pytest.mark.parametrize("verb", [reject, unreject])
def test_the_ledger_wants_a_reason(verb: Callable[..., Intent]) -> None:
    asked = Asked(str(ADA), "  ")
    line = refusal(verb("v13", EDGE, asked), remembered("climbing"))
    assert "needs a reason" in line
    assert '--reason "..."' in line


# ------------------------------------------------------------------ a second promotion


def test_a_second_promotion_is_refused_by_default(at: At) -> None:
    origin = at("climbing")
    canary = origin.view.rollout().canary
    assert refused(origin, promote(14)) == (
        f"{ROLLOUT}: {MODEL}@champion has moved on to version 14, "
        f"but {canary} is at 5% of this environment; "
        "wait, revert it, or set onNewVersion: supersede"
    )


def test_a_second_promotion_may_supersede_the_first_in_one_commit(at: At) -> None:
    origin = at("climbing")
    origin.edit(ROLLOUT, "onNewVersion: refuse   ", "onNewVersion: supersede")
    origin.must(percent("25"))
    before = origin.view
    old = canary_of(before)
    change = origin.must(promote(14))
    v13, v14 = release(origin, 13), release(origin, 14)
    view = origin.view
    new = canary_of(view)
    assert view.rollout().id == view.cohort().rollout == f"{EDGE}-{MODEL}-{v14}-1"
    assert (len(new), view.on(v13)) == (5, [])
    assert new == sorted(member.id for member in view.cohort().members[:5])
    # The sites of the old canary are back on stable, unless they were drawn again.
    flipped = [path for path in origin.touched() if path.startswith("sites/")]
    assert flipped == sorted(map(pointer, {*old, *new}))
    assert change.subject == (
        "defect-detector edge-k3s: v14 starts at 5% (5 of 100 sites), "
        f"v12 stays stable, replacing {v13}"
    )
    assert origin.trailers() == [
        f"Rollout-Id: {EDGE}-{MODEL}-{v14}-1",
        "Rollout-Step: 1/5",
        "Rollout-Percent: 0->5",
        "Rollout-Sequence: 4",
        *pins(14),
        *BY_ADA,
    ]
    origin.must(revert())
    assert origin.view.under("sites") == {
        **view.under("sites"),
        **remembered("stable").view.under(f"sites/{EDGE}"),
    }


def test_superseding_at_the_same_percentage_is_a_first_step_too() -> None:
    have = remembered("climbing").edit(
        ROLLOUT, "onNewVersion: refuse   ", "onNewVersion: supersede"
    )
    change = have.do(promote(14)).change
    assert change is not None
    assert dict(change.trailers)["Rollout-Percent"] == "0->5"
    assert dict(change.trailers)["Rollout-Step"] == "1/5"


def test_in_the_cloud_a_canary_with_traffic_is_not_superseded(quick: Quick) -> None:
    origin = quick("climbing")
    path = layout.rollout(CLOUD, MODEL)
    origin.edit(path, "onNewVersion: refuse   ", "onNewVersion: supersede")
    line = refused(origin, promote(14, CLOUD))
    assert line.startswith(f"{path}: {release(origin, 13, CLOUD)} has 5% of the traffic")
    origin.must(percent("0", CLOUD))
    origin.must(promote(14, CLOUD))
    v12, v14 = release(origin, 12, CLOUD), release(origin, 14, CLOUD)
    assert origin.view.values()["weights"] == {v12: 10000, v14: 0}
