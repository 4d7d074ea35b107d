"""Real servers on free loopback ports, ended by their own process ids."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit


def free_port() -> int:
    """Name a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], folder: Path, ready: str, within_s: float, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends.

    Args:
        command: Path and words.
        folder: Where it runs and where its `log` is written.
        ready: URL that answers 200 when it is ready.
        within_s: Longest wait for that.
        more: Environment variables.
    """
    process = start(command, folder, **more)
    try:
        answers(ready, within_s, process, folder / "log")
        yield process
    finally:
        stop(process)


def start(command: Sequence[str], folder: Path, **more: str) -> "subprocess.Popen[bytes]":
    """Start a server whose `log` is in its folder; whoever starts it stops it."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """End a process and what it started, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def answers(url: str, within_s: float, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers, and show its log when it does not."""
    until = time.monotonic() + within_s
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < until:
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    how = "ended" if process.poll() is not None else f"gave no answer within {within_s:g} s"
    raise AssertionError(f"the server {how}:\n{log.read_text(errors='replace')[-4000:]}")


@dataclass
class Relay:
    """Pass everything on to a real server; late, cut off, or only so many bytes of answers."""

    uri: str
    pause_s: float = 0.0
    most_bytes: int = 1 << 40
    url: str = ""
    _is_cut: bool = False
    _listener: socket.socket = field(default_factory=socket.socket)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> "Relay":
        """Begin to listen."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up everywhere."""
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Hang up, and answer nobody."""
        self._is_cut = True
        _hang_up(self._open)

    def mend(self) -> None:
        """Pass things on again."""
        self._is_cut = False

    def _accept(self) -> None:
        port = urlsplit(self.uri).port or 80
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", port))
                self._open += [near, far]
                Thread(target=_pump, args=(near, far, lambda data: data), daemon=True).start()
                Thread(target=_pump, args=(far, near, self._held), daemon=True).start()

    def _held(self, data: bytes) -> bytes:
        time.sleep(self.pause_s)
        data = data[: self.most_bytes]
        self.most_bytes -= len(data)
        return data


def _pump(source: socket.socket, sink: socket.socket, held: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while data := held(source.recv(1 << 16)):
            sink.sendall(data)
    _hang_up((source, sink))


def _hang_up(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


MLFLOW_START_S = 240
IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "1",
}


@contextmanager
def mlflow_server(
    folder: Path, python: str, words: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run `mlflow server` over a SQLite store with served artifacts; give its address."""
    port = free_port()
    command = [
        *(python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
        *words,
    ]
    url = f"http://127.0.0.1:{port}"
    lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(env or {})}
    with running(command, folder, f"{url}/health", MLFLOW_START_S, **lean):
        yield url
