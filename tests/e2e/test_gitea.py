"""A release manager's life on a real Gitea: promotions and bumps are pull requests.

Gitea has no runner here, so the test does what one would do: clone the branch of the pull request
and run the generated CI's own line in it, with the event that Gitea tells.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator.gate.comment import MARKER as PLAN
from generator.model.pull import SLO, VERIFY
from generator.telling.life import last_marker, marker
from generator.telling.markdown import is_marked
from tests.e2e import steps
from tests.e2e.bed.bed import IMAGES, Bed
from tests.e2e.bed.fleet import Fleet
from tests.e2e.bed.gitea import Gitea, Project
from tests.e2e.bed.nodes import IMAGE
from tests.metrics import Bad
from tidegate.demo import registry
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario(
    "promotions are pull requests on Gitea", "argocd", "prometheus", "gitea"
)
SITES, FIRST, HALF = 24, 3, 12
BEN, RITA, BOT, CI = "ben", "rita", "fleet-bot", "ci-bot"
ALIAS = "challenger"
LINE = 'git show "origin/$BASE:Makefile" | make -f - trust check-pr'  # as the generated CI has it
BAD = 3
Note = Callable[[str, object], None]


@dataclass(frozen=True)
class Desk:
    """A fleet on a forge, and what people do there."""

    bed: Bed
    fleet: Fleet
    gitea: Gitea
    project: Project

    def promote(self, number: int) -> Mapping[str, object]:
        """Let Ben promote a version; give the pull request."""
        words = ("--env", self.fleet.name, "--reason", "a scenario")
        told = self.fleet.do("promote", f"{MODEL}/{number}", *words)
        (pull,) = self.project.pulls()
        assert told.out.startswith(f"{self.gitea.url}/{self.project.name}/pulls/{pull['number']} ")
        return pull

    def watch(self, number: int) -> None:
        """Let an alias name a version, and tidegate look at the registry once."""
        registry.move_alias(self.fleet.registry.folder, ALIAS, number)
        words = ("watch-registry", f"{MODEL}@{ALIAS}", "--env", self.fleet.name, "--once")
        self.fleet.do(*words)

    def check(self, number: int) -> tuple[int, str]:
        """Do what CI does with the newest commit of a pull request; give code and text."""
        pull = self.project.pull(number)
        folder = self.fleet.folder / f"ci-{pull['head']['sha'][:12]}-{len(self.runs())}"
        clone = ["git", "clone", "--quiet", self.project.url, str(folder)]
        env = {
            **os.environ,
            **self.gitea.env(CI),
            "BASE": pull["base"]["ref"],
            "GITHUB_EVENT_PATH": str(folder.with_suffix(".json")),
            "TIDEGATE": f"{sys.executable} -m tidegate.cli",
        }
        folder.with_suffix(".json").write_text(json.dumps({"pull_request": pull}))
        for argv in (clone, ["git", "-C", str(folder), "checkout", "-q", pull["head"]["sha"]]):
            subprocess.run(argv, env=env, check=True, timeout=60)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-ec", LINE],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def reconciling(self) -> AbstractContextManager[steps.Reconciler]:
        """Let the reconciler run with its own account."""
        allowed = ("--allow-origin", self.bed.prometheus.url)
        return steps.reconciling(self.bed, self.fleet, *allowed, env=self.gitea.env(BOT))

    def runs(self) -> Sequence[Path]:
        """List the checkouts of CI so far."""
        return [one for one in self.fleet.folder.glob("ci-*") if one.is_dir()]

    def merge(self, number: int) -> None:
        """Let Rita merge as soon as Gitea has worked out that it may be merged."""

        def merged() -> bool:
            told = self.project.merge(RITA, number)
            assert told in ("", "Please try again later")
            return told == ""

        self.bed.patience.until(merged, 20, f"pull request {number} is merged")
        self.fleet.git("pull", "--quiet", "--ff-only", folder=self.fleet.checkout)

    def approve_and_merge(self, number: int) -> None:
        """Let Rita approve, CI look again, and Rita merge."""
        self.project.approve(RITA, number)
        code, text = self.check(number)
        assert code == 0, text
        assert self.marks(number)[VERIFY] == "success"
        self.merge(number)

    def marks(self, number: int) -> Mapping[str, str]:
        """Read the marks on the newest commit of a pull request."""
        return self.project.marks(str(self.project.pull(number)["head"]["sha"]))

    def said(self, number: int, mark: str) -> Sequence[str]:
        """Give the comments of a kind."""
        return [
            one["body"] for one in self.project.comments(number) if is_marked(one["body"], mark)
        ]


@pytest.fixture(scope="module")
def desk(argocd_bed: Bed) -> Iterator[Desk]:
    """Bring a fleet on the forge to its baseline, and protect its main branch then."""
    bed = argocd_bed
    bed.sites.per_second = 1_000
    gitea = bed.gitea
    for name in (BEN, RITA, BOT, CI):
        gitea.join(name)
    project = gitea.project("fleet", BEN, RITA, BOT, CI)
    name = f"e{len(bed.fleets) + 1}"
    settings = {
        "soak: 2h ": "soak: 3s ",
        "steps: [5, 10, 25, 50, 100]": "steps: [10, 100]",
        'forge: "none"': f"forge: {{kind: gitea, url: {gitea.url}, project: {project.name}}}",
        "approvals: []": f"approvals: [{{environment: {name}, count: 1, of: [{RITA}, {BEN}]}}]",
    }
    fleet = bed.fleet(SITES, settings, is_measured=True, origin=project.origin(BEN))
    assert fleet.name == name
    fleet.promote(1, "--baseline", "--direct")
    project.protect((BOT, RITA), (VERIFY,))
    bed.bring_up(fleet)
    yield Desk(bed, fleet, gitea, project)
    for proxy in bed.proxies():
        proxy.pass_()
    bed.drop(fleet)


def climbing(desk: Desk, phase: str) -> Callable[[steps.Reconciler], None]:
    """Wait until the rollout has come to its end, and everybody was told."""

    def wait(reconciler: steps.Reconciler) -> None:
        def done() -> bool:
            found = steps.rollout_line(desk.fleet, "phase")
            assert found == phase, reconciler.texts()[-1500:]
            return True

        desk.bed.patience.until(done, 200, f"the rollout is {phase}")

    return wait


def test_a_promotion_waits_for_review_and_checks(desk: Desk) -> None:
    fleet, project = desk.fleet, desk.project
    before = fleet.head()
    # An alias asks for it first; a person who asks for the same finds that pull request.
    desk.watch(2)
    (pull,) = project.pulls()
    number = int(str(pull["number"]))
    assert desk.promote(2)["number"] == number
    assert fleet.head() == before
    assert str(pull["title"]).startswith(f"promote {MODEL} v2 to {fleet.name} ")
    assert f"{FIRST} sites" in str(pull["body"]), pull["body"]
    desk.watch(2)
    assert len(project.pulls()) == 1  # once more: still one

    code, text = desk.check(number)
    assert code != 0, text
    assert "approv" in text
    assert desk.marks(number)[VERIFY] == "pending"
    refused = project.merge(RITA, number)
    assert refused not in ("", "Please try again later")
    assert fleet.head() == before

    desk.approve_and_merge(number)
    assert len(desk.said(number, PLAN)) == 1
    assert len(steps.flipped(fleet, before)) == FIRST


def test_the_merged_one_climbs_and_tells_of_itself(desk: Desk, note: Note) -> None:
    fleet, project = desk.fleet, desk.project
    number = int(str(project.pulls("closed")[0]["number"]))
    rollout = steps.rollout_line(fleet, "rollout")
    new = fleet.release(2)
    with desk.reconciling() as reconciler:
        climbing(desk, "Completed")(reconciler)
        desk.bed.settle(fleet, 90)
        desk.bed.patience.until(
            lambda: desk.said(number, last_marker(rollout)), 30, "the last words are said"
        )
        newest = fleet.head()
        desk.bed.patience.until(
            lambda: project.marks(newest).get(SLO) == "success", 30, "the mark is green"
        )
        assert not [one for one in reconciler.log() if one["level"] == "error"]
    assert fleet.desired() == desk.bed.running(fleet) == dict.fromkeys(fleet.sites, new)
    (life,) = desk.said(number, marker(rollout))
    assert "v2 runs everywhere" in life
    assert len(desk.said(number, last_marker(rollout))) == 1
    assert len(project.comments(number)) == 3
    by = {str(one["user"]["login"]) for one in project.comments(number)}
    assert by == {CI, BOT}
    desk.watch(2)
    assert not project.pulls()
    assert fleet.registry.tags(2)["tidegate.result"] == f"{fleet.name}: Completed"
    note("gitea: comments in the pull request of a whole rollout", len(project.comments(number)))


def test_promote_breach_revert(desk: Desk) -> None:
    bed, fleet, project = desk.bed, desk.fleet, desk.project
    (old,) = set(fleet.desired().values())
    bed.registry.put_image(BAD, IMAGE)
    bed.sites.bad[f"v{BAD}"] = Bad(errors=0.2)
    try:
        number = int(str(desk.promote(BAD)["number"]))
        desk.approve_and_merge(number)
        rollout = steps.rollout_line(fleet, "rollout")
        with desk.reconciling() as reconciler:
            climbing(desk, "Reverted")(reconciler)
            bed.settle(fleet, 60)
            bed.patience.until(
                lambda: desk.said(number, last_marker(rollout)), 30, "the last words are said"
            )
            newest = fleet.head()
            bed.patience.until(
                lambda: project.marks(newest).get(SLO) == "failure", 30, "the mark is red"
            )
        words = ("--env", fleet.name, "--reason", "once more")
        again = fleet.do("promote", f"{MODEL}/{BAD}", *words, code=1)
    finally:
        bed.sites.bad.clear()
        bed.registry.put_image(BAD, IMAGES[BAD])
    assert fleet.desired() == dict.fromkeys(fleet.sites, old)
    # A direct push, past the protection that holds everybody else.
    assert fleet.git("log", "-1", "--format=%s", newest).startswith(
        f"{MODEL} {fleet.name}: revert v{BAD}"
    )
    assert not project.pulls()
    (last,) = desk.said(number, last_marker(rollout))
    assert "taken back" in last
    assert "evidence/" in again.err
    assert not project.pulls()


def bump(desk: Desk, old: int, new: int, branch: str) -> str:
    """Edit one line on a branch, as Ben does; give the commit."""
    fleet = desk.fleet
    there = fleet.checkout
    fleet.git("fetch", "--quiet", folder=there)
    fleet.git("switch", "--quiet", "-C", branch, "origin/main", folder=there)
    file = there / f"rollouts/{fleet.name}/{MODEL}.yaml"
    text = file.read_text()
    assert text.count(f"\npercent: {old} ") == 1
    file.write_text(text.replace(f"\npercent: {old} ", f"\npercent: {new} "))
    fleet.git("commit", "--quiet", "-am", "bump", folder=there)
    return fleet.git("rev-parse", "HEAD", folder=there).strip()


def test_a_bump_by_pull_request(desk: Desk) -> None:
    fleet, project = desk.fleet, desk.project
    number = int(str(desk.promote(1)["number"]))
    desk.approve_and_merge(number)
    before = fleet.head()
    assert steps.rollout_line(fleet, "percent") == "10"

    mine = bump(desk, 10, 50, "ben/half")
    fleet.git("push", "--quiet", "-u", "origin", "ben/half", folder=fleet.checkout)
    second = project.open(BEN, "ben/half", "half of them")
    project.approve(RITA, second)
    code, text = desk.check(second)
    head = str(project.pull(second)["head"]["sha"])
    assert head != mine
    assert "pushed" in text
    # Rita approved what Ben wrote; the sites that follow came after that.
    assert code != 0, text
    assert project.marks(mine) == {}
    assert desk.marks(second)[VERIFY] == "pending"
    assert len(steps.flipped(fleet, before, head)) == HALF - FIRST
    project.approve(RITA, second)
    code, text = desk.check(second)
    assert code == 0, text
    assert str(project.pull(second)["head"]["sha"]) == head  # nothing is left to push
    assert (desk.marks(second)[VERIFY], len(desk.said(second, PLAN))) == ("success", 1)
    desk.merge(second)
    assert len(steps.flipped(fleet, before)) == HALF - FIRST


def test_a_bump_on_main(desk: Desk) -> None:
    bed, fleet = desk.bed, desk.fleet
    ours = bump(desk, 50, 100, "main")
    rita = {**os.environ, **desk.gitea.env(RITA)}
    push = ["git", "-C", str(fleet.checkout), "push", "--quiet", "origin", "HEAD:main"]
    ben = {**os.environ, **fleet.env}
    denied = subprocess.run(push, capture_output=True, text=True, timeout=60, check=False, env=ben)
    assert denied.returncode != 0
    assert "protected branch" in denied.stderr
    subprocess.run(push, env=rita, check=True, timeout=60)
    assert fleet.head() == ours
    new = fleet.release(1)
    with desk.reconciling() as reconciler:
        bed.patience.until(
            lambda: fleet.desired() == dict.fromkeys(fleet.sites, new), 60, "the sites follow"
        )
        bed.settle(fleet, 60)
        assert [one for one in reconciler.commits() if "50% -> 100%" in one["text"]]
    assert bed.running(fleet) == dict.fromkeys(fleet.sites, new)
