"""Wire the doors of the reconciler: the bare clone and the metrics APIs it may talk to."""

import gc
import os
import random
import secrets
import socket
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from generator import layout
from generator.changes import ChangeSet, Outcome
from generator.errors import InputError
from generator.forge import Secrets
from generator.forge import connect as connect_forge
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import BOT, Person
from generator.gitrepo.offering import offer
from generator.http import Http, Limits
from generator.model.forge import ForgePlace
from generator.model.names import check_name
from generator.model.pull import Forge
from generator.repository import Repository
from reconciler.cluster import Api, Lease
from reconciler.cluster import connect as connect_cluster
from reconciler.outlook import Query
from reconciler.post import Post
from reconciler.prometheus import Prometheus

MOST_PARSED = 10_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class BareRemote:
    """A bare clone as the loop sees it."""

    bare: Bare
    person: Person = BOT
    _parsed: dict[Hashable, object] = field(default_factory=dict)

    def repository(self) -> Repository:
        """Fetch the branch and open its head."""
        if len(self._parsed) > MOST_PARSED:
            self._parsed.clear()
        tree = self.bare.fetch()
        # Every pass reads these: one process for all instead of one for each.
        small = [path for path in tree.ids(layout.MODELS) if path.endswith("/model.yaml")]
        folders = [*tree.ids(layout.ENVIRONMENTS), *tree.ids(layout.ROLLOUTS), *small]
        tree.read_many([layout.CONFIG, layout.REJECTED, *folders])
        return Repository(tree, self._parsed)

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Push one commit as a fast-forward and read the branch back."""
        return self.bare.land(change, self.person, now)

    def offer(self, change: ChangeSet, now: datetime, branch: str) -> tuple[str, bool]:
        """Push one commit to a branch of its own; give its head, and whether it is the change."""
        offered = offer(self.bare, change, self.person, now, branch)
        return offered.head, offered.is_ours

    def post(self, secrets: Secrets) -> Post:
        """Tell of rollouts on the forge that Git names, as far as it is the one of a token."""

        def open_forge(place: ForgePlace) -> Forge:
            clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 (for tokens that end)
            return connect_forge(place, secrets, clock)

        return Post(open_forge, self.offer, lambda: self.bare.branch)


@dataclass
class Origins:
    """The metrics APIs that the reconciler's own configuration allows.

    Git says where to look; whether that is a place to look at, and with which credentials, is
    said here, so that a merged line can neither send a token elsewhere nor bring metrics from
    anywhere.

    Attributes:
        allowed: Origin (`scheme://host:port`) to bearer token, "" for none.
        loopback: Whether any loopback address is allowed, for a remote on this machine.
    """

    allowed: dict[str, str]
    loopback: bool
    _open: dict[str, Query] = field(default_factory=dict)

    def connect(self, url: str) -> Query:
        """Open one metrics API.

        Raises:
            InputError: It is not on the list.
        """
        if not url:
            raise InputError("no Prometheus is named", hint="prometheus: in environment.yaml")
        if url not in self._open:
            token = self._token(url)
            self._open[url] = Prometheus(_http(url, token)).range
        return self._open[url]

    def door(self, url: str, limits: Limits) -> Http:
        """Open an address that is on the list, for other questions than samples.

        Raises:
            InputError: It is not.
        """
        return _http(url, self._token(url), limits)

    def _token(self, url: str) -> str:
        origin = origin_of(url)
        if origin in self.allowed:
            return self.allowed[origin]
        if self.loopback and urlsplit(url).hostname in LOOPBACK:
            return ""
        hint = f"start the reconciler with --allow-origin {origin} if that is right"
        raise InputError(f"Git names a metrics API that is not allowed: {origin}", hint=hint)


def _http(url: str, token: str, limits: Limits | None = None) -> Http:
    return Http("Prometheus", url, jitter=random.random, token=token or None, limits=limits)


IN_CLUSTER = "in-cluster"
LEASE_S = 60.0  # least time that a silent holder keeps its turn


def hub_api(kubeconfig: str, context: str = "") -> Api:
    """Open the API server of the hub.

    Args:
        kubeconfig: A file, or `in-cluster` for the service account of the pod.
        context: "" takes the file's own.

    Raises:
        InputError: There is no such configuration.
    """
    return connect_cluster(None if kubeconfig == IN_CLUSTER else Path(kubeconfig), context)


def lease(api: Api, place: str, every_s: float) -> Lease:
    """Name the Lease `namespace/name`; whoever is silent for three passes loses it.

    Raises:
        InputError: The place is not written so.
    """
    namespace, _, name = place.partition("/")
    try:
        check_name("namespace", namespace, 63)
        check_name("lease", name, 63)
    except ValueError as error:
        hint = "write NAMESPACE/NAME"
        raise InputError(f"the lease {place!r}: {error}", hint=hint) from None
    holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return Lease(api, (namespace, name), holder, int(max(LEASE_S, 3 * every_s)))


def calm_collector() -> None:
    """Let the cyclic garbage collector look less often.

    A pass makes a million small values that no cycle holds; looking for cycles in them takes a
    quarter of its time.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def origin_of(url: str) -> str:
    """Give `scheme://host:port` of a URL.

    Raises:
        InputError: It is not an HTTP URL.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise InputError(f"{url!r} is not an http or https URL") from None
    return f"{parts.scheme}://{parts.hostname}:{port}"
