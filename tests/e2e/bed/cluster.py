"""A Kubernetes cluster: an API server on a prefix of the common etcd, and what makes it work."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.bed import engines, nodes, ports
from tests.e2e.bed.certificates import Certificates
from tests.e2e.bed.gate import Upstream
from tests.e2e.bed.kube import Kube, KubeError
from tests.e2e.bed.ports import LOOPBACK
from tests.e2e.bed.processes import Processes
from tests.e2e.bed.proxy import Proxy, Wire, tcp

TOKEN = "bed"  # of an administrator of servers that only this machine can reach
_CONTROLLERS = (
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "serviceaccount-controller",
)


@dataclass(frozen=True)
class Place:
    """What everything on a bed shares.

    Attributes:
        folder: Private; goes with the test run.
    """

    folder: Path
    processes: Processes
    certificates: Certificates
    wire: Wire


@dataclass(frozen=True)
class Etcd:
    """The store of all clusters."""

    place: Place
    port: int

    @property
    def url(self) -> str:
        """Give the address for clients."""
        return f"http://{LOOPBACK}:{self.port}"

    @classmethod
    def start(cls, place: Place) -> "Etcd":
        """Start it, and wait."""
        made, peer = cls(place, ports.free()), f"http://{LOOPBACK}:{ports.free()}"
        argv = [
            engines.path("etcd"),
            f"--data-dir={place.folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={made.url}",
            f"--advertise-client-urls={made.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--quota-backend-bytes=4294967296",
            "--log-level=warn",
        ]
        place.processes.start("etcd", argv)
        place.processes.wait("etcd", lambda: ports.is_open(made.port))
        return made


class Cluster:
    """One API server behind a proxy, and, where pods shall run, the rest of a cluster.

    Attributes:
        name: Of the etcd prefix; its processes are called `<name>-api` and so on.
        proxy: The way that everybody but the bed itself takes.
        kube: The bed's own client, which no proxy cuts.
    """

    def __init__(self, place: Place, name: str) -> None:
        self.place, self.name = place, name
        self.port = ports.free()
        self.proxy = Proxy(place.wire, tcp(self.port), ports.free())
        url = f"https://{LOOPBACK}:{self.port}"
        self.kube = Kube(url, TOKEN, place.certificates.context())

    @property
    def url(self) -> str:
        """Give the address behind the proxy."""
        return f"https://{LOOPBACK}:{self.proxy.port}"

    @property
    def kubeconfig(self) -> Path:
        """Locate a configuration for everybody else; they go through the proxy."""
        return self.place.folder / f"{self.name}.kubeconfig"

    def way(self, client: str) -> tuple[Proxy, Path]:
        """Make a way that only one client takes, and its configuration, to cut that one alone."""
        proxy = Proxy(self.place.wire, tcp(self.port), ports.free())
        path = self.place.folder / f"{self.name}-{client}.kubeconfig"
        self._write(path, f"https://{LOOPBACK}:{proxy.port}")
        return proxy, path

    def start(self, etcd: Etcd, *, compacts: bool) -> None:
        """Start the API server; `wait` waits for it."""
        place, keys = self.place, self.place.certificates
        tokens = place.folder / "tokens.csv"
        tokens.write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self._write(self.kubeconfig, self.url)
        self._write(self._inner, self.kube.url)
        argv = [
            engines.path("kube-apiserver"),
            f"--etcd-servers={etcd.url}",
            f"--etcd-prefix=/{self.name}",
            f"--etcd-compaction-interval={'5m' if compacts else '0'}",
            "--etcd-count-metric-poll-period=0",
            "--etcd-db-metric-poll-interval=0",
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--cert-dir={place.folder / 'cert-dir'}",
            f"--tls-cert-file={keys.certificate}",
            f"--tls-private-key-file={keys.key}",
            f"--client-ca-file={keys.ca}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--service-account-issuer=https://bed",
            f"--service-account-key-file={keys.key}",
            f"--service-account-signing-key-file={keys.key}",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            "--enable-priority-and-fairness=false",
            "--profiling=false",
        ]
        place.processes.start(f"{self.name}-api", argv)

    @property
    def _inner(self) -> Path:
        return self.place.folder / f"{self.name}-inner.kubeconfig"

    def wait(self) -> None:
        """Wait until the API server is ready."""
        self.place.processes.wait(f"{self.name}-api", self.kube.is_ready, 60)

    def start_workers(self) -> None:
        """Let pods run: controllers, a scheduler, and KWOK for nodes and kubelets."""
        place, keys = self.place, self.place.certificates
        stages = place.folder / f"{self.name}-stages.yaml"
        stages.write_text(nodes.stages())
        self.kube.apply(*nodes.objects())
        ends = {name: ports.free() for name in ("controllers", "scheduler", "kwok")}
        common = [f"--kubeconfig={self._inner}"]
        served = [*common, "--leader-elect=false", f"--bind-address={LOOPBACK}"]
        started = {
            "controllers": [
                engines.path("kube-controller-manager"),
                *served,
                f"--secure-port={ends['controllers']}",
                f"--cert-dir={place.folder / 'cert-dir'}",
                f"--root-ca-file={keys.ca}",
                f"--service-account-private-key-file={keys.key}",
                f"--controllers={','.join(_CONTROLLERS)}",
                "--concurrent-deployment-syncs=10",
                "--concurrent-replicaset-syncs=10",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
            ],
            "scheduler": [
                engines.path("kube-scheduler"),
                *served,
                f"--secure-port={ends['scheduler']}",
                f"--cert-dir={place.folder / 'cert-dir'}",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
            ],
            "kwok": [
                engines.path("kwok"),
                *common,
                f"--config={stages}",
                "--manage-all-nodes=true",
                "--node-lease-duration-seconds=40",
                f"--server-address={LOOPBACK}:{ends['kwok']}",
            ],
        }
        for name, argv in started.items():
            place.processes.start(f"{self.name}-{name}", argv)
        for name, port in ends.items():
            place.processes.wait(f"{self.name}-{name}", lambda port=port: ports.is_open(port))
        place.processes.patience.until(self._nodes_ready, 30, f"nodes of {self.name} are ready")

    def _nodes_ready(self) -> bool:
        """Take the taint away that only the node lifecycle controller would, when it is time."""
        found = self.kube.list("v1", "Node")
        for node in found:
            if node["spec"].get("taints"):
                self.kube.patch(f"/api/v1/nodes/{node['metadata']['name']}", _UNTAINTED)
        return bool(found) and all(_is_ready(node) for node in found)

    def upstream(self, kinds: Iterable[str]) -> Upstream:
        """Describe it for the gates of its sites, whose schema shall hold some kinds."""
        context = self.place.certificates.context()
        return Upstream(self.port, context, TOKEN, self.namespaced(), frozenset(kinds))

    def namespaced(self) -> set[tuple[str, str]]:
        """List (group version path, plural) of every kind that lies in a namespace."""
        groups = self.kube.request("GET", "/apis")["groups"]
        paths = [f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"]]
        found: set[tuple[str, str]] = set()
        for path in ("/api/v1", *paths):
            kinds = self.kube.request("GET", path)["resources"]
            found |= {(path, kind["name"]) for kind in kinds if kind["namespaced"]}
        return found

    def _write(self, path: Path, url: str) -> None:
        ca = str(self.place.certificates.ca)
        path.write_text(json.dumps(kubeconfig(url, ca, TOKEN), indent=1))
        path.chmod(0o600)


_UNTAINTED: Mapping[str, Any] = {"spec": {"taints": None}}


def _is_ready(node: Mapping[str, Any]) -> bool:
    told = {one["type"]: one["status"] for one in node.get("status", {}).get("conditions", ())}
    return told.get("Ready") == "True" and not node["spec"].get("taints")


def kubeconfig(url: str, ca: str, token: str) -> Mapping[str, Any]:
    """Write a client configuration; JSON is YAML."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bed",
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "bed"}}],
        "clusters": [{"name": "bed", "cluster": {"server": url, "certificate-authority": ca}}],
        "users": [{"name": "bed", "user": {"token": token}}],
    }


def boot(place: Place, *names: str) -> tuple[Cluster, ...]:
    """Start a store and several API servers at once, and measure how fast this machine is."""
    started = time.monotonic()
    etcd = Etcd.start(place)
    clusters = tuple(Cluster(place, name) for name in names)
    for number, cluster in enumerate(clusters):
        cluster.start(etcd, compacts=number == 0)
    for cluster in clusters:
        cluster.wait()
    place.processes.patience.measured(time.monotonic() - started, USUAL_BOOT_S)
    return clusters


USUAL_BOOT_S = 8.0
__all__ = ["Cluster", "Etcd", "KubeError", "Place", "boot", "kubeconfig"]
