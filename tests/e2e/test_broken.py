"""Releases that crash, or that the API server refuses: nothing stops, the way back is short.

The tests go on with one fleet, in this order.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import steps
from tests.e2e.bed.argocd import POLL_S
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import HARDWARE, Fleet, NewFleet
from tidegate.demo.registry import MODEL

SITES, FIRST = 12, 3
SETTINGS = {
    "steps: [5, 10, 25, 50, 100]": "steps: [25, 50, 100]",
    "adoptWithin: 1h ": "adoptWithin: 20s ",
}
LONGEST_BACK_OFF_S = 60
Note = Callable[[str, object], None]


@dataclass(frozen=True)
class Steady:
    """A fleet on its baseline, to which it comes back each time."""

    fleet: Fleet
    good: str


@pytest.fixture(scope="module")
def steady(argocd_bed: Bed, lasting_fleet: NewFleet) -> Steady:
    return Steady(*steps.baseline(argocd_bed, lasting_fleet, SITES, SETTINGS))


def crashing(bed: Bed, fleet: Fleet, release: str) -> frozenset[str]:
    """Name the sites on which a pod of this release waits in its crash loop."""
    named = {fleet.namespace(site): site for site in fleet.sites}
    found = bed.edge.kube.list("v1", "Pod", labels=f"tidegate.dev/release={release}")
    return frozenset(named[one["metadata"]["namespace"]] for one in found if _crashes(one))


def _crashes(pod: dict[str, Any]) -> bool:
    told = pod["status"].get("containerStatuses", ())
    return any(
        one["restartCount"] and one["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        for one in told
    )


@pytest.mark.scenario("a bad image is taken back", "argocd", "prometheus")
def test_a_release_that_crashes_is_taken_back(argocd_bed: Bed, steady: Steady, note: Note) -> None:
    bed, fleet, good = argocd_bed, steady.fleet, steady.good
    pods, before = steps.good_pods(bed, fleet, good), fleet.head()
    bad = fleet.promote(3)
    moved, promotion = steps.flipped(fleet, before), fleet.head()
    assert len(moved) == FIRST
    with bed.alone(), steps.reconciling(bed, fleet) as reconciler:
        bed.patience.until(lambda: crashing(bed, fleet, bad) == moved, 60, "its pods crash")
        # Argo CD has done all it can. Where one accelerator has no room for two pods the old one
        # had to go first; everywhere else it serves on.
        assert {site: bed.held(fleet)[site] for site in moved} == dict.fromkeys(moved, bad)
        dark = tight(fleet, moved)
        served = {site: good for site in fleet.sites if site not in dark}
        bed.patience.until(lambda: bed.running(fleet) == served, 30, "the old pods serve on")
        bed.patience.until(steps.reverted(fleet, reconciler), 90, "the revert is in Git")
        bed.settle(fleet, 20)
        took = steps.since_push(fleet)
        (revert,) = (one for one in reconciler.commits() if "revert v3" in one["text"])
    note("crash loop: revert pushed -> every site back, s", round(took, 1))
    assert took < bed.patience(10)
    assert bed.held(fleet) == bed.running(fleet) == dict.fromkeys(fleet.sites, good)
    now = steps.good_pods(bed, fleet, good)
    assert {site for site in fleet.sites if now[site] != pods[site]} == dark
    assert crashing(bed, fleet, bad) == frozenset()

    assert fleet.desired() == fleet.desired(before)
    papers_of_the_crash(fleet, bad, promotion, revert["commit"], len(dark))


def tight(fleet: Fleet, sites: Iterable[str]) -> frozenset[str]:
    """Name the sites on which a new pod starts only when the old one has gone."""
    hardware = dict(zip(fleet.sites, itertools.cycle(HARDWARE)))
    return frozenset(site for site in sites if hardware[site] != "cpu")


def papers_of_the_crash(fleet: Fleet, bad: str, promotion: str, revert: str, dark: int) -> None:
    """Look at what the revert says: its message, its evidence, the ledger."""
    message = fleet.git("log", "-1", "--format=%B", revert)
    assert f"Reverts: {promotion}" in message
    path, told = list(steps.evidence(fleet).items())[-1]
    assert f"Evidence: {path}@sha256:" in message
    assert (told["decision"], told["code"], told["toPercent"]) == ("revert", "adoption", "0")
    found = dict(told["adoption"])
    # The site without its old pod is out of reach as soon as Prometheus has forgotten it.
    assert found.pop("reachable") in range(FIRST - dark, FIRST + 1)
    assert found == {"canary": 3, "serving": 0, "late": 3, "due": 3, "stableFresh": True}
    ticks = [one for one in steps.recording(fleet, path) if "canary" in one]
    assert ticks
    assert {site for one in ticks for site in one["canary"]} == set()
    ledger = fleet.read("rejected.yaml")
    assert bad in ledger
    assert path in ledger
    words = ("promote", f"{MODEL}/3", "--env", fleet.name, "--reason", "once more")
    assert "rejected" in fleet.do(*words, code=1).err


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


@pytest.mark.scenario("a release that cannot be applied", "argocd", "prometheus")
def test_a_refused_release_is_taken_back(argocd_bed: Bed, steady: Steady, note: Note) -> None:
    by_hand(argocd_bed, steady.fleet, steady.good, note)
    by_the_reconciler(argocd_bed, steady.fleet, steady.good, note)


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
    with bed.alone(), steps.reconciling(bed, fleet) as reconciler:
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
    told = [one for path, one in steps.evidence(fleet).items() if refused in path]
    moves = [one["decision"] for one in told if one["decision"] in ("advance", "revert")]
    assert moves == ["revert"]
    assert told[-1]["code"] == "adoption"
    sites = {"canary": 3, "serving": 0, "reachable": 3, "late": 3, "due": 3}
    assert told[-1]["adoption"] == {**sites, "stableFresh": True}
    assert refused in fleet.read("rejected.yaml")
