"""`tidegate init` and the fleet's sites: whole or not at all, and every problem in one pass."""

import os
import shutil
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from generator import layout
from tests.builders import EDGE, IMAGE, MODEL, Origin, baseline, fleet
from tests.shell import tidegate
from tidegate import cli

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

HEADER = "id,region,hardware,cluster\n"
GOOD = f"{HEADER}plant-2,eu,gpu,k3s-2\nplant-1,eu,cpu,k3s-1\n"
NOW = "2026-11-20T08:00:00Z"
WORDS = ["--environment", EDGE, "--environment", "cloud-eks", "--model", MODEL, "--image", IMAGE]
SHARD = f"environments/{EDGE}/sites/s000.yaml"
PROJECT = f"argocd/fleet/{EDGE}/s000/project.yaml"  # lists the clusters


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return done.stdout.decode()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with one good list of sites."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plants.csv").write_text(GOOD)
    return tmp_path


def init(folder: str = "fleet", *more: str, sites: str = "plants.csv") -> tuple[int, str, str]:
    return tidegate("init", folder, *WORDS, "--sites", sites, *more)


def everything(folder: Path) -> dict[str, object]:
    """Take each file and folder with its bytes, mode and time of change."""
    found: dict[str, object] = {}
    for place in [folder, *folder.rglob("*")]:
        stat = place.lstat()
        data = place.read_bytes() if place.is_file() else None
        found[str(place.relative_to(folder))] = (stat.st_mode, stat.st_mtime_ns, data)
    return found


def assert_whole(folder: Path) -> None:
    assert git(folder, "status", "--porcelain", "--ignored") == ""
    assert git(folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main\n"
    assert git(folder, "rev-list", "--count", "HEAD") == "1\n"
    assert git(folder, "symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert sorted(p.name for p in (folder / ".git").glob("*.json")) == []
    git(folder, "fsck", "--strict")


# ------------------------------------------------------------------ made


def test_init_makes_a_repository_with_one_commit(here: Path) -> None:
    code, out, err = init("fleet", "--remote", "https://git.example/fleet.git")
    assert (code, err) == (0, "")
    assert out.startswith(
        "fleet: 3 sites in 2 environments\nnext:\n  cd fleet\n  tidegate promote "
    )
    assert_whole(here / "fleet")
    assert git(here / "fleet", "remote", "get-url", "origin") == "https://git.example/fleet.git\n"
    rows = yaml.safe_load((here / "fleet" / SHARD).read_text())
    assert [row["id"] for row in rows] == ["plant-1", "plant-2"]
    assert (here / "fleet").stat().st_mode & 0o777 == 0o755
    assert sorted(p.name for p in here.iterdir()) == ["fleet", "plants.csv"]
    assert list((here / "fleet/.git").glob("hooks/*")) == []


def test_the_same_words_make_the_same_commit(here: Path) -> None:
    for folder in ("one", "two"):
        assert init(folder, "--now", NOW)[0] == 0
    assert git(here / "one", "rev-parse", "HEAD") == git(here / "two", "rev-parse", "HEAD")


def test_init_twice_changes_nothing(here: Path) -> None:
    init()
    told = "nothing to do: the repository is there, made with the same words\n"
    before = everything(here)
    assert init() == (0, "", told)
    assert init("fleet", "--exit-code") == (3, "", told)
    assert init("./fleet/")[0] == 0
    assert everything(here) == before


def test_init_again_after_a_persons_commits_changes_nothing(here: Path) -> None:
    init()
    (here / "fleet/notes.txt").write_text("mine")
    git(here / "fleet", "add", ".")
    git(here / "fleet", "commit", "--quiet", "-m", "mine")
    (here / "fleet/notes.txt").write_text("mine, edited")
    before = everything(here)
    assert init("fleet", "--exit-code")[0] == 3
    assert everything(here) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a fleet and its list of sites, for tests that must not change it."""
    place = tmp_path_factory.mktemp("made")
    (place / "plants.csv").write_text(GOOD)
    words = [str(place / "fleet"), *WORDS, "--sites", str(place / "plants.csv")]
    assert tidegate("init", *words)[0] == 0
    return place


@pytest.mark.parametrize(
    "more",
    [
        ["--model", "other"],
        ["--environment", "lab=edge-k3s"],
        ["--image", f"other@sha256:{'0' * 64}"],
        ["--registry", "http://mlflow:5000"],
        ["--prometheus", "http://prometheus:9090"],
        ["--remote", "https://git.example/x.git"],
        ["--interval", "1m"],
    ],
    ids=lambda more: more[0],
)
def test_other_words_are_refused_with_nothing_changed(
    made: Path, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    before = everything(made)
    code, out, err = init("fleet", *more)
    assert (code, out) == (1, "")
    assert err == (
        "error: fleet is a fleet repository made with other words; "
        "tidegate model add, tidegate site import, or edit tidegate.yaml\n"
    )
    assert everything(made) == before


# ------------------------------------------------------------------ where


@pytest.mark.parametrize("name", ["file", "folder", "repository", "link to a file", "below"])
def test_a_place_that_is_taken_is_refused_and_untouched(here: Path, name: str) -> None:
    (here / "fleet").write_text("mine")
    place = "fleet"
    if name in ("folder", "repository"):
        (here / "fleet").unlink()
        (here / "fleet/.hidden").mkdir(parents=True)
    if name == "repository":
        git(here / "fleet", "init", "--quiet")
    if name == "link to a file":
        (here / "link").symlink_to("fleet")
        place = "link"
    if name == "below":
        (here / "fleet").unlink()
        init()
        place = "fleet/rollouts"
    before = everything(here)
    code, out, err = init(place)
    assert (code, out) == (1, "")
    assert err == f"error: {place} is not empty; name a folder that does not exist yet\n"
    assert everything(here) == before


def test_an_empty_folder_is_taken(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "fleet").mkdir()
    (here / "link").symlink_to("fleet")
    assert init("link")[0] == 0
    assert_whole(here / "fleet")
    (here / "deep").mkdir()
    monkeypatch.chdir(here / "deep")
    code, out, _ = init(".", sites="../plants.csv")
    assert (code, "\n  cd .\n" in out) == (0, True)  # the new folder has taken the place
    assert_whole(here / "deep")
    monkeypatch.chdir(here / "deep")
    assert init("../a/b/c", sites="../plants.csv")[0] == 0
    assert_whole(here / "a/b/c")


def unwritable(here: Path) -> list[Path]:
    closed = here / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    # Root may write there all the same; nobody may write to these.
    places = [closed / "fleet"] if os.geteuid() else []
    return [*places, Path("/sys/fleet"), Path("/dev/null/fleet"), here / "plants.csv/fleet"]


def test_a_parent_that_cannot_be_written_is_named(here: Path) -> None:
    places = unwritable(here)
    before = everything(here)
    for place in places:
        code, out, err = init(str(place))
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith(f"error: cannot make {place}: ")
    assert everything(here) == before


def test_no_identity_is_named_and_nothing_is_left(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    before = sorted(here.iterdir())
    code, out, err = init()
    assert (code, out) == (1, "")
    assert err == (
        'error: Git does not know who you are; git config --global user.name "..." and user.email\n'
    )
    assert sorted(here.iterdir()) == before


# ------------------------------------------------------------------ killed


def in_a_child(words: list[str]) -> int:
    """Run the command line in a child of its own; give its exit code, -9 when it was killed."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        code = 99
        try:
            code = cli.run(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_kill_at_any_call_of_git_leaves_nothing_half_written(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module("tidegate.commands.init")
    (here / "bin").mkdir()
    count, script = here / "count", here / "bin/git"
    monkeypatch.setenv("PATH", f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}")
    words, codes = ["init", "fleet", *WORDS, "--sites", "plants.csv"], []
    while 0 not in codes:
        count.write_bytes(b"")
        script.write_text(
            f'#!/bin/sh\necho >> {count}\n{shutil.which("git", path="/usr/bin:/bin")} "$@"\n'
            f"code=$?\n[ $(wc -l < {count}) -ne {len(codes) + 1} ] || kill -9 $PPID\nexit $code\n"
        )
        script.chmod(0o755)
        codes.append(in_a_child(words))
        assert (here / "fleet").exists() is (codes[-1] == 0)
    script.unlink()
    assert set(codes[:-1]) == {-9}
    assert len(codes) > 6
    assert_whole(here / "fleet")


def test_a_kill_at_any_moment_leaves_all_or_nothing(here: Path) -> None:
    words = [sys.executable, "-m", "tidegate.cli", "init"]
    killed = 0
    for number, seconds in enumerate((0.05, 0.3, 0.4, 0.5, 0.6, 0.7)):
        folder = here / str(number)
        process = subprocess.Popen(
            [*words, str(folder), *WORDS, "--sites", "plants.csv"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        if folder.exists():
            assert_whole(folder)
        assert init(str(folder))[0] == 0
        assert_whole(folder)
    assert killed > 0


# ------------------------------------------------------------------ hostile lists of sites

LONG = "x" * 300
ROW = "plant-1,eu,cpu,k3s-1\n"
NAME = "is not a name: use lower-case letters, digits and inner hyphens"
HOSTILE: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", [": the file is empty; first line: id,region,hardware,cluster"]),
    "blank": (b"\n\n", [": the file is empty; first line: id,region,hardware,cluster"]),
    "only a header": (HEADER.encode(), ["1: no sites below the header"]),
    "columns missing": (b"region\neu\n", ["1: the column 'id' is", "1: the column 'cluster' is"]),
    "column twice": (b"id,cluster,id\na,b,c\n", ["1: the column 'id' stands there twice"]),
    "column names": (
        b"id,cluster,../x,\xc3\xbc,a b\na,b,c,d,e\n",
        ["1: '../x' is not a column", "1: '\xfc' is not a column", "1: 'a b' is not a column"],
    ),
    "semicolons": (
        b"id;cluster\na;b\n",
        ["1: the column 'id'", "1: the column 'cluster'", "1: 'id;cluster' is not a column name"],
    ),
    "ids twice": (
        f"{HEADER}{ROW}plant-2,eu,cpu,k3s-2\n{ROW}{ROW}".encode(),
        ["4: site 'plant-1' already stands in line 2", "5: site 'plant-1' already stands in l"],
    ),
    "ids that clash by case": (
        f"{HEADER}{ROW}PLANT-1,eu,cpu,c\n".encode(),
        [f"3: site 'PLANT-1' {NAME}"],
    ),
    "a way out": (
        f"{HEADER}../x,eu,../y,c\n".encode(),
        [f"2: site '../x' {NAME}", "2: hardware pro"],
    ),
    "newline in a cell": (
        f'{HEADER}"a\nb",eu,cpu,c\n{ROW}"c\r\nd",eu,cpu,c\n'.encode(),
        [f"2: site 'a\\nb' {NAME}", f"5: site 'c\\r\\nd' {NAME}"],
    ),
    "300 characters": (
        f"{HEADER}{LONG},{LONG},{LONG},{LONG}\n".encode(),
        [f"2: {what}" for what in ("site 'xxxx", "region 'x", "hardware profile 'x", "cluster 'x")],
    ),
    "look-alikes": (
        f"{HEADER}pl\u0430nt,eu,cpu,k3s-\u0661\n".encode(),
        [r"2: id 'pl\u0430nt' holds characters that are not ASCII", r"2: cluster 'k3s-\u0661' hol"],
    ),
    "invisible": (
        f"{HEADER}a\u200b,eu,cpu,c\n".encode(),
        [r"2: id 'a\u200b' holds characters that are not ASCII"],
    ),
    "ragged": (
        f"{HEADER}a,eu,cpu\n{ROW}b,eu,cpu,c,d\n,\n".encode(),
        ["2: 3 cells, the header has 4", "4: 5 cells, the header has 4", "5: 2 cells, the header"],
    ),
    "cells empty": (
        f"{HEADER},eu,cpu,\nb,eu,,c\n".encode(),
        [
            "2: the column 'id' is empty",
            "2: the column 'cluster' is",
            "3: the column 'hardware' is",
        ],
    ),
    "NUL": (f"{HEADER}a\0b,eu,cpu,c\n".encode(), [f"2: site 'a\\x00b' {NAME}"]),
    "NUL in a label": (b"id,cluster,hardware,l\na,c,cpu,x\0\n", ["2: 'x\\x00' holds characters"]),
    "not UTF-8": (f"{HEADER}{ROW}".encode() + b"\xff,eu,cpu,c\n", ["3: not UTF-8"]),
    "UTF-16": (GOOD.encode("utf-16"), ["1: not UTF-8"]),
    "quote left open": (f'{HEADER}{ROW}"a,eu,cpu,c\n'.encode(), ["3: not CSV: unexpected end of"]),
    "one endless cell": (f"{HEADER}{'x' * 200_000},eu,cpu,c\n".encode(), ["2: not CSV: field lar"]),
    "formula": (
        f"{HEADER}=cmd(),eu,cpu,@x\n".encode(),
        [f"2: site '=cmd()' {NAME}", "2: cluster '"],
    ),
    "YAML in a cell": (
        f'{HEADER}a,eu,cpu,"c"", id: ""b"\n'.encode(),
        ["""2: cluster 'c", id: "b' holds characters that are not allowed"""],
    ),
    "template in a label": (b"id,cluster,hardware,l\na,c,cpu,\x1b[31m\n", ["2: '\\x1b[31m' holds"]),
    "many wrong": (
        (HEADER + "".join(f"X{n},eu,cpu,c\n" for n in range(40))).encode(),
        [f"{n + 2}: site 'X{n}' {NAME}" for n in range(40)],
    ),
    "20 MB": (HEADER.encode() + b"x" * 20_000_000, [": larger than 16777216 bytes"]),
}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkout of a fleet of 6 sites with a baseline."""
    origin = Origin.start(tmp_path_factory.mktemp("master"), fleet(6, 1))
    origin.must(baseline(12))
    git(origin.folder, "clone", "--quiet", f"file://{origin.folder}/origin.git", "checkout")
    return origin.folder / "checkout"


def assert_told(err: str, starts: list[str]) -> None:
    lines = err.splitlines()
    assert len(lines) == len(starts), err
    for line, start in zip(lines, starts, strict=True):
        separator = "" if start.startswith(":") else ":"
        assert line.startswith(f"error: plants.csv{separator}{start}"), (line, start)
        assert line.isprintable()
        assert len(line) < 300


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_list_is_refused_in_one_pass(here: Path, master: Path, name: str) -> None:
    data, starts = HOSTILE[name]
    (here / "plants.csv").write_bytes(data)
    code, out, err = init()
    assert (code, out) == (1, "")
    assert_told(err, starts)
    assert [place.name for place in here.iterdir()] == ["plants.csv"]

    head = git(master, "rev-parse", "HEAD")
    code, out, err = tidegate("site", "import", "plants.csv", "-C", master, "--env", EDGE)
    assert (code, out) == (1, "")
    assert_told(err, starts)
    assert git(master, "rev-parse", "HEAD") == head
    assert git(master, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode().rstrip(),
        b'"cluster",hardware,region,id\n"k3s-2",gpu, eu ,plant-2\n\nk3s-1,cpu,eu, plant-1\n\n',
    ],
    ids=["BOM and CRLF", "CR and no last one", "order, quotes, spaces, blank lines"],
)
def test_what_spreadsheets_write_is_read_alike(here: Path, data: bytes) -> None:
    (here / "plants.csv").write_bytes(data)
    assert init()[0] == 0
    assert (here / "fleet" / SHARD).read_text() == (
        '- {id: "plant-1", cluster: "k3s-1", region: "eu", hardware: "cpu"}\n'
        '- {id: "plant-2", cluster: "k3s-2", region: "eu", hardware: "gpu"}\n'
    )


def test_a_name_too_long_for_argo_cd_is_told_for_every_site(here: Path) -> None:
    ids = [f"{'p' * 40}-{number}" for number in range(3)]
    (here / "plants.csv").write_text(HEADER + "".join(f"{one},eu,cpu,c\n" for one in ids))
    code, _, err = init()
    assert (code, err.count("\n")) == (1, 3)
    for one, line in zip(ids, err.splitlines(), strict=True):
        assert line.startswith(f"error: the Application '{EDGE}-{MODEL}-{one}' would have 6")
    assert [place.name for place in here.iterdir()] == ["plants.csv"]


# ------------------------------------------------------------------ sites come and go


@pytest.fixture
def folder(master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout of 6 sites that may be changed, and stand in it."""
    place = tmp_path / "checkout"
    shutil.copytree(master, place, symlinks=True)
    monkeypatch.chdir(place)
    return place


MORE = "id,region,hardware,cluster,line\nplant-0009,asia,gpu,k3s-9,b\nplant-0008,asia,cpu,k3s-8,b\n"
ADD = ["site", "add", "plant-0008", "--cluster", "k3s-8", "--hardware", "cpu", "--region", "asia"]


def changed(folder: Path) -> list[str]:
    return git(folder, "diff", "--name-only", "HEAD~1", "HEAD").split()


def pointer(site: str) -> str:
    return f"sites/{EDGE}/{site}/{MODEL}/kustomization.yaml"


def test_an_import_adds_rows_and_pointers_and_nothing_else(folder: Path) -> None:
    before = (folder / SHARD).read_text()
    (folder.parent / "more.csv").write_text(MORE)
    code, out, err = tidegate("site", "import", "../more.csv", "--reason", "plants join")
    assert (code, err) == (0, "")
    assert out.endswith(" edge-k3s: 2 sites added, 8 now\n")
    assert set(changed(folder)) == {SHARD, PROJECT, pointer("plant-0008"), pointer("plant-0009")}
    text = (folder / SHARD).read_text()
    assert text.startswith(before)
    assert len(text.splitlines()) == len(before.splitlines()) + 2
    assert "Reason: plants join" in git(folder, "log", "-1", "--format=%B")
    head = git(folder, "rev-parse", "HEAD")
    words = ["site", "import", "../more.csv", "--exit-code"]
    assert tidegate(*words) == (3, "", "nothing to do: that is how it stands already\n")
    assert git(folder, "rev-parse", "HEAD") == head
    assert git(folder, "status", "--porcelain") == ""


def test_an_import_that_changes_a_row_is_refused_whole(folder: Path) -> None:
    (folder.parent / "more.csv").write_text(f"{MORE}plant-0001,mars,cpu,other,a\n")
    head = git(folder, "rev-parse", "HEAD")
    code, out, err = tidegate("site", "import", "../more.csv")
    assert (code, out) == (1, "")
    assert err == (
        "error: ../more.csv:4: site 'plant-0001' is there already, with other values; "
        f"edit {SHARD} instead\n"
    )
    assert git(folder, "rev-parse", "HEAD") == head


def test_an_import_with_other_columns_is_refused_for_every_row(folder: Path) -> None:
    (folder.parent / "more.csv").write_text(f"{HEADER}plant-8,eu,cpu,c\nplant-9,eu,cpu,d\n")
    code, _, err = tidegate("site", "import", "../more.csv")
    assert code == 1
    told = "the label columns differ from those there; there: line"
    assert err == "".join(f"error: ../more.csv:{line}: {told}\n" for line in (2, 3))


def test_a_site_that_is_added_and_removed_leaves_the_tree_as_it_was(folder: Path) -> None:
    before = git(folder, "rev-parse", "HEAD^{tree}")
    assert tidegate(*ADD, "--label", "line=b")[0] == 0
    assert set(changed(folder)) == {SHARD, PROJECT, pointer("plant-0008")}
    assert tidegate(*ADD, "--label", "line=b", "--exit-code")[0] == 3
    code, out, err = tidegate("site", "remove", "plant-0008", "--reason", "closed")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        "Argo CD and Flux keep what they had for removed sites; when nothing runs there:",
        f"  kubectl -n argocd delete application {EDGE}-{MODEL}-plant-0008",
    ]
    assert git(folder, "rev-parse", "HEAD^{tree}") == before
    assert not (folder / pointer("plant-0008")).exists()


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        (
            "argocd-pull",
            [f"kubectl -n argocd delete application {EDGE}.plant-0002 {EDGE}-{MODEL}-plant-0002"],
        ),
        (
            "flux",
            [
                f"kubectl -n flux-system delete kustomization {EDGE}.plant-0002",
                f"kubectl -n flux-system delete kustomization {EDGE}-{MODEL}-plant-0002",
                f"kubectl -n flux-system delete gitrepository {EDGE}.plant-0002",
            ],
        ),
    ],
)
def test_what_a_removed_site_keeps_is_told(folder: Path, how: str, lines: list[str]) -> None:
    path = folder / layout.environment(EDGE)
    path.write_text(path.read_text().replace("delivery: argocd ", f"delivery: {how} "))
    git(folder, "commit", "-qam", "pull")
    assert tidegate("expand")[0] == 0
    code, out, _ = tidegate("site", "remove", "plant-0002", "--reason", "closed")
    assert code == 0
    assert tidegate("expand", "--exit-code")[0] == 3
    assert "error" not in tidegate("verify")[1]
    assert out.splitlines()[2:] == [f"  {line}" for line in lines]


def test_the_last_sites_are_not_removed(folder: Path) -> None:
    head = git(folder, "rev-parse", "HEAD")
    ids = [f"plant-{number:04d}" for number in range(1, 7)]
    code, out, err = tidegate("site", "remove", *ids)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: this would remove every site of {EDGE}; an empty fleet is nev")
    assert git(folder, "rev-parse", "HEAD") == head


def test_every_unknown_site_is_told(folder: Path) -> None:
    code, _, err = tidegate("site", "remove", "plant-0001", "nobody", "../x")
    assert code == 1
    assert [line.split(";")[0] for line in err.splitlines()] == [
        "error: there is no site 'nobody'",
        "error: there is no site '../x'",
    ]


def test_sites_come_and_go_without_a_checkout(folder: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), "origin.git")
    where = ["--repo", f"file://{tmp_path}/origin.git", "--state-dir", str(tmp_path / "state")]
    head = git(folder, "rev-parse", "HEAD")
    assert tidegate(*ADD, "--label", "line=b", *where)[0] == 0
    assert tidegate("site", "remove", "plant-0001", *where)[0] == 0
    origin = tmp_path / "origin.git"
    names = git(origin, "ls-tree", "--name-only", f"main:sites/{EDGE}").split()
    assert names == [f"plant-{number:04d}" for number in (2, 3, 4, 5, 6, 8)]
    assert git(folder, "rev-parse", "HEAD") == head


def test_a_person_s_comments_in_a_site_file_are_kept(folder: Path) -> None:
    text = f"# the fleet\n{(folder / SHARD).read_text()}# the end\n"
    (folder / SHARD).write_text(text)
    git(folder, "commit", "--quiet", "-am", "comments")
    assert tidegate(*ADD, "--label", "line=b")[0] == 0
    assert tidegate("site", "remove", "plant-0008")[0] == 0
    assert (folder / SHARD).read_text() == text
