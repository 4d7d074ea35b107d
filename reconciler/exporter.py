"""Answer probes and Prometheus over HTTP: /healthz, /readyz, /metrics, and nothing else.

Promises. Each connection has a thread, ANSWER_S seconds to send a request of HEAD_BYTES at most,
and as many to take the answer; when MOST_AT_ONCE are open, the oldest is closed for the newest, so
idle ones keep nobody out. The loop never waits for a client: it puts a whole text in place and goes
on. Nothing of a request comes back in an answer or in a log. No encryption and no passwords: listen
on loopback, or where a network policy says who may ask. Nothing is left when the process ends.
"""

import io
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from generator.errors import InputError
from generator.repository import Repository
from reconciler.telemetry import (
    CONTENT_TYPE,
    Applied,
    Desired,
    Outcome,
    Report,
    desired,
    outcome_of,
    render,
    ticks,
)

ANSWER_S = 10.0  # as long as Prometheus waits by default
HEAD_BYTES = 8_192
MOST_AT_ONCE = 64
PATIENCE = 10  # intervals without a sign of life
LEAST_PATIENCE_S = 600.0  # no single call of Git or Prometheus takes longer
FAILURES = 3  # passes in a row
PLAIN = "text/plain; charset=utf-8"
Client = socket.socket | tuple[bytes, socket.socket]  # the words of socketserver


class Exporter:
    """What the loop tells, for whoever asks."""

    def __init__(
        self, every_s: float, started: datetime, *, patience_s: float | None = None
    ) -> None:
        """Know nothing yet.

        Args:
            every_s: Seconds between passes.
            started: When the process began, UTC.
            patience_s: Seconds without a sign of life until /healthz says so.
        """
        self._patience_s = patience_s or max(LEAST_PATIENCE_S, PATIENCE * every_s)
        self._alive_at = time.monotonic()
        self._not_ready = "no pass has ended yet"
        self._failures = 0
        self._report = Report(started)
        self._desired: tuple[str, Desired] = ("", {})
        self._text = render(self._report)

    # ---------------------------------------------------------------- what the loop tells

    def alive(self) -> None:
        """Note that the loop goes on."""
        self._alive_at = time.monotonic()

    def observe(
        self,
        repository: Repository,
        done: Sequence[Outcome],
        now: datetime,
        spent_s: float,
        applied: Applied | None = None,
    ) -> None:
        """Take in a whole pass.

        Args:
            repository: The newest head that the pass saw.
            done: What became of each rollout.
            now: When it ended, UTC.
            spent_s: How long it took.
            applied: What Argo CD has applied, where that is known.
        """
        self.alive()
        self._failures, self._not_ready = 0, ""
        if self._desired[0] != repository.tree.commit:
            self._desired = (repository.tree.commit, desired(repository))
        self._say(
            replace(
                self._report,
                counts=self._report.counts.after("whole", spent_s, done),
                ticks=ticks(self._report.ticks, repository.environments(), done, now),
                passes=tuple(one.passed for one in done),
                desired=self._desired[1],
                applied=applied or {},
            )
        )

    def failed(self, error: Exception, spent_s: float) -> None:
        """Take in a pass that ended too early."""
        self.alive()
        self._failures += 1
        outcome = outcome_of(error)
        if self._failures >= FAILURES:
            self._not_ready = f"the last {self._failures} passes failed: {outcome}; see the log"
        counts = self._report.counts.after(outcome, spent_s)
        self._say(replace(self._report, counts=counts))

    def _say(self, report: Report) -> None:
        self._report = report
        self._text = render(report)

    # ---------------------------------------------------------------- what is answered

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Give status, content type and body for a path."""
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE, self._text
            case "/healthz":
                return self._probe(self._ill())
            case "/readyz":
                return self._probe(self._not_ready)
            case _:
                return HTTPStatus.NOT_FOUND, PLAIN, b"/healthz, /readyz, /metrics\n"

    def _ill(self) -> str:
        silent_s = time.monotonic() - self._alive_at
        if silent_s < self._patience_s:
            return ""
        return f"the loop gave no sign of life for {silent_s:.0f} s"

    def _probe(self, why_not: str) -> tuple[int, str, bytes]:
        if why_not:
            return HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, f"{why_not}\n".encode()
        return HTTPStatus.OK, PLAIN, b"ok\n"


# ------------------------------------------------------------------ the server


def read_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`; a port alone is on loopback, port 0 is any that is free.

    Raises:
        InputError: It is no such address.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdecimal() and int(port) < 2**16 and host.isprintable()):
        hint = "write 127.0.0.1:9469, [::1]:9469 or a port alone"
        raise InputError(f"{text!r} is not an address to listen on", hint=hint)
    return host, int(port)


def serve(exporter: Exporter, address: str, answer_s: float = ANSWER_S) -> str:
    """Answer from now on in threads that end with the process; give the address back.

    Args:
        exporter: Knows the answers.
        address: As `read_address` takes it.
        answer_s: Seconds for a whole request, and for a whole answer.

    Raises:
        InputError: Nobody can listen there.
    """
    host, port = read_address(address)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = _Server(exporter, family, (host, port), answer_s)
    except OSError as error:
        hint = "name another address, or end what listens there"
        raise InputError(f"cannot listen on {address}: {error.strerror}", hint=hint) from error
    threading.Thread(target=server.serve_forever, name="exporter", daemon=True).start()
    found = server.server_address
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{found[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        exporter: Exporter,
        family: socket.AddressFamily,
        address: tuple[str, int],
        answer_s: float,
    ) -> None:
        self.exporter = exporter
        self.answer_s = answer_s
        self.address_family = family
        self._open: dict[Client, None] = {}  # the oldest first
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The one of http.server asks the name service for its own name.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Client, client_address: object) -> None:
        with self._lock:
            oldest = next(iter(self._open), None) if len(self._open) >= MOST_AT_ONCE else None
            if oldest is not None:
                del self._open[oldest]
            self._open[request] = None
        if oldest is not None:
            assert isinstance(oldest, socket.socket)  # noqa: S101 (a tuple is for UDP)
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread wakes up and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: Client) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Client, client_address: object) -> None:
        """Say nothing of a client that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "tidegate"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(io.BytesIO(self._head()))

    def _head(self) -> bytes:
        """Read to the end of the head; b"" when that is late, or too long."""
        ends, head = time.monotonic() + self.server.answer_s, b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            left_s = ends - time.monotonic()
            if left_s <= 0 or len(head) > HEAD_BYTES:
                return b""
            self.request.settimeout(left_s)
            piece = self.request.recv(1_024)
            if not piece:
                return b""
            head += piece
        self.request.settimeout(self.server.answer_s)  # sendall takes it for all of the answer
        return head

    def do_GET(self) -> None:
        self._reply(*self.server.exporter.answer(self.path))

    def do_HEAD(self) -> None:
        status, media, body = self.server.exporter.answer(self.path)
        self._reply(status, media, b"", len(body))

    def _reply(self, status: int, media: str, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        headers: Mapping[str, str] = {
            "Content-Type": media,
            "Content-Length": str(len(body) if length is None else length),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse without a word of the request; `message` and `explain` would hold some."""
        del message, explain
        self._reply(code, PLAIN, f"{HTTPStatus(code).phrase}\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log belongs to the loop."""
