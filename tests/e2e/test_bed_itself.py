"""The bed does what the scenarios believe of it: bad images, cut sites, metrics of what runs."""

import pytest

from tests.e2e.bed.bed import SETTLED, Bed
from tests.e2e.bed.fleet import NewFleet
from tests.metrics import Bad

SITES = 5
STEPS = {"steps: [5, 10, 25, 50, 100]": "steps: [20, 40, 60, 100]"}


pytestmark = pytest.mark.scenario("the bed itself", "argocd", "prometheus")


def test_sites_show_what_runs_and_crash_as_they_are_told(
    argocd_bed: Bed, new_fleet: NewFleet
) -> None:
    bed, fleet = argocd_bed, new_fleet(SITES, STEPS, is_measured=True)
    good = fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    bed.settle(fleet)

    # What is served follows what runs, with the bad share that was set.
    bed.sites.bad["v1"] = Bad(errors=0.25)
    wanted = f'{{environment="{fleet.name}",release="{good}"}}'

    def are_scraped() -> bool:
        found = bed.prometheus.ask(f"model_release_info{wanted}")
        assert {one["metric"]["site"] for one in found} == set(fleet.sites)
        (share,) = bed.prometheus.ask(
            f'sum(model_predictions_total{wanted[:-1]},outcome="error"}})'
            f" / sum(model_predictions_total{wanted})"
        )
        return abs(float(share["value"][1]) - 0.25) < 0.01

    bed.patience.until(are_scraped, 20, "every site is scraped")

    # A crash loop: applied, and never ready; the old pod serves on.
    crashes = fleet.promote(3)
    (canary,) = (site for site, release in fleet.desired().items() if release == crashes)
    bed.patience.until(
        lambda: bed.states(fleet)[canary] == "Synced Progressing Succeeded", 40, "it is applied"
    )
    assert bed.held(fleet)[canary] == crashes
    assert bed.running(fleet)[canary] == good
    fleet.do("revert", "defect-detector", "--env", fleet.name, "--reason", "it crashes")
    bed.settle(fleet)


def test_a_site_refuses_or_is_away_as_it_is_told(argocd_bed: Bed, new_fleet: NewFleet) -> None:
    bed, fleet = argocd_bed, new_fleet(SITES, STEPS)
    good = fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    bed.settle(fleet)

    # A refusal of the API server: nothing of the Deployment changes.
    refused = fleet.promote(4)
    (canary,) = (site for site, release in fleet.desired().items() if release == refused)
    bed.patience.until(
        lambda: "this image is refused here" in bed.argocd.message(fleet, canary), 40, "refused"
    )
    assert bed.held(fleet)[canary] == good
    assert bed.running(fleet)[canary] == good
    fleet.do("revert", "defect-detector", "--env", fleet.name, "--reason", "it is refused")
    bed.settle(fleet, 90)

    # A site that is away is not reached, and the others are.
    away, *others = fleet.sites
    bed.gate(fleet, away).refuse()
    better = fleet.promote(2, "--baseline")
    bed.patience.until(
        lambda: (
            {bed.states(fleet)[one] for one in others} == {SETTLED}
            and {bed.held(fleet)[one] for one in others} == {better}
        ),
        60,
        "the others have it",
    )
    assert bed.held(fleet)[away] == good
    bed.gate(fleet, away).pass_()
    bed.settle(fleet, 120)
    assert bed.held(fleet)[away] == better
