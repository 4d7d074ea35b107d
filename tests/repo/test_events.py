"""The table of events, design section 3, upwards: baseline, promotion, steps, pause, completion."""

import pytest
import yaml

from generator import layout
from generator.changes import Committed
from generator.errors import InputError
from generator.expand import differences
from generator.intents import moves
from generator.intents import promote as promotions
from generator.intents.ledger import entry, with_entry
from generator.intents.moves import Attached
from generator.intents.words import Asked
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from tests.builders import (
    ADA,
    ASKED,
    CLOUD,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    Intent,
    Memory,
    Origin,
    baseline,
    complete,
    expand,
    fleet,
    freeze,
    pause,
    percent,
    promote,
    reject,
    replaced,
    resume,
    revert,
    version,
)
from tests.states import (
    BY_ADA,
    COHORT,
    ROLLOUT,
    At,
    Quick,
    Shelf,
    canary_of,
    pins,
    pointer,
    pointers_of,
    refusal,
    refused,
    release,
    remembered,
)

# ------------------------------------------------------------------ promote --baseline


def test_init_alone_writes_no_application(at: At) -> None:
    view = at("new").view
    assert view.under("argocd") == view.under("sites") == view.under("releases") == {}
    assert view.rollout() == Rollout(MODEL, EDGE)


def test_a_baseline_sets_stable_on_every_site_without_a_judge(at: At) -> None:
    origin = at("new")
    change = origin.must(baseline(12))
    view, v12 = origin.view, release(origin, 12)
    assert view.rollout() == Rollout(MODEL, EDGE, stable=v12, phase=Phase.COMPLETED)
    assert set(view.runs().values()) == {v12}
    assert len(view.runs()) == 100
    assert COHORT not in view.files
    assert change.subject == "defect-detector edge-k3s: v12 is the baseline of 100 sites"
    assert origin.trailers() == ["Rollout-Sequence: 1", *pins(12), *BY_ADA]


def test_a_pointer_names_its_site_and_the_hardware_of_it(quick: Quick) -> None:
    view = quick("stable").view
    up, folder = "../../../..", layout.release(EDGE, MODEL, view.rollout().stable)
    for site in view.repository.sites(EDGE):
        found = yaml.safe_load(view.files[pointer(site.id)])
        assert found["resources"] == [f"{up}/{folder}/{site.hardware}"]
        assert f"{folder}/{site.hardware}/kustomization.yaml" in view.files
        (label,) = found["labels"]
        assert label["pairs"] == {"tidegate.dev/site": site.id}


def test_the_application_sets_of_that_model_appear_with_the_baseline(quick: Quick) -> None:
    origin = quick("new")
    origin.must(baseline(12))
    found = [yaml.safe_load(data) for data in origin.view.under("argocd").values()]
    sets = [one["metadata"]["name"] for one in found if one["kind"] == "ApplicationSet"]
    assert sets == [f"{EDGE}.s000.{MODEL}"]
    origin.must(baseline(12, CLOUD))
    assert len(origin.view.under("argocd")) == len(found) + 2


def test_a_cloud_baseline_gives_all_traffic_to_stable(quick: Quick) -> None:
    origin = quick("stable")
    v12 = release(origin, 12, CLOUD)
    assert origin.view.values()["weights"] == {v12: 10000}
    assert origin.view.charts("cluster-2") == [v12]
    assert origin.trailers() == ["Rollout-Sequence: 1", *pins(12), *BY_ADA]


def test_a_baseline_mends_pointers_that_were_changed_by_hand(at: At) -> None:
    origin = at("stable")
    before = origin.view.under("sites")
    gone, changed = pointer("plant-0007"), pointer("plant-0008")
    origin.put(gone, None)
    origin.edit(changed, "/cpu", "/gpu") if b"/cpu" in before[changed] else origin.put(changed, b"")
    origin.put(pointer("plant-9999"), b"nobody's\n")
    assert origin.view.under("sites") != before
    change = origin.must(baseline(12))
    assert origin.view.under("sites") == before
    assert sorted(change.files) == [gone, changed, pointer("plant-9999")]
    assert origin.trailers() == ["Rollout-Sequence: 2", *pins(12), *BY_ADA]


@pytest.mark.parametrize("state", ["stable", "completed", "reverted"])
@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_a_baseline_of_another_version_repairs_every_site_at_once(state: str, env: str) -> None:
    view = remembered(state).do(baseline(14, env)).view
    rollout = view.rollout(env)
    assert (rollout.stable[:4], rollout.canary) == ("v14-", "")
    assert (rollout.percent, rollout.phase) == (ZERO, Phase.COMPLETED)
    if env == EDGE:
        assert set(view.runs().values()) == {rollout.stable}
    else:
        assert (view.values()["weights"], view.charts()) == (
            {rollout.stable: 10000},
            [rollout.stable],
        )


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_a_baseline_is_refused_while_a_canary_is_out(quick: Quick, env: str) -> None:
    origin = quick("climbing")
    line = refused(origin, baseline(12, env))
    canary = origin.view.rollout(env).canary
    assert line == (
        f"{canary} is at 5%: end that rollout first; "
        f"tidegate revert defect-detector --env {env} --reason ..."
    )


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_a_baseline_of_the_canary_that_is_everywhere_ends_its_rollout(env: str) -> None:
    view = remembered("full").do(baseline(13, env)).view
    rollout = view.rollout(env)
    assert (rollout.stable[:4], rollout.canary, rollout.phase) == ("v13-", "", Phase.COMPLETED)


def test_a_baseline_needs_sites() -> None:
    empty = fleet(0)
    line = refusal(baseline(12), Memory(empty))
    assert "edge-k3s has no sites" in line
    assert "tidegate site import FILE.csv --env edge-k3s" in line


# ------------------------------------------------------------------ promotion


def test_a_promotion_takes_the_first_step(at: At) -> None:
    origin = at("stable")
    before = origin.view
    change = origin.must(promote(13))
    view = origin.view
    v12, v13 = release(origin, 12), release(origin, 13)
    name = f"{EDGE}-{MODEL}-{v13}-1"
    assert view.rollout() == Rollout(
        MODEL,
        EDGE,
        stable=v12,
        canary=v13,
        id=name,
        percent=Percent.of(5),
        phase=Phase.PROGRESSING,
    )
    cohort = view.cohort()
    assert (cohort.rollout, cohort.n, cohort.excluded) == (name, 100, ())
    assert view.on(v13) == sorted(member.id for member in cohort.members[:5])
    assert len(view.on(v12)) == 95
    assert change.subject == (
        "defect-detector edge-k3s: v13 starts at 5% (5 of 100 sites), v12 stays stable"
    )
    assert origin.trailers() == [
        f"Rollout-Id: {name}",
        "Rollout-Step: 1/5",
        "Rollout-Percent: 0->5",
        "Rollout-Sequence: 2",
        *pins(13),
        *BY_ADA,
    ]
    touched = {path for path in origin.touched() if not path.startswith(f"releases/{EDGE}/")}
    assert touched == {ROLLOUT, COHORT, *(pointer(site) for site in view.on(v13))}
    assert view.under("argocd") == before.under("argocd")


def test_a_promotion_counts_when_its_pull_request_is_merged(at: At) -> None:
    origin = at("stable")
    change = promote(13)(Repository(origin.fetch()))
    assert change is not None
    assert isinstance(origin.clone.land(change, ADA, NOW, "promote-v13"), Committed)
    assert origin.view.rollout().canary == ""

    heads = origin.git.run("rev-parse", "main", "promote-v13")
    old, new = heads.decode().split()
    ada = ("-c", f"user.name={ADA.name}", "-c", f"user.email={ADA.mail}")
    words = (
        *ada,
        "commit-tree",
        f"{new}^{{tree}}",
        "-p",
        old,
        "-p",
        new,
        "-m",
        "Merge promote-v13",
    )
    merge = origin.git.run(*words).decode().strip()
    origin.git.run("update-ref", "refs/heads/main", merge, old)
    origin = Origin(origin.folder)
    rollout = origin.view.rollout()
    assert (rollout.percent, rollout.phase) == (Percent.of(5), Phase.PROGRESSING)
    assert origin.do(promote(13)) is None
    origin.must(revert())
    assert f"Rollout-Id: {rollout.id}" in origin.trailers()
    assert "Rollout-Sequence: 3" in origin.trailers()
    assert origin.trailers()[-1] == f"Reverts: {new}"


def test_a_promotion_changes_four_lines_of_the_rollout_file(quick: Quick) -> None:
    origin = quick("stable")
    before = origin.view.files[ROLLOUT].decode().splitlines()
    origin.must(promote(13))
    v12, v13 = release(origin, 12), release(origin, 13)
    after = origin.view.files[ROLLOUT].decode().splitlines()
    changed = [line for line in after if line not in before]
    assert changed == [
        f"canary: {v13}",
        f"rollout: {EDGE}-{MODEL}-{v13}-1",
        "percent: 5                  # bump me: in a pull request or here; the sites follow",
        "phase: Progressing",
    ]
    # Right above percent, so that a bump that was meant for another rollout cannot merge.
    place = after.index(changed[1])
    assert after[place + 1] == changed[2]
    assert after[after.index(changed[0]) - 1] == f"stable: {v12}"


def test_the_message_is_a_sentence_and_then_trailers(at: At) -> None:
    origin = at("climbing")
    origin.must(percent("10"))
    subject, blank, *rest = origin.message().split("\n")
    assert (subject, blank) == ("defect-detector edge-k3s: 5% -> 10% (5 -> 10 of 100 sites)", "")
    assert rest == origin.trailers()


def test_a_cloud_promotion_brings_the_objects_and_no_traffic(at: At) -> None:
    origin = at("stable")
    change = origin.must(promote(13, CLOUD))
    v12, v13 = release(origin, 12, CLOUD), release(origin, 13, CLOUD)
    rollout = origin.view.rollout(CLOUD)
    assert (rollout.canary, rollout.percent, rollout.phase) == (v13, ZERO, Phase.PROGRESSING)
    for site in ("cluster-1", "cluster-2"):
        assert origin.view.values(site)["weights"] == {v12: 10000, v13: 0}
        assert origin.view.charts(site) == [v12, v13]
    assert layout.cohort(CLOUD, MODEL) not in origin.view.files
    assert change.subject == (
        "defect-detector cloud-eks: v13 starts without traffic on 2 clusters, v12 stays stable"
    )
    assert origin.trailers() == [
        f"Rollout-Id: {CLOUD}-{MODEL}-{v13}-1",
        "Rollout-Sequence: 2",
        *pins(13),
        *BY_ADA,
    ]


def test_a_release_can_be_frozen_and_nothing_moves(at: At) -> None:
    origin = at("stable")
    before = origin.view
    change = origin.must(freeze(13))
    v13 = release(origin, 13)
    assert change.subject == f"defect-detector edge-k3s: froze {v13}, nothing moves"
    assert origin.trailers() == [*pins(13), *BY_ADA]
    assert all(path.startswith(f"releases/{EDGE}/{MODEL}/{v13}/") for path in origin.touched())
    assert origin.view.under("sites") == before.under("sites")
    frozen = origin.view.under("releases")
    origin.must(promote(13))
    assert origin.view.under("releases") == frozen


@pytest.mark.parametrize(
    ("sites", "hint"),
    [
        (40, "the smallest first step here is 11: edit steps"),
        (99, "the smallest first step here is 5: edit steps"),
        (5, "the smallest first step here is 81: edit steps"),
        (4, "lower minSites, or add sites (4 now)"),
    ],
)
def test_a_first_step_under_min_sites_names_the_smallest_percent(sites: int, hint: str) -> None:
    tight = Memory(fleet(sites)).do(baseline(12)).edit(ROLLOUT, "steps: [5, ", "steps: [4, 5, ")
    first = -(-4 * sites // 100)
    line = refusal(promote(13), tight)
    assert line == (
        f"{ROLLOUT}: the first step of 4% is {first} of {sites} sites, under minSites: 5; {hint}"
    )


def test_the_smallest_percent_it_names_is_accepted() -> None:
    origin = Shelf(Memory(fleet(40)))
    origin.must(baseline(12))
    assert "is 2 of 40 sites, under minSites: 5; the smallest first step here is 11" in refused(
        origin, promote(13)
    )
    origin.edit(ROLLOUT, "steps: [5, 10, 25, 50, 100]", "steps: [11, 50, 100]")
    origin.must(promote(13))
    assert len(canary_of(origin.view)) == 5
    assert "Rollout-Step: 1/3" in origin.trailers()


def test_an_environment_can_require_another_one_to_have_completed(at: At) -> None:
    origin = at("stable")
    path = layout.environment(EDGE)
    origin.edit(path, "requires: []", f"requires: [{CLOUD}]")
    v12 = release(origin, 12, CLOUD)
    line = refused(origin, promote(13))
    assert line == (
        f"{path}: edge-k3s requires cloud-eks to have completed this model first; "
        f"cloud-eks runs {v12} (Completed); "
        "tidegate promote defect-detector@champion --env cloud-eks --reason ..."
    )
    origin.must(promote(13, CLOUD))
    assert f"cloud-eks runs {v12} (Progressing)" in refused(origin, promote(13))
    origin.must(percent("100", CLOUD))
    assert "(Progressing)" in refused(origin, promote(13))
    origin.must(complete(CLOUD))
    origin.must(promote(13))
    assert canary_of(origin.view)


def test_what_is_required_is_the_same_digest_not_the_same_number() -> None:
    done = remembered("completed").edit(
        layout.environment(EDGE), "requires: []", f"requires: [{CLOUD}]"
    )

    def asked(number: int, digest: str) -> Intent:
        made = version(number, digest=digest)
        return lambda have: promotions.promote(have, EDGE, MODEL, made, ASKED)

    same, other = version(13).digest, f"sha256:{'f' * 64}"
    line = refusal(asked(14, other), done)
    assert "requires cloud-eks to have completed this model first" in line
    # The number that was completed there, with other bytes, is refused for what it is.
    assert "has other artifacts now" in refusal(asked(13, other), done)
    assert done.do(asked(14, same)).view.rollout().percent.basis_points == 500


def test_what_is_required_is_done_only_between_rollouts() -> None:
    path = layout.environment(EDGE)
    busy = remembered("stable").edit(path, "requires: []", f"requires: [{CLOUD}]")
    busy = busy.do(baseline(13, CLOUD)).do(promote(14, CLOUD))
    assert "(Progressing)" in refusal(promote(13), busy)


def test_a_promotion_needs_a_baseline(quick: Quick) -> None:
    assert refused(quick("new"), promote(13)) == (
        f"{ROLLOUT}: there is no baseline yet; "
        "tidegate promote defect-detector@champion --env edge-k3s --baseline --reason ..."
    )


def test_a_rejected_release_is_not_offered_again(at: At) -> None:
    origin = at("climbing")
    name = release(origin, 13)
    origin.must(reject(name))
    line = refused(origin, promote(13))
    assert f"{name} was rejected in edge-k3s at 2026-11-20T08:00:00Z: a good reason" in line
    assert f"tidegate unreject defect-detector {name}" in line
    assert f"{name} was rejected" in refused(origin, baseline(13))


def test_the_ledger_holds_for_another_number_of_the_same_content(quick: Quick) -> None:
    origin = quick("climbing")
    origin.must(reject("v13"))
    same = version(14, digest=f"sha256:{13:064x}")
    line = refused(origin, lambda have: promotions.promote(have, EDGE, MODEL, same, ASKED))
    assert "was rejected in edge-k3s" in line


@pytest.mark.parametrize(
    ("allowed", "fits"),
    [
        ("registry.example.com/models/server", True),
        ("registry.example.com/models/", True),
        ("registry.example.com", True),
        ("registry.example.com/models/serv", False),
        ("registry.example", False),
        ("registry.example.com/models/server:1", False),
        ("", False),
    ],
)
def test_an_image_comes_from_the_allow_list(allowed: str, fits: bool) -> None:
    reference = IMAGE.partition("@")[0]
    have = remembered("stable").edit("tidegate.yaml", f'["{reference}"]', f'["{allowed}"]')
    if fits:
        assert have.do(promote(13)).view.rollout().canary
    else:
        assert "is not allowed; images.allow in tidegate.yaml holds:" in refusal(promote(13), have)


# ------------------------------------------------------------------ advance, bumps


STEPS = [("5", "10", "2/5"), ("10", "25", "3/5"), ("25", "50", "4/5"), ("50", "100", "5/5")]


def test_each_step_is_a_commit_that_flips_only_the_sites_that_join(at: At) -> None:
    origin = at("climbing")
    v13 = release(origin, 13)
    order = [member.id for member in origin.view.cohort().members]
    for number, (before, after, step) in enumerate(STEPS):
        change = origin.must(percent(after))
        joined = order[int(before) : int(after)]
        assert origin.touched() == sorted([ROLLOUT, *map(pointer, joined)])
        assert change.subject == (
            f"defect-detector edge-k3s: {before}% -> {after}% ({before} -> {after} of 100 sites)"
        )
        assert origin.trailers() == [
            f"Rollout-Id: {EDGE}-{MODEL}-{v13}-1",
            f"Rollout-Step: {step}",
            f"Rollout-Percent: {before}->{after}",
            f"Rollout-Sequence: {number + 3}",
            *pins(13),
            *BY_ADA,
        ]
    assert set(origin.view.runs().values()) == {v13}


def test_the_reconcilers_own_step_carries_verdict_and_evidence(at: At) -> None:
    origin = at("climbing")
    path = layout.evidence_file(EDGE, MODEL, origin.view.rollout().id, 1, "advance")
    words = (("Verdict", "Healthy"), ("Evidence", f"{path}@sha256:{'0' * 64}"))
    attached = Attached({path: b"{}\n"}, words, "errors: 3 bad of 900 predictions, 4.0 expected")
    ten = Percent.of(10)
    change = origin.must(lambda have: moves.set_percent(have, EDGE, MODEL, ten, Asked(), attached))
    assert origin.view.files[path] == b"{}\n"
    assert len(change.files) == 7
    assert origin.trailers() == [
        f"Rollout-Id: {origin.view.rollout().id}",
        "Rollout-Step: 2/5",
        "Rollout-Percent: 5->10",
        "Rollout-Sequence: 3",
        *pins(13),
        "Verdict: Healthy",
        f"Evidence: {path}@sha256:{'0' * 64}",
    ]
    assert origin.message().split("\n")[2] == "errors: 3 bad of 900 predictions, 4.0 expected"


def test_a_cloud_step_moves_the_same_weights_on_every_cluster(at: At) -> None:
    origin = at("climbing")
    charts = origin.view.charts()
    change = origin.must(percent("12.5", CLOUD))
    v12, v13 = release(origin, 12, CLOUD), release(origin, 13, CLOUD)
    for site in ("cluster-1", "cluster-2"):
        assert origin.view.values(site)["weights"] == {v12: 8750, v13: 1250}
    assert origin.view.charts() == charts
    assert change.subject == "defect-detector cloud-eks: 5% -> 12.5% of traffic on 2 clusters"
    assert origin.touched() == [
        layout.rollout(CLOUD, MODEL),
        *(f"sites/{CLOUD}/cluster-{n}/{MODEL}/values.yaml" for n in (1, 2)),
    ]


def test_a_bump_up_may_leave_steps_out(quick: Quick) -> None:
    origin = quick("climbing")
    origin.must(percent("33.33"))
    assert len(canary_of(origin.view)) == 34
    assert "Rollout-Step: 3/5" in origin.trailers()


def test_a_bump_down_takes_back_the_sites_that_came_last(at: At) -> None:
    origin = at("climbing")
    five = canary_of(origin.view)
    origin.must(percent("25"))
    change = origin.must(percent("5"))
    assert canary_of(origin.view) == five
    assert len(change.files) == 21
    assert change.subject == "defect-detector edge-k3s: 25% -> 5% (25 -> 5 of 100 sites)"
    trailers = origin.trailers()
    assert trailers[1:4] == ["Rollout-Step: 1/5", "Rollout-Percent: 25->5", "Rollout-Sequence: 4"]
    assert trailers[-2:] == BY_ADA


def test_a_bump_to_zero_leaves_the_rollout_open(quick: Quick) -> None:
    origin = quick("climbing")
    origin.must(percent("0"))
    rollout = origin.view.rollout()
    assert (rollout.percent, rollout.phase) == (ZERO, Phase.PROGRESSING)
    assert canary_of(origin.view) == []
    assert origin.trailers()[1] == "Rollout-Step: 0/5"
    origin.must(percent("5"))
    assert len(canary_of(origin.view)) == 5


# ------------------------------------------------------------------ the one line, by hand


@pytest.mark.parametrize("target", ["25", "2.5", "0", "100"])
def test_a_number_changed_by_hand_gives_the_same_bytes_as_the_verb(
    quick: Quick, target: str
) -> None:
    by_verb, by_hand = quick("climbing"), quick("climbing")
    by_verb.must(percent(target))
    before = by_hand.view.rollout()
    by_hand.edit(ROLLOUT, "percent: 5 ", f"percent: {target} ")
    by_hand.must(expand(before))
    assert by_hand.view.files == by_verb.view.files
    assert by_hand.message() == by_verb.message()


def test_a_number_changed_by_hand_is_followed_by_one_commit(at: At) -> None:
    origin = at("climbing")
    before = origin.view.rollout()
    origin.edit(ROLLOUT, "percent: 5 ", "percent: 25 ")
    change = origin.must(expand(before))
    assert len(canary_of(origin.view)) == len(origin.touched()) + 5 == 25
    assert origin.touched() == pointers_of(origin.touched())
    assert change.subject == "defect-detector edge-k3s: 5% -> 25% (5 -> 25 of 100 sites)"
    assert origin.trailers() == [
        f"Rollout-Id: {before.id}",
        "Rollout-Step: 3/5",
        "Rollout-Percent: 5->25",
        "Rollout-Sequence: 3",
        *pins(13),
        *BY_ADA,
    ]
    assert origin.do(expand(before)) is None


def test_cloud_weights_follow_a_number_changed_by_hand(quick: Quick) -> None:
    origin = quick("climbing")
    before = origin.view.rollout(CLOUD)
    origin.edit(layout.rollout(CLOUD, MODEL), "percent: 5 ", "percent: 50 ")
    change = origin.must(expand(before, CLOUD))
    assert sorted(origin.view.values()["weights"].values()) == [5000, 5000]
    assert change.subject == "defect-detector cloud-eks: 5% -> 50% of traffic on 2 clusters"


@pytest.mark.parametrize(
    ("state", "old", "new", "problem"),
    [
        ("stable", "percent: 0 ", "percent: 5 ", "percent is above 0 but there is no canary"),
        ("completed", "percent: 0 ", "percent: 5 ", "percent is above 0 but there is no canary"),
        ("reverted", "percent: 0 ", "percent: 5 ", "percent is above 0 but there is no canary"),
        (
            "climbing",
            "phase: Progressing",
            "phase: Reverted",
            "percent is above 0 but the rollout is Reverted",
        ),
        (
            "climbing",
            "phase: Progressing",
            "phase: Completed",
            "percent is above 0 but the rollout is Completed",
        ),
        ("climbing", "percent: 5 ", "percent: 5% ", "percent: '5%' is not a percentage"),
        ("climbing", "percent: 5 ", "percent: nan ", "percent: 'nan' is not a percentage"),
        ("climbing", "percent: 5 ", "percent: 5_0 ", "percent: '5_0' is not a percentage"),
        ("climbing", "percent: 5 ", "percent: 1e1 ", "percent: '1e1' is not a percentage"),
        ("climbing", "percent: 5 ", 'percent: "5" ', "percent must be a number without quotes"),
        (
            "climbing",
            "percent: 5 ",
            "percent: 101 ",
            "percent: a percentage lies between 0 and 100",
        ),
        ("climbing", "percent: 5 ", "percnt: 5 ", "the key 'percent' is missing"),
    ],
)
def test_a_percentage_that_cannot_stand_is_not_expanded(
    state: str, old: str, new: str, problem: str
) -> None:
    have = remembered(state)
    line = refusal(expand(have.view.rollout()), have.edit(ROLLOUT, old, new))
    place, _, rest = line.partition(": ")
    assert place.startswith(f"{ROLLOUT}:")
    assert rest.startswith(problem)


def test_a_rejected_canary_is_not_expanded(at: At) -> None:
    origin = at("climbing")
    canary = Repository(origin.fetch()).release(EDGE, MODEL, release(origin, 13))
    added = entry(canary, "", "scratches missed", "", NOW)
    origin.put(layout.REJECTED, with_entry(Repository(origin.fetch()), added))
    before = origin.view.rollout()
    origin.edit(ROLLOUT, "percent: 5 ", "percent: 10 ")
    for intent in (expand(before), percent("25")):
        assert refused(origin, intent) == (
            f"{ROLLOUT}: the canary {canary.id} was rejected: scratches missed; "
            "tidegate revert defect-detector --env edge-k3s, or tidegate unreject"
        )
    origin.must(revert())
    assert canary.id not in origin.view.runs().values()


NO_CANARY = {
    "new": "there is no baseline yet",
    "stable": "the last rollout is Completed",
    "completed": "the last rollout is Completed",
    "reverted": "the last rollout is Reverted",
}
NEED_CANARY: dict[str, Intent] = {
    "move": percent("10"),
    "pause": pause(),
    "resume": resume(),
    "complete": complete(),
    "revert": revert(),
}


@pytest.mark.parametrize("state", NO_CANARY)
@pytest.mark.parametrize("verb", NEED_CANARY)
def test_nothing_moves_without_a_canary(state: str, verb: str) -> None:
    if (verb, state) == ("revert", "reverted"):
        assert NEED_CANARY[verb](Repository(remembered(state))) is None
        return
    assert refusal(NEED_CANARY[verb], remembered(state)) == (
        f"{ROLLOUT}: nothing to {verb}: no canary is out, {NO_CANARY[state]}; "
        "tidegate promote defect-detector@ALIAS --env edge-k3s"
    )


def test_a_draw_that_is_lost_or_of_another_rollout_moves_nothing(quick: Quick) -> None:
    origin = quick("climbing")
    data = origin.view.files[COHORT]
    origin.put(COHORT, None)
    assert "the draw of this rollout is missing" in refused(origin, percent("10"))
    origin.put(COHORT, data.replace(b'-1"\n', b'-2"\n'))
    assert f"{COHORT}: this draw is of" in refused(origin, percent("10"))


def test_a_lost_baseline_or_an_empty_fleet_takes_no_site_down(quick: Quick) -> None:
    lost = quick("stable")
    text = lost.view.files[ROLLOUT].decode()
    kept = [one for one in text.splitlines() if not one.startswith(("stable:", "phase:"))]
    lost.put(ROLLOUT, ("\n".join(kept) + "\n").encode())
    emptied = quick("stable")
    for path in emptied.view.under(layout.shards(EDGE)):
        emptied.put(path, b"[]\n")
    for fleet_ in (lost, emptied):
        with pytest.raises(InputError, match="off every site of edge-k3s"):
            differences(Repository(fleet_.fetch()), EDGE, MODEL)


@pytest.mark.parametrize("draw", [None, b"", b"not: [yaml", b"[]\n"])
def test_a_revert_needs_no_draw(draw: bytes | None) -> None:
    broken = remembered("climbing").put(COHORT, draw)
    view = broken.do(revert()).view
    assert view.under("sites") == remembered("stable").do(promote(13)).do(revert()).view.under(
        "sites"
    ) | {p: d for p, d in view.files.items() if p.startswith(f"sites/{CLOUD}/")}
    assert view.rollout().phase is Phase.REVERTED


# ------------------------------------------------------------------ pause, resume


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_pause_and_resume_change_one_word(at: At, env: str) -> None:
    origin = at("climbing")
    path = layout.rollout(env, MODEL)
    before = origin.view.files
    assert origin.do(resume(env)) is None
    change = origin.must(pause(env))
    assert origin.view.files == replaced(before, path, "phase: Progressing", "phase: Paused")
    assert change.subject.startswith(f"defect-detector {env}: paused at 5% (")
    rollout = origin.view.rollout(env)
    assert (rollout.phase, rollout.is_climbing) == (Phase.PAUSED, True)
    sequence = 3 if env == EDGE else 4
    assert origin.trailers() == [
        f"Rollout-Id: {rollout.id}",
        f"Rollout-Sequence: {sequence}",
        *pins(13),
        *BY_ADA,
    ]
    assert origin.do(pause(env)) is None
    origin.must(resume(env))
    assert origin.view.files == before
    assert f"Rollout-Sequence: {sequence + 1}" in origin.trailers()


def test_a_paused_rollout_can_be_moved_and_reverted_by_hand(quick: Quick) -> None:
    origin = quick("climbing")
    origin.must(pause())
    origin.must(percent("10"))
    assert (len(canary_of(origin.view)), origin.view.rollout().phase) == (10, Phase.PAUSED)
    origin.must(revert())
    assert origin.view.rollout().phase is Phase.REVERTED


# ------------------------------------------------------------------ the last step has soaked


def test_a_completed_rollout_leaves_the_edge_pointers_as_they_are(at: At) -> None:
    origin = at("full")
    before = origin.view
    v13 = release(origin, 13)
    change = origin.must(complete())
    view = origin.view
    rollout = view.rollout()
    assert (rollout.stable, rollout.canary, rollout.percent) == (v13, "", ZERO)
    assert (rollout.phase, rollout.id) == (Phase.COMPLETED, before.rollout().id)
    assert list(change.files) == [ROLLOUT]
    assert view.under("sites") == before.under("sites")
    assert change.subject == "defect-detector edge-k3s: v13 is stable on all 100 sites"
    assert origin.trailers() == [
        f"Rollout-Id: {rollout.id}",
        "Rollout-Step: 0/5",
        "Rollout-Percent: 100->0",
        "Rollout-Sequence: 4",
        *pins(13),
    ]


def test_a_holdback_joins_when_the_last_soak_has_passed(quick: Quick) -> None:
    origin = quick("climbing")
    origin.edit(ROLLOUT, "holdback: 0 ", "holdback: 10 ")
    origin.must(percent("100"))
    assert len(canary_of(origin.view)) == 90
    change = origin.must(complete())
    assert set(origin.view.runs().values()) == {origin.view.rollout().stable}
    assert len(change.files) == 11


def test_a_completed_cloud_rollout_keeps_the_objects_of_the_canary(at: At) -> None:
    origin = at("full")
    before = origin.view
    v12, v13 = release(origin, 12, CLOUD), release(origin, 13, CLOUD)
    assert before.values()["weights"] == {v12: 0, v13: 10000}
    origin.must(complete(CLOUD))
    view = origin.view
    assert (view.values()["weights"], view.charts()) == ({v13: 10000}, [v13])
    # Only the alias above them changes.
    assert view.values()["stable"] == before.values()["canary"]
    folder = f"{layout.pointer(CLOUD, 'cluster-1', MODEL)}/charts/{v13}"
    assert view.under(folder) == before.under(folder)
    assert view.rollout(CLOUD).phase is Phase.COMPLETED
