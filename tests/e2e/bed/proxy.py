"""Ways to a server that can be cut, held up and opened again while they are in use."""

import asyncio
import ssl
import threading
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from tests.e2e.bed.ports import LOOPBACK

T = TypeVar("T")
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Way = Callable[[], Awaitable[None]]
"""Awaited before anything is sent on: it waits while the way is blocked or slow."""
Carry = Callable[[Reader, Writer, Way], Awaitable[None]]
CHUNK = 1 << 16
LIMIT = 1 << 24
# Every TLS connection takes a buffer of this size, 256 kB by default, and each watch of each site
# is one: 40 sites have 500, 500 sites have 6000.
sslproto.SSLProtocol.max_size = 1 << 15  # type: ignore[misc]
_GONE = (OSError, asyncio.IncompleteReadError, ssl.SSLError)


class Wire:
    """The thread in which all proxies of one bed live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        """Stop; whatever is still connected is dropped."""
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Proxy:
    """One address of ours in front of a server.

    It passes everything on until it is told otherwise. The verbs may be called from any thread.
    """

    def __init__(self, wire: Wire, carry: Carry, port: int, host: str = LOOPBACK) -> None:
        self.host, self.port = host, port
        self._wire, self._carry = wire, carry
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[Writer] = set()
        self._server: asyncio.Server | None = None
        self._delay_s = 0.0
        self._open = asyncio.Event()
        self.pass_()

    def pass_(self) -> None:
        """Let everything through; what was held up goes on."""
        self._wire.run(self._set(listens=True, is_open=True, delay_s=0))

    def refuse(self) -> None:
        """Refuse connections, and cut those that are there."""
        self._wire.run(self._set(listens=False, is_open=True, delay_s=0))

    def blackhole(self) -> None:
        """Take connections and bytes, and answer nothing."""
        self._wire.run(self._set(listens=True, is_open=False, delay_s=0))

    def slow(self, seconds: float) -> None:
        """Hold up everything that is sent on by so long."""
        self._wire.run(self._set(listens=True, is_open=True, delay_s=seconds))

    def close(self) -> None:
        """Give the address up."""
        self.refuse()

    async def _set(self, *, listens: bool, is_open: bool, delay_s: float) -> None:
        self._delay_s = delay_s
        if is_open:
            self._open.set()
        else:
            self._open.clear()
        if listens and self._server is None:
            at = (self.host, self.port)
            self._server = await asyncio.start_server(self._serve, *at, limit=LIMIT)
        elif not listens and self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._writers:
                writer.transport.abort()
            for task in tuple(self._tasks):
                task.cancel()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(*_GONE, asyncio.CancelledError):
                await self._carry(reader, writer, self._way)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _way(self) -> None:
        await self._open.wait()
        if self._delay_s:
            await asyncio.sleep(self._delay_s)


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def tcp(port: int) -> Carry:
    """Carry bytes to a port of this machine and back, whatever they are."""

    async def carry(reader: Reader, writer: Writer, way: Way) -> None:
        await way()
        upstream, sink = await asyncio.open_connection(LOOPBACK, port)
        try:
            there = asyncio.create_task(_pump(reader, sink, way))
            back = asyncio.create_task(_pump(upstream, writer, way))
            # One side that hangs up ends both: nothing here half-closes.
            _, left = await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
        finally:
            sink.transport.abort()

    return carry


async def _pump(source: Reader, sink: Writer, way: Way) -> None:
    with suppress(*_GONE):
        while data := await source.read(CHUNK):
            await way()
            sink.write(data)
            await sink.drain()
