"""Speak to one Kubernetes API server: dicts in, dicts out, bounded in time and size.

The official client reads the kubeconfig, renews tokens and holds the connections; its models
are not used. Every call has a time-out, none is repeated here, and a body is read to a cap.
Safe for several threads. A call that failed may have reached the server.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from generator.errors import InputError, RemoteError
from generator.http import clean, redact

CONNECT_S = 5.0
READ_S = 10.0
TOTAL_S = 60.0
MAX_BODY_BYTES = 64 * 2**20
PAGE = 500
MOST_PAGES = 200
SYSTEM = "Kubernetes"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
HEADS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
_WORDS = {401: "the credentials are not accepted", 403: "not permitted"}
# Somebody else was there first, or what was tested in a patch does not hold.
_CONFLICTS = (409, 422)


class Forbidden(RemoteError):  # noqa: N818 (an answer)
    """The API server answered that this identity may not."""


class Conflict(Exception):  # noqa: N818 (an answer that the caller decides on)
    """The object is not as the caller thought."""


class Api:
    """One API server."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 (has no types)
        urllib3: ModuleType,
        *,
        read_s: float = READ_S,
        total_s: float = TOTAL_S,
        body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Take a client of the official library; `connect` makes one.

        Args:
            client: The client.
            urllib3: The library that it speaks through.
            read_s: Seconds between two packets of an answer.
            total_s: Seconds for the body of an answer.
            body_bytes: Most bytes of one.
        """
        self._client = client
        self._urllib3 = urllib3
        self._timeout = urllib3.Timeout(connect=CONNECT_S, read=read_s)
        self._total_s, self._body_bytes = total_s, body_bytes

    @property
    def endpoint(self) -> str:
        """Give the address, without credentials."""
        return redact(str(self._client.configuration.host))

    def get(self, path: str) -> Mapping[str, Any] | None:
        """Read one object; None where there is none.

        Raises:
            RemoteError: No answer, or a refusal.
        """
        return self._call("GET", path, absent=True)

    def pages(self, path: str, query: str = "") -> Iterator[Mapping[str, Any]]:
        """List objects, 500 at a time.

        Raises:
            RemoteError: No answer, or a refusal.
        """
        for page in self._pages(path, query, JSON):
            yield from page.get("items") or ()

    def table(self, path: str, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """List columns of objects as the server prints them, a few bytes for each.

        Raises:
            RemoteError: No answer, a refusal, or a table without these columns.
        """
        for page in self._pages(path, "&includeObject=None", TABLE):
            names = [one.get("name") for one in page.get("columnDefinitions") or ()]
            missing = [one for one in columns if names and one not in names]
            if missing:
                raise self._error(f"{path}: the table has no column {missing[0]!r}")
            places = [names.index(one) for one in columns] if names else []
            for row in page.get("rows") or ():
                yield tuple(str(row["cells"][place] or "") for place in places)

    def heads(
        self, path: str, query: str, annotations: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        """List name, labels and chosen annotations of objects; the rest is not sent, or dropped.

        Raises:
            RemoteError: No answer, or a refusal.
        """
        for page in self._pages(path, query, HEADS):
            for item in page.get("items") or ():
                metadata = item.get("metadata") or {}
                kept = metadata.get("annotations") or {}
                yield {
                    "name": str(metadata.get("name", "")),
                    "labels": metadata.get("labels") or {},
                    "annotations": {key: kept[key] for key in annotations if key in kept},
                }

    def date(self) -> datetime | None:
        """Ask what time it is there, to the second; None where the server does not say.

        Raises:
            RemoteError: No answer.
        """
        try:
            headers = self._send("GET", "/version", None, {"Accept": JSON})[2]
        except (self._urllib3.exceptions.HTTPError, OSError) as error:
            raise self._error(_explain(error)) from None
        try:
            return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
        except ValueError:
            return None

    def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make an object.

        Raises:
            Conflict: It is there already.
            RemoteError: No answer, or a refusal.
        """
        return self._call("POST", path, body=body) or {}

    def replace(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace an object at the resource version that the body names.

        Raises:
            Conflict: Somebody else has changed it.
            RemoteError: No answer, or a refusal.
        """
        return self._call("PUT", path, body=body) or {}

    def merge(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Merge into an object; None where there is none.

        Raises:
            RemoteError: No answer, or a refusal.
        """
        return self._call("PATCH", path, body=body, media=MERGE_PATCH, absent=True)

    def patch(self, path: str, steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Apply a JSON patch; None where there is no object.

        Raises:
            Conflict: A test in it does not hold.
            RemoteError: No answer, or a refusal.
        """
        return self._call("PATCH", path, body=list(steps), media=JSON_PATCH, absent=True)

    def _pages(self, path: str, query: str, accept: str) -> Iterator[Mapping[str, Any]]:
        more = ""
        for _ in range(MOST_PAGES):
            page = self._call("GET", f"{path}?limit={PAGE}{query}{more}", accept=accept) or {}
            yield page
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more = f"&continue={token}"
        raise self._error(f"{path}: more than {MOST_PAGES * PAGE} objects")

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        media: str = JSON,
        accept: str = JSON,
        absent: bool = False,
    ) -> Mapping[str, Any] | None:
        try:
            status, data, _ = self._send(
                method, path, body, {"Accept": accept, "Content-Type": media}
            )
        except (self._urllib3.exceptions.HTTPError, OSError) as error:
            raise self._error(_explain(error)) from None
        if status == 404 and absent:
            return None
        if status in _CONFLICTS and method != "GET":
            raise Conflict(_reason(data))
        if not 200 <= status < 300:
            word = _WORDS.get(status, f"status {status}")
            text = f"{method} {path.partition('?')[0]}: {word}: {_reason(data)}"
            raise self._forbidden(text) if status == 403 else self._error(text)
        return self._parse(path, data)

    def _send(
        self, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        configuration = self._client.configuration
        own = {
            setting["key"]: setting["value"]
            for setting in configuration.auth_settings().values()
            if setting["in"] == "header" and setting["value"]
        }
        reply = self._client.rest_client.pool_manager.request(
            method,
            f"{configuration.host.rstrip('/')}{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={**headers, **own, "User-Agent": "tidegate"},
            timeout=self._timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        return reply.status, self._read(reply), reply.headers

    def _read(self, reply: Any) -> bytes:  # noqa: ANN401 (has no types)
        """Read a body to its end, in bounded time; the time-out of a socket is for one packet."""
        stop, parts, size = time.monotonic() + self._total_s, [], 0
        # One packet at a time, where the library can; else a trickle would be waited for.
        read = getattr(reply, "read1", reply.read)
        whole = False
        try:
            while part := read(2**16, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > self._body_bytes or time.monotonic() > stop:
                    most = f"{self._body_bytes} bytes or {self._total_s:g} s"
                    raise self._error(f"the answer is longer than {most}")
            whole = True
        finally:
            reply.release_conn() if whole else reply.close()
        return b"".join(parts)

    def _parse(self, path: str, data: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._error(f"{path}: the answer is not a JSON object")
        return found

    def _error(self, text: str) -> RemoteError:
        return RemoteError(SYSTEM, text, endpoint=self.endpoint)

    def _forbidden(self, text: str) -> RemoteError:
        return Forbidden(SYSTEM, text, endpoint=self.endpoint)


def connect(kubeconfig: Path | None = None, context: str = "") -> Api:
    """Open the API server of a kubeconfig, or of the pod that this runs in; calls nothing.

    Args:
        kubeconfig: The file; None takes the pod's own service account.
        context: "" takes the file's own.

    Raises:
        InputError: The library is not installed, or there is no such configuration.
    """
    try:
        import urllib3
        from kubernetes import client, config
    except ImportError:
        hint = "pip install 'tidegate[cluster]'"
        raise InputError("the Kubernetes client is not installed", hint=hint) from None
    settings = client.Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(str(kubeconfig), context or None, settings)
    except Exception as error:  # noqa: BLE001 (exec plugins and parsers raise what they like)
        where = None if kubeconfig is None else str(kubeconfig)
        hint = "name a kubeconfig with --kubeconfig, or run in a pod with a service account"
        raise InputError(f"no cluster: {clean(str(error))}", file=where, hint=hint) from None
    settings.retries = False
    settings.connection_pool_maxsize = 16
    return Api(client.ApiClient(settings), urllib3)


def _reason(data: bytes) -> str:
    try:
        return clean(str(json.loads(data).get("message", "")))
    except (ValueError, AttributeError):
        return clean(data[:1_000].decode("utf-8", "replace"))


def _explain(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}")
