"""`tidegate doctor` against real Argo CD: each planted misconfiguration, and the way out."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO, location

pytestmark = pytest.mark.scenario("doctor finds each planted misconfiguration", "argocd")
SITES = 6
NAMESPACE = "argocd"
Found = Mapping[str, list[Any]]
Look = Callable[[], Found]


@pytest.fixture
def delivered(argocd_bed: Bed, new_fleet: NewFleet) -> Fleet:
    fleet = new_fleet(SITES)
    fleet.promote(1, "--baseline")
    argocd_bed.bring_up(fleet)
    return fleet


def ask(fleet: Fleet, kubeconfig: str) -> Found:
    """Run it as a person would; give the findings by check."""
    words = ("--kubeconfig", kubeconfig, "--only", "hub", "--json", "--no-engines")
    ran = fleet.do("doctor", *words, code=None)
    found: dict[str, list[Any]] = {}
    for one in json.loads(ran.out)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


def hub(found: Found) -> dict[str, list[str]]:
    """Name what is not well at the hub."""
    ill: dict[str, list[str]] = {}
    for check, listed in found.items():
        states = [one["state"] for one in listed if one["state"] != "ok"]
        if states and check.startswith(("argocd.", "cluster.")):
            ill[check] = states
    return ill


# There are no Deployments on the bed to read a version from.
WELL = {"argocd.version": ["not checked"]}


def wait(bed: Bed, look: Look, wanted: Mapping[str, list[str]], seconds: float = 60) -> Found:
    """Wait until exactly this is not well, and until each of it names a way out."""

    def is_so() -> Found:
        found = look()
        assert hub(found) == {**WELL, **wanted}
        return found

    found = bed.patience.until(is_so, seconds, f"doctor says {wanted or 'that all is well'}")
    assert all(one["fix"] for check in wanted for one in found[check] if one["state"] != "ok")
    return found


def test_each_planted_misconfiguration_is_found(
    argocd_bed: Bed, delivered: Fleet, note: Callable[[str, object], None]
) -> None:
    bed, fleet = argocd_bed, delivered

    def look() -> Found:
        return ask(fleet, str(bed.hub.kubeconfig))

    found = wait(bed, look, {})
    assert found["argocd.applications"][0]["message"] == f"{SITES} Applications, as Git wants"
    assert [one["state"] for one in found["cluster.clock"]] == ["ok"]
    settings(bed, look)
    window(bed, fleet, look)
    policies(bed, fleet, look)
    wait(bed, look, {})
    registration(bed, fleet, look)
    note("doctor: misconfigurations planted and found", len(_SETTINGS) + 7)


def settings(bed: Bed, look: Look) -> None:
    for data, wanted in _SETTINGS:
        bed.argocd.configure(data)
        wait(bed, look, wanted)
    bed.argocd.configure({})
    path = location("v1", "ConfigMap", NAMESPACE, "argocd-cmd-params-cm")
    with patched(bed, path, {"data": {"controller.sync.timeout.seconds": "60"}}):
        wait(bed, look, {"argocd.timeout": ["warning"]})


def window(bed: Bed, fleet: Fleet, look: Look) -> None:
    deny = {"kind": "deny", "schedule": "0 3 1 1 *", "duration": "1m", "clusters": ["*"]}
    path = location(ARGO, "AppProject", NAMESPACE, f"{fleet.name}.s000")
    with patched(bed, path, {"spec": {"syncWindows": [deny]}}):
        found = wait(bed, look, {"argocd.windows": ["error"]})
    assert f"{SITES} of our Applications" in found["argocd.windows"][0]["message"]


def policies(bed: Bed, fleet: Fleet, look: Look) -> None:
    """With the root switched off, what is planted in a set stays long enough to be seen."""
    root = location(ARGO, "Application", NAMESPACE, "tidegate")
    made = location(ARGO, "ApplicationSet", NAMESPACE, f"{fleet.name}.s000.defect-detector")
    with patched(bed, root, {"spec": {"syncPolicy": {"automated": None}}}):
        wait(bed, look, {"argocd.root": ["error"]})
        policy = {"automated": None, "retry": {"limit": 2, "refresh": None}}
        change = {"spec": {"template": {"spec": {"syncPolicy": policy}}}}
        with patched(bed, made, change):
            off = {"argocd.autosync": ["error"], "argocd.retry": ["error"]}
            late = {"argocd.root": ["error", "warning"], "argocd.setdrift": ["error"]}
            wait(bed, look, {**off, **late})
        rolling = {"type": "RollingSync", "rollingSync": {"steps": [{"matchExpressions": []}]}}
        with patched(bed, made, {"spec": {"strategy": rolling}}):
            # A field that Git does not name is no difference to Argo CD: the root stays Synced.
            wait(bed, look, {"argocd.root": ["error"], "argocd.rolling": ["error"]})


def registration(bed: Bed, fleet: Fleet, look: Look) -> None:
    cluster, kube = fleet.cluster(fleet.sites[0]), bed.hub.kube
    path = location("v1", "Secret", NAMESPACE, f"cluster-{cluster}")
    kept = kube.request("GET", path)
    kube.request("DELETE", path)
    found = wait(bed, look, {"argocd.clusters": ["error"], "argocd.conditions": ["error"]}, 120)
    assert cluster in found["argocd.clusters"][0]["message"]
    kube.apply(
        {**kept, "metadata": {k: kept["metadata"][k] for k in ("name", "namespace", "labels")}}
    )


_SETTINGS: tuple[tuple[Mapping[str, str], Mapping[str, list[str]]], ...] = (
    ({"application.resourceTrackingMethod": "annotation+label"}, {"argocd.tracking": ["warning"]}),
    ({"timeout.reconciliation": "1h"}, {"argocd.poll": ["warning"]}),
    ({"resource.exclusions": "- {kinds: [NetworkPolicy]}"}, {"argocd.kinds": ["error"]}),
    (
        {"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/metadata]"},
        {"argocd.ignored": ["warning"]},
    ),
)


@contextmanager
def patched(bed: Bed, path: str, change: Mapping[str, Any]) -> Iterator[None]:
    """Change an object, and put back what it was."""
    kube = bed.hub.kube
    before = kube.request("GET", path)
    kube.patch(path, dict(change))
    try:
        yield
    finally:
        kube.patch(path, _undo(change, before))


def _undo(change: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in change.items():
        was = before.get(key)
        deeper = isinstance(value, Mapping) and isinstance(was, Mapping)
        found[key] = _undo(value, was) if deeper else was
    return found
