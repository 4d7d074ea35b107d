"""What the reconciler tells on a forge: real Git, real ticks, forges that speak the wire format."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from generator import layout
from generator.errors import RemoteError
from generator.forge import Secrets, connect
from generator.model.forge import ForgePlace
from generator.model.pull import SLO
from generator.model.pull import Forge as Port
from generator.repository import Repository
from reconciler import loop
from reconciler.news import BY_HAND, FRESH
from reconciler.policy import Hold, Revert
from reconciler.post import Post
from tests.builders import EDGE, MODEL, NOW, percent, promote
from tests.forges.gitea import Gitea
from tests.forges.github import GitHub
from tests.forges.gitlab import GitLab
from tests.forges.project import Bare, Person, Project, Pull
from tests.forges.server import Forge, Trouble
from tests.metrics import HOUR, MINUTE, Bad, Scene

KINDS = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
TOKEN = "s3cr3t"
START = NOW + 26 * HOUR
SEEN = START + 10 * MINUTE
READY = SEEN + HOUR
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene.promoted(tmp_path_factory.mktemp("promoted"), START, SEEN)


@dataclass
class Told:
    """A fleet, its forge, and the last pass of its reconciler."""

    scene: Scene
    forge: Forge
    done: Sequence[loop.Done] = ()
    at: datetime = SEEN
    posts: list[Post] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return self.forge.project

    @property
    def pull(self) -> Pull:
        """The promotion from which the rollout came."""
        return self.project.pulls[0]

    def post(self) -> Post:
        """A reconciler's post that knows nothing yet."""

        def open_forge(place: ForgePlace) -> Port:
            secrets = Secrets(self.forge.url, TOKEN)
            return connect(place, secrets, lambda: self.at, pause=lambda _: None)

        remote = self.scene.remote
        self.posts.append(Post(open_forge, remote.offer, lambda: remote.bare.branch))
        return self.posts[-1]

    def tick(self, at: datetime) -> loop.Done:
        self.at, self.done = at, self.scene.ticks(at)
        return next(one for one in self.done if one.passed.environment == EDGE)

    def tell(self, post: Post) -> tuple[str, ...]:
        said = post.tell(Repository(self.scene.tree()), self.done, self.at, None)
        return (*said, *post.finish(PATIENCE_S))

    def again(self) -> tuple[str, ...]:
        """Tell of the last pass as a reconciler that was started anew."""
        return self.tell(self.post())

    def comments(self) -> list[str]:
        return [one.text for one in self.pull.comments]

    def mark(self, head: str) -> tuple[str, str]:
        found = self.project.lights(head)[SLO]
        return found.light.replace("failed", "failure"), found.text  # GitLab's word

    def newest(self) -> str:
        """Name the newest commit of the rollout."""
        paths = (layout.rollout(EDGE, MODEL), layout.EVIDENCE)
        return self.scene.tree().log(paths, 1)[0].id

    def steps(self, state: str = "open") -> list[Pull]:
        pulls = [one for one in self.project.pulls if one.branch.startswith("step/")]
        return [one for one in pulls if one.state == state]


def made(kind: str, promoted: Scene, folder: Path) -> Iterator[Told]:
    scene = promoted.copy(folder / "copy")
    bare = Bare(scene.origin.git.folder)
    project = Project("acme/fleet", bare, NOW.timestamp)
    project.people = {TOKEN: Person("fleet-bot"), "bens": Person("ben")}
    forge = KINDS[kind](project)
    where = f'{{kind: "{kind}", url: "{forge.url}", project: "acme/fleet"}}'
    scene.edit('forge: "none"', f"forge: {where}", SEEN, path=layout.CONFIG)
    tail = scene.rollout().id.removeprefix(f"{EDGE}-{MODEL}-")
    pull = project.open_pull(project.people[TOKEN], f"promote/{EDGE}/{MODEL}/{tail}")
    pull.state, pull.merged = "merged", scene.head()
    with forge.running():
        yield Told(scene, forge)


@pytest.fixture(params=KINDS)
def told(request: pytest.FixtureRequest, promoted: Scene, tmp_path: Path) -> Iterator[Told]:
    yield from made(request.param, promoted, tmp_path)


@pytest.fixture
def github(promoted: Scene, tmp_path: Path) -> Iterator[Told]:
    yield from made("github", promoted, tmp_path)


def allowed(told: Told) -> None:
    """Go on until the evidence allows a step that a pull request has to ask for."""
    told.scene.edit("advance: automatic          #", "advance: pull-request       #", SEEN)
    for n in range(40):
        decision = told.tick(READY + n * 10 * MINUTE).passed.decision
        if isinstance(decision, Hold) and decision.code == BY_HAND:
            return
    raise AssertionError("no step is allowed")


def broken(told: Told) -> loop.Done:
    """Go on until a release that went bad was taken back."""
    told.scene.plants.bad["v13"] = Bad(errors=0.2)
    told.at, done = told.scene.until(READY, READY + 6 * HOUR)
    told.done = (done,)
    assert isinstance(done.passed.decision, Revert)
    return done


# ------------------------------------------------------------------ the one comment


def test_a_rollout_tells_its_life_in_one_comment(told: Told) -> None:
    post = told.post()
    assert isinstance(told.tick(SEEN + 10 * MINUTE).passed.decision, Hold)
    assert told.tell(post) == ()
    (first,) = told.comments()
    assert "**v13 is at 5% of 100 sites**" in first
    assert "holds, " in first
    assert told.mark(told.newest()) == ("pending", f"{EDGE}/{MODEL} at 5%: holds, soak")
    at, done = told.scene.until(READY, READY + 6 * HOUR)
    told.at, told.done = at, (done,)
    assert told.tell(post) == ()
    (second,) = told.comments()
    assert "**v13 is at 10% of 100 sites**" in second
    assert "| `advance` | `5` → `10` | `Healthy` |" in second
    assert "| `errors` |" in second
    assert told.mark(done.commit) == ("pending", f"{EDGE}/{MODEL} at 10%: nothing is decided yet")


def test_what_did_not_change_asks_the_forge_nothing(github: Told) -> None:
    post = github.post()
    github.tick(SEEN + 10 * MINUTE)
    github.tell(post)
    calls = len(github.forge.calls)
    github.tick(SEEN + 15 * MINUTE)
    assert github.tell(post) == ()
    assert len(github.forge.calls) == calls
    # Started anew, it asks, and writes nothing twice.
    github.again()
    assert len(github.comments()) == 1
    assert len(github.project.marks) == 1


def test_its_end_is_told_with_a_timeline_and_totals(told: Told) -> None:
    done = broken(told)
    assert told.again() == ()
    life, last = told.comments()
    for text in (life, last):
        assert "**It was taken back: v12 runs everywhere again**" in text
        assert "| `revert` | `5` → `0` | `Breached` |" in text
    assert re.search(r"Took [^\n]*, 1 decision and [\d,]+ counted predictions\.", last)
    assert "reachable canary sites served it (5 in all)." in last
    assert told.mark(done.commit) == ("failure", f"{EDGE}/{MODEL}: taken back")


def test_an_end_of_long_ago_is_left_in_peace(github: Told) -> None:
    broken(github)
    github.at += FRESH + MINUTE
    assert github.again() == ()
    assert github.comments() == []
    assert github.project.marks == []


@pytest.mark.timeout(600)
def test_killed_at_every_call_nothing_is_told_twice(told: Told) -> None:
    done = broken(told)
    told.again()
    expected = told.comments()
    calls = len(told.forge.calls)
    assert calls >= 5
    for at in range(1, calls + 1):
        told.pull.comments.clear()
        told.project.marks.clear()
        told.forge.calls.clear()
        told.forge.trouble = Trouble(at, "dark")
        (trouble,) = told.again()
        assert trouble.startswith("the forge cannot be told now: ")
        told.forge.trouble = Trouble()
        assert told.again() == ()
        assert told.comments() == expected
        assert [one.head for one in told.project.marks] == [done.commit]


def test_a_rollout_without_a_pull_request_is_marked_only(told: Told) -> None:
    told.project.pulls.clear()
    told.tick(SEEN + 10 * MINUTE)
    assert told.again() == ()
    assert told.project.pulls == []
    assert len(told.project.marks) == 1


def test_a_pull_request_that_was_not_merged_is_not_the_one(told: Told) -> None:
    told.pull.state, told.pull.last_head = "closed", "0" * 40
    told.tick(SEEN + 10 * MINUTE)
    assert told.again() == ()
    assert told.comments() == []


def test_who_supersedes_a_rollout_ends_its_tale(github: Told) -> None:
    path = layout.rollout(EDGE, MODEL)
    github.scene.edit("onNewVersion: refuse   ", "onNewVersion: supersede", SEEN, path=path)
    github.scene.do(promote(14), READY)
    name = github.scene.rollout().canary
    github.tick(READY + 10 * MINUTE)
    assert github.again() == ()
    _, last = github.comments()
    assert "**It was taken back: v12 runs everywhere again**" in last
    assert f"Superseded by `{name}`." in last


# ------------------------------------------------------------------ steps


@pytest.mark.timeout(600)
def test_each_step_is_a_pull_request_where_that_is_asked(told: Told) -> None:
    allowed(told)
    assert told.again() == ()
    (pull,) = told.steps()
    head = told.project.branches.head(pull.branch)
    assert head is not None
    assert pull.branch.endswith("-1/10")
    assert pull.title == f"{MODEL} {EDGE}: 5% -> 10% (5 -> 10 of 100 sites)"
    assert "| `errors` |" in pull.body
    assert sorted(pull.labels) == [f"rollout/{MODEL}", "tidegate/step"]
    assert told.mark(head) == ("success", f"{EDGE}/{MODEL} at 5%: the next step may start")
    assert len(told.scene.canary()) == 5
    # Merged by a person, it is a step like any other.
    told.project.merge(pull, f"Merge {pull.title}")
    told.scene.follow(told.at)
    assert len(told.scene.canary()) == 10
    done = told.tick(told.at + 10 * MINUTE)
    assert "the time at 10% counts from now" in done.say()
    assert told.again() == ()
    assert (told.steps(), len(told.project.pulls)) == ([], 2)


@pytest.mark.timeout(600)
def test_killed_at_every_call_there_is_one_step(github: Told) -> None:
    allowed(github)
    github.again()
    calls = len(github.forge.calls)
    (pull,) = github.steps()
    expected = (pull.branch, pull.title, pull.body, pull.labels)
    head = github.project.branches.head(pull.branch)
    for at in range(1, calls + 1):
        del github.project.pulls[1:]
        github.pull.comments.clear()
        github.project.marks.clear()
        github.forge.calls.clear()
        github.forge.trouble = Trouble(at, "dark")
        assert len(github.again()) == 1
        github.forge.trouble = Trouble()
        assert github.again() == ()
        (again,) = github.steps()
        assert (again.branch, again.title, again.body, again.labels) == expected
        assert github.project.branches.head(pull.branch) == head
        assert len(github.comments()) == 1


@pytest.mark.timeout(600)
def test_a_step_ends_with_what_it_was_a_step_of(github: Told) -> None:
    allowed(github)
    github.again()
    (pull,) = github.steps()
    # The evidence doubts again: it stays, and says so.
    head = github.project.branches.head(pull.branch)
    assert head is not None
    hold = Hold("undecided", "not sure any more")
    before = github.done
    github.done = [replace(one, passed=replace(one.passed, decision=hold)) for one in before]
    assert github.again() == ()
    assert github.steps() == [pull]
    assert github.mark(head) == ("pending", f"{EDGE}/{MODEL} at 5%: holds, undecided")
    # A person closes it: nobody asks again.
    pull.state, pull.last_head = "closed", head
    github.done = before
    assert github.again() == ()
    assert github.steps() == []
    # A person takes another step: what stands open is closed with its reason.
    pull.state = "open"
    github.scene.do(percent("25"), github.at)
    github.tick(github.at + 10 * MINUTE)
    assert github.again() == ()
    assert (github.steps(), pull.state) == ([], "closed")
    assert "Closed: the rollout has moved on." in pull.comments[-1].text


# ------------------------------------------------------------------ what must never happen


def test_a_forge_that_is_down_keeps_nothing_back(github: Told) -> None:
    github.forge.trouble = Trouble(1, "dark")
    done = broken(github)
    (trouble,) = github.again()
    assert "the forge cannot be told now" in trouble
    assert TOKEN not in trouble
    assert len(github.scene.on(github.scene.rollout().stable)) == 100
    # The same trouble is said once, and told is what stands in Git when it is back.
    post = github.post()
    assert len(github.tell(post)) == 1
    assert github.tell(post) == ()
    github.forge.trouble = Trouble()
    assert github.tell(post) == ()
    assert len(github.comments()) == 2
    assert github.mark(done.commit)[0] == "failure"


def test_the_loop_never_waits_for_a_forge_that_hangs(github: Told) -> None:
    go_on = threading.Event()

    class Hanging:
        def __getattr__(self, name: str) -> object:
            go_on.wait(PATIENCE_S)
            raise RemoteError("GitHub", "it hung")

    post = replace(github.post(), connect=lambda _: Hanging())  # type: ignore[arg-type,return-value]
    github.tick(SEEN + 10 * MINUTE)
    tree = Repository(github.scene.tree())
    began = time.monotonic()
    assert post.tell(tree, github.done, github.at, None) == ()
    assert "the forge is slow" in post.finish(0.01)[-1]
    assert time.monotonic() - began < PATIENCE_S / 2
    go_on.set()
    assert post.finish(PATIENCE_S) == ("the forge cannot be told now: GitHub: it hung",)


def test_hostile_words_stay_words(github: Told) -> None:
    text = "`@everyone` <img src=x> [a](http://evil.example) | /close <!-- tidegate:comment x -->"
    github.tick(SEEN + 10 * MINUTE)
    hold = Hold("metrics", text)
    github.done = [replace(one, passed=replace(one.passed, decision=hold)) for one in github.done]
    github.again()
    (said,) = github.comments()
    (line,) = [one for one in said.splitlines() if "everyone" in one]
    assert line.startswith("``")
    assert line.endswith("``")
    assert "<!--" not in line
    bare = "".join(re.split(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", line)[::2])
    assert bare == ""


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "there is no token for GitHub; set TIDEGATE_FORGE_TOKEN"), ("x", "but the token is for")],
)
def test_without_a_token_for_it_one_line_says_so(github: Told, token: str, words: str) -> None:
    remote = github.scene.remote
    # The public one is another place than the one that Git names.
    post = remote.post(Secrets(github.forge.url if not token else "", token))
    github.tick(SEEN + 10 * MINUTE)
    (said,) = github.tell(post)
    assert words in said
    assert github.tell(post) == ()
    assert github.forge.calls == []


def test_without_a_forge_nothing_is_amiss(promoted: Scene, tmp_path: Path) -> None:
    scene = promoted.copy(tmp_path / "copy")
    post = scene.remote.post(Secrets("", TOKEN))
    done = scene.ticks(SEEN + 10 * MINUTE)
    tree = Repository(scene.tree())
    said = post.tell(tree, done, SEEN, None)
    assert said == ()
    assert post.tell(tree, done, SEEN, None) == ()
