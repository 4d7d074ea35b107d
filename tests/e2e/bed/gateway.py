"""The part of a gateway that a cloud rollout needs: its kinds, and somebody who answers routes.

The kinds are real, and so is every object. Only the controller is ours: it looks whether every
backend of a route is there and says so in the route's status, as the Gateway API demands. No byte
of traffic flows; where it *would* flow is written down for every moment, see `Traffic`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.bed.kube import Kube, KubeError, Object, location

GROUP = "gateway.networking.k8s.io"
API = f"{GROUP}/v1"
ROUTE = "HTTPRoute"
RELEASE = "tidegate.dev/release"
_WATCHED = ((API, ROUTE), ("apps/v1", "Deployment"), ("v1", "Service"))
_TURN_S = 2


class Gateway:
    """The controller of a gateway: answers every route of one cluster, whose kinds are there."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def start(self) -> None:
        """Answer routes from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        version = ""
        while not self._stopped.is_set():
            with suppress(OSError):
                if not version:
                    version, routes = self.kube.snapshot(API, ROUTE)
                    self._answer(routes)
                for event in self.kube.watch(API, ROUTE, version, _TURN_S):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._answer([event["object"]])
                continue
            version = ""  # it was away, or no longer knows so old a version
            self._stopped.wait(_TURN_S)

    def _answer(self, routes: Sequence[Object]) -> None:
        for route in routes:
            parents = [self._parent(route, one) for one in route["spec"]["parentRefs"]]
            if _told(route) != parents:
                path = f"{_path(route)}/status"
                with suppress(KubeError):  # it changed or went meanwhile, and comes again
                    self.kube.patch(path, {"status": {"parents": parents}})

    def _parent(self, route: Object, parent: Mapping[str, Any]) -> Mapping[str, Any]:
        namespace = route["metadata"]["namespace"]
        absent = [
            name for name in _weights(route) if not self.kube.get("v1", "Service", name, namespace)
        ]
        resolved = ("False", "BackendNotFound") if absent else ("True", "ResolvedRefs")
        told = {"Accepted": ("True", "Accepted"), "ResolvedRefs": resolved}
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": "",
                "observedGeneration": route["metadata"]["generation"],
                "lastTransitionTime": route["metadata"]["creationTimestamp"],
            }
            for kind, (status, reason) in told.items()
        ]
        known = {key: parent[key] for key in ("group", "kind", "name")}
        return {"parentRef": known, "controllerName": "bed/gateway", "conditions": conditions}


def _told(route: Object) -> object:
    return route.get("status", {}).get("parents")


def _path(thing: Object) -> str:
    who = thing["metadata"]
    return location(API, ROUTE, who["namespace"], who["name"])


def _weights(route: Object) -> Mapping[str, int]:
    return {
        one["name"]: one.get("weight", 1)
        for rule in route["spec"]["rules"]
        for one in rule["backendRefs"]
    }


# ------------------------------------------------------------------ where traffic would go


@dataclass(frozen=True)
class Event:
    """One change of one object, as the API server tells it.

    Attributes:
        at: Its place in the order of *all* changes: the store counts them one by one.
    """

    at: int
    kind: str
    is_gone: bool
    thing: Object

    @property
    def namespace(self) -> str:
        """Name the namespace."""
        return str(self.thing["metadata"]["namespace"])

    @property
    def release(self) -> str:
        """Name the release of a Deployment or Service."""
        return str(self.thing["metadata"].get("labels", {}).get(RELEASE, ""))


@dataclass
class Traffic:
    """Every change of routes, Deployments and Services from its start on, in the store's order."""

    kube: Kube
    _events: list[Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _broken: list[str] = field(default_factory=list)

    def __enter__(self) -> "Traffic":
        """Begin to write down."""
        self._threads = [
            threading.Thread(target=self._follow, args=(api, kind, *self._begin(api, kind)))
            for api, kind in _WATCHED
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _begin(self, api: str, kind: str) -> tuple[str, ...]:
        version, things = self.kube.snapshot(api, kind)
        # What is there already comes before everything that happens.
        self._events += [Event(0, kind, is_gone=False, thing=one) for one in things]
        return (version,)

    def _follow(self, api: str, kind: str, version: str) -> None:
        # Nothing may be missed: a watch goes on exactly where the last one ended.
        while not self._stopped.is_set():
            try:
                for event in self.kube.watch(api, kind, version, _TURN_S):
                    version = event["object"]["metadata"]["resourceVersion"]
                    one = Event(int(version), kind, event["type"] == "DELETED", event["object"])
                    with self._lock:
                        self._events.append(one)
            except OSError as error:
                self._broken.append(f"{kind}: {error}")
                return

    def events(self, namespace: str) -> Sequence[Event]:
        """List what happened in a namespace, in order."""
        assert not self._broken, f"changes were missed: {self._broken}"
        with self._lock:
            found = [one for one in self._events if one.namespace == namespace]
        return sorted(found, key=lambda one: one.at)

    def weights(self, namespace: str) -> Sequence[tuple[int, Mapping[str, int]]]:
        """List the weights by release that the route had, one after the other, and since when."""
        found: list[tuple[int, Mapping[str, int]]] = []
        for one in self.events(namespace):
            if one.kind == ROUTE and not one.is_gone:
                told = _by_release(one.thing)
                if not found or found[-1][1] != told:
                    found.append((one.at, told))
        return found

    def gone(self, namespace: str, release: str) -> Mapping[str, int]:
        """Say when Deployment and Service of a release went, by kind."""
        return {
            one.kind: one.at
            for one in self.events(namespace)
            if one.is_gone and one.release == release
        }

    def harms(self, namespace: str) -> Iterator[str]:
        """Name every moment at which a backend with traffic had no Service or no ready pod."""
        weights: Mapping[str, int] = {}
        there: dict[tuple[str, str], int] = {}
        for one in self.events(namespace):
            if one.kind == ROUTE:
                weights = {} if one.is_gone else _by_release(one.thing)
            else:
                ready = one.thing.get("status", {}).get("readyReplicas", 0)
                up = ready if one.kind == "Deployment" else 1
                there[one.kind, one.release] = 0 if one.is_gone else up
            for release, weight in weights.items():
                absent = [
                    kind for kind in ("Deployment", "Service") if not there.get((kind, release))
                ]
                if weight and absent and one.at:
                    yield f"{one.at}: {weight} to {release} without {' and '.join(absent)}"


def _by_release(route: Object) -> Mapping[str, int]:
    head = f"{route['metadata']['name']}-"
    return {name.removeprefix(head): weight for name, weight in _weights(route).items()}
