"""In the cloud the percentage is traffic: it never goes to what is not there, and nothing restarts.

What is asserted about order comes from the order in which the API server's store took the changes,
not from how fast somebody looked; see `bed/gateway.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import SETTLED, Bed
from tests.e2e.bed.fleet import CLOUD, Fleet
from tests.e2e.bed.gateway import API, ROUTE, Traffic
from tests.e2e.bed.kube import location
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("cloud: traffic moves by weights", "argocd", "gateway")
CLUSTERS = 3
Note = Callable[[str, object], None]


@pytest.fixture(scope="module")
def clusters(bed: Bed) -> Iterator[Fleet]:
    """Make three clusters once: every test here begins and ends with one release on them."""
    assert bed.argocd
    fleet = bed.fleet(CLUSTERS, kind=CLOUD)
    fleet.promote(1, "--baseline")
    bed.deliver(fleet)
    yield fleet
    bed.drop(fleet)


@pytest.fixture
def calm(bed: Bed, clusters: Fleet) -> Iterator[tuple[Fleet, str]]:
    """Give the clusters and the one release that has all of their traffic."""
    old = str(clusters.rollout()["stable"])
    on(bed, clusters, {old: 10_000}, 120)
    yield clusters, old
    for proxy in bed.proxies():
        proxy.pass_()


def live(bed: Bed, fleet: Fleet) -> Mapping[str, tuple[Mapping[str, int], frozenset[str]]]:
    """Read weights by release, and the releases with a Deployment, of every cluster."""
    named = {fleet.namespace(site): site for site in fleet.sites}
    routes = {one["metadata"]["namespace"]: one for one in bed.edge.kube.list(API, ROUTE)}
    held = {site: frozenset(text.split("+")) for site, text in bed.held(fleet).items()}
    return {
        site: (weights(routes[own]), held.get(site, frozenset()))
        for own, site in named.items()
        if own in routes
    }


def weights(route: Mapping[str, Any]) -> Mapping[str, int]:
    """Read the weights of a route by release."""
    (rule,) = route["spec"]["rules"]
    return {one["name"].removeprefix(f"{MODEL}-"): one["weight"] for one in rule["backendRefs"]}


def is_on(
    bed: Bed, fleet: Fleet, wanted: Mapping[str, int], sites: frozenset[str] | None = None
) -> Callable[[], bool]:
    """Look whether these clusters have just these releases and weights, and Argo CD says so."""
    chosen = sites or frozenset(fleet.sites)

    def look() -> bool:
        found, states = live(bed, fleet), bed.states(fleet)
        assert {site: found[site] for site in chosen if site in found} == {
            site: (wanted, frozenset(wanted)) for site in chosen
        }
        assert {states.get(site) for site in chosen} == {SETTLED}
        return True

    return look


def on(bed: Bed, fleet: Fleet, wanted: Mapping[str, int], within: float = 90) -> float:
    """Wait until every cluster has just these releases and weights; give the seconds."""
    return steps.seconds(is_on(bed, fleet, wanted), bed, within, f"{fleet.name} is on {wanted}")


def uids(bed: Bed, fleet: Fleet, release: str) -> Mapping[tuple[str, str, str], str]:
    """Give the uid of every Deployment, ReplicaSet and pod of a release."""
    labels = f"tidegate.dev/release={release}"
    own = {fleet.namespace(site) for site in fleet.sites}
    return {
        (kind, who["namespace"], who["name"]): who["uid"]
        for api, kind in (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("v1", "Pod"))
        for who in (one["metadata"] for one in bed.edge.kube.list(api, kind, labels=labels))
        if who["namespace"] in own
    }


def changed(fleet: Fleet, commit: str) -> frozenset[str]:
    """Name the files below the pointers that a commit changed, as seen from a pointer."""
    listed = fleet.git("diff", "--name-only", f"{commit}^", commit, "--", "sites/")
    return frozenset(path.split("/", 4)[4] for path in listed.splitlines())


def percent(fleet: Fleet, number: int) -> None:
    """Bump the percentage, as a person does in the cloud."""
    words = ("--env", fleet.name, "--reason", "a scenario")
    fleet.do("set-percent", MODEL, str(number), *words)


def unharmed(fleet: Fleet, traffic: Traffic) -> bool:
    """Say whether on no cluster, at no moment, traffic went to what was not there."""
    for site in fleet.sites:
        assert list(traffic.harms(fleet.namespace(site))) == []
    return True


def history(fleet: Fleet, traffic: Traffic, site: str, *releases: str) -> list[tuple[int, ...]]:
    """List the weights of some releases that the route of a cluster had; absent is -1."""
    found = traffic.weights(fleet.namespace(site))
    return [tuple(told.get(one, -1) for one in releases) for _, told in found]


def test_a_weight_set_by_hand_is_healed(bed: Bed, calm: tuple[Fleet, str]) -> None:
    fleet, old = calm
    own, ghost = fleet.namespace(fleet.sites[0]), "v9-00000000"
    backend = {"group": "", "kind": "Service", "name": f"{MODEL}-{ghost}", "port": 80, "weight": 1}
    add = {"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": backend}
    with Traffic(bed.edge.kube) as traffic:
        bed.edge.kube.patch(location(API, ROUTE, own, MODEL), [add])
        steps.poke(bed, fleet, frozenset(fleet.sites[:1]))
        on(bed, fleet, {old: 10_000})
        bed.patience.until(lambda: len(traffic.weights(own)) == 3, 30, "both changes are seen")
    assert [told.get(ghost) for _, told in traffic.weights(own)] == [None, 1, None]
    # Had any of the other scenarios sent traffic into nothing, it would have read like this.
    (harm,) = {told.partition(": ")[2] for told in traffic.harms(own)}
    assert harm == f"1 to {ghost} without Deployment and Service"


def test_a_revert_takes_the_traffic_first_and_the_objects_after_it(
    bed: Bed, calm: tuple[Fleet, str], note: Note
) -> None:
    fleet, old = calm
    before = fleet.git("rev-parse", "HEAD:sites")
    kept = uids(bed, fleet, old)
    with Traffic(bed.edge.kube) as traffic, steps.reconciling(bed, fleet):
        new = fleet.promote(2)
        on(bed, fleet, {old: 9_500, new: 500})
        percent(fleet, 50)
        on(bed, fleet, {old: 5_000, new: 5_000})

        def without_traffic() -> bool:
            return all(found[0].get(new, 0) == 0 for found in live(bed, fleet).values())

        with bed.alone():
            fleet.do("revert", MODEL, "--env", fleet.name, "--reason", "a scenario")
            weights_commit = fleet.head()
            took = steps.seconds(without_traffic, bed, 10, "no cluster sends it traffic")
        on(bed, fleet, {old: 10_000})
    note("cloud: revert pushed -> no traffic on any cluster, seconds", round(took, 1))
    assert changed(fleet, weights_commit) == {"values.yaml"}
    assert fleet.git("rev-parse", "HEAD:sites") == before
    assert steps.rollout_line(fleet, "phase") == "Reverted"
    for site in fleet.sites:
        own = fleet.namespace(site)
        back = next(at for at, told in reversed(traffic.weights(own)) if new in told)
        assert history(fleet, traffic, site, old, new)[-2:] == [(10_000, 0), (10_000, -1)]
        gone = traffic.gone(own, new)
        assert gone.keys() == {"Deployment", "Service"}
        assert min(gone.values()) > back
    assert unharmed(fleet, traffic)
    assert uids(bed, fleet, old) == kept


def test_a_canary_that_never_starts_gets_no_traffic(bed: Bed, calm: tuple[Fleet, str]) -> None:
    fleet, old = calm
    before = fleet.git("rev-parse", "HEAD:sites")
    with Traffic(bed.edge.kube) as traffic, steps.reconciling(bed, fleet) as reconciler:
        new = fleet.promote(3)

        def is_held() -> bool:
            found = live(bed, fleet)
            assert set(found) == set(fleet.sites)
            assert all(told == ({old: 10_000, new: 0}, {old, new}) for told in found.values())
            return f"{CLUSTERS} moving" in reconciler.texts()

        bed.patience.until(is_held, 30, "its objects are on every cluster")
        passes = len(reconciler.log())
        wanted = f"before {', '.join(fleet.sites)} are healthy with its objects"

        def said_again() -> bool:
            later = [one for one in reconciler.log()[passes:] if one.get("code") == "objects"]
            return len(later) >= 3 and all(wanted in one["text"] for one in later)

        bed.patience.until(said_again, 30, "the hold names the clusters, pass after pass")
        assert steps.rollout_line(fleet, "percent") == "0"
        fleet.do("revert", MODEL, "--env", fleet.name, "--reason", "it never starts")
        on(bed, fleet, {old: 10_000})
        assert not reconciler.commits()
    assert fleet.git("rev-parse", "HEAD:sites") == before
    for site in fleet.sites:
        assert history(fleet, traffic, site, old, new) == [(10_000, -1), (10_000, 0), (10_000, -1)]
    assert unharmed(fleet, traffic)


def test_one_cluster_away_keeps_the_objects_everywhere(bed: Bed, calm: tuple[Fleet, str]) -> None:
    fleet, old = calm
    away = fleet.sites[-1]
    others = frozenset(fleet.sites[:-1])
    with Traffic(bed.edge.kube) as traffic, steps.reconciling(bed, fleet) as reconciler:
        new = fleet.promote(2)
        on(bed, fleet, {old: 9_500, new: 500})
        bed.gate(fleet, away).refuse()
        fleet.do("revert", MODEL, "--env", fleet.name, "--reason", "a scenario")
        reverted = fleet.head()
        back = is_on(bed, fleet, {old: 10_000, new: 0}, others)
        bed.patience.until(back, 30, "the clusters that can be reached send it no traffic")
        passes = len(reconciler.log())

        def is_named() -> bool:
            later = [one for one in reconciler.log()[passes:] if one.get("code") == "weights"]
            text = f"objects stay until {away} is without its traffic"
            return len(later) >= 3 and text in later[-1]["text"]

        bed.patience.until(is_named, 30, "the hold names the cluster that is away")
        assert fleet.head() == reverted
        found = live(bed, fleet)
        assert found[away] == ({old: 9_500, new: 500}, {old, new})
        assert {found[site][1] for site in others} == {frozenset({old, new})}
        bed.gate(fleet, away).pass_()
        on(bed, fleet, {old: 10_000}, 120)
    for site in fleet.sites:
        assert history(fleet, traffic, site, old, new)[-2:] == [(10_000, 0), (10_000, -1)]
    assert unharmed(fleet, traffic)


def test_weights_follow_the_percentage_and_no_pod_restarts(
    bed: Bed, calm: tuple[Fleet, str], note: Note
) -> None:
    fleet, old = calm
    with Traffic(bed.edge.kube) as traffic, steps.reconciling(bed, fleet) as reconciler:
        new = fleet.promote(2)
        start = fleet.head()
        shares = on(bed, fleet, {old: 9_500, new: 500})
        first = fleet.head()
        mine = uids(bed, fleet, new)
        assert len(mine) == CLUSTERS * (1 + 1 + 2)
        took = []
        for number in (50, 100):
            percent(fleet, number)
            took.append(on(bed, fleet, {old: 10_000 - 100 * number, new: 100 * number}))
        last = fleet.head()
        fleet.promote(2, "--baseline")
        took.append(on(bed, fleet, {new: 10_000}))
        assert reconciler.commits()[0]["commit"] == first
    note("cloud: promotion pushed -> first traffic on 3 clusters, seconds", round(shares, 1))
    note("cloud: a weight pushed -> live on 3 clusters, seconds", round(max(took[:2]), 1))

    # One commit brings the objects, the next ones only move the weights, the last one only drops.
    assert "values.yaml" in changed(fleet, start)
    assert f"charts/{new}/templates/deployment.yaml" in changed(fleet, start)
    assert fleet.git("rev-parse", f"{first}^").strip() == start
    assert changed(fleet, first) == changed(fleet, last) == {"values.yaml"}
    assert fleet.git("log", "-1", "--format=%s", first).startswith(f"{MODEL} {fleet.name}: 0% -> 5")

    for site in fleet.sites:
        assert history(fleet, traffic, site, old, new) == [
            (10_000, -1),
            (10_000, 0),
            (9_500, 500),
            (5_000, 5_000),
            (0, 10_000),
            (-1, 10_000),
        ]
        own = fleet.namespace(site)
        without = next(at for at, told in traffic.weights(own) if told.get(old) == 0)
        assert min(traffic.gone(own, old).values()) > without
    assert unharmed(fleet, traffic)
    assert uids(bed, fleet, new) == mine
    assert uids(bed, fleet, old) == {}
