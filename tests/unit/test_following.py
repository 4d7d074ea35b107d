"""The reconciler follows Argo CD: what it reads, whom it nudges, and what it says of trouble."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from generator import layout
from generator.errors import RemoteError
from generator.model.rollout import Phase
from generator.repository import Repository
from reconciler import outlook
from reconciler.applied import Application, Nudges, Operation, State, wanted
from reconciler.cloud import next_move
from reconciler.following import Following
from reconciler.measure import Answer, MetricsUnavailable
from reconciler.policy import Advance, Hold, Revert
from reconciler.tick import Pass, run
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Memory,
    baseline,
    fleet,
    percent,
    promote,
    revert,
)

LATER = NOW + timedelta(minutes=5)


@dataclass
class Argo:
    """Argo CD as the port shows it; `sync` is one of its rounds."""

    apps: dict[str, Application] = field(default_factory=dict)
    read_names: list[frozenset[str]] = field(default_factory=list)
    nudged: list[tuple[Nudges, str]] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    is_down: bool = False

    def sync(self, tree: Memory, *, only: Collection[str] = (), health: str = "Healthy") -> None:
        for name, one in wanted(Repository(tree)).items():
            if not only or name in only:
                done = Operation("Succeeded", tree.commit, 0, NOW, NOW)
                self.apps[name] = Application(
                    name, "Synced", health, tree.commit, one.releases, done
                )

    def rows(self) -> Mapping[str, tuple[str, str, str]]:
        if self.is_down:
            raise RemoteError("Kubernetes", "connection refused")
        return {name: (one.sync, one.health, one.revision) for name, one in self.apps.items()}

    def read(self, names: Collection[str]) -> Mapping[str, Application]:
        if self.is_down:
            raise RemoteError("Kubernetes", "connection refused")
        self.read_names.append(frozenset(names))
        return {name: self.apps[name] for name in names if name in self.apps}

    def nudge(self, nudges: Nudges, mark: str) -> Mapping[str, str]:
        self.nudged.append((nudges, mark))
        return self.failing


@pytest.fixture(scope="module")
def trees() -> tuple[Memory, Memory, Memory]:
    base = Memory(fleet()).do(baseline(12))
    climbing = base.do(promote(13))
    return base, climbing, climbing.do(revert())


def flipped(one: Memory, other: Memory) -> frozenset[str]:
    before, after = wanted(Repository(one)), wanted(Repository(other))
    return frozenset(name for name in after if before[name].releases != after[name].releases)


def followed(tree: Memory) -> tuple[Argo, Following]:
    argo = Argo()
    argo.sync(tree)
    following = Following(argo)
    following.look(Repository(tree), NOW)
    return argo, following


def test_a_steady_fleet_is_read_whole_once_and_left_alone(
    trees: tuple[Memory, Memory, Memory],
) -> None:
    argo, following = followed(trees[0])
    view = following.look(Repository(trees[0]), LATER)
    assert [len(names) for names in argo.read_names] == [100]
    assert argo.nudged == []
    assert view.say() == (f"{EDGE}/{MODEL}: 100 applied",)
    assert len(view.applied) == 100
    assert not view.under_way


def test_after_a_flip_exactly_the_flipped_are_asked_to_look(
    trees: tuple[Memory, Memory, Memory],
) -> None:
    base, climbing, _ = trees
    argo, following = followed(base)
    view = following.look(Repository(climbing), LATER)
    moved = flipped(base, climbing)
    assert len(moved) == 5
    assert [set(one.refresh) for one, _ in argo.nudged] == [moved]
    assert {name for name, one in view.standings.items() if one.state is State.BEHIND} == moved
    assert "5 behind (plant-" in view.say()[0]
    assert view.say()[0].startswith(f"{EDGE}/{MODEL}: 95 applied, ")


def test_a_glance_reads_only_what_is_on_its_way(trees: tuple[Memory, Memory, Memory]) -> None:
    base, climbing, _ = trees
    argo, following = followed(base)
    following.look(Repository(climbing), LATER)
    moved = flipped(base, climbing)
    argo.read_names.clear()
    argo.sync(climbing, only=moved)
    assert not following.glance(LATER).under_way
    assert argo.read_names == [moved]
    argo.read_names.clear()
    following.glance(LATER)
    assert argo.read_names == []


def test_a_revert_ends_the_syncs_that_are_in_its_way(trees: tuple[Memory, Memory, Memory]) -> None:
    base, climbing, back = trees
    argo, following = followed(base)
    moved = flipped(base, climbing)
    for name in moved:
        running = Operation("Running", climbing.commit, 3, LATER)
        argo.apps[name] = replace(
            argo.apps[name], sync="OutOfSync", revision=climbing.commit, operation=running
        )
    view = following.look(Repository(back), LATER)
    (wishes, _) = argo.nudged[-1]
    assert set(wishes.end) == moved == set(wishes.refresh)
    assert "5 stuck" in view.say()[0]


def test_a_reconciler_that_starts_anew_does_the_same(trees: tuple[Memory, Memory, Memory]) -> None:
    base, climbing, _ = trees
    argo, following = followed(base)
    following.look(Repository(climbing), LATER)
    again = Following(argo)
    again.look(Repository(climbing), LATER)
    assert argo.nudged[0] == argo.nudged[1]


def test_a_hub_that_is_down_is_said_and_nothing_old_is_believed(
    trees: tuple[Memory, Memory, Memory],
) -> None:
    argo, following = followed(trees[0])
    argo.is_down = True
    view = following.look(Repository(trees[0]), LATER)
    assert view.standings == {}
    assert view.applied == {}
    assert view.troubles == ("Kubernetes: connection refused",)
    argo.is_down = False
    assert len(following.look(Repository(trees[0]), LATER).applied) == 100


def test_sites_that_are_away_are_named_and_not_read(trees: tuple[Memory, Memory, Memory]) -> None:
    base, climbing, _ = trees
    argo, following = followed(base)
    gone = sorted(flipped(base, climbing))[0]
    argo.sync(climbing)
    argo.apps[gone] = replace(argo.apps[gone], sync="Unknown", revision=base.commit)
    following.look(Repository(climbing), LATER)
    argo.read_names.clear()
    view = following.look(Repository(climbing), LATER)
    assert all(gone not in names for names in argo.read_names)
    site = view.standings[gone].wanted.site
    assert view.say() == (f"{EDGE}/{MODEL}: 99 applied, 1 away ({site})",)
    assert argo.nudged == []


def test_a_set_is_woken_anew_every_few_minutes(trees: tuple[Memory, Memory, Memory]) -> None:
    base = trees[0]
    argo, following = followed(base)
    name = sorted(argo.apps)[0]
    del argo.apps[name]
    for minutes in (0, 1, 4):
        following.look(Repository(base), NOW + timedelta(minutes=minutes))
    assert [wishes.wake for wishes, _ in argo.nudged] == [
        (wanted(Repository(base))[name].set_name,)
    ] * 3
    marks = [mark for _, mark in argo.nudged]
    assert marks[0] == marks[1] != marks[2]
    assert following.view.standings[name].state is State.MISSING


def test_what_git_no_longer_wants_is_named(trees: tuple[Memory, Memory, Memory]) -> None:
    argo, following = followed(trees[0])
    argo.apps[f"{EDGE}-{MODEL}-plant-9999"] = Application("x", "Synced", "Healthy")
    argo.apps["somebody-elses"] = Application("y", "Synced", "Healthy")
    view = following.look(Repository(trees[0]), LATER)
    assert view.orphans == (f"{EDGE}-{MODEL}-plant-9999",)
    assert view.say()[-1] == f"in Argo CD but not in Git: {EDGE}-{MODEL}-plant-9999"


def test_what_could_not_be_nudged_is_said(trees: tuple[Memory, Memory, Memory]) -> None:
    base, climbing, _ = trees
    argo, following = followed(base)
    argo.failing = {"app": "not permitted"}
    assert following.look(Repository(climbing), LATER).troubles == ("app: not permitted",)


# ------------------------------------------------------------------ the cloud


@pytest.fixture(scope="module")
def clouds() -> tuple[Memory, Memory]:
    start = Memory(fleet()).do(baseline(12, CLOUD)).do(promote(13, CLOUD))
    return start, start.do(percent("5", CLOUD)).do(revert(CLOUD))


def moved(tree: Memory, argo: Argo) -> object:
    repository = Repository(tree)
    rollout = repository.rollout(CLOUD, MODEL)
    standings = Following(argo).look(repository, LATER).line(CLOUD, MODEL)
    return next_move(repository, rollout, standings)


def test_no_traffic_before_the_canary_is_up_everywhere(clouds: tuple[Memory, Memory]) -> None:
    start, _ = clouds
    argo = Argo()
    argo.sync(start, health="Progressing")
    found = moved(start, argo)
    assert isinstance(found.decision, Hold)
    assert found.decision.code == "objects"
    assert "cluster-1, cluster-2 are healthy" in found.decision.why
    assert found.change is None
    argo.sync(start)
    found = moved(start, argo)
    assert found.decision == Advance(
        start.view.rollout(CLOUD).steps[0], "the canary is up on 2 clusters"
    )
    assert start.land(found.change).view.rollout(CLOUD).percent.basis_points == 500


def test_traffic_that_a_person_took_away_is_theirs_to_give(clouds: tuple[Memory, Memory]) -> None:
    back = clouds[0].do(percent("5", CLOUD)).do(percent("0", CLOUD))
    argo = Argo()
    argo.sync(back)
    assert moved(back, argo) is None


def test_the_canary_stays_until_no_cluster_sends_it_traffic(clouds: tuple[Memory, Memory]) -> None:
    start, back = clouds
    rollout = back.view.rollout(CLOUD)
    assert (rollout.phase, bool(rollout.canary)) == (Phase.REVERTED, True)
    argo = Argo()
    argo.sync(start.do(percent("5", CLOUD)))
    found = moved(back, argo)
    assert isinstance(found.decision, Hold)
    assert found.decision.code == "weights"
    assert found.change is None
    # A canary that never becomes healthy must not keep itself alive.
    argo.sync(back, health="Degraded")
    found = moved(back, argo)
    assert isinstance(found.decision, Revert)
    assert back.land(found.change).view.rollout(CLOUD).canary == ""


def test_taking_the_traffic_by_hand_first_saves_no_wait(clouds: tuple[Memory, Memory]) -> None:
    start, _ = clouds
    # Before it ever had traffic there is nothing to wait for.
    assert start.do(revert(CLOUD)).view.rollout(CLOUD).canary == ""
    by_hand = start.do(percent("5", CLOUD)).do(percent("0", CLOUD))
    back = by_hand.do(revert(CLOUD))
    rollout = back.view.rollout(CLOUD)
    assert (rollout.phase, bool(rollout.canary)) == (Phase.REVERTED, True)
    assert back.do(revert(CLOUD)).view.rollout(CLOUD).canary == ""


def test_at_100_percent_the_clusters_that_still_need_stable_are_named(
    clouds: tuple[Memory, Memory],
) -> None:
    half = clouds[0].do(percent("50", CLOUD))
    whole = half.do(percent("100", CLOUD))
    argo = Argo()
    argo.sync(half)
    found = moved(whole, argo)
    assert isinstance(found.decision, Hold)
    stable = whole.view.rollout(CLOUD).stable
    named = "cluster-1, cluster-2 are without its traffic"
    assert found.decision.why == f"{stable} is needed until {named}"
    argo.sync(whole)
    assert moved(whole, argo) is None


def test_a_cluster_that_is_away_keeps_the_canary(clouds: tuple[Memory, Memory]) -> None:
    back = clouds[1]
    argo = Argo()
    argo.sync(back)
    name = sorted(argo.apps)[0]
    argo.apps[name] = replace(argo.apps[name], sync="Unknown")
    found = moved(back, argo)
    assert isinstance(found.decision, Hold)
    assert "cluster-1 is" in found.decision.why


def test_without_a_view_the_objects_are_a_persons(clouds: tuple[Memory, Memory]) -> None:
    start, back = clouds
    assert next_move(Repository(start), start.view.rollout(CLOUD), {}) is None
    found = next_move(Repository(back), back.view.rollout(CLOUD), {})
    assert found is not None
    assert isinstance(found.decision, Hold)
    assert f"tidegate revert {MODEL} --env {CLOUD}" in found.decision.command


def dark(*_: object) -> Answer:
    raise MetricsUnavailable("Prometheus", "connection refused")


def ticked(tree: Memory) -> Pass:
    argo, repository = Argo(), Repository(tree)
    argo.sync(tree)
    standings = Following(argo).look(repository, LATER).line(CLOUD, MODEL)
    return run(repository, CLOUD, MODEL, dark, LATER, outlook.Memory(), standings)


def test_in_a_deny_window_no_traffic_starts_and_a_revert_goes_on(
    clouds: tuple[Memory, Memory],
) -> None:
    window = "denyWindows: [{schedule: '0 0 * * *', duration: 12h}]"
    start, back = (one.edit(layout.environment(CLOUD), "denyWindows: []", window) for one in clouds)
    assert isinstance(ticked(clouds[0]).decision, Advance)
    waits = ticked(start)
    assert isinstance(waits.decision, Hold)
    assert (waits.decision.code, waits.change) == ("deny-window", None)
    assert waits.decision.until == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert waits.decision.since is not None
    gone = ticked(back)
    assert isinstance(gone.decision, Revert)
    assert gone.change is not None
