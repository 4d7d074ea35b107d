"""A promotion moves exactly the sites of its first step, and Argo CD does nothing else."""

from collections.abc import Callable

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import SETTLED, Bed
from tests.e2e.bed.fleet import NewFleet
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("a promotion moves exactly its sites", "argocd")
SITES = 40
Note = Callable[[str, object], None]


def operations(bed: Bed, fleet) -> dict[str, str]:
    """Say which operation was the last one of every site: when it began."""
    found = bed.argocd.applications(fleet.name)
    return {site: one["status"]["operationState"]["startedAt"] for site, one in found.items()}


def test_five_percent_move_and_nobody_else_is_touched(
    argocd_bed: Bed, new_fleet: NewFleet, note: Note
) -> None:
    bed, fleet = argocd_bed, new_fleet(SITES)
    old = fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    bed.settle(fleet, 120)
    before, pods, began = fleet.head(), steps.pods(bed, fleet), operations(bed, fleet)
    rendered = len(bed.argocd.rendered(fleet.name))

    new = fleet.promote(2)
    with steps.reconciling(bed, fleet) as reconciler:
        took = bed.settle(fleet, 30)
        said = steps.seconds(
            lambda: f"{SITES} applied" in reconciler.texts(), bed, 30, "the reconciler says so"
        )
    moved = steps.flipped(fleet, before)
    assert len(moved) == 2
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


def test_a_person_bumps_one_line_and_the_sites_follow(argocd_bed: Bed, new_fleet: NewFleet) -> None:
    bed, fleet = argocd_bed, new_fleet(SITES)
    old = fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    bed.settle(fleet, 120)
    new = fleet.promote(2)
    first = fleet.desired()
    before = fleet.head()
    # Straight on main, the line alone; the reconciler expands it and names the commit.
    fleet.edit(f"rollouts/{fleet.name}/{MODEL}.yaml", "percent: 5 ", "percent: 25 ", "bump")
    bump = fleet.head()
    assert fleet.desired() == first
    with steps.reconciling(bed, fleet):
        bed.patience.until(lambda: fleet.head() != bump, 30, "the bump is expanded")
        bed.settle(fleet, 30)
    assert len(steps.flipped(fleet, before)) == 8
    assert sorted(bed.held(fleet).values()).count(new) == 10
    assert sorted(bed.held(fleet).values()).count(old) == 30
    assert f"follows {bump[:12]}" in fleet.git("log", "-1", "--format=%B", "refs/heads/main")
