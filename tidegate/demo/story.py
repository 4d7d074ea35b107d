"""The story of the demo, told by the real commands and the real reconciler.

Every part of it is found in Git and nowhere else: what has happened is skipped, what has not is
done, so a demo that was killed goes on where it was. Only the repository and HTTP connect the
fleet and the reconciler.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from generator.errors import InputError
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout, start_bare
from generator.gitrepo.commit import Person
from generator.intents import promote as promotions
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.model.rollout import Phase, Rollout
from generator.model.spans import write_span
from generator.repository import Repository
from generator.zones import zone
from reconciler import loop
from reconciler.outlook import Memory
from reconciler.ports import Connect
from reconciler.wiring import BareRemote, Origins
from tidegate.demo import registry
from tidegate.demo.api import Api
from tidegate.demo.fleet import Behaviour, Fleet
from tidegate.demo.origin import Origin
from tidegate.demo.screen import Screen
from tidegate.demo.workspace import FAULTS, Story, Workspace, at, plants
from tidegate.place import Place, bare_clone
from tidegate.registry import Resolver
from tidegate.starting import FIRST_CLUSTER, start

EDGE, CLOUD, MODEL = "edge-k3s", "cloud-eks", "defect-detector"
IMAGE = "registry.example/defect-detector@sha256:" + "5e" * 32
MANAGER = Person("Rosa Release", "rosa@plants.example")
TICK = timedelta(minutes=10)
QUIET = timedelta(hours=26)
REST = timedelta(hours=1)
LONGEST = timedelta(days=4)
LINE = (EDGE, MODEL)


class Behaviours(Mapping[str, Behaviour]):
    """How good each release truly is, by the number in its name."""

    def __init__(self, fault: str) -> None:
        """Make version 3 the bad one."""
        self._by_number = {"v3": FAULTS[fault], "v2": Behaviour(0.95, 1.0, 0.97)}

    def __getitem__(self, release: str) -> Behaviour:
        """Look a release up; every other one is like the first."""
        return self._by_number.get(release.partition("-")[0], Behaviour())

    def __iter__(self) -> Iterator[str]:
        """Walk the numbers that differ."""
        return iter(self._by_number)

    def __len__(self) -> int:
        """Count them."""
        return len(self._by_number)


@dataclass
class Demo:
    """A fleet, its metrics API, the branch, and the reconciler, on one virtual clock."""

    workspace: Workspace
    story: Story
    screen: Screen
    fleet: Fleet
    origin: Origin
    remote: BareRemote
    connect: Connect
    memory: Memory

    def repository(self) -> Repository:
        """Open the newest commit."""
        return self.remote.repository()

    def rollout(self) -> Rollout:
        """Read the rollout line that the story is about."""
        return self.repository().rollout(EDGE, MODEL)

    def live(self, until: datetime) -> None:
        """Let the sites take up what Git says and work until then."""
        for moment, desired in self.origin.news():
            self.fleet.advance(min(moment, until))
            self.fleet.apply(max(moment, self.fleet.now), desired)
        self.fleet.advance(until)
        if until > self.story.clock:
            self.story = at(self.story, until)
            self.workspace.save(self.story)

    def tick(self) -> tuple[loop.Done, ...]:
        """Live one tick and make one pass of the reconciler."""
        now = self.story.clock + TICK
        self.live(now)
        done = loop.once(self.remote, self.connect, now, self.memory)
        for one in done:
            if one.commit and one.passed.change is not None:
                self.say(f"{one.commit[:8]}  {one.passed.change.subject}")
            elif one.trouble:
                self.say(f"!         {one.say()}")
            elif one.passed.environment == EDGE:
                self.screen.progress(f"{now:%a %H:%M}  {loop.say_decision(one.passed.decision)}")
        return done

    def say(self, text: str) -> None:
        """Tell one line with the virtual time before it."""
        self.screen.tell(f"{self.story.clock:%a %H:%M}  {text}")

    def place(self) -> Place:
        """Say where the release manager works."""
        place = Place(
            self.workspace.origin, self.workspace.folder, self.workspace.state, self.story.clock
        )
        return replace(place, person=MANAGER)


def open_demo(workspace: Workspace, story: Story, screen: Screen) -> "tuple[Demo, Api]":
    """Wire a demo; its API is not started yet."""
    fleet = Fleet(
        plants(story.sites),
        model=MODEL,
        seed=story.seed,
        start=story.start,
        behaviours=Behaviours(story.fault),
        environment=EDGE,
    )
    bare = bare_clone(workspace.origin, workspace.state)
    origin = Origin(Bare(workspace.state / "fleet.git", workspace.origin, "main"), EDGE, MODEL)
    connect = Origins({}, loopback=True).connect
    demo = Demo(
        workspace, story, screen, fleet, origin, BareRemote(bare), connect, Memory(zones=zone)
    )
    return demo, Api(fleet, port=story.port)


def prepare(workspace: Workspace, story: Story, screen: Screen) -> None:
    """Make registry and repository, each once and whole."""
    screen.tell("a model registry (MLflow, SQLite) with four versions of defect-detector")
    registry.seed(workspace.registry, IMAGE)
    answers = Answers(
        environments={EDGE: Kind.EDGE, CLOUD: Kind.CLOUD},
        models=(MODEL,),
        image=IMAGE,
        registry=registry.store_uri(workspace.registry),
        prometheus=f"http://127.0.0.1:{story.port}",
        remote=workspace.origin,
        interval=write_span(TICK),
    )
    sites = {EDGE: plants(story.sites), CLOUD: (FIRST_CLUSTER,)}
    screen.tell(f"a fleet repository of {story.sites} factory sites and one cloud cluster")
    start(workspace.checkout, answers, sites, story.start, MANAGER)
    publish(workspace)


def publish(workspace: Workspace) -> None:
    """Make the bare repository from the first commit, unless it is there."""
    target = workspace.folder / "origin.git"
    if not target.exists():
        start_bare(target, "main", Checkout(workspace.checkout))


def tell_story(demo: Demo) -> None:
    """Baseline, a good version up to every site, a bad one found and taken back."""
    _baseline(demo)
    first = demo.story.start + QUIET
    if demo.story.clock < first:
        demo.say("26 quiet hours under v1, so that every site has a history")
        demo.live(first)
    demo.live(demo.story.clock)
    stable = demo.rollout().stable.partition("-")[0]
    if stable == "v1":
        _promote(demo, 2, "finds hairline cracks")
        _climb(demo)
    if demo.rollout().stable.startswith("v2") and not _was_rejected(demo):
        _promote(demo, 3, "smaller and faster")
        _climb(demo)


def _was_rejected(demo: Demo) -> bool:
    return any(entry.release.startswith("v3-") for entry in demo.repository().rejected())


def _baseline(demo: Demo) -> None:
    for environment in (EDGE, CLOUD):
        if not demo.repository().rollout(environment, MODEL).stable:
            words = f"{MODEL}@champion --env {environment} --baseline"
            demo.screen.tell(f"$ tidegate promote {words} --reason 'first release'")
            resolver = Resolver(f"{MODEL}@champion", "")
            place = replace(demo.place(), reason="first release")
            place.change(
                lambda have, asked, env=environment, who=resolver: promotions.baseline(  # type: ignore[misc]
                    have, env, MODEL, who.resolve(have), asked
                )
            )


def _promote(demo: Demo, number: int, reason: str) -> None:
    if demo.rollout().is_climbing:
        return
    demo.live(demo.story.clock + REST)
    demo.screen.tell("")
    demo.say(f"an ML engineer points the alias challenger at version {number}")
    registry.move_alias(demo.workspace.registry, "challenger", number)
    demo.screen.tell(f"$ tidegate promote {MODEL}@challenger --env {EDGE} --reason '{reason}'")
    resolver = Resolver(f"{MODEL}@challenger", "")
    place = replace(demo.place(), reason=reason)
    place.change(
        lambda have, asked: promotions.promote(have, EDGE, MODEL, resolver.resolve(have), asked)
    )


def _climb(demo: Demo) -> None:
    """Run the reconciler until the rollout has ended, and show it in pictures."""
    began = demo.story.clock
    demo.screen.grid(demo.repository(), LINE, demo.story.clock)
    while demo.rollout().is_climbing:
        if demo.story.clock - began > LONGEST:
            raise InputError("the rollout did not end in four days of virtual time")
        demo.tick()
    demo.screen.staircase(demo.repository(), LINE, demo.story.clock)


def is_over(demo: Demo) -> bool:
    """Say whether nothing climbs and the bad version has been found."""
    return demo.rollout().phase in (Phase.COMPLETED, Phase.REVERTED) and _was_rejected(demo)
