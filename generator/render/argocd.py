"""Argo CD objects: one AppProject per shard, one ApplicationSet per shard and model, one root.

Every rule here was measured on Argo CD 3.5 (design.md section 7). An Application's source never
changes: the set reads the site file, and the path it builds holds the pointer. Nothing is a
wildcard, and nothing is ever empty: an empty shard would be one made-up Application.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generator import layout
from generator.layout import RepoPath
from generator.model.config import Config
from generator.model.environment import Environment, Kind
from generator.model.site import Site
from generator.render.kustomize import HEADER
from generator.yamltext import Row, dump

NAMESPACE = "argocd"
ROOTS = f"{layout.ARGOCD}/root"
FLEET = f"{layout.ARGOCD}/fleet"
PULL = f"{layout.ARGOCD}/pull"
ROOT = "tidegate"  # without a hyphen, so no generated Application can have this name
IN_CLUSTER = "in-cluster"
_API = "argoproj.io/v1alpha1"
# Another poll of the branch renders only what a commit changed below the Application's path.
_OWN_PATH = {"argocd.argoproj.io/manifest-generate-paths": "."}
_RETRY = {
    "limit": -1,
    # A revert interrupts no back-off, so the cap is the longest wait.
    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m"},
    # Without it a failing sync retries the old commit for ever.
    "refresh": True,
}
_KINDS = (
    ("", "ConfigMap"),
    ("", "Pod"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("networking.k8s.io", "NetworkPolicy"),
)
_CLOUD_KINDS = (
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("policy", "PodDisruptionBudget"),
)
_ROOT_KINDS = (("argoproj.io", "AppProject"), ("argoproj.io", "ApplicationSet"))
_PULL_KINDS = (("argoproj.io", "AppProject"), ("argoproj.io", "Application"))


def environment(
    config: Config, settings: Environment, sites: Sequence[Site], models: Sequence[str]
) -> Mapping[RepoPath, bytes]:
    """Write the projects and sets of one environment.

    Args:
        config: Names the repository and its branch.
        settings: The environment.
        sites: All its sites.
        models: The models that have a baseline there.

    Returns:
        Path to bytes; nothing where there is no site, no model or no remote.
    """
    files: dict[RepoPath, bytes] = {}
    if not models or not config.remote:
        return files
    for shard, clusters in sorted(_clusters(sites).items()):
        folder = f"{FLEET}/{settings.name}/{shard}"
        name = _project_name(settings, shard)
        text = f"Models on the sites of {settings.name}, file {shard}"
        project = _project(config, settings, (name, text), clusters)
        files[f"{folder}/project.yaml"] = _write(project)
        for model in sorted(models):
            files[f"{folder}/sets/{model}.yaml"] = _write(_set(config, settings, shard, model))
    return files


def root(config: Config) -> Mapping[RepoPath, bytes]:
    """Write what the platform engineer applies once: `kubectl apply -f argocd/root/`."""
    text = "Projects and application sets of tidegate"
    return {
        f"{ROOTS}/project.yaml": _write(_root_project(config, ROOT, text, _ROOT_KINDS)),
        f"{ROOTS}/root.yaml": _write(_root(config, ROOT, ROOT, FLEET)),
    }


def site(
    config: Config, settings: Environment, id_: str, models: Sequence[str]
) -> Mapping[RepoPath, bytes]:
    """Write what the Argo CD of one site applies: `kubectl apply -f .../site.yaml`, once.

    The names hold the environment and the site, so that two can share a cluster.
    """
    folder = f"{PULL}/{settings.name}/{id_}"
    project = f"{settings.name}.{id_}"
    text = f"Models on the site {id_} of {settings.name}"
    first = (
        _first(_root_project(config, f"{project}.root", text, _PULL_KINDS)),
        _project(config, settings, (project, text), [IN_CLUSTER]),
        _root(config, project, f"{project}.root", folder),
    )
    files = {f"{folder}/site.yaml": HEADER + b"---\n".join(dump(one) for one in first)}
    for model in models:
        made = _application(config, settings, model, (id_, project, IN_CLUSTER))
        name = made["metadata"]
        whole = {
            "apiVersion": _API,
            "kind": "Application",
            "metadata": {"name": name["name"], "namespace": NAMESPACE, **name},
            "spec": made["spec"],
        }
        files[f"{folder}/models/{model}.yaml"] = _write(whole)
    return files


def _root_project(
    config: Config, name: str, text: str, kinds: Sequence[tuple[str, str]]
) -> Mapping[str, Any]:
    return {
        **_head("AppProject", name),
        "spec": {
            "description": text,
            "sourceRepos": [config.remote],
            "destinations": [Row(name=IN_CLUSTER, namespace=NAMESPACE)],
            "clusterResourceWhitelist": [],
            "namespaceResourceWhitelist": [*_rows(kinds)],
        },
    }


def _root(config: Config, name: str, project: str, path: RepoPath) -> Mapping[str, Any]:
    return {
        **_head("Application", name, _OWN_PATH),
        "spec": {
            "project": project,
            "source": {**_source(config, path), "directory": {"recurse": True}},
            "destination": {"name": IN_CLUSTER, "namespace": NAMESPACE},
            "syncPolicy": {
                "automated": {"prune": False, "selfHeal": True},
                "retry": _RETRY,
                "syncOptions": ["ServerSideApply=true"],
            },
        },
    }


def _write(value: Mapping[str, Any]) -> bytes:
    return HEADER + dump(value)


def _clusters(sites: Sequence[Site]) -> Mapping[str, Sequence[str]]:
    found: dict[str, set[str]] = {}
    for site in sites:
        found.setdefault(site.shard, set()).add(site.cluster)
    return {shard: sorted(clusters) for shard, clusters in found.items()}


def _head(kind: str, name: str, annotations: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": _API, "kind": kind, "metadata": metadata}


def _project_name(settings: Environment, shard: str) -> str:
    # With a hyphen, a-b and c would be called like a and b-c.
    return f"{settings.name}.{shard}"


def _project(
    config: Config, settings: Environment, named: tuple[str, str], clusters: Sequence[str]
) -> Mapping[str, Any]:
    name, text = named
    namespace = settings.namespace
    return _first(
        {
            **_head("AppProject", name),
            "spec": {
                "description": text,
                "sourceRepos": [config.remote],
                "destinations": [Row(name=one, namespace=namespace) for one in clusters],
                "clusterResourceWhitelist": [Row(group="", kind="Namespace", name=namespace)],
                "namespaceResourceWhitelist": [*_rows(kinds(settings))],
            },
        }
    )


def _first(project: Mapping[str, Any]) -> Mapping[str, Any]:
    # Argo CD orders the two kinds by name only, and a set without its project waits 3 minutes.
    annotations = {"argocd.argoproj.io/sync-wave": "-1"}
    return {**project, "metadata": {**project["metadata"], "annotations": annotations}}


def kinds(settings: Environment) -> tuple[tuple[str, str], ...]:
    """List (group, kind) of what a release may bring to the sites of an environment."""
    own = _KINDS + (_CLOUD_KINDS if settings.kind is Kind.CLOUD else ())
    more = (one.rpartition("/")[::2] for one in settings.kinds)
    return tuple(dict.fromkeys((*own, *more)))


def _rows(kinds: Sequence[tuple[str, str]]) -> Iterator[Row]:
    yield from (Row(group=group, kind=kind) for group, kind in kinds)


def _source(config: Config, path: str) -> Mapping[str, Any]:
    revision = f"refs/heads/{config.branch}"
    return {"repoURL": config.remote, "targetRevision": revision, "path": path}


def _set(config: Config, settings: Environment, shard: str, model: str) -> Mapping[str, Any]:
    project = _project_name(settings, shard)
    generator = {
        "repoURL": config.remote,
        "revision": f"refs/heads/{config.branch}",
        "files": [{"path": layout.shard(settings.name, shard)}],
    }
    return {
        **_head("ApplicationSet", f"{project}.{model}"),
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"git": generator}],
            "syncPolicy": {
                "applicationsSync": "create-update",
                "preserveResourcesOnDeletion": True,
            },
            "template": _application(
                config, settings, model, ("{{ .id }}", project, "{{ .cluster }}")
            ),
        },
    }


def _application(
    config: Config, settings: Environment, model: str, place: tuple[str, str, str]
) -> Mapping[str, Any]:
    """Write one Application, or the template of many: `place` is site, project and cluster."""
    id_, project, cluster = place
    source = dict(_source(config, layout.pointer(settings.name, id_, model)))
    if settings.kind is Kind.CLOUD:
        # Else Helm gets the name of the Application, and takes 53 characters at most.
        source["helm"] = {"releaseName": model}
    return {
        "metadata": {
            "name": f"{settings.name}-{model}-{id_}",
            "labels": {
                "tidegate.dev/environment": settings.name,
                "tidegate.dev/model": model,
                "tidegate.dev/site": id_,
            },
            "annotations": _OWN_PATH,
        },
        "spec": {
            "project": project,
            "source": source,
            "destination": {"name": cluster, "namespace": settings.namespace},
            "syncPolicy": _sync_policy(),
        },
    }


def _sync_policy() -> Mapping[str, Any]:
    return {
        "automated": {"prune": True, "selfHeal": True},
        "retry": _RETRY,
        "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
        "managedNamespaceMetadata": {
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
