"""What each site pulls: the same pointers as for one Argo CD, and nothing that waits."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.model.config import Config
from generator.model.environment import Delivery, Environment, Kind
from generator.model.site import Site
from generator.render import argocd, delivery, flux

CONFIG = Config(remote="https://git.example.com/fleet.git")
SITES = (Site("plant-0001", "k3s-0001"), Site("plant-0002", "k3s-0002"))
MODELS = ("defect-detector", "weld-check")


def an_environment(how: Delivery, kind: Kind = Kind.EDGE) -> Environment:
    return Environment(kind.value, kind, delivery=how)


def read(files: Any, path: str) -> list[Any]:
    return list(yaml.safe_load_all(files[path]))


def test_flux_gets_a_file_for_the_site_and_one_for_each_model() -> None:
    files = delivery.environment(CONFIG, an_environment(Delivery.FLUX), SITES, MODELS)
    assert sorted(files) == [
        f"flux/edge-k3s/plant-000{n}/{name}.yaml"
        for n in (1, 2)
        for name in ("models/defect-detector", "models/weld-check", "sync")
    ]


def test_the_file_of_a_site_is_what_a_person_applies_once() -> None:
    files = delivery.environment(CONFIG, an_environment(Delivery.FLUX), SITES, MODELS)
    assert read(files, "flux/edge-k3s/plant-0002/sync.yaml") == [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": "models",
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
            },
        },
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "edge-k3s.plant-0002", "namespace": "flux-system"},
            "spec": {
                "interval": "1m",
                "timeout": "1m",
                "url": "https://git.example.com/fleet.git",
                "ref": {"name": "refs/heads/main"},
                "secretRef": {"name": "tidegate-git"},
                "sparseCheckout": [
                    "flux/edge-k3s/plant-0002",
                    "releases/edge-k3s",
                    "sites/edge-k3s/plant-0002",
                ],
            },
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "edge-k3s.plant-0002", "namespace": "flux-system"},
            "spec": {
                "interval": "10m",
                "retryInterval": "30s",
                "timeout": "1m",
                "deletionPolicy": "Orphan",
                "force": False,
                "wait": False,
                "path": "./flux/edge-k3s/plant-0002",
                "prune": False,
                "sourceRef": {"kind": "GitRepository", "name": "edge-k3s.plant-0002"},
            },
        },
    ]


def test_flux_applies_the_very_pointer() -> None:
    files = delivery.environment(CONFIG, an_environment(Delivery.FLUX), SITES, MODELS)
    (one,) = read(files, "flux/edge-k3s/plant-0002/models/weld-check.yaml")
    assert one == {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {
            "name": "edge-k3s-weld-check-plant-0002",
            "namespace": "flux-system",
            "labels": {
                "tidegate.dev/environment": "edge-k3s",
                "tidegate.dev/model": "weld-check",
                "tidegate.dev/site": "plant-0002",
            },
        },
        "spec": {
            "interval": "10m",
            "retryInterval": "30s",
            "timeout": "1m",
            "deletionPolicy": "Orphan",
            "force": False,
            "wait": False,
            "path": "./sites/edge-k3s/plant-0002/weld-check",
            "prune": True,
            "targetNamespace": "models",
            "sourceRef": {"kind": "GitRepository", "name": "edge-k3s.plant-0002"},
        },
    }


def test_in_the_cloud_flux_renders_the_chart_and_never_rolls_back() -> None:
    settings = an_environment(Delivery.FLUX, Kind.CLOUD)
    files = delivery.environment(CONFIG, settings, SITES, MODELS)
    (one,) = read(files, "flux/cloud-eks/plant-0001/models/weld-check.yaml")
    action = {
        "crds": "Skip",
        "disableWait": True,
        "strategy": {"name": "RetryOnFailure", "retryInterval": "30s"},
    }
    assert (one["apiVersion"], one["kind"]) == ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
    assert one["metadata"]["name"] == "cloud-eks-weld-check-plant-0001"
    assert one["spec"] == {
        "interval": "10m",
        "timeout": "1m",
        "chart": {
            "spec": {
                "chart": "./sites/cloud-eks/plant-0001/weld-check",
                "interval": "1m",
                "reconcileStrategy": "Revision",
                "sourceRef": {"kind": "GitRepository", "name": "cloud-eks.plant-0001"},
            }
        },
        "releaseName": "weld-check",
        "targetNamespace": "models",
        "storageNamespace": "models",
        "maxHistory": 2,
        "install": action,
        "upgrade": action,
        "driftDetection": {"mode": "enabled"},
    }
    source = read(files, "flux/cloud-eks/plant-0001/sync.yaml")[1]
    assert source["spec"]["sparseCheckout"] == [
        "flux/cloud-eks/plant-0001",
        "sites/cloud-eks/plant-0001",
    ]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_site_syncs_like_one_argo_cd_for_all(kind: Kind) -> None:
    pulled = delivery.environment(CONFIG, an_environment(Delivery.ARGOCD_PULL, kind), SITES, MODELS)
    hub = argocd.environment(CONFIG, an_environment(Delivery.ARGOCD, kind), SITES, MODELS)
    (mine,) = read(pulled, f"argocd/pull/{kind.value}/plant-0002/models/weld-check.yaml")
    template = yaml.safe_load(
        hub[f"argocd/fleet/{kind.value}/s000/sets/weld-check.yaml"]
        .replace(b"{{ .id }}", b"plant-0002")
        .replace(b"{{ .cluster }}", b"in-cluster")
    )["spec"]["template"]
    assert mine["apiVersion"] == "argoproj.io/v1alpha1"
    assert mine["metadata"] == {**template["metadata"], "namespace": "argocd"}
    assert mine["spec"] == {**template["spec"], "project": f"{kind.value}.plant-0002"}


def test_the_argo_cd_of_a_site_brings_its_own_folder() -> None:
    files = delivery.environment(CONFIG, an_environment(Delivery.ARGOCD_PULL), SITES, MODELS)
    outer, inner, root = read(files, "argocd/pull/edge-k3s/plant-0001/site.yaml")
    hub = yaml.safe_load(
        argocd.environment(CONFIG, an_environment(Delivery.ARGOCD), SITES, MODELS)[
            "argocd/fleet/edge-k3s/s000/project.yaml"
        ]
    )
    assert inner["spec"] == {
        **hub["spec"],
        "description": "Models on the site plant-0001 of edge-k3s",
        "destinations": [{"name": "in-cluster", "namespace": "models"}],
    }
    assert outer["metadata"]["name"] == "edge-k3s.plant-0001.root"
    assert outer["spec"]["namespaceResourceWhitelist"] == [
        {"group": "argoproj.io", "kind": "AppProject"},
        {"group": "argoproj.io", "kind": "Application"},
    ]
    assert root["metadata"]["name"] == "edge-k3s.plant-0001"
    assert root["spec"]["source"]["path"] == "argocd/pull/edge-k3s/plant-0001"
    assert root["spec"]["syncPolicy"]["automated"] == {"prune": False, "selfHeal": True}


@pytest.mark.parametrize("how", list(Delivery))
@pytest.mark.parametrize(
    ("config", "sites", "models"),
    [(CONFIG, (), MODELS), (CONFIG, SITES, ()), (Config(remote=""), SITES, MODELS)],
)
def test_nothing_is_written_for_nothing(
    how: Delivery, config: Config, sites: tuple[Site, ...], models: tuple[str, ...]
) -> None:
    assert delivery.environment(config, an_environment(how), sites, models) == {}


names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
remotes = st.text("SITE/x", min_size=1).map(lambda text: f"https://git.example.com/{text}")


@pytest.mark.parametrize("write", [flux.site, argocd.site])
@pytest.mark.parametrize("kind", list(Kind))
def test_putting_a_name_in_gives_what_writing_it_gives(
    write: Callable[..., Any], kind: Kind
) -> None:
    @given(st.sets(names, max_size=4), remotes)
    def check(ids: set[str], remote: str) -> None:
        config, settings = Config(remote=remote), Environment("env", kind)

        def one(id_: str) -> Any:
            return write(config, settings, id_, MODELS)

        each = {path: data for id_ in ids for path, data in one(id_).items()}
        assert delivery.repeat(config, ids, one) == each

    check()


def test_ten_thousand_sites_take_no_time() -> None:
    sites = [Site(f"plant-{number:05d}", "c") for number in range(10_000)]
    started = time.process_time()
    files = delivery.environment(CONFIG, an_environment(Delivery.FLUX), sites, MODELS)
    assert len(files) == 30_000
    assert time.process_time() - started < 2
