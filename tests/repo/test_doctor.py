"""`tidegate doctor` on a real repository, a real Prometheus where there is one, and faults."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from generator import layout
from tests.builders import CLOUD, EDGE, MODEL, Origin, baseline, fleet, replaced
from tests.repo.test_cli import git, tidegate

ENVIRONMENT = layout.environment(EDGE)
NAMELESS = 'prometheus: ""'
QUICK = ("--no-engines", "--seconds", "60")


def prometheus_at(files: dict[str, bytes], url: str) -> dict[str, bytes]:
    return replaced(files, ENVIRONMENT, NAMELESS, f'prometheus: "{url}"')


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], Origin]:
    """Make a fleet of 40 sites with a baseline, whose metrics lie at an address."""

    def make(url: str) -> Origin:
        origin = Origin.start(tmp_path / "fleet", prometheus_at(fleet(40), url))
        origin.must(baseline(12))
        return origin

    return make


def doctor(origin: Origin, *words: str, url: str = "") -> tuple[int, dict[str, list[Any]]]:
    """Run it; give the exit code and the findings by check."""
    place = ("--repo", url or origin.clone.url, "--state-dir", str(origin.folder / "state"))
    code, out, err = tidegate("doctor", *place, *QUICK, "--json", *words)
    assert out, err
    found: dict[str, list[Any]] = {}
    for one in json.loads(out)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return code, found


def states(found: Mapping[str, list[Any]], check: str) -> list[str]:
    return [one["state"] for one in found[check]]


def refs(origin: Origin) -> bytes:
    return origin.git.run("for-each-ref")


# ------------------------------------------------------------------ the remote


def test_a_good_remote_is_well_and_nothing_is_written(start: Callable[[str], Origin]) -> None:
    origin = start("http://127.0.0.1:9")
    before = refs(origin)
    _, found = doctor(origin)
    for check in ("git.fetch", "git.branch", "git.push", "git.history", "git.clock"):
        assert states(found, check) == ["ok"], check
    assert states(found, "git.protection") == ["not checked"]
    assert refs(origin) == before


def test_a_dead_prometheus_is_named_once_and_hides_nothing(
    start: Callable[[str], Origin],
) -> None:
    code, found = doctor(start("http://127.0.0.1:9"))
    assert code == 1
    (one,) = found["metrics.answers"]
    assert (one["state"], "no connection" in one["message"]) == ("error", True)
    assert states(found, "metrics.rules") == ["not checked"]
    assert states(found, "git.push") == ["ok"]
    assert states(found, "installation.python") == ["ok"]


def test_an_origin_that_is_not_allowed_is_not_asked(start: Callable[[str], Origin]) -> None:
    _, found = doctor(start("https://prometheus.example.com"))
    (one,) = found["metrics.answers"]
    assert one["state"] == "error"
    assert "not allowed: https://prometheus.example.com:443" in one["message"]
    assert "--allow-origin https://prometheus.example.com:443" in one["fix"]


def test_a_remote_that_is_not_there_is_an_error(start: Callable[[str], Origin]) -> None:
    origin = start("http://127.0.0.1:9")
    code, found = doctor(origin, url=f"file://{origin.folder}/gone.git")
    assert (code, states(found, "git.remote")) == (1, ["error"])
    assert set(states(found, "git.fetch")) <= {"error", "not checked"}
    assert states(found, "installation.python") == ["ok"]


def test_another_default_branch_is_an_error(start: Callable[[str], Origin]) -> None:
    origin = start("http://127.0.0.1:9")
    origin.git.run("branch", "trunk", "main")
    origin.git.run("symbolic-ref", "HEAD", "refs/heads/trunk")
    code, found = doctor(origin)
    assert (code, states(found, "git.branch")) == (1, ["error"])
    assert "make main the default branch" in found["git.branch"][0]["fix"]


def test_a_shallow_remote_is_an_error(start: Callable[[str], Origin], tmp_path: Path) -> None:
    origin = start("http://127.0.0.1:9")
    shallow = tmp_path / "shallow.git"
    words = ("clone", "--quiet", "--bare", "--depth=1", origin.clone.url, str(shallow))
    git(tmp_path, *words)
    _, found = doctor(origin, url=f"file://{shallow}")
    assert states(found, "git.history") == ["error"]


class Smart(BaseHTTPRequestHandler):
    """Git's own server over HTTP: without a user it lets everybody read and nobody push."""

    folder = Path()

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=told, capture_output=True)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 (the name that http.server looks for)


def test_credentials_that_may_only_read_are_an_error(
    start: Callable[[str], Origin], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http")
    origin = start("http://127.0.0.1:9")
    handler = type("Here", (Smart,), {"folder": origin.folder})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/origin.git"
        code, found = doctor(origin, url=url)
        server.shutdown()
    assert (code, states(found, "git.fetch")) == (1, ["ok"])
    (one,) = found["git.push"]
    assert (one["state"], "403" in one["message"]) == ("error", True)
    assert states(found, "git.remote") == ["ok", "warning"]


def test_a_tree_with_errors_is_counted(start: Callable[[str], Origin]) -> None:
    origin = start("http://127.0.0.1:9")
    pointer = f"{layout.pointer(EDGE, 'plant-0001', MODEL)}/kustomization.yaml"
    origin.put(pointer, b"resources: []\n")
    _, found = doctor(origin)
    assert states(found, "git.tree") == ["error"]


def test_the_checkout_names_its_remote(start: Callable[[str], Origin], tmp_path: Path) -> None:
    origin = start("http://127.0.0.1:9")
    git(tmp_path, "clone", "--quiet", origin.clone.url, "work")
    words = ("-C", str(tmp_path / "work"), "--state-dir", str(tmp_path / "state"))
    _, out, _ = tidegate("doctor", *words, *QUICK, "--json")
    assert json.loads(out)["findings"][0]["where"] == origin.clone.url
    code, _, err = tidegate("doctor", "-C", str(tmp_path), *QUICK)
    assert (code, "no remote to look at" in err) == (1, True)


def test_a_person_reads_what_is_wrong_last(start: Callable[[str], Origin]) -> None:
    origin = start("http://127.0.0.1:9")
    place = ("--repo", origin.clone.url, "--state-dir", str(origin.folder / "state"))
    code, out, _ = tidegate("doctor", *place, *QUICK)
    *lines, summary = out.splitlines()
    assert code == 1
    assert "ok  " not in out
    assert lines[-1].startswith("            -> ")
    assert lines[-2].startswith("error       metrics.")
    assert summary.endswith("mend metrics.answers")


# ------------------------------------------------------------------ a metrics API with faults


class Odd:
    """Answers every request with the same words, or not at all."""

    def __init__(self, status: int, body: bytes, wait_s: float = 0.0) -> None:
        self.ended = threading.Event()
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                odd.ended.wait(wait_s)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def odd() -> Iterator[Callable[..., str]]:
    made: list[Odd] = []

    def make(*words: Any) -> str:
        made.append(Odd(*words))
        return made[-1].url

    yield make
    for one in made:
        one.stop()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}'),
        (200, b'{"status": "success", "data": [1]}'),
        (200, b'{"status": "success"}'),
        (403, b"no"),
        (503, b"busy"),
    ],
)
def test_an_odd_answer_is_a_finding_and_no_bug(
    start: Callable[[str], Origin], odd: Callable[..., str], status: int, body: bytes
) -> None:
    code, found = doctor(start(odd(status, body)))
    assert (code, states(found, "metrics.answers")) == (1, ["error"])
    assert not [one for listed in found.values() for one in listed if "broke" in one["message"]]


def test_a_server_that_hangs_costs_no_more_than_was_said(
    start: Callable[[str], Origin], odd: Callable[..., str]
) -> None:
    origin = start(odd(200, b"", 60.0))
    started = time.monotonic()
    code, found = doctor(origin, "--seconds", "4")
    assert time.monotonic() - started < 15
    assert code == 1
    assert "did not end within 4 s" in found["metrics.answers"][0]["message"]
    assert states(found, "installation.python") == ["ok"]


# ------------------------------------------------------------------ the real one

LABELS = f'environment="{EDGE}",model="{MODEL}"'


def page(release: str, sites: int, more: str = "") -> str:
    """Write what the model servers of some sites export, all on one page."""
    lines = []
    for k in range(1, sites + 1):
        own = f'{LABELS},site="plant-{k:04d}",release="{release}"{more}'
        lines.append(f"model_release_info{{{own}}} 1")
        lines.append(f"model_process_start_time_seconds{{{own}}} 1.7e9")
        lines += [f'model_predictions_total{{{own},outcome="{one}"}} 0' for one in ("ok", "error")]
        for name, edges in (
            ("model_prediction_latency_seconds", ("0.1", "0.25", "+Inf")),
            ("model_prediction_confidence", ("0.6", "1", "+Inf")),
        ):
            lines += [f'{name}_bucket{{{own},le="{edge}"}} 0' for edge in edges]
            lines += [f"{name}_count{{{own}}} 0", f"{name}_sum{{{own}}} 0"]
    return "\n".join([*lines, ""])


@pytest.fixture
def real(
    engine: Callable[[str], str], odd: Callable[..., str], tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Start a real Prometheus that scrapes one page; give its address once it has the page."""
    running: list[subprocess.Popen[bytes]] = []

    def make(text: str, series: int, *flags: str) -> str:
        target = odd(200, text.encode()).removeprefix("http://")
        folder = tmp_path / "prometheus"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: models\n"
            f'  honor_labels: true\n  static_configs: [{{targets: ["{target}"]}}]\n'
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        own = [f"--web.listen-address=127.0.0.1:{port}", "--config.file=prometheus.yml"]
        words = [*own, "--storage.tsdb.path=data", *flags]
        process = subprocess.Popen(
            [engine("prometheus"), *words],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        _wait(f"http://127.0.0.1:{port}", series)
        return f"http://127.0.0.1:{port}"

    yield make
    for process in running:
        process.terminate()
        process.wait(10)


def _wait(url: str, series: int) -> None:
    ends = time.monotonic() + 60
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < ends:
            try:
                query = {"query": "count(model_release_info)"}
                result = client.get(f"{url}/api/v1/query", params=query).json()["data"]["result"]
                if result and int(result[0]["value"][1]) == series:
                    return
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            time.sleep(0.1)
    raise AssertionError("Prometheus has not scraped the page")


GOOD = ("--storage.tsdb.retention.time=31d", "--web.enable-remote-write-receiver")


def test_a_real_prometheus_is_well_but_for_what_it_lacks(
    start: Callable[[str], Origin], real: Callable[..., str]
) -> None:
    origin = start("http://127.0.0.1:9")
    stable = origin.view.rollout().stable
    url = real(page(stable, 40), 40, *GOOD)
    origin.edit(ENVIRONMENT, "http://127.0.0.1:9", url)
    _, found = doctor(origin)
    well = ("answers", "clock", "environment", "sites", "release", "twice", "contract")
    for check in (*well, "lookback", "retention"):
        assert states(found, f"metrics.{check}") == ["ok"], found[f"metrics.{check}"]
    told = found["metrics.version"][0]
    number = tuple(int(part) for part in told["message"].split()[1].rstrip(":").split(".")[:2])
    assert told["message"].startswith("Prometheus ")
    assert told["state"] == ("warning" if number < (2, 49) else "ok"), told
    assert states(found, "metrics.late") == ["warning"]
    assert states(found, "metrics.rules") == ["warning"]
    assert not [
        one
        for listed in found.values()
        for one in listed
        if one["state"] == "error" and one["check"].startswith("metrics") and one["where"] == url
    ]


def test_planted_trouble_in_a_real_prometheus_is_found(
    start: Callable[[str], Origin], real: Callable[..., str]
) -> None:
    origin = start("http://127.0.0.1:9")
    twice = page("v1-00000000", 3, ',replica="a"') + page("v1-00000000", 3, ',replica="b"')
    strange = f'model_release_info{{{LABELS},site="plant-9999",release="v1-00000000"}} 1\n'
    bare = 'model_release_info{site="plant-0001"} 1\n'
    url = real(twice + strange + bare, 8, "--query.lookback-delta=10s")
    origin.edit(ENVIRONMENT, "http://127.0.0.1:9", url)
    code, found = doctor(origin)
    assert code == 1
    for check in ("environment", "release", "twice", "contract", "lookback"):
        assert "error" in states(found, f"metrics.{check}"), check
    assert sorted(states(found, "metrics.sites")) == ["error", "warning"]
    assert states(found, "metrics.receiver") == ["warning"]
    assert "plant-9999" in str(found["metrics.sites"])
    assert "replica" in found["metrics.twice"][0]["message"]


def test_the_cloud_without_metrics_is_a_warning_only(start: Callable[[str], Origin]) -> None:
    _, found = doctor(start("http://127.0.0.1:9"))
    assert [(one["where"], one["state"]) for one in found["metrics.named"]] == [(CLOUD, "warning")]
