"""What CI does with a pull request: real Git, forges that speak the real wire format."""

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from generator import layout
from generator.changes import ChangeSet
from generator.errors import InputError
from generator.expand import differences
from generator.gitrepo.commit import build
from generator.gitrepo.process import Git
from generator.gitrepo.sending import Target, send
from generator.gitrepo.snapshot import Snapshot
from generator.repository import Repository
from tests.builders import ADA, EDGE, MODEL, NOW, Origin, fleet
from tests.forges.gitea import Gitea
from tests.forges.github import GitHub
from tests.forges.gitlab import GitLab
from tests.forges.project import Bare, Person, Project, Pull, Said
from tests.forges.server import Forge
from tests.shell import tidegate
from tests.states import ROLLOUT, At

ROOT = Path(__file__).resolve().parents[2]
KINDS = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
TOKEN = "s3cr3t"
TWO = "approvals:\n- {environment: edge-k3s, count: 1, of: [ada, ben]}"
UP = f"percent up of {EDGE}/{MODEL} (5% -> 10%)"


@dataclass
class Scene:
    """A pull request that edits one line, and its forge."""

    origin: Origin
    forge: Forge
    folder: Path
    kind: str
    monkeypatch: pytest.MonkeyPatch

    @property
    def project(self) -> Project:
        return self.forge.project

    @property
    def pull(self) -> Pull:
        (found,) = self.project.pulls
        return found

    def head(self) -> str:
        found = self.project.branches.head("bump")
        assert found is not None
        return found

    def at(self, commit: str) -> Repository:
        return Repository(Snapshot(self.origin.git, commit))

    def commit(self, files: dict[str, bytes]) -> str:
        """Push a commit to the branch."""
        base = self.project.branches.head("bump") or self.origin.fetch().commit
        made = build(self.origin.git, ChangeSet(base, files, "bump it"), ADA, NOW)
        self.origin.git.run("update-ref", "refs/heads/bump", made)
        return made

    def bump(self, percent: str = "10") -> str:
        before = (self.origin.fetch().read(ROLLOUT) or b"").decode()
        return self.commit(
            {ROLLOUT: before.replace("percent: 5 ", f"percent: {percent} ").encode()}
        )

    def clone(self, head: str) -> None:
        """Check the newest commit out, as CI does."""
        url = str(self.origin.folder / "origin.git")
        subprocess.run(["git", "clone", "-q", url, self.folder], check=True)
        subprocess.run(["git", "-C", self.folder, "switch", "-q", "--detach", head], check=True)

    def told(self, head: str, source: str = "acme/fleet") -> None:
        """Set what CI of this forge says."""
        if self.kind == "gitlab":
            variables = {
                "CI_MERGE_REQUEST_IID": "1",
                "CI_MERGE_REQUEST_PROJECT_PATH": "acme/fleet",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": source,
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "bump",
                "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
                "CI_COMMIT_SHA": head,
            }
        else:
            pull = {
                "number": 1,
                "head": {"ref": "bump", "sha": head, "repo": {"full_name": source}},
                "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": "acme/fleet"}},
            }
            file = self.folder.with_name("event.json")
            file.write_text(json.dumps({"pull_request": pull}))
            variables = {"GITHUB_EVENT_PATH": str(file)}
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def check(self, token: str = TOKEN) -> tuple[int, str, str]:
        self.monkeypatch.setenv("TIDEGATE_FORGE_TOKEN", token)
        self.monkeypatch.setenv("TIDEGATE_FORGE_URL", self.forge.url)
        return tidegate("check-pr", "--no-engines", "-C", self.folder)

    def lights(self, head: str) -> dict[str, str]:
        return {name: mark.light for name, mark in self.project.lights(head).items()}

    def remarks(self) -> list[str]:
        return [one.text for one in self.pull.comments]


def made(
    kind: str, at: At, folder: Path, monkeypatch: pytest.MonkeyPatch, policy: str = ""
) -> Iterator[Scene]:
    origin = at("climbing")
    project = Project("acme/fleet", Bare(origin.folder / "origin.git"), NOW.timestamp)
    project.people = {TOKEN: Person("fleet-bot", is_bot=True)}
    forge = KINDS[kind](project)
    where = f'{{kind: "{kind}", url: "{forge.url}", project: "acme/fleet"}}'
    config = (origin.fetch().read(layout.CONFIG) or b"").decode()
    config = config.replace('forge: "none"', f"forge: {where}")
    config = config.replace('allow: ["mlflow-artifacts:"]', 'allow: ["s3://models"]')
    origin.put(layout.CONFIG, config.replace("approvals: []", policy or "approvals: []").encode())
    with forge.running():
        yield Scene(origin, forge, folder / "work", kind, monkeypatch)


@pytest.fixture(params=KINDS)
def scene(
    request: pytest.FixtureRequest, at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    yield from made(str(request.param), at, tmp_path, monkeypatch)


@pytest.fixture
def github(at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    yield from made("github", at, tmp_path, monkeypatch)


def opened(scene: Scene, head: str) -> None:
    scene.project.open_pull(Person("ada"), "bump", "more sites")
    scene.clone(head)
    scene.told(head)


# ------------------------------------------------------------------ expansion


def test_a_bump_is_expanded_judged_and_told(scene: Scene) -> None:
    head = scene.bump()
    opened(scene, head)
    code, out, err = scene.check()
    new = scene.head()
    assert (code, new != head) == (0, True), out + err
    assert out.splitlines()[-1].endswith(f": 6 files, {UP}: may be merged")
    assert f"pushed {new[:12]} to bump: the sites follow the percentage\n" in err
    assert scene.origin.git.run("rev-parse", f"{new}^").decode().strip() == head
    assert not differences(scene.at(new), EDGE, MODEL)
    said = scene.origin.git.run("log", "-1", "--format=%B", new).decode()
    assert said.startswith(f"{MODEL} {EDGE}: 5% -> 10% (5 -> 10 of 100 sites)\n")
    assert f"Requested-By: {ADA}\nReason: follows {head[:12]}\n" in said
    assert "Rollout-Percent: 5->10\n" in said
    assert (scene.lights(head), "tidegate/verify" in scene.lights(new)) == ({}, True)
    assert scene.lights(new)["tidegate/verify"] == "success"
    (remark,) = scene.remarks()
    assert f"**This may be merged**: `{UP}`" in remark
    assert "Re-renders 5 Applications: `plant-" in remark
    assert f"`tidegate revert {MODEL} --env {EDGE} --reason ...`" in remark


def test_again_nothing_is_pushed_and_nothing_said_twice(scene: Scene) -> None:
    opened(scene, scene.bump())
    scene.check()
    new, writes = scene.head(), len(scene.forge.writes)
    subprocess.run(["git", "-C", scene.folder, "fetch", "-q"], check=True)
    scene.told(new)
    assert scene.check()[0] == 0
    assert (scene.head(), len(scene.forge.writes)) == (new, writes)


def test_a_rerun_of_the_older_commit_finds_that_the_branch_went_on(github: Scene) -> None:
    opened(github, github.bump())
    github.check()
    new = github.head()
    code, _, err = github.check()
    assert (code, github.head()) == (6, new)
    assert err.endswith("error: somebody else has pushed to bump: that commit is judged instead\n")


def test_where_it_may_not_push_it_says_the_command(github: Scene) -> None:
    head = github.bump()
    opened(github, head)
    hook = github.origin.folder / "origin.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no robots >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    code, _, err = github.check()
    assert (code, github.head()) == (1, head)
    assert "the sites do not follow the percentage yet, and the push to bump was refused" in err
    assert "no robots" in err
    command = f"git switch bump && tidegate expand {MODEL} --env {EDGE} && git push"
    assert err.rstrip().endswith(command)


def test_a_bump_with_another_edit_is_not_expanded(github: Scene) -> None:
    head = github.bump()
    head = github.commit({"CODEOWNERS": b"* @eve\n"})
    opened(github, head)
    code, out, _ = github.check()
    assert (code, github.head()) == (1, head)
    assert "[gate-guard] what judges or shows a change is edited together with a move" in out
    assert github.lights(head)["tidegate/verify"] == "failure"
    assert "**This must not be merged**" in github.remarks()[0]


def test_a_fork_is_neither_pushed_to_nor_told_anything(github: Scene) -> None:
    head = github.bump()
    opened(github, head)
    github.told(head, "eve/fleet")
    code, _, err = github.check()
    assert (code, github.head(), github.forge.writes) == (1, head, [])
    assert "the sites do not follow the percentage yet: the branch lies in a fork; git" in err


def test_without_a_token_it_is_expanded_and_judged_alone(github: Scene) -> None:
    opened(github, github.bump())
    code, out, _ = github.check(token="")
    assert (code, github.forge.calls) == (0, [])
    assert out.splitlines()[-1].endswith(f"{UP}: may be merged")


# ------------------------------------------------------------------ approvals


def test_an_approval_is_of_the_newest_commit(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scene in made("github", at, tmp_path, monkeypatch, TWO):
        head = scene.bump()
        opened(scene, head)
        ben = Person("ben")
        scene.pull.reviews.append(Said(ben, "APPROVED", head, 0.0))
        code, out, _ = scene.check()
        new = scene.head()
        assert (code, scene.lights(new)["tidegate/verify"]) == (1, "pending")
        text = f"{EDGE} needs 1 approval of ada, ben on {new[:12]}, has 0; ben approved the older"
        assert f"[gate-approval] {text} {head[:12]}; fix: ask them at {scene.forge.url}" in out
        assert "**This has to wait**" in scene.remarks()[0]
        scene.pull.reviews += [
            Said(Person("ada"), "APPROVED", new, 1.0),  # its author
            Said(ben, "APPROVED", new, 2.0),
        ]
        scene.told(new)
        subprocess.run(["git", "-C", scene.folder, "fetch", "-q"], check=True)
        code, out, _ = scene.check()
        assert (code, scene.lights(new)["tidegate/verify"]) == (0, "success"), out
        (remark,) = scene.remarks()
        assert "**This may be merged**" in remark


# ------------------------------------------------------------------ the generated scripts


def github_script() -> str:
    jobs = yaml.safe_load(fleet()[".github/workflows/tidegate.yml"])["jobs"]
    (found,) = (step["run"] for step in jobs["check-pr"]["steps"] if "run" in step)
    return str(found)


def gitlab_script() -> str:
    return "\n".join(yaml.safe_load(fleet()[".gitlab-ci.yml"])["tidegate/check-pr"]["script"])


def run(scene: Scene, script: str) -> tuple[int, str]:
    """Run a script of the generated CI in its clone, with only what CI has."""
    command = f"{sys.executable} -P -m tidegate.cli"
    more = {
        "BASE": "main",
        "CI": "true",
        "TIDEGATE": command,
        "PYTHONPATH": str(ROOT),
        "TIDEGATE_FORGE_TOKEN": TOKEN,
        "TIDEGATE_FORGE_URL": scene.forge.url,
        "GIT_CONFIG_GLOBAL": str(scene.folder.with_name("gitconfig")),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=scene.folder,
        capture_output=True,
        text=True,
        env={**os.environ, **more},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("script", [github_script, gitlab_script])
def test_the_script_of_ci_does_it_all_in_a_clean_clone(github: Scene, script: object) -> None:
    head = github.bump()
    opened(github, head)
    assert callable(script)
    code, said = run(github, script())
    assert code == 0, said
    assert github.lights(github.head())["tidegate/verify"] == "success"
    assert f"{UP}: may be merged" in said


def test_the_makefile_of_the_branch_is_never_made(github: Scene) -> None:
    noop = b"TIDEGATE := true\nverify check-pr expand trust:\n\t@touch stolen\n"
    head = github.bump()
    head = github.commit({"Makefile": noop, "GNUmakefile": noop})
    opened(github, head)
    code, said = run(github, github_script())
    assert code != 0
    assert "[gate-guard] what judges or shows a change is edited together with a move" in said
    assert not (github.folder / "stolen").exists()
    assert github.lights(head)["tidegate/verify"] == "failure"


def test_code_that_the_branch_brings_is_never_imported(github: Scene) -> None:
    evil = b"import pathlib\npathlib.Path('stolen').touch()\n"
    github.bump()
    head = github.commit({"tidegate/__init__.py": evil, "click.py": evil, "sitecustomize.py": evil})
    opened(github, head)
    code, said = run(github, github_script())
    assert code != 0, said
    assert not (github.folder / "stolen").exists()


# ------------------------------------------------------------------ the token


class Recorder(BaseHTTPRequestHandler):
    """Remembers what a Git client shows, and refuses it."""

    seen: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(302 if "away" in self.path else 403)
        self.send_header("Location", "/elsewhere.git/info/refs?service=git-receive-pack")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("name", ["fleet", "away"])
def test_the_token_goes_to_the_one_place_and_stands_in_no_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "http")
    Recorder.seen = []
    origin = Origin.start(tmp_path, {"a": b"1"})
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/acme/{name}.git"
        commit = origin.git.run("rev-parse", "main").decode().strip()
        with pytest.raises(InputError, match="the push to bump was refused") as told:
            send(Git(tmp_path / "origin.git"), Target(url, "oauth2", TOKEN), commit, "bump")
    finally:
        server.shutdown()
        server.server_close()
    pair = base64.b64encode(f"oauth2:{TOKEN}".encode()).decode()
    assert {one for _, one in Recorder.seen} == {f"Basic {pair}"}
    assert {path.partition("/info")[0] for path, _ in Recorder.seen} == {f"/acme/{name}.git"}
    assert TOKEN not in str(told.value) + repr(Target(url, "oauth2", TOKEN))
    assert pair not in str(told.value)
