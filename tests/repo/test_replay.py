"""`tidegate replay`: every decision in Git again from its evidence, and what differs by name."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.changes import ChangeSet
from tests.builders import EDGE, MODEL, NOW, Origin, baseline, fleet, percent, promote
from tests.metrics import DAY, HOUR, MINUTE, Bad, Plants, Scene, quick
from tidegate.cli import run

START = NOW + 26 * HOUR
LATER = START + 3 * DAY
Answer = tuple[int, str, str]
Replay = Callable[..., Answer]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 climbed to every site, with a person's bump on the way; then v14 was taken back."""
    plants = Plants(bad={"v14": Bad(errors=0.06)})
    scene = Scene(Origin.start(tmp_path_factory.mktemp("ended"), quick(fleet(100))), plants)
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    assert scene.tick(START + 10 * MINUTE).commit
    scene.do(percent("12"), START + 20 * MINUTE)
    assert scene.tick(START + 30 * MINUTE).commit
    at = START + 90 * MINUTE
    while scene.rollout().is_climbing:
        assert scene.tick(at).commit
        at += HOUR
    scene.do(promote(14), at)
    for minutes in (10, 30):
        assert scene.tick(at + minutes * MINUTE).commit
    assert not scene.rollout().is_climbing
    scene.origin.packed()
    return scene


@pytest.fixture
def scene(ended: Scene, tmp_path: Path) -> Scene:
    """The same, to be changed."""
    return ended.copy(tmp_path / "copy")


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Give a function: scene and words -> exit code, standard output, standard error."""

    def replayed(scene: Scene, *words: str) -> Answer:
        where = ("--repo", f"file://{scene.origin.folder}/origin.git")
        try:
            code = run(["replay", *words, *where, "--state-dir", str(tmp_path / "state")])
        except SystemExit as stop:
            code = int(str(stop.code))
        return code, *capsys.readouterr()

    return replayed


def names(scene: Scene) -> list[str]:
    return sorted({path.split("/")[3] for path in scene.tree().ids(layout.EVIDENCE)})


def folder(scene: Scene, number: int) -> str:
    return layout.evidence(EDGE, MODEL, names(scene)[number])


def test_everything_comes_out_as_it_stands(ended: Scene, replay: Replay) -> None:
    code, out, err = replay(ended)
    assert code == 0
    first, second = names(ended)
    assert out.splitlines() == [
        f"{first}   4 decisions, all the same",
        "  0002-advance   12% -> 25%    2026-11-21T11:30:00Z  Healthy    same",
        "  0003-advance   25% -> 50%    2026-11-21T12:30:00Z  Healthy    same",
        "  0004-advance   50% -> 100%   2026-11-21T13:30:00Z  Healthy    same",
        "  0005-complete  100% -> 0%    2026-11-21T14:30:00Z  Undecided  same",
        f"{second}   1 decision, all the same",
        "  0001-revert    5% -> 0%      2026-11-21T16:00:00Z  Breached   same",
        "2 rollouts, 5 decisions: all the same",
    ]
    assert f"replays {first} (1 of 2)" in err


def test_one_rollout_as_data(ended: Scene, replay: Replay) -> None:
    _, second = names(ended)
    code, out, _ = replay(ended, second, "--json")
    (told,) = json.loads(out)
    assert code == 0
    assert (told["rollout"], told["same"], told["trouble"]) == (second, True, None)
    (decision,) = told["decisions"]
    assert decision["path"] == f"{folder(ended, 1)}/0001-revert.json"
    assert (decision["decision"], decision["verdict"]) == ("revert", "Breached")
    assert (decision["same"], decision["differences"], decision["leftOut"]) == (True, [], None)
    stands = json.loads(ended.view.files[decision["path"]])
    assert decision["objectives"] == stands["objectives"]


def test_a_name_that_nobody_has_is_refused(ended: Scene, replay: Replay) -> None:
    first, _ = names(ended)
    code, _, err = replay(ended, first[:-1])
    assert code == 1
    assert f"did you mean {first}?" in err


# ------------------------------------------------------------------ what was edited


def flipped(data: bytes, what: bytes) -> bytes:
    """Change the last digit of the line that a text stands in."""
    end = data.index(b"\n", data.index(what))
    place = next(at for at in range(end, 0, -1) if data[at : at + 1].isdigit())
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("name", "blamed"),
    [("0003-advance", "0004-advance"), ("0005-complete", "0005-complete")],
)
def test_an_edited_number_is_found_by_its_digest(
    scene: Scene, replay: Replay, name: str, blamed: str
) -> None:
    path = f"{folder(scene, 0)}/{name}.json"
    scene.put(path, flipped(scene.view.files[path], b"soakedSeconds"), LATER)
    code, out, _ = replay(scene)
    assert code == 1
    assert f"  error: {path}: " in out
    assert "restore the file from the commit that wrote it" in out
    assert "0001-revert" in out, "the other rollout is replayed all the same"
    assert out.endswith("1 decision: 1 rollout not as it stands\n")


def test_so_is_an_edited_recording(scene: Scene, replay: Replay) -> None:
    path = f"{folder(scene, 1)}/0001-revert.ndjson.gz"
    text = gzip.decompress(scene.view.files[path])
    scene.put(path, gzip.compress(flipped(text, b'"errors"')), LATER)
    code, out, _ = replay(scene, names(scene)[1])
    assert code == 1
    assert f"error: {path}: the recording is not the one that was judged" in out


@pytest.mark.parametrize("what", ["the newest", "all"])
def test_evidence_that_is_gone_is_missed(scene: Scene, replay: Replay, what: str) -> None:
    """A chain without its end is a chain, but a commit still tells of it."""
    for path in scene.tree().ids(folder(scene, 0)):
        if what == "all" or "0005-" in path:
            scene.put(path, None, LATER)
    code, out, _ = replay(scene)
    assert code == 1
    assert "the evidence that a commit wrote is gone" in out


# ------------------------------------------------------------------ what comes out otherwise


def forged(scene: Scene, edit: Callable[[dict[str, Any]], object]) -> None:
    """Write the first advance anew, and a whole chain of digests and a commit that fit it."""
    under, files = folder(scene, 0), scene.view.files
    paths = sorted(p for p in files if p.startswith(f"{under}/") and p.endswith(".json"))
    digest, changed = "", dict[str, bytes | None]()
    for path in paths:
        entry = json.loads(files[path]) | {"previous": digest}
        if path.endswith("0002-advance.json"):
            edit(entry)
        data = json.dumps(entry, indent=2).encode() + b"\n"
        changed[path], digest = data, f"sha256:{hashlib.sha256(data).hexdigest()}"
    tree = scene.tree()
    words = (("Evidence", f"{paths[-1]}@{digest}"),)
    scene.land(ChangeSet(tree.commit, changed, "forge", "", words), LATER)


def differing(scene: Scene, replay: Replay) -> Mapping[str, tuple[Any, Any]]:
    """Replay the forged rollout: what differs in the one decision that was edited."""
    code, out, _ = replay(scene, names(scene)[0], "--json")
    (told,) = json.loads(out)
    assert (code, told["same"], told["trouble"]) == (1, False, None)
    first, *others = told["decisions"]
    assert all(one["same"] for one in others)
    return {one["what"]: (one["stored"], one["replayed"]) for one in first["differences"]}


def test_a_forged_number_is_named_with_what_comes_out(scene: Scene, replay: Replay) -> None:
    path = f"{folder(scene, 0)}/0002-advance.json"
    was = json.loads(scene.view.files[path])["objectives"][0]

    def edit(entry: dict[str, Any]) -> None:
        entry["objectives"][0] |= {"eOk": 2 * was["eOk"], "bad": was["bad"] - 1}

    forged(scene, edit)
    assert differing(scene, replay) == {
        "errors bad": (was["bad"] - 1, was["bad"]),
        "errors eOk": (2 * was["eOk"], was["eOk"]),
    }


def test_the_last_digits_of_a_number_do_not_count(scene: Scene, replay: Replay) -> None:
    def edit(entry: dict[str, Any]) -> None:
        entry["objectives"][0]["eOk"] *= 1 + 2e-6

    forged(scene, edit)
    code, out, _ = replay(scene, names(scene)[0])
    assert (code, out.splitlines()[-1]) == (0, "1 rollout, 4 decisions: all the same")


@pytest.mark.parametrize(
    ("changes", "stored", "replayed"),
    [
        ({"policy": {"minEvents": 10**9}}, "advance to 25%", "hold [undecided]: "),
        ({"policy": {"soak": "9h"}}, "advance to 25%", "hold [soak]: "),
        ({"policy": {"advance": "manual"}}, "advance to 25%", "hold [by-hand]: "),
        ({"adoption": {"serving": 1}}, "advance to 25%", "hold [adoption]: "),
        ({"adoption": {"late": 12, "due": 12}}, "advance to 25%", "revert to 0% [adoption]"),
        ({"policy": {"steps": ["12", "20", "100"]}}, "advance to 25%", "advance to 20%"),
        ({"policy": {"phase": "Paused"}}, "advance to 25%", "hold [paused]: "),
    ],
)
def test_a_decision_that_does_not_follow_is_named(
    scene: Scene, replay: Replay, changes: Any, stored: str, replayed: str
) -> None:
    def edit(entry: dict[str, Any]) -> None:
        for key, values in changes.items():
            entry[key] |= values

    forged(scene, edit)
    told = differing(scene, replay)["decision"]
    assert told[0] == stored
    assert told[1].startswith(replayed)


def test_time_that_did_not_soak_is_named(scene: Scene, replay: Replay) -> None:
    def edit(entry: dict[str, Any]) -> None:
        entry["soakedSeconds"] += 600

    forged(scene, edit)
    assert differing(scene, replay) == {"soakedSeconds": (4200, 3600)}


def test_what_older_evidence_does_not_hold_is_left_out(scene: Scene, replay: Replay) -> None:
    def edit(entry: dict[str, Any]) -> None:
        for key in ("steps", "advance", "phase", "interval", "quorum"):
            entry["policy"].pop(key)

    forged(scene, edit)
    code, out, _ = replay(scene, names(scene)[0])
    assert code == 0
    assert "only the verdict: this evidence does not hold steps" in out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": {"hurry": True}}, "the setting 'hurry' is not known"),
        ({"policy": {"alpha": 2}}, "alpha and beta lie between 0 and 1"),
        ({"policy": {"soak": "long"}}, "'long' is not a span of time"),
        ({"policy": {"margins": [1]}}, "this cannot be made again"),
        ({"adoption": {"late": "few"}}, "this cannot be made again"),
    ],
)
def test_what_nobody_writes_is_an_error(
    scene: Scene, replay: Replay, changes: Any, words: str
) -> None:
    def edit(entry: dict[str, Any]) -> None:
        for key, values in changes.items():
            entry[key] |= values

    forged(scene, edit)
    code, out, _ = replay(scene, names(scene)[0])
    assert code == 1
    assert f"error: {folder(scene, 0)}/0002-advance.json: " in out
    assert words in out


def test_a_repository_without_a_rollout_has_nothing_to_replay(
    tmp_path: Path, replay: Replay
) -> None:
    scene = Scene(Origin.start(tmp_path / "new", fleet(5)), Plants())
    assert replay(scene)[:2] == (0, "0 rollouts, 0 decisions: all the same\n")
