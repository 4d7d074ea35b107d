"""A site's own API server, as Argo CD sees it, made of one namespace of a shared real one.

Why: the generator deploys every site to the *same* namespace of *another* cluster, as it must.
An API server of its own for each of 40 sites would need 10 GB. Namespaces of one cluster (which
is what the first trial used) would need another namespace per site in the ApplicationSet, so it
would not be our layout that is tried. So each site gets an address, and behind it this gate maps
the environment's namespace (`models`) to one of the site's own (`ada-plant-0001`):

- in the path, `/namespaces/models/` becomes `/namespaces/ada-plant-0001/`;
- a list or watch over all namespaces becomes one over that namespace, and the list of namespaces
  holds that one: a site never sees another one's objects;
- in JSON bodies, both ways, where `namespace` (or the name of the Namespace itself) stands.

The schema is cut to the kinds that Argo CD watches (see `schema`) and kept for some seconds.
Everything else is passed on byte for byte: validation, admission, server-side apply, watches and
every status code are those of the real API server. The gate speaks plain HTTP to Argo CD, so that
500 gates need no 500 certificates. Each gate is a `Proxy`: any one site can be cut.
"""

import asyncio
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.bed import framing, schema
from tests.e2e.bed.framing import Message
from tests.e2e.bed.ports import LOOPBACK
from tests.e2e.bed.proxy import LIMIT, Carry, Reader, Way, Writer

_ALL = re.compile(r"(/api/v1|/apis/[^/?]+/[^/?]+)/([^/?]+)")
_LOOK_S = 3.0
_KEPT_S = 10.0


@dataclass(frozen=True)
class Upstream:
    """The real API server.

    Attributes:
        token: Put into every request: clients do not send theirs over plain HTTP.
        namespaced: (group version path, plural) of every kind that lies in a namespace.
        kinds: What the schema of a site holds; the whole schema where there are none.
        schemas: Answers of the last seconds, by target and accepted type: alike for all sites.
    """

    port: int
    ssl: Any
    token: str
    namespaced: set[tuple[str, str]]
    kinds: frozenset[str] = frozenset()
    schemas: dict[tuple[str, str], tuple[float, Message, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """The same namespace: as the site's Argo CD knows it, and as it is really called."""

    seen: str
    real: str

    def target(self, target: str, namespaced: Collection[tuple[str, str]]) -> str:
        """Rewrite the path of a request."""
        path, mark, query = target.partition("?")
        own = f"/api/v1/namespaces/{self.seen}"
        if path == "/api/v1/namespaces":
            return f"{path}?{query + '&' if query else ''}fieldSelector=metadata.name%3D{self.real}"
        if path == own:
            return f"/api/v1/namespaces/{self.real}{mark}{query}"
        found = _ALL.fullmatch(path)
        if found and found.groups() in namespaced:
            return f"{found[1]}/namespaces/{self.real}/{found[2]}{mark}{query}"
        path = path.replace(f"/namespaces/{self.seen}/", f"/namespaces/{self.real}/", 1)
        return f"{path}{mark}{query}"

    def there(self, body: bytes, path: str) -> bytes:
        """Rewrite what the site's Argo CD sends."""
        return _renamed(body, self.seen, self.real, path)

    def back(self, body: bytes, path: str) -> bytes:
        """Rewrite what the API server answers."""
        return _renamed(body, self.real, self.seen, path)


def _renamed(body: bytes, old: str, new: str, path: str) -> bytes:
    keys = ["namespace", "kubernetes.io/metadata.name"]
    rest = path.partition("/api/v1/namespaces")
    if rest[1] and rest[2].strip("/").count("/") == 0:
        keys.append("name")  # of the Namespace itself
    for key in keys:
        body = body.replace(f'"{key}":"{old}"'.encode(), f'"{key}":"{new}"'.encode())
    return body


def http(upstream: Upstream, names: Names) -> Carry:
    """Carry HTTP/1.1 requests to the shared API server, one connection for each of the client."""

    async def carry(reader: Reader, writer: Writer, way: Way) -> None:
        await way()
        source, sink = await asyncio.open_connection(
            LOOPBACK, upstream.port, ssl=upstream.ssl, limit=LIMIT
        )
        watcher = asyncio.create_task(_hang_up(reader, sink))
        try:
            passage = _Passage(upstream, names, (reader, writer), (source, sink), way)
            while await passage.exchange():
                pass
        finally:
            watcher.cancel()
            sink.transport.abort()

    return carry


async def _hang_up(reader: Reader, sink: Writer) -> None:
    """End a watch whose client has gone; the server alone would not notice."""
    while not reader.at_eof():
        await asyncio.sleep(_LOOK_S)
    sink.transport.abort()


@dataclass(frozen=True)
class _Passage:
    """One connection of a client, and its own to the server."""

    upstream: Upstream
    names: Names
    client: tuple[Reader, Writer]
    server: tuple[Reader, Writer]
    way: Way

    async def exchange(self) -> bool:
        """Carry one request and its answer; False ends the connection."""
        head = await framing.head(self.client[0])
        method, target, _ = head.first.split(" ", 2)
        path = target.partition("?")[0]
        body = await framing.whole(self.client[0], head)
        await self.way()
        if path.startswith("/openapi/"):
            return await self._schema(head, target)
        kinds = head.headers.get("accept", "").split(",")
        # Only JSON can be rewritten.
        accepted = ",".join(kind for kind in kinds if "protobuf" not in kind) or "*/*"
        await self._ask(head, self.names.there(body, path), accept=accepted)
        return await self._answer(method, path)

    async def _ask(self, head: Message, body: bytes = b"", **more: str) -> None:
        method, target, version = head.first.split(" ", 2)
        target = self.names.target(target, self.upstream.namespaced)
        told = {**more, "authorization": f"Bearer {self.upstream.token}"}
        asked = Message(f"{method} {target} {version}", {**head.headers, **told})
        asked = asked.without("accept-encoding", "if-none-match", "transfer-encoding")
        await framing.send(self.server[1], asked, body)

    async def _answer(self, method: str, path: str) -> bool:
        (source, _), (_, writer) = self.server, self.client
        head = await framing.head(source)
        back = self.names.back if head.is_json else lambda data, _: data
        if method == "HEAD" or head.is_bodiless:
            await self.way()
            await framing.send(writer, head, None)
        elif head.is_chunked:
            await self.way()
            await framing.send(writer, head, None)
            pieces = framing.pieces(source, head)
            async for line in framing.lines(pieces) if head.is_json else pieces:
                await self.way()
                await framing.send_chunk(writer, back(line, path))
            await framing.send_chunk(writer, b"")
        else:
            body = await framing.whole(source, head, is_endless=True)
            await self.way()
            await framing.send(writer, head, back(body, path))
        return head.headers.get("connection", "") != "close"

    async def _schema(self, head: Message, target: str) -> bool:
        key = (target, head.headers.get("accept", ""))
        known = self.upstream.schemas.get(key)
        if known is None or time.monotonic() - known[0] > _KEPT_S:
            await self._ask(head)
            answer = await framing.head(self.server[0])
            body = await framing.whole(self.server[0], answer, is_endless=True)
            if " 200 " in answer.first and self.upstream.kinds:
                path = target.partition("?")[0]
                body = schema.cut(path, key[1], body, self.upstream.kinds)
            known = (time.monotonic(), answer, body)
            if " 200 " in answer.first:
                self.upstream.schemas[key] = known
        await framing.send(self.client[1], known[1], known[2])
        return True
