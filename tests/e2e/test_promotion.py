"""What `init` writes is accepted; a promotion moves exactly its sites, Argo CD no others.

The tests go on with one fleet, in this order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import SETTLED, Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO
from tidegate.demo.registry import MODEL

SITES = 40
promotes = pytest.mark.scenario("a promotion moves exactly its sites", "argocd")
Note = Callable[[str, object], None]


@dataclass(frozen=True)
class Scaffold:
    """A fleet on its baseline."""

    fleet: Fleet
    release: str
    settled_s: float


@pytest.fixture(scope="module")
def scaffold(argocd_bed: Bed, lasting_fleet: NewFleet) -> Scaffold:
    """Deliver what `init` and one promotion wrote."""
    fleet = lasting_fleet(SITES)
    release = fleet.promote(1, "--baseline")
    return Scaffold(fleet, release, argocd_bed.bring_up(fleet))


def operations(bed: Bed, fleet: Fleet) -> dict[str, str]:
    """Say which operation was the last one of every site: when it began."""
    found = bed.argocd.applications(fleet.name)
    return {site: one["status"]["operationState"]["startedAt"] for site, one in found.items()}


@pytest.mark.scenario("the scaffold is accepted", "argocd")
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


@promotes
def test_five_percent_move_and_nobody_else_is_touched(
    argocd_bed: Bed, scaffold: Scaffold, note: Note
) -> None:
    bed, fleet, old = argocd_bed, scaffold.fleet, scaffold.release
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


@promotes
def test_a_person_bumps_one_line_and_the_sites_follow(argocd_bed: Bed, scaffold: Scaffold) -> None:
    bed, fleet, old = argocd_bed, scaffold.fleet, scaffold.release
    (new,) = set(fleet.desired().values()) - {old}
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
