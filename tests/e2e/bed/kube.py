"""A small client of one API server: JSON in, JSON out."""

import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

Object = dict[str, Any]
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
ARGO = "argoproj.io/v1alpha1"


class KubeError(OSError):
    """The API server said no, or not yet.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def plural(kind: str) -> str:
    """Write a kind as it stands in a path."""
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"


def location(api: str, kind: str, namespace: str = "", name: str = "") -> str:
    """Give the path of an object, or of all of a kind."""
    group = f"/apis/{api}" if "/" in api else f"/api/{api}"
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{within}/{plural(kind)}{f'/{name}' if name else ''}"


def located(thing: Mapping[str, Any]) -> str:
    """Give the path of an object by what it says of itself."""
    who = thing["metadata"]
    return location(thing["apiVersion"], thing["kind"], who.get("namespace", ""), who["name"])


class Kube:
    """One API server, as its administrator. May be used from several threads."""

    def __init__(self, url: str, token: str, context: ssl.SSLContext | bool) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=context,
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(max_connections=20, keepalive_expiry=5),
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def request(self, method: str, path: str, **words: Any) -> Object:
        """Ask for anything.

        Raises:
            KubeError: It said no.
            OSError: It cannot be reached.
        """
        try:
            reply = self._http.request(method, path, **words)
        except httpx.HTTPError as error:
            raise OSError(f"{method} {self.url}{path}: {error!r}") from error
        if reply.is_error:
            raise KubeError(reply.status_code, reply.text[:2000])
        found: Object = reply.json()
        return found

    def text(self, path: str) -> str:
        """Read what is no JSON, such as its metrics."""
        try:
            return self._http.get(path).raise_for_status().text
        except httpx.HTTPError as error:
            raise OSError(f"{self.url}{path}: {error!r}") from error

    def is_ready(self) -> bool:
        """Say whether it answers that it is ready."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def get(self, api: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """Read one object; None where there is none."""
        try:
            return self.request("GET", location(api, kind, namespace, name))
        except KubeError as error:
            if error.status != 404:
                raise
            return None

    def list(self, api: str, kind: str, namespace: str = "", labels: str = "") -> Sequence[Object]:
        """Read all objects of a kind, in one namespace or in all, from the watch cache."""
        query = {"resourceVersion": "0", **({"labelSelector": labels} if labels else {})}
        found = self.request("GET", location(api, kind, namespace), params=query)
        head = {"apiVersion": api, "kind": kind}
        return [{**head, **item} for item in found.get("items") or ()]

    def snapshot(self, api: str, kind: str) -> tuple[str, Sequence[Object]]:
        """Read all objects of a kind as they are now, and the version to watch from."""
        found = self.request("GET", location(api, kind))
        return found["metadata"]["resourceVersion"], found.get("items") or ()

    def watch(self, api: str, kind: str, version: str, seconds: int) -> Iterator[Object]:
        """Give what changes after a version, in order, for so long.

        Raises:
            OSError: The server cannot be reached, or no longer knows so old a version.
        """
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        try:
            with self._http.stream("GET", location(api, kind), params=query) as reply:
                if reply.is_error:
                    raise KubeError(reply.status_code, reply.read().decode()[:2000])
                for line in reply.iter_lines():
                    event: Object = json.loads(line)
                    if event["type"] == "ERROR":
                        raise KubeError(410, str(event["object"])[:2000])
                    yield event
        except httpx.HTTPError as error:
            raise OSError(f"{self.url}: watch of {kind}: {error!r}") from error

    def table(self, api: str, kind: str, namespace: str = "") -> Sequence[Mapping[str, Any]]:
        """Read the columns that `kubectl get` shows, as the cheapest list."""
        path = location(api, kind, namespace)
        query = {"includeObject": "None", "resourceVersion": "0"}
        found = self.request("GET", path, params=query, headers={"Accept": _TABLE})
        names = [column["name"] for column in found["columnDefinitions"]]
        return [dict(zip(names, row["cells"], strict=True)) for row in found.get("rows") or ()]

    def apply(self, *things: Mapping[str, Any], manager: str = "bed") -> None:
        """Apply objects on the server, and take over what others manage."""
        for thing in things:
            self.request(
                "PATCH",
                located(thing),
                params={"fieldManager": manager, "force": "true"},
                headers={"Content-Type": _APPLY},
                json=thing,
            )

    def define(self, folder: Path) -> None:
        """Apply the resource definitions of a folder; `is_defined` says when they count."""
        self.apply(*_definitions(folder))

    def undefine(self, folder: Path) -> None:
        """Take definitions away again, with every object of their kinds."""
        for one in _definitions(folder):
            self.delete(located(one))

    def is_defined(self, group: str) -> bool:
        """Say whether every definition of a group is established."""
        found = [
            {one["type"]: one["status"] for one in each.get("status", {}).get("conditions") or ()}
            for each in self.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
            if each["spec"]["group"] == group
        ]
        return bool(found) and all(one.get("Established") == "True" for one in found)

    def patch(self, path: str, body: Mapping[str, Any] | Sequence[Any]) -> Object:
        """Patch one object: a list is a JSON patch, a mapping is merged."""
        kind = MERGE_PATCH if isinstance(body, Mapping) else JSON_PATCH
        return self.request("PATCH", path, headers={"Content-Type": kind}, json=body)

    def delete(self, path: str) -> None:
        """Delete an object, or all below the path of a kind; nothing is wrong if it is gone."""
        try:
            self.request("DELETE", path, params={"propagationPolicy": "Background"})
        except KubeError as error:
            if error.status != 404:
                raise


def _definitions(folder: Path) -> Sequence[Object]:
    files = sorted(folder.glob("*.yaml"))
    texts = (file.read_text() for file in files)
    found = [one for text in texts for one in yaml.load_all(text, Loader=yaml.CSafeLoader)]
    return [one for one in found if (one or {}).get("kind") == "CustomResourceDefinition"]
