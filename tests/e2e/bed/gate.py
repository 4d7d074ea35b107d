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

Everything else is passed on byte for byte: validation, admission, server-side apply, watches and
every status code are those of the real API server. The gate speaks plain HTTP to Argo CD, so that
500 gates need no 500 certificates. Each gate is a `Proxy`: any one site can be cut.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.bed.ports import LOOPBACK
from tests.e2e.bed.proxy import CHUNK, LIMIT, Carry, Reader, Way, Writer

_ALL = re.compile(r"(/api/v1|/apis/[^/?]+/[^/?]+)/([^/?]+)")
_BODILESS = (204, 304)
_LOOK_S = 3.0
_LINE = b"\r\n"
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Upstream:
    """The real API server.

    Attributes:
        token: Put into every request: clients do not send theirs over plain HTTP.
        namespaced: (group version path, plural) of every kind that lies in a namespace.
    """

    port: int
    ssl: Any
    token: str
    namespaced: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Names:
    """The same namespace: as the site's Argo CD knows it, and as it is really called."""

    seen: str
    real: str

    def target(self, target: str, namespaced: frozenset[tuple[str, str]]) -> str:
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
            while await _exchange(upstream, names, (reader, writer), (source, sink), way):
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


async def _exchange(
    upstream: Upstream,
    names: Names,
    client: tuple[Reader, Writer],
    server: tuple[Reader, Writer],
    way: Way,
) -> bool:
    """Carry one request and its answer; False ends the connection."""
    first, headers = await _head(client[0])
    method, target, version = first.split(" ", 2)
    path = target.partition("?")[0]
    body = b"".join([piece async for piece in _body(client[0], headers)])
    await way()
    body = names.there(body, path)
    told = {"content-length": str(len(body)), "authorization": f"Bearer {upstream.token}"}
    wanted = {**headers, **told}
    for name in ("accept-encoding", "transfer-encoding"):
        wanted.pop(name, None)
    if "openapi" not in path:
        # Only JSON can be rewritten; the schema is the same for everybody.
        kinds = headers.get("accept", "").split(",")
        wanted["accept"] = ",".join(kind for kind in kinds if "protobuf" not in kind) or "*/*"
    target = names.target(target, upstream.namespaced)
    _send(server[1], f"{method} {target} {version}", wanted, body)
    await server[1].drain()
    return await _answer(names, method, path, (server[0], client[1]), way)


async def _answer(
    names: Names, method: str, path: str, pair: tuple[Reader, Writer], way: Way
) -> bool:
    source, writer = pair
    first, headers = await _head(source)
    is_json = "json" in headers.get("content-type", "")
    if method == "HEAD" or int(first.split(" ", 2)[1]) in _BODILESS:
        await way()
        _send(writer, first, headers, b"")
    elif headers.get("transfer-encoding") == "chunked":
        await way()
        _send(writer, first, headers, b"")
        pieces = _body(source, headers)
        async for line in _lines(pieces) if is_json else pieces:
            await way()
            line = names.back(line, path) if is_json else line
            writer.write(b"%x\r\n%b\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    else:
        whole = b"".join([piece async for piece in _body(source, headers, is_endless=True)])
        await way()
        whole = names.back(whole, path) if is_json else whole
        _send(writer, first, {**headers, "content-length": str(len(whole))}, whole)
    await writer.drain()
    return headers.get("connection", "") != "close"


async def _head(reader: Reader) -> tuple[str, Mapping[str, str]]:
    text = (await reader.readuntil(_END)).decode("latin-1")
    first, *lines = text[: -len(_END)].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _send(writer: Writer, first: str, headers: Mapping[str, str], body: bytes) -> None:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode("latin-1") + _END + body)


async def _body(
    reader: Reader, headers: Mapping[str, str], *, is_endless: bool = False
) -> AsyncIterator[bytes]:
    """Read a body piece by piece; an answer without a length ends with the connection."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(_LINE)).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(_LINE)
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    elif is_endless:
        while piece := await reader.read(CHUNK):
            yield piece


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut where a watch event ends, so that nothing to rewrite lies across two pieces."""
    rest = bytearray()
    async for piece in pieces:
        rest += piece
        end = piece.rfind(b"\n")
        if end >= 0:
            cut = len(rest) - len(piece) + end + 1
            yield bytes(rest[:cut])
            del rest[:cut]
    if rest:
        yield bytes(rest)
