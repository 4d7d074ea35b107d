"""`tidegate audit`: who moved what on which evidence, and red when anything does not agree."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet
from tests.builders import EDGE, MODEL, NOW, Origin, baseline, fleet, percent, promote
from tests.metrics import HOUR, MINUTE, Plants, Scene, quick
from tests.shell import tidegate

START = NOW + 26 * HOUR
ROLLOUT = layout.rollout(EDGE, MODEL)
Audit = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """v13 has taken one step by the reconciler and one by a person."""
    scene = Scene(Origin.start(tmp_path_factory.mktemp("climbed"), quick(fleet(100))), Plants())
    scene.do(baseline(12), NOW)
    scene.do(promote(13), START)
    assert scene.tick(START + 10 * MINUTE).commit
    at = START + 90 * MINUTE
    while str(scene.rollout().percent) == "5":
        scene.tick(at)
        at += 30 * MINUTE
    scene.do(percent("12"), at)
    scene.origin.packed()
    return scene


@pytest.fixture
def origin(climbed: Scene, tmp_path: Path) -> Origin:
    """The same, to be changed."""
    return climbed.copy(tmp_path / "copy").origin


@pytest.fixture
def audit(origin: Origin, tmp_path: Path) -> Audit:
    def run(*words: str) -> tuple[int, str]:
        where = ("--repo", f"file://{origin.folder}/origin.git", "--state-dir", tmp_path / "state")
        code, out, err = tidegate("audit", *words, *where)
        assert err == ""
        return code, out

    return run


def commit(origin: Origin, *trailers: tuple[str, str], **files: bytes) -> None:
    """Land a commit that says whatever it likes."""
    tree = origin.fetch()
    origin.land(ChangeSet(tree.commit, files, "says so", "", trailers))


def doubts(audit: Audit) -> list[str]:
    code, out = audit("--json")
    told = json.loads(out)
    assert code == (0 if told["agrees"] else 1)
    return [one["text"] for one in told["doubts"]]


def evidence(origin: Origin) -> list[str]:
    return list(origin.fetch().ids(layout.EVIDENCE))


# ------------------------------------------------------------------ what is told


def test_it_tells_who_moved_what_on_which_evidence(audit: Audit) -> None:
    code, out = audit()
    assert code == 0
    assert out.endswith(" commits: everything agrees\n")
    assert "5% -> 10%" in out
    assert "Healthy" in out
    assert f"evidence evidence/{EDGE}/{MODEL}/" in out
    assert "by Ada <ada@example.com>, because a good reason" in out
    told = json.loads(audit("--json")[1])
    moved = [one["percent"] for one in told["commits"] if one["percent"]]
    assert moved == ["10->12", "5->10", "0->5"]
    numbers = [one["sequence"] for one in told["commits"]]
    assert numbers == list(range(len(numbers), 0, -1))


def test_the_edit_of_a_person_is_told_as_such(origin: Origin, audit: Audit) -> None:
    origin.edit(ROLLOUT, "percent: 12", "percent: 15")
    code, out = audit()
    assert code == 0
    assert "  by hand    edit rollouts/" in out
    (edit,) = (one for one in json.loads(audit("--json")[1])["commits"] if one["byHand"])
    assert (edit["percent"], edit["author"]) == ("12->15", "Ada <ada@example.com>")


def test_nothing_older_than_asked_is_told(audit: Audit) -> None:
    assert audit("--since", "2030-01-01") == (0, "0 commits: everything agrees\n")
    assert "by Ada" in audit("--since", "2026-11-21T00:00:00Z")[1]


def test_a_time_that_is_none_is_an_error(origin: Origin, tmp_path: Path) -> None:
    where = ("--repo", f"file://{origin.folder}/origin.git", "--state-dir", tmp_path / "state")
    code, _, err = tidegate("audit", "--since", "yesterday", *where)
    assert (code, "write 2026-11-01" in err) == (1, True)


# ------------------------------------------------------------------ what does not agree


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_one_changed_byte_of_evidence_is_found(
    origin: Origin, audit: Audit, number: int, place: float
) -> None:
    path = evidence(origin)[number]
    data = bytearray(origin.fetch().read(path) or b"")
    data[int(place * len(data))] ^= 1
    origin.put(path, bytes(data))
    code, out = audit()
    folder = path.rpartition("/")[0]
    if path.endswith(".gz") and code == 0:
        # The head of an archive holds bytes that say nothing: the recording itself is the same.
        assert place == 0.0
    else:
        assert (code, f"DOUBT {folder}" in out) == (1, True)


def test_evidence_that_is_gone_is_found(origin: Origin, audit: Audit) -> None:
    newest = [path for path in evidence(origin) if path.endswith(".json")][-1]
    origin.put(newest, None)
    assert doubts(audit) == [
        "the evidence that a commit wrote is gone; restore the file from the commit that wrote it"
    ]


def test_a_commit_that_says_another_percentage_is_found(origin: Origin, audit: Audit) -> None:
    data = (origin.fetch().read(ROLLOUT) or b"").replace(b"percent: 12", b"percent: 50")
    number = str(1 + len(json.loads(audit("--json")[1])["commits"]))
    told = (("Rollout-Sequence", number), ("Rollout-Percent", "12->15"))
    commit(origin, *told, **{ROLLOUT: data})
    assert doubts(audit) == [f"it says 15%, but left 50% in {ROLLOUT}"]


def test_a_number_that_stands_twice_and_one_that_is_missing_are_found(
    origin: Origin, audit: Audit
) -> None:
    data = origin.fetch().read(ROLLOUT) or b""
    commit(origin, ("Rollout-Sequence", "2"), **{ROLLOUT: data + b"# two\n"})
    commit(origin, ("Rollout-Sequence", "9"), **{ROLLOUT: data + b"# nine\n"})
    twin, missing = doubts(audit)
    assert twin.startswith("Rollout-Sequence 2 is also that of ")
    assert "no commit with Rollout-Sequence" in missing
    assert missing.endswith("history was rewritten or cut")


def test_a_number_that_is_none_is_found(origin: Origin, audit: Audit) -> None:
    data = origin.fetch().read(ROLLOUT) or b""
    commit(origin, ("Rollout-Sequence", "many"), **{ROLLOUT: data + b"# x\n"})
    assert doubts(audit) == ["Rollout-Sequence: 'many' is not a number"]


def test_another_digest_and_another_rollout_are_found(origin: Origin, audit: Audit) -> None:
    data = origin.fetch().read(ROLLOUT) or b""
    number = str(1 + len(json.loads(audit("--json")[1])["commits"]))
    told = (
        ("Rollout-Id", "edge-k3s-defect-detector-v99-00000000-1"),
        ("Rollout-Sequence", number),
        ("Model-Digest", f"sha256:{'f' * 64}"),
    )
    commit(origin, *told, **{ROLLOUT: data + b"# x\n"})
    rollout, digest = doubts(audit)
    assert rollout.startswith("it says edge-k3s-defect-detector-v99-00000000-1, but left")
    assert digest.startswith("its Model-Digest sha256:ffffffffffff is of none of the releases")


def test_another_verdict_than_the_evidence_is_found(origin: Origin, audit: Audit) -> None:
    commits = json.loads(audit("--json")[1])["commits"]
    advance = next(one for one in commits if one["verdict"] == "Healthy")
    data = origin.fetch().read(ROLLOUT) or b""
    told = (
        ("Rollout-Sequence", str(1 + len(commits))),
        ("Rollout-Percent", "12->12"),
        ("Verdict", "Breached"),
        ("Evidence", advance["evidence"]),
    )
    commit(origin, *told, **{ROLLOUT: data + b"# x\n"})
    verdict, to = doubts(audit)
    assert verdict.startswith("it says Breached, but evidence/")
    assert to.startswith("it went to 12%, but evidence/")
