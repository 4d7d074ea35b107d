"""The image of the reconciler, as far as it can be tried without building one."""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Containerfile").read_text()
OWN_SETTINGS = ("GIT_", "TIDEGATE_", "PYTHON")


def instructions() -> list[tuple[str, str]]:
    """Give name and words of each instruction, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).split("\n")
    pairs = (line.partition(" ") for line in lines if line.strip())
    return [(name, rest.strip()) for name, _, rest in pairs]


def words_of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def copies() -> list[tuple[list[str], str]]:
    """Give sources and target of each COPY from the checkout."""
    found = [shlex.split(rest) for rest in words_of("COPY") if not rest.startswith("--from")]
    return [(words[:-1], words[-1]) for words in found]


def ignored(path: str) -> bool:
    """Read .dockerignore: the last line that matches counts."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and line[0] != "#" and fnmatch.fnmatch(path.partition("/")[0], pattern):
            verdict = not line.startswith("!")
    return verdict


def test_no_base_floats_and_none_is_made_up() -> None:
    assert words_of("ARG") == ["BASE"]
    assert words_of("FROM") == ["${BASE} AS build", "${BASE}"]
    named = re.findall(r"sha256:(\S+)", TEXT)
    assert named == ["<digest>"]


def test_every_source_is_there_and_in_the_context() -> None:
    sources = [source for found, _ in copies() for source in found]
    assert sorted(sources) == ["generator", "pyproject.toml", "reconciler", "uv.lock"]
    assert all((ROOT / source).exists() for source in sources)
    assert [source for source in sources if ignored(source)] == []
    rest = {path.name for path in ROOT.iterdir()} - set(sources)
    assert {name for name in rest if not ignored(name)} == set()


def test_it_is_not_root_and_starts_the_loop() -> None:
    assert instructions()[-1] == ("ENTRYPOINT", '["python", "-m", "reconciler"]')
    assert words_of("USER") == ["65532:65532"]
    assert [name for name, _ in instructions()].index("USER") > TEXT.count("ARG")


def test_git_is_there_and_nothing_is_installed_without_a_hash() -> None:
    (apt,) = (rest for rest in words_of("RUN") if "apt-get install" in rest)
    assert "--no-install-recommends ca-certificates git" in apt
    pip = [rest for rest in words_of("RUN") if "pip install" in rest]
    assert ["--require-hashes" in one or "uv==" in one for one in pip] == [True, True]
    wanted = (ROOT / ".ci" / "install").read_text()
    assert re.findall(r"uv==[\d.]+", TEXT) == re.findall(r"uv==[\d.]+", wanted)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the commands of the first stage below a folder, with this Python as its base."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "src").mkdir()
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    first = instructions()[: [rest for _, rest in instructions()].index("${BASE}")]
    for name, rest in first:
        if name == "COPY":
            *sources, target = shlex.split(rest)
            for source in sources:
                put(ROOT / source, folder / "src" if target == "./" else Path(f"{folder}{target}"))
        elif name == "RUN":
            run(folder, rest.replace("/opt/", f"{folder}/opt/"))
    return folder


def put(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def run(folder: Path, command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
    try:
        ran = subprocess.run(
            ["sh", "-euc", command],
            cwd=folder / "src",
            env={**kept, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=400,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("not run: installing took more than 400 s here")
    if "pip install" in command and re.search(
        "No matching|Max retries|Name or service", ran.stderr
    ):
        pytest.skip("not run: the package index does not answer")
    assert ran.returncode == 0, ran.stderr


def start(stage: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start the entry point with the environment of the image and nothing else."""
    app = stage / "opt" / "tidegate"
    return subprocess.run(
        [str(app / "bin" / "python"), "-m", "reconciler", *words],
        env={"PATH": os.defpath, "PYTHONPATH": str(app / "app"), "PYTHONSAFEPATH": "1", **settings},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=200,  # the first import of the Kubernetes client, on a busy machine
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_it_installs_runs_the_reconciler(stage: Path, tmp_path: Path) -> None:
    told = start(stage, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert "TIDEGATE_LISTEN" in told.stdout
    lost = start(
        stage, "--once", TIDEGATE_REPO=f"file://{tmp_path}/none", TIDEGATE_STATE_DIR=str(tmp_path)
    )
    assert lost.returncode == 1
    assert '"level": "error"' in lost.stdout
    hub = start(
        stage,
        "--once",
        TIDEGATE_REPO=f"file://{tmp_path}/none",
        TIDEGATE_STATE_DIR=str(tmp_path),
        TIDEGATE_KUBECONFIG="in-cluster",
    )
    assert hub.returncode == 1
    assert "No module" not in hub.stderr + hub.stdout
    assert "Traceback" not in hub.stderr
