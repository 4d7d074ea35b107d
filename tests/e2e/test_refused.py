"""A release that the API server refuses: nothing stops, nothing climbs, the way back is short."""

from collections.abc import Callable

import pytest

from tests.e2e import steps
from tests.e2e.bed.argocd import POLL_S
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("a release that cannot be applied", "argocd", "prometheus")
SITES, FIRST = 12, 3
SETTINGS = {
    "steps: [5, 10, 25, 50, 100]": "steps: [25, 50, 100]",
    "adoptWithin: 1h ": "adoptWithin: 20s ",
}
LONGEST_BACK_OFF_S = 60
Note = Callable[[str, object], None]


def is_stuck(bed: Bed, fleet: Fleet, sites: frozenset[str], retries: int) -> Callable[[], bool]:
    """Look whether the API server has refused a sync of each of these sites so often."""
    seen: set[str] = set()

    def look() -> bool:
        found = {site: steps.operation(bed, fleet, site) for site in sites - seen}
        for site, one in found.items():
            stuck = one.get("phase") == "Running" and one.get("retryCount", 0) >= retries
            if stuck and "this image is refused here" in str(one):
                seen.add(site)
        assert seen == sites, found
        return True

    return look


def lose_a_pod(bed: Bed, fleet: Fleet, site: str, release: str) -> None:
    """Delete the pod of a site, and wait until another one serves the same release."""
    (uid,) = steps.good_pods(bed, fleet, release)[site]
    found = bed.edge.kube.list("v1", "Pod", fleet.namespace(site))
    (name,) = (one["metadata"]["name"] for one in found if one["metadata"]["uid"] == uid)
    bed.edge.kube.delete(f"/api/v1/namespaces/{fleet.namespace(site)}/pods/{name}")

    def back() -> bool:
        now = steps.good_pods(bed, fleet, release).get(site, frozenset())
        return bool(now) and uid not in now

    bed.patience.until(back, 30, "another pod serves")


def test_a_refused_release_is_taken_back(argocd_bed: Bed, new_fleet: NewFleet, note: Note) -> None:
    bed = argocd_bed
    fleet, good = steps.baseline(bed, new_fleet, SITES, SETTINGS)
    by_hand(bed, fleet, good, note)
    by_the_reconciler(bed, fleet, good, note)


def by_hand(bed: Bed, fleet: Fleet, good: str, note: Note) -> None:
    """A person takes it back, and no reconciler helps: the longest wait is the back-off."""
    pods, before = steps.good_pods(bed, fleet, good), fleet.head()
    fleet.promote(4)
    stuck = steps.flipped(fleet, before)
    assert len(stuck) == FIRST
    bed.patience.until(is_stuck(bed, fleet, stuck, 2), 90, "the API server has refused it twice")
    assert bed.held(fleet) == bed.running(fleet) == dict.fromkeys(fleet.sites, good)
    lost = min(stuck)
    lose_a_pod(bed, fleet, lost, good)
    now = steps.good_pods(bed, fleet, good)
    assert {site for site in fleet.sites if now[site] != pods[site]} == {lost}
    fleet.do("revert", MODEL, "--env", fleet.name, "--reason", "it is refused")
    bed.settle(fleet, LONGEST_BACK_OFF_S + POLL_S)
    took = steps.since_push(fleet)
    note("refused: revert pushed -> every site settled without a reconciler, s", round(took, 1))
    assert took < bed.patience(LONGEST_BACK_OFF_S + POLL_S)
    assert steps.good_pods(bed, fleet, good) == now


def by_the_reconciler(bed: Bed, fleet: Fleet, good: str, note: Note) -> None:
    """The same release once more, and nobody but the reconciler is there."""
    pods, before = steps.good_pods(bed, fleet, good), fleet.head()
    refused = fleet.promote(4)
    stuck = steps.flipped(fleet, before)
    assert len(stuck) == FIRST
    with steps.reconciling(bed, fleet) as reconciler:
        bed.patience.until(is_stuck(bed, fleet, stuck, 1), 60, "the API server refuses it again")
        bed.patience.until(steps.reverted(fleet, reconciler), 90, "the revert is in Git")
        bed.settle(fleet, 20)
        took = steps.since_push(fleet)
        log = reconciler.log()
    note("refused: revert pushed -> every site settled with the reconciler, s", round(took, 1))
    assert took < bed.patience(10)
    assert steps.good_pods(bed, fleet, good) == pods
    assert bed.held(fleet) == dict.fromkeys(fleet.sites, good)
    papers(fleet, refused)
    decided = {one["decision"].lower() for one in log if one.get("decision")}
    assert "revert" in decided
    assert "advance" not in decided


def papers(fleet: Fleet, refused: str) -> None:
    """Look at what the revert says."""
    told = list(steps.evidence(fleet).values())
    moves = [one["decision"] for one in told if one["decision"] in ("advance", "revert")]
    assert moves == ["revert"]
    assert told[-1]["code"] == "adoption"
    sites = {"canary": 3, "serving": 0, "reachable": 3, "late": 3, "due": 3}
    assert told[-1]["adoption"] == {**sites, "stableFresh": True}
    assert refused in fleet.read("rejected.yaml")
