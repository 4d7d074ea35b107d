"""`tidegate diff` in real checkouts and on a remote."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import layout
from generator.gitrepo.checkout import Checkout
from generator.intents.setup import Answers
from generator.model.environment import Kind
from generator.repository import Repository
from tests.builders import (
    ADA,
    CLOUD,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    REMOTE,
    Intent,
    baseline,
    cluster,
    percent,
    plant,
    promote,
)
from tidegate.cli import run
from tidegate.starting import start

ROLLOUT = layout.rollout(EDGE, MODEL)
Engine = Callable[[str], str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a checkout with two baselines and a canary on 5 of 60 sites."""
    folder = tmp_path_factory.mktemp("made") / "fleet"
    kinds = {EDGE: Kind.EDGE, CLOUD: Kind.CLOUD}
    answers = Answers(kinds, (MODEL,), image=IMAGE, remote=REMOTE)
    rows = {EDGE: [plant(number) for number in range(1, 101)], CLOUD: [cluster(1)]}
    start(folder, answers, rows, NOW, ADA)
    for intent in (baseline(12), baseline(12, CLOUD), promote(13)):
        do(folder, intent)
    return folder


def do(folder: Path, intent: Intent) -> None:
    checkout = Checkout(folder)
    change = intent(Repository(checkout.head()))
    assert change is not None
    checkout.land(change, ADA, NOW)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "fleet", symlinks=True)
    return tmp_path / "fleet"


class Told:
    """What one call said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.code = 0
        try:
            self.code = run(["diff", *words])
        except SystemExit as stop:
            self.code = int(stop.code or 0)
        self.out, self.err = capsys.readouterr()

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def diff(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., Told]:
    capsys.readouterr()
    return lambda *words: Told(capsys, "-C", str(folder), "--no-engines", *words)


def test_a_clean_checkout_is_compared_with_the_commit_before(diff, folder):
    told = diff()
    assert told.code == 0
    assert f"{MODEL} on {EDGE}: 5 sites change, 95 stay as they are" in told.out
    assert "[canary]: v12-" in told.out
    assert "-    tidegate.dev/release: v12-" in told.out
    assert "+    tidegate.dev/release: v13-" in told.out
    assert f"image {IMAGE}, asked for as defect-detector@champion" in told.out
    assert "identical, but that each has its name" in told.out
    assert told.err.splitlines() == [
        "not run: kustomize (not asked for)",
        "not run: helm (not asked for)",
    ]


def test_an_edit_of_a_percent_shows_the_sites_that_will_follow(diff, folder):
    path = folder / ROLLOUT
    path.write_text(path.read_text().replace("percent: 5 ", "percent: 10 ", 1))
    told = diff("--json").data
    assert sum(group["count"] for group in told["groups"]) == 5
    assert told["files"] == {"rollouts": 1}
    assert told["to"].startswith("edits on ")
    assert diff("--head", "--json").data["to"] == told["to"].removeprefix("edits on ")
    assert Checkout(folder).dirty() == {ROLLOUT}


def test_an_edit_that_cannot_be_expanded_is_noted(diff, folder):
    path = folder / ROLLOUT
    path.write_text(path.read_text().replace("percent: 5 ", "percent: 5% ", 1))
    told = diff()
    assert told.code == 0
    assert told.out.startswith(f"note: {MODEL} on {EDGE} cannot be expanded: {ROLLOUT}:")
    assert "no site changes" in told.out


def test_a_change_of_a_base_reaches_no_site_yet(diff, folder):
    path = folder / layout.base(MODEL) / "service.yaml"
    path.write_text(path.read_text() + "# a word\n")
    assert (
        diff().out
        == "models: 1 file differs (takes effect with the next release)\nno site changes\n"
    )


def test_nothing_differs(diff):
    told = diff("HEAD", "--exit-code")
    assert (told.code, told.out) == (3, "nothing differs\n")
    assert diff("HEAD").code == 0


def test_a_branch_is_compared_with_where_it_left(diff, folder):
    git = Checkout(folder).git
    fork = git.run("rev-parse", "HEAD~1").decode().strip()
    git.run("update-ref", "refs/remotes/origin/main", fork)
    git.run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    do(folder, percent("10"))
    told = diff("--json").data
    assert told["from"] == fork
    assert sum(group["count"] for group in told["groups"]) == 10


def test_the_cloud_without_helm_shows_its_files(diff, folder):
    do(folder, promote(13, CLOUD))
    do(folder, percent("5", CLOUD))
    told = diff()
    assert "at 10000/0 -> stable" in told.out
    assert "at 9500/500" in told.out
    assert "(the files themselves; not run: helm (not asked for))" in told.out
    assert '+weights: {"v12-' in told.out


def test_a_remote_is_compared_by_its_url(folder, tmp_path, capsys):
    words = ("--repo", f"file://{folder}", "--state-dir", str(tmp_path / "state"), "--no-engines")
    told = Told(capsys, *words, "--json")
    assert sum(group["count"] for group in told.data["groups"]) == 5
    assert Told(capsys, *words, "main", "--exit-code").code == 3


@pytest.mark.parametrize("rev", ["gone", "--upload-pack=x", "HEAD:tidegate.yaml", ""])
def test_a_commit_that_is_not_there_is_named(folder, capsys, rev):
    told = Told(capsys, "-C", str(folder), "--no-engines", "--", rev)
    if rev:
        assert told.code == 1
        assert told.err.startswith(f"error: there is no commit {rev!r}")
    else:
        assert told.code == 0


def test_text_of_the_repository_cannot_speak_to_the_terminal(diff, folder):
    pointer = folder / layout.pointer(EDGE, "plant-0001", MODEL) / "kustomization.yaml"
    pointer.write_text(pointer.read_text().replace("plant-0001", "\x1b[31m\u202e"))
    (folder / "\x1b[31mred").write_text("x")
    for told in (diff(), diff("--json")):
        assert told.code == 0
        assert "\x1b" not in told.out
        assert "\u202e" not in told.out


def test_real_engines_render_the_sample(folder, capsys, engine: Engine):
    do(folder, promote(13, CLOUD))
    names = {"kustomize": engine("kustomize"), "helm": engine("helm")}
    words = [word for name, path in names.items() for word in (f"--{name}", path)]
    told = Told(capsys, "-C", str(folder), "HEAD~2", "--json", *words)
    plain = Told(capsys, "-C", str(folder), "HEAD~2", "--json", "--no-engines")
    assert told.code == 0
    rendered = {g["environment"]: g["sample"]["renderer"] for g in told.data["groups"]}
    assert rendered[EDGE].startswith("kustomize 5.")
    assert rendered[CLOUD].startswith("helm ")
    edge = [
        [g["sample"]["diff"] for g in each.data["groups"] if g["environment"] == EDGE]
        for each in (told, plain)
    ]
    assert edge[0] == edge[1]
    assert any("+++ Deployment" in line for line in told.data["groups"][0]["sample"]["diff"])
