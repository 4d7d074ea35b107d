"""Argo CD on the hub: its roles as processes, its settings as objects, and what it has done."""

import base64
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.bed import engines, ports
from tests.e2e.bed.cluster import TOKEN, Cluster, Place
from tests.e2e.bed.fleet import Fleet
from tests.e2e.bed.kube import ARGO, Object, location
from tests.e2e.bed.ports import LOOPBACK

NAMESPACE = "argocd"
POLL_S = 15
_PART = {"app.kubernetes.io/part-of": "argocd"}
_EMPTY = (
    "argocd-cmd-params-cm",
    "argocd-gpg-keys-cm",
    "argocd-rbac-cm",
    "argocd-ssh-known-hosts-cm",
    "argocd-tls-certs-cm",
)
# What the runbooks ask for: few kinds are watched, and those of the root Application are there.
INCLUSIONS = (
    ("", ("Namespace", "ConfigMap", "Pod", "Service", "ServiceAccount")),
    ("apps", ("Deployment", "ReplicaSet")),
    ("apiextensions.k8s.io", ("CustomResourceDefinition",)),
    ("argoproj.io", ("AppProject", "ApplicationSet")),
    ("autoscaling", ("HorizontalPodAutoscaler",)),
    ("gateway.networking.k8s.io", ("HTTPRoute",)),
    ("networking.k8s.io", ("NetworkPolicy",)),
    ("policy", ("PodDisruptionBudget",)),
)
# Notes what it is asked to render, and is the engine itself from then on.
_COUNTED = """#!/bin/sh
case "$1" in build|template) echo "$PWD $*" >> '{log}' ;; esac
exec '{path}' "$@"
"""
_POINTER = re.compile(r"/(sites/[^/ ]+/[^/ ]+/[^/ ]+)")
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class ArgoCD:
    """Argo CD's three roles and its redis, working on one hub."""

    def __init__(self, place: Place, hub: Cluster, poll_s: int = POLL_S) -> None:
        self.place, self.hub, self.poll_s = place, hub, poll_s
        self.folder = place.folder / "argocd"
        roles = ("redis", "repo", "repo-metrics", "controller-metrics", "sets-metrics")
        self._ports = {name: ports.free() for name in (*roles, "sets-probe", "sets-webhook")}

    # -------------------------------------------------------------- set-up

    def start(self) -> None:
        """Bring definitions, settings and every role up."""
        self._objects()
        self._folders()
        processes, at = self.place.processes, self._ports
        redis = [engines.path("redis-server"), "--save", "", "--appendonly", "no"]
        redis += ["--bind", LOOPBACK, "--port", str(at["redis"]), "--dir", str(self.folder)]
        processes.start("redis", redis)
        processes.wait("redis", lambda: ports.is_open(at["redis"]))
        for name, words in self._roles().items():
            self._start(name, words)
        for name in self._roles():
            self.wait(name)

    def wait(self, name: str) -> None:
        """Wait until a role answers, after a start or a restart."""
        self.place.processes.wait(name, lambda: bool(self._text(name)), 60)

    def _start(self, name: str, words: Sequence[str]) -> None:
        env = {**self._environment(), "ARGOCD_BINARY_NAME": f"argocd-{name}"}
        self.place.processes.start(name, [engines.path("argocd"), *words], env)

    def restart(self, name: str, *more: str, **env: str) -> None:
        """Start a role again, with further words for it, and wait."""
        self.place.processes.stop(name)
        words = [*self._roles()[name], *more]
        told = {**self._environment(), "ARGOCD_BINARY_NAME": f"argocd-{name}", **env}
        self.place.processes.start(name, [engines.path("argocd"), *words], told)
        self.wait(name)

    def poll(self, seconds: int) -> None:
        """Let Argo CD look by itself only so often from now on: POLL_S makes tests quick."""
        self.poll_s = seconds
        self.configure({})
        for name in self._roles():
            self.restart(name)

    def _roles(self) -> Mapping[str, Sequence[str]]:
        at = self._ports
        redis = ["--redis", f"{LOOPBACK}:{at['redis']}"]
        repo = f"{LOOPBACK}:{at['repo']}"
        hub = ["--kubeconfig", str(self.hub.kubeconfig), "--namespace", NAMESPACE]
        return {
            "repo-server": [
                *("--address", LOOPBACK, "--port", str(at["repo"])),
                *("--metrics-address", LOOPBACK, "--metrics-port", str(at["repo-metrics"])),
                *redis,
                *("--disable-tls", "--client-ca-path", ""),
                *("--parallelismlimit", "4"),  # more of them at once only wait for each other
            ],
            "application-controller": [
                *hub,
                *redis,
                *("--repo-server", repo, "--repo-server-plaintext"),
                *("--metrics-port", str(at["controller-metrics"])),
                *("--app-resync", str(self.poll_s), "--app-resync-jitter", "0"),
                *("--status-processors", "20", "--operation-processors", "20"),
            ],
            "applicationset-controller": [
                *hub,
                *("--argocd-repo-server", repo, "--repo-server-plaintext"),
                *("--metrics-addr", f"{LOOPBACK}:{at['sets-metrics']}"),
                *("--probe-addr", f"{LOOPBACK}:{at['sets-probe']}"),
                *("--webhook-addr", f"{LOOPBACK}:{at['sets-webhook']}"),
            ],
        }

    def _environment(self) -> Mapping[str, str]:
        here = {
            name: str(self.folder / folder)
            for name, folder in (
                ("ARGOCD_TLS_DATA_PATH", "tls"),
                ("ARGOCD_SSH_DATA_PATH", "ssh"),
                ("ARGOCD_GNUPGHOME", "gnupg"),
                ("ARGOCD_PLUGINSOCKFILEPATH", "plugins"),
                ("HOME", "home"),
                ("TMPDIR", "tmp"),
            )
        }
        return {
            **here,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "KUBECONFIG": str(self.hub.kubeconfig),
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_RECONCILIATION_TIMEOUT": f"{self.poll_s}s",
            "ARGOCD_RECONCILIATION_JITTER": "0s",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_CLUSTER_CACHE_EVENTS_PROCESSING_INTERVAL": "100ms",
            "ARGOCD_K8S_CLIENT_QPS": "200",
            "ARGOCD_K8S_CLIENT_BURST": "400",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GRPC_ENABLE_TXT_SERVICE_CONFIG": "false",
        }

    def _folders(self) -> None:
        for name in ("tls", "ssh", "gnupg", "plugins", "home", "tmp", "bin"):
            (self.folder / name).mkdir(parents=True)
        git = shutil.which("git")
        assert git is not None
        found = {"git": git, "git-verify-wrapper.sh": engines.path("git-verify-wrapper.sh")}
        for name, path in found.items():
            (self.folder / "bin" / name).symlink_to(Path(path).resolve())
        for name in ("helm", "kustomize"):
            script = self.folder / "bin" / name
            script.write_text(_COUNTED.format(log=self._rendered, path=engines.path(name)))
            script.chmod(0o755)

    def _objects(self) -> None:
        crds, kube = engines.crds(), self.hub.kube
        assert crds is not None
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        kube.define(crds)
        kube.apply(*(_config(name, {}) for name in _EMPTY))
        self.configure({})
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        kube.apply(_secret("argocd-secret", {"server.secretkey": key}, _PART))

        def is_established() -> bool:
            kube.apply(_default_project())
            return kube.is_defined("argoproj.io")

        until = self.place.processes.patience.until
        until(is_established, 30, "the definitions are established")

    def configure(self, data: Mapping[str, str]) -> None:
        """Set `argocd-cm`: what the bed needs, and what a test plants besides."""
        rules = [
            {"apiGroups": [group], "kinds": list(kinds), "clusters": ["*"]}
            for group, kinds in INCLUSIONS
        ]
        own = {
            "timeout.reconciliation": f"{self.poll_s}s",
            "timeout.reconciliation.jitter": "0s",
            "resource.inclusions": json.dumps(rules),
        }
        self.hub.kube.apply(_config("argocd-cm", {**own, **data}))

    # -------------------------------------------------------------- clusters

    def register(self, clusters: Mapping[str, str], label: str) -> None:
        """Tell Argo CD of clusters: name to address; `label` is how they are forgotten again."""
        settings = {"bearerToken": TOKEN}
        labels = {"argocd.argoproj.io/secret-type": "cluster", "bed": label}
        for name, url in clusters.items():
            data = {"name": name, "server": url, "config": json.dumps(settings)}
            self.hub.kube.apply(_secret(f"cluster-{name}", data, labels))

    def forget(self, label: str) -> None:
        """Take clusters off again."""
        path = location("v1", "Secret", NAMESPACE)
        self.hub.kube.request("DELETE", path, params={"labelSelector": f"bed={label}"})

    # -------------------------------------------------------------- what it has done

    def applications(self, environment: str) -> Mapping[str, Object]:
        """Read the Applications of an environment, by site."""
        labels = f"tidegate.dev/environment={environment}"
        found = self.hub.kube.list(ARGO, "Application", NAMESPACE, labels)
        return {one["metadata"]["labels"]["tidegate.dev/site"]: one for one in found}

    def message(self, fleet: Fleet, site: str) -> str:
        """Read what Argo CD says of the last operation on a site."""
        status = self.applications(fleet.name)[site].get("status", {})
        told: str = status.get("operationState", {}).get("message", "")
        return told

    def refresh(self, kind: str, name: str, how: str = "normal") -> None:
        """Ask for a look at an Application or a set now."""
        key, value = "argocd.argoproj.io/refresh", how
        if kind == "ApplicationSet":
            key, value = "argocd.argoproj.io/application-set-refresh", secrets.token_hex(8)
        path = location(ARGO, kind, NAMESPACE, name)
        self.hub.kube.patch(path, {"metadata": {"annotations": {key: value}}})

    def counted(self, role: str, metric: str, **labels: str) -> float:
        """Add up a counter of a role over all series with these labels."""
        return added(self._text(role), metric, **labels)

    def rendered(self, environment: str) -> tuple[str, ...]:
        """List the pointers that were really rendered, one entry each time, in order.

        Argo CD's own metrics do not tell a rendering from a cached answer, so the engines that it
        starts tell.
        """
        if not self._rendered.exists():
            return ()
        found = (_POINTER.search(line) for line in self._rendered.read_text().splitlines())
        paths = (one.group(1) for one in found if one)
        return tuple(path for path in paths if path.split("/")[1] == environment)

    @property
    def _rendered(self) -> Path:
        return self.folder / "rendered.log"

    def _text(self, role: str) -> str:
        names = {
            "repo-server": "repo-metrics",
            "application-controller": "controller-metrics",
            "applicationset-controller": "sets-metrics",
        }
        url = f"http://{LOOPBACK}:{self._ports[names[role]]}/metrics"
        try:
            return httpx.get(url, timeout=10, trust_env=False).raise_for_status().text
        except httpx.HTTPError:
            return ""


def added(text: str, metric: str, **labels: str) -> float:
    """Add up a metric over all series with these labels, in what a process exposes."""
    return sum(
        float(value)
        for name, told, value in _SAMPLE.findall(text)
        if name == metric and labels.items() <= dict(_LABEL.findall(told)).items()
    )


def _config(name: str, data: Mapping[str, str]) -> Mapping[str, Any]:
    who = {"name": name, "namespace": NAMESPACE, "labels": _PART}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": who, "data": dict(data)}


def _secret(name: str, data: Mapping[str, str], labels: Mapping[str, str]) -> Mapping[str, Any]:
    who = {"name": name, "namespace": NAMESPACE, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": who, "stringData": dict(data)}


def _default_project() -> Mapping[str, Any]:
    spec: Mapping[str, Any] = {"sourceRepos": [], "destinations": []}
    who = {"name": "default", "namespace": NAMESPACE}
    return {"apiVersion": ARGO, "kind": "AppProject", "metadata": who, "spec": spec}
