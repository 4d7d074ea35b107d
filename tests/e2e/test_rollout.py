"""A baseline, a good model, a bad one, a person's bump: Git, Argo CD and Prometheus are real.

The tests go on with one fleet, in this order.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import IMAGES, SETTLED, Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO
from tests.e2e.bed.nodes import IMAGE
from tests.metrics import Bad
from tidegate.demo.registry import MODEL

SITES, FIRST, QUARTER = 44, 3, 11
BAD = 3  # a version that comes up, and answers wrongly
QUICK = {"soak: 2h ": "soak: 3s "}
promotes = pytest.mark.scenario("a promotion moves exactly its sites", "argocd", "prometheus")
Note = Callable[[str, object], None]


@dataclass(frozen=True)
class Scaffold:
    """A fleet on its baseline, with metrics of every site."""

    fleet: Fleet
    release: str
    settled_s: float


@pytest.fixture(scope="module")
def scaffold(argocd_bed: Bed, lasting_fleet: NewFleet) -> Scaffold:
    """Deliver what `init` and one promotion wrote."""
    bed = argocd_bed
    bed.sites.per_second = 1_000  # a tick of three sites is evidence enough
    fleet = lasting_fleet(SITES, QUICK, is_measured=True)
    old = fleet.promote(1, "--baseline")
    took = bed.bring_up(fleet, 180)
    asked = f'count(model_release_info{{environment="{fleet.name}",release="{old}"}})'

    def seen() -> bool:
        found = bed.prometheus.ask(asked)
        return bool(found) and found[0]["value"][1] == str(SITES)

    bed.patience.until(seen, 60, "every site has metrics")
    return Scaffold(fleet, old, took)


@pytest.mark.scenario("the scaffold is accepted", "argocd", "prometheus")
def test_a_baseline_reaches_every_site(argocd_bed: Bed, scaffold: Scaffold, note: Note) -> None:
    bed, fleet, release = argocd_bed, scaffold.fleet, scaffold.release
    note(f"{SITES} sites after one commit, seconds", round(scaffold.settled_s, 1))
    assert bed.held(fleet) == dict.fromkeys(fleet.sites, release)
    assert bed.running(fleet) == dict.fromkeys(fleet.sites, release)
    applications = bed.argocd.applications(fleet.name)
    assert sorted(applications) == list(fleet.sites)
    marks = {tuple(one["status"]["summary"]["externalURLs"]) for one in applications.values()}
    assert marks == {(f"https://tidegate.dev/releases/{release}",)}
    names = [one["metadata"]["name"] for one in bed.hub.kube.list(ARGO, "Application", "argocd")]
    assert sorted(names) == sorted(["tidegate", *(fleet.application(one) for one in fleet.sites)])
    assert set(bed.argocd.rendered(fleet.name)) == {
        f"sites/{fleet.name}/{site}/{MODEL}" for site in fleet.sites
    }


@pytest.mark.scenario("a good model climbs to 100 %", "argocd", "prometheus")
def test_a_good_model_climbs_in_five_steps(argocd_bed: Bed, scaffold: Scaffold, note: Note) -> None:
    bed, fleet = argocd_bed, scaffold.fleet
    rendered, began = len(bed.argocd.rendered(fleet.name)), time.monotonic()
    new = fleet.promote(2)
    with steps.reconciling(bed, fleet) as reconciler:

        def done() -> bool:
            assert steps.rollout_line(fleet, "phase") == "Completed", reconciler.texts()[-1500:]
            return True

        bed.patience.until(done, 400, "the rollout is complete")
        bed.settle(fleet, 60)
        said = [one["text"] for one in reconciler.commits()]
    note(f"{SITES} sites in five steps, seconds", round(time.monotonic() - began, 1))
    climbed = [f"{a}% -> {b}%" for a, b in ((5, 10), (10, 25), (25, 50), (50, 100))]
    assert [words for words in climbed if any(words in text for text in said)] == climbed
    assert bed.held(fleet) == bed.running(fleet) == dict.fromkeys(fleet.sites, new)
    again = bed.argocd.rendered(fleet.name)[rendered:]
    # Argo CD may render one twice at the same moment, for its poll and for our refresh.
    assert set(again) == {f"sites/{fleet.name}/{site}/{MODEL}" for site in fleet.sites}
    note("renderings per site flipped over a whole climb", round(len(again) / SITES, 3))
    decisions = [one["decision"] for one in steps.evidence(fleet).values()]
    assert decisions == ["history", *["advance"] * 4, "complete"]


@dataclass(frozen=True)
class Breach:
    """What happened after a bad model was promoted; times are monotonic."""

    new: str
    said: Sequence[Mapping[str, str]]
    harmful: float
    pushed: float
    back: float


def breach(bed: Bed, fleet: Fleet, old: str, back_s: float) -> Breach:
    """Promote version 3, and wait until its harm has brought every site back to `old`."""
    before = fleet.head()
    new = fleet.promote(BAD)
    moved = steps.flipped(fleet, before)
    assert len(moved) == FIRST
    with bed.alone(), steps.reconciling(bed, fleet) as reconciler:
        on_new = steps.all_on(bed, fleet, new, moved)
        bed.patience.until(on_new, 60, "the canary sites have the bad model")
        harmful = time.monotonic()

        def reverted() -> bool:
            assert steps.rollout_line(fleet, "phase") == "Reverted", reconciler.texts()[-1500:]
            return True

        bed.patience.until(reverted, 200, "the revert is in Git", is_timed=True)
        pushed = time.monotonic()
        on_old = steps.all_on(bed, fleet, old, frozenset(fleet.sites))
        what = f"every site is back within {back_s:g} s of the push"
        bed.patience.until(on_old, back_s, what, is_timed=True)
        done = time.monotonic()
        bed.settle(fleet, 60)
        return Breach(new, reconciler.commits(), harmful, pushed, done)


@pytest.mark.scenario("a breach at 5 % reverts", "argocd", "prometheus")
def test_a_bad_model_is_taken_back(argocd_bed: Bed, scaffold: Scaffold, note: Note) -> None:
    bed, fleet = argocd_bed, scaffold.fleet
    before, (old,) = fleet.head(), set(fleet.desired().values())
    bed.registry.put_image(BAD, IMAGE)
    bed.sites.bad[f"v{BAD}"] = Bad(errors=0.2)
    try:
        found = breach(bed, fleet, old, back_s=10)
    finally:
        bed.sites.bad.clear()
        bed.registry.put_image(BAD, IMAGES[BAD])
    note("breach: bad model live -> revert pushed, seconds", round(found.pushed - found.harmful, 1))
    note("breach: revert pushed -> every site back, seconds", round(found.back - found.pushed, 1))
    assert fleet.desired() == dict.fromkeys(fleet.sites, old)
    assert steps.rollout_line(fleet, "percent") == "0"
    (revert,) = (one for one in found.said if f"revert v{BAD}" in one["text"])
    assert "Verdict: Breached" in fleet.git("log", "-1", "--format=%B", revert["commit"])
    assert found.new in fleet.read("rejected.yaml")
    trees = [fleet.git("rev-parse", f"{at}:sites").strip() for at in (before, revert["commit"])]
    assert trees[0] == trees[1]


@contextmanager
def unjudged(bed: Bed) -> Iterator[None]:
    """Let only people move a rollout: nobody can ask Prometheus."""
    bed.prometheus.proxy.refuse()
    try:
        yield
    finally:
        bed.prometheus.proxy.pass_()


def operations(bed: Bed, fleet: Fleet) -> dict[str, str]:
    """Say which operation was the last one of every site: when it began."""
    found = bed.argocd.applications(fleet.name)
    return {site: one["status"]["operationState"]["startedAt"] for site, one in found.items()}


@promotes
def test_five_percent_move_and_nobody_else_is_touched(
    argocd_bed: Bed, scaffold: Scaffold, note: Note
) -> None:
    bed, fleet = argocd_bed, scaffold.fleet
    before, pods, began = fleet.head(), steps.pods(bed, fleet), operations(bed, fleet)
    (old,) = set(fleet.desired().values())
    rendered = len(bed.argocd.rendered(fleet.name))

    new = fleet.promote(1)
    with unjudged(bed), steps.reconciling(bed, fleet) as reconciler:
        took = bed.settle(fleet, 30)
        said = steps.seconds(
            lambda: f"{SITES} applied" in reconciler.texts(), bed, 30, "the reconciler says so"
        )
    moved = steps.flipped(fleet, before)
    assert len(moved) == FIRST
    assert fleet.rollout()["percent"] == 5
    assert bed.held(fleet) == {site: new if site in moved else old for site in fleet.sites}
    again = bed.argocd.rendered(fleet.name)[rendered:]
    assert sorted(again) == sorted(f"sites/{fleet.name}/{site}/{MODEL}" for site in moved)
    note("Applications re-rendered per site flipped", len(again) / len(moved))
    note("promotion pushed -> on the sites with the reconciler, seconds", round(took, 1))
    assert said < bed.patience(30)

    after = steps.pods(bed, fleet)
    assert {site for site in fleet.sites if after[site] != pods[site]} == moved
    later = operations(bed, fleet)
    assert {site for site in fleet.sites if later[site] != began[site]} == moved
    assert set(bed.states(fleet).values()) == {SETTLED}


@promotes
def test_a_person_bumps_one_line_and_the_sites_follow(argocd_bed: Bed, scaffold: Scaffold) -> None:
    bed, fleet, old = argocd_bed, scaffold.fleet, steps.rollout_line(scaffold.fleet, "stable")
    (new,) = set(fleet.desired().values()) - {old}
    first = fleet.desired()
    before = fleet.head()
    # Straight on main, the line alone; the reconciler expands it and names the commit.
    fleet.edit(f"rollouts/{fleet.name}/{MODEL}.yaml", "percent: 5 ", "percent: 25 ", "bump")
    bump = fleet.head()
    assert fleet.desired() == first
    with unjudged(bed), steps.reconciling(bed, fleet):
        bed.patience.until(lambda: fleet.head() != bump, 30, "the bump is expanded")
        bed.settle(fleet, 30)
    assert len(steps.flipped(fleet, before)) == QUARTER - FIRST
    assert sorted(bed.held(fleet).values()).count(new) == QUARTER
    assert sorted(bed.held(fleet).values()).count(old) == SITES - QUARTER
    assert f"follows {bump[:12]}" in fleet.git("log", "-1", "--format=%B", "refs/heads/main")
