"""Everything together: started when first asked for, ended when the test run ends."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.e2e.bed import certificates, engines, fleet, gate, ports
from tests.e2e.bed.argocd import INCLUSIONS, NAMESPACE, ArgoCD
from tests.e2e.bed.cluster import Cluster, Place, boot
from tests.e2e.bed.fleet import Fleet, Registry
from tests.e2e.bed.gateway import GROUP, Gateway
from tests.e2e.bed.gitea import Gitea
from tests.e2e.bed.kube import ARGO, location
from tests.e2e.bed.nodes import CRASHES, IMAGE, REFUSED
from tests.e2e.bed.processes import Processes
from tests.e2e.bed.prometheus import Prometheus
from tests.e2e.bed.proxy import Proxy, Wire
from tests.e2e.bed.sites import Sites
from tests.e2e.bed.turns import Turns
from tests.e2e.bed.waiting import Patience
from tidegate.demo.registry import MODEL

T = TypeVar("T")
# Versions 1 and 2 are good; what 3 and 4 do on the sites their images say.
IMAGES: Mapping[int, str] = {1: IMAGE, 2: IMAGE, 3: CRASHES, 4: REFUSED}
HUB, EDGE = "hub", "edge"
SITE_NAMESPACE = "models"  # as environment.yaml says
ROOT = "tidegate"
SETTLED = "Synced Healthy Succeeded"
_RELEASE = "tidegate.dev/release"
_CALM_S = 2.0


@dataclass
class Bed:
    """Hub, sites, Argo CD and Prometheus; each lives from its first use to the end of the run.

    Attributes:
        folder: Private; holds everything, and the logs in `logs/`.
        turns: With the other beds of this run.
        patience: Deadlines scaled by how fast this machine is: `bed.patience.until(...)`.
    """

    folder: Path
    turns: Turns
    patience: Patience = field(default_factory=Patience)
    fleets: dict[str, Fleet] = field(default_factory=dict)
    gates: dict[str, Proxy] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=dict)

    @functools.cached_property
    def place(self) -> Place:
        """Make what every engine needs."""
        processes = Processes(self.folder / "logs", self.patience)
        return Place(self.folder, processes, certificates.make(self.folder / "keys"), Wire())

    @functools.cached_property
    def clusters(self) -> Mapping[str, Cluster]:
        """Start both API servers: the hub holds Argo CD's objects, the edge those of all sites."""
        hub, edge = self._timed("kubernetes", lambda: boot(self.place, HUB, EDGE))
        edge.start_workers()
        return {HUB: hub, EDGE: edge}

    @property
    def hub(self) -> Cluster:
        """Give the cluster of Argo CD."""
        return self.clusters[HUB]

    @property
    def edge(self) -> Cluster:
        """Give the cluster in whose namespaces the sites lie; see `gate`."""
        return self.clusters[EDGE]

    @functools.cached_property
    def argocd(self) -> ArgoCD:
        """Start Argo CD."""
        made = ArgoCD(self.place, self.hub)
        self._timed("argocd", made.start)
        return made

    @functools.cached_property
    def registry(self) -> Registry:
        """Make the model registry: see IMAGES."""
        folder = self.folder / "mlflow"
        return self._timed("registry", lambda: Registry.make(folder, IMAGES))

    @functools.cached_property
    def sites(self) -> Sites:
        """Start the model servers' metrics."""
        made = Sites(self.edge.kube)
        made.start()
        return made

    @functools.cached_property
    def prometheus(self) -> Prometheus:
        """Start Prometheus."""
        return self._timed("prometheus", lambda: Prometheus.start(self.place))

    @functools.cached_property
    def gateway(self) -> Gateway:
        """Bring the kinds of the Gateway API, and what answers routes, until a fleet goes."""
        folder = engines.gateway_crds()
        assert folder is not None, "no definitions: say `gateway` in the marker `scenario`"
        self.define(folder, GROUP)
        made = Gateway(self.edge.kube)
        made.start()
        return made

    @functools.cached_property
    def gitea(self) -> Gitea:
        """Start the forge."""
        return self._timed("gitea", lambda: Gitea.start(self.place))

    @functools.cached_property
    def _upstream(self) -> gate.Upstream:
        return self.edge.upstream(kind for _, kinds in INCLUSIONS for kind in kinds)

    @functools.cached_property
    def _numbers(self) -> Iterator[int]:
        return itertools.count()

    @functools.cached_property
    def _gate_port(self) -> int:
        return ports.free()

    # -------------------------------------------------------------- fleets

    def fleet(
        self,
        sites: int,
        settings: Mapping[str, str] | None = None,
        kind: str = "edge-k3s",
        *,
        is_measured: bool = False,
        models: tuple[str, ...] = (MODEL,),
        origin: fleet.Origin | None = None,
    ) -> Fleet:
        """Make a fleet with its own repository, and a cluster for each site.

        Args:
            sites: How many.
            settings: Text to replace in what `tidegate init` wrote, see `fleet.make`.
            kind: Of its environment.
            is_measured: Whether Prometheus scrapes its sites.
            models: All that run on every site; further ones are registered now.
            origin: Where its repository lies, if not in its folder.
        """
        if kind == fleet.CLOUD:
            assert self.gateway
        name = f"e{len(self.fleets) + 1}"
        url = self.prometheus.url if is_measured else ""
        folder = self.folder / "fleets" / name
        self.registry.add(models[1:])
        made = fleet.make(name, folder, self.registry, sites, url, kind, settings, models, origin)
        self.fleets[name] = made
        self.join(made, *made.sites)
        if is_measured:
            self.prometheus.scrape(name, self._targets(made))
        return made

    def join(self, fleet: Fleet, *sites: str) -> None:
        """Give sites an address, and let Argo CD know them as clusters."""
        known = {}
        for site in sites:
            number = next(self._numbers)
            host = f"127.1.{number // 250}.{number % 250 + 1}"
            names = gate.Names(SITE_NAMESPACE, fleet.namespace(site))
            carry = gate.http(self._upstream, names)
            way = Proxy(self.place.wire, carry, self._gate_port, host)
            self.gates[fleet.cluster(site)] = way
            known[fleet.cluster(site)] = f"http://{host}:{self._gate_port}"
        self.argocd.register(known, fleet.name)

    def gate(self, fleet: Fleet, site: str) -> Proxy:
        """Give the way to one site: `.refuse()` cuts it, `.pass_()` brings it back."""
        return self.gates[fleet.cluster(site)]

    def define(self, folder: Path, group: str) -> None:
        """Bring definitions to all sites, those that are there included."""
        kube = self.edge.kube
        kube.define(folder)
        self.patience.until(lambda: kube.is_defined(group), 30, f"{group} is defined")
        known = self._upstream
        known.namespaced.update(self.edge.namespaced())
        known.schemas.clear()

    def _undefine(self) -> None:
        """Let the sites of later fleets have no kind, and no watch, that only the cloud needs."""
        folder, kube = engines.gateway_crds(), self.edge.kube
        if folder is None or "gateway" not in self.__dict__:
            return
        self.__dict__.pop("gateway").stop()
        kube.undefine(folder)
        self.patience.until(lambda: not kube.is_defined(GROUP), 60, f"{GROUP} is gone")
        self._upstream.schemas.clear()

    @property
    def processes(self) -> Processes:
        """Give every engine by its name: `bed.processes.all["repo-server"].kill()`."""
        return self.place.processes

    def proxies(self) -> tuple[Proxy, ...]:
        """List every way that a test may have cut."""
        own = [cluster.proxy for cluster in self.clusters.values()]
        if "prometheus" in self.__dict__:
            own.append(self.prometheus.proxy)
        return (*own, *self.gates.values())

    def deliver(self, fleet: Fleet) -> None:
        """Do once what the platform engineer does: `kubectl apply -f argocd/root/`."""
        for file in ("project", "root"):
            self.hub.kube.apply(yaml.safe_load(fleet.read(f"argocd/root/{file}.yaml")))

    def bring_up(self, fleet: Fleet, seconds: float = 120) -> float:
        """Deliver a fleet and wait until its sites have it, while no other bed does the same.

        Returns:
            Seconds that the sites took.
        """
        with self.turns.bringing_up():
            self.deliver(fleet)
            return self.settle(fleet, seconds)

    def alone(self) -> AbstractContextManager[None]:
        """Keep the processors for something that is timed."""
        return self.turns.alone()

    def drop(self, fleet: Fleet) -> None:
        """Take everything of a fleet away, so that the next one finds a clean bed."""
        kube, name = self.hub.kube, fleet.name
        kube.delete(location(ARGO, "Application", NAMESPACE, ROOT))

        empty_since = time.monotonic()

        def is_gone() -> bool:
            # A set that is being worked on while it goes goes on making Applications.
            nonlocal empty_since
            found = [
                (kind, each)
                for kind in ("ApplicationSet", "Application", "AppProject")
                for each in (one["metadata"]["name"] for one in kube.list(ARGO, kind, NAMESPACE))
                if each.startswith((f"{name}.", f"{name}-"))
            ]
            for kind, each in found:
                kube.delete(location(ARGO, kind, NAMESPACE, each))
                empty_since = time.monotonic()
            return time.monotonic() - empty_since > self.patience(_CALM_S)

        self.patience.until(is_gone, 60, f"Argo CD has forgotten {name}")
        self.argocd.forget(name)
        if "prometheus" in self.__dict__:
            self.prometheus.scrape(name, [])
        for site in fleet.sites:
            self.gates.pop(fleet.cluster(site)).close()
            # The empty namespace stays: to end one costs a request for each kind there is.
            namespace = fleet.namespace(site)
            self.edge.kube.delete(location("apps/v1", "Deployment", namespace))

    def _targets(self, fleet: Fleet) -> list[Mapping[str, object]]:
        namespaces = {site: fleet.namespace(site) for site in fleet.sites}
        return self.sites.targets(namespaces, {"environment": fleet.name})

    # -------------------------------------------------------------- what is really there

    def states(self, fleet: Fleet) -> Mapping[str, str]:
        """Say what Argo CD says of every site: sync, health and operation."""
        return {site: _state(one) for site, one in self.argocd.applications(fleet.name).items()}

    def held(self, fleet: Fleet) -> Mapping[str, str]:
        """Say which release the Deployment of every site has *on its API server*."""
        return self._releases("apps/v1", "Deployment", fleet)

    def running(self, fleet: Fleet) -> Mapping[str, str]:
        """Say which releases the *ready pods* of every site have, joined by `+`."""
        named = {fleet.namespace(site): site for site in fleet.sites}
        found = self.sites.serving(named)
        return {named[own]: releases for own, releases in found.items() if releases}

    def _releases(self, api: str, kind: str, fleet: Fleet) -> Mapping[str, str]:
        named = {fleet.namespace(site): site for site in fleet.sites}
        found: dict[str, set[str]] = {}
        for one in self.edge.kube.list(api, kind, labels=_RELEASE):
            who = one["metadata"]
            if who["namespace"] in named:
                site = named[who["namespace"]]
                found.setdefault(site, set()).add(who["labels"][_RELEASE])
        return {site: "+".join(sorted(releases)) for site, releases in found.items()}

    def settle(self, fleet: Fleet, seconds: float = 60) -> float:
        """Wait until every site has what Git says, for Argo CD and on its API server.

        Returns:
            Seconds that it took.
        """
        started, wanted = time.monotonic(), fleet.desired()

        def look() -> bool:
            states = self.states(fleet)
            late = {site: states.get(site) for site in wanted if states.get(site) != SETTLED}
            assert not late, f"{len(late)} of {len(wanted)} are not there yet: {late}"
            assert self.held(fleet) == wanted
            assert self.running(fleet) == wanted
            return True

        self.patience.until(look, seconds, f"{fleet.name} is as Git says")
        return time.monotonic() - started

    # -------------------------------------------------------------- the end

    def close(self) -> None:
        """End everything; the folder stays."""
        made = self.__dict__
        if "gateway" in made:
            made["gateway"].stop()
        if "sites" in made:
            made["sites"].stop()
        if "place" in made:
            made["place"].processes.stop()
            made["place"].wire.close()

    def _timed(self, what: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        found = work()
        self.spent_s[what] = round(time.monotonic() - started, 1)
        return found


def _state(application: Mapping[str, Any]) -> str:
    status = application.get("status", {})
    parts = (
        status.get("sync", {}).get("status", "-"),
        status.get("health", {}).get("status", "-"),
        status.get("operationState", {}).get("phase", "-"),
    )
    return " ".join(parts)
