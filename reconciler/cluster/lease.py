"""Hold a Lease, so that of several reconcilers one works and the others wait.

Nothing depends on it: two that work at once only lose pushes to each other. So a clock that is
wrong, or a holder that comes back late, costs time and never a wrong commit.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from reconciler.cluster.api import Api, Conflict


class Lease:
    """One Lease of `coordination.k8s.io/v1`; use it from one thread."""

    def __init__(
        self,
        api: Api,
        place: tuple[str, str],
        holder: str,
        seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the Lease; nothing is written before `hold`.

        Args:
            api: Where it lies.
            place: Namespace and name.
            holder: Names this process and no other one.
            seconds: How long a holder may be silent before another one takes over.
            clock: Seconds that only grow.
        """
        namespace, name = place
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name, self._holder, self._seconds, self._clock = name, holder, seconds, clock
        self._api = api
        self._seen: tuple[str, float] = ("", 0.0)

    def is_mine(self, now: datetime) -> tuple[bool, str]:
        """Take or renew it; give whether that worked, and the name of the holder.

        Raises:
            RemoteError: The API server does not answer, or refuses.
        """
        holder = self.hold(now)
        return holder == self._holder, holder

    def hold(self, now: datetime) -> str:
        """Take or renew it; give the name of the holder afterwards.

        Args:
            now: UTC; only shown to people.

        Raises:
            RemoteError: The API server does not answer, or refuses.
        """
        path = f"{self._folder}/{self._name}"
        found = self._api.get(path)
        try:
            if found is None:
                head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
                made = {**head, "metadata": {"name": self._name}, "spec": self._spec(None, now)}
                self._api.create(self._folder, made)
            elif self._is_free(found):
                spec = self._spec(found.get("spec") or {}, now)
                self._api.replace(path, {**found, "spec": spec})
            else:
                return str(found["spec"]["holderIdentity"])
        except Conflict:
            return self._other(path)
        return self._holder

    def release(self) -> None:
        """Let go, so that nobody has to wait; best effort of a process that ends.

        Raises:
            RemoteError: The API server does not answer, or refuses.
        """
        path = f"{self._folder}/{self._name}"
        found = self._api.get(path)
        if found is None or (found.get("spec") or {}).get("holderIdentity") != self._holder:
            return
        try:
            self._api.replace(path, {**found, "spec": {**found["spec"], "holderIdentity": ""}})
        except Conflict:
            return

    def _is_free(self, found: Mapping[str, Any]) -> bool:
        spec = found.get("spec") or {}
        if spec.get("holderIdentity") in (self._holder, "", None):
            return True
        # By our own clock: how long has the holder not moved?
        shown = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if self._seen[0] != shown:
            self._seen = (shown, self._clock())
        silent = self._clock() - self._seen[1]
        return silent > float(spec.get("leaseDurationSeconds") or self._seconds)

    def _spec(self, before: Mapping[str, Any] | None, now: datetime) -> Mapping[str, Any]:
        at = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = dict(before or {})
        if spec.get("holderIdentity") != self._holder:
            spec["acquireTime"] = at
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + bool(before)
        return {
            **spec,
            "holderIdentity": self._holder,
            "leaseDurationSeconds": self._seconds,
            "renewTime": at,
        }

    def _other(self, path: str) -> str:
        found = self._api.get(path) or {}
        return str((found.get("spec") or {}).get("holderIdentity") or "somebody else")
