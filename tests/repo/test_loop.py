"""The loop around the tick: races, refusals, kills, and what the command line says of them."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet, Outcome
from generator.errors import InputError, RemoteError
from generator.expand import differences
from generator.model.rollout import Phase
from generator.model.site import Site
from generator.repository import Repository
from reconciler import loop
from reconciler.outlook import Memory
from reconciler.policy import Advance, Escalate, Hold, Revert
from reconciler.tick import Pass
from reconciler.wiring import BareRemote, Origins, origin_of
from tests.builders import (
    EDGE,
    MODEL,
    NOW,
    Origin,
    baseline,
    fleet,
    percent,
    promote,
    replaced,
    revert,
)
from tests.metrics import HOUR, MINUTE, ROLLOUT, Plants, Scene, Through, quick
from tidegate.cli import run
from tidegate.commands.reconcile import _code
from tidegate.demo.api import Api
from tidegate.demo.fleet import Behaviour, Fleet

START = NOW + 26 * HOUR
SEEN = START + 10 * MINUTE
READY = SEEN + HOUR
STEP = SEEN + 90 * MINUTE
SETTINGS = layout.environment(EDGE)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene.promoted(tmp_path_factory.mktemp("promoted"), START, SEEN)


@pytest.fixture
def scene(promoted: Scene, tmp_path: Path) -> Scene:
    return promoted.copy(tmp_path / "copy")


def once(
    scene: Scene, now: datetime, remote: loop.Remote | None = None, sleep: loop.Sleep | None = None
) -> loop.Done:
    done = loop.once(
        remote or scene.remote,
        lambda _: scene.plants.query,
        now,
        Memory(),
        sleep or (lambda _: None),
    )
    return next(one for one in done if one.passed.environment == EDGE)


# ------------------------------------------------------------------ a race


def test_who_loses_the_race_decides_anew_from_the_start(scene: Scene) -> None:
    """A person bumps to 25 % while the reconciler is about to push 10 %."""
    slept: list[float] = []
    heads: list[str] = []

    def meanwhile() -> None:
        if not heads:
            heads.append(scene.do(percent("25"), READY))

    done = once(scene, READY, Through(scene.remote, meanwhile), slept.append)
    assert done.commit
    assert "the time at 25% counts from now" in done.say()
    log = scene.origin.git.run("log", "--format=%H %s", "-3", "main").decode()
    assert [line.partition(" ")[0] for line in log.splitlines()[:2]] == [done.commit, heads[0]]
    assert "10%" not in log
    assert len(slept) == 1
    assert 0 <= slept[0] <= loop.LONGEST_JITTER_S


def test_who_always_loses_says_so(scene: Scene) -> None:
    texts = iter(range(100))

    def meanwhile() -> None:
        scene.put("README.md", b"%d" % next(texts), READY)

    done = once(scene, READY, Through(scene.remote, meanwhile))
    assert (done.commit, done.lost) == ("", True)
    assert done.trouble == "somebody else was faster every time"
    assert next(texts) == loop.TRIES
    assert len(scene.canary()) == 5


def hook(scene: Scene, name: str, script: str) -> None:
    place = scene.origin.git.folder / "hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def test_a_refused_push_is_reported_and_leaves_nothing(scene: Scene) -> None:
    hook(scene, "pre-receive", 'echo "GH006: Protected branch update failed" >&2; exit 1')
    head = scene.head()
    done = once(scene, READY)
    assert done.commit == ""
    assert done.trouble.startswith("decided, but the push was refused: ")
    assert "GH006: Protected branch update failed" in done.trouble
    assert isinstance(done.passed.decision, Advance)
    scene.follow(READY)
    assert scene.head() == head


def test_a_push_that_landed_without_an_answer_is_done(scene: Scene) -> None:
    """The connection breaks after the branch has moved."""
    hook(scene, "post-receive", "kill -9 $PPID")
    done = once(scene, READY)
    scene.follow(READY)
    assert done.commit == scene.head()
    assert len(scene.canary()) == 10


def test_a_push_that_broke_before_it_landed_is_not_done(scene: Scene) -> None:
    hook(scene, "pre-receive", "kill -9 $PPID")
    head = scene.head()
    assert once(scene, READY).commit == ""
    scene.follow(READY)
    assert scene.head() == head
    (scene.origin.git.folder / "hooks" / "pre-receive").unlink()
    assert once(scene, READY).commit


# ------------------------------------------------------------------ no remote


def test_a_remote_that_is_down_is_a_remote_error_and_nothing_else(scene: Scene) -> None:
    away = scene.origin.folder / "away.git"
    scene.origin.git.folder.rename(away)
    with pytest.raises(RemoteError, match="Git at file://"):
        once(scene, READY)
    away.rename(scene.origin.git.folder)
    assert once(scene, READY).commit


def test_a_remote_that_goes_down_before_the_push_is_one_too(scene: Scene) -> None:
    away = scene.origin.folder / "away.git"

    def meanwhile() -> None:
        scene.origin.git.folder.rename(away)

    with pytest.raises(RemoteError):
        once(scene, READY, Through(scene.remote, meanwhile))
    away.rename(scene.origin.git.folder)
    scene.follow(READY)
    assert len(scene.canary()) == 5
    assert once(scene, READY).commit


def test_what_is_no_fleet_repository_is_said(tmp_path: Path) -> None:
    origin = Origin.start(tmp_path, {"README.md": b"something else\n"})
    remote = BareRemote(origin.clone)
    assert loop.once(remote, lambda _: Plants().query, NOW, Memory()) == ()


def test_a_branch_that_is_gone_is_said(scene: Scene) -> None:
    scene.origin.git.run("update-ref", "-d", "refs/heads/main")
    with pytest.raises(InputError, match="the remote has no branch 'main'"):
        once(scene, READY)


# ------------------------------------------------------------------ the endless loop


@dataclass
class Broken:
    """A remote that fails in its own way each time, then stops the loop."""

    errors: list[Exception]
    stop: Callable[[], None]
    seen: list[str] = field(default_factory=list)

    def repository(self) -> Repository:
        """Fail."""
        error = self.errors.pop(0)
        if not self.errors:
            self.stop()
        raise error

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Never get here."""
        raise AssertionError("nothing to land")


class Loop(loop.Loop):
    """A loop that may run beside the main thread, where no signal can be caught."""

    def run(self) -> None:
        """Make the passes without their pauses."""
        while not self.stopped.is_set():
            for entry in self._pass(datetime.now(UTC)):
                self.log(entry)


def test_the_loop_outlives_trouble_and_logs_it_as_json() -> None:
    log: list[str] = []
    stopped = threading.Event()
    errors = [RemoteError("Git", "no route to host"), InputError("the remote has no branch 'main'")]
    remote = Broken(list(errors), stopped.set)
    mine = Loop(remote, lambda _: Plants().query, 1.0, log.append, stopped=stopped)
    mine.run()
    entries = [json.loads(one) for one in log]
    assert [one["trouble"] for one in entries] == ["Git: no route to host", str(errors[1])]
    assert {one["level"] for one in entries} == {"error"}


def test_the_log_names_commits_and_bugs(scene: Scene) -> None:
    log: list[str] = []
    mine = Loop(scene.remote, lambda _: scene.plants.query, 1.0, log.append)
    for entry in mine._pass(READY):
        log.append(entry)
    landed = [json.loads(one) for one in log if '"commit"' in one]
    assert [one["commit"] for one in landed] == [scene.origin.clone.fetch().commit]
    assert "5% -> 10%" in landed[0]["text"]
    log.clear()

    def broken(*_: object) -> object:
        raise ZeroDivisionError("not foreseen")

    mine = Loop(scene.remote, lambda _: broken, 1.0, log.append)  # type: ignore[arg-type,return-value]
    found = [json.loads(entry) for entry in mine._pass(READY + HOUR)]
    bugs = [one for one in found if "trace" in one]
    assert len(bugs) == 1
    assert bugs[0]["level"] == "error"
    assert "ZeroDivisionError: not foreseen" in bugs[0]["trace"]


def test_decisions_in_words() -> None:
    until = datetime(2026, 11, 20, 12, tzinfo=UTC)
    table = {
        None: "nothing climbs",
        Hold("soak", "1 h to go", until): "holds [soak]: 1 h to go (until 2026-11-20 12:00Z)",
        Hold("paused", "a person paused it", None, "tidegate resume m"): (
            "holds [paused]: a person paused it; tidegate resume m"
        ),
        Advance(None, "x1.5 is ruled out"): "completes: x1.5 is ruled out",
        Revert("breach", "worse"): "reverts [breach]: worse",
        Escalate(
            "80 h at 5%", "tidegate revert m"
        ): "needs a person: 80 h at 5%; tidegate revert m",
    }
    for decision, text in table.items():
        assert loop.say_decision(decision) == text
        assert loop.Done(Pass(EDGE, MODEL, None, decision)).say() == f"{EDGE}/{MODEL}: {text}"


def test_a_trouble_and_a_wait_are_both_told_and_neither_twice() -> None:
    def said(why: str, own: str = "", trouble: str = "no Prometheus") -> str:
        done = Pass(EDGE, MODEL, None, Hold("weights", why, None, "tidegate x"), None, own)
        return loop.Done(done, trouble=trouble).say().removeprefix(f"{EDGE}/{MODEL}: ")

    assert said("a is away") == "no Prometheus; holds [weights]: a is away; tidegate x"
    assert said("metrics: no Prometheus") == "no Prometheus"
    assert said("by hand", "by hand: mend", "by hand: mend") == "by hand: mend"


# ------------------------------------------------------------------ where metrics may come from


ORIGINS = {
    "http://prometheus.example": "http://prometheus.example:80",
    "https://prometheus.example/prefix": "https://prometheus.example:443",
    "http://127.0.0.1:9090/x?y": "http://127.0.0.1:9090",
}


@pytest.mark.parametrize("url", ORIGINS)
def test_the_origin_of_a_url(url: str) -> None:
    assert origin_of(url) == ORIGINS[url]


@pytest.mark.parametrize("url", ["prometheus", "ftp://x", "file:///x", "http://x:99999", ""])
def test_what_has_no_origin(url: str) -> None:
    with pytest.raises(InputError, match="is not an http or https URL"):
        origin_of(url)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://prometheus.example", True),
        ("http://127.0.0.1:9090", False),
        ("http://127.0.0.1.example:9090", True),
        ("http://allowed.example:81", True),
        ("https://allowed.example:80", True),
        ("http://allowed.example@evil.example", True),
    ],
)
def test_what_is_not_on_the_list_is_refused(url: str, loopback: bool) -> None:
    origins = Origins({"http://allowed.example:80": "t0ken"}, loopback)
    with pytest.raises(InputError, match=re.escape(f"--allow-origin {origin_of(url)} ")):
        origins.connect(url)


@pytest.mark.parametrize(
    "url", ["http://allowed.example", "http://localhost:1", "http://127.0.0.1", "http://[::1]:9"]
)
def test_what_is_on_the_list_is_opened_once(url: str) -> None:
    origins = Origins({"http://allowed.example:80": ""}, loopback=True)
    assert origins.connect(url) is origins.connect(url)


def test_no_address_is_said() -> None:
    with pytest.raises(InputError, match=r"no Prometheus is named; prometheus: in environment"):
        Origins({}, loopback=True).connect("")


# ------------------------------------------------------------------ the command


@dataclass
class Place:
    """The demo's fleet stand-in behind HTTP, and a repository that names it."""

    folder: Path
    scene: Scene
    fleet: Fleet
    api: Api

    @property
    def url(self) -> str:
        """Give the remote."""
        return f"file://{self.scene.origin.folder}/origin.git"

    def copy(self, folder: Path) -> "Place":
        """Go on from here with another repository and no clone of it."""
        return Place(folder, self.scene.copy(folder / "copy"), self.fleet, self.api)

    def words(self, at: datetime, *more: str) -> list[str]:
        """Write the command line of one pass."""
        words = ["reconcile", "--repo", self.url, "--once", "--now", at.isoformat()]
        return [*words, "--state-dir", str(self.folder / "state"), *more]

    def live(self, until: datetime) -> None:
        """Let the sites take up what Git says, and work."""
        self.scene.follow(until)
        self.fleet.apply(max(self.fleet.now, self.fleet.now), self.scene.runs())
        self.fleet.advance(until)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """v13 on 5 of 100 sites since an hour; nothing was seen of it yet."""
    folder = tmp_path_factory.mktemp("place")
    sites = [Site(f"plant-{n:04d}", f"k3s-{n}", "eu", "cpu") for n in range(1, 101)]
    plants = Fleet(
        sites,
        model=MODEL,
        seed=4,
        start=NOW,
        behaviours=Behaviours(),
        interval=10 * MINUTE,
        per_5_minutes=200.0,
        flaky=0.0,
    )
    with Api(plants) as api:
        files = replaced(quick(fleet(100)), SETTINGS, 'prometheus: "" ', f"prometheus: {api.url} ")
        # Five sites of a fleet with chance in it cannot rule out 1.5 times in an hour.
        path = layout.model(MODEL)
        files |= {path: re.sub(rb"margin: 1\.[0-9]", b"margin: 3.0", files[path])}
        scene = Scene(Origin.start(folder, files), Plants())
        place = Place(folder, scene, plants, api)
        scene.do(baseline(12), NOW)
        place.live(START)
        scene.do(promote(13), START)
        place.live(START + 4 * HOUR)
        scene.origin.packed()
        yield place


class Behaviours(dict[str, Behaviour]):
    """v14 is bad; every other release is good."""

    def get(self, release: str, default: Behaviour | None = None) -> Behaviour:  # type: ignore[override]
        """Look a release up by its number."""
        return Behaviour(errors=4.0) if release.startswith("v14") else Behaviour()


@pytest.fixture(scope="module")
def frozen(made: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same, and the reconciler has seen it and frozen the history."""
    place = made.copy(tmp_path_factory.mktemp("frozen"))
    assert command(place.words(SEEN)) == 0
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    return made.copy(tmp_path)


@pytest.fixture
def seen(frozen: Place, tmp_path: Path) -> Place:
    return frozen.copy(tmp_path)


Out = pytest.CaptureFixture[str]


def command(words: list[str]) -> int:
    """Run one command line and give its exit code."""
    try:
        return run(words)
    except SystemExit as stop:
        return int(str(stop.code))


def test_the_command_freezes_waits_and_advances(place: Place, capsys: Out) -> None:
    assert command(place.words(SEEN)) == 0
    assert "froze the history of 100 sites" in capsys.readouterr().out
    assert command(place.words(SEEN + 30 * MINUTE)) == 0
    assert f"{EDGE}/{MODEL}: holds [soak]: " in capsys.readouterr().out
    assert command(place.words(SEEN + 30 * MINUTE, "--exit-code")) == 4
    assert command(place.words(STEP, "--exit-code")) == 0
    assert "5% -> 10% (5 -> 10 of 100 sites)" in capsys.readouterr().out
    place.scene.follow(STEP)
    assert len(place.scene.canary()) == 10


def test_the_answer_as_data(place: Place, capsys: Out) -> None:
    assert command(place.words(SEEN, "--json")) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["environment"], row["model"]) for row in rows] == [
        ("cloud-eks", MODEL),
        (EDGE, MODEL),
    ]
    cloud, edge = rows
    assert cloud["text"] == "nothing climbs"
    assert {cloud[key] for key in ("decision", "commit", "subject", "trouble")} == {None}
    place.scene.follow(SEEN)
    assert edge["commit"] == place.scene.head()
    assert edge["subject"] == f"{MODEL} {EDGE}: froze the history of 100 sites"


def test_without_news_nothing_changes(place: Place) -> None:
    done = place.scene.do(revert(), START)
    assert command(place.words(STEP)) == 0
    assert command(place.words(STEP, "--exit-code")) == 3
    place.scene.follow(STEP)
    assert place.scene.head() == done


def test_a_revert_has_its_own_code(place: Place, capsys: Out) -> None:
    """v13 at 5 % was good; v14 takes its place and is not."""
    scene = place.scene
    scene.do(revert(), START)
    scene.do(promote(14), START)
    bad = Fleet(
        place.fleet.sites,
        model=MODEL,
        seed=4,
        start=NOW,
        behaviours=Behaviours(),
        interval=10 * MINUTE,
        per_5_minutes=200.0,
        flaky=0.0,
    )
    stable = scene.rollout().stable
    bad.apply(NOW, dict.fromkeys(scene.runs(), stable))
    bad.advance(START)
    bad.apply(START, scene.runs())
    bad.advance(STEP)
    with Api(bad) as api:
        scene.edit(place.api.url, api.url, START, path=SETTINGS)
        assert command(place.words(SEEN)) == 0
        assert command(place.words(STEP, "--exit-code")) == 5
    assert re.search(
        r"revert v14, 5% -> 0% \(5 -> 0 of 100 sites\): errors [34]\.", capsys.readouterr().out
    )
    scene.follow(STEP)
    assert scene.rollout().phase is Phase.REVERTED


def test_a_person_who_is_asked_is_a_hold(place: Place) -> None:
    place.scene.edit("\nonDeadline: hold", "\nonDeadline: ask", START)
    place.scene.edit("deadline: 72h ", "deadline: 1h ", START)
    place.scene.edit("minSites: 5 ", "minSites: 90 ", START)
    assert command(place.words(SEEN)) == 0
    assert command(place.words(STEP + HOUR, "--exit-code")) == 4


def test_an_invalid_line_is_an_input_error(place: Place, capsys: Out) -> None:
    place.scene.edit("percent: 5 ", "percent: 5% ", START)
    assert command(place.words(SEEN, "--exit-code")) == 1
    assert f"{ROLLOUT}:" in capsys.readouterr().out


def test_metrics_from_anywhere_hold(place: Place, capsys: Out) -> None:
    """A merged line cannot bring metrics from where nobody allowed it, nor send a token there."""
    place.scene.edit(place.api.url, "http://metrics.example:9090", START, path=SETTINGS)
    head = place.scene.head()
    assert command(place.words(SEEN, "--exit-code")) == 1
    told = capsys.readouterr().out
    assert "Git names a metrics API that is not allowed: http://metrics.example:9090" in told
    assert "--allow-origin http://metrics.example:9090" in told
    place.scene.follow(SEEN)
    assert place.scene.head() == head


def test_metrics_that_are_down_hold(place: Place, capsys: Out) -> None:
    place.scene.edit(place.api.url, "http://127.0.0.1:9", START, path=SETTINGS)
    assert command(place.words(SEEN, "--exit-code")) == 4
    assert "holds [metrics]: the metrics cannot be read: Prometheus at " in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--repo", "https://git.example/fleet.git", "--once", "--now", "2026-11-20T08:05:00Z"],
        ["--repo", "ssh://git@git.example/fleet.git", "--once", "--now", "2026-11-20T08:05:00Z"],
        ["--repo", "git@git.example:fleet.git", "--once", "--now", "2026-11-20T08:05:00Z"],
    ],
)
def test_nobody_pretends_a_time_on_a_real_remote(words: list[str], capsys: Out) -> None:
    assert command(["reconcile", *words]) == 1
    assert "--now is only for local remotes (file://)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--now", "2026-11-20T08:05:00Z"], "--now goes with --once"),
        (["--once", "--now", "yesterday"], "'yesterday' is not a time such as"),
        (["--once", "--now", "2026-11-20T08:05:00"], "has no time zone"),
        (["--once", "--token-file", "http://x:1"], "write ORIGIN=FILE"),
        (["--once", "--token-file", "http://x:1=/nowhere/token"], "the token cannot be read"),
        (["--once", "--allow-origin", "prometheus"], "is not an http or https URL"),
    ],
)
def test_wrong_words_are_explained(place: Place, words: list[str], told: str, capsys: Out) -> None:
    assert command(["reconcile", "--repo", place.url, *words]) == 1
    assert told in capsys.readouterr().err


def test_a_remote_that_is_not_there_is_explained(tmp_path: Path, capsys: Out) -> None:
    words = ["reconcile", "--repo", f"file://{tmp_path}/none.git", "--once"]
    assert command([*words, "--state-dir", str(tmp_path / "state")]) == 1
    err = capsys.readouterr().err
    assert "does not appear to be a git repository; it is safe to try again" in err
    assert "Traceback" not in err


def test_a_bug_is_told_as_one(capsys: Out) -> None:
    broken = loop.Done(Pass(EDGE, MODEL), trouble="this is a bug", bug=ZeroDivisionError("x"))
    assert _code((broken,), told=False) == 70
    assert "ZeroDivisionError: x" in capsys.readouterr().err


# ------------------------------------------------------------------ kills


def start(place: Place, at: datetime) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tidegate.cli", *place.words(at)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def check(place: Place) -> None:
    """The remote is whole, every step stands there once, every commit is a valid one."""
    git = place.scene.origin.git
    git.run("fsck", "--strict", "--no-dangling")
    sequence = git.run("log", "--format=%(trailers:key=Rollout-Sequence,valueonly)", "main")
    numbers = [int(one) for one in sequence.split()]
    assert numbers == sorted(set(numbers), reverse=True)
    assert git.run("for-each-ref", "--format=%(refname)").decode().split() == ["refs/heads/main"]
    place.scene.follow(STEP)
    repository = Repository(place.scene.tree())
    assert differences(repository, EDGE, MODEL) == {}


def steps(place: Place) -> int:
    out = place.scene.origin.git.run("log", "--format=%s", "main").decode()
    return out.count("5% -> 10%")


def test_a_kill_at_any_moment_loses_and_repeats_nothing(seen: Place) -> None:
    """The whole life of a pass, from the first import to the last answer, is hit somewhere."""
    chance = random.Random(11)
    began = time.monotonic()
    probe = start(seen, STEP - 30 * MINUTE)
    assert probe.wait() == 0
    life_s = time.monotonic() - began
    landed = 0
    for number in range(5):
        process = start(seen, STEP)
        time.sleep(life_s * (number + chance.random()) / 5 * 1.2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        check(seen)
        assert steps(seen) in (landed, 1)
        landed = steps(seen)
    assert command(seen.words(STEP)) == 0
    check(seen)
    assert steps(seen) == 1


# The reconciler dies right before or after a Git command, the first or second of its kind in the
# pass; does the step stand on the remote then?
KILLS = {
    ("before", "fetch", 1): 0,
    ("before", "fast-import", 1): 0,
    ("after", "fast-import", 1): 0,
    ("before", "push", 1): 0,
    ("after", "push", 1): 1,
    ("after", "ls-remote", 2): 1,
}


@pytest.mark.parametrize(("when", "call", "which"), KILLS)
def test_a_kill_at_each_side_effect(
    seen: Place, monkeypatch: pytest.MonkeyPatch, when: str, call: str, which: int
) -> None:
    """A `git` on PATH kills its caller right before or after one command."""
    real, folder = shutil.which("git"), seen.folder / "bin"
    folder.mkdir()
    does = "" if when == "before" else f'"{real}" "$@"; '
    script = f"""#!/bin/sh
for word in "$@"; do
  if [ "$word" = {call} ]; then
    echo >> {folder}/count
    if [ $(wc -l < {folder}/count) = {which} ]; then {does}kill -9 $PPID; exit 1; fi
  fi
done
exec "{real}" "$@"
"""
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        assert start(seen, STEP).wait(60) == -signal.SIGKILL
    check(seen)
    assert steps(seen) == KILLS[when, call, which]
    assert command(seen.words(STEP)) == 0
    check(seen)
    assert steps(seen) == 1


def test_a_clone_that_lost_half_its_files_is_made_anew(seen: Place) -> None:
    assert command(seen.words(SEEN)) == 0
    (clone,) = (seen.folder / "state").glob("*.git")
    (clone / "HEAD").unlink()
    assert command(seen.words(STEP)) == 0
    assert steps(seen) == 1


def test_many_reconcilers_at_once_take_one_step(seen: Place) -> None:
    processes = []
    for number in range(3):
        mine = Place(seen.folder / f"r{number}", seen.scene, seen.fleet, seen.api)
        processes.append(start(mine, STEP + number * MINUTE))
    assert [process.wait() for process in processes] == [0, 0, 0]
    check(seen)
    assert steps(seen) == 1
