"""Flux objects of one site: where it pulls from, and one object for each model.

Nothing waits for health: a controller that waits does not see the next commit, and that is the
revert. Nothing is deleted with an object of Flux, nothing is rolled back but by Git.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from generator import layout
from generator.layout import RepoPath
from generator.model.config import Config
from generator.model.environment import Environment, Kind
from generator.render.kustomize import HEADER
from generator.yamltext import dump

NAMESPACE = "flux-system"
SECRET = "tidegate-git"  # noqa: S105 (a name; a person makes it on the site)
POLL = "1m"
TIMEOUT = "1m"
_SYNC = {
    "interval": "10m",  # a new commit does not wait for it; this is how soon drift is mended
    "retryInterval": "30s",
    "timeout": TIMEOUT,
    "deletionPolicy": "Orphan",
    "force": False,
    "wait": False,
}
_RETRY = {"name": "RetryOnFailure", "retryInterval": "30s"}
_ACTION = {"crds": "Skip", "disableWait": True, "strategy": _RETRY}


def site(
    config: Config, settings: Environment, id_: str, models: Sequence[str]
) -> Mapping[RepoPath, bytes]:
    """Write what the Flux of one site applies: `kubectl apply -f .../sync.yaml`, once.

    The names hold the environment and the site, so that two can share a cluster.
    """
    folder = f"{layout.FLUX}/{settings.name}/{id_}"
    first = (
        _namespace(settings),
        _source(config, settings, id_),
        _sync(settings, id_, folder),
    )
    files = {f"{folder}/sync.yaml": HEADER + b"---\n".join(dump(one) for one in first)}
    write = _release if settings.kind is Kind.CLOUD else _pointer
    for model in models:
        files[f"{folder}/models/{model}.yaml"] = HEADER + dump(write(settings, id_, model))
    return files


def _namespace(settings: Environment) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": settings.namespace,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
        },
    }


def _source(config: Config, settings: Environment, id_: str) -> Mapping[str, Any]:
    own = [f"{layout.FLUX}/{settings.name}/{id_}", layout.site(settings.name, id_)]
    shared = [] if settings.kind is Kind.CLOUD else [f"{layout.RELEASES}/{settings.name}"]
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": _name(settings, id_), "namespace": NAMESPACE},
        "spec": {
            "interval": POLL,
            "timeout": TIMEOUT,
            "url": config.remote,
            "ref": {"name": f"refs/heads/{config.branch}"},
            "secretRef": {"name": SECRET},
            # The pointers of all other sites would fill the disk of this one.
            "sparseCheckout": sorted([*own, *shared]),
        },
    }


def _sync(settings: Environment, id_: str, folder: RepoPath) -> Mapping[str, Any]:
    """Keep the folder itself applied, so that a new model arrives without a visit."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": _name(settings, id_), "namespace": NAMESPACE},
        "spec": {
            **_SYNC,
            "path": f"./{folder}",
            "prune": False,
            "sourceRef": _reference(settings, id_),
        },
    }


def _pointer(settings: Environment, id_: str, model: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": _metadata(settings, id_, model),
        "spec": {
            **_SYNC,
            "path": f"./{layout.pointer(settings.name, id_, model)}",
            "prune": True,
            "targetNamespace": settings.namespace,
            "sourceRef": _reference(settings, id_),
        },
    }


def _release(settings: Environment, id_: str, model: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": _metadata(settings, id_, model),
        "spec": {
            "interval": "10m",
            "timeout": TIMEOUT,
            "chart": {
                "spec": {
                    "chart": f"./{layout.pointer(settings.name, id_, model)}",
                    "interval": POLL,
                    # The version of the pointer never changes; its commit does.
                    "reconcileStrategy": "Revision",
                    "sourceRef": _reference(settings, id_),
                }
            },
            "releaseName": model,
            "targetNamespace": settings.namespace,
            "storageNamespace": settings.namespace,
            "maxHistory": 2,  # every commit is a release of Helm; Git is the history
            "install": _ACTION,
            "upgrade": _ACTION,
            "driftDetection": {"mode": "enabled"},
        },
    }


def _metadata(settings: Environment, id_: str, model: str) -> Mapping[str, Any]:
    return {
        "name": f"{settings.name}-{model}-{id_}",
        "namespace": NAMESPACE,
        "labels": {
            "tidegate.dev/environment": settings.name,
            "tidegate.dev/model": model,
            "tidegate.dev/site": id_,
        },
    }


def _name(settings: Environment, id_: str) -> str:
    # With a dot: no model's object can have this name.
    return f"{settings.name}.{id_}"


def _reference(settings: Environment, id_: str) -> Mapping[str, str]:
    return {"kind": "GitRepository", "name": _name(settings, id_)}
