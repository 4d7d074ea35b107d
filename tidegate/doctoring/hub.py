"""Look at the hub: its API server, its Argo CD, and what the two hold of ours; change nothing."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from generator.errors import InputError, RemoteError
from generator.model.environment import Delivery
from generator.render.argocd import ROOT, kinds
from reconciler.checkup import Finding, failed, passed, unknown, warned
from reconciler.checkup import settings as config
from reconciler.checkup.access import Right, needed, rights
from reconciler.checkup.applications import (
    Hub,
    blocks,
    clusters_of,
    conditions,
    presence,
    unknown_clusters,
)
from reconciler.checkup.clock import skew
from reconciler.checkup.lives import SKIP, Live, mapping, read_live, text
from reconciler.checkup.registered import LABEL, clusters
from reconciler.checkup.sets import policy_of, read_objects, root, set_errors, sets
from reconciler.checkup.versions import version
from reconciler.checkup.windows import Spot, windows
from reconciler.cluster import Api
from tidegate.doctoring.fleet import Fleet
from tidegate.doctoring.running import Area, Step

T = TypeVar("T")
_GROUP = "/apis/argoproj.io/v1alpha1"
_KINDS = ("applications", "applicationsets", "appprojects")
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_PART = "app.kubernetes.io/part-of=argocd"
_CONTROLLERS = ("argocd-application-controller", "argocd-applicationset-controller")
_OF_GIT = frozenset(
    f"argocd.{one}"
    for one in (
        *("windows", "root", "sets", "applications"),
        *("autosync", "conditions", "clusters", "delivery"),
    )
)
Object = Mapping[str, Any]


@dataclass
class Examined:
    """One hub; what several checks ask is asked once.

    Attributes:
        api: Its API server.
        namespace: Where Argo CD lives.
        lease: Namespace of the reconciler's Lease, "" where none is used.
        fleet: What Git says.
        now: UTC, for how long a sync has been running.
    """

    api: Api
    namespace: str
    lease: str
    fleet: Fleet
    now: datetime
    _kept: dict[Hashable, object] = field(default_factory=dict)

    def area(self) -> Area:
        """List the checks."""
        steps: dict[str, Callable[[], Iterator[Finding]]] = {
            "cluster.answers": self._answers,
            "cluster.clock": self._clock,
            "cluster.rights": self._rights,
            "argocd.kinds": self._crds,
            "argocd.version": self._version,
            "argocd.settings": self._main,
            "argocd.parameters": self._parameters,
            "argocd.windows": self._windows,
            "argocd.root": self._root,
            "argocd.sets": self._sets,
            "argocd.applications": lambda: presence(self._hub()),
            "argocd.autosync": lambda: blocks(self._hub(), self.now),
            "argocd.conditions": lambda: conditions(self._hub()),
            "argocd.clusters": self._clusters,
            "argocd.delivery": self._delivery,
        }
        if not self.fleet.commit:
            steps = {name: self._unread if name in _OF_GIT else one for name, one in steps.items()}
        return Area(
            "hub",
            [Step(name, self.api.endpoint, work) for name, work in steps.items()],
            is_gated=True,
        )

    # The API server

    def _answers(self) -> Iterator[Finding]:
        told = self.api.get("/version") or {}
        where = self.api.endpoint
        yield passed("cluster.answers", where, "it answers")
        yield from version("cluster.version", where, "Kubernetes", text(told, "gitVersion"))

    def _clock(self) -> Iterator[Finding]:
        before = _clock()
        theirs = self.api.date()
        if theirs is None:
            told = "its clock: the answer holds no date"
            yield unknown("cluster.clock", self.api.endpoint, told)
        else:
            yield skew("cluster.clock", self.api.endpoint, theirs, (before, _clock()))

    def _rights(self) -> Iterator[Finding]:
        wanted = needed(self.namespace, self.lease)
        yield from rights(self._who(), [one for one in wanted if not self._may(one)])

    def _who(self) -> str:
        with suppress(RemoteError):
            head = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            answer = self.api.create(_WHO, head)
            return text(mapping(mapping(answer, "status"), "userInfo"), "username")
        return ""

    def _may(self, one: Right) -> bool:
        # This asks; a review is no object that stays.
        asked = {"verb": one.verb, "resource": one.resource, "namespace": one.namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**asked, "group": one.group}},
        }
        answer = self.api.create(_REVIEWS, review)
        return mapping(answer, "status").get("allowed") is True

    # Argo CD

    def _crds(self) -> Iterator[Finding]:
        check, where = "argocd.crds", self.api.endpoint
        found = self.api.get(_GROUP) or {}
        there = {text(one, "name") for one in found.get("resources") or () if isinstance(one, dict)}
        missing = [one for one in _KINDS if one not in there]
        if missing:
            told = f"the API server knows no {', '.join(missing)}.argoproj.io: no Argo CD is here"
            yield failed(check, where, told, "name its cluster: --kubeconfig FILE --context NAME")
        else:
            yield passed(check, where, "the three kinds of Argo CD are there")

    def _version(self) -> Iterator[Finding]:
        check, where = "argocd.version", f"namespace {self.namespace}"
        images = {
            text(one, "image")
            for name, container in self._containers()
            if name in _CONTROLLERS
            for one in [container]
        }
        tags = sorted({one.partition("@")[0].rpartition(":")[2] for one in images} - {""})
        if not tags:
            told = "Argo CD: none of its controllers runs as a Deployment or StatefulSet here"
            yield unknown(check, where, told, "argocd version; tidegate was tried with 3.5")
        for tag in tags:
            yield from version(check, where, "Argo CD", tag)
        if len(tags) > 1:
            told = f"its controllers are of different versions: {', '.join(tags)}"
            yield warned(check, where, told, "finish the upgrade of Argo CD")

    def _containers(self) -> Sequence[tuple[str, Object]]:
        """List the containers of Argo CD, each with the name of what runs it."""

        def read() -> Sequence[tuple[str, Object]]:
            found: list[tuple[str, Object]] = []
            for kind in ("deployments", "statefulsets"):
                path = f"/apis/apps/v1/namespaces/{self.namespace}/{kind}"
                for one in self.api.pages(path, f"&labelSelector={_PART.replace('=', '%3D')}"):
                    labels = mapping(mapping(one, "metadata"), "labels")
                    name = text(labels, "app.kubernetes.io/name")
                    pod = mapping(mapping(mapping(one, "spec"), "template"), "spec")
                    found += [(name, each) for each in pod.get("containers") or ()]
            return found

        return self._once("containers", read)

    def _main(self) -> Iterator[Finding]:
        brought = {pair for settings in self.fleet.on_hub.values() for pair in kinds(settings)}
        data = self._map(config.MAIN)
        if data is None:
            yield self._absent(config.MAIN)
        else:
            yield from config.main(data, sorted(brought))

    def _parameters(self) -> Iterator[Finding]:
        data = self._map(config.PARAMETERS)
        if data is None:
            yield self._absent(config.PARAMETERS)
            return
        words: list[str] = []
        # Without the right to read them the ConfigMap alone is looked at.
        with suppress(RemoteError):
            for name, one in self._containers():
                if name in _CONTROLLERS:
                    words += [
                        str(each) for key in ("command", "args") for each in one.get(key) or ()
                    ]
        yield from config.parameters({**data, **config.started_with(words)})

    def _map(self, name: str) -> Mapping[str, str] | None:
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{name}")
        if found is None:
            return None
        return {str(key): str(value) for key, value in mapping(found, "data").items()}

    def _absent(self, name: str) -> Finding:
        told = f"there is no ConfigMap {name} in namespace {self.namespace}"
        fix = "name the namespace of Argo CD: --argocd-namespace NAME"
        return warned("argocd.settings", name, told, fix)

    def _windows(self) -> Iterator[Finding]:
        clusters_here = clusters_of(self.fleet.sites)
        spots = [
            Spot(
                name,
                f"{one.environment}.{one.shard}",
                self.fleet.environments[one.environment].namespace,
                clusters_here.get((one.environment, one.site), ""),
            )
            for name, one in self.fleet.wanted.items()
        ]
        yield from windows(self._objects("appprojects"), spots)

    # What is ours

    def _root(self) -> Iterator[Finding]:
        live = self.api.get(f"{self._folder}/applications/{ROOT}")
        yield from root(self.namespace, live, is_wanted=bool(self.fleet.wanted))

    def _sets(self) -> Iterator[Finding]:
        live = {text(mapping(one, "metadata"), "name"): one for one in self._live_sets()}
        yield from sets(self.namespace, self._wanted_sets(), live)

    def _wanted_sets(self) -> Mapping[str, Object]:
        found = read_objects(self.fleet.files)
        return {name: one for (kind, name), one in found.items() if kind == "ApplicationSet"}

    def _live_sets(self) -> Sequence[Object]:
        return self._objects("applicationsets")

    def _hub(self) -> Hub:
        def read() -> Hub:
            listed = self.api.pages(f"{self._folder}/applications")
            lives = {one.name: one for one in map(read_live, listed)}
            policies = {name: policy_of(one) for name, one in self._wanted_sets().items()}
            places = clusters_of(self.fleet.sites)
            return Hub(self.namespace, self.fleet.wanted, lives, policies, places)

        return self._once("hub", read)

    def _clusters(self) -> Iterator[Finding]:
        wanted = {
            site.cluster for name in self.fleet.on_hub for site in self.fleet.sites.get(name, ())
        }
        messages: list[str] = []
        # Without the right to read one of them the other one still tells.
        with suppress(RemoteError):
            messages += [told for one in self._live_sets() for told in set_errors(one)]
        with suppress(RemoteError):
            lives: Sequence[Live] = self._hub().ours
            messages += [told for one in lives for _, told in one.conditions]
        yield from clusters(wanted, self._secrets(), unknown_clusters(messages))

    def _secrets(self) -> Sequence[Object] | None:
        """List names and labels of the Secrets of clusters; None where that is not allowed."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        query = f"&labelSelector={LABEL.replace('=', '%3D').replace('/', '%2F')}"
        try:
            return tuple(self.api.heads(path, query, (SKIP,)))
        except RemoteError:
            return None

    def _delivery(self) -> Iterator[Finding]:
        for name, one in sorted(self.fleet.environments.items()):
            if one.delivery is not Delivery.ARGOCD:
                told = f"delivered by {one.delivery}: what its sites apply is not known here"
                fix = f"on a site: kubectl get applications,kustomizations -A; serving: {_SERVING}"
                yield unknown("argocd.delivery", name, told, fix)

    def _unread(self) -> Iterator[Finding]:
        raise InputError("the repository could not be read", hint="mend that first")

    # How it is asked

    @property
    def _folder(self) -> str:
        return f"{_GROUP}/namespaces/{self.namespace}"

    def _objects(self, kind: str) -> Sequence[Object]:
        return self._once(kind, lambda: tuple(self.api.pages(f"{self._folder}/{kind}")))

    def _once(self, name: Hashable, read: Callable[[], T]) -> T:
        """Ask once; what could not be had the first time is not asked for again."""
        if name not in self._kept:
            try:
                self._kept[name] = read()
            except RemoteError as error:
                self._kept[name] = error
        found = self._kept[name]
        if isinstance(found, RemoteError):
            raise found
        return cast("T", found)


_SERVING = "metrics.sites above"


def _clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 (two clocks are compared)
