"""The parts of the bed of `tests/e2e` that need no engine: ways, gates, processes, deadlines."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.bed import gate, ports, schema
from tests.e2e.bed.kube import Kube, KubeError, location
from tests.e2e.bed.processes import Processes
from tests.e2e.bed.proxy import Proxy, Wire, tcp
from tests.e2e.bed.turns import Turns
from tests.e2e.bed.waiting import Patience, TooLate

NAMES = gate.Names("models", "e1-plant-0001")
NAMESPACED = {("/api/v1", "pods"), ("/apis/apps/v1", "deployments")}


class Upstream:
    """Stands for an API server: remembers what it was asked, answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.pieces: list[bytes] = [b"{}"]
        self.status = 200
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.asked.append((self.command, self.path, body))
                self.send_response(upstream.status)
                self.send_header("Content-Type", "application/json")
                if upstream.status == 204:
                    self.end_headers()
                    return
                if self.command == "HEAD":
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    return
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in (*upstream.pieces, b""):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    self.wfile.flush()

            do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 (names that http.server knows)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_port)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.fixture
def site(upstream: Upstream, wire: Wire) -> tuple[Kube, Proxy]:
    carry = gate.http(gate.Upstream(upstream.port, None, "token", NAMESPACED), NAMES)
    proxy = Proxy(wire, carry, ports.free(), "127.1.0.9")
    return Kube(f"http://127.1.0.9:{proxy.port}", "token", context=False), proxy


# ------------------------------------------------------------------ the gate of a site


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("/api/v1/pods", "/api/v1/namespaces/e1-plant-0001/pods"),
        ("/api/v1/pods?watch=1", "/api/v1/namespaces/e1-plant-0001/pods?watch=1"),
        ("/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/e1-plant-0001/deployments"),
        ("/api/v1/namespaces/models/pods/a?b", "/api/v1/namespaces/e1-plant-0001/pods/a?b"),
        ("/api/v1/namespaces/models", "/api/v1/namespaces/e1-plant-0001"),
        (
            "/api/v1/namespaces?watch=1",
            "/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3De1-plant-0001",
        ),
        ("/api/v1/namespaces/other/pods", "/api/v1/namespaces/other/pods"),
        ("/api/v1/nodes", "/api/v1/nodes"),
        ("/apis/apps/v1", "/apis/apps/v1"),
        ("/version", "/version"),
    ],
)
def test_a_gate_turns_every_path_to_the_namespace_of_its_site(asked: str, wanted: str) -> None:
    assert NAMES.target(asked, NAMESPACED) == wanted


def test_a_site_sees_its_namespace_under_the_common_name(
    site: tuple[Kube, Proxy], upstream: Upstream
) -> None:
    pod = {"kind": "Pod", "metadata": {"name": "models", "namespace": "e1-plant-0001"}}
    told = json.dumps(pod, separators=(",", ":")).encode()
    upstream.pieces = [told[:40], told[40:]]
    seen = site[0].request("GET", location("v1", "Pod", "models", "models"))
    assert seen == {"kind": "Pod", "metadata": {"name": "models", "namespace": "models"}}
    assert upstream.asked == [("GET", "/api/v1/namespaces/e1-plant-0001/pods/models", b"")]


def test_what_a_site_sends_goes_to_its_own_namespace(
    site: tuple[Kube, Proxy], upstream: Upstream
) -> None:
    who = {"name": "models", "labels": {"kubernetes.io/metadata.name": "models"}}
    site[0].apply({"apiVersion": "v1", "kind": "Namespace", "metadata": who})
    ((_, path, body),) = upstream.asked
    real = "e1-plant-0001"
    assert path.startswith(f"/api/v1/namespaces/{real}?")
    assert json.loads(body)["metadata"] == {
        "name": real,
        "labels": {"kubernetes.io/metadata.name": real},
    }


def test_an_event_of_a_watch_arrives_before_the_next_one(
    site: tuple[Kube, Proxy], upstream: Upstream
) -> None:
    upstream.pieces = [b'{"namespace":"e1-pla', b'nt-0001"}\n{"namespace"', b':"other"}\n']
    with httpx.stream("GET", f"{site[0].url}/api/v1/pods?watch=1", trust_env=False) as reply:
        assert list(reply.iter_raw()) == [b'{"namespace":"models"}\n', b'{"namespace":"other"}\n']


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("DELETE", 204)])
def test_an_answer_without_a_body_leaves_the_connection_usable(
    site: tuple[Kube, Proxy], upstream: Upstream, method: str, status: int
) -> None:
    upstream.status = status
    with httpx.Client(base_url=site[0].url, trust_env=False) as client:
        assert client.request(method, "/api/v1/pods").status_code == status
        upstream.status = 200
        assert client.get("/version").json() == {}


# ------------------------------------------------------------------ the schema of a site


def field(number: int, *values: bytes) -> bytes:
    body = b"".join(values)
    return schema._tag(number, body)


def definition(name: str, *refers: str) -> bytes:
    # What follows a reference looks like one more letter of it: the tag of field 13 is "j".
    told = b"".join(
        field(1, f"#/definitions/{one}".encode()) + field(13, b"text") for one in refers
    )
    return field(1, field(1, name.encode()), field(2, told))


def test_a_schema_is_cut_to_some_kinds_and_what_they_refer_to() -> None:
    kept = [
        definition("io.k8s.api.core.v1.Pod", "io.k8s.api.core.v1.PodSpec"),
        definition("io.k8s.api.core.v1.PodSpec", "io.k8s.api.core.v1.PodSpec", "meta.Time"),
        definition("meta.Time"),
    ]
    gone = [definition("io.k8s.api.core.v1.Secret", "meta.Time"), definition("meta.Times")]
    head, paths = field(1, b"2.0"), field(8, b"many" * 100)
    document = head + paths + field(9, *kept, *gone)
    assert schema.cut("/openapi/v2", "protobuf", document, frozenset({"Pod"})) == head + field(
        9, *kept
    )


def test_paths_of_other_kinds_leave_the_schema() -> None:
    def path(kind: str) -> dict[str, Any]:
        body = {"$ref": f"#/components/schemas/api.{kind}"}
        return {"get": {"x-kubernetes-group-version-kind": {"kind": kind}, "body": body}}

    schemas = {"api.Pod": {"$ref": "#/components/schemas/meta"}, "api.Node": {}, "meta": {}}
    whole = {
        "paths": {"/pods": path("Pod"), "/nodes": path("Node")},
        "components": {"schemas": schemas},
    }
    text = json.dumps(whole).encode()
    assert json.loads(schema.cut("/openapi/v3/api/v1", "", text, frozenset({"Pod"}))) == {
        "paths": {"/pods": path("Pod")},
        "components": {"schemas": {"api.Pod": schemas["api.Pod"], "meta": {}}},
    }


# ------------------------------------------------------------------ ways


def test_a_way_that_refuses_cuts_what_is_connected(
    site: tuple[Kube, Proxy], upstream: Upstream
) -> None:
    kube, proxy = site
    assert kube.request("GET", "/version") == {}
    proxy.refuse()
    with pytest.raises(OSError, match="refused"):
        kube.request("GET", "/version")
    proxy.pass_()
    assert kube.request("GET", "/version") == {}
    assert len(upstream.asked) == 2


def test_a_black_hole_takes_bytes_and_lets_them_go_later(wire: Wire, upstream: Upstream) -> None:
    proxy = Proxy(wire, tcp(upstream.port), ports.free())
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", trust_env=False) as client:
        assert client.get("/a").is_success
        proxy.blackhole()
        threading.Timer(0.2, proxy.pass_).start()
        assert client.get("/b", timeout=30).is_success
    proxy.blackhole()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"http://127.0.0.1:{proxy.port}/c", timeout=0.2, trust_env=False)
    assert [path for _, path, _ in upstream.asked] == ["/a", "/b"]


def test_a_slow_way_takes_its_time(wire: Wire, upstream: Upstream) -> None:
    proxy = Proxy(wire, tcp(upstream.port), ports.free())
    proxy.slow(0.2)
    started = time.monotonic()
    assert httpx.get(f"http://127.0.0.1:{proxy.port}/", trust_env=False).is_success
    assert time.monotonic() - started >= 0.4


def test_a_server_that_says_no_is_told_from_one_that_is_away(
    site: tuple[Kube, Proxy], upstream: Upstream
) -> None:
    upstream.status = 404
    assert site[0].get("v1", "Pod", "a", "models") is None
    upstream.status = 409
    with pytest.raises(KubeError, match=r"^409: "):
        site[0].get("v1", "Pod", "a", "models")


# ------------------------------------------------------------------ processes and deadlines


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "logs", Patience())
    yield made
    made.stop()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_that_ends_instead_of_starting_is_told_with_its_log(
    processes: Processes,
) -> None:
    processes.start("engine", python("print('no such flag'); raise SystemExit(2)"))
    with pytest.raises(AssertionError, match=r"engine ended(.|\n)*no such flag"):
        processes.wait("engine", lambda: False)


def test_a_process_that_ignores_the_polite_end_is_ended(processes: Processes) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); "
    made = processes.start("deaf", python(deaf + "time.sleep(600)"))
    processes.wait("deaf", lambda: "deaf" in made.tail())
    assert made.look() > 1
    made.kill()
    assert not made.is_running


def test_a_frozen_process_ends_politely(processes: Processes) -> None:
    made = processes.start(
        "frozen", python("import time; print('up', flush=True); time.sleep(600)")
    )
    processes.wait("frozen", lambda: "up" in made.tail())
    made.pause()
    started = time.monotonic()
    made.stop()
    assert not made.is_running
    assert time.monotonic() - started < 4


def test_nothing_outlives_a_killed_test_run(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from tests.e2e.bed.processes import Processes; "
        "from tests.e2e.bed.waiting import Patience; "
        "made = Processes(pathlib.Path(sys.argv[1]), Patience()); "
        "print(made.start('child', ['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    argv = [*python(code), str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        child = int(run.stdout.readline())
        assert is_alive(child)
        run.send_signal(signal.SIGKILL)
    Patience().until(lambda: not is_alive(child), 5, "the child is gone")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_deadline_tells_what_was_seen_last() -> None:
    def look() -> bool:
        raise AssertionError("three are missing")

    with pytest.raises(TooLate, match=r"not within 0\.\d s: all are there; .* three are missing"):
        Patience().until(look, 0.05, "all are there")


def test_a_slow_machine_gets_more_time() -> None:
    patience = Patience()
    patience.measured(24, usual_s=8)
    patience.measured(4, usual_s=8)
    assert patience(10) == 30


def test_who_times_something_waits_for_the_other_test_and_keeps_the_next_one_out(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    asked = threading.Event()

    def timed() -> None:
        turns = Turns(tmp_path)
        with turns.test():
            asked.set()
            with turns.alone():
                told.append("alone")
                time.sleep(0.1)  # so that one who does not wait would be seen
                told.append("done")

    def second() -> None:
        with Turns(tmp_path).test():
            told.append("second")

    threads = [threading.Thread(target=timed), threading.Thread(target=second)]
    with Turns(tmp_path).test():
        threads[0].start()
        assert asked.wait(10)
        time.sleep(0.1)
        threads[1].start()
        time.sleep(0.1)
        told.append("first")
    for thread in threads:
        thread.join(20)
    assert told == ["first", "alone", "done", "second"]


def test_two_who_time_something_come_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []
    both = threading.Barrier(2)

    def timed(number: int) -> None:
        turns = Turns(tmp_path)
        with turns.test():
            both.wait(10)
            with turns.alone():
                inside.append(number)
                time.sleep(0.1)
                inside.append(number)

    threads = [threading.Thread(target=timed, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert inside in ([0, 0, 1, 1], [1, 1, 0, 0])
