"""`tidegate judge` turns a recording into verdicts, one JSON line a tick."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli import run

SITES = [f"plant-{number:04d}" for number in range(100)]
COMMAND = [sys.executable, "-m", "tidegate.cli", "judge", "-"]
KEYS = [
    "rollout",
    "objective",
    "at",
    "verdict",
    "e_bad",
    "e_ok",
    "events",
    "bad",
    "expected_bad",
    "detectable_ratio",
    "reasons",
]

Answer = tuple[int, list[dict[str, Any]], str]


def tick(minute: int, bad: int = 2, rollout: str = "r1", canary: int = 10) -> str:
    fields = {
        "rollout": rollout,
        "objective": "errors",
        "at": f"2026-11-20T08:{minute:02d}:00Z",
        "canary": {site: [100, bad] for site in SITES[:canary]},
        "stable": {site: [100, 2] for site in SITES[canary:]},
    }
    return json.dumps(fields)


GOOD = [tick(minute) for minute in range(1, 7)]


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Give a function: lines and flags -> exit code, verdicts, standard error."""

    def judged(lines: list[str], *flags: str) -> Answer:
        file = tmp_path / "recording.ndjson"
        file.write_text("".join(f"{line}\n" for line in lines))
        code = run(["judge", str(file), *flags])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return judged


def test_one_verdict_for_each_tick_line(judge: Callable[..., Answer]) -> None:
    code, verdicts, err = judge(['{"rollout":"r1","objectives":{"errors":0.5}}', *GOOD])
    assert (code, err, len(verdicts)) == (0, "", 6)
    assert list(verdicts[-1]) == KEYS
    assert [v["at"] for v in verdicts] == [f"2026-11-20T08:0{n}:00Z" for n in range(1, 7)]
    assert (verdicts[0]["verdict"], verdicts[-1]["verdict"]) == ("Undecided", "Healthy")
    assert verdicts[-1]["reasons"][0]["code"] == "margin-ruled-out"
    assert (verdicts[-1]["events"], verdicts[-1]["bad"]) == (6000, 120)
    assert verdicts[-1]["expected_bad"] == pytest.approx(120, rel=0.01)


def test_rollouts_may_be_mixed(judge: Callable[..., Answer]) -> None:
    lines = [line for n in range(1, 7) for line in (tick(n), tick(n, bad=12, rollout="r2"))]
    _, verdicts, _ = judge(lines)
    assert [v["rollout"] for v in verdicts] == ["r1", "r2"] * 6
    assert [v["verdict"] for v in verdicts[-2:]] == ["Healthy", "Breached"]
    assert [v for v in verdicts if v["rollout"] == "r1"] == judge(GOOD)[1]


def test_overwhelming_evidence_is_still_a_number(judge: Callable[..., Answer]) -> None:
    _, verdicts, _ = judge([tick(minute, bad=100) for minute in range(1, 30)])
    assert 1e7 < verdicts[-1]["e_bad"] < 1e10  # ten sites, each with a cap


def test_nothing_detectable_is_null(judge: Callable[..., Answer]) -> None:
    idle = json.loads(tick(1)) | {"canary": {SITES[0]: [0, 0]}}
    _, verdicts, _ = judge([json.dumps(idle)])
    assert (verdicts[0]["verdict"], verdicts[0]["detectable_ratio"]) == ("NoData", None)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--margin", "1.05"], "margin-not-ruled-out"),
        (["--beta", "1e-300"], "margin-not-ruled-out"),
        (["--min-sites", "11"], "few-sites"),
        (["--min-events", "6001"], "few-events"),
    ],
)
def test_flags_ask_for_more(judge: Callable[..., Answer], flags: list[str], code: str) -> None:
    _, verdicts, _ = judge(GOOD, *flags)
    assert verdicts[-1]["verdict"] == "Undecided"
    assert code in [reason["code"] for reason in verdicts[-1]["reasons"]]


def test_alpha_is_the_bound_of_a_breach(judge: Callable[..., Answer]) -> None:
    worse = [tick(minute, bad=12) for minute in range(1, 4)]
    assert judge(worse)[1][-1]["verdict"] == "Breached"
    assert judge(worse, "--alpha", "1e-290")[1][-1]["verdict"] == "Undecided"


@pytest.mark.parametrize(
    "flags", [["--alpha", "0"], ["--beta", "nan"], ["--margin", "1"], ["--min-sites", "x"]]
)
def test_wrong_flags_are_usage(judge: Callable[..., Answer], flags: list[str]) -> None:
    code, verdicts, _ = judge(GOOD, *flags)
    assert (code, verdicts) == (2, [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        (tick(4, bad=101), "bad"),
        (tick(3), "does not come after"),
        ('{"rollout":"r1","history":{}}', "history line comes after a tick"),
    ],
)
def test_a_wrong_line_ends_it_after_the_verdicts_before(
    judge: Callable[..., Answer], line: str, message: str
) -> None:
    code, verdicts, err = judge([*GOOD[:3], "", line, *GOOD[4:]])
    assert (code, len(verdicts)) == (1, 3)
    assert "recording.ndjson:5: " in err
    assert message in err
    assert err.count("\n") == 1


def test_packed_recordings_are_unpacked(
    judge: Callable[..., Answer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, plain, _ = judge(GOOD)
    packed = tmp_path / "recording.ndjson.gz"
    packed.write_bytes(gzip.compress("\n".join(GOOD).encode()))
    assert run(["judge", str(packed)]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == plain


@pytest.mark.parametrize("damage", ["cut", "not gzip", "flipped", "absent"])
def test_a_damaged_file_is_an_input_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    data = gzip.compress("\n".join(GOOD).encode())
    broken = {"cut": data[: len(data) // 2], "not gzip": b"{}", "flipped": data[:-8] + b"\0" * 8}
    file = tmp_path / "recording.ndjson.gz"
    if damage in broken:
        file.write_bytes(broken[damage])
    assert run(["judge", str(file)]) == 1
    err = capsys.readouterr().err
    assert "recording.ndjson.gz" in err
    assert err.count("\n") == 1


def test_an_empty_recording_has_no_verdicts(judge: Callable[..., Answer]) -> None:
    assert judge([]) == (0, [], "")


def test_a_verdict_comes_before_the_next_line_is_written() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in GOOD[:3]:
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["at"] == json.loads(line)["at"]
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_help_shows_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["judge", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "zcat" in shown
    assert all(flag in shown for flag in ("--alpha", "--beta", "--min-sites", "--min-events"))
