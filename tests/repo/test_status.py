"""What `tidegate status` says of every state a rollout can be in, as a tree and as data."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.errors import InputError
from generator.repository import Repository
from reconciler.outlook import Query
from tests.builders import CLOUD, EDGE, MODEL, NOW, Origin, baseline, fleet, pause, percent, promote
from tests.metrics import HOUR, MINUTE, Bad, Plants, Scene, plain, quick
from tidegate.cli import run
from tidegate.statuses import GLYPHS, statuses, tree

START = NOW + 26 * HOUR
SEEN = START + 10 * MINUTE
READY = SEEN + HOUR
OLD, NEW = "v12-c387ff92", "v13-8206a333"
NAME = f"{EDGE}-{MODEL}-{NEW}-1"


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 on 5 of 100 sites, seen and with its history frozen."""
    files = plain(quick(fleet(100)))
    scene = Scene(Origin.start(tmp_path_factory.mktemp("promoted"), files), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    assert scene.tick(SEEN).commit
    scene.origin.packed()
    return scene


@pytest.fixture
def scene(promoted: Scene, tmp_path: Path) -> Scene:
    return promoted.copy(tmp_path / "copy")


def look(scene: Scene, now: datetime, query: Query | None = None) -> list[Any]:
    """Look, and show that looking writes nothing."""
    head = scene.head()
    found = statuses(Repository(scene.tree()), lambda _: query or scene.plants.query, now)
    scene.follow(now)
    assert scene.head() == head
    return list(found)


def of(rows: list[Any], environment: str = EDGE, model: str = MODEL) -> Any:
    return next(one for one in rows if (one["environment"], one["model"]) == (environment, model))


PROMOTE = "└── next     tidegate promote defect-detector@ALIAS --env {} --baseline --reason ..."


# ------------------------------------------------------------------ the states


@dataclass(frozen=True)
class State:
    """How to get there, when to look, and what is said."""

    make: Callable[[Scene], object]
    now: datetime
    status: str
    text: str


def nothing(scene: Scene) -> None:
    """It is so already."""


def worse(scene: Scene) -> None:
    scene.plants.bad["v13"] = Bad(errors=0.06)


def reverted(scene: Scene) -> None:
    worse(scene)
    assert scene.tick(START + 30 * MINUTE).commit


def paused(scene: Scene) -> None:
    scene.do(pause(), START + 20 * MINUTE)


def down(scene: Scene) -> None:
    scene.plants.down = True


def silent(scene: Scene) -> None:
    scene.plants.hide(scene.canary()[:2], START + 15 * MINUTE, START + 30 * HOUR)


def at_the_top(scene: Scene) -> None:
    scene.do(percent("100"), SEEN)
    assert scene.tick(SEEN).commit


def completed(scene: Scene) -> None:
    at_the_top(scene)
    assert scene.tick(READY).commit


def by_hand(scene: Scene) -> None:
    scene.edit("advance: automatic", "advance: manual", SEEN)


def broken(scene: Scene) -> None:
    scene.edit("percent: 5 ", "percent: 5% ", SEEN)


def bumped(scene: Scene) -> None:
    scene.edit("percent: 5 ", "percent: 25 ", START + 20 * MINUTE)


def overdue(scene: Scene) -> None:
    scene.edit("\nonDeadline: hold", "\nonDeadline: ask", SEEN)
    scene.edit("deadline: 72h ", "deadline: 30m ", SEEN)
    silent(scene)


BUMP = 'tidegate set-percent defect-detector --env edge-k3s 10 --reason "..."'
DONE = 'tidegate promote defect-detector/13 --env edge-k3s --baseline --reason "..."'
FIVE = """\
├── releases canary v13-8206a333   5 sites: 5 serving, 0 silent
│            stable v12-c387ff92   95 sites: 95 serving, 0 silent
├── steps    ◐ 5%  ○ 10%  ○ 25%  ○ 50%  ○ 100%
"""
UNKNOWN = """\
├── releases canary v13-8206a333   5 sites
│            stable v12-c387ff92   95 sites
├── steps    ◐ 5%  ○ 10%  ○ 25%  ○ 50%  ○ 100%
"""
GOOD = """\
├── verdict  Healthy, judged through 2026-11-21T11:10:00Z
│            errors: Healthy, 402 bad of 20100, 402.0 expected (1.00x), E_bad 0.19, E_ok 5e+02
│            latency: Healthy, 402 bad of 20100, 402.0 expected (1.00x), E_bad 0.19, E_ok 5e+02
│            confidence: Healthy, 1005 bad of 20100, 1005.0 expected (1.00x), E_bad 0.38, \
E_ok 5.3e+02
"""

STATES = {
    "progressing: it soaks": State(
        nothing,
        START + 30 * MINUTE,
        "Progressing",
        f"""\
▲ edge-k3s/defect-detector   Progressing   step 1/5, 5% for 20 min
{FIVE}├── verdict  Healthy, judged through 2026-11-21T10:30:00Z
│            errors: Healthy, 162 bad of 8100, 162.0 expected (1.00x), E_bad 0.19, E_ok 5.1e+02
│            latency: Healthy, 162 bad of 8100, 162.0 expected (1.00x), E_bad 0.19, E_ok 5.1e+02
│            confidence: Healthy, 405 bad of 8100, 405.0 expected (1.00x), E_bad 0.39, E_ok 5.4e+02
└── next     waits [soak]: 20 min of healthy time so far, 40 min to go, \
until 2026-11-21T11:10:00Z
             or on your own word: {BUMP}""",
    ),
    "progressing: the next step is due": State(
        nothing,
        READY,
        "Progressing",
        f"""\
▲ edge-k3s/defect-detector   Progressing   step 1/5, 5% for 1 h
{FIVE}{GOOD}\
└── next     the reconciler will commit: \
defect-detector edge-k3s: 5% -> 10% (5 -> 10 of 100 sites)""",
    ),
    "progressing: a person's edit is not expanded yet": State(
        bumped,
        START + 20 * MINUTE,
        "Holding",
        """\
◷ edge-k3s/defect-detector   Holding   step 3/5, 25% for 0 min
├── releases canary v13-8206a333   25 sites: 5 serving, 20 not yet, 0 silent
│            stable v12-c387ff92   75 sites: 75 serving, 0 silent
├── steps    ● 5%  ● 10%  ◐ 25%  ○ 50%  ○ 100%
├── verdict  Undecided, judged through 2026-11-21T10:20:00Z
│            errors: Undecided, 102 bad of 5100, 102.0 expected (1.00x), E_bad 0.19, E_ok 95
│            latency: Undecided, 102 bad of 5100, 102.0 expected (1.00x), E_bad 0.19, E_ok 95
│            confidence: Undecided, 255 bad of 5100, 255.0 expected (1.00x), E_bad 0.37, \
E_ok 1e+02
└── next     the reconciler will commit: \
defect-detector edge-k3s: 5% -> 25% (5 -> 25 of 100 sites)""",
    ),
    "holding: two sites are silent": State(
        silent,
        START + 20 * MINUTE,
        "Holding",
        f"""\
◷ edge-k3s/defect-detector   Holding   step 1/5, 5% for 10 min
├── releases canary v13-8206a333   5 sites: 3 serving, 2 silent
│            stable v12-c387ff92   95 sites: 95 serving, 0 silent
├── steps    ◐ 5%  ○ 10%  ○ 25%  ○ 50%  ○ 100%
├── verdict  Undecided, judged through 2026-11-21T10:20:00Z
│            errors: Undecided, 78 bad of 3900, 78.0 expected (1.00x), E_bad 0.21, E_ok 2.4e+02
│            latency: Undecided, 78 bad of 3900, 78.0 expected (1.00x), E_bad 0.21, E_ok 2.4e+02
│            confidence: Undecided, 195 bad of 3900, 195.0 expected (1.00x), E_bad 0.4, \
E_ok 1.9e+02
└── next     waits [undecided]: errors: 3 of 5 canary sites are fresh, 4.0 needed; \
latency: 3 of 5 canary sites are fresh, 4.0 needed; \
confidence: 3 of 5 canary sites are fresh, 4.0 needed, until 2026-11-24T10:10:00Z
             or on your own word: {BUMP}""",
    ),
    "holding: a person takes the steps": State(
        by_hand,
        READY,
        "Holding",
        f"""\
◷ edge-k3s/defect-detector   Holding   step 1/5, 5% for 1 h
{FIVE}{GOOD}\
└── next     waits [by-hand]: advance is manual; the evidence allows 10%
             tidegate set-percent defect-detector --env edge-k3s 10 --reason "..."\
""",
    ),
    "holding: a person is asked": State(
        overdue,
        START + 50 * MINUTE,
        "Holding",
        """\
◷ edge-k3s/defect-detector   Holding   step 1/5, 5% for 40 min
├── releases canary v13-8206a333   5 sites: 3 serving, 2 silent
│            stable v12-c387ff92   95 sites: 95 serving, 0 silent
├── steps    ◐ 5%  ○ 10%  ○ 25%  ○ 50%  ○ 100%
├── verdict  Undecided, judged through 2026-11-21T10:50:00Z
│            errors: Undecided, 186 bad of 9300, 186.0 expected (1.00x), E_bad 0.19, E_ok 2.6e+02
│            latency: Undecided, 186 bad of 9300, 186.0 expected (1.00x), E_bad 0.19, E_ok 2.6e+02
│            confidence: Undecided, 465 bad of 9300, 465.0 expected (1.00x), E_bad 0.39, \
E_ok 1.9e+02
└── next     waits [escalated]: 40 min at 5%, deadline 30 min; \
errors: 3 of 5 canary sites are fresh, 4.0 needed; \
latency: 3 of 5 canary sites are fresh, 4.0 needed; \
confidence: 3 of 5 canary sites are fresh, 4.0 needed
             tidegate revert defect-detector --env edge-k3s --reason "..."\
""",
    ),
    "metrics are down": State(
        down,
        READY,
        "Holding",
        f"""\
◷ edge-k3s/defect-detector   Holding   step 1/5, 5% for 1 h
{UNKNOWN}\
└── next     waits [metrics]: the metrics cannot be read: Prometheus: connection refused, \
until 2026-11-24T10:10:00Z
             tidegate doctor --only metrics""",
    ),
    "paused": State(
        paused,
        READY,
        "Paused",
        f"""\
‖ edge-k3s/defect-detector   Paused   step 1/5, 5% for 1 h
{FIVE}{GOOD}\
└── next     waits [paused]: a person paused it
             tidegate resume defect-detector --env edge-k3s --reason "..."\
""",
    ),
    "paused, and metrics are down": State(
        lambda scene: (paused(scene), down(scene)),
        READY,
        "Paused",
        f"""\
‖ edge-k3s/defect-detector   Paused   step 1/5, 5% for 1 h
{UNKNOWN}\
└── next     waits [metrics]: the metrics cannot be read: Prometheus: connection refused, \
until 2026-11-24T10:10:00Z
             tidegate doctor --only metrics""",
    ),
    "reverting": State(
        worse,
        START + 30 * MINUTE,
        "Reverting",
        f"""\
▼ edge-k3s/defect-detector   Reverting   step 1/5, 5% for 20 min
{FIVE}├── verdict  Breached, judged through 2026-11-21T10:30:00Z
│            errors: Breached, 485 bad of 8100, 162.0 expected (2.99x), E_bad 3.2e+05, E_ok 4.5e-20
│            latency: Healthy, 162 bad of 8100, 162.0 expected (1.00x), E_bad 0.19, E_ok 5.1e+02
│            confidence: Healthy, 405 bad of 8100, 405.0 expected (1.00x), E_bad 0.39, E_ok 5.4e+02
└── next     the reconciler will commit: \
defect-detector edge-k3s: revert v13, 5% -> 0% (5 -> 0 of 100 sites): errors 3.0x stable""",
    ),
    "reverted": State(
        reverted,
        READY,
        "Reverted",
        """\
✖ edge-k3s/defect-detector   Reverted
├── releases stable v12-c387ff92   100 sites
└── next     nothing climbs""",
    ),
    "at the top": State(
        at_the_top,
        START + 69 * MINUTE,
        "Progressing",
        f"""\
▲ edge-k3s/defect-detector   Progressing   step 5/5, 100% for 59 min
├── releases canary v13-8206a333   100 sites: 100 serving, 0 silent
│            stable v12-c387ff92   0 sites: 0 serving, 0 silent
├── steps    ● 5%  ● 10%  ● 25%  ● 50%  ◐ 100%
├── verdict  Undecided, judged through 2026-11-21T11:00:00Z
│            errors: Undecided, 5700 bad of 285000, E_bad 1, E_ok 1
│            latency: Undecided, 5700 bad of 285000, E_bad 1, E_ok 1
│            confidence: Undecided, 14250 bad of 285000, E_bad 1, E_ok 1
└── next     waits [soak]: 50 min of healthy time so far, 10 min to go, \
until 2026-11-21T11:19:00Z
             or on your own word: {DONE}""",
    ),
    "completed": State(
        completed,
        READY,
        "Completed",
        """\
✔ edge-k3s/defect-detector   Completed
├── releases stable v13-8206a333   100 sites
└── next     nothing climbs""",
    ),
    "invalid": State(
        broken,
        READY,
        "Invalid",
        """\
! edge-k3s/defect-detector   Invalid
└── mend     rollouts/edge-k3s/defect-detector.yaml:8: percent: '5%' is not a percentage: \
write a number from 0 to 100 with at most two digits after the point""",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_in_words_and_as_data(scene: Scene, name: str) -> None:
    state = STATES[name]
    state.make(scene)
    rows = look(scene, state.now)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    row = of(rows)
    assert row["status"] == state.status
    assert tree([row], state.now).splitlines() == state.text.splitlines()


def test_a_line_without_a_baseline_is_pending(tmp_path: Path) -> None:
    scene = Scene(Origin.start(tmp_path, fleet(100, clusters=1)), Plants())
    rows = look(scene, NOW)
    assert [row["status"] for row in rows] == ["Pending", "Pending"]
    assert tree(rows, NOW).splitlines() == [
        "○ cloud-eks/defect-detector   Pending",
        "├── releases stable none yet   1 site",
        PROMOTE.format("cloud-eks"),
        "○ edge-k3s/defect-detector   Pending",
        "├── releases stable none yet   100 sites",
        PROMOTE.format("edge-k3s"),
    ]


def test_a_promotion_that_was_not_seen_yet(tmp_path: Path) -> None:
    scene = Scene(Origin.start(tmp_path, quick(fleet(100))), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    row = of(look(scene, START + 5 * MINUTE))
    assert row["status"] == "Progressing"
    assert row["wouldCommit"] == f"{MODEL} {EDGE}: froze the history of 100 sites"
    assert row["sites"] == {"total": 100, "canary": 5, "stable": 95}


def test_a_cloud_rollout_says_why_it_holds(scene: Scene) -> None:
    scene.do(baseline(12, CLOUD), START)
    scene.do(promote(13, CLOUD), START)
    row = of(look(scene, READY), CLOUD)
    assert row["status"] == "Holding"
    assert row["sites"] == {"total": 2}
    assert row["waitsFor"] == {
        "code": "no-history",
        "why": "no site has reported anything, neither before the rollout nor now",
        "since": "2026-11-21T11:10:00Z",
        "until": "2026-11-24T11:10:00Z",
        "command": "tidegate doctor --only metrics",
    }


def test_a_hand_edit_names_the_commit_and_the_command(scene: Scene) -> None:
    path = f"{layout.pointer(EDGE, 'plant-0001', MODEL)}/kustomization.yaml"
    edit = scene.put(path, None, START + 20 * MINUTE)[:12]
    row = of(look(scene, START + 30 * MINUTE))
    assert row["status"] == "Holding"
    assert row["waitsFor"]["code"] == "hand-edit"
    assert row["waitsFor"]["why"] == f"the pointers were changed by hand in {edit}"
    assert (
        row["waitsFor"]["command"] == f"tidegate expand {MODEL} --env {EDGE}, or git revert {edit}"
    )


def test_no_rollouts_at_all() -> None:
    assert tree([], NOW) == "no rollouts: tidegate model add NAME makes the first"


def test_every_status_has_its_glyph() -> None:
    assert {state.status for state in STATES.values()} | {"Pending"} == set(GLYPHS)
    assert len(set(GLYPHS.values())) == len(GLYPHS)


# ------------------------------------------------------------------ the same as data


def test_all_of_it_as_data(scene: Scene) -> None:
    row = of(look(scene, START + 30 * MINUTE))
    objectives = row.pop("objectives")
    assert row == {
        "environment": EDGE,
        "model": MODEL,
        "delivery": "argocd",
        "status": "Progressing",
        "phase": "Progressing",
        "stable": OLD,
        "canary": NEW,
        "rollout": NAME,
        "percent": "5",
        "steps": ["5", "10", "25", "50", "100"],
        "step": 1,
        "since": "2026-11-21T10:10:00Z",
        "sites": {
            "total": 100,
            "canary": 5,
            "stable": 95,
            "canaryServing": 5,
            "canaryPending": 0,
            "canarySilent": 0,
            "stableServing": 95,
            "stableSilent": 0,
        },
        "verdict": "Healthy",
        "judgedThrough": "2026-11-21T10:30:00Z",
        "soakedSeconds": 1200.0,
        "waitsFor": {
            "code": "soak",
            "why": "20 min of healthy time so far, 40 min to go",
            "since": "2026-11-21T10:10:00Z",
            "until": "2026-11-21T11:10:00Z",
            "command": BUMP,
        },
        "wouldCommit": None,
        "notes": [],
    }
    assert [one["objective"] for one in objectives] == ["errors", "latency", "confidence"]
    assert objectives[0] | {"eBad": 0, "eOk": 0, "detectableRatio": 0} == {
        "objective": "errors",
        "verdict": "Healthy",
        "at": "2026-11-21T10:30:00Z",
        "eBad": 0,
        "eBadMax": 1.0,
        "eOk": 0,
        "events": 8100,
        "bad": 162,
        "expectedBad": 162.0,
        "ratio": 1.0,
        "detectableRatio": 0,
        "reasons": [
            {
                "code": "margin-ruled-out",
                "text": "x1.5 is ruled out by 8,100 events of 5 sites in this step: E_ok 513",
            }
        ],
    }


def test_data_without_metrics_says_what_git_says(scene: Scene) -> None:
    down(scene)
    row = of(look(scene, READY))
    assert row["since"] == "2026-11-21T10:10:00Z"
    assert row["sites"] == {"total": 100, "canary": 5, "stable": 95}
    assert (row["verdict"], row["judgedThrough"], row["objectives"]) == (None, None, [])
    assert row["waitsFor"]["code"] == "metrics"


def test_sites_that_serve_something_else_are_named(scene: Scene) -> None:
    site = scene.canary()[0]
    scene.plants.serve(site, "v7-00000000", START + 15 * MINUTE)
    row = of(look(scene, START + 30 * MINUTE))
    assert row["notes"] == [f"1 sites of the canary arm serve v7-00000000, such as {site}"]
    assert row["sites"]["canaryServing"] == 4
    assert row["sites"]["canaryPending"] == 0
    assert row["sites"]["canarySilent"] == 0
    assert "├── notes    1 sites of the canary arm" in tree([row], START + 30 * MINUTE)


def test_one_invalid_line_hides_no_other(tmp_path: Path) -> None:
    files = quick(fleet(100, models=("aaa-model", MODEL)))
    scene = Scene(Origin.start(tmp_path, files), Plants())
    scene.do(baseline(12), NOW)
    path = layout.rollout(EDGE, "aaa-model")
    scene.edit("percent: 0 ", "percent: nan ", START, path=path)
    rows = look(scene, START)
    assert of(rows, EDGE, "aaa-model")["status"] == "Invalid"
    assert of(rows, EDGE, "aaa-model")["problem"].startswith(f"{path}:")
    assert of(rows)["status"] == "Completed"


def test_metrics_that_nobody_allowed_are_metrics_that_are_not_there(scene: Scene) -> None:
    def refuses(_: str) -> Query:
        raise InputError("Git names a metrics API that is not allowed: http://x:1")

    row = of(list(statuses(Repository(scene.tree()), refuses, READY)))
    assert row["status"] == "Holding"
    assert row["waitsFor"]["code"] == "metrics"
    assert "not allowed: http://x:1" in row["waitsFor"]["why"]


# ------------------------------------------------------------------ the command


def words(scene: Scene, tmp_path: Path, *more: str) -> list[str]:
    url = f"file://{scene.origin.folder}/origin.git"
    return ["status", "--repo", url, "--state-dir", str(tmp_path / "state"), *more]


def test_the_command_draws_the_tree(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reverted(scene)
    assert run(words(scene, tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "○ cloud-eks/defect-detector   Pending",
        "├── releases stable none yet   2 sites",
        PROMOTE.format("cloud-eks"),
        *STATES["reverted"].text.splitlines(),
    ]


def test_the_command_gives_one_document(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words(scene, tmp_path, "--json", "--now", READY.isoformat())) == 0
    out, err = capsys.readouterr()
    row = of(json.loads(out))
    assert err == ""
    assert row["canary"] == NEW
    assert row["waitsFor"]["code"] == "metrics"
    assert "no Prometheus is named" in row["waitsFor"]["why"]


def test_the_command_says_what_is_no_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "-C", str(tmp_path)]) == 1
    assert "is not inside a Git checkout" in capsys.readouterr().err


def test_nobody_pretends_a_time_on_a_real_remote(capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://git.example/fleet.git"
    assert run(["status", "--repo", url, "--now", "2026-11-20T08:05:00Z"]) == 1
    assert "--now is only for local remotes" in capsys.readouterr().err


def test_watching_ends_with_an_interrupt(scene: Scene, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tidegate.cli", *words(scene, tmp_path, "-w", "--every", "0.1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout is not None
    seen, name = b"", f"{EDGE}/{MODEL}   Holding".encode()
    while seen.count(name) < 2 and (more := os.read(process.stdout.fileno(), 65536)):
        seen += more
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert seen.count(name) >= 2, "it looks again and again"


def test_where_sites_pull_nobody_claims_to_know_what_they_applied(scene: Scene) -> None:
    scene.origin.edit(layout.environment(EDGE), "delivery: argocd ", "delivery: flux ")
    row = of(look(scene, START + 30 * MINUTE))
    assert row["delivery"] == "flux"
    assert row["notes"] == ["applied is not known: each site pulls by flux; serving counts"]
    assert "notes    applied is not known" in tree([row], START + 30 * MINUTE)
