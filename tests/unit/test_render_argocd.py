"""Argo CD objects: literal projects, constant sources, never an empty set."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from generator import layout
from generator.model.config import Config
from generator.model.environment import Environment, Kind
from generator.model.names import application_name
from generator.model.site import Site
from generator.render import argocd

CONFIG = Config(remote="https://git.example.com/fleet.git")
EDGE = Environment("edge-k3s", Kind.EDGE)
SITES = (
    Site("plant-0001", "k3s-plant-0001"),
    Site("plant-0002", "k3s-plant-0002"),
    Site("plant-0003", "k3s-plant-0003", shard="s001"),
)
MODELS = ("defect-detector", "weld-check")
RETRY = {
    "limit": -1,
    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m"},
    "refresh": True,
}


def texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in (*value, *value.values()):
                yield from texts(one)
        case list():
            for one in value:
                yield from texts(one)
        case _:
            pass


def test_a_project_per_shard_and_a_set_per_shard_and_model() -> None:
    assert sorted(argocd.environment(CONFIG, EDGE, SITES, MODELS)) == [
        "argocd/fleet/edge-k3s/s000/project.yaml",
        "argocd/fleet/edge-k3s/s000/sets/defect-detector.yaml",
        "argocd/fleet/edge-k3s/s000/sets/weld-check.yaml",
        "argocd/fleet/edge-k3s/s001/project.yaml",
        "argocd/fleet/edge-k3s/s001/sets/defect-detector.yaml",
        "argocd/fleet/edge-k3s/s001/sets/weld-check.yaml",
    ]


@pytest.mark.parametrize(
    ("config", "sites", "models"),
    [(CONFIG, (), MODELS), (CONFIG, SITES, ()), (Config(remote=""), SITES, MODELS)],
)
def test_nothing_is_written_for_nothing(
    config: Config, sites: tuple[Site, ...], models: tuple[str, ...]
) -> None:
    assert argocd.environment(config, EDGE, sites, models) == {}


def test_a_project_names_what_it_allows() -> None:
    files = argocd.environment(CONFIG, EDGE, SITES, MODELS)
    project = yaml.safe_load(files["argocd/fleet/edge-k3s/s000/project.yaml"])
    assert project == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {
            "name": "edge-k3s.s000",
            "namespace": "argocd",
            "annotations": {"argocd.argoproj.io/sync-wave": "-1"},
        },
        "spec": {
            "description": "Models on the sites of edge-k3s, file s000",
            "sourceRepos": ["https://git.example.com/fleet.git"],
            "destinations": [
                {"name": "k3s-plant-0001", "namespace": "models"},
                {"name": "k3s-plant-0002", "namespace": "models"},
            ],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "models"}],
            "namespaceResourceWhitelist": [
                {"group": "", "kind": "ConfigMap"},
                {"group": "", "kind": "Pod"},
                {"group": "", "kind": "Service"},
                {"group": "", "kind": "ServiceAccount"},
                {"group": "apps", "kind": "Deployment"},
                {"group": "apps", "kind": "ReplicaSet"},
                {"group": "networking.k8s.io", "kind": "NetworkPolicy"},
            ],
        },
    }


def test_a_project_allows_what_its_environment_lists_and_nothing_twice() -> None:
    kinds = ("external-secrets.io/ExternalSecret", "Endpoints", "apps/Deployment")
    files = argocd.environment(CONFIG, replace(EDGE, kinds=kinds), SITES, MODELS)
    (plain,) = {
        path: data
        for path, data in argocd.environment(CONFIG, EDGE, SITES, MODELS).items()
        if path.endswith("s000/project.yaml")
    }.values()
    project = files["argocd/fleet/edge-k3s/s000/project.yaml"]
    before = yaml.safe_load(plain)["spec"]["namespaceResourceWhitelist"]
    assert yaml.safe_load(project)["spec"]["namespaceResourceWhitelist"] == [
        *before,
        {"group": "external-secrets.io", "kind": "ExternalSecret"},
        {"group": "", "kind": "Endpoints"},
    ]


def test_a_set_reads_the_site_file_itself() -> None:
    files = argocd.environment(CONFIG, EDGE, SITES, MODELS)
    one = yaml.safe_load(files["argocd/fleet/edge-k3s/s000/sets/defect-detector.yaml"])
    assert one == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "edge-k3s.s000.defect-detector", "namespace": "argocd"},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "git": {
                        "repoURL": "https://git.example.com/fleet.git",
                        "revision": "refs/heads/main",
                        "files": [{"path": "environments/edge-k3s/sites/s000.yaml"}],
                    }
                }
            ],
            "syncPolicy": {
                "applicationsSync": "create-update",
                "preserveResourcesOnDeletion": True,
            },
            "template": {
                "metadata": {
                    "name": "edge-k3s-defect-detector-{{ .id }}",
                    "labels": {
                        "tidegate.dev/environment": "edge-k3s",
                        "tidegate.dev/model": "defect-detector",
                        "tidegate.dev/site": "{{ .id }}",
                    },
                    "annotations": {"argocd.argoproj.io/manifest-generate-paths": "."},
                },
                "spec": {
                    "project": "edge-k3s.s000",
                    "source": {
                        "repoURL": "https://git.example.com/fleet.git",
                        "targetRevision": "refs/heads/main",
                        "path": "sites/edge-k3s/{{ .id }}/defect-detector",
                    },
                    "destination": {"name": "{{ .cluster }}", "namespace": "models"},
                    "syncPolicy": {
                        "automated": {"prune": True, "selfHeal": True},
                        "retry": RETRY,
                        "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
                        "managedNamespaceMetadata": {
                            "labels": {"pod-security.kubernetes.io/enforce": "restricted"}
                        },
                    },
                },
            },
        },
    }


def test_names_and_paths_are_those_of_the_layout() -> None:
    files = argocd.environment(CONFIG, EDGE, SITES, MODELS)
    one = yaml.safe_load(files["argocd/fleet/edge-k3s/s001/sets/weld-check.yaml"])
    template = one["spec"]["template"]
    assert template["metadata"]["name"].replace("{{ .id }}", "plant-0003") == application_name(
        "edge-k3s", "weld-check", "plant-0003"
    )
    assert template["spec"]["source"]["path"].replace("{{ .id }}", "plant-0003") == layout.pointer(
        "edge-k3s", "plant-0003", "weld-check"
    )


def test_a_cloud_project_also_allows_what_the_chart_holds() -> None:
    cloud = Environment("cloud-eks", Kind.CLOUD)
    files = argocd.environment(CONFIG, cloud, SITES[:1], MODELS)
    project = yaml.safe_load(files["argocd/fleet/cloud-eks/s000/project.yaml"])
    kinds = {one["kind"] for one in project["spec"]["namespaceResourceWhitelist"]}
    assert {"HorizontalPodAutoscaler", "HTTPRoute", "PodDisruptionBudget", "Pod"} <= kinds


def test_helm_gets_a_name_that_it_takes() -> None:
    cloud = Environment("cloud-eks", Kind.CLOUD)
    files = argocd.environment(CONFIG, cloud, SITES[:1], MODELS)
    one = yaml.safe_load(files["argocd/fleet/cloud-eks/s000/sets/weld-check.yaml"])
    assert one["spec"]["template"]["spec"]["source"] == {
        "repoURL": "https://git.example.com/fleet.git",
        "targetRevision": "refs/heads/main",
        "path": "sites/cloud-eks/{{ .id }}/weld-check",
        "helm": {"releaseName": "weld-check"},
    }


def test_ten_thousand_sites_are_twenty_sets_a_model() -> None:
    sites = [
        Site(f"plant-{n:05d}", f"k3s-{n:05d}", shard=f"s{n // 500:03d}") for n in range(10_000)
    ]
    files = argocd.environment(CONFIG, EDGE, sites, MODELS)
    read = {path: yaml.load(data, Loader=yaml.CSafeLoader) for path, data in files.items()}
    kinds = [one["kind"] for one in read.values()]
    assert (kinds.count("AppProject"), kinds.count("ApplicationSet")) == (20, 20 * len(MODELS))
    projects = [one["spec"] for one in read.values() if one["kind"] == "AppProject"]
    assert {len(one["destinations"]) for one in projects} == {500}


def test_nothing_is_a_wildcard() -> None:
    files = {**argocd.environment(CONFIG, EDGE, SITES, MODELS), **argocd.root(CONFIG)}
    assert [
        one for data in files.values() for one in texts(yaml.safe_load(data)) if "*" in one
    ] == []


def test_sites_that_share_a_cluster_are_one_destination() -> None:
    sites = (Site("a", "hub"), Site("b", "hub"))
    files = argocd.environment(CONFIG, EDGE, sites, MODELS)
    project = yaml.safe_load(files["argocd/fleet/edge-k3s/s000/project.yaml"])
    assert project["spec"]["destinations"] == [{"name": "hub", "namespace": "models"}]


def test_two_environments_never_share_a_project() -> None:
    def project(name: str, shard: str) -> str:
        site = Site("a", "hub", shard=shard)
        files = argocd.environment(CONFIG, Environment(name, Kind.EDGE), [site], MODELS)
        found = yaml.safe_load(files[f"argocd/fleet/{name}/{shard}/project.yaml"])
        return str(found["metadata"]["name"])

    assert project("a-b", "c") != project("a", "b-c")


def test_the_root_brings_projects_and_sets_and_prunes_nothing() -> None:
    files = argocd.root(CONFIG)
    assert list(files) == ["argocd/root/project.yaml", "argocd/root/root.yaml"]
    project, application = (yaml.safe_load(data) for data in files.values())
    assert project["spec"] == {
        "description": "Projects and application sets of tidegate",
        "sourceRepos": ["https://git.example.com/fleet.git"],
        "destinations": [{"name": "in-cluster", "namespace": "argocd"}],
        "clusterResourceWhitelist": [],
        "namespaceResourceWhitelist": [
            {"group": "argoproj.io", "kind": "AppProject"},
            {"group": "argoproj.io", "kind": "ApplicationSet"},
        ],
    }
    assert application["spec"] == {
        "project": "tidegate",
        "source": {
            "repoURL": "https://git.example.com/fleet.git",
            "targetRevision": "refs/heads/main",
            "path": "argocd/fleet",
            "directory": {"recurse": True},
        },
        "destination": {"name": "in-cluster", "namespace": "argocd"},
        "syncPolicy": {
            "automated": {"prune": False, "selfHeal": True},
            "retry": RETRY,
            "syncOptions": ["ServerSideApply=true"],
        },
    }
