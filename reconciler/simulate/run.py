"""Go through a scenario: the reconciler's own pass, again and again, on virtual time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from generator import layout
from generator.changes import ChangeSet
from generator.documents.sites import write_shard
from generator.intents import moves
from generator.intents import promote as promotions
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.percent import Percent
from generator.model.release import ModelVersion
from generator.model.site import Site
from generator.repository import Repository
from reconciler.applied import Standing, State, wanted
from reconciler.outlook import Memory, Query
from reconciler.policy import Advance, Decision, Escalate, Hold, Revert
from reconciler.record import say
from reconciler.simulate.commits import Commits
from reconciler.simulate.fleet import Fleet
from reconciler.simulate.metrics import Metrics
from reconciler.simulate.reading import IMAGE, MODEL
from reconciler.simulate.scenario import Deed, Scenario
from reconciler.tick import Pass, run

PERSON = "Rosa Release <rosa@plants.example>"
BOT = "tidegate <tidegate@localhost>"
SHARD = 500
BASE: Mapping[RepoPath, str] = {
    layout.CONFIG: "apiVersion: tidegate.dev/v1alpha1\nkind: Repository\n"
    "images: {allow: ['registry.example/']}\n",
    layout.REJECTED: "apiVersion: tidegate.dev/v1alpha1\nkind: RejectedReleases\nrejected: []\n",
    f"{layout.base(MODEL)}/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\n"
    "kind: Kustomization\nresources: [deployment.yaml]\n",
    f"{layout.base(MODEL)}/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\n"
    f"metadata: {{name: {MODEL}}}\n"
    f"spec: {{template: {{spec: {{containers: [{{name: server, image: server}}]}}}}}}\n",
    f"{layout.chart(MODEL)}/Chart.yaml": f"apiVersion: v2\nname: {MODEL}\nversion: 0.1.0\n",
    f"{layout.chart(MODEL)}/templates/service.yaml": "apiVersion: v1\nkind: Service\n"
    f"metadata: {{name: '{MODEL}-{{{{ .Values.release }}}}'}}\n",
    f"{layout.profiles(MODEL)}/cpu/kustomization.yaml": "apiVersion: "
    "kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass came to.

    Attributes:
        at: When.
        since: The same since the promotion.
        percent: As it stands in Git afterwards.
        phase: The same.
        verdict: What the evidence says, or "None".
        decision: `Advance`, `Complete`, `Hold`, `Revert`, `Escalate`, or "None".
        code: Why it holds or reverts, or "".
        why: In words.
        commit: Subject of what landed, or "".
        notes: Doubts about the metrics.
    """

    at: datetime
    since: timedelta
    percent: str
    phase: str
    verdict: str
    decision: str
    code: str
    why: str
    commit: str
    notes: tuple[str, ...]

    def result(self, key: str) -> str:
        """Give what an expectation is compared with."""
        if key == "says":
            return " | ".join((self.why, *self.notes))
        return str(getattr(self, key))

    def has(self, key: str, text: str) -> bool:
        """Say whether an expectation holds; what it says need only hold the text."""
        return text in self.result(key) if key == "says" else self.result(key) == text


@dataclass(frozen=True, slots=True)
class Missed:
    """An expectation that did not come true.

    Attributes:
        line: Where it stands in the scenario.
        since: At which pass, since the promotion.
        key: What it is about.
        expected: What should be, "not X" for what should not.
        found: What is.
        why: The words of that pass.
    """

    line: int
    since: timedelta
    key: str
    expected: str
    found: str
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """One way through a scenario.

    Attributes:
        seed: Whose luck.
        passes: In the order of time.
        missed: Expectations that did not come true.
        tree: What stands in Git at the end.
    """

    seed: int
    passes: tuple[Seen, ...]
    missed: tuple[Missed, ...]
    tree: Commits = field(repr=False)


Connect = Callable[[Metrics], Query]


def simulate(scenario: Scenario, connect: Connect) -> Iterator[Told]:
    """Go through a scenario, once for each seed.

    Args:
        scenario: What there is and what goes wrong.
        connect: Puts the reconciler's reader before the metrics.

    Raises:
        InputError: The scenario makes no repository that could be promoted in.
    """
    for seed in range(1, scenario.seeds + 1):
        yield _Stage(scenario, connect, seed).play()


class _Stage:
    """The branch, the fleet, its metrics and one reconciler; mutable."""

    def __init__(self, scenario: Scenario, connect: Connect, seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        self._where = scenario.environment
        self._tree = Commits(_files(scenario))
        self._fleet = Fleet(scenario)
        interval = self._repository().environment(self._where).interval
        self._every = scenario.every or interval
        luck, seconds = f"seed {seed}", int(interval.total_seconds())
        self._metrics = Metrics(scenario, self._fleet, seconds, luck, scenario.start)
        self._query = connect(self._metrics)
        self._memory = Memory()
        self._parsed: dict[object, object] = {}

    def play(self) -> Told:
        """Go through all of it."""
        scenario = self._scenario
        asked = Asked(PERSON, "simulated")
        first = promotions.baseline(self._repository(), self._where, MODEL, _version(1), asked)
        self._land(first, scenario.start, PERSON)
        second = promotions.promote(self._repository(), self._where, MODEL, _version(2), asked)
        self._draw(second)
        self._land(second, scenario.promoted, PERSON)
        deeds = sorted(scenario.deeds, key=lambda one: one.at)
        passes: list[Seen] = []
        since = timedelta(0)
        while (since := since + self._every) <= scenario.until:
            while deeds and deeds[0].at <= since:
                self._do(deeds.pop(0))
            passes.append(self._pass(since))
        return Told(self._seed, tuple(passes), tuple(_missed(scenario, passes)), self._tree)

    def _repository(self) -> Repository:
        return Repository(self._tree)

    def _land(self, change: ChangeSet | None, at: datetime, author: str) -> None:
        if change is not None:
            self._tree = self._tree.land(change, at, author)
            self._fleet.follow(change.files, at)

    def _draw(self, change: ChangeSet | None) -> None:
        """Let the fleet know the order of the draw before the first site moves."""
        assert change is not None  # noqa: S101 (there is no second release yet)
        then = Repository(self._tree.land(change, self._scenario.promoted, PERSON))
        cohort, rollout = then.cohort(self._where, MODEL), then.rollout(self._where, MODEL)
        members = cohort.members if cohort else ()  # in the cloud nobody is drawn
        order = [one.id for one in members] or list(self._scenario.sites)
        self._fleet.draw(order, rollout.canary)

    def _do(self, deed: Deed) -> None:
        have, asked = self._repository(), Asked(PERSON, "simulated")
        match deed.do:
            case "pause":
                change = moves.pause(have, self._where, MODEL, asked)
            case "resume":
                change = moves.resume(have, self._where, MODEL, asked)
            case "revert":
                change = moves.revert(have, self._where, MODEL, asked)
            case percent:
                change = moves.set_percent(have, self._where, MODEL, Percent.parse(percent), asked)
        self._land(change, self._scenario.promoted + deed.at, PERSON)

    def _pass(self, since: timedelta) -> Seen:
        now = self._scenario.promoted + since
        self._metrics.now = now
        repository = self._repository()
        standings = self._standings(repository, now) if self._scenario.is_split else {}
        done = run(repository, self._where, MODEL, self._query, now, self._memory, standings)
        self._land(done.change, now, BOT)
        return _seen(done, now, since, self._repository())

    def _standings(self, repository: Repository, now: datetime) -> Mapping[str, Standing]:
        """Say what Argo CD would: how every cluster stands to this commit."""
        settled = self._fleet.is_settled(now)
        state = State.APPLIED if settled else State.MOVING
        return {
            one.site: Standing(one, None, state, settled) for one in wanted(repository).values()
        }


def _files(scenario: Scenario) -> Mapping[RepoPath, bytes]:
    sites = [Site(site, site, group, "cpu") for site, group in scenario.sites.items()]
    shards = {
        layout.shard(scenario.environment, f"s{start // SHARD:03d}"): write_shard(
            sites[start : start + SHARD]
        )
        for start in range(0, len(sites), SHARD)
    }
    base = {path: text.encode() for path, text in BASE.items()}
    return {**base, **scenario.files, **shards}


def _version(number: int) -> ModelVersion:
    return ModelVersion(
        registry_name=MODEL,
        version=str(number),
        model_id=f"m-{number}",
        run_id=f"r-{number}",
        created_ms=1_700_000_000_000 + number,
        uri=f"s3://models/{MODEL}/{number}",
        digest=f"sha256:{number:064x}",
        files=1,
        size_bytes=1,
        asked=f"{MODEL}/{number}",
        image=IMAGE,
    )


def _seen(done: Pass, now: datetime, since: timedelta, repository: Repository) -> Seen:
    rollout, outlook = repository.rollout(done.environment, MODEL), done.outlook
    situation = outlook.situation if outlook else None
    name, code = name_of(done.decision)
    return Seen(
        at=now,
        since=since,
        percent=str(rollout.percent),
        phase=rollout.phase.value if rollout.phase else "None",
        verdict=situation.verdict.value if situation else "None",
        decision=name,
        code=code,
        why=say(done.decision) if done.decision else "",
        commit=done.change.subject if done.change else "",
        notes=outlook.notes if outlook else (),
    )


def name_of(decision: Decision | None) -> tuple[str, str]:
    """Give the word of a decision, and its code or ""."""
    match decision:
        case None:
            return "None", ""
        case Advance(to):
            return ("Advance" if to is not None else "Complete"), ""
        case Hold(code) | Revert(code):
            return type(decision).__name__, code
        case Escalate():
            return "Escalate", ""


def _missed(scenario: Scenario, passes: list[Seen]) -> Iterator[Missed]:
    for one in scenario.expected:
        mine = [seen for seen in passes if one.at <= seen.since <= one.until]
        if not mine:
            yield Missed(one.line, one.at, "pass", "a pass then", "none", "")
        for seen in mine:
            wrong = [(key, want) for key, want in one.wants.items() if not seen.has(key, want)]
            wrong += [
                (key, f"not {text}") for key, text in one.refuses.items() if seen.has(key, text)
            ]
            for key, want in wrong:
                yield Missed(one.line, seen.since, key, want, seen.result(key), seen.why)
