"""HTTP/1.1 as it lies on the wire: heads, bodies with a length or in chunks, lines of a watch."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tests.e2e.bed.proxy import CHUNK, Reader, Writer

_LINE = b"\r\n"
_END = b"\r\n\r\n"
_BODILESS = ("204", "304")


@dataclass(frozen=True)
class Message:
    """The head of a request or an answer.

    Attributes:
        first: Its first line.
        headers: By name in small letters.
    """

    first: str
    headers: Mapping[str, str]

    @property
    def is_json(self) -> bool:
        """Say whether the body is JSON."""
        return "json" in self.headers.get("content-type", "")

    @property
    def is_chunked(self) -> bool:
        """Say whether the body comes in chunks."""
        return self.headers.get("transfer-encoding") == "chunked"

    @property
    def is_bodiless(self) -> bool:
        """Say whether an answer with this status never has a body."""
        return self.first.split(" ", 2)[1] in _BODILESS

    def without(self, *names: str) -> "Message":
        """Leave headers out."""
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return Message(self.first, kept)


async def head(reader: Reader) -> Message:
    """Read a head.

    Raises:
        asyncio.IncompleteReadError: The other side has gone.
    """
    text = (await reader.readuntil(_END)).decode("latin-1")
    first, *lines = text[: -len(_END)].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Message(first, {name.strip().lower(): value.strip() for name, _, value in pairs})


async def pieces(
    reader: Reader, message: Message, *, is_endless: bool = False
) -> AsyncIterator[bytes]:
    """Read a body as it comes; an answer without a length ends with the connection."""
    if message.is_chunked:
        while size := int((await reader.readuntil(_LINE)).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(len(_LINE))
        await reader.readuntil(_LINE)
    elif "content-length" in message.headers:
        yield await reader.readexactly(int(message.headers["content-length"]))
    elif is_endless:
        while piece := await reader.read(CHUNK):
            yield piece


async def whole(reader: Reader, message: Message, *, is_endless: bool = False) -> bytes:
    """Read a body to its end."""
    return b"".join([one async for one in pieces(reader, message, is_endless=is_endless)])


async def lines(found: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut where a watch event ends, so that nothing to rewrite lies across two pieces."""
    rest = bytearray()
    async for piece in found:
        rest += piece
        end = piece.rfind(b"\n")
        if end >= 0:
            size = len(rest) - len(piece) + end + 1
            yield bytes(rest[:size])
            del rest[:size]
    if rest:
        yield bytes(rest)


async def send(writer: Writer, message: Message, body: bytes | None) -> None:
    """Write a head and a body with its length; None writes the head as it is."""
    if body is not None:
        message = message.without("transfer-encoding")
        message = Message(message.first, {**message.headers, "content-length": str(len(body))})
    told = [message.first, *(f"{name}: {value}" for name, value in message.headers.items())]
    writer.write("\r\n".join(told).encode("latin-1") + _END + (body or b""))
    await writer.drain()


async def send_chunk(writer: Writer, data: bytes) -> None:
    """Write a chunk; an empty one is the last."""
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()
