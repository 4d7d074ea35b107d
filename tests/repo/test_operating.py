"""The reconciler as a process: signals at any moment, probes, metrics, and a log for machines."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.errors import RemoteError
from reconciler.__main__ import main
from reconciler.guard import Guard, Stopped
from reconciler.journal import entry
from tests.builders import EDGE, MODEL, Origin, baseline, fleet, promote
from tests.metrics import HOUR, MINUTE, Plants, Scene

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = layout.environment(EDGE)
GRACE_S = 30  # what Kubernetes gives
QUICK_S = 10  # and what it takes, on a busy machine
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 on 5 of 100 sites since ten minutes, by the real clock."""
    now = datetime.now(UTC)
    scene = Scene(Origin.start(tmp_path_factory.mktemp("promoted"), fleet(100)), Plants())
    scene.do(baseline(12), now - 26 * HOUR)
    scene.do(promote(13), now - 10 * MINUTE)
    scene.origin.packed()
    return scene


@pytest.fixture
def scene(promoted: Scene, tmp_path: Path) -> Scene:
    return promoted.copy(tmp_path / "copy")


@pytest.fixture
def blackhole() -> Iterator[tuple[str, Callable[[], bool]]]:
    """A Prometheus that takes connections and never answers; and whether somebody asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        kept: list[socket.socket] = []

        def asked() -> bool:
            with contextlib.suppress(TimeoutError):
                kept.append(server.accept()[0])
            return bool(kept)

        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        for one in kept:
            one.close()


def names(scene: Scene, prometheus: str) -> Scene:
    scene.edit('prometheus: "" ', f'prometheus: "{prometheus}" ', datetime.now(UTC), path=SETTINGS)
    return scene


@dataclass
class Run:
    """One reconciler process, with its output in files."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def lines(self) -> list[dict[str, Any]]:
        """Read the log so far; every whole line is JSON."""
        text = (self.folder / "out").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def said(self, word: str) -> str:
        """Give the first text that holds a word, or ""."""
        return next((one["text"] for one in self.lines() if word in one.get("text", "")), "")

    def about(self, environment: str) -> list[dict[str, Any]]:
        """Give the lines about one environment."""
        return [one for one in self.lines() if one.get("environment") == environment]

    def stop(self) -> float:
        """Send SIGTERM and give the seconds until the process is gone."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(GRACE_S)
        return time.monotonic() - began

    @property
    def errors(self) -> str:
        """Give what was written to the other output."""
        return (self.folder / "err").read_text()


@pytest.fixture
def start(scene: Scene, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(*words: str, **settings: str) -> Run:
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        known = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TIDEGATE_REPO": f"file://{scene.origin.folder}/origin.git",
            "TIDEGATE_STATE_DIR": str(folder / "state"),
        }
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", *words],
                stdout=out,
                stderr=err,
                env={**known, **settings},
                cwd=folder,
            )
        runs.append(Run(process, folder))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def until(is_so: Callable[[], object], longest_s: float = 60) -> None:
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {longest_s} s")


def ask(address: str, path: str) -> tuple[int, str]:
    link = http.client.HTTPConnection(address, timeout=10)
    with contextlib.closing(link):
        link.request("GET", path)
        reply = link.getresponse()
        return reply.status, reply.read().decode()


# ------------------------------------------------------------------ signals


def test_a_prometheus_that_never_answers_does_not_keep_it(
    scene: Scene, start: Callable[..., Run], blackhole: tuple[str, Callable[[], bool]]
) -> None:
    url, asked = blackhole
    head = names(scene, url).head()
    run = start()
    until(asked)
    assert run.stop() < QUICK_S
    assert (run.process.returncode, run.errors) == (0, "")
    assert run.lines()[-1]["text"] == "stopped by a signal"
    assert not run.about(EDGE)
    assert scene.origin.git.run("rev-parse", "main").decode().strip() == head


def test_a_git_that_never_answers_does_not_keep_it_and_does_not_stay(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "git"
    script.write_text(f"#!/bin/sh\necho $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600\n")
    script.chmod(0o755)
    run = start(PATH=f"{script.parent}:{os.environ['PATH']}")
    until(mark.exists)
    assert run.stop() < QUICK_S
    assert run.process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pause_between_two_passes_ends_at_once(
    scene: Scene, start: Callable[..., Run], number: int
) -> None:
    names(scene, NOBODY)
    run = start()
    until(lambda: run.said("holds [metrics]"))
    run.process.send_signal(number)
    assert run.process.wait(QUICK_S) == 0
    assert run.lines()[-1]["text"] == "stopped by a signal"


def bumped(scene: Scene) -> None:
    """A person's edit that the next pass expands, whatever Prometheus says."""
    names(scene, NOBODY)
    scene.edit("percent: 5 ", "percent: 10 ", datetime.now(UTC) - timedelta(minutes=5))


def hook(scene: Scene, name: str, script: str) -> None:
    place = scene.origin.git.folder / "hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


@pytest.mark.parametrize("when", ["pre-receive", "post-receive"])
def test_a_landing_that_has_begun_is_finished_and_logged(
    scene: Scene, start: Callable[..., Run], tmp_path: Path, when: str
) -> None:
    bumped(scene)
    mark = tmp_path / "begun"
    hook(scene, when, f"touch {mark}; sleep 2")
    run = start()
    until(mark.exists)
    assert run.stop() < QUICK_S
    head = scene.origin.git.run("rev-parse", "main").decode().strip()
    landed, last = run.lines()[-2:]
    assert (landed["commit"], last["text"]) == (head, "stopped by a signal")
    assert run.process.returncode == 0
    scene.follow(datetime.now(UTC))
    assert len([one for one in scene.runs().values() if one.startswith("v13")]) == 10


def test_a_guard_lets_a_signal_through_once_and_never_while_it_holds() -> None:
    class Remote:
        def repository(self) -> Any:
            raise RemoteError("Git", "x")

        def land(self, change: Any, now: Any) -> Any:
            guard.stop()
            guard.stop()
            return change

    guard = Guard(Remote())
    assert guard.land("outcome", None) == "outcome"  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        guard.repository()
    guard = Guard(Remote())
    with pytest.raises(Stopped):
        guard.stop()
    guard.stop()  # the first one is on its way up


def test_a_signal_waits_for_a_process_to_be_started() -> None:
    """Who is started while a signal comes would be known to nobody, and go on."""
    guard = Guard(None)  # type: ignore[arg-type]
    started: list[Any] = []

    class Caught(subprocess.Popen):  # type: ignore[type-arg]
        def _execute_child(self, *words: Any, **more: Any) -> None:
            guard.caught(signal.SIGTERM, sys._getframe())
            super()._execute_child(*words, **more)
            started.append(self)

    before = signal.signal(signal.SIGALRM, guard.caught)
    try:
        with pytest.raises(Stopped):
            Caught(["sleep", "60"]).wait(30)
        assert [one.poll() for one in started] == [None]
    finally:
        signal.signal(signal.SIGALRM, before)
        for one in started:
            one.kill()
            one.wait()


# ------------------------------------------------------------------ probes and metrics


def test_a_process_tells_what_it_did(scene: Scene, start: Callable[..., Run]) -> None:
    bumped(scene)
    run = start(TIDEGATE_LISTEN="0", TIDEGATE_EVERY_SECONDS="1")
    until(lambda: run.said("listens on 127.0.0.1:"))
    address = run.said("listens on").removeprefix("listens on ")
    assert ask(address, "/healthz") == (200, "ok\n")
    until(lambda: ask(address, "/readyz")[0] == 200)
    until(lambda: 'cause="metrics"} 2\n' in ask(address, "/metrics")[1])
    text = ask(address, "/metrics")[1]
    line = f'environment="{EDGE}",model="{MODEL}"'
    assert f'tidegate_commits_total{{{line},kind="expand"}} 1\n' in text
    assert f"tidegate_rollout_percent{{{line}}} 10\n" in text
    assert text.count("\ntidegate_site_desired_info{") == 100
    assert text.count('release="v13-') == 10 + 0
    away = scene.origin.folder / "away.git"
    scene.origin.git.folder.rename(away)
    until(lambda: ask(address, "/readyz")[0] == 503)
    assert ask(address, "/readyz")[1].startswith("the last 3 passes failed: remote; ")
    assert ask(address, "/healthz")[0] == 200
    away.rename(scene.origin.git.folder)
    until(lambda: ask(address, "/readyz")[0] == 200)
    assert run.stop() < QUICK_S
    with pytest.raises(OSError):  # noqa: PT011 (refused, or reset)
        ask(address, "/healthz")


# ------------------------------------------------------------------ the log, and one pass


def test_every_line_of_the_log_is_an_object_that_names_what_it_is_about(
    scene: Scene, start: Callable[..., Run], tmp_path: Path
) -> None:
    bumped(scene)
    token = tmp_path / "token"
    token.write_text("very-secret-token\n")
    settings = {"TIDEGATE_TOKEN_FILES": f"{NOBODY}={token}"}
    run = start("--once", **settings)
    assert run.process.wait(60) == 0
    (first,) = run.about(EDGE)
    assert datetime.fromisoformat(first.pop("at")).tzinfo is not None
    assert first == {
        "level": "info",
        "environment": EDGE,
        "model": MODEL,
        "text": first["text"],
        "commit": scene.origin.git.run("rev-parse", "main").decode().strip(),
        "decision": "Hold",
        "code": "metrics",
    }
    assert "5% -> 10%" in first["text"]
    again = start("--once", **settings)
    assert again.process.wait(60) == 0
    assert again.about(EDGE)[0]["text"].startswith(f"{EDGE}/{MODEL}: holds [metrics]: ")
    told = (run.folder / "out").read_text() + (again.folder / "out").read_text()
    assert "very-secret-token" not in told + run.errors + again.errors


def test_one_pass_that_went_wrong_says_so_to_the_job(
    scene: Scene, start: Callable[..., Run]
) -> None:
    scene.edit("percent: 5 ", "percent: 5% ", datetime.now(UTC))
    run = start("--once", "--listen", "0")
    assert run.process.wait(60) == 1
    assert [one["level"] for one in run.about(EDGE)] == ["error"]
    scene.origin.git.folder.rename(scene.origin.folder / "away.git")
    run = start("--once")
    assert run.process.wait(60) == 1
    assert "trouble" in run.lines()[0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"TIDEGATE_REPO": ""}, "no repository is named; --repo URL or TIDEGATE_REPO"),
        ({"TIDEGATE_LISTEN": "nowhere"}, "'nowhere' is not an address to listen on"),
        ({"TIDEGATE_LISTEN": "192.0.2.1:80"}, "cannot listen on 192.0.2.1:80: "),
        ({"TIDEGATE_EVERY_SECONDS": "-1"}, "write whole seconds"),
        ({"TIDEGATE_TOKEN_FILES": "http://x:1"}, "write ORIGIN=FILE"),
        ({"TIDEGATE_TOKEN_FILES": "http://x:1=/nowhere"}, "/nowhere: the token cannot be read"),
        ({"TIDEGATE_ALLOW_ORIGINS": "prometheus"}, "is not an http or https URL"),
    ],
)
def test_a_wrong_setting_is_one_line(
    settings: dict[str, str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = {"TIDEGATE_REPO": f"file://{tmp_path}/x.git", "TIDEGATE_STATE_DIR": str(tmp_path)}
    for name, value in {**usual, **settings}.items():
        monkeypatch.setenv(name, value)
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert told in err
    assert (out, err.count("\n")) == ("", 1)


NOW = datetime(2026, 11, 20, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://bot:secret@git.example/x.git is away", "https://git.example/x.git is away"),
        ("GET http://token@host/p", "GET http://host/p"),
        ("Authorization: Bearer abcdefghijklmnop.qr", "Authorization: Bearer ***"),
        ("authorization: basic Ym90OnNlY3JldC1wYXNzd29yZA==", "authorization: basic ***"),
        ("the known one is s3cr3t-of-ours!", "the known one is ***!"),
        ("evidence/x/0002-advance.json@sha256:00", "evidence/x/0002-advance.json@sha256:00"),
        ("the bearer of news", "the bearer of news"),
    ],
)
def test_no_credential_reaches_the_log(text: str, kept: str) -> None:
    line = entry(NOW, "error", {"text": text, "trace": f"a\nb {text}"}, ("", "s3cr3t-of-ours"))
    assert json.loads(line) == {
        "at": "2026-11-20T08:05:00+00:00",
        "level": "error",
        "text": kept,
        "trace": f"a\nb {kept}",
    }
    assert "\n" not in line
