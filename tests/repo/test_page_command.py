"""`tidegate page`: one file, whole, the same every time, nothing beside it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from generator import layout
from tests.builders import CLOUD, EDGE, MODEL, NOW, Origin, replaced
from tests.states import At
from tests.stories import read
from tidegate.cli import run
from tidegate.files import write_whole

LATER = (NOW + timedelta(hours=1)).isoformat()


def line(origin: Origin, tmp_path: Path) -> list[str]:
    """Begin a command line that works on a remote."""
    where = ("--repo", f"file://{origin.folder}/origin.git", "--state-dir", str(tmp_path / "state"))
    return ["page", "-o", str(tmp_path / "out"), *where]


def page(origin: Origin, tmp_path: Path, *words: str, now: str = LATER) -> Path:
    """Make the page from a remote."""
    assert run([*line(origin, tmp_path), "--now", now, *words]) == 0
    return tmp_path / "out" / "index.html"


def text_of(data: bytes) -> str:
    body = re.sub(r"<(style|title)>.*?</\1>", "", data.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("new", "Of 2 rollouts 2 have no baseline."),
        ("stable", "Nothing moves: all 2 run their stable release."),
        ("climbing", "Of 2 rollouts 2 climb."),
        ("full", "v13 is at 100% of 100 sites."),
        ("completed", "Nothing moves: all 2 run their stable release."),
        ("reverted", "95 of 100 sites never saw it, all run v12. By Ada at"),
    ],
)
def test_the_page_answers_in_every_state(at: At, tmp_path: Path, state: str, expected: str) -> None:
    data = page(at(state), tmp_path).read_bytes()
    assert expected in text_of(data)
    found = read(data)
    assert not found.seen & {"script", "link", "img", "iframe"}
    assert all(f'id="{link[1:]}"'.encode() in data for link in found.links)


def test_the_same_commit_gives_the_same_bytes(at: At, tmp_path: Path) -> None:
    origin = at("climbing")
    first = page(origin, tmp_path).read_bytes()
    assert page(origin, tmp_path).read_bytes() == first
    other = page(origin.copy(tmp_path / "elsewhere"), tmp_path / "second").read_bytes()
    assert other == first
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    late = (NOW + timedelta(days=1)).isoformat()
    assert page(origin, tmp_path, now=late).read_bytes() != first


def test_a_checkout_gives_the_page_of_its_remote(at: At, tmp_path: Path) -> None:
    origin = at("climbing")
    expected = page(origin, tmp_path).read_bytes()
    checkout = tmp_path / "checkout"
    origin.git.run("clone", "--quiet", f"file://{origin.folder}/origin.git", str(checkout))
    words = ["page", "-C", str(checkout), "-o", str(tmp_path / "own"), "--now", LATER]
    assert run(words) == 0
    assert (tmp_path / "own" / "index.html").read_bytes() == expected


def test_a_page_can_be_about_one_line(at: At, tmp_path: Path) -> None:
    text = text_of(page(at("climbing"), tmp_path, "--env", EDGE, "--model", MODEL).read_bytes())
    assert f"tidegate: {MODEL} on {EDGE}" in text
    assert CLOUD not in text


def test_with_live_the_metrics_are_asked_and_their_silence_is_told(at: At, tmp_path: Path) -> None:
    text = text_of(page(at("climbing"), tmp_path, "--live", "--env", EDGE).read_bytes())
    assert "By its metrics: waits [metrics]: " in text
    assert "Read from Git and from the metrics API" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--env", "moon"), "there is no environment 'moon'; known: "),
        (("--model", "moon"), f"there is no model 'moon'; known: {MODEL}"),
    ],
)
def test_what_is_not_there_is_named(
    at: At,
    tmp_path: Path,
    words: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = (
        "--repo",
        f"file://{at('stable').folder}/origin.git",
        "--state-dir",
        str(tmp_path / "state"),
    )
    assert run(["page", "-o", str(tmp_path / "out"), *where, *words]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_line_is_named_and_hides_no_other(at: At, tmp_path: Path) -> None:
    origin = at("climbing")
    path = layout.rollout(EDGE, MODEL)
    files = replaced(dict(origin.view.files), path, "percent: 5 ", "percent: 5% ")
    origin.put(path, files[path])
    text = text_of(page(origin, tmp_path).read_bytes())
    assert "Of 2 rollouts 1 cannot be read and 1 climbs." in text
    assert f"It cannot be read: {path}:" in text
    assert "v13 is at 5% of traffic." in text


def test_a_link_in_the_way_is_replaced_and_not_followed(at: At, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").symlink_to(victim)
    place = page(at("stable"), tmp_path)
    assert victim.read_text() == "mine"
    assert not place.is_symlink()


def test_what_fails_leaves_the_old_page(tmp_path: Path) -> None:
    place = write_whole(tmp_path, "index.html", b"old")
    with pytest.raises(TypeError):
        write_whole(tmp_path, "index.html", "text")  # type: ignore[arg-type]
    assert place.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_file_in_the_way_of_the_folder_is_named(
    at: At, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    where = (
        "--repo",
        f"file://{at('stable').folder}/origin.git",
        "--state-dir",
        str(tmp_path / "state"),
    )
    assert run(["page", "-o", str(tmp_path / "out"), *where]) == 2
    assert "is a file" in capsys.readouterr().err
