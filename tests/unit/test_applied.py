"""What Argo CD holds against what Git wants, and what would help it along."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generator import layout
from generator.model.rollout import Phase
from generator.repository import Repository
from reconciler.applied import (
    Application,
    Contents,
    Nudges,
    Operation,
    Standing,
    State,
    Wanted,
    nudge,
    read_application,
    stand,
    wanted,
)
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, fleet, promote, revert

OLD, NEW = "v12-9be07d11", "v13-3f9a1c2b"
LATER = NOW + timedelta(minutes=5)
MARK = "https://git.example.com/fleet/releases/edge-k3s/defect-detector/"


def line(phase: str, revision: str = "", **more: Any) -> Operation:
    return Operation(phase, revision, **{"started": NOW, **more})


class Story:
    """A baseline, a promotion and a revert, with one canary and one stable site."""

    def __init__(self) -> None:
        self.base = Memory(fleet()).do(baseline(12))
        self.climbing = self.base.do(promote(13))
        self.back = self.climbing.do(revert())
        names = wanted(Repository(self.climbing))
        first = self.climbing.view.rollout()
        self.old, self.new = first.stable, first.canary
        self.canary = next(n for n, one in names.items() if one.releases == {self.new})
        self.stable = next(n for n, one in names.items() if one.releases == {self.old})

    def wanted(self, at: Memory, name: str) -> Wanted:
        return wanted(Repository(at))[name]

    def app(self, at: Memory, release: str, **more: Any) -> Application:
        good = Application("x", "Synced", "Healthy", at.commit, frozenset({release}))
        return replace(good, operation=line("Succeeded", at.commit), version="7", **more)

    def state(self, at: Memory, name: str, one: Application | None) -> State:
        return stand(self.wanted(at, name), one, Contents(at)).state


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


def test_every_site_of_the_hub_is_wanted_once(story: Story) -> None:
    found = wanted(Repository(story.climbing))
    assert len(found) == 100
    assert sum(one.releases == {story.new} for one in found.values()) == 5
    one = found[story.canary]
    assert story.canary == f"{EDGE}-{MODEL}-{one.site}"
    assert one.folder == layout.pointer(EDGE, one.site, MODEL)
    assert f"{layout.ARGOCD}/fleet/{EDGE}/{one.shard}/sets/{MODEL}.yaml" in story.climbing.files
    assert (
        one.set_name
        in story.climbing.files[
            f"{layout.ARGOCD}/fleet/{EDGE}/{one.shard}/sets/{MODEL}.yaml"
        ].decode()
    )


def test_a_cloud_cluster_is_wanted_with_both_releases(story: Story) -> None:
    at = story.base.do(baseline(12, CLOUD)).do(promote(13, CLOUD))
    rollout = at.view.rollout(CLOUD)
    assert {
        one.releases for one in wanted(Repository(at)).values() if one.environment == CLOUD
    } == {frozenset({rollout.stable, rollout.canary})}


def test_nobody_on_the_hub_knows_what_a_site_pulls(story: Story) -> None:
    at = story.climbing.edit(layout.environment(EDGE), "delivery: argocd  ", "delivery: flux    ")
    assert wanted(Repository(at)) == {}


def test_a_broken_environment_hides_only_itself(story: Story) -> None:
    at = story.base.do(baseline(12, CLOUD)).put(layout.environment(EDGE), b"kind: [")
    assert {one.environment for one in wanted(Repository(at)).values()} == {CLOUD}


def test_live_and_healthy_on_the_wanted_release_is_applied(story: Story) -> None:
    good = story.app(story.climbing, story.new)
    assert story.state(story.climbing, story.canary, good) is State.APPLIED


def test_another_commit_with_the_same_folder_is_as_good(story: Story) -> None:
    untouched = story.app(story.base, story.old)
    assert story.state(story.climbing, story.stable, untouched) is State.APPLIED


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"marks": frozenset()}, State.MOVING),
        ({"marks": frozenset({OLD, NEW})}, State.MOVING),
        ({"health": "Progressing"}, State.MOVING),
        ({"health": "Degraded"}, State.MOVING),
        ({"sync": "OutOfSync"}, State.MOVING),
        ({"sync": "Unknown"}, State.AWAY),
        ({"revision": "HEAD; rm"}, State.BEHIND),
        ({"revision": ""}, State.BEHIND),
    ],
)
def test_anything_less_is_not_applied(
    story: Story, change: Mapping[str, Any], state: State
) -> None:
    one = replace(story.app(story.climbing, story.new), **change)
    assert story.state(story.climbing, story.canary, one) is state


def test_the_flip_is_not_seen_yet_where_the_folder_was_another_one(story: Story) -> None:
    before = story.app(story.base, story.old)
    assert story.state(story.climbing, story.canary, before) is State.BEHIND


def test_a_sync_of_another_commit_is_stuck_and_one_of_this_is_moving(story: Story) -> None:
    running = story.app(story.climbing, story.new, sync="OutOfSync")
    old = replace(running, operation=line("Running", story.climbing.commit))
    assert story.state(story.back, story.canary, old) is State.STUCK
    assert story.state(story.climbing, story.canary, old) is State.MOVING
    assert story.state(story.back, story.stable, old) is State.MOVING


def test_a_failed_sync_of_this_commit_has_given_up(story: Story) -> None:
    failed = story.app(story.climbing, story.old, sync="OutOfSync")
    failed = replace(failed, operation=line("Failed", story.climbing.commit))
    assert story.state(story.climbing, story.canary, failed) is State.GAVE_UP
    older = replace(failed, operation=line("Failed", story.base.commit))
    assert story.state(story.climbing, story.canary, older) is State.MOVING


def test_an_ended_sync_does_not_matter_where_live_is_what_git_wants(story: Story) -> None:
    ended = story.app(story.back, story.old)
    ended = replace(ended, operation=line("Failed", story.climbing.commit))
    assert story.state(story.back, story.canary, ended) is State.APPLIED


def test_a_release_counts_as_applied_where_one_healthy_mark_is_live(story: Story) -> None:
    def applied(**change: Any) -> str:
        one = replace(story.app(story.base, story.old), **change)
        return stand(
            story.wanted(story.climbing, story.canary), one, Contents(story.climbing)
        ).applied

    assert applied() == story.old
    assert applied(marks=frozenset({story.old, story.new})) == ""
    assert applied(health="Degraded") == ""
    assert applied(sync="OutOfSync") == ""


# ------------------------------------------------------------------ what would help


def at(story: Story, tree: Memory, one: Application | None) -> Mapping[str, Standing]:
    return {"app": stand(story.wanted(tree, story.canary), one, Contents(tree))}


def test_what_is_applied_is_left_alone(story: Story) -> None:
    good = at(story, story.climbing, story.app(story.climbing, story.new))
    assert nudge(good, LATER) == Nudges()
    assert not nudge(good, LATER)


def test_who_has_not_looked_is_asked_once(story: Story) -> None:
    behind = story.app(story.base, story.old)
    assert nudge(at(story, story.climbing, behind), LATER) == Nudges(refresh=("app",))
    asked = replace(behind, is_asked=True)
    assert nudge(at(story, story.climbing, asked), LATER) == Nudges()


@pytest.mark.parametrize(
    ("operation", "after", "ends"),
    [
        ({}, timedelta(seconds=5), False),
        ({}, timedelta(seconds=20), True),
        ({"retries": 1}, timedelta(seconds=5), True),
    ],
)
def test_a_sync_of_another_commit_ends_once_it_is_in_the_way(
    story: Story, operation: Mapping[str, Any], after: timedelta, ends: bool
) -> None:
    other = story.climbing.do(revert()).do(promote(14))
    rollout = other.view.rollout()
    assert rollout.phase is Phase.PROGRESSING
    name = next(n for n, o in wanted(Repository(other)).items() if o.releases == {rollout.canary})
    one = story.app(story.base, story.old, sync="OutOfSync")
    one = replace(one, operation=line("Running", story.base.commit, **operation))
    found = nudge({"app": stand(story.wanted(other, name), one, Contents(other))}, NOW + after)
    assert found == (Nudges(end={"app": "7"}, refresh=("app",)) if ends else Nudges())


def test_a_revert_waits_for_no_sync(story: Story) -> None:
    one = story.app(story.climbing, story.new, sync="OutOfSync")
    one = replace(one, operation=line("Running", story.climbing.commit))
    found = nudge(at(story, story.back, one), NOW)
    assert found == Nudges(end={"app": "7"}, refresh=("app",))


def test_a_sync_that_is_ending_is_not_ended_twice(story: Story) -> None:
    one = story.app(story.climbing, story.new, sync="OutOfSync")
    one = replace(one, operation=line("Terminating", story.climbing.commit))
    assert nudge(at(story, story.back, one), LATER) == Nudges()


def test_a_sync_that_hangs_for_a_quarter_of_an_hour_is_ended(story: Story) -> None:
    one = story.app(story.climbing, story.new, sync="OutOfSync")
    one = replace(one, operation=line("Running", story.climbing.commit))
    hung = at(story, story.climbing, one)
    assert nudge(hung, NOW + timedelta(minutes=14)) == Nudges()
    assert nudge(hung, NOW + timedelta(minutes=16)) == Nudges(end={"app": "7"}, refresh=("app",))


def test_who_gave_up_is_kicked_after_a_minute(story: Story) -> None:
    one = story.app(story.climbing, story.old, sync="OutOfSync")
    failed = replace(one, operation=line("Failed", story.climbing.commit, finished=NOW))
    assert nudge(at(story, story.climbing, failed), NOW + timedelta(seconds=30)) == Nudges()
    assert nudge(at(story, story.climbing, failed), LATER) == Nudges(kick=("app",))
    away = replace(failed, sync="Unknown")
    assert nudge(at(story, story.climbing, away), LATER) == Nudges()


def test_who_was_ended_while_it_turned_to_the_new_commit_is_kicked_at_once(story: Story) -> None:
    one = story.app(story.back, story.new, sync="OutOfSync")
    words = "Operation terminated (retried 2 times)."
    ended = replace(one, operation=line("Failed", story.back.commit, finished=NOW, message=words))
    assert nudge(at(story, story.back, ended), NOW) == Nudges(kick=("app",))
    picked = replace(ended, is_asked=True)
    assert nudge(at(story, story.back, picked), NOW) == Nudges()


def test_a_set_that_has_not_made_all_of_its_own_is_woken(story: Story) -> None:
    found = nudge(at(story, story.climbing, None), LATER)
    assert found == Nudges(wake=(story.wanted(story.climbing, story.canary).set_name,))


# ------------------------------------------------------------------ foreign text


def test_an_application_is_read_from_what_the_api_server_gives() -> None:
    data = {
        "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/refresh": "normal"}},
        "status": {
            "sync": {"status": "OutOfSync", "revision": "c" * 40},
            "health": {"status": "Healthy"},
            "summary": {"externalURLs": [f"{MARK}{OLD}", f"{MARK}{NEW}", "https://x/y", 7]},
            "conditions": [{"type": "SyncError"}, {"type": "OrphanedResourceWarning"}, "x"],
            "operationState": {
                "phase": "Running",
                "retryCount": 2,
                "startedAt": "2026-11-20T08:00:00Z",
                "message": "one\ntwo \x1b[31m",
                "operation": {"sync": {"revision": "d" * 40}},
                "syncResult": {"revision": "e" * 40},
            },
        },
    }
    assert read_application(data) == Application(
        name="a",
        sync="OutOfSync",
        health="Healthy",
        revision="c" * 40,
        marks=frozenset({OLD, NEW}),
        operation=Operation(
            "Running", "e" * 40, 2, datetime(2026, 11, 20, 8, tzinfo=UTC), None, "one two [31m"
        ),
        is_asked=True,
        troubles=("SyncError",),
    )


@pytest.mark.parametrize("data", [{}, {"metadata": 3, "status": []}, {"status": {"sync": "x"}}])
def test_what_an_application_does_not_say_is_not_known(data: Mapping[str, Any]) -> None:
    assert read_application(data) == Application("")
