"""Evidence in Git: a chain that shows every edit, the same bytes each time, numbers that replay."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.errors import InputError
from reconciler import record
from reconciler.analysis import Judge, ObjectiveVerdict, Settings
from reconciler.outlook import Memory
from reconciler.policy import Adoption, Escalate, Hold, Situation
from reconciler.recording import TickLine, dump, parse
from tests.builders import EDGE, MODEL, NOW, Origin, baseline, fleet, percent, promote
from tests.metrics import HOUR, MINUTE, Plants, Scene

START = NOW + 26 * HOUR
NAMES = ["0000-history", "0001-seen", "0002-advance", "0003-advance"]
LATER = START + 12 * HOUR


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A rollout at 25 %: a person bumped it to 6 %, the reconciler took two steps."""
    scene = Scene(Origin.start(tmp_path_factory.mktemp("climbed"), fleet(100)), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    assert scene.tick(START + 5 * MINUTE).commit
    scene.do(percent("6"), START + 12 * MINUTE)
    assert scene.tick(START + 15 * MINUTE).commit
    assert scene.tick(START + 140 * MINUTE).commit
    assert scene.tick(START + 280 * MINUTE).commit
    scene.origin.packed()
    return scene


@pytest.fixture
def scene(climbed: Scene, tmp_path: Path) -> Scene:
    """The same, to be changed."""
    return climbed.copy(tmp_path / "copy")


def folder(scene: Scene) -> str:
    return layout.evidence(EDGE, MODEL, scene.view.rollout().id)


def chain(scene: Scene) -> record.Chain:
    view = scene.view
    return record.read_chain(view.repository.tree, view.rollout())


def refused(scene: Scene, path: str, words: str) -> None:
    """The next pass holds, says which file and what to do, and commits nothing."""
    head = scene.head()
    done = scene.tick(LATER, memory=Memory())
    assert done.trouble.startswith(f"{path}: ")
    assert words in done.trouble
    assert "restore the file from the commit that wrote it" in done.trouble
    assert isinstance(done.passed.decision, Hold)
    assert scene.head() == head


def test_the_names_tell_the_story(climbed: Scene) -> None:
    paths = [f"{folder(climbed)}/{name}.json" for name in NAMES]
    found = sorted(climbed.view.under(folder(climbed)))
    assert found == sorted([*paths, *map(layout.recording, paths)])
    assert list(chain(climbed).paths) == paths


def test_each_piece_names_the_one_before_and_its_recording(climbed: Scene) -> None:
    files = climbed.view.under(folder(climbed))
    before = ""
    for number, name in enumerate(NAMES):
        data = files[f"{folder(climbed)}/{name}.json"]
        entry = json.loads(data)
        text = gzip.decompress(files[f"{folder(climbed)}/{name}.ndjson.gz"])
        assert entry["number"] == number
        assert entry["previous"] == before
        assert entry["recording"] == f"sha256:{hashlib.sha256(text).hexdigest()}"
        before = f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_the_commit_names_the_digest_as_plain_git_shows_it(climbed: Scene) -> None:
    git = climbed.origin.git
    for name in NAMES:
        path = f"{folder(climbed)}/{name}.json"
        told = git.run(
            "log", "-1", "--format=%(trailers:key=Evidence,valueonly)", "main", "--", path
        )
        data = git.run("cat-file", "blob", f"main:{path}")
        assert told.decode().strip() == f"{path}@sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_recording_begins_where_the_last_one_ended(climbed: Scene) -> None:
    ticks = [one for one in chain(climbed).lines if isinstance(one, TickLine)]
    for objective in ("errors", "latency", "confidence"):
        times = [one.at for one in ticks if one.objective == objective]
        steps = {later - earlier for earlier, later in pairwise(times)}
        assert steps == {timedelta(minutes=5)}
        assert times[0] == START + 5 * MINUTE
        assert times[-1] == START + 280 * MINUTE


# ------------------------------------------------------------------ one edited byte


def flipped(data: bytes, place: int) -> bytes:
    edited = bytearray(data)
    edited[place] ^= 1
    return bytes(edited)


def digit(data: bytes, key: str) -> int:
    """Find the last digit of the value of a key."""
    end = data.index(b"\n", data.index(f'"{key}"'.encode()))
    return next(at for at in range(end, 0, -1) if data[at : at + 1].isdigit())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["at", "through", "number", "recording"])
def test_an_edited_document_is_refused(scene: Scene, name: str, key: str) -> None:
    path = f"{folder(scene)}/{name}.json"
    data = scene.view.files[path]
    scene.put(path, flipped(data, digit(data, key)), LATER)
    blamed = layout.recording(path) if key == "recording" else path
    refused(scene, blamed, "")


@pytest.mark.parametrize("name", ["0000-history", "0003-advance"])
def test_so_is_one_that_still_fits_the_chain(scene: Scene, name: str) -> None:
    """A document that is followed by none: only the commit that wrote it can tell."""
    path = f"{folder(scene)}/{name}.json"
    data = scene.view.files[path]
    place = data.index(b'"verdict"') if b'"verdict"' in data else data.index(b'"reportingShare"')
    scene.put(path, data[:place] + b" " + data[place:], LATER)
    refused(scene, path, "as it stands" if name == NAMES[-1] else "broken here")


@pytest.mark.parametrize("name", NAMES)
def test_an_edited_recording_is_refused(scene: Scene, name: str) -> None:
    path = f"{folder(scene)}/{name}.ndjson.gz"
    data = scene.view.files[path]
    scene.put(path, flipped(data, len(data) // 2 if name != "0001-seen" else 11), LATER)
    refused(scene, path, "the recording is ")


@pytest.mark.parametrize("name", ["0000-history", "0002-advance", "0003-advance"])
def test_so_is_one_that_was_packed_again(scene: Scene, name: str) -> None:
    path = f"{folder(scene)}/{name}.ndjson.gz"
    text = gzip.decompress(scene.view.files[path])
    scene.put(path, gzip.compress(flipped(text, digit(text + b"\n", "rollout"))), LATER)
    refused(scene, path, "the recording is not the one that was judged")


def test_the_same_recording_packed_otherwise_is_the_same(scene: Scene) -> None:
    path = f"{folder(scene)}/0002-advance.ndjson.gz"
    before = chain(scene)
    text = gzip.decompress(scene.view.files[path])
    scene.put(path, gzip.compress(text, 1, mtime=7), LATER)
    assert chain(scene) == before


@pytest.mark.parametrize("name", ["0000-history", "0002-advance"])
def test_a_missing_document_is_refused(scene: Scene, name: str) -> None:
    scene.put(f"{folder(scene)}/{name}.json", None, LATER)
    after = NAMES[NAMES.index(name) + 1]
    done = scene.tick(LATER, memory=Memory())
    assert done.trouble.startswith(f"{folder(scene)}/{after}.json: ")
    assert not done.commit


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_recording_is_refused(scene: Scene, name: str) -> None:
    path = f"{folder(scene)}/{name}.ndjson.gz"
    scene.put(path, None, LATER)
    refused(scene, path, "missing or damaged")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"number": 4}',
        b'{"number": "4", "previous": "", "recording": "", "at": "", "through": ""}',
    ],
)
def test_what_is_no_evidence_is_refused(scene: Scene, data: bytes) -> None:
    path = f"{folder(scene)}/0004-revert.json"
    scene.put(path, data, LATER)
    refused(scene, path, "not a piece of evidence")


def test_a_forged_next_piece_is_refused(scene: Scene) -> None:
    """It fits the chain in every number, but no commit of the reconciler wrote it."""
    view = scene.view
    added = record.seen(view.rollout(), chain(scene), "0" * 40, LATER)
    path = next(path for path in added.files if path.endswith(".json"))
    for one, data in added.files.items():
        scene.put(one, data, LATER)
    refused(scene, path, "no commit wrote this evidence as it stands")


# ------------------------------------------------------------------ the same bytes


def test_a_reconciler_that_knows_nothing_writes_the_same_commit(
    climbed: Scene, tmp_path: Path
) -> None:
    heads = []
    for name, memory in (("one", climbed.memory), ("other", Memory())):
        mine = climbed.copy(tmp_path / name)
        assert mine.tick(LATER, memory=memory).commit
        heads.append(mine.head())
    assert heads[0] == heads[1]


def test_the_same_evidence_has_the_same_bytes(climbed: Scene) -> None:
    rollout, known = climbed.view.rollout(), chain(climbed)
    history = [one for one in known.lines if not isinstance(one, TickLine)][:3]
    makers: list[Callable[[], Any]] = [
        lambda: record.history(rollout, history, 0.5, START, START, step="ab", asked={"a": ["b"]}),
        lambda: record.seen(rollout, known, "ab", LATER),
    ]
    for make in makers:
        assert make() == make()
        for path, data in make().files.items():
            if path.endswith(".gz"):
                assert data[4:8] == bytes(4), "no time of packing"


# ------------------------------------------------------------------ replay


def decisions(scene: Scene) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """Give every decision with all recordings up to it, read by nothing of ours."""
    files, under = scene.view.files, folder(scene)
    lines: list[str] = []
    for name in NAMES:
        lines += gzip.decompress(files[f"{under}/{name}.ndjson.gz"]).decode().splitlines()
        entry = json.loads(files[f"{under}/{name}.json"])
        if "objectives" in entry:
            yield entry, list(lines)


def test_the_recordings_in_git_give_the_numbers_that_the_evidence_states(climbed: Scene) -> None:
    share = chain(climbed).share
    replayed = 0
    for entry, lines in decisions(climbed):
        used = entry["policy"]
        judge = Judge(
            Settings(
                alpha=used["alpha"],
                beta=used["beta"],
                margins=used["margins"],
                negligible=used["negligible"],
                min_sites=used["minSites"],
                min_events=used["minEvents"],
                reporting_share=share,
            )
        )
        latest: dict[str, ObjectiveVerdict] = {}
        for number, line in enumerate(lines, 1):
            verdict = judge.feed(parse(line, "recording", number))
            if verdict:
                latest[verdict.objective] = verdict
        assert [record.numbers(one) for one in latest.values()] == entry["objectives"]
        assert all(one["bad"] > 0 and one["eOk"] > 20 for one in entry["objectives"])
        replayed += 1
    assert replayed == 2


def test_a_recording_is_in_its_canonical_form(climbed: Scene) -> None:
    for _, lines in decisions(climbed):
        assert [dump(parse(line, "recording", 1)) for line in lines] == lines


def test_the_evidence_states_what_was_decided_on(climbed: Scene) -> None:
    first, second = (entry for entry, _ in decisions(climbed))
    assert (first["fromPercent"], first["toPercent"]) == ("6", "10")
    assert (second["fromPercent"], second["toPercent"]) == ("10", "25")
    assert first["verdict"] == second["verdict"] == "Healthy"
    assert first["adoption"] == {
        "canary": 6,
        "serving": 6,
        "reachable": 6,
        "late": 0,
        "due": 6,
        "stableFresh": True,
    }
    assert first["soakedSeconds"] == 125 * 60
    assert first["since"] == "2026-11-21T10:15:00Z"
    assert second["since"] == "2026-11-21T12:20:00Z"


def test_the_history_is_of_the_stable_release_before_the_promotion(climbed: Scene) -> None:
    (entry, lines) = next(decisions(climbed))
    assert entry["decision"] == "advance"
    found = [json.loads(line) for line in lines if '"history"' in line]
    assert [one["objective"] for one in found] == ["errors", "latency", "confidence"]
    for one in found:
        assert len(one["history"]) == 100
        # 24 hours at a prediction a second; the first hour-tick is where counting begins.
        assert {events for events, _ in one["history"].values()} == {24 * 3600}


def test_a_hold_is_never_evidence(climbed: Scene) -> None:
    rollout, known = climbed.view.rollout(), chain(climbed)
    adoption = Adoption(0, 0, 0, 0, 0, stable_fresh=True)
    situation = Situation(rollout, (), adoption, START, HOUR, LATER)
    for decision in (Hold("soak", "why"), Escalate("why")):
        with pytest.raises(ValueError, match="never committed"):
            record.decided(situation, decision, known, (), LATER, {})


def test_a_rollout_without_evidence_has_an_empty_chain(climbed: Scene) -> None:
    tree = climbed.tree()
    first = tree.log((layout.rollout(EDGE, MODEL),), 100)[-1]
    assert record.read_chain(tree.at(first.id), climbed.view.rollout()) == record.Chain()
    record.check_newest(tree, record.Chain())


def test_a_broken_chain_is_an_input_error(scene: Scene) -> None:
    path = f"{folder(scene)}/0002-advance.json"
    scene.put(path, b"{}", LATER)
    with pytest.raises(InputError) as caught:
        chain(scene)
    assert caught.value.problems[0].file == path
