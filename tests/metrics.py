"""A fleet without chance: what Git says happens on every site, and its counters answer queries.

`Plants` is the metrics API as the reconciler's rooms see it, a function. `Scene` puts it beside a
real bare repository and one reconciler: `do` and `edit` are people, `tick` is one pass.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from generator import layout
from generator.changes import ChangeSet, Committed, Outcome
from generator.gitrepo.commit import Person
from generator.gitrepo.snapshot import Snapshot
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler import loop
from reconciler.measure import Answer, MetricsUnavailable, Series
from reconciler.outlook import Memory, Query
from reconciler.wiring import BareRemote
from tests.builders import (
    ADA,
    EDGE,
    HARDWARE,
    MODEL,
    NOW,
    Files,
    Intent,
    Origin,
    View,
    baseline,
    fleet,
    promote,
    replaced,
)
from tidegate.demo.selector import Selector, parse

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROLLOUT = layout.rollout(EDGE, MODEL)
PER_SECOND = 1.0
_TARGET = re.compile(rb"/(v[0-9]+-[0-9a-f]{8})/[a-z0-9-]+\"")


def quick(files: Mapping[str, bytes]) -> Files:
    """Judge every 10 minutes and soak for one hour, so that a step is few ticks."""
    settings = layout.environment(EDGE)
    return replaced(
        replaced(files, settings, "interval: 5m ", "interval: 10m "),
        ROLLOUT,
        "soak: 2h ",
        "soak: 1h ",
    )


BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: defect-detector
spec:
  selector:
    matchLabels: {app: defect-detector}
  template:
    metadata:
      labels: {app: defect-detector}
    spec:
      containers:
      - name: model-server
        image: model-server
"""
LIST = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml]
"""
PROFILE = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"


def plain(files: Files) -> Files:
    """Take a base of our own, so that release ids, and what is drawn by them, are always alike."""
    under = f"models/{MODEL}"
    kept = {
        path: data
        for path, data in files.items()
        if not path.startswith((f"{under}/base/", f"{under}/profiles/"))
    }
    kept[f"{under}/base/deployment.yaml"] = BASE.encode()
    kept[f"{under}/base/kustomization.yaml"] = LIST.encode()
    for name in HARDWARE:
        kept[f"{under}/profiles/{name}/kustomization.yaml"] = PROFILE.encode()
    return kept


@dataclass(frozen=True)
class Bad:
    """The shares of bad predictions of one release."""

    errors: float = 0.02
    slow: float = 0.02
    unsure: float = 0.05


@dataclass
class Run:
    """One process on one site; times in seconds since the epoch."""

    release: str
    begun: float
    ended: float = float("inf")


@dataclass
class Plants:
    """Sites and the processes they run.

    Attributes:
        bad: Shares by the number of a release ("v13"); every other one is like `Bad()`.
        never_start: Numbers whose pods never become ready; a site goes on with what it ran.
        dark: Numbers that run and show nothing.
        down: Every query fails.
        warnings: What the API says of every answer.
        change: What is done to every series before it is given out, None drops it.
    """

    bad: dict[str, Bad] = field(default_factory=dict)
    never_start: set[str] = field(default_factory=set)
    dark: set[str] = field(default_factory=set)
    down: bool = False
    warnings: tuple[str, ...] = ()
    change: Callable[[Series], Series | None] = lambda series: series
    asked: list[str] = field(default_factory=list)
    _runs: dict[str, list[Run]] = field(default_factory=dict)
    _away: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _memo: dict[tuple[Any, ...], list[int]] = field(default_factory=dict, repr=False)

    def serve(self, site: str, release: str, at: datetime) -> None:
        """Start another release on a site."""
        if release.partition("-")[0] in self.never_start:
            return
        runs = self._runs.setdefault(site, [])
        if runs:
            runs[-1].ended = at.timestamp()
        runs.append(Run(release, at.timestamp()))

    def hide(self, sites: Iterable[str], since: datetime, until: datetime) -> None:
        """Let sites be out of reach of the metrics; they work on."""
        for site in sites:
            self._away.setdefault(site, []).append((since.timestamp(), until.timestamp()))

    def query(self, promql: str, start: datetime, end: datetime, step: timedelta) -> Answer:
        """Answer as `reconciler.prometheus.Prometheus.range` does."""
        self.asked.append(promql)
        if self.down:
            raise MetricsUnavailable("Prometheus", "connection refused")
        ticks = range(int(start.timestamp()), int(end.timestamp()) + 1, int(step.total_seconds()))
        found = (self.change(one) for one in self._series(parse(promql), ticks))
        return Answer(tuple(one for one in found if one), self.warnings)

    def _series(self, selector: Selector, ticks: range) -> Iterator[Series]:
        wanted: dict[str, list[int]] = {}
        for number, (site, runs) in enumerate(sorted(self._runs.items())):
            found: dict[tuple[str, int], list[tuple[int, float]]] = {}
            for run in runs:
                if run.release not in wanted:
                    wanted[run.release] = _wanted(selector, run.release)
                seen = self._seen(site, run, ticks) if wanted[run.release] else ()
                bad = self.bad.get(run.release.partition("-")[0], Bad())
                for one in wanted[run.release] if seen else ():
                    value = _counter(one, bad, number / len(self._runs), run.begun)
                    points = found.setdefault((run.release, one), [])
                    points += [(at, float(value(at))) for at in seen]
            for (release, one), points in found.items():
                labels = {**COUNTERS[one], **_own(release), "site": site}
                yield Series(labels, tuple(points))

    def _seen(self, site: str, run: Run, ticks: range) -> list[int]:
        if run.release.partition("-")[0] in self.dark:
            return []
        away = self._away.get(site, ())
        key = (run.begun, run.ended, ticks, tuple(away))
        if key not in self._memo:
            inside = [at for at in ticks if run.begun <= at < run.ended]
            self._memo[key] = [
                at for at in inside if not any(since <= at < until for since, until in away)
            ]
        return self._memo[key]


COUNTERS = (
    {"__name__": "model_predictions_total", "outcome": "ok"},
    {"__name__": "model_predictions_total", "outcome": "error"},
    {"__name__": "model_prediction_latency_seconds_count"},
    {"__name__": "model_prediction_latency_seconds_bucket", "le": "0.25"},
    {"__name__": "model_prediction_confidence_count"},
    {"__name__": "model_prediction_confidence_bucket", "le": "0.6"},
    {"__name__": "model_release_info"},
    {"__name__": "model_process_start_time_seconds"},
)


def _wanted(selector: Selector, release: str) -> list[int]:
    own = _own(release)
    return [one for one, labels in enumerate(COUNTERS) if selector.accepts(own | labels)]


def _own(release: str) -> dict[str, str]:
    return {"environment": EDGE, "model": MODEL, "release": release}


def _counter(one: int, bad: Bad, phase: float, begun: float) -> Callable[[int], float]:
    """Give the value of one of COUNTERS at a time."""

    def events(at: int) -> int:
        return int((at - begun) * PER_SECOND)

    def of(share: float) -> Callable[[int], float]:
        return lambda at: min(events(at), int(events(at) * share + phase))

    def but(share: float) -> Callable[[int], float]:
        return lambda at: events(at) - of(share)(at)

    return (
        but(bad.errors),
        of(bad.errors),
        events,
        but(bad.slow),
        events,
        of(bad.unsure),
        lambda at: 1.0,
        lambda at: begun,
    )[one]


@dataclass
class Scene:
    """A fleet repository, the fleet that follows it, and one reconciler."""

    origin: Origin
    plants: Plants
    memory: Memory = field(default_factory=Memory)
    _desired: dict[str, str] = field(default_factory=dict)
    _remote: list[BareRemote] = field(default_factory=list)
    _trees: list[Snapshot] = field(default_factory=list)

    @classmethod
    def promoted(cls, folder: Path, start: datetime, seen: datetime) -> "Scene":
        """Make one with v13 on 5 of 100 sites since `start`, seen and with its history frozen."""
        scene = cls(Origin.start(folder, quick(fleet(100))), Plants())
        scene.do(baseline(12), NOW)
        scene.do(promote(13), start)
        assert scene.tick(seen).commit
        scene.origin.packed()
        return scene

    @property
    def remote(self) -> BareRemote:
        """Give the branch as the reconciler sees it."""
        if not self._remote or self._remote[0].bare is not self.origin.clone:
            self._remote[:] = [BareRemote(self.origin.clone)]
        return self._remote[0]

    def do(self, intent: Intent, at: datetime, *, person: Person = ADA, dated: Any = None) -> str:
        """Let a person's command land at a time; `dated` is what their clock says."""
        change = intent(Repository(self.tree()))
        assert change is not None
        return self.land(change, at, person=person, dated=dated)

    def land(
        self, change: ChangeSet, at: datetime, *, person: Person = ADA, dated: Any = None
    ) -> str:
        """Let a change set land at a time."""
        outcome = self.origin.clone.land(change, person, dated or at)
        assert isinstance(outcome, Committed)
        self.follow(at)
        return outcome.id

    def edit(
        self,
        old: str,
        new: str,
        at: datetime,
        *,
        path: str = ROLLOUT,
        person: Person = ADA,
        dated: Any = None,
    ) -> str:
        """Let a person edit one place of one file on the branch."""
        tree = self.tree()
        data = replaced(tree.read_many((path,)), path, old, new)[path]
        change = ChangeSet(tree.commit, {path: data}, f"edit {path}")
        return self.land(change, at, person=person, dated=dated)

    def put(self, path: str, data: bytes | None, at: datetime) -> str:
        """Let a person write a whole file on the branch; None deletes it."""
        return self.land(ChangeSet(self.tree().commit, {path: data}, f"put {path}"), at)

    def follow(self, at: datetime) -> None:
        """Let the sites take up what Git says, three minutes later."""
        self._trees.clear()
        for site, release in self.runs().items():
            if self._desired.get(site) != release:
                self.plants.serve(site, release, at + 3 * MINUTE)
                self._desired[site] = release

    def runs(self) -> dict[str, str]:
        """Say which release the pointer of every edge site names."""
        tree = self.tree()
        tail = f"/{MODEL}/kustomization.yaml"
        paths = [path for path in tree.ids(f"{layout.SITES}/{EDGE}") if path.endswith(tail)]
        found = {}
        for path, data in tree.read_many(paths).items():
            target = _TARGET.search(data)
            assert target is not None
            found[path.split("/")[2]] = target.group(1).decode()
        return found

    def on(self, release: str) -> list[str]:
        """List the sites whose pointers name a release."""
        return sorted(site for site, found in self.runs().items() if found == release)

    def rollout(self) -> Rollout:
        """Read the file that a release manager edits."""
        return Repository(self.tree()).rollout(EDGE, MODEL)

    def tick(
        self, at: datetime, *, memory: Memory | None = None, remote: loop.Remote | None = None
    ) -> loop.Done:
        """Make one pass of the reconciler and give what became of the edge line."""
        done = self.ticks(at, memory=memory, remote=remote)
        return next(one for one in done if (one.passed.environment, one.passed.model) == LINE)

    def ticks(
        self, at: datetime, *, memory: Memory | None = None, remote: loop.Remote | None = None
    ) -> tuple[loop.Done, ...]:
        """Make one pass of the reconciler over every line."""
        kept = self.memory if memory is None else memory
        mine = remote or self.remote
        done = loop.once(mine, lambda _: self.plants.query, at, kept, lambda _: None)
        if any(one.commit for one in done):
            self.follow(at)
        return done

    def until(
        self, at: datetime, end: datetime, step: timedelta = 10 * MINUTE
    ) -> tuple[datetime, loop.Done]:
        """Make passes until one lands a commit, and give its time."""
        while at <= end:
            done = self.tick(at)
            if done.commit:
                return at, done
            at += step
        raise AssertionError(f"nothing landed until {end}")

    def tree(self) -> Snapshot:
        """Open the newest commit; once after each landing is enough."""
        if not self._trees:
            tree = self.origin.clone.fetch()
            tree.read_many(tree.ids(""))  # one process instead of one a file
            self._trees.append(tree)
        return self._trees[0]

    @property
    def view(self) -> View:
        """Read the newest commit."""
        tree = self.tree()
        return View(tree.read_many(tree.ids("")), Repository(tree))

    def copy(self, folder: Path) -> "Scene":
        """Go on from here elsewhere, with a reconciler that has just been started."""
        return Scene(
            self.origin.copy(folder),
            copy.deepcopy(self.plants),
            _desired=dict(self._desired),
        )

    def head(self) -> str:
        """Name the newest commit."""
        return self.tree().commit

    def sites(self) -> Mapping[str, str]:
        """Give the blob id of every pointer."""
        return self.tree().ids(layout.SITES)

    def canary(self) -> list[str]:
        """List the sites whose pointers name the canary."""
        return self.on(self.rollout().canary)


LINE = (EDGE, MODEL)


@dataclass(frozen=True)
class Through:
    """A remote on which something happens right before each push."""

    remote: BareRemote
    before: Callable[[], None]

    def repository(self) -> Repository:
        """Fetch the branch and open its head."""
        return self.remote.repository()

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Let it happen, then push."""
        self.before()
        return self.remote.land(change, now)


def no_metrics(*_: object) -> Query:
    """Stand for a place where nobody may ask for metrics."""
    raise AssertionError("nobody asked for metrics here")
