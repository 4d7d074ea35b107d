"""Stories from real repositories: every kind of move, evidence judged again, damage told."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet, Committed
from generator.cohort import canary_sites, draw
from generator.documents.config import write_rejected
from generator.documents.rollout import read_rollout, write_cohort
from generator.errors import InputError
from generator.gitrepo.checkout import Checkout, start_checkout
from generator.gitrepo.commit import Person
from generator.intents.moves import NOTHING, Attached
from generator.model.config import Rejection
from generator.model.percent import Percent
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.repository import Repository
from reconciler import record
from reconciler.analysis import Judge, ObjectiveVerdict, Settings
from reconciler.policy import Adoption, Advance, Decision, Revert, Situation
from reconciler.recording import AssignedLine, HistoryLine, Line, ObjectivesLine, TickLine
from tidegate.pages import picture, render
from tidegate.pages.gather import gather
from tidegate.pages.story import End, Move, State, Story
from tidegate.pages.terminal import grid, staircase

ENV, MODEL = "edge-k3s", "defect-detector"
BOT, ROSA = Person("tidegate", "tidegate@localhost"), Person("Rosa", "rosa@plants.example")
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
TICK = timedelta(minutes=30)
OBJECTIVES = {"errors": 0.02, "confidence": 0.05}
WEIGHTS = {"errors": 0.45, "confidence": 0.45}
FACTORS = {"errors": 1.0, "confidence": 1.0}
SITES = 200
NAMES = tuple(f"plant-{number:04d}" for number in range(SITES))
FLEET = tuple(Site(n, n, f"r{i % 4}", ("cpu", "gpu")[i % 2]) for i, n in enumerate(NAMES))

ROLLOUT = """\
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
model: defect-detector
environment: edge-k3s
{lines}
steps: [5, 10, 25, 50, 100]
soak: 2h
"""
MODEL_YAML = """\
apiVersion: tidegate.dev/v1alpha1
kind: Model
name: defect-detector
registry: {name: defect-detector}
runtime: plain
imageFrom: tag
objectives:
- {name: errors, bad: 'p_total{outcome="error"}', total: p_total, target: 99.0, margin: 1.5}
- {name: confidence, about: predictions, below: 0.6, histogram: c, target: 95.0, margin: 1.5}
"""


@dataclass
class World:
    """A repository with the files that a story reads, and a judge that watches."""

    folder: Path
    at: datetime = START
    keys: dict[str, str] = field(default_factory=dict)
    number: int = 0
    chain: record.Chain = field(default_factory=record.Chain)
    judge: Judge = field(default_factory=Judge)
    recent: list[Line] = field(default_factory=list)
    latest: dict[str, ObjectiveVerdict] = field(default_factory=dict)
    since: datetime = START
    sequence: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @classmethod
    def make(cls, folder: Path) -> "World":
        world = cls(folder)
        folder.mkdir(exist_ok=True)
        start_checkout(folder, "main", "")
        rows = (
            f'- {{id: "{s.id}", cluster: "{s.id}", region: "{s.region}", hardware: "{s.hardware}"}}'
            for s in FLEET
        )
        head = "apiVersion: tidegate.dev/v1alpha1\nkind: "
        world.commit(
            {
                layout.CONFIG: f"{head}Repository\n".encode(),
                layout.environment(ENV): f"{head}Environment\nname: {ENV}\ntype: {ENV}\n".encode(),
                layout.shard(ENV, "s000"): "\n".join((*rows, "")).encode(),
                layout.model(MODEL): MODEL_YAML.encode(),
                layout.REJECTED: write_rejected(()),
                layout.rollout(ENV, MODEL): ROLLOUT.format(lines="percent: 0").encode(),
            },
            "start the fleet repository",
            who=ROSA,
        )
        return world

    def commit(
        self,
        files: Mapping[str, bytes | None],
        subject: str,
        *trailers: tuple[str, str],
        who: Person = BOT,
    ) -> str:
        checkout = Checkout(self.folder)
        change = ChangeSet(checkout.head().commit, files, subject, "", trailers)
        done = checkout.land(change, who, self.at)
        assert isinstance(done, Committed)
        return done.id

    def repository(self) -> Repository:
        return Repository(Checkout(self.folder).head())

    def story(self, now: datetime | None = None) -> Story:
        return gather(self.repository(), ENV, MODEL, now=now)

    def rollout(self) -> Rollout:
        data = ROLLOUT.format(lines="\n".join(f"{k}: {v}" for k, v in self.keys.items()))
        return read_rollout("r", data.encode(), ENV, MODEL)

    def move(
        self,
        subject: str,
        *,
        who: Person = BOT,
        attached: Attached = NOTHING,
        files: Mapping[str, bytes] | None = None,
        by_hand: bool = False,
        reason: str = "",
        **keys: str | None,
    ) -> None:
        for key, value in keys.items():
            self.keys.pop(key, None)
            if value is not None:
                self.keys[key] = value
        text = ROLLOUT.format(lines="\n".join(f"{k}: {v}" for k, v in self.keys.items()))
        self.sequence += 1
        trailers = [("Rollout-Sequence", str(self.sequence)), *attached.trailers]
        trailers += [("Requested-By", str(who)), ("Reason", reason)] if reason else []
        changed = {layout.rollout(ENV, MODEL): text.encode(), **(files or {}), **attached.files}
        self.since = self.at
        self.commit(changed, subject, *(() if by_hand else trailers), who=who)

    def baseline(self, release: str) -> None:
        self.move(
            f"{MODEL} {ENV}: v1 is the baseline",
            who=ROSA,
            reason="first release",
            stable=release,
            percent="0",
            phase="Completed",
        )

    def promote(self, release: str, reason: str, *, history: bool = True) -> None:
        self.number += 1
        name = f"{ENV}-{MODEL}-{release}-{self.number}"
        drawn = draw(name, FLEET, ("region", "hardware"))
        self.move(
            f"{MODEL} {ENV}: {release} starts at 5%",
            who=ROSA,
            reason=reason,
            files={layout.cohort(ENV, MODEL): write_cohort(drawn)},
            canary=release,
            rollout=name,
            percent="5",
            phase="Progressing",
        )
        self.judge, self.chain, self.recent = Judge(self.settings()), record.Chain(), []
        if history:
            self.freeze(name)

    def settings(self) -> Settings:
        margins = dict.fromkeys(OBJECTIVES, 1.5)
        return Settings(margins=margins, min_sites=5, reporting_share=(1.0, 1.0))

    def freeze(self, name: str) -> None:
        lines: list[Line] = [ObjectivesLine(name, WEIGHTS)]
        for objective, rate in OBJECTIVES.items():
            events = {site: (6000, round(6000 * rate)) for site in NAMES}
            lines.append(HistoryLine(name, objective, events))
        for line in lines:
            self.judge.feed(line)
        attached = record.history(self.rollout(), lines, 1.0, self.at, self.at)
        self.commit(attached.files, f"{MODEL} {ENV}: froze the history", *attached.trailers)
        self.chain = record.read_chain(self.repository().tree, self.rollout())
        self.assign()

    def assign(self) -> None:
        rollout = self.rollout()
        canary = canary_sites(rollout, self.repository().cohort(ENV, MODEL), NAMES)
        arms = {s: ("canary" if s in canary else "stable", "") for s in NAMES}
        self.hear(AssignedLine(rollout.id, self.at, arms))  # type: ignore[arg-type]
        self.canary = canary

    def hear(self, line: Line) -> None:
        self.recent.append(line)
        verdict = self.judge.feed(line)
        if verdict is not None:
            self.latest[verdict.objective] = verdict

    def live(self, ticks: int, factors: Mapping[str, float] = FACTORS) -> None:
        for _ in range(ticks):
            self.at += TICK
            for objective, rate in OBJECTIVES.items():
                canary = {s: self.serve(rate * factors[objective]) for s in sorted(self.canary)}
                stable = {s: self.serve(rate) for s in NAMES if s not in self.canary}
                self.hear(TickLine(self.rollout().id, objective, self.at, canary, stable))

    def serve(self, rate: float) -> tuple[int, int]:
        return 200, sum(self.chance.random() < rate for _ in range(200))

    def decided(self, decision: Decision) -> Attached:
        adoption = Adoption(len(self.canary), len(self.canary), len(self.canary), 0, 0, True)
        situation = Situation(
            rollout=self.rollout(),
            verdicts=tuple(self.latest.values()),
            adoption=adoption,
            since=self.since,
            soaked=self.at - self.since,
            now=self.at,
        )
        used = self.judge.settings
        policy = {"alpha": used.alpha, "beta": used.beta, "margins": dict(used.margins)}
        done = record.decided(
            situation, decision, self.chain, self.recent, self.at, policy | {"minEvents": 1000}
        )
        self.recent = []
        return done

    def step(self, percent: int, ticks: int = 4) -> None:
        self.live(ticks)
        attached = self.decided(Advance(Percent.of(percent), "healthy"))
        self.move(f"{MODEL} {ENV}: to {percent}%", attached=attached, percent=str(percent))
        self.chain = record.read_chain(self.repository().tree, self.rollout())
        self.assign()

    def complete(self) -> None:
        self.live(4)
        attached = self.decided(Advance(None, "soaked"))
        ended = {"stable": self.keys["canary"], "percent": "0", "phase": "Completed"}
        self.move(f"{MODEL} {ENV}: stable", attached=attached, canary=None, **ended)

    def breach(self, ticks: int = 6) -> None:
        self.live(ticks, {"errors": 2.5, "confidence": 1.0})
        attached = self.decided(Revert("breach", self.why()))
        rollout = self.rollout()
        ledger = write_rejected((rejection(rollout.canary, rollout.id),))
        self.move(
            f"{MODEL} {ENV}: revert",
            attached=attached,
            files={layout.REJECTED: ledger},
            canary=None,
            percent="0",
            phase="Reverted",
        )

    def why(self) -> str:
        return f"errors: {self.latest['errors'].reasons[0].text}"


def rejection(release: str, rollout: str) -> Rejection:
    digest = "sha256:" + "a" * 64
    where = (release, MODEL, ENV, rollout)
    return Rejection(digest, digest, digest, *where, "errors", "e", "2026-03-02T06:00:00Z")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A good version up to every site, then a bad one that is taken back at 5 %."""
    world = World.make(tmp_path_factory.mktemp("fleet"))
    world.baseline("v1-aaaaaaaa")
    world.at += timedelta(hours=26)
    world.promote("v2-bbbbbbbb", "finds hairline cracks")
    for percent in (10, 25, 50, 100):
        world.step(percent)
    world.complete()
    world.at += timedelta(hours=3)
    world.promote("v3-cccccccc", "smaller <b>and</b> faster")
    world.breach()
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.make(tmp_path / "fleet")
    world.baseline("v1-aaaaaaaa")
    world.at += timedelta(hours=1)
    return world


def states(story: Story) -> Mapping[State, int]:
    return {
        state: sum(one.state is state for one in story.squares)
        for state in State
        if any(one.state is state for one in story.squares)
    }


def moves(story: Story) -> Sequence[Move]:
    return [commit.move for commit in reversed(story.commits) if commit.move is not Move.NOTE]


def test_a_line_without_a_baseline_has_a_story(tmp_path: Path) -> None:
    story = World.make(tmp_path / "fleet").story()
    assert (story.stable, story.climbs, story.phase) == ("", (), None)
    assert states(story) == {State.STABLE: SITES}


def test_a_baseline_alone_has_no_rollout(world: World) -> None:
    story = world.story()
    assert (story.stable, story.climbs) == ("v1-aaaaaaaa", ())
    assert moves(story) == [Move.BASELINE]


def test_a_completed_rollout_is_told_step_by_step(told: World) -> None:
    climb = told.story().climbs[0]
    assert [(str(step.percent), step.sites) for step in climb.steps] == [
        ("5", 10),
        ("10", 20),
        ("25", 50),
        ("50", 100),
        ("100", 200),
    ]
    assert [step.ended - step.begun for step in climb.steps] == [timedelta(hours=2)] * 5
    assert [step.by for step in climb.steps] == [str(ROSA), "", "", "", ""]
    assert (climb.ending.how, climb.reason, climb.by) == (
        End.COMPLETED,
        "finds hairline cracks",
        str(ROSA),
    )


def test_every_site_of_a_completed_rollout_says_when_it_joined(told: World) -> None:
    joined = [one.joined for one in told.story().climbs[0].squares]
    counts = {str(percent): joined.count(percent) for percent in dict.fromkeys(joined)}
    assert counts == {"5": 10, "10": 10, "25": 30, "50": 50, "100": 100}


def test_a_breach_is_told_with_its_evidence(told: World) -> None:
    story = told.story()
    climb = story.climbs[1]
    assert (climb.ending.how, climb.ending.is_rejected) == (End.REVERTED, True)
    assert climb.ending.why == told.why()
    assert states(story) == {State.RETURNED: 10, State.STABLE: 190}
    worst = climb.worst
    assert worst is not None
    assert worst.objective == "errors"
    assert worst.proved is not None
    assert worst.proved.bad > 1.5 * worst.proved.expected


def test_the_curves_are_what_the_judge_said(told: World) -> None:
    (errors, _) = sorted(told.story().climbs[1].curves, key=lambda one: one.objective != "errors")
    heard = told.latest["errors"]
    last = errors.last
    assert (last.at, last.verdict, last.bad) == (heard.at, heard.verdict, heard.bad)
    assert (last.e_bad, last.e_ok) == (heard.e_bad, heard.e_ok)
    assert errors.bound_bad == pytest.approx(1 / (0.45 * 0.01))
    assert errors.bound_ok == pytest.approx(20)


def test_the_log_names_the_moves(told: World) -> None:
    assert moves(told.story()) == [
        Move.BASELINE,
        Move.START,
        *[Move.ADVANCE] * 4,
        Move.COMPLETE,
        Move.START,
        Move.REVERT,
    ]


def test_a_rollout_under_way_is_drawn_up_to_now(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x")
    world.step(10)
    now = world.at + timedelta(hours=5)
    climb = world.story(now).climbs[-1]
    assert (climb.ending.how, climb.ending.at, climb.steps[-1].ended) == (End.CLIMBING, now, now)
    assert states(world.story()) == {State.CANARY: 20, State.STABLE: 180}


def test_without_evidence_there_are_steps_but_no_curves(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x", history=False)
    climb = world.story().climbs[-1]
    assert (len(climb.steps), climb.curves, climb.evidence, climb.trouble) == (1, (), "", "")


def test_what_people_do_by_hand_is_told(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x")
    hour = timedelta(hours=1)
    for keys in ({"percent": "25"}, {"percent": "10"}, {"phase": "Paused"}, {"percent": "5"}):
        world.at += hour
        world.move("by hand", who=ROSA, by_hand=True, **keys)
    world.at += hour
    world.move("resumed", who=ROSA, reason="ok", phase="Progressing")
    world.at += hour
    ended = {"canary": None, "percent": "0", "phase": "Reverted"}
    world.move("revert v2", who=ROSA, reason="bad smell", **ended)
    story = world.story()
    climb = story.climbs[-1]
    assert moves(story)[2:] == [
        Move.ADVANCE,
        Move.LOWER,
        Move.PAUSE,
        Move.LOWER,
        Move.RESUME,
        Move.REVERT,
    ]
    assert [str(step.percent) for step in climb.steps] == ["5", "25", "10", "5"]
    assert all(step.by == str(ROSA) for step in climb.steps)
    assert climb.pauses == ((climb.begun + 3 * hour, climb.begun + 5 * hour),)
    assert (climb.ending.why, climb.ending.by) == ("bad smell", str(ROSA))
    assert states(story) == {State.RETURNED: 50, State.STABLE: 150}


def test_a_superseded_rollout_names_its_successor(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x")
    world.at += timedelta(hours=1)
    world.promote("v3-cccccccc", "better")
    first, second = world.story().climbs
    assert (first.ending.how, first.ending.why) == (
        End.SUPERSEDED,
        "v3-cccccccc took its place",
    )
    assert second.ending.how is End.CLIMBING
    assert sum(one.state is State.RETURNED for one in first.squares) == 10


def test_a_rejection_of_its_own_is_a_move(world: World) -> None:
    world.at += timedelta(hours=1)
    files = {layout.REJECTED: write_rejected((rejection("v1-aaaaaaaa", ""),))}
    world.commit(files, f"{MODEL} {ENV}: rejected v1", who=ROSA)
    assert moves(world.story()) == [Move.BASELINE, Move.REJECT]


def test_damaged_evidence_is_told_and_hides_nothing_else(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x")
    world.step(10)
    path = next(p for p in world.repository().tree.ids(layout.EVIDENCE) if "0001" in p)
    world.commit({path: b"{}"}, "oops", who=ROSA)
    climb = world.story().climbs[-1]
    assert "not a piece of evidence" in climb.trouble
    assert len(climb.steps) == 2


def test_evidence_outlives_the_log(told: World) -> None:
    tree = told.repository().tree

    class Shallow:
        """The same files, with the newest commit only."""

        def __getattr__(self, name: str) -> object:
            return getattr(tree, name)

        def past(self, path: str, most: int) -> object:
            return tree.past(path, most)[:1]

    story = gather(Repository(Shallow()), ENV, MODEL)  # type: ignore[arg-type]
    assert [(one.short, one.ending.how) for one in story.climbs] == [
        ("v2", End.COMPLETED),
        ("v3", End.REVERTED),
    ]
    assert [str(step.percent) for step in story.climbs[0].steps] == ["5", "10", "25", "50", "100"]


def test_only_the_newest_rollouts_are_told(told: World) -> None:
    story = gather(told.repository(), ENV, MODEL, most=1)
    assert ([one.short for one in story.climbs], story.earlier) == (["v3"], 1)


def test_sites_that_left_or_came_are_told(world: World) -> None:
    world.promote("v2-bbbbbbbb", "x")
    shard = layout.shard(ENV, "s000")
    lines = (world.repository().tree.read(shard) or b"").decode().splitlines()
    new = '- {id: "plant-9999", cluster: "plant-9999", region: "r0", hardware: "cpu"}'
    world.at += timedelta(hours=1)
    world.commit({shard: "\n".join([*lines[1:], new, ""]).encode()}, "fleet", who=ROSA)
    found = {one.id: one.state for one in world.story().squares}
    assert found["plant-0000"] is State.GONE
    assert found["plant-9999"] is State.STABLE


def test_a_line_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="there is no environment 'moon'"):
        gather(world.repository(), "moon", MODEL)


def test_the_same_commit_gives_the_same_bytes(told: World) -> None:
    one, two = told.story(), told.story()
    assert render(one, "t") == render(two, "t")
    assert picture(one) == picture(two)


def test_the_page_holds_the_whole_story(told: World) -> None:
    page = render(told.story(), "fleet").decode()
    assert "v3 was taken back at 5%. 190 of 200 sites never saw it, all run v2." in page
    assert "smaller &lt;b&gt;and&lt;/b&gt; faster" in page
    assert page.count('class="s" title=') == 190
    assert "http-equiv" in page


def test_the_terminal_holds_the_same_story(told: World) -> None:
    story = told.story()
    text = staircase(story, 90)
    assert "v2 on every site after 10 h" in text
    assert max(len(line) for line in text.splitlines()) <= 90
    assert grid(replace(story, squares=story.squares), 90).count("\u25a1") == 11  # 10, and a legend
