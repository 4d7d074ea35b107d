"""The exporter over real HTTP: what it answers, who cannot keep it from answering, real readers."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generator import layout
from generator.errors import InputError, RemoteError
from generator.repository import Repository
from reconciler import exporter
from reconciler.exporter import Exporter, read_address, serve
from reconciler.outlook import Outlook
from reconciler.policy import Hold
from reconciler.tick import Pass
from tests.builders import CLOUD, EDGE, MODEL, Memory, baseline, fleet, promote

NOW = datetime(2026, 11, 20, 8, 5, tzinfo=UTC)
PROBE_S = 2.0  # what a probe of the kubelet may wait for


@dataclass
class Done:
    passed: Pass
    commit: str = ""
    trouble: str = ""
    lost: bool = False
    bug: Exception | None = None


@pytest.fixture(scope="module")
def repository() -> Repository:
    return Repository(Memory(fleet(100)).do(baseline(12)).do(promote(13)))


@pytest.fixture
def told() -> Exporter:
    return Exporter(60.0, NOW)


@pytest.fixture
def port(told: Exporter) -> int:
    return int(serve(told, "0").rpartition(":")[2])


def whole(told: Exporter, repository: Repository, now: datetime = NOW) -> None:
    rollout = repository.rollout(EDGE, MODEL)
    decision = Hold("undecided", "x")
    told.observe(
        repository, [Done(Pass(EDGE, MODEL, Outlook(rollout, decision), decision))], now, 0.5
    )


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_S)
    with contextlib.closing(link):
        link.request(method, path)
        reply = link.getresponse()
        return reply.status, reply.headers["Content-Type"], reply.read()


# ------------------------------------------------------------------ what is answered


def test_metrics_come_as_the_format_says(told: Exporter, port: int, repository: Repository) -> None:
    whole(told, repository)
    status, media, body = ask(port, "/metrics")
    assert (status, media) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert body.count(b"\ntidegate_site_desired_info{") == 100
    assert b'tidegate_tick_timestamp_seconds{environment="edge-k3s"} 1795161900\n' in body
    assert ask(port, "/metrics", "HEAD") == (200, media, b"")


@pytest.mark.parametrize(
    "path", ["/", "/metrics/", "/../metrics", "/healthz/x", "/favicon.ico", "*"]
)
def test_anything_else_is_not_found(port: int, path: str) -> None:
    assert ask(port, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "<script>"])
def test_no_other_method_is_known_and_nothing_comes_back(port: int, method: str) -> None:
    with socket.create_connection(("127.0.0.1", port), PROBE_S) as link:
        link.sendall(f"{method} /metrics?<b>secret HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        reply = b"".join(iter(lambda: link.recv(4096), b""))
    assert reply.startswith(b"HTTP/1.0 501 ")
    assert b"secret" not in reply
    assert b"script" not in reply


def test_the_answer_does_not_name_the_version_of_python(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PROBE_S) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n")
        reply = b"".join(iter(lambda: link.recv(4096), b""))
    assert b"Server: tidegate\r\n" in reply.replace(b"tidegate \r\n", b"tidegate\r\n")
    assert b"Python" not in reply


# ------------------------------------------------------------------ ready and alive


def test_it_is_ready_after_the_first_whole_pass_and_not_when_the_last_all_failed(
    told: Exporter, port: int, repository: Repository
) -> None:
    assert ask(port, "/readyz")[::2] == (503, b"no pass has ended yet\n")
    told.failed(RemoteError("Git", "no route"), 1.0)
    assert ask(port, "/readyz")[0] == 503
    whole(told, repository)
    assert ask(port, "/readyz")[::2] == (200, b"ok\n")
    for number in range(exporter.FAILURES):
        assert ask(port, "/readyz")[0] == 200, number
        told.failed(RemoteError("Git", "no route to https://bot:secret@git.example"), 1.0)
    why = b"the last 3 passes failed: remote; see the log\n"
    assert ask(port, "/readyz")[::2] == (503, why)
    assert b'tidegate_passes_total{outcome="remote"} 4\n' in ask(port, "/metrics")[2]
    assert ask(port, "/healthz")[0] == 200
    whole(told, repository)
    assert ask(port, "/readyz")[0] == 200


def test_a_loop_without_a_sign_of_life_is_ill_and_any_sign_heals_it() -> None:
    told = Exporter(60.0, NOW, patience_s=0.2)
    assert told.answer("/healthz")[0] == 200
    time.sleep(0.3)
    status, _, body = told.answer("/healthz")
    assert (status, body) == (503, b"the loop gave no sign of life for 0 s\n")
    told.alive()
    assert told.answer("/healthz")[0] == 200


@pytest.mark.parametrize(("every_s", "patience_s"), [(1.0, 600.0), (60.0, 600.0), (300.0, 3000.0)])
def test_patience_is_longer_than_any_single_call(every_s: float, patience_s: float) -> None:
    assert Exporter(every_s, NOW)._patience_s == patience_s


def test_a_failed_pass_keeps_what_was_known(told: Exporter, repository: Repository) -> None:
    whole(told, repository)
    before = told.answer("/metrics")[2]
    told.failed(KeyError("x"), 1.0)
    after = told.answer("/metrics")[2]
    kept = [line for line in before.splitlines() if b"_pass" not in line]
    assert [line for line in after.splitlines() if b"_pass" not in line] == kept


# ------------------------------------------------------------------ hostile and slow clients


@contextlib.contextmanager
def connections(port: int, number: int, begin: bytes) -> Iterator[list[socket.socket]]:
    found = []
    try:
        for _ in range(number):
            found.append(socket.create_connection(("127.0.0.1", port), PROBE_S))
            with contextlib.suppress(OSError):
                found[-1].sendall(begin)
        yield found
    finally:
        for one in found:
            one.close()


@pytest.mark.parametrize("begin", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_idle_connections_do_not_keep_a_probe_out(port: int, begin: bytes) -> None:
    before = threading.active_count()
    with connections(port, 500, begin):
        for _ in range(20):
            assert ask(port, "/healthz")[0] == 200
        assert threading.active_count() - before <= exporter.MOST_AT_ONCE + 20


def test_who_sends_a_byte_now_and_then_is_cut_off(told: Exporter) -> None:
    with connections(hasty(told), 1, b"GET /metrics HTTP/1.1\r\n") as (link,):
        until(lambda: is_cut(link), 20)
    assert told.answer("/healthz")[0] == 200


def hasty(told: Exporter) -> int:
    return int(serve(told, "0", answer_s=0.5).rpartition(":")[2])


def is_cut(link: socket.socket) -> bool:
    try:
        link.sendall(b"a")
    except OSError:
        return True
    return False


def test_who_does_not_read_the_answer_is_cut_off(told: Exporter) -> None:
    port = hasty(told)
    told._text = b"x" * 50_000_000  # more than any socket buffer takes
    before = threading.active_count()
    with connections(port, 3, b"GET /metrics HTTP/1.1\r\n\r\n") as links:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and threading.active_count() > before:
            time.sleep(0.05)
        assert threading.active_count() <= before
        assert ask(port, "/healthz")[0] == 200
        assert all(len(link.recv(1)) == 1 for link in links)


@pytest.mark.parametrize(
    "sent",
    [
        b"A" * 100_000,
        b"GET /metrics HTTP/1.1\r\n" + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    ],
)
def test_what_is_no_request_harms_nobody(
    port: int, sent: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with connections(port, 1, sent) as (link,), contextlib.suppress(OSError):
        link.settimeout(PROBE_S)
        assert b" 200 " not in link.recv(4096)[:16]
    assert ask(port, "/healthz")[0] == 200
    assert capsys.readouterr() == ("", "")


def test_the_loop_goes_on_while_clients_hang(
    told: Exporter, port: int, repository: Repository
) -> None:
    whole(told, repository)
    with connections(port, 200, b"GET /metrics HTTP/1.1\r\n"):
        began = time.process_time()
        for _ in range(20):
            whole(told, repository)
        assert time.process_time() - began < 5


# ------------------------------------------------------------------ where it listens


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9469", ("127.0.0.1", 9469)),
        (":9469", ("127.0.0.1", 9469)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9469", ("::1", 9469)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_without_a_host_is_on_loopback(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize("text", ["", "x", "host:", "host:-1", "host:65536", "h:1x", "h\n:80"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(InputError, match="is not an address to listen on"):
        read_address(text)


def test_an_address_that_is_taken_is_said(port: int) -> None:
    with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
        serve(Exporter(60.0, NOW), f"127.0.0.1:{port}")


def test_a_host_that_is_not_ours_is_said() -> None:
    with pytest.raises(InputError, match=r"cannot listen on no\.such\.host\.invalid:80: "):
        serve(Exporter(60.0, NOW), "no.such.host.invalid:80")


def test_it_listens_on_the_other_loopback_too(told: Exporter) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    assert serve(told, "[::1]:0").startswith("[::1]:")


# ------------------------------------------------------------------ real readers


def test_the_real_promtool_takes_every_line(
    engine: Callable[[str], str], told: Exporter, repository: Repository
) -> None:
    whole(told, repository)
    told.failed(RemoteError("Git", "no route"), 1.0)
    text = told.answer("/metrics")[2]
    ran = subprocess.run(
        [engine("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    broken = text + b'tidegate_site_desired_info{site="a"b"} 1\n'
    ran = subprocess.run(
        [engine("promtool"), "check", "metrics"], input=broken, capture_output=True, timeout=60
    )
    assert ran.returncode != 0


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The generated rules, with every look, window and wait a hundredth as long."""
    have = Memory(fleet(sites=20, clusters=1)).do(baseline(12)).do(baseline(12, CLOUD))
    for path, data in have.view.under(layout.MONITORING).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == layout.rules(EDGE, "_reconciler"):
            whole_text = data.decode()
            data = (
                whole_text.replace('interval: "1m"', 'interval: "1s"')
                .replace('for: "5m"', 'for: "2s"')
                .replace("> 900)", "> 4)")
                .encode()
            )
            assert data.decode().count('"1s"') == data.decode().count("> 4)") == 1
        file.write_bytes(data)
    return tmp_path


@pytest.fixture
def prometheus(
    engine: Callable[[str], str], rules: Path, port: int
) -> Iterator[Callable[[], dict[str, str]]]:
    """A real server that scrapes the exporter; gives the state of every alert of the edge."""
    path, own = engine("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / layout.watched(EDGE) / "rules/*.yaml")],
        "scrape_configs": [
            {
                "job_name": "tidegate",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
        ],
    }
    (rules / "prometheus.yaml").write_text(json.dumps(config))
    words = [
        path,
        f"--config.file={rules}/prometheus.yaml",
        f"--storage.tsdb.path={rules}/data",
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    with (rules / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env={"PATH": os.defpath})
    try:
        until(lambda: ask(own, "/-/ready")[0] == 200, 60)
        yield lambda: alerts(own)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(is_so: Callable[[], bool], longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if is_so():
                return
        time.sleep(0.1)
    raise AssertionError(f"not within {longest_s} s")


def alerts(port: int) -> dict[str, str]:
    """Give the state of the rules, once each has been looked at."""
    groups = json.loads(ask(port, "/api/v1/rules?type=alert")[2])["data"]["groups"]
    found = [rule for group in groups for rule in group["rules"] if EDGE in group["file"]]
    assert all(rule["health"] != "err" for rule in found), found
    return {rule["name"]: f"{rule['state']} {rule['health']}" for rule in found}


def test_real_prometheus_and_the_generated_rules_see_whether_the_loop_ticks(
    prometheus: Callable[[], dict[str, str]], told: Exporter, repository: Repository
) -> None:
    """Silent before the first tick, well while it ticks, silent again once it stops."""
    name = "TidegateReconcilerSilent"
    until(lambda: prometheus()[name] == "firing ok", 60)
    ends = time.monotonic() + 8

    def tick() -> None:
        whole(told, repository, datetime.now(UTC))

    until(lambda: (tick(), prometheus()[name] == "inactive ok")[1], 60)
    while time.monotonic() < ends:
        tick()
        assert prometheus()[name] == "inactive ok"
        time.sleep(0.2)
    until(lambda: prometheus()[name] == "firing ok", 60)


def test_the_text_of_a_large_fleet_is_quick(told: Exporter) -> None:
    sites = {f"plant-{number:05d}": "v13-3f9a1c2b" for number in range(10_000)}
    report = replace(told._report, desired={(EDGE, "a"): sites, (EDGE, "b"): sites})
    spent: Sequence[float] = []
    for _ in range(3):
        began = time.process_time()
        told._say(report)
        spent = [*spent, time.process_time() - began]
    assert min(spent) < 0.5, spent
    assert told.answer("/metrics")[2].count(b"\n") > 20_000
