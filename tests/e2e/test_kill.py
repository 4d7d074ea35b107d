"""A reconciler is killed at each of its side effects, and two work at once: Git comes out right."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.waiting import Patience
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("killed at each side effect, and two at once", "argocd")
SITES = 20
STEP = 5  # percent: one site
# What a pass does to the outside for a person's bump of one site: a push, and one refresh.
POINTS = ("push:before", "push:after", "patch:before", "patch:after")
_KILLER = """
import os, signal, sys

what, when = sys.argv.pop(1).split(":")


def around(function, is_meant):
    def run(*words, **named):
        if is_meant(words) and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*words, **named)
        if is_meant(words) and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return run


from generator.gitrepo.process import Git
from reconciler.cluster.api import Api

if what == "push":
    Git.call = around(Git.call, lambda words: "push" in words)
else:
    Api._send = around(Api._send, lambda words: "PATCH" in words)
from tidegate.cli import main

sys.argv[0] = "tidegate"
main()
"""


def killed(bed: Bed, fleet: Fleet, point: str) -> None:
    """Let a reconciler make one pass, and die at one moment of it."""
    argv = [sys.executable, "-c", _KILLER, point, "reconcile", "--repo", fleet.remote, "--once"]
    argv += ["--state-dir", str(fleet.folder / "state-killed")]
    argv += ["--kubeconfig", str(bed.hub.kubeconfig)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, cwd=fleet.folder)
    assert done.returncode == -signal.SIGKILL, f"{point}: {done.stdout}{done.stderr}"


def bump(fleet: Fleet, percent: int) -> str:
    """Edit the one line straight on main; give the commit."""
    path = f"rollouts/{fleet.name}/{MODEL}.yaml"
    old = percent - STEP
    fleet.edit(path, f"percent: {old} ", f"percent: {percent} ", f"bump to {percent}")
    return fleet.head()


def since(fleet: Fleet, commit: str) -> list[str]:
    """List the subjects of the commits after one."""
    return fleet.git("log", "--format=%s", f"{commit}..refs/heads/main").splitlines()


@pytest.fixture(scope="module")
def promoted(argocd_bed: Bed, lasting_fleet: NewFleet) -> tuple[Fleet, str]:
    """Bring a fleet to a promotion of one site, without metrics: no step comes by itself."""
    bed, fleet = argocd_bed, lasting_fleet(SITES)
    fleet.promote(1, "--baseline")
    bed.bring_up(fleet)
    new = fleet.promote(2)
    bed.settle(fleet, 60)
    return fleet, new


def bumps(fleet: Fleet, count: int) -> Iterator[int]:
    """Bump by one site, again and again; give each time where the fleet shall be."""
    start = int(steps.rollout_line(fleet, "percent"))
    for percent in range(start, start + STEP * count, STEP):
        yield percent + STEP


def on_new(percent: int) -> int:
    """Say how many sites a percentage is."""
    return percent * SITES // 100


def test_killed_at_each_side_effect_the_next_one_ends_the_work(
    argocd_bed: Bed, promoted: tuple[Fleet, str]
) -> None:
    bed, (fleet, new) = argocd_bed, promoted
    for point, percent in zip(POINTS, bumps(fleet, len(POINTS)), strict=True):
        commit = bump(fleet, percent)
        killed(bed, fleet, point)
        told = steps.once(bed, fleet)
        assert told.code in (0, 1), told.err  # 1: it says, too, that no Prometheus is named
        assert " applied" in told.out + told.err, point
        (said,) = since(fleet, commit)
        assert f"{percent - STEP}% -> {percent}%" in said, point
        bed.settle(fleet, 60)
        assert list(bed.held(fleet).values()).count(new) == on_new(percent), point
    fleet.git("fsck", "--strict")


def test_two_at_once_make_one_commit_each_time(
    argocd_bed: Bed, promoted: tuple[Fleet, str]
) -> None:
    bed, (fleet, new) = argocd_bed, promoted
    expanded: list[str] = []
    with (
        steps.reconciling(bed, fleet, every=1) as one,
        steps.reconciling(bed, fleet, every=1) as two,
    ):
        for percent in bumps(fleet, 4):
            commit = bump(fleet, percent)
            bed.patience.until(lambda at=commit: since(fleet, at), 60, f"{percent} % is expanded")
            bed.settle(fleet, 60)
            (_,) = since(fleet, commit)
            expanded.append(fleet.head())
    # Two that expand in the same second write the same commit, byte for byte: both landed it.
    assert {line["commit"] for each in (one, two) for line in each.commits()} == set(expanded)
    assert list(bed.held(fleet).values()).count(new) == on_new(percent)


def test_of_two_with_a_lease_one_works_and_the_other_takes_over(
    argocd_bed: Bed, promoted: tuple[Fleet, str]
) -> None:
    bed, (fleet, _) = argocd_bed, promoted
    held = ("--lease", f"argocd/{fleet.name}")
    first, second = bumps(fleet, 2)
    with steps.reconciling(bed, fleet, *held, every=1) as one:
        says(one, "works", bed.patience)
        with steps.reconciling(bed, fleet, *held, every=1) as two:
            says(two, "waits: ", bed.patience)
            commit = bump(fleet, first)
            bed.patience.until(lambda: since(fleet, commit), 60, "the holder expands it")
            bed.patience.until(one.commits, 10, "the holder says so")
            assert two.commits() == []
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(bed.patience(30)) == 0
            says(two, "works", bed.patience)
            commit = bump(fleet, second)
            bed.patience.until(lambda: since(fleet, commit), 60, "the other one expands it")
            bed.patience.until(two.commits, 10, "the other one says so")
            assert len(one.commits()) == len(two.commits()) == 1


def says(one: steps.Reconciler, text: str, patience: Patience) -> None:
    """Wait until a reconciler has said something."""
    patience.until(lambda: text in one.texts(), 30, f"it says {text!r}")
