"""A release whose pods crash for ever is taken back by its adoption alone."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import HARDWARE, Fleet, NewFleet
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("a bad image is taken back", "argocd", "prometheus")
SITES, FIRST = 12, 3
SETTINGS = {
    "steps: [5, 10, 25, 50, 100]": "steps: [25, 50, 100]",
    "adoptWithin: 1h ": "adoptWithin: 10s ",
}
Note = Callable[[str, object], None]


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


def test_a_release_that_crashes_is_taken_back(
    argocd_bed: Bed, new_fleet: NewFleet, note: Note
) -> None:
    bed = argocd_bed
    fleet, good = steps.baseline(bed, new_fleet, SITES, SETTINGS)
    pods, before = steps.good_pods(bed, fleet, good), fleet.head()
    bad = fleet.promote(3)
    moved, promotion = steps.flipped(fleet, before), fleet.head()
    assert len(moved) == FIRST
    with steps.reconciling(bed, fleet) as reconciler:
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
    papers(fleet, bad, promotion, revert["commit"], len(dark))


def tight(fleet: Fleet, sites: Iterable[str]) -> frozenset[str]:
    """Name the sites on which a new pod starts only when the old one has gone."""
    hardware = dict(zip(fleet.sites, itertools.cycle(HARDWARE)))
    return frozenset(site for site in sites if hardware[site] != "cpu")


def papers(fleet: Fleet, bad: str, promotion: str, revert: str, dark: int) -> None:
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
