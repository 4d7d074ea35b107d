"""A good model climbs to all sites, a bad one comes back: Git, Argo CD and Prometheus are real."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import IMAGES, Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.nodes import IMAGE
from tests.metrics import Bad
from tidegate.demo.registry import MODEL

SITES, FIRST = 44, 3
BAD = 3  # a version that comes up, and answers wrongly
QUICK = {"soak: 2h ": "soak: 10s "}
Note = Callable[[str, object], None]


@pytest.fixture(scope="module")
def measured(argocd_bed: Bed, lasting_fleet: NewFleet) -> Fleet:
    """Bring a fleet to its baseline, with metrics of every site."""
    bed = argocd_bed
    bed.sites.per_second = 1_000  # a tick of three sites is evidence enough
    fleet = lasting_fleet(SITES, QUICK, is_measured=True)
    old = fleet.promote(1, "--baseline")
    bed.bring_up(fleet, 180)
    asked = f'count(model_release_info{{environment="{fleet.name}",release="{old}"}})'

    def seen() -> bool:
        found = bed.prometheus.ask(asked)
        return bool(found) and found[0]["value"][1] == str(SITES)

    bed.patience.until(seen, 60, "every site has metrics")
    return fleet


@pytest.mark.scenario("a good model climbs to 100 %", "argocd", "prometheus")
def test_a_good_model_climbs_in_five_steps(argocd_bed: Bed, measured: Fleet, note: Note) -> None:
    bed, fleet = argocd_bed, measured
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
    with steps.reconciling(bed, fleet) as reconciler:
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
def test_a_bad_model_is_taken_back(argocd_bed: Bed, measured: Fleet, note: Note) -> None:
    bed, fleet = argocd_bed, measured
    before, (old,) = fleet.head(), set(fleet.desired().values())
    bed.registry.put_image(BAD, IMAGE)
    bed.sites.bad[f"v{BAD}"] = Bad(errors=0.2)
    try:
        with bed.turn():
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
