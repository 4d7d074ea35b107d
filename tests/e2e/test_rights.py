"""The rights that the generated repository asks for are enough, and they are no more than that."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e import steps
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import location
from tests.e2e.test_doctor import ask, hub

SITES = 6
ARGOCD, OWN = "argocd", "tidegate"
WRITTEN = (
    "namespace",
    "serviceaccount",
    "role-argocd",
    "rolebinding-argocd",
    "role-lease",
    "rolebinding-lease",
)
# What somebody with the token of the reconciler must not do: verb, group, resource, namespace.
DENIED = (
    ("get", "", "secrets", ARGOCD),
    ("list", "", "secrets", OWN),
    ("create", "argoproj.io", "applications", ARGOCD),
    ("delete", "argoproj.io", "applications", ARGOCD),
    ("update", "argoproj.io", "applications", ARGOCD),
    ("delete", "argoproj.io", "applicationsets", ARGOCD),
    ("patch", "argoproj.io", "appprojects", ARGOCD),
    ("get", "", "configmaps", ARGOCD),
    ("create", "", "pods", ARGOCD),
    ("create", "", "pods", OWN),
    ("list", "argoproj.io", "applications", "default"),
    ("delete", "coordination.k8s.io", "leases", OWN),
    ("create", "", "serviceaccounts/token", OWN),
)


@pytest.fixture(scope="module")
def delivered(argocd_bed: Bed, lasting_fleet: NewFleet) -> Fleet:
    bed, fleet = argocd_bed, lasting_fleet(SITES)
    fleet.promote(1, "--baseline")
    bed.bring_up(fleet)
    return fleet


def token(bed: Bed, namespace: str, name: str) -> str:
    """Ask for a token as a pod of this ServiceAccount has it."""
    path = f"{location('v1', 'ServiceAccount', namespace, name)}/token"
    wish = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    found: str = bed.hub.kube.request("POST", path, json=wish)["status"]["token"]
    return found


def as_account(bed: Bed, folder: Path, secret: str) -> str:
    """Write a kubeconfig for a token."""
    config = yaml.safe_load(bed.hub.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": secret}
    file = folder / "account.kubeconfig"
    file.write_text(json.dumps(config))
    return str(file)


def may(bed: Bed, user: str, verb: str, group: str, resource: str, namespace: str) -> bool:
    """Ask the API server whether somebody may do something."""
    name, _, part = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": name, "namespace": namespace}
    spec = {"user": user, "resourceAttributes": {**asked, "subresource": part}}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    status: Mapping[str, bool] = bed.hub.kube.request("POST", path, json=body)["status"]
    return status["allowed"]


@pytest.mark.scenario("the reconciler's own rights are enough", "argocd")
def test_with_its_own_account_it_follows_nudges_and_holds_its_lease(
    argocd_bed: Bed, delivered: Fleet
) -> None:
    bed, fleet = argocd_bed, delivered
    for name in WRITTEN:
        bed.hub.kube.apply(yaml.safe_load(fleet.read(f"reconciler/base/{name}.yaml")))
    own = as_account(bed, fleet.folder, token(bed, OWN, "tidegate-reconciler"))
    new = fleet.promote(2)
    words = ("--no-hub", "--kubeconfig", own, "--lease", "tidegate/reconciler")
    with steps.reconciling(bed, fleet, *words) as reconciler:
        bed.settle(fleet, 30)
        bed.patience.until(lambda: f"{SITES} applied" in reconciler.texts(), 20, "it says so")
        lease = bed.hub.kube.get("coordination.k8s.io/v1", "Lease", "reconciler", OWN)
        assert lease is not None
        assert lease["spec"]["holderIdentity"]
    assert list(bed.held(fleet).values()).count(new) == 1
    assert "forbidden" not in reconciler.texts().lower()
    (moved,) = (site for site, release in bed.held(fleet).items() if release == new)
    assert steps.operation(bed, fleet, moved)["phase"] == "Succeeded"

    user = f"system:serviceaccount:{OWN}:tidegate-reconciler"
    assert may(bed, user, "patch", "argoproj.io", "applications", ARGOCD)
    assert [one for one in DENIED if may(bed, user, *one)] == []


@pytest.mark.scenario("doctor finds each planted misconfiguration", "argocd")
def test_who_may_do_nothing_is_told_so_and_reads_no_secret(
    argocd_bed: Bed, delivered: Fleet
) -> None:
    """A real identity without any right: real refusals."""
    bed, fleet, name = argocd_bed, delivered, "looker"
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    bed.hub.kube.apply({**account, "metadata": {"name": name, "namespace": ARGOCD}})
    secret = token(bed, ARGOCD, name)
    found = ask(fleet, as_account(bed, fleet.folder, secret))
    (one,) = found["cluster.rights"]
    assert one["state"] == "error"
    assert f"system:serviceaccount:{ARGOCD}:{name} may not get applications" in one["message"]
    states = {state for listed in hub(found).values() for state in listed}
    assert states == {"error", "not checked"}
    assert hub(found)["argocd.windows"] == ["not checked"]
    assert hub(found)["argocd.clusters"] == ["not checked"]
    assert secret not in str(found)
