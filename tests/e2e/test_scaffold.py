"""What `tidegate init` writes is accepted by real Argo CD and by real API servers."""

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import NewFleet
from tests.e2e.bed.kube import ARGO

pytestmark = pytest.mark.scenario("the scaffold is accepted", "argocd")
SITES = 40


def test_a_baseline_reaches_every_site(argocd_bed: Bed, new_fleet: NewFleet, note) -> None:
    bed, fleet = argocd_bed, new_fleet(SITES)
    release = fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    note(f"{SITES} sites after one commit, seconds", round(bed.settle(fleet, 120), 1))

    assert bed.held(fleet) == dict.fromkeys(fleet.sites, release)
    assert bed.running(fleet) == dict.fromkeys(fleet.sites, release)
    applications = bed.argocd.applications(fleet.name)
    assert sorted(applications) == list(fleet.sites)
    marks = {tuple(one["status"]["summary"]["externalURLs"]) for one in applications.values()}
    assert marks == {(f"https://tidegate.dev/releases/{release}",)}
    names = [one["metadata"]["name"] for one in bed.hub.kube.list(ARGO, "Application", "argocd")]
    assert sorted(names) == sorted(["tidegate", *(fleet.application(one) for one in fleet.sites)])
    assert set(bed.argocd.rendered(fleet.name)) == {
        f"sites/{fleet.name}/{site}/defect-detector" for site in fleet.sites
    }
