"""Argo CD behind the API server of the hub: read Applications, and nudge them.

Reads are tables where a table tells enough. What is written is one annotation, one guarded
word of a status, or one operation: nothing that Git holds. Calls go out eight at a time.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from generator.errors import RemoteError
from reconciler.applied import Application, Nudges, read_application
from reconciler.applied.application import REFRESH
from reconciler.cluster.api import Api, Conflict

GROUP = "/apis/argoproj.io/v1alpha1"
WAKE = "argocd.argoproj.io/application-set-refresh"
AT_ONCE = 8
FEW = 100
"""As many are read one by one; of more the whole list is cheaper."""
COLUMNS = ("Name", "Sync Status", "Health Status", "Revision")
_PHASE, _VERSION = "/status/operationState/phase", "/metadata/resourceVersion"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
Row = tuple[str, str, str]  # sync, health, revision
T = TypeVar("T")


class Hub:
    """The Applications and ApplicationSets of one Argo CD."""

    def __init__(self, api: Api, namespace: str = "argocd") -> None:
        """Take the API server and the namespace that Argo CD lives in."""
        self.api = api
        self._folder = f"{GROUP}/namespaces/{namespace}"

    def rows(self) -> Mapping[str, Row]:
        """List sync, health and revision of every Application, by name.

        Raises:
            RemoteError: The API server does not answer, or refuses.
        """
        table = self.api.table(f"{self._folder}/applications", COLUMNS)
        return {name: (sync, health, revision) for name, sync, health, revision in table}

    def read(self, names: Collection[str]) -> Mapping[str, Application]:
        """Read Applications; those that are gone are left out.

        Raises:
            RemoteError: The API server does not answer, or refuses.
        """
        if len(names) > FEW:
            return {one.name: one for one in self._list() if one.name in names}
        found = self._each(self._one, names)
        return {name: read_application(data) for name, data in found if data is not None}

    def nudge(self, nudges: Nudges, mark: str) -> Mapping[str, str]:
        """Do what is asked; what has changed meanwhile is left alone.

        Args:
            nudges: Whom to touch.
            mark: Differs from the last one whenever a set should look anew.

        Returns:
            What could not be done, by name.
        """
        failed: dict[str, str] = {}
        # An ended sync must have ended before the Application is asked to look.
        tasks: tuple[tuple[Callable[[str], object], tuple[str, ...]], ...] = (
            (partial(self._end, nudges.end), tuple(nudges.end)),
            (self._refresh, nudges.refresh),
            (self._kick, nudges.kick),
            (partial(self._wake, mark), nudges.wake),
        )
        for work, names in tasks:
            for name, trouble in self._each(partial(_try, work), names):
                if trouble:
                    failed[name] = trouble
        return failed

    def _list(self) -> Iterator[Application]:
        return map(read_application, self.api.pages(f"{self._folder}/applications"))

    def _one(self, name: str) -> Mapping[str, Any] | None:
        return self.api.get(self._path("applications", name))

    def _end(self, versions: Mapping[str, str], name: str) -> None:
        # Argo CD takes a commit whose sync was ended for one that failed, and never comes back to
        # it: so not a moment after it has turned from the old commit to the new one.
        unchanged = {"op": "test", "path": _VERSION, "value": versions[name]}
        # A finished operation would read Terminating until the next sync.
        test = {"op": "test", "path": _PHASE, "value": "Running"}
        end = {"op": "replace", "path": _PHASE, "value": "Terminating"}
        self.api.patch(self._path("applications", name), (unchanged, test, end))

    def _refresh(self, name: str) -> None:
        body = {"metadata": {"annotations": {REFRESH: "normal"}}}
        self.api.merge(self._path("applications", name), body)

    def _kick(self, name: str) -> None:
        path = self._path("applications", name)
        data = self.api.get(path) or {}
        version = data.get("metadata", {}).get("resourceVersion")
        if not version or data.get("operation"):
            return
        unchanged = {"op": "test", "path": _VERSION, "value": version}
        start = {"op": "add", "path": "/operation", "value": _operation(data)}
        self.api.patch(path, (unchanged, start))

    def _wake(self, mark: str, name: str) -> None:
        # A set that holds this value already and could not act on it needs another one.
        body = {"metadata": {"annotations": {WAKE: mark}}}
        self.api.merge(self._path("applicationsets", name), body)

    def _path(self, kind: str, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise RemoteError("Kubernetes", f"{name!r} is not a name", endpoint=self.api.endpoint)
        return f"{self._folder}/{kind}/{name}"

    def _each(self, work: Callable[[str], T], names: Iterable[str]) -> Iterator[tuple[str, T]]:
        listed = list(names)
        if not listed:
            return
        pool = ThreadPoolExecutor(min(AT_ONCE, len(listed)))
        try:
            yield from zip(listed, pool.map(work, listed), strict=True)
        finally:
            # A signal ends what waits; what has begun ends by its time-out.
            pool.shutdown(wait=False, cancel_futures=True)


def _try(work: Callable[[str], object], name: str) -> str:
    try:
        work(name)
    except Conflict:
        return ""
    except RemoteError as error:
        return str(error)
    return ""


def _operation(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ask for the sync that Argo CD would start by itself."""
    policy = data.get("spec", {}).get("syncPolicy", {})
    automated = policy.get("automated") or {}
    sync: dict[str, Any] = {"prune": bool(automated.get("prune"))}
    if policy.get("syncOptions"):
        sync["syncOptions"] = policy["syncOptions"]
    return {
        "initiatedBy": {"username": "tidegate"},
        "info": [{"name": "Reason", "value": "the last sync failed and nothing tried again"}],
        "sync": sync,
        **({"retry": policy["retry"]} if policy.get("retry") else {}),
    }
