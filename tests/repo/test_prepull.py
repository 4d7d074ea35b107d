"""The script that a site runs to pull its images ahead of time, with real shells and Git."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator import layout
from tests.builders import EDGE, IMAGE, MODEL, Origin, baseline, fleet, promote

SCRIPT = f"environments/{EDGE}/k3s/prepull.sh"
SHELLS = tuple(name for name in ("dash", "bash", "busybox") if shutil.which(name))
DIGEST = "sha256:" + "ab" * 32
OTHER = f"registry.example.com/tools/exporter:2@{DIGEST}"
ROLLOUT = layout.rollout(EDGE, MODEL)
GIT = shutil.which("git") or "git"


class Plant:
    """One site: its folders, and the repository it reads."""

    def __init__(self, folder: Path, url: str, script: bytes) -> None:
        self.folder = folder
        self.images = folder / "agent/images"
        self.list = self.images / "tidegate-images.txt"
        self.script = folder / "prepull.sh"
        folder.mkdir(parents=True, exist_ok=True)
        self.script.write_bytes(script)
        self.settings = {
            "TIDEGATE_REPOSITORY": url,
            "TIDEGATE_IMAGES": str(self.images),
            "TIDEGATE_STATE": str(folder / "state"),
        }

    def run(
        self, shell: str = "dash", path: str = "", **changed: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in os.environ if name.startswith("GIT_")}
        settings = {
            **kept,
            "PATH": path or os.environ["PATH"],
            "HOME": str(self.folder),
            **self.settings,
            **changed,
        }
        words = ["busybox", "sh"] if shell == "busybox" else [shell]
        command = [*words, str(self.script)]
        return subprocess.run(
            command, env=settings, cwd=self.folder, capture_output=True, text=True, timeout=60
        )

    def pull(self) -> str:
        """Run it where nothing is wrong; give what it says."""
        done = self.run()
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def fail(self, **changed: str) -> str:
        done = self.run(**changed)
        assert done.returncode == 1, done
        return done.stderr

    def listed(self) -> list[str]:
        return self.list.read_text().splitlines()

    def left(self) -> list[str]:
        """List all files beside the list that a run leaves in the images folder."""
        return sorted(p.name for p in self.images.iterdir() if p != self.list)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    have = Origin.start(tmp_path / "git", fleet(sites=100))
    have.must(baseline(12))
    return have


@pytest.fixture
def plant(tmp_path: Path, origin: Origin) -> Plant:
    url = f"file://{origin.folder}/origin.git"
    return Plant(tmp_path / "plant", url, origin.view.files[SCRIPT])


def image_file(origin: Origin, *, canary: bool = False) -> str:
    rollout = origin.view.rollout()
    name = rollout.canary if canary else rollout.stable
    return f"{layout.release(EDGE, MODEL, name)}/images.txt"


# ------------------------------------------------------------------ the good days


@pytest.mark.parametrize("shell", SHELLS)
def test_the_images_of_the_stable_release_are_listed(plant: Plant, shell: str) -> None:
    done = plant.run(shell)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "tidegate-prepull: 1 images listed\n",
        "",
    )
    assert plant.listed() == [IMAGE]
    assert plant.list.stat().st_mode & 0o777 == 0o644
    assert plant.left() == []


def test_a_canary_is_listed_before_its_site_s_turn_comes(plant: Plant, origin: Origin) -> None:
    plant.pull()
    path = f"{layout.profiles(MODEL)}/gpu/patch.yaml"
    new = f"      containers:\n      - name: exporter\n        image: {OTHER}\n"
    origin.edit(path, "      containers:\n", new)
    origin.must(promote(13))
    assert plant.pull() == "tidegate-prepull: 2 images listed\n"
    assert plant.listed() == [IMAGE, OTHER]


def test_nothing_new_writes_nothing(plant: Plant, origin: Origin) -> None:
    plant.pull()
    before = plant.list.stat().st_ino
    assert plant.pull() == ""  # the same commit: nothing is even fetched
    origin.put("README.md", b"# Ours\n")
    assert plant.pull() == "tidegate-prepull: 1 images, as before\n"
    assert plant.list.stat().st_ino == before


def test_a_list_that_somebody_deleted_comes_back(plant: Plant) -> None:
    plant.pull()
    plant.list.unlink()
    assert plant.pull() == "tidegate-prepull: 1 images listed\n"


def test_before_the_baseline_there_is_nothing_to_list(tmp_path: Path) -> None:
    have = Origin.start(tmp_path / "git", fleet(sites=100))
    url = f"file://{have.folder}/origin.git"
    plant = Plant(tmp_path / "plant", url, have.view.files[SCRIPT])
    assert plant.pull() == "tidegate-prepull: no release is out in edge-k3s; nothing to list\n"
    assert not plant.list.exists()
    have.must(baseline(12))
    plant.pull()
    assert plant.listed() == [IMAGE]


def test_only_what_is_read_is_fetched_where_the_server_can_leave_files_out(
    plant: Plant, origin: Origin
) -> None:
    origin.git.run("config", "uploadpack.allowFilter", "true")
    plant.pull()
    assert plant.listed() == [IMAGE]
    state = plant.folder / "state"
    out = subprocess.run(
        [GIT, "--git-dir", str(state / "git"), "cat-file", "--batch-all-objects", "--batch-check"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert out.count(" blob ") == 2
    origin.must(promote(13))
    plant.pull()
    assert plant.listed() == [IMAGE]


def test_a_rollout_that_a_person_wrote_with_quotes_and_comments_is_read(
    plant: Plant, origin: Origin
) -> None:
    name = origin.view.rollout().stable
    origin.edit(ROLLOUT, f"stable: {name}", f'stable:  "{name}"   # ours')
    plant.pull()
    assert plant.listed() == [IMAGE]


# ------------------------------------------------------------------ away


def test_a_site_that_is_offline_keeps_its_list(plant: Plant, origin: Origin) -> None:
    plant.pull()
    (origin.folder / "origin.git").rename(origin.folder / "away")
    said = plant.fail()
    assert said.startswith("tidegate-prepull: the repository cannot be reached: ")
    assert said.endswith("; the list stays as it is\n")
    assert plant.listed() == [IMAGE]
    (origin.folder / "away").rename(origin.folder / "origin.git")
    assert plant.pull() == ""


def test_a_link_that_breaks_within_a_fetch_keeps_the_list(plant: Plant, origin: Origin) -> None:
    plant.pull()
    origin.must(promote(13))
    folder = broken(plant, '[ "$1" = ls-remote ] || case " $* " in *" fetch "*) exit 128;; esac')
    assert "nothing could be fetched" in plant.fail(path=folder)
    assert plant.listed() == [IMAGE]
    assert plant.pull() == "tidegate-prepull: 1 images, as before\n"


@pytest.mark.parametrize("lock", ["shallow.lock", "config.lock", "refs/tidegate/head.lock", "HEAD"])
def test_what_a_kill_has_left_in_the_clone_is_no_obstacle(
    plant: Plant, origin: Origin, lock: str
) -> None:
    plant.pull()
    place = plant.folder / "state/git" / lock
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")
    origin.must(promote(13))
    plant.pull()
    assert plant.listed() == [IMAGE]


def broken(plant: Plant, words: str, *, names: tuple[str, ...] = ("git",)) -> str:
    """Put something before a program of the script; give the PATH that finds it first."""
    folder = plant.folder / "bin"
    folder.mkdir(exist_ok=True)
    for name in names:
        real = shutil.which(name)
        (folder / name).write_text(f'#!/bin/sh\n{words}\nexec {real} "$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


PROGRAMS = ("cat", "cmp", "git", "grep", "mkdir", "mv", "rm", "sed", "sort", "sync", "wc")


def test_a_kill_at_any_program_leaves_the_old_list_or_the_new_one(
    plant: Plant, origin: Origin
) -> None:
    plant.pull()
    path = f"{layout.base(MODEL)}/more.yaml"
    origin.put(path, f"kind: ConfigMap\ndata: {{a: '{OTHER}'}}\n".encode())
    origin.must(promote(13))
    kept = plant.folder / "kept"
    shutil.copytree(plant.images, kept / "images")
    shutil.copytree(plant.folder / "state", kept / "state")
    count, pid = plant.folder / "count", plant.folder / "pid"
    plant.script.write_text(f"echo $$ > {pid}\n{plant.script.read_text()}")
    codes: list[int] = []
    seen = set()
    while 0 not in codes:
        count.write_bytes(b"")
        shutil.rmtree(plant.images)
        shutil.rmtree(plant.folder / "state")
        shutil.copytree(kept / "images", plant.images)
        shutil.copytree(kept / "state", plant.folder / "state")
        # Only the first call of the wrapper counts, git calls git.
        words = (
            f'if [ -z "$COUNTED" ]; then echo >> {count}; '
            f"[ $(/usr/bin/wc -l < {count}) -ne {len(codes) + 1} ] || "
            f'{{ kill -9 "$(/bin/cat {pid})"; exit 1; }}; fi; COUNTED=1; export COUNTED'
        )
        folder = broken(plant, words, names=PROGRAMS)
        codes.append(plant.run(path=folder).returncode)
        seen.add(tuple(plant.listed()))
        assert tuple(plant.listed()) in ((IMAGE,), (IMAGE, OTHER))
        assert plant.run().returncode == 0
        assert (plant.listed(), plant.left()) == ([IMAGE, OTHER], [])
    assert set(codes) == {0, -signal.SIGKILL}
    assert len(codes) > 25
    assert len(seen) == 2


# ------------------------------------------------------------------ hostile text


def commit(origin: Origin, entries: Mapping[bytes, tuple[str, bytes]]) -> None:
    """Land files that no tool of ours would write: any mode, any path."""
    index = {"GIT_INDEX_FILE": str(origin.folder / "index")}
    where = [GIT, "--git-dir", str(origin.folder / "origin.git")]

    def git(*words: str, data: bytes = b"") -> str:
        return subprocess.run(
            [*where, *words], input=data, capture_output=True, check=True, env=os.environ | index
        ).stdout.decode()

    git("read-tree", "refs/heads/main")
    rows = b""
    for path, (mode, data) in entries.items():
        name = git("hash-object", "-w", "--stdin", data=data).strip()
        rows += f"{mode} {name}\t".encode() + path + b"\0"
    git("update-index", "-z", "--index-info", data=rows)
    tree = git("write-tree").strip()
    parent = git("rev-parse", "refs/heads/main").strip()
    made = git("commit-tree", tree, "-p", parent, "-m", "odd").strip()
    git("update-ref", "refs/heads/main", made)


@pytest.mark.parametrize(
    "data",
    [
        f"{IMAGE}\n$(touch {{trap}})\n".encode(),
        f"`touch {{trap}}`@{DIGEST}\n".encode(),
        f"-n@{DIGEST}\n".encode(),
        b"registry.example.com/models/server:latest\n",
        b"registry.example.com/models/server\n",
        f"registry.example.com/a b@{DIGEST}\n".encode(),
        f"{IMAGE}x\n".encode(),
        f"{IMAGE}\r\n".encode(),
        f"{IMAGE}\0\n".encode(),
        f"# {IMAGE}\n".encode(),
        f"{IMAGE}\n\n{IMAGE}\n".encode(),
        "\u202eregistry@sha256:".encode() + b"a" * 64,
        b"x" * 70_000,
        b"",
    ],
)
def test_a_list_of_another_form_is_refused_whole_and_the_old_one_stays(
    plant: Plant, origin: Origin, data: bytes
) -> None:
    plant.pull()
    trap = plant.folder / "trap"
    path = image_file(origin)
    origin.put(path, data.replace(b"{trap}", str(trap).encode()))
    said = plant.fail()
    assert said in (
        f"tidegate-prepull: {path} {why}; what was listed before stays listed\n"
        for why in ("cannot be read", "holds something else than images by digest")
    )
    assert plant.listed() == [IMAGE]
    assert not trap.exists()
    assert plant.left() == []
    assert plant.fail() == said  # it goes on saying so until somebody mends it


@pytest.mark.parametrize(
    "line",
    [
        "canary: ../../../../etc/passwd",
        "canary: v13-3f9a1c2b/../v13-3f9a1c2b",
        "canary: $(touch {trap})",
        "canary: v13-3f9a1c2b; touch {trap}",
        "canary: v1234567890-3f9a1c2b",
        "canary: v13-3F9A1C2B",
        "canary: latest",
        "canary : v13-3f9a1c2b",
        "canary: [v13-3f9a1c2b]",
        "canary: v13-3f9a1c2b",  # of the right form, but not there
    ],
)
def test_a_release_of_another_form_is_refused_and_the_others_are_listed(
    plant: Plant, origin: Origin, line: str
) -> None:
    trap = plant.folder / "trap"
    origin.edit(ROLLOUT, "stable: ", line.replace("{trap}", str(trap)) + "\nstable: ")
    said = plant.fail()
    assert said.startswith("tidegate-prepull: r")
    assert said.endswith("; what was listed before stays listed\n")
    assert plant.listed() == [IMAGE]
    assert not trap.exists()


def test_one_bad_model_holds_no_other(tmp_path: Path) -> None:
    have = Origin.start(tmp_path / "git", fleet(sites=100, models=(MODEL, "other-model")))
    have.must(baseline(12))
    have.must(baseline(12, model="other-model"))
    url = f"file://{have.folder}/origin.git"
    plant = Plant(tmp_path / "plant", url, have.view.files[SCRIPT])
    have.put(layout.rollout(EDGE, "other-model"), b"stable: [\n")
    assert "other-model.yaml names something else than a release" in plant.fail()
    assert plant.listed() == [IMAGE]


def test_what_the_repository_no_longer_says_stays_listed_while_something_is_wrong(
    plant: Plant, origin: Origin
) -> None:
    plant.pull()
    extra = f"registry.example.com/old@{DIGEST}"
    plant.list.write_text(f"{IMAGE}\n{extra}\n; rm -rf /\n")
    origin.edit(ROLLOUT, "stable: ", "canary: odd\nstable: ")
    plant.fail()
    assert plant.listed() == sorted([IMAGE, extra])
    origin.edit(ROLLOUT, "canary: odd\nstable: ", "stable: ")
    plant.pull()
    assert plant.listed() == [IMAGE]


def test_odd_names_links_and_folders_are_never_followed(plant: Plant, origin: Origin) -> None:
    trap = plant.folder / "trap"
    under = f"rollouts/{EDGE}/"
    good = f"stable: {origin.view.rollout().stable}\n".encode()
    outside = plant.folder / "outside.yaml"
    outside.write_bytes(good)
    commit(
        origin,
        {
            f"{under}$(touch {trap.name}).yaml".encode(): ("100644", good),
            f"{under}-rf.yaml".encode(): ("100644", good),
            f"{under}new\nline.yaml".encode(): ("100644", good),
            f"{under}\xff\xfe.yaml".encode("latin-1"): ("100644", good),
            f"{under}a b.yaml".encode(): ("100644", good),
            f"{under}UPPER.yaml".encode(): ("100644", good),
            f"{under}folder.yaml/x.yaml".encode(): ("100644", good),
            f"{under}link.yaml".encode(): ("120000", str(outside).encode()),
            b"rollouts/other/x.yaml": ("100644", b"stable: nothing\n"),
            b".gitattributes": ("100644", b"* filter=evil\n"),
        },
    )
    said = plant.fail().splitlines()
    assert [line.split(" cannot")[0] for line in said] == [
        f"tidegate-prepull: {under}folder.yaml"
    ]  # a link is a file without any release in it
    assert plant.listed() == [IMAGE]
    assert not list(plant.folder.rglob("trap*"))


def test_too_many_images_are_refused(plant: Plant, origin: Origin) -> None:
    plant.pull()
    names = [layout.rollout(EDGE, f"m{number}") for number in range(3)]
    release = origin.view.rollout().stable
    entries: dict[bytes, tuple[str, bytes]] = {}
    for number, path in enumerate(names):
        entries[path.encode()] = ("100644", f"stable: {release}\n".encode())
        lines = "".join(f"r/i{number}-{one}@{DIGEST}\n" for one in range(500))
        file = f"{layout.release(EDGE, f'm{number}', release)}/images.txt"
        entries[file.encode()] = ("100644", lines.encode())
    commit(origin, entries)
    assert "1501 images are more than 1000; the list stays as it is" in plant.fail()
    assert plant.listed() == [IMAGE]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TIDEGATE_REPOSITORY", ""),
        ("TIDEGATE_REPOSITORY", "--upload-pack=touch trap"),
        ("TIDEGATE_REPOSITORY", "ext::sh -c 'touch trap'"),
        ("TIDEGATE_REPOSITORY", "https://a b"),
        ("TIDEGATE_REPOSITORY", "http://git.example.com/fleet.git"),
        ("TIDEGATE_BRANCH", "-x"),
        ("TIDEGATE_BRANCH", "main\nx"),
        ("TIDEGATE_ENVIRONMENT", "../x"),
        ("TIDEGATE_ENVIRONMENT", "a/b"),
        ("TIDEGATE_IMAGES", "agent/images"),
        ("TIDEGATE_STATE", "/tmp/a b"),
    ],
)
def test_a_setting_that_cannot_be_is_named_before_anything_is_touched(
    plant: Plant, name: str, text: str
) -> None:
    assert plant.fail(**{name: text}).startswith(f"tidegate-prepull: {name} ")
    assert sorted(p.name for p in plant.folder.iterdir()) == ["prepull.sh"]


def test_a_branch_that_is_not_there_is_named(plant: Plant) -> None:
    assert "the repository has no branch x" in plant.fail(TIDEGATE_BRANCH="x")


def test_the_script_uses_nothing_that_runs_foreign_text(origin: Origin) -> None:
    text = origin.view.files[SCRIPT].decode()
    assert "\nset -eu\n" in text
    code = [line.split("   #")[0] for line in text.split("\n") if not line.startswith("#")]
    words = {word for line in code for word in line.replace("(", " ").replace(";", " ").split()}
    assert not words & {"eval", "source", ".", "xargs", "sh", "bash", "[[", "local", "function"}
