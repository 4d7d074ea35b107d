"""The model servers of hundreds of sites, as far as Prometheus can see them.

Every pod that is *ready on the API server* serves the release its annotations name, and counts
predictions from its own start on; nothing else does. So what is served follows what was applied.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.bed.kube import Kube
from tests.e2e.bed.ports import LOOPBACK
from tests.metrics import Bad

LATENCY = (0.1, 0.25, 0.5, 1.0)
CONFIDENCE = (0.2, 0.4, 0.6, 0.8)
_LOOK_S = 1.0
_WAIT_S = 5.0


@dataclass(frozen=True)
class Server:
    """One pod that serves.

    Attributes:
        started: Seconds since the epoch.
        pins: The annotations of the pod.
    """

    namespace: str
    site: str
    pod: str
    model: str
    release: str
    started: float
    pins: Mapping[str, str]


@dataclass
class Sites:
    """All simulated model servers of one bed, behind one port.

    Attributes:
        per_second: Predictions of each server in a second.
        bad: Shares of bad predictions by release, or by its number ("v2"); others are `Bad()`.
        dark: Namespaces of sites that show nothing; they serve on.
        claims: Namespace to the release that a site *says* it serves, whatever it runs.
    """

    kube: Kube
    per_second: float = 200.0
    bad: dict[str, Bad] = field(default_factory=dict)
    dark: set[str] = field(default_factory=set)
    claims: dict[str, str] = field(default_factory=dict)
    _servers: dict[str, list[Server]] = field(default_factory=dict)
    _looked: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Listen on a free port."""
        sites = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                sites._answer(self)

        self._http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Free the port."""
        self._http.shutdown()
        self._http.server_close()

    @property
    def address(self) -> str:
        """Give host and port."""
        return f"{LOOPBACK}:{self._http.server_port}"

    def targets(
        self, namespaces: Mapping[str, str], labels: Mapping[str, str]
    ) -> list[Mapping[str, Any]]:
        """List one target a site, for Prometheus: `namespaces` maps the site to its own."""
        return [
            {
                "targets": [self.address],
                "labels": {"__metrics_path__": f"/{own}/metrics", "site": site, **labels},
            }
            for site, own in namespaces.items()
        ]

    def serving(self, namespaces: Iterable[str]) -> Mapping[str, str]:
        """Say which release is really served where; several are joined by `+`."""
        found = self._look()
        return {
            own: "+".join(sorted({one.release for one in found.get(own, ())})) for own in namespaces
        }

    def _look(self) -> Mapping[str, list[Server]]:
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_S:
                # An API server that is away does not end what runs on the sites.
                with suppress(OSError):
                    self._servers = _read(self.kube)
                self._looked = time.monotonic()
            return self._servers

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        own = handler.path.split("/")[1]
        servers = () if own in self.dark else self._look().get(own, ())
        body = "".join(self._exposed(one) for one in servers).encode()
        handler.send_response(200 if body else 503)
        handler.send_header("Content-Type", "text/plain; version=0.0.4")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(ConnectionError):  # who asked has given up
            handler.wfile.write(body)

    def _exposed(self, one: Server) -> str:
        release = self.claims.get(one.namespace, one.release)
        bad = self.bad.get(release) or self.bad.get(release.partition("-")[0], Bad())
        events = max(0, int((time.time() - one.started) * self.per_second))
        own = {"model": one.model, "release": release, "instance": one.pod}
        digests = {
            f"{kind}_digest": one.pins.get(f"tidegate.dev/{kind}-digest", "")
            for kind in ("model", "config", "runtime")
        }
        lines = [
            _line("model_predictions_total", {**own, "outcome": "error"}, events * bad.errors),
            _line("model_predictions_total", {**own, "outcome": "ok"}, events * (1 - bad.errors)),
            *_histogram("model_prediction_latency_seconds", own, LATENCY, events, _late(bad.slow)),
            *_histogram("model_prediction_confidence", own, CONFIDENCE, events, _sure(bad.unsure)),
            _line("model_release_info", {**own, **digests}, 1),
            _line("model_process_start_time_seconds", own, one.started),
            _line("model_last_prediction_timestamp_seconds", own, time.time()),
        ]
        return "".join(lines)


def _late(slow: float) -> Callable[[float], float]:
    return lambda edge: (1 - slow) if edge <= 0.25 else 1.0 if edge >= 1 else 1 - slow / 2


def _sure(unsure: float) -> Callable[[float], float]:
    return lambda edge: unsure * edge / 0.6 if edge <= 0.6 else (1 + unsure) / 2


def _histogram(
    name: str,
    own: Mapping[str, str],
    edges: Iterable[float],
    events: int,
    share: Callable[[float], float],
) -> Iterable[str]:
    """Write a histogram; `share` gives the part of the events that lies up to an edge."""
    for edge in edges:
        yield _line(f"{name}_bucket", {**own, "le": f"{edge:g}"}, events * share(edge))
    yield _line(f"{name}_bucket", {**own, "le": "+Inf"}, events)
    yield _line(f"{name}_count", own, events)
    yield _line(f"{name}_sum", own, events * 0.2)


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{text}"' for key, text in labels.items())
    whole = int(value) if "timestamp" not in name and "time" not in name else round(value, 3)
    return f"{name}{{{told}}} {whole}\n"


def _read(kube: Kube) -> dict[str, list[Server]]:
    found: dict[str, list[Server]] = {}
    for pod in kube.list("v1", "Pod", labels="tidegate.dev/site"):
        if _is_ready(pod):
            server = _server(pod)
            found.setdefault(server.namespace, []).append(server)
    return found


def _is_ready(pod: Mapping[str, Any]) -> bool:
    told = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return told.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _server(pod: Mapping[str, Any]) -> Server:
    who, started = pod["metadata"], pod["status"]["startTime"]
    return Server(
        who["namespace"],
        who["labels"]["tidegate.dev/site"],
        who["name"],
        who["annotations"]["tidegate.dev/model-name"],
        who["labels"]["tidegate.dev/release"],
        datetime.fromisoformat(started).timestamp(),
        who["annotations"],
    )
