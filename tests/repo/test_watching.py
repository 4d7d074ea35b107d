"""Aliases of a real MLflow store become pull requests on a forge that speaks the wire format."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from generator import layout
from generator.errors import InputError
from generator.forge import Secrets
from generator.registry import quiet
from generator.telling.results import results
from tests.builders import CLOUD, EDGE, IMAGE, MODEL, NOW, Origin, revert
from tests.forges.gitea import Gitea
from tests.forges.project import Bare, Person, Project
from tests.forges.server import Trouble
from tests.shell import tidegate
from tests.states import At
from tidegate.demo.registry import move_alias, seed, store_uri
from tidegate.place import Place
from tidegate.watching import Watcher

REFERENCE = f"{MODEL}@challenger"
TOKEN = "s3cr3t"


@dataclass
class Scene:
    """A fleet, its forge, and a registry with versions 1 to 4; `challenger` is 2."""

    origin: Origin
    forge: Gitea
    store: Path
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return self.forge.project

    @property
    def url(self) -> str:
        return f"file://{self.origin.folder}/origin.git"

    def watcher(self, *references: str) -> Watcher:
        where = Place(self.url, self.folder, self.folder / "state", NOW)
        secrets = Secrets(self.forge.url, TOKEN)
        told = references or (REFERENCE,)
        return Watcher(where, secrets, EDGE, told, store_uri(self.store), self.said.append)

    def tags(self, number: int) -> Mapping[str, str]:
        from mlflow import MlflowClient

        with quiet():
            uri = store_uri(self.store)
            found = MlflowClient(uri, uri).get_model_version(MODEL, str(number))
            names = ("tidegate.rollout", "tidegate.result", "tidegate.evidence")
        return {name: found.tags[name] for name in names if name in found.tags}

    def states(self) -> list[tuple[str, str]]:
        return [(one.branch.split("/")[-1].split("-")[0], one.state) for one in self.project.pulls]

    def forget(self, branch: str) -> None:
        """Take the pull request away, as if it had never been."""
        folder = str(self.origin.folder / "origin.git")
        argv = ["git", "-C", folder, "update-ref", "-d", f"refs/heads/{branch}"]
        subprocess.run(argv, check=True, timeout=60)
        self.project.pulls.clear()
        self.project.labels.clear()

    def merge(self) -> None:
        (pull,) = (one for one in self.project.pulls if one.state == "open")
        self.project.merge(pull, f"Merge {pull.title}")
        self.origin.refresh()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlflow")
    seed(folder, IMAGE)
    return folder


@pytest.fixture
def scene(at: At, seeded: Path, tmp_path: Path) -> Iterator[Scene]:
    move_alias(seeded, "challenger", 2)
    origin = at("stable")
    project = Project("acme/fleet", Bare(origin.folder / "origin.git"), NOW.timestamp)
    project.people = {TOKEN: Person("fleet-bot")}
    forge = Gitea(project)
    where = f'{{kind: "gitea", url: "{forge.url}", project: "acme/fleet"}}'
    origin.edit(layout.CONFIG, 'forge: "none"', f"forge: {where}")
    origin.edit(layout.CONFIG, '"mlflow-artifacts:"', f'"file://{seeded}/artifacts"')
    with forge.running():
        yield Scene(origin, forge, seeded, tmp_path)


def test_a_moved_alias_becomes_one_pull_request(scene: Scene) -> None:
    watcher = scene.watcher()
    assert watcher.look(NOW)
    (pull,) = scene.project.pulls
    assert pull.title.startswith(f"promote {MODEL} v2 to {EDGE} ")
    assert f"{REFERENCE} is version 2" in pull.body
    writes = len(scene.forge.writes)
    for again in (watcher, watcher, scene.watcher()):
        assert again.look(NOW)
    assert len(scene.forge.writes) == writes
    assert scene.said == []


@pytest.mark.timeout(600)
def test_killed_at_every_call_there_is_one_pull_request(scene: Scene) -> None:
    scene.watcher().look(NOW)
    calls = len(scene.forge.calls)
    (pull,) = scene.project.pulls
    for at in range(1, calls + 1):
        scene.forget(pull.branch)
        scene.forge.calls.clear()
        scene.forge.trouble = Trouble(at, "dark")
        assert not scene.watcher().look(NOW)
        scene.forge.trouble = Trouble()
        assert scene.watcher().look(NOW)
        (again,) = scene.project.pulls
        assert (again.branch, again.title) == (pull.branch, pull.title)


def test_a_newer_version_waits_or_supersedes_by_rule(scene: Scene) -> None:
    watcher = scene.watcher()
    watcher.look(NOW)
    move_alias(scene.store, "challenger", 3)
    assert not watcher.look(NOW)
    assert "waits" in scene.said[-1]
    told = len(scene.said)
    watcher.look(NOW)
    assert len(scene.said) == told  # a trouble is said once
    path = layout.rollout(EDGE, MODEL)
    scene.origin.edit(path, "onNewVersion: refuse", "onNewVersion: supersede")
    assert watcher.look(NOW)
    assert scene.states() == [("v2", "closed"), ("v3", "open")]
    # What a machine closed, and what a person closes, is not opened again by a machine.
    move_alias(scene.store, "challenger", 2)
    watcher.look(NOW)
    assert scene.states() == [("v2", "closed"), ("v3", "open")]
    assert "was closed; to open it again: tidegate promote" in scene.said[-1]


def test_what_was_rolled_out_before_is_not_proposed_again(scene: Scene) -> None:
    watcher = scene.watcher()
    watcher.look(NOW)
    scene.merge()
    assert watcher.look(NOW)
    assert scene.states() == [("v2", "merged")]
    scene.origin.must(revert())
    assert scene.watcher().look(NOW)
    assert scene.states() == [("v2", "merged")]
    why = "was rolled out before; for once more: tidegate promote"
    assert [text for text in scene.said if why in text]


def test_results_are_written_back(scene: Scene) -> None:
    watcher, before = scene.watcher(), scene.tags(2)  # the store is that of other tests, too
    watcher.look(NOW)
    assert scene.tags(2) == before
    scene.merge()
    watcher.look(NOW)
    name = scene.origin.view.rollout().id
    expected = {"tidegate.rollout": name, "tidegate.result": f"{EDGE}: Progressing at 5%"}
    assert scene.tags(2) == expected
    scene.origin.must(revert())
    watcher.look(NOW)
    assert scene.tags(2) == {**expected, "tidegate.result": f"{EDGE}: Reverted"}


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (f"{MODEL}@nobody", f"MLflow has no {MODEL}@nobody"),
        ("ghost@champion", "ghost"),
    ],
)
def test_what_is_not_there_is_said_and_stops_nothing(
    scene: Scene, reference: str, text: str
) -> None:
    scene.watcher(reference, REFERENCE).look(NOW)
    assert text in scene.said[0]
    assert scene.states() == [("v2", "open")]


def test_a_registry_or_remote_that_is_down_is_said(scene: Scene, tmp_path: Path) -> None:
    watcher = scene.watcher()
    watcher.registry = store_uri(tmp_path / "gone")
    assert not watcher.look(NOW)
    assert scene.project.pulls == []
    watcher = scene.watcher()
    watcher.where = Place(f"file://{tmp_path}/none.git", tmp_path, tmp_path / "state", NOW)
    assert not watcher.look(NOW)


def test_without_a_forge_it_refuses(at: At, seeded: Path, tmp_path: Path) -> None:
    origin = at("stable")
    where = Place(f"file://{origin.folder}/origin.git", tmp_path, tmp_path / "state", NOW)
    watcher = Watcher(where, Secrets(), EDGE, (REFERENCE,), store_uri(seeded), print)
    with pytest.raises(InputError, match="no forge to open a pull request on"):
        watcher.look(NOW)


def test_results_of_two_environments_are_told_together(at: At) -> None:
    (one,) = results(at("full").view.repository)
    assert one.results == (f"{CLOUD}: Progressing at 100%", f"{EDGE}: Progressing at 100%")
    assert len(one.rollouts) == 2


def words(scene: Scene, *more: str) -> list[str]:
    registry = ("--registry", store_uri(scene.store))
    place = ("--repo", scene.url, "--state-dir", str(scene.folder / "state"))
    return ["watch-registry", REFERENCE, "--env", EDGE, *registry, *place, *more]


def test_the_command_makes_one_pass(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_FORGE_TOKEN", TOKEN)
    monkeypatch.setenv("TIDEGATE_FORGE_URL", scene.forge.url)
    code, out, err = tidegate(*words(scene, "--once"))
    assert code == 0, err
    assert out.startswith(f"{scene.forge.url}/acme/fleet/")
    assert scene.states() == [("v2", "open")]


def test_a_signal_ends_it_at_once(scene: Scene) -> None:
    env = {"TIDEGATE_FORGE_TOKEN": TOKEN, "TIDEGATE_FORGE_URL": scene.forge.url}
    argv = [sys.executable, "-m", "tidegate.cli", *words(scene, "--every", "3600")]
    process = subprocess.Popen(argv, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not scene.project.pulls and time.monotonic() < until:
            time.sleep(0.1)
        assert scene.states() == [("v2", "open")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("challenger",), "name an alias as MODEL@ALIAS"),
        ((REFERENCE, "--every", "1"), "at least 5 seconds"),
    ],
)
def test_the_command_refuses(tmp_path: Path, more: tuple[str, ...], text: str) -> None:
    code, _, err = tidegate("watch-registry", *more, "--env", EDGE, "-C", str(tmp_path))
    assert code == 1
    assert text in err
