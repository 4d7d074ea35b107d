"""Real Prometheus servers on loopback, filled in virtual time, and read as the judge does."""

import signal
import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from generator.http import Http
from reconciler.measure import (
    Answer,
    Assignment,
    Measurement,
    MetricsUnavailable,
    Series,
    Window,
    measure,
)
from reconciler.prometheus import Prometheus
from reconciler.queries import Questions
from tests.servers import answers, free_port, start, stop

READY_S = 90
COMPACTIONS = 3
"""How often one may get into the way of a query."""
ENGINES = ("prometheus", "prometheus3")
"""The servers that are looked for."""


@dataclass
class Central:
    """One server, which may be killed and started again over the same data.

    Attributes:
        server: Path of the binary.
        folder: Where it runs; its data lies in `data`.
        flags: Besides those for data and address.
    """

    server: str
    folder: Path
    flags: Sequence[str] = ("--config.file=prometheus.yaml",)
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Give its address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Central":
        """Start it, and wait until it is ready."""
        given = ("--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self.port}")
        self._process = start((self.server, *self.flags, *given), self.folder)
        answers(f"{self.url}/-/ready", READY_S, self._process, self.folder / "log")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self._process is not None:
            stop(self._process)

    def crash(self) -> None:
        """Kill it without a warning, and start it again."""
        assert self._process is not None
        stop(self._process, signal.SIGKILL)
        self.__enter__()

    def write(self, series: Iterable[Series]) -> httpx.Response:
        """Send samples as an agent does, by remote-write."""
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        body = _snappy(b"".join(_field(1, _series(one)) for one in series))
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.post(f"{self.url}/api/v1/write", content=body, headers=headers)

    def raw(self, query: str, at: float) -> list[dict[str, Any]]:
        """Answer an instant query."""
        with httpx.Client(trust_env=False, timeout=60) as client:
            asked = {"query": query, "time": str(at)}
            reply = client.get(f"{self.url}/api/v1/query", params=asked)
        found: list[dict[str, Any]] = reply.json()["data"]["result"]
        return found

    def answers(self, asked: Questions, window: Window) -> Mapping[str, Answer]:
        """Put all questions of the judge."""
        with Http("Prometheus", self.url, jitter=lambda: 1.0) as door:
            api = Prometheus(door)
            return {
                text: api.range(text, window.fetched_from, window.end, window.step)
                for text in asked.texts
            }

    def measured(self, asked: Questions, who: Assignment, window: Window) -> Measurement:
        """Measure as the reconciler does, which asks again in its next pass.

        Before 2.49 a query can fail when late samples are compacted meanwhile
        (prometheus/prometheus#13115).
        """
        for _ in range(COMPACTIONS):
            with suppress(MetricsUnavailable):
                return measure(asked, self.answers(asked, window), who, window)
        return measure(asked, self.answers(asked, window), who, window)


def back_fill(promtool: str, folder: Path, series: Iterable[Series]) -> None:
    """Write blocks as if a server had scraped these for days."""
    (folder / "data.om").write_text("".join(_lines(series)) + "# EOF\n")
    words = ("tsdb", "create-blocks-from", "openmetrics", "data.om", "data")
    subprocess.run([promtool, *words], cwd=folder, check=True, capture_output=True)


def _lines(series: Iterable[Series]) -> Iterator[str]:
    for one in sorted(series, key=lambda each: each.labels["__name__"]):
        own = (f'{name}="{text}"' for name, text in one.labels.items() if name != "__name__")
        head = f"{one.labels['__name__']}{{{','.join(own)}}}"
        yield from (f"{head} {value!r} {at}\n" for at, value in one.points)


# ------------------------------------------------------------------ remote-write 1.0


def _series(one: Series) -> bytes:
    labels = (
        _field(1, _field(1, name.encode()) + _field(2, text.encode()))
        for name, text in sorted(one.labels.items())
    )
    points = (
        _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at * 1000))
        for at, value in one.points
    )
    return b"".join((*labels, *points))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def _snappy(data: bytes) -> bytes:
    """Frame bytes as snappy literals, which compress nothing."""
    pieces = (data[at : at + 65_536] for at in range(0, len(data), 65_536))
    framed = (b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)
    return _varint(len(data)) + b"".join(framed)
