"""Pull requests on GitHub, GitLab and Gitea: over real HTTP, against servers that refuse."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from generator.errors import ConflictError, InputError, RemoteError
from generator.forge import Secrets, connect
from generator.forge.budget import Budget
from generator.forge.door import Door
from generator.forge.wire import Moved
from generator.model.forge import ForgePlace
from generator.model.pull import (
    Light,
    Opinion,
    Proposal,
    Review,
    State,
    Status,
    approvals,
    objections,
)
from generator.telling.markdown import marked, section
from tests.forges.gitea import Gitea
from tests.forges.github import GitHub
from tests.forges.gitlab import GitLab
from tests.forges.project import Person, Project, Pull, Remark, Said, Shelf, sha
from tests.forges.server import Forge, Trouble

KINDS: dict[str, Callable[[Project], Forge]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "gitea": Gitea,
}
BRANCH = "promote/edge-k3s/defect-detector/v13-3f9a1c2b-1"
OLDER = "promote/edge-k3s/defect-detector/v12-9be07d11-1"
TOKEN = "s3cr3t-b0t-t0ken"
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
BOT, EVE = Person("fleet-bot"), Person("eve", frozenset({"read"}))
ADA, BEN = Person("ada"), Person("ben")
PROPOSAL = Proposal(
    BRANCH,
    "main",
    "promote defect-detector v13 to edge-k3s",
    section("body"),
    ("rollout/defect-detector", "tidegate/promotion"),
)
VERIFIED = Status("tidegate/verify", Light.SUCCESS, "all rules hold")


@dataclass
class World:
    """A forge, the time, and what was waited for."""

    kind: str
    forge: Forge
    project: Project
    now: list[float]
    waits: list[float] = field(default_factory=list)
    budget: Budget = field(init=False)
    doors: list[Door] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budget = Budget(lambda: self.now[0])

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now[0] += seconds

    def connect(self, token: str = TOKEN, **more: str) -> Door:
        place = ForgePlace(self.kind, self.forge.url, self.project.name)
        secrets = Secrets(self.forge.url, token, **more)
        clock = lambda: datetime.fromtimestamp(self.now[0], UTC)  # noqa: E731
        door = connect(place, secrets, clock, pause=self.pause, budget=self.budget)
        self.doors.append(door)
        return door

    @contextmanager
    def open(self) -> Iterator[None]:
        with self.forge.running():
            yield
            for door in self.doors:
                door.hang_up()

    @property
    def pull(self) -> Pull:
        (found,) = (one for one in self.project.pulls if one.branch == BRANCH and not one.fork)
        return found


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    now = [NOW]
    shelf = Shelf(**{BRANCH: sha("v13"), OLDER: sha("v12")})
    people = {TOKEN: BOT, "eves": EVE, "nobodys": Person("no", frozenset()), "bens": BEN}
    project = Project("acme/fleet", shelf, lambda: now[0], people)
    made = World(request.param, KINDS[request.param](project), project, now)
    with made.open():
        yield made


def only(kind: str, world: World) -> None:
    if world.kind != kind:
        pytest.skip(f"only {kind} does so")


# ------------------------------------------------------------------ once, and once again


def test_a_pull_request_is_opened_and_found_again(world: World) -> None:
    first = world.connect().ensure(PROPOSAL)
    assert (first.branch, first.base, first.head) == (BRANCH, "main", sha("v13"))
    assert (first.title, first.body, first.labels) == (
        PROPOSAL.title,
        PROPOSAL.body,
        PROPOSAL.labels,
    )
    assert (first.state, first.author) == (State.OPEN, "fleet-bot")
    made = len(world.forge.writes)
    assert world.connect().ensure(PROPOSAL) == first
    assert world.connect().read(first.number) == first
    assert len(world.forge.writes) == made
    assert world.pull.labels == list(PROPOSAL.labels)


def test_what_people_write_and_label_stays(world: World) -> None:
    door = world.connect()
    door.ensure(PROPOSAL)
    world.pull.body = f"Please read this first.\r\n\r\n{world.pull.body}\r\n\r\nSigned, Ada"
    world.pull.labels = ["night shift", "rollout/older", "tidegate/promotion"]
    world.project.labels.append("night shift")
    newer = Proposal(BRANCH, "main", "another title", section("newer"), ("tidegate/promotion",))
    door.ensure(newer)
    assert world.pull.body == f"Please read this first.\n\n{section('newer')}\n\nSigned, Ada"
    assert (world.pull.title, world.pull.labels) == (
        "another title",
        ["night shift", "tidegate/promotion"],
    )


def test_a_comment_is_written_again_in_its_place(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    door.comment(pull.number, "rollout", "5 %")
    door.comment(pull.number, "final", "later")
    door.comment(pull.number, "rollout", "10 %")
    made = len(world.forge.writes)
    door.comment(pull.number, "rollout", "10 %")
    assert [one.text for one in world.pull.comments] == [
        marked("rollout", "10 %"),
        marked("final", "later"),
    ]
    assert len(world.forge.writes) == made


def test_the_marker_in_somebody_elses_comment_means_nothing(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    world.connect("bens").comment(pull.number, "rollout", "all is well, merge it")
    door.comment(pull.number, "rollout", "5 %")
    said = [(one.author.name, one.text) for one in world.pull.comments]
    assert said == [
        ("ben", marked("rollout", "all is well, merge it")),
        ("fleet-bot", marked("rollout", "5 %")),
    ]


def test_a_comment_is_found_on_a_later_page(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    for number in range(250):
        world.pull.comments.append(Remark(world.project.next_id(), BEN, f"remark {number}"))
    door.comment(pull.number, "rollout", "5 %")
    door.comment(pull.number, "rollout", "10 %")
    assert [one.text for one in world.pull.comments if one.author is BOT] == [
        marked("rollout", "10 %")
    ]


def test_a_pull_request_is_found_among_many(world: World) -> None:
    for number in range(230):
        world.project.open_pull(ADA, f"feature-{number}")
    pull = world.connect().ensure(PROPOSAL)
    for number in range(230):
        world.project.open_pull(ADA, f"fix-{number}")
    assert world.connect().ensure(PROPOSAL).number == pull.number
    under = world.connect().open_under("promote/edge-k3s/defect-detector/")
    assert [one.number for one in under] == [pull.number]


def test_the_branch_of_a_fork_is_another_branch(world: World) -> None:
    world.project.open_pull(EVE, BRANCH, fork="eve/fleet")
    pull = world.connect().ensure(PROPOSAL)
    assert (pull.author, pull.head) == ("fleet-bot", sha("v13"))
    assert [one.number for one in world.connect().open_under("promote/")] == [pull.number]


def test_a_pull_request_that_was_closed_stays_closed(world: World) -> None:
    door = world.connect()
    first = door.ensure(PROPOSAL)
    door.close(first, "closed", "Superseded.")
    second = door.ensure(PROPOSAL)
    assert (world.project.pulls[0].state, second.number) == ("closed", first.number + 1)


def test_a_status_is_set_once(world: World) -> None:
    door = world.connect()
    for light in (Light.PENDING, Light.PENDING, Light.SUCCESS, Light.SUCCESS, Light.FAILURE):
        door.show(
            sha("v13"), Status("tidegate/slo", light, light.value, "https://tidegate.example")
        )
    door.show(sha("v13"), VERIFIED)
    assert [(one.context, one.text) for one in world.project.marks] == [
        ("tidegate/slo", "pending"),
        ("tidegate/slo", "success"),
        ("tidegate/slo", "failure"),
        ("tidegate/verify", "all rules hold"),
    ]


def test_a_long_status_is_cut_and_still_set_once(world: World) -> None:
    status = Status("tidegate/verify", Light.FAILURE, "x" * 300)
    world.connect().show(sha("v13"), status)
    world.connect().show(sha("v13"), status)
    assert [one.text for one in world.project.marks] == ["x" * 140]


# ------------------------------------------------------------------ killed at every call


def story(door: Door) -> None:
    """Do all that a promotion and its end do."""
    pull = door.ensure(PROPOSAL)
    for older in door.open_under("promote/edge-k3s/defect-detector/"):
        if older.number != pull.number:
            door.close(older, "superseded", f"Superseded by {pull.url}")
    door.comment(pull.number, "rollout", "5 %")
    door.show(pull.head, VERIFIED)
    door.merge(pull, "Merge the promotion\n\nApproved-By: ada")
    door.comment(pull.number, "rollout", "100 %")


def told(world: World) -> list[tuple[object, ...]]:
    """Write down all that can be seen afterwards."""
    pulls = [
        (
            *(pull.branch, pull.state, pull.merges, pull.title, pull.body, *sorted(pull.labels)),
            *(one.text.replace(world.forge.url, "") for one in pull.comments),
        )
        for pull in world.project.pulls
    ]
    return [*pulls, *((one.context, one.light, one.head) for one in world.project.marks)]


def fresh(kind: str) -> World:
    now = [NOW]
    shelf = Shelf(**{BRANCH: sha("v13"), OLDER: sha("v12")})
    project = Project("acme/fleet", shelf, lambda: now[0], {TOKEN: BOT})
    project.required.append("tidegate/verify")
    project.open_pull(BOT, OLDER, body=section("v12"))
    return World(kind, KINDS[kind](project), project, now)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["before", "after", "dark", "500", "502"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_call_nothing_is_done_twice(kind: str, how: str) -> None:
    clean = fresh(kind)
    with clean.open():
        story(clean.connect())
        expected, calls = told(clean), len(clean.forge.calls)
    assert calls > 12
    for at in range(1, calls + 1):
        world = fresh(kind)
        with world.open():
            world.forge.trouble = Trouble(at, how)
            try:
                again(world.connect())
            except RemoteError:
                pass
            else:
                assert how != "dark"
            world.forge.trouble = Trouble()
            again(world.connect())
            assert told(world) == expected, f"killed at call {at} of {calls}"


def again(door: Door) -> None:
    """Tell the story, but not that of a pull request that was merged: it has no open one."""
    merged = [one for one in (door.read(n) for n in numbers(door)) if one.state is State.MERGED]
    if merged:
        door.merge(merged[0], "Merge the promotion\n\nApproved-By: ada")
        door.comment(merged[0].number, "rollout", "100 %")
    else:
        story(door)


def numbers(door: Door) -> list[int]:
    """List what there is: the pull request of the promotion is the second one."""
    try:
        door.read(2)
    except InputError:
        return []
    return [2]


# ------------------------------------------------------------------ merging


def test_only_the_head_that_was_read_is_merged(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    assert isinstance(world.project.branches, Shelf)
    world.project.branches.heads[BRANCH] = sha("sneaked in")
    with pytest.raises(ConflictError, match="no longer at"):
        door.merge(pull, "Merge")
    assert (world.pull.state, world.pull.merges) == ("open", 0)


def test_a_head_that_moves_in_the_last_moment_is_not_merged(world: World) -> None:
    door = world.connect()
    stale = replace(door.ensure(PROPOSAL), head=sha("read earlier"))
    assert door.wire.merge(stale, "Merge") == Moved()
    assert world.pull.merges == 0


def test_a_merge_waits_for_the_forge_to_make_up_its_mind(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    world.project.undecided = 3
    commit = door.merge(pull, "Merge\n\nApproved-By: ada")
    assert commit == world.pull.merged
    assert world.pull.merges == 1
    assert world.waits
    assert door.merge(pull, "Merge") == commit
    assert world.pull.merges == 1


def test_what_cannot_be_merged_yet_is_later_and_no_refusal(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    world.project.undecided = 100
    with pytest.raises(RemoteError, match="cannot be merged yet"):
        door.merge(pull, "Merge")


def test_a_missing_check_is_a_refusal(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    world.project.required = ["tidegate/verify"]
    with pytest.raises(InputError, match=r"does not merge .*; see its checks and approvals"):
        door.merge(pull, "Merge")
    door.show(pull.head, VERIFIED)
    assert door.merge(pull, "Merge") == world.pull.merged


def test_a_closed_pull_request_is_not_merged(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    door.close(pull, "closed", "No.")
    with pytest.raises(InputError, match="is closed"):
        door.merge(pull, "Merge")


# ------------------------------------------------------------------ reviews


def test_an_approval_counts_for_the_head_it_was_given_for(world: World) -> None:
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    old, later = sha("before the last push"), world.now[0] + 60
    world.pull.reviews = [
        Said(ADA, "APPROVED", old, world.now[0] - 60),
        Said(BEN, "APPROVED", pull.head, later),
        Said(Person("robot", is_bot=True), "APPROVED", pull.head, later),
        Said(BOT, "APPROVED", pull.head, later),
    ]
    found = door.reviews(pull)
    assert {one.who for one in found} == {"ada", "ben", "robot", "fleet-bot"}
    counted = approvals(pull, found)
    if world.kind == "gitea":  # it does not say who is a machine
        assert counted == ("ben", "robot")
    else:
        assert counted == ("ben",)


def test_the_last_opinion_counts_and_a_remark_is_none(world: World) -> None:
    if world.kind == "gitlab":
        pytest.skip("GitLab keeps approvals only, and the last state of them")
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    head = pull.head
    world.pull.reviews = [
        Said(ADA, "APPROVED", head, 0),
        Said(BEN, "APPROVED", head, 0),
        Said(BEN, "CHANGES_REQUESTED", head, 1),
        Said(ADA, "COMMENTED", head, 2),
    ]
    found = door.reviews(pull)
    assert found == (
        Review("ada", Opinion.APPROVED, head),
        Review("ben", Opinion.CHANGES, head),
    )
    assert (approvals(pull, found), objections(found)) == (("ada",), ("ben",))


def test_an_approval_without_a_time_is_of_no_known_head(world: World) -> None:
    only("gitlab", world)
    door = world.connect()
    pull = door.ensure(PROPOSAL)
    world.pull.reviews = [Said(ADA, "APPROVED", "", world.pull.pushed_at)]
    assert door.reviews(pull) == (Review("ada", Opinion.APPROVED, ""),)


# ------------------------------------------------------------------ refusals


def test_a_token_that_is_not_known_is_refused(world: World) -> None:
    with pytest.raises(InputError, match=r"does not accept the token: .*TIDEGATE_FORGE_TOKEN"):
        world.connect("unknown-t0ken").ensure(PROPOSAL)


def test_a_missing_permission_is_named(world: World) -> None:
    with pytest.raises(
        InputError, match=r"refuses opening a (pull|merge) request for promote/"
    ) as e:
        world.connect("eves").ensure(PROPOSAL)
    words = {
        "github": "pull_requests=write",
        "gitlab": "Developer",
        "gitea": "write:repository",
    }
    assert words[world.kind] in str(e.value)
    assert world.project.pulls == []


def test_a_hidden_project_is_told_as_such(world: World) -> None:
    with pytest.raises(InputError, match=r"it is not there, or is hidden; correct forge:"):
        world.connect("nobodys").ensure(PROPOSAL)


def test_a_branch_that_was_not_pushed_is_refused(world: World) -> None:
    nowhere = Proposal("promote/nowhere", "main", "t", "b")
    with pytest.raises(InputError, match="promote/nowhere"):
        world.connect().ensure(nowhere)


def test_nothing_new_to_merge_is_refused(world: World) -> None:
    only("github", world)
    assert isinstance(world.project.branches, Shelf)
    world.project.branches.heads[BRANCH] = world.project.branches.heads["main"]
    with pytest.raises(InputError, match="No commits between main and promote/"):
        world.connect().ensure(PROPOSAL)


def test_a_status_that_somebody_set_meanwhile_is_good(world: World) -> None:
    only("gitlab", world)
    door = world.connect()
    world.connect().show(sha("v13"), VERIFIED)
    door.wire.set_status(sha("v13"), VERIFIED)
    assert len(world.project.marks) == 1


# ------------------------------------------------------------------ limits


def test_a_short_limit_is_waited_for(world: World) -> None:
    door = world.connect()
    world.forge.trouble = Trouble(2, "429", {"Retry-After": "7"})
    door.ensure(PROPOSAL)
    assert world.waits == [7.0]
    assert len(world.project.pulls) == 1


def test_a_long_limit_is_later_and_says_when(world: World) -> None:
    world.forge.trouble = Trouble(2, "429", {"Retry-After": "1234"})
    with pytest.raises(RemoteError, match="limits how often it may be asked; again in 1234 s"):
        world.connect().ensure(PROPOSAL)
    assert world.waits == []


def test_the_first_limit_is_counted_by_the_clock_of_the_forge(world: World) -> None:
    only("github", world)
    used_up = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 40)}
    world.forge.trouble = Trouble(1, "403", used_up)
    world.connect().ensure(PROPOSAL)
    assert world.waits == [40.0]


def test_the_second_limit_of_github_is_no_missing_permission(world: World) -> None:
    world.project.made = [NOW - 1] * 80
    world.connect().ensure(PROPOSAL)
    assert world.waits[0] == 60.0
    assert len(world.project.pulls) == 1


def test_a_hundred_promotions_stay_within_the_budget(world: World) -> None:
    assert isinstance(world.project.branches, Shelf)
    door = world.connect()
    for number in range(100):
        branch = f"promote/edge-k3s/model-{number}/v13-3f9a1c2b-1"
        world.project.branches.heads[branch] = sha(branch)
        pull = door.ensure(Proposal(branch, "main", branch, section("body"), PROPOSAL.labels))
        door.comment(pull.number, "rollout", "5 %")
        door.show(pull.head, VERIFIED)
    assert len(world.project.pulls) == 100
    assert world.forge.refused == 0
    assert len(world.forge.writes) <= 500
    assert world.budget.spent == len(world.forge.writes)
    assert world.now[0] - NOW < 6 * 60


def test_an_hours_budget_that_is_used_up_is_later(world: World) -> None:
    for _ in range(500):
        world.budget.spend()
    world.now[0] += 120
    with pytest.raises(RemoteError, match="made new already; again in 3480 s"):
        world.connect().ensure(PROPOSAL)
    assert world.forge.writes == []


def test_a_list_without_an_end_has_one(world: World) -> None:
    world.forge.most = 1  # type: ignore[attr-defined]
    for number in range(60):
        world.project.open_pull(ADA, f"feature-{number}")
    with pytest.raises(RemoteError, match="more than 50 pages"):
        world.connect().open_under("promote/")


# ------------------------------------------------------------------ secrets


def test_a_token_goes_to_its_own_origin_only(world: World) -> None:
    place = ForgePlace(world.kind, "http://127.0.0.1:1", "acme/fleet")
    secrets = Secrets(world.forge.url, TOKEN)
    with pytest.raises(InputError, match=r"names the forge http://127.0.0.1:1, but the"):
        connect(place, secrets, lambda: datetime.now(UTC))


def test_a_redirect_does_not_take_the_token_along(world: World) -> None:
    elsewhere = GitHub(Project("acme/fleet", Shelf(), lambda: NOW))
    with elsewhere.running():
        target = f"{elsewhere.url}/api/v3/repos/acme/fleet/pulls"
        world.forge.trouble = Trouble(1, "301", {"Location": target}, times=99)
        with pytest.raises(RemoteError, match=r"redirects \(301\) to .*, which is not followed"):
            world.connect().read(1)
    assert elsewhere.shown == []


@pytest.mark.parametrize("status", ["400", "403", "404", "418", "500"])
def test_no_error_and_no_log_shows_the_token(
    world: World, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shout = world.forge._reply

    def echo(handler: object, answer: object) -> None:
        answer.data = {"message": f"you said {TOKEN}"}  # type: ignore[attr-defined]
        shout(handler, answer)  # type: ignore[arg-type]

    world.forge._reply = echo  # type: ignore[method-assign,assignment]
    world.forge.trouble = Trouble(1, status)
    with pytest.raises((InputError, RemoteError)) as caught:
        world.connect().wire.edit(1, "t", "b")
    session = world.connect().wire.session  # type: ignore[attr-defined]
    held = (session.credential, session.http, Secrets(token=TOKEN, key=TOKEN))
    shown = f"{caught.value}{caught.value!r}{caught.value.__cause__!r}{held!r}{caplog.text}"
    assert TOKEN not in shown


def test_without_a_token_nothing_is_asked(world: World) -> None:
    with pytest.raises(InputError, match=r"there is no token for .*; set TIDEGATE_FORGE_TOKEN"):
        world.connect("")
    assert world.forge.calls == []


@pytest.mark.parametrize("data", ["no object", [1], {"number": "x"}, None])
def test_an_answer_of_another_form_is_said(world: World, data: object) -> None:
    shout = world.forge._reply

    def other(handler: object, answer: object) -> None:
        answer.status, answer.data = 200, data  # type: ignore[attr-defined]
        shout(handler, answer)  # type: ignore[arg-type]

    world.forge._reply = other  # type: ignore[method-assign,assignment]
    with pytest.raises(RemoteError, match=r"its answer is not (understood|JSON)"):
        world.connect().read(1)


# ------------------------------------------------------------------ an App of GitHub


def test_an_app_signs_for_itself_and_renews_its_token(world: World) -> None:
    only("github", world)
    assert isinstance(world.forge, GitHub)
    key = world.forge.install()
    world.project.people["jwt"] = Person("fleet-gate")
    door = world.connect("", client="Iv1.fleet", key=key)
    pull = door.ensure(PROPOSAL)
    assert pull.author == "fleet-gate[bot]"
    door.comment(pull.number, "rollout", "5 %")
    door.comment(pull.number, "rollout", "10 %")
    assert len(world.pull.comments) == 1
    first = {token for token in world.forge.shown if token.startswith("ghs_")}
    world.now[0] += 56 * 60
    door.read(pull.number)
    both = {token for token in world.forge.shown if token.startswith("ghs_")}
    assert (len(first), len(both)) == (1, 2)


def test_an_app_that_is_not_installed_is_said(world: World) -> None:
    only("github", world)
    assert isinstance(world.forge, GitHub)
    key = world.forge.install()
    with pytest.raises(InputError, match=r"does not accept the App .Iv1\.other."):
        world.connect("", client="Iv1.other", key=key).read(1)


def test_a_key_that_is_none_is_not_quoted(world: World) -> None:
    only("github", world)
    with pytest.raises(InputError, match="is not an RSA key in PEM") as caught:
        world.connect("", client="Iv1.fleet", key="-----BEGIN s3cr3t").read(1)
    assert "s3cr3t" not in str(caught.value)


def test_the_token_of_a_workflow_writes_as_github_actions(world: World) -> None:
    only("github", world)
    actions = Person("github-actions[bot]", is_bot=True, is_anonymous=True)
    world.project.people["ghs_job"] = actions
    door = world.connect("ghs_job")
    pull = door.ensure(PROPOSAL)
    door.comment(pull.number, "rollout", "5 %")
    door.comment(pull.number, "rollout", "10 %")
    assert [one.text for one in world.pull.comments] == [marked("rollout", "10 %")]
