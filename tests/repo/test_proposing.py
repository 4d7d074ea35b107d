"""A promotion as a pull request: real Git, and forges that speak the real wire format."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator import layout
from generator.errors import ConflictError, InputError, RemoteError
from generator.forge import Secrets
from generator.gitrepo.bare import Bare as Clone
from generator.gitrepo.offering import offer
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.repository import Repository
from generator.telling.promotion import Metrics
from reconciler.audit import audit
from tests.builders import ADA, EDGE, MODEL, NOW, Origin, percent, promote, version
from tests.forges.gitea import Gitea
from tests.forges.github import GitHub
from tests.forges.gitlab import GitLab
from tests.forges.project import Bare, Person, Project, Pull
from tests.forges.server import Forge, Trouble
from tests.shell import tidegate
from tests.states import At
from tidegate.place import Intent, Place
from tidegate.proposing import propose

KINDS = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
LINE = (EDGE, MODEL)
HEAD = f"promote/{EDGE}/{MODEL}/"
TOKEN = "s3cr3t"


def entering(number: int) -> Intent:
    def intent(have: Repository, asked: Asked) -> object:
        return intents.promote(have, EDGE, MODEL, version(number), asked)

    return intent  # type: ignore[return-value]


@dataclass
class Scene:
    """A fleet whose remote has a forge."""

    origin: Origin
    forge: Forge
    state: Path

    @property
    def project(self) -> Project:
        return self.forge.project

    def promote(self, number: int = 13, reason: str = "finds cracks", **more: object) -> str | None:
        where = Place(
            repo=f"file://{self.origin.folder}/origin.git",
            folder=self.state,
            state_dir=self.state / "state",
            now=NOW,
            reason=reason,
            person=ADA,
            **more,  # type: ignore[arg-type]
        )
        secrets = Secrets(self.forge.url, TOKEN)
        return propose(where, entering(number), LINE, secrets, lambda *_: Metrics())

    def git(self, *words: str) -> str:
        folder = self.origin.folder / "origin.git"
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def branches(self) -> list[str]:
        listed = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads/promote/")
        return listed.split()

    def merge(self, pull: Pull) -> None:
        self.project.merge(pull, f"Merge {pull.title}")
        self.origin.refresh()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(kind: str, at: At, tmp_path: Path) -> Iterator[Scene]:
    yield from made(kind, at("stable"), tmp_path)


@pytest.fixture
def github(at: At, tmp_path: Path) -> Iterator[Scene]:
    yield from made("github", at("stable"), tmp_path)


def made(kind: str, origin: Origin, folder: Path) -> Iterator[Scene]:
    project = Project("acme/fleet", Bare(origin.folder / "origin.git"), NOW.timestamp)
    project.people = {TOKEN: Person("fleet-bot"), "bens": Person("ben")}
    forge = KINDS[kind](project)
    where = f'{{kind: "{kind}", url: "{forge.url}", project: "acme/fleet"}}'
    origin.edit(layout.CONFIG, 'forge: "none"', f"forge: {where}")
    with forge.running():
        yield Scene(origin, forge, folder)


# ------------------------------------------------------------------ once


def test_a_promotion_becomes_one_pull_request(scene: Scene) -> None:
    before = scene.git("rev-parse", "main")
    url = scene.promote()
    (pull,) = scene.project.pulls
    assert url is not None
    assert url.startswith(f"{scene.forge.url}/acme/fleet/")
    assert pull.branch.startswith(f"{HEAD}v13-")
    assert pull.branch.endswith("-1")
    assert pull.title.startswith(f"promote {MODEL} v13 to {EDGE} (plan 5/10/25/50/100 %")
    assert "Re-renders 5 Applications" in pull.body
    assert sorted(pull.labels) == [f"rollout/{MODEL}", "tidegate/promotion"]
    assert scene.git("rev-parse", "main") == before
    assert scene.git("rev-parse", f"{pull.branch}^") == before
    assert "Reason: finds cracks" in scene.git("log", "-1", "--format=%B", pull.branch)


def test_the_same_promotion_again_changes_nothing(scene: Scene) -> None:
    first = scene.promote()
    head, writes = scene.git("rev-parse", *scene.branches()), len(scene.forge.writes)
    assert scene.promote() == first
    assert scene.git("rev-parse", *scene.branches()) == head
    assert len(scene.forge.writes) == writes


@pytest.mark.timeout(600)
def test_killed_at_every_call_there_is_one_pull_request(scene: Scene) -> None:
    scene.promote()
    calls = len(scene.forge.calls)
    (pull,) = scene.project.pulls
    expected = (pull.branch, pull.title, pull.body, pull.labels)
    head = scene.git("rev-parse", pull.branch)
    for at in range(1, calls + 1):
        scene.project.pulls.clear()
        scene.project.labels.clear()
        scene.git("update-ref", "-d", f"refs/heads/{pull.branch}")
        scene.forge.calls.clear()
        scene.forge.trouble = Trouble(at, "dark")
        with pytest.raises(RemoteError):
            scene.promote()
        scene.forge.trouble = Trouble()
        scene.promote()
        (again,) = scene.project.pulls
        assert (again.branch, again.title, again.body, again.labels) == expected
        assert scene.branches() == [pull.branch]
        assert scene.git("rev-parse", pull.branch) == head


def test_after_the_merge_there_is_nothing_to_do(scene: Scene) -> None:
    scene.promote()
    (pull,) = scene.project.pulls
    scene.merge(pull)
    view = scene.origin.view
    assert len(view.on(view.rollout().canary)) == 5
    assert scene.promote() is None
    assert len(scene.project.pulls) == 1
    # The commit that entered by a merge counts: the next one has the next sequence.
    change = scene.origin.must(percent("10"))
    assert dict(change.trailers)["Rollout-Sequence"] == "3"


# ------------------------------------------------------------------ another version


def test_a_second_version_is_refused_while_one_waits(scene: Scene) -> None:
    url = scene.promote(13)
    with pytest.raises(InputError, match=rf"waits: {url}; merge or close it first"):
        scene.promote(14)
    assert len(scene.branches()) == 1


def test_a_second_version_supersedes_where_the_rule_says_so(scene: Scene) -> None:
    scene.origin.edit(
        layout.rollout(EDGE, MODEL), "onNewVersion: refuse", "onNewVersion: supersede"
    )
    scene.promote(13)
    url = scene.promote(14)
    first, second = scene.project.pulls
    assert (first.state, second.state) == ("closed", "open")
    (told,) = first.comments
    assert f"Superseded by <{url}>" in told.text
    assert scene.promote(14) == url
    assert len(first.comments) == 1


@pytest.mark.timeout(600)
def test_superseding_killed_at_every_call_leaves_one_open(github: Scene) -> None:
    scene = github
    scene.origin.edit(
        layout.rollout(EDGE, MODEL), "onNewVersion: refuse", "onNewVersion: supersede"
    )
    scene.promote(13)
    scene.forge.calls.clear()
    scene.promote(14)
    calls = len(scene.forge.calls)
    for at in range(1, calls + 1):
        scene.project.pulls.clear()
        scene.promote(13)
        scene.forge.calls.clear()
        scene.forge.trouble = Trouble(at, "dark")
        with pytest.raises(RemoteError):
            scene.promote(14)
        scene.forge.trouble = Trouble()
        scene.promote(14)
        first, second = scene.project.pulls
        assert (first.state, len(first.comments), second.state) == ("closed", 1, "open")


# ------------------------------------------------------------------ a branch that waits


def test_the_branch_is_computed_anew_when_the_line_moved(github: Scene) -> None:
    github.promote()
    (pull,) = github.project.pulls
    before = github.git("rev-parse", pull.branch)
    path = layout.rollout(EDGE, MODEL)
    github.origin.edit(path, "steps: [5, 10, 25, 50, 100]", "steps: [10, 25, 50, 100]")
    main = github.git("rev-parse", "main")
    github.promote()
    assert len(github.project.pulls) == 1
    assert github.git("rev-parse", f"{pull.branch}^1", f"{pull.branch}^2").split() == [main, before]
    assert "plan 10/25/50/100 %" in pull.title
    assert "Re-renders 10 Applications" in pull.body
    assert f"Replaces: {before}" in github.git("log", "-1", "--format=%B", pull.branch)
    github.merge(pull)
    assert len(github.origin.view.on(github.origin.view.rollout().canary)) == 10
    # One move is not two, however often it was computed.
    assert audit(Repository(github.origin.fetch())).doubts == ()


def test_what_does_not_touch_it_leaves_the_branch_alone(github: Scene) -> None:
    github.promote()
    (branch,) = github.branches()
    head = github.git("rev-parse", branch)
    github.origin.put("docs/notes.md", b"something else\n")
    github.promote()
    assert github.git("rev-parse", branch) == head


def test_the_commit_of_a_person_on_top_stays(github: Scene) -> None:
    github.promote()
    (branch,) = github.branches()
    tree = github.git("rev-parse", f"{branch}^{{tree}}")
    words = ("-c", "user.name=Ben", "-c", "user.email=ben@example.com")
    added = github.git(*words, "commit-tree", tree, "-p", branch, "-m", "Look again")
    github.git("update-ref", f"refs/heads/{branch}", added)
    (pull,) = github.project.pulls
    body = pull.body
    path = layout.rollout(EDGE, MODEL)
    github.origin.edit(path, "steps: [5, 10, 25, 50, 100]", "steps: [10, 25, 50, 100]")
    github.promote(reason="another one")
    assert github.git("rev-parse", branch) == added
    assert pull.body == body


def test_two_people_push_the_same_branch_and_one_says_so(github: Scene, tmp_path: Path) -> None:
    change = intents.promote(
        Repository(github.origin.fetch()), EDGE, MODEL, version(13), Asked("a", "b")
    )
    assert change is not None

    class Raced(Clone):
        def person(self) -> object:  # type: ignore[override]
            raise NotImplementedError

    clone = Raced(tmp_path / "raced.git", f"file://{github.origin.folder}/origin.git", "main")
    clone.fetch()
    call = clone.git.call

    def late(*words: str, **more: object) -> tuple[int, bytes, bytes]:
        if words[0] == "push":
            github.git("update-ref", "refs/heads/promote/x", github.git("rev-parse", "main"))
            return 1, b"", b"[rejected]"
        return call(*words, **more)  # type: ignore[arg-type]

    clone.git.call = late  # type: ignore[method-assign,assignment]
    with pytest.raises(ConflictError, match="somebody else pushed to 'promote/x' meanwhile"):
        offer(clone, change, ADA, NOW, "promote/x")


# ------------------------------------------------------------------ refusals


def test_a_push_that_is_refused_opens_nothing(github: Scene) -> None:
    hook = github.origin.folder / "origin.git" / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no branches here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(InputError, match=r"the branch 'promote/.*' was refused"):
        github.promote()
    assert github.project.pulls == []


def test_a_forge_that_git_names_anew_gets_no_token(github: Scene) -> None:
    github.origin.edit(layout.CONFIG, github.forge.url, "http://127.0.0.1:9")
    with pytest.raises(InputError, match="but the token is for"):
        github.promote()
    assert github.branches() == []


def test_a_rejected_release_is_refused_with_its_reason(github: Scene) -> None:
    from tests.builders import reject, revert

    github.origin.must(promote(13))
    name = github.origin.view.rollout().canary
    github.origin.must(revert())
    github.origin.must(reject(name))
    with pytest.raises(InputError, match=f"{name} was rejected in {EDGE} at .*: a good reason"):
        github.promote()
    assert github.project.pulls == []


@pytest.mark.parametrize("option", ["--forge-token", "--forge-app-key"])
def test_a_secret_on_the_command_line_is_refused(option: str) -> None:
    words = ("promote", f"{MODEL}/13", "--env", EDGE, "--reason", "r", option, "x")
    code, out, err = tidegate(*words)
    assert (code, out) == (2, "")
    assert "in the environment instead" in err
