"""Sites that are away during a step are no failures, and follow soon after they return."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import steps
from tests.e2e.bed.argocd import NAMESPACE
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO, location
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("sites away during a step", "argocd", "prometheus")
SITES = 12
AWAY = 3  # as many as a breach of the adoption takes
TICK_S = 10
Note = Callable[[str, object], None]


def draw(fleet: Fleet) -> list[str]:
    """Give the sites in the order in which they get the release."""
    text = fleet.read(f"rollouts/{fleet.name}/{MODEL}.cohort.yaml")
    return [line.split('"')[1] for line in text.splitlines() if line.startswith("- {id: ")]


def cut(bed: Bed, fleet: Fleet, sites: Iterable[str]) -> None:
    """Let nothing reach these sites, and nothing come from them."""
    for site in sites:
        bed.gate(fleet, site).refuse()
        bed.sites.dark.add(fleet.namespace(site))


def mend(bed: Bed, fleet: Fleet, sites: Iterable[str]) -> None:
    """Bring sites back."""
    for site in sites:
        bed.gate(fleet, site).pass_()
        bed.sites.dark.discard(fleet.namespace(site))


def are_forgotten(bed: Bed, fleet: Fleet, sites: Iterable[str]) -> Callable[[], bool]:
    """Look whether the judge cannot have seen these sites for two ticks."""
    named = "|".join(sites)
    labels = f'environment="{fleet.name}",site=~"{named}"'
    asked = f"count_over_time(model_release_info{{{labels}}}[{2 * TICK_S + 1}s])"
    return lambda: not bed.prometheus.ask(asked)


@contextmanager
def trying_once(bed: Bed, fleet: Fleet, site: str) -> Iterator[None]:
    """Let Argo CD give up on a site after its first try, as with settings that are not ours."""
    where = location(ARGO, "Application", NAMESPACE, fleet.application(site))
    bed.place.processes.stop("applicationset-controller")
    try:
        bed.hub.kube.patch(where, {"spec": {"syncPolicy": {"retry": {"limit": 0}}}})
        yield
    finally:
        bed.argocd.restart("applicationset-controller")


def gave_up(bed: Bed, fleet: Fleet, site: str) -> Callable[[], bool]:
    """Look whether Argo CD has failed for good at the newest commit.

    With every commit it tries anew, and the reconciler makes one when it has seen the step.
    """

    def look() -> bool:
        found, newest = steps.operation(bed, fleet, site), fleet.git("log", "-1", "--format=%H %s")
        assert found.get("phase") in ("Failed", "Error"), found
        seen = "the time at 75% counts from now" in newest
        return seen and newest.startswith(found["syncResult"]["revision"])

    return look


def silent(fleet: Fleet) -> object:
    """Say how many canary sites show nothing, as a person would ask."""
    (row,) = json.loads(fleet.do("status", "--json").out)
    return row["sites"]["canarySilent"]


def test_who_is_away_is_no_failure_and_follows_later(
    argocd_bed: Bed, new_fleet: NewFleet, note: Note
) -> None:
    bed = argocd_bed
    within_s = int(bed.patience(10))
    settings = {
        "steps: [5, 10, 25, 50, 100]": "steps: [25, 75, 100]",
        "adoptWithin: 1h ": f"adoptWithin: {within_s}s ",
    }
    fleet, old = steps.baseline(bed, new_fleet, SITES, settings)
    new = fleet.promote(2)
    order = draw(fleet)
    first, away, rest = order[:3], order[3 : 3 + AWAY], order[3 + AWAY : 9]
    lost = away[-1]
    cut(bed, fleet, away)
    bed.gate(fleet, away[0]).blackhole()
    with steps.reconciling(bed, fleet) as reconciler:
        bed.patience.until(steps.all_on(bed, fleet, new, frozenset(first)), 60, "the first step")
        bed.patience.until(are_forgotten(bed, fleet, away), 60, "nobody sees those who are away")
        with trying_once(bed, fleet, lost):
            fleet.do("set-percent", MODEL, "75", "--env", fleet.name, "--reason", "more")
            step = time.monotonic()
            bed.patience.until(gave_up(bed, fleet, lost), 60, "Argo CD gave up on one")
        there = frozenset([*first, *rest])
        bed.patience.until(steps.all_on(bed, fleet, new, there), 60, "who is there has it")
        over_s = step + within_s + 2 * TICK_S
        bed.patience.until(lambda: time.monotonic() > over_s, within_s + 90, "their time is over")
        assert {site: bed.held(fleet)[site] for site in away} == dict.fromkeys(away, old)
        assert silent(fleet) == AWAY
        come_back(bed, fleet, new, away[:-1], note)
        come_back(bed, fleet, new, [lost], note)
        bed.settle(fleet, 60)
    by = steps.operation(bed, fleet, lost)["operation"]["initiatedBy"]
    assert by.get("username") == "tidegate", by
    nothing_failed(fleet, reconciler, new)


def come_back(bed: Bed, fleet: Fleet, new: str, sites: list[str], note: Note) -> None:
    """Bring sites back, and wait until they have the release; the longest wait is a back-off."""
    mend(bed, fleet, sites)
    back = steps.all_on(bed, fleet, new, frozenset(sites))
    took = steps.seconds(back, bed, 90, f"{', '.join(sites)} came back and have it")
    note(f"away: {len(sites)} back in reach -> have the release, s", round(took, 1))


def nothing_failed(fleet: Fleet, reconciler: steps.Reconciler, new: str) -> None:
    """Look whether nobody took anything for a failure."""
    log = reconciler.log()
    assert {one["decision"].lower() for one in log if one.get("decision")} <= {"hold", ""}
    assert steps.rollout_line(fleet, "phase") == "Progressing"
    assert steps.rollout_line(fleet, "percent") == "75"
    subjects = fleet.git("log", "--format=%s", "refs/heads/main")
    assert "revert" not in subjects
    paths = fleet.git("ls-tree", "--name-only", "refs/heads/main").splitlines()
    assert "rejected.yaml" not in paths or new not in fleet.read("rejected.yaml")
