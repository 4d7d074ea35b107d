"""Sites that serve something else than what is applied are named, and count for nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import location
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("desired, applied, serving disagree", "argocd", "prometheus")
SITES, FIRST, LIARS = 12, 6, 3
SETTINGS = {
    "steps: [5, 10, 25, 50, 100]": "steps: [50, 100]",
    "adoptWithin: 1h ": "adoptWithin: 25s ",
}


@contextmanager
def claiming(bed: Bed, claims: Mapping[str, str]) -> Iterator[None]:
    """Let sites say that they serve something else than they do, by namespace."""
    bed.sites.claims.update(claims)
    try:
        yield
    finally:
        for namespace in claims:
            bed.sites.claims.pop(namespace)


@contextmanager
def nobody_heals(bed: Bed) -> Iterator[None]:
    """Stop the part of Argo CD that looks at sites."""
    bed.place.processes.stop("application-controller")
    try:
        yield
    finally:
        bed.argocd.restart("application-controller")


def put_by_hand(bed: Bed, fleet: Fleet, site: str, like: str) -> None:
    """Give a site the pod template of another one, while Argo CD does not look."""
    kube = bed.edge.kube
    path = {
        one: location("apps/v1", "Deployment", fleet.namespace(one), MODEL) for one in (site, like)
    }
    model = kube.request("GET", path[like])
    wanted = model["spec"]["template"]
    wanted["metadata"]["labels"]["tidegate.dev/site"] = site
    labels = {**model["metadata"]["labels"], "tidegate.dev/site": site}
    edit = {"/spec/template": wanted, "/metadata/labels": labels}
    kube.patch(
        path[site], [{"op": "replace", "path": at, "value": value} for at, value in edit.items()]
    )


def counted(bed: Bed, fleet: Fleet, site: str, release: str, at: str) -> int:
    """Ask Prometheus how many predictions of a release a site had counted by then."""
    labels = f'environment="{fleet.name}",site="{site}",release="{release}"'
    asked = f"sum(model_predictions_total{{{labels}}})"
    (found,) = bed.prometheus.ask(asked, at)
    return int(found["value"][1])


def summed(ticks: Iterable[Mapping[str, Mapping[str, list[int]]]], arm: str) -> Mapping[str, int]:
    """Add up the events of every site in one arm."""
    found: dict[str, int] = {}
    for tick in ticks:
        for site, (events, _) in tick[arm].items():
            found[site] = found.get(site, 0) + events
    return found


def test_who_serves_something_else_is_named_and_not_counted(
    argocd_bed: Bed, new_fleet: NewFleet
) -> None:
    bed = argocd_bed
    fleet, old = steps.baseline(bed, new_fleet, SITES, SETTINGS)
    before = fleet.head()
    new = fleet.promote(2)
    moved = sorted(steps.flipped(fleet, before))
    assert len(moved) == FIRST
    liars, honest = moved[:LIARS], moved[LIARS:]
    (stray, *calm) = [site for site in fleet.sites if site not in moved]
    with claiming(bed, {fleet.namespace(site): old for site in liars}):
        bed.settle(fleet, 60)
        # Nobody heals: what is put there by hand stays, and Argo CD's word is an old one.
        with nobody_heals(bed):
            put_by_hand(bed, fleet, stray, like=honest[0])
            alone = frozenset([stray])
            bed.patience.until(steps.all_on(bed, fleet, new, alone), 60, "the stray one serves it")
            with steps.reconciling(bed, fleet) as reconciler:
                bed.patience.until(steps.reverted(fleet, reconciler), 120, "the revert is in Git")
            log = reconciler.log()
        bed.settle(fleet, 60)
    warned = {one["text"] for one in log if one["level"] == "warning"}
    serves = "{} serves {}, Argo CD has applied {}, Git wants {}"
    assert {
        *(serves.format(site, old, new, new) for site in liars),
        serves.format(stray, new, old, old),
    } <= warned
    assert {text.split()[0] for text in warned} == {stray, *liars}

    told = counts(bed, fleet, new, honest)
    # Before the flip they were honest; since then the newest tick has none of them.
    assert set(told["stable"]) == set(calm)
    assert set(told["canary"]) == set(honest)


def counts(bed: Bed, fleet: Fleet, new: str, honest: list[str]) -> Mapping[str, Any]:
    """Hold the evidence of the revert against what the sites have counted; give its last tick."""
    path, told = list(steps.evidence(fleet).items())[-1]
    assert (told["decision"], told["code"]) == ("revert", "adoption")
    sites = {"canary": 6, "serving": 3, "reachable": 6, "late": 3, "due": 6}
    assert told["adoption"] == {**sites, "stableFresh": True}
    ticks = [one for one in steps.recording(fleet, path) if one.get("objective") == "errors"]
    canary = summed(ticks, "canary")
    assert set(canary) == set(honest)
    last = max(one["at"] for one in ticks)
    assert canary == {site: counted(bed, fleet, site, new, last) for site in honest}
    return ticks[-1]
