"""A pull request cannot relax its own gate: each attack is tried, and refused with its reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.documents.release import freeze as name_release
from generator.errors import InputError
from generator.gate.approvals import Voices
from generator.gate.case import Case
from generator.gate.change import Change, Edit, Kind, edits
from generator.gate.origin import Origin, read_event, read_variables
from generator.gate.policy import judged
from generator.gate.rules import RULES as GATE
from generator.gate.rules import check
from generator.intents import promote as promotions
from generator.intents.freezing import copied_files, frozen_files
from generator.intents.moves import finish
from generator.lint import RULES, lint
from generator.lint.finding import Severity
from generator.model.environment import Kind as Delivery
from generator.model.pull import Opinion, PullRequest, Review, State
from generator.model.release import ModelVersion
from generator.repository import Repository
from generator.zones import zone
from tests.builders import (
    ASKED,
    CLOUD,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    Intent,
    Memory,
    baseline,
    complete,
    freeze,
    opened,
    pause,
    percent,
    promote,
    reject,
    resume,
    revert,
    revert_to,
    unreject,
    version,
)
from tests.states import ROLLOUT, remembered

EVIL = f"evil.example.com/server@sha256:{'66' * 32}"
DEPLOYMENT = f"{layout.base(MODEL)}/deployment.yaml"
S3 = 'allow: ["s3://models"]'


def start(state: str) -> "Pull":
    """Leave main where a rollout stands; artifacts may come from s3."""
    found = remembered(state).edit(layout.CONFIG, 'allow: ["mlflow-artifacts:"]', S3)
    return Pull(found, found, found)


@dataclass
class Pull:
    """A pull request in a dict."""

    base: Memory
    head: Memory
    main: Memory
    odd: list[Edit] = field(default_factory=list)
    origin: Origin = field(default_factory=Origin)
    voices: Voices | None = None

    def do(self, intent: Intent) -> "Pull":
        """Add the commit of a verb to the branch."""
        before, self.head = self.head, self.head.do(intent)
        assert self.head is not before
        return self

    def edit(self, path: str, old: str, new: str) -> "Pull":
        """Add an edit to the branch."""
        self.head = self.head.edit(path, old, new)
        return self

    def put(self, path: str, data: bytes | None) -> "Pull":
        """Add a file to the branch, or take it away."""
        self.head = self.head.put(path, data)
        return self

    def commit(self, files: Mapping[str, bytes | None]) -> "Pull":
        """Add files to the branch."""
        self.head = self.head.land(ChangeSet(self.head.commit, files, "work on it"))
        return self

    def merge(self, intent: Intent) -> "Pull":
        """Land it on main before the branch starts."""
        self.base = self.head = self.main = self.main.do(intent)
        return self

    @property
    def change(self) -> Change:
        listed = [
            {path: ("100644", id_) for path, id_ in one.ids("").items()}
            for one in (self.base, self.head)
        ]
        past = {one.commit for one in (*self.base._past, self.base)}
        return Change(
            opened(self.base),
            opened(self.head),
            opened(self.main),
            tuple(sorted((*edits(*listed), *self.odd), key=lambda one: one.path)),
            past.__contains__,
        )

    @property
    def said(self) -> list[str]:
        return [str(one) for one in check(Case(self.change, NOW, self.origin, self.voices, zone))]

    def refused(self, rule: str, text: str) -> None:
        """See that this rule, and no other one, refuses it, with this text."""
        said = self.said
        assert said, "nothing was found"
        assert [line for line in said if f"error [{rule}]" not in line] == []
        assert text in said[0]

    def refused_too(self, rule: str, text: str) -> None:
        """See that this rule refuses it with this text, beside others."""
        assert [line for line in self.said if f"error [{rule}] " in line and text in line], (
            self.said
        )

    def passes(self, *moves: Kind) -> None:
        """See that nothing is refused, and what it is taken for."""
        assert self.said == []
        assert tuple(move.kind for move in self.change.moves) == moves


# ------------------------------------------------------------------ what may be merged


@pytest.mark.parametrize(
    ("state", "intent", "kind"),
    [
        ("new", baseline(12), Kind.BASELINE),
        ("stable", promote(13), Kind.PROMOTION),
        ("stable", promote(13, CLOUD), Kind.PROMOTION),
        ("climbing", percent("25"), Kind.UP),
        ("climbing", percent("0"), Kind.DOWN),
        ("climbing", pause(), Kind.PAUSE),
        ("climbing", revert(), Kind.REVERT),
        ("climbing", revert(CLOUD), Kind.REVERT),
        ("full", baseline(13), Kind.BASELINE),
        ("full", complete(), Kind.BASELINE),
        ("completed", promote(14), Kind.PROMOTION),
        ("completed", revert_to("v12"), Kind.RESTORE),
    ],
)
def test_what_a_verb_makes_passes(state: str, intent: Intent, kind: Kind) -> None:
    start(state).do(intent).passes(kind)


def test_a_resumed_rollout_passes() -> None:
    start("climbing").merge(pause()).do(resume()).passes(Kind.RESUME)


def test_a_frozen_release_moves_nothing() -> None:
    start("climbing").do(freeze(14)).passes()


def test_policy_alone_passes() -> None:
    pull = start("climbing").edit(ROLLOUT, "soak: 2h", "soak: 30m")
    pull.edit(layout.CONFIG, "waivers: []", "waivers: []  # none").put("GNUmakefile", b"")
    pull.passes()


# ------------------------------------------------------------------ policy


@pytest.mark.parametrize(
    "path",
    [
        layout.CONFIG,
        layout.environment(EDGE),
        layout.environment(CLOUD),
        layout.model(MODEL),
        "reconciler/base/settings.yaml",
        "environments/new/environment.yaml",
    ],
)
def test_policy_in_a_move(path: str) -> None:
    pull = start("climbing").do(percent("25"))
    pull.put(path, pull.head.files.get(path, b"") + b"# another word\n")
    text = f"{path}: error [gate-policy] policy is edited together with a move (percent up of "
    pull.refused("gate-policy", text + f"{EDGE}/{MODEL} (5% -> 25%))")


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("soak", "soak: 2h", "soak: 0s"),
        ("steps", "steps: [5, 10, 25, 50, 100]", "steps: [5, 100]"),
        ("minSites", "minSites: 5", "minSites: 1"),
        ("deadline", "deadline: 72h", "deadline: 99h"),
        ("onDeadline", "\nonDeadline: hold", "\nonDeadline: ask"),
        ("advance", "advance: automatic", "advance: manual"),
    ],
)
def test_the_rules_of_a_rollout_in_its_own_move(key: str, old: str, new: str) -> None:
    text = ROLLOUT + ":"
    pull = start("climbing").edit(ROLLOUT, old, new).do(percent("25"))
    pull.refused("gate-policy", f"{key} is edited together with a move (percent up of")
    assert pull.said[0].startswith(text)


def test_a_waiver_that_would_cover_its_own_pull_request() -> None:
    until = '"2099-01-01T00:00:00Z"'
    waiver = f"waivers: [{{rule: spans, reason: quiet, until: {until}}}]"
    pull = start("climbing").edit(layout.CONFIG, "waivers: []", waiver)
    pull.edit(ROLLOUT, "soak: 2h", "soak: 1m").do(percent("25"))
    pull.refused_too("gate-policy", "policy is edited together with a move")
    tree = judged(pull.change)
    assert tree.read(layout.CONFIG) == pull.base.files[layout.CONFIG]
    assert tree.read(ROLLOUT) == pull.head.files[ROLLOUT]


def test_a_change_that_moves_nothing_is_judged_with_what_follows_from_it() -> None:
    pull = start("climbing").edit(layout.environment(EDGE), "interval: 5m", "interval: 1m")
    assert judged(pull.change) is pull.change.head.tree


def test_its_own_waiver_counts_for_nothing_and_says_so_itself() -> None:
    """What `verify --pr` passes as waivers are those of the base, valid or not."""
    until = '"2099-01-01T00:00:00Z"'
    waiver = f"waivers: [{{rule: floating, reason: quiet, until: {until}}}]"
    path = f"{layout.base(MODEL)}/kustomization.yaml"
    pull = start("stable").edit(layout.CONFIG, "waivers: []", waiver)
    pull.put(path, pull.head.files[path] + b"helmCharts:\n- {name: x}\n")
    rule = tuple(one for one in RULES if one.id == "floating")
    own = lint(pull.change.head, NOW, rule)
    judged_by_base = lint(pull.change.head, NOW, rule, pull.change.base.config().waivers)
    assert {one.severity for one in own} == {Severity.WAIVED}
    assert {one.severity for one in judged_by_base} == {Severity.ERROR}


def test_a_release_that_its_own_pull_request_takes_off_the_ledger() -> None:
    pull = start("reverted").merge(reject("v13")).do(unreject("v13")).do(promote(13))
    pull.refused_too("gate-policy", "would leave the ledger together with a move")
    pull.refused_too("gate-move", "was rejected in edge-k3s: a good reason")


# ------------------------------------------------------------------ what looks at a change


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/tidegate.yml",
        ".github/actions/x/action.yml",
        ".gitea/workflows/x.yml",
        ".forgejo/workflows/x.yml",
        ".gitlab-ci.yml",
        ".gitlab/ci/part.yml",
        "Makefile",
        "makefile",
        "GNUmakefile",
        "gate.mk",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".gitattributes",
        "sites/.gitattributes",
        ".gitmodules",
    ],
)
def test_what_looks_at_a_move_edited_with_it(path: str) -> None:
    pull = start("climbing").do(percent("25"))
    pull.put(path, pull.head.files.get(path, b"") + b"# nothing\n")
    text = f"what judges or shows a change is edited together with a move: {path}"
    pull.refused("gate-guard", text)


def test_a_makefile_that_makes_verify_a_no_op() -> None:
    pull = start("climbing").do(percent("25"))
    pull.put("Makefile", b"verify:\n\t@true\n")
    pull.refused("gate-guard", "edited together with a move: Makefile; fix: open a pull request")


def test_attributes_that_change_what_is_checked_out() -> None:
    pull = start("climbing").do(percent("25"))
    pull.put(".gitattributes", b"sites/** text eol=crlf\nrollouts/** -diff merge=ours\n")
    pull.refused("gate-guard", "edited together with a move: .gitattributes")


def test_attributes_hidden_in_a_release() -> None:
    pull = start("stable").merge(freeze(13)).do(freeze(14))
    (folder,) = {p.rpartition("/")[0] for p in pull.head.files if p.endswith("/release.yaml")} - {
        p.rpartition("/")[0] for p in pull.base.files
    }
    pull.put(f"{folder}/base/.gitattributes", b"* text eol=crlf\n")
    pull.refused("gate-release", "do not follow from models/ at")


@pytest.mark.parametrize(("mode", "what"), [("120000", "a symlink"), ("160000", "a submodule")])
def test_what_no_rule_can_read(mode: str, what: str) -> None:
    pull = start("climbing").do(percent("25"))
    pull.odd.append(Edit("models/sub", "", mode))
    pull.refused("gate-links", f"models/sub: error [gate-links] {what} comes in: nothing of it is")


def test_a_link_in_the_place_of_the_policy() -> None:
    pull = start("climbing").do(percent("25")).put(layout.CONFIG, None)
    pull.odd.append(Edit(layout.CONFIG, "100644", "120000"))
    pull.refused_too("gate-links", "tidegate.yaml: error [gate-links] a symlink comes in")
    pull.refused_too("gate-policy", "policy is edited together with a move")


def test_evidence_edited_by_hand() -> None:
    path = f"{layout.EVIDENCE}/{EDGE}/{MODEL}/x/0000-history.json"
    pull = start("climbing")
    pull.base = pull.head = pull.main = pull.main.put(path, b"{}\n")
    pull.put(path, b"{ }\n")
    pull.refused("gate-kept", "1 file of evidence would change or go")


# ------------------------------------------------------------------ releases


def entering(release: str) -> Intent:
    """Start a rollout of a release that stands there already."""

    def intent(have: Repository) -> ChangeSet | None:
        draft, before = Draft(have.tree), have.rollout(EDGE, MODEL)
        frozen, settings = have.release(EDGE, MODEL, release), have.environment(EDGE)
        after = promotions._start(draft, have, before, settings, frozen)
        return finish(have, draft, before, after, lambda *_: "enter", ASKED)

    return intent


def forged(pinned: ModelVersion, image: str) -> Pull:
    """Freeze a release by hand, with digests that fit, and promote it."""
    pull = start("stable")
    have = Repository(pull.head)
    copied = copied_files(have, Delivery.EDGE, MODEL)
    made = name_release(EDGE, MODEL, pinned, image, copied, have.tree.commit)
    return pull.commit(dict(frozen_files(made, copied))).do(entering(made.id))


def test_an_honest_release_made_by_hand_passes() -> None:
    forged(version(13), IMAGE).passes(Kind.PROMOTION)


def test_a_foreign_image() -> None:
    pull = forged(version(13), EVIL)
    text = "the image evil.example.com/server is not allowed at the base; fix: images.allow in"
    pull.refused_too("gate-allowed", text)
    pull.refused_too("gate-release", "its image is not that of model.yaml at")


def test_an_image_that_its_own_pull_request_allows() -> None:
    pull = start("stable")
    pull.edit(layout.CONFIG, "registry.example.com/models/server", "evil.example.com")
    pull.edit(layout.model(MODEL), IMAGE, EVIL).do(promote(13))
    pull.refused_too("gate-policy", "policy is edited together with a move")
    pull.refused_too("gate-allowed", "the image evil.example.com/server is not allowed at the base")
    pull.refused_too("gate-release", "which main does not have")


def test_an_image_that_only_a_release_brings_and_its_own_pull_request_allows() -> None:
    """Nothing moves yet, so policy may change; what is frozen still has to be allowed before."""
    pull = start("stable")
    pull.edit(layout.CONFIG, "registry.example.com/models/server", "evil.example.com")
    pull.edit(layout.model(MODEL), IMAGE, EVIL).do(freeze(13))
    pull.refused_too("gate-allowed", "the image evil.example.com/server is not allowed at the base")


def test_artifacts_from_elsewhere() -> None:
    pull = forged(replace(version(13), uri="s3://elsewhere/13"), IMAGE)
    text = "artifacts at 's3://elsewhere/13' are not allowed at the base"
    pull.refused("gate-allowed", text)


def test_another_model_under_this_name() -> None:
    pull = forged(replace(version(13), registry_name="other"), IMAGE)
    pull.refused("gate-release", "it pins 'other', but the model is 'defect-detector'")


def test_a_release_that_does_not_follow_from_models() -> None:
    """Its digests fit, but the commit of `models/` that it names holds other files."""
    pull = start("stable")
    have = Repository(pull.head)
    copied = dict(copied_files(have, Delivery.EDGE, MODEL))
    copied["base/deployment.yaml"] = copied["base/deployment.yaml"].replace(
        b"runAsNonRoot: true", b"runAsNonRoot: false"
    )
    made = name_release(EDGE, MODEL, version(13), IMAGE, copied, have.tree.commit)
    pull.commit(dict(frozen_files(made, copied))).do(entering(made.id))
    pull.refused("gate-release", f"of {made.id} do not follow from models/ at {'0' * 11}")


def test_a_release_from_a_commit_that_main_never_had() -> None:
    pull = start("stable").put(DEPLOYMENT, b"# edited\n" + start("stable").head.files[DEPLOYMENT])
    pull.do(promote(13))
    text = "which main does not have; fix: merge the change of models/ first, then promote again"
    pull.refused("gate-release", text)


# ------------------------------------------------------------------ stale


def test_a_stale_rollout_line() -> None:
    pull = start("climbing").do(percent("25"))
    pull.main = pull.main.do(revert())
    pull.refused("gate-stale", f"{ROLLOUT}")
    pull.refused("gate-stale", "stale: canary is gone on main by now, v13-")


def test_a_bump_that_was_meant_for_another_rollout() -> None:
    pull = start("climbing").do(percent("25"))
    pull.main = pull.main.do(revert()).do(promote(14))
    pull.refused("gate-stale", f"stale: rollout is {EDGE}-{MODEL}-v14-")


def test_an_old_branch_under_an_older_policy() -> None:
    pull = start("climbing").do(percent("25"))
    pull.main = pull.main.edit(layout.CONFIG, "waivers: []", "waivers: []  # none")
    text = "stale: the policy on main has changed since: tidegate.yaml; fix: bring the branch up"
    pull.refused("gate-stale", text)


def test_main_may_go_on_elsewhere() -> None:
    pull = start("climbing").do(percent("25"))
    pull.main = pull.main.do(percent("25", CLOUD)).put("docs/more.md", b"# more\n")
    pull.passes(Kind.UP)


# ------------------------------------------------------------------ moves that no verb makes


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("percent: 5", "percent: 100", "a promotion begins at 5%, not at 100%"),
        ('-1"\npercent', '-7"\npercent', "the next rollout of v13-"),
        ("phase: Progressing", "phase: Paused", "a promotion begins with phase: Progressing"),
        ("stable: v12-", "stable: v13-", "a promotion leaves stable at v12-"),
    ],
)
def test_a_promotion_that_starts_at_its_end(old: str, new: str, text: str) -> None:
    pull = start("stable").do(promote(13))
    file = pull.head.files[ROLLOUT].decode()
    old, new = (old, new) if old in file else (old.replace('"', ""), new.replace('"', ""))
    pull.edit(ROLLOUT, old, new)
    pull.refused("gate-move", text)


def test_a_second_promotion_where_the_rollout_refuses_one() -> None:
    pull = start("climbing").merge(freeze(14))
    pull.edit(ROLLOUT, "onNewVersion: refuse", "onNewVersion: supersede").do(promote(14))
    pull.edit(ROLLOUT, "onNewVersion: supersede", "onNewVersion: refuse")
    pull.refused("gate-move", "is at 5%, and onNewVersion is refuse; fix: tidegate revert")


def test_a_baseline_over_a_rollout_that_climbs() -> None:
    pull = start("climbing").merge(freeze(14)).do(revert()).do(baseline(14))
    pull.refused("gate-move", "that rollout has not ended; fix: tidegate revert")


def test_a_release_that_was_only_frozen_is_no_earlier_release() -> None:
    """`revert --to` passes deny windows; what no site ever had is a baseline instead."""
    pull = start("stable").merge(freeze(14)).do(baseline(14))
    pull.edit(ROLLOUT, "phase: Completed", "phase: Reverted")
    assert [move.kind for move in pull.change.moves] == [Kind.BASELINE]


# ------------------------------------------------------------------ windows and requirements

FRIDAY = '- {schedule: "0 6 * * 5", duration: 4h, timeZone: Europe/Berlin}'  # NOW is one


@pytest.mark.parametrize(
    ("state", "intent", "kind"),
    [
        ("stable", promote(13), "promotion"),
        ("stable", baseline(13), "baseline"),
        ("climbing", percent("25"), "percent up"),
    ],
)
def test_no_step_in_a_deny_window(state: str, intent: Intent, kind: str) -> None:
    pull = under(start(state), layout.environment(EDGE), "denyWindows: []", windows(FRIDAY))
    text = (
        f"no {kind} now: the deny window 0 6 * * 5 Europe/Berlin is open until 2026-11-20 09:00 "
        "UTC; fix: check it again and merge it after 2026-11-20 09:00 UTC; a revert passes"
    )
    pull.do(intent).refused("gate-window", text)


@pytest.mark.parametrize(
    ("state", "intent"),
    [
        ("climbing", revert()),
        ("climbing", percent("1")),
        ("climbing", pause()),
        ("completed", revert_to("v12")),
        ("stable", promote(13, CLOUD)),
    ],
)
def test_what_passes_a_deny_window(state: str, intent: Intent) -> None:
    pull = under(start(state), layout.environment(EDGE), "denyWindows: []", windows(FRIDAY))
    assert pull.do(intent).said == []


def windows(line: str) -> str:
    return f"denyWindows:\n{line}"


def under(pull: Pull, path: str, old: str, new: str) -> Pull:
    """Change policy on main before the branch starts."""
    pull.base = pull.head = pull.main = pull.main.edit(path, old, new)
    return pull


def test_a_window_that_its_own_pull_request_takes_away() -> None:
    pull = under(start("climbing"), layout.environment(EDGE), "denyWindows: []", windows(FRIDAY))
    pull.edit(layout.environment(EDGE), windows(FRIDAY), "denyWindows: []").do(percent("25"))
    pull.refused_too("gate-policy", "policy is edited together with a move")
    pull.refused_too("gate-window", "no percent up now")


REQUIRES = ("requires: []", f"requires: [{CLOUD}]")


def chained(state: str) -> Pull:
    """Let the edge wait for the cloud."""
    return under(start(state), layout.environment(EDGE), *REQUIRES)


def test_what_comes_before_has_to_have_completed_this_model() -> None:
    pull = chained("stable")
    have = opened(pull.main).rollout(CLOUD, MODEL).stable
    pull.commit(unasked(promote(13), pull)).refused(
        "gate-requires",
        f"{EDGE} requires {CLOUD} to have completed {MODEL} v13 (sha256:{'0' * 12}) first; "
        f"{CLOUD} runs {have} (Completed); fix: tidegate promote {MODEL}@champion --env {CLOUD}",
    )


def unasked(intent: Intent, pull: Pull) -> Mapping[str, bytes | None]:
    """Compute a verb without what its environment requires, and name the commit it is on."""
    change = intent(opened(pull.head.edit(layout.environment(EDGE), *reversed(REQUIRES))))
    assert change is not None
    wrong, right = change.base.encode(), pull.head.commit.encode()
    return {path: data and data.replace(wrong, right) for path, data in change.files.items()}


def test_a_rollout_that_still_climbs_has_not_completed() -> None:
    pull = chained("climbing").merge(revert())
    pull.commit(unasked(promote(13), pull)).refused("gate-requires", "(Progressing)")


def test_what_its_own_pull_request_calls_completed_is_not() -> None:
    pull = chained("stable")
    pull.commit(unasked(promote(13), pull)).do(baseline(13, CLOUD))
    pull.refused_too("gate-requires", f"{CLOUD} runs v12-")


def test_the_chain_is_kept_where_it_is_complete() -> None:
    pull = chained("stable").merge(baseline(13, CLOUD)).do(promote(13))
    pull.passes(Kind.PROMOTION)


# ------------------------------------------------------------------ approvals

TWO = "approvals:\n- {environment: edge-k3s, count: 2, of: [ada, ben, cleo]}"
BOT = "fleet-bot"


def reviewed(pull: Pull, *reviews: Review, author: str = BOT) -> Pull:
    """Let people speak; "" stands for the newest commit."""
    head = pull.head.commit
    shown = PullRequest(7, "https://f/7", "work", "main", head, "t", "", State.OPEN, author)
    said = tuple(one if one.head else replace(one, head=head) for one in reviews)
    pull.voices = Voices(shown, said)
    return pull


def yes(who: str, head: str = "", *, is_bot: bool = False) -> Review:
    return Review(who, Opinion.APPROVED, head, is_bot)


def guarded(state: str = "climbing", line: str = TWO) -> Pull:
    return under(start(state), layout.CONFIG, "approvals: []", line)


def test_two_who_were_named_have_approved_this_commit() -> None:
    reviewed(guarded().do(percent("25")), yes("Ada"), yes("cleo")).passes(Kind.UP)


@pytest.mark.parametrize(
    ("reviews", "author", "has"),
    [
        ((), BOT, "has 0"),
        ((yes("ada"),), BOT, "has 1 (ada)"),
        ((yes("ada"), yes("eve")), BOT, "has 1 (ada)"),
        ((yes("ada"), yes("ben")), "ben", "has 1 (ada); ben is its author"),
        ((yes("ada"), yes("ben", is_bot=True)), BOT, "has 1 (ada); ben is a machine"),
        (
            (yes("ada"), yes("ben", "b" * 40)),
            BOT,
            "has 1 (ada); ben approved the older bbbbbbbbbbbb",
        ),
    ],
)
def test_an_approval_that_does_not_count(
    reviews: tuple[Review, ...], author: str, has: str
) -> None:
    pull = reviewed(guarded().do(percent("25")), *reviews, author=author)
    text = f"{EDGE} needs 2 approvals of ada, ben, cleo on {pull.head.commit[:12]}, {has}; fix: ask"
    pull.refused(
        "gate-approval", f"tidegate.yaml: error [gate-approval] {text} them at https://f/7"
    )


def test_an_objection_stands_until_it_is_taken_back() -> None:
    no = Review("cleo", Opinion.CHANGES, "b" * 40)
    pull = reviewed(guarded().do(percent("25")), yes("ada"), yes("ben"), no)
    pull.refused("gate-approval", "cleo asked for changes; fix: ask them at https://f/7")
    stranger = replace(no, who="eve")
    reviewed(pull, yes("ada"), yes("ben"), stranger).passes(Kind.UP)


def test_an_approval_of_another_commit_of_the_pull_request() -> None:
    pull = reviewed(guarded().do(percent("25")), yes("ada"), yes("ben"))
    pull.do(percent("50"))
    pull.refused("gate-approval", "https://f/7 is at 0000000000")


@pytest.mark.parametrize("intent", [revert(), percent("1"), pause(), percent("50", CLOUD)])
def test_what_takes_risk_away_or_moves_elsewhere_waits_for_nobody(intent: Intent) -> None:
    assert reviewed(guarded().do(intent)).said == []


def test_a_path_that_is_guarded() -> None:
    pull = guarded(line="approvals:\n- {path: /models/, of: [ada]}")
    pull.put(DEPLOYMENT, pull.head.files[DEPLOYMENT] + b"# more\n")
    reviewed(pull).refused("gate-approval", "/models/ needs 1 approval of ada on 0")
    reviewed(pull, yes("ada")).passes()


def test_approvals_that_its_own_pull_request_takes_away() -> None:
    pull = guarded().edit(layout.CONFIG, TWO, "approvals: []").do(percent("25"))
    reviewed(pull).refused_too("gate-approval", "has 0")
    pull.refused_too("gate-policy", "policy is edited together with a move")


def test_in_ci_approvals_have_to_be_read_and_at_a_desk_they_are_told() -> None:
    pull = guarded().do(percent("25"))
    assert [line.split(": ", 1)[1] for line in pull.said] == [
        f"warning [gate-unasked] {EDGE} needs 2 approvals of ada, ben, cleo; nobody was asked "
        "here; fix: with TIDEGATE_FORGE_TOKEN the reviews are read"
    ]
    pull.origin = read_event(event({"full_name": "acme/fleet"}))
    pull.refused("gate-approval", "and nobody can be asked: there is no token for the forge; fix:")


# ------------------------------------------------------------------ forks

HEAD = {"ref": "work", "sha": "a" * 40}
BASE = {"ref": "main", "sha": "b" * 40, "repo": {"full_name": "acme/fleet"}}
GITLAB = {
    "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_PROJECT_PATH": "acme/fleet",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "eve/fleet",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "work",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_COMMIT_SHA": "a" * 40,
}


def event(repo: object) -> bytes:
    head = {**HEAD, "repo": repo}
    return json.dumps({"pull_request": {"number": 7, "head": head, "base": BASE}}).encode()


@pytest.mark.parametrize(
    ("origin", "whose"),
    [
        (read_event(event({"full_name": "eve/fleet"})), "eve/fleet"),
        (read_event(event(None)), "a project that is gone"),
        (read_variables(GITLAB), "eve/fleet"),
    ],
)
def test_a_fork_moves_nothing(origin: Origin, whose: str) -> None:
    pull = start("climbing").do(percent("25"))
    pull.origin = origin
    pull.refused("gate-fork", f"a pull request from a fork ({whose}) moves nothing, and this one ")


@pytest.mark.parametrize("intent", [freeze(14), reject("v12")])
def test_a_fork_brings_no_release_and_no_rejection(intent: Intent) -> None:
    pull = start("climbing").do(intent)
    pull.origin = read_variables(GITLAB)
    pull.refused("gate-fork", "moves nothing, and this one edits re")


def test_a_fork_may_mend_what_people_write() -> None:
    pull = start("climbing").put("docs/more.md", b"# more\n")
    pull.origin = read_variables(GITLAB)
    pull.passes()


def test_a_branch_of_the_project_is_no_fork() -> None:
    pull = start("climbing").do(percent("25"))
    pull.origin = read_event(event({"full_name": "Acme/Fleet"}))
    assert pull.origin == Origin(7, "Acme/Fleet", "acme/fleet", "work", "main", "a" * 40)
    pull.passes(Kind.UP)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"pull_request": {"number": "x"}}', b"\xff"])
def test_an_event_that_cannot_be_read_is_an_error(data: bytes) -> None:
    with pytest.raises(InputError, match="GITHUB_EVENT_PATH holds no event of a pull request"):
        read_event(data)


def test_another_event_and_no_pipeline_of_a_merge_request_tell_nothing() -> None:
    assert read_event(b'{"ref": "refs/heads/main"}') == Origin()
    assert read_variables({"CI_COMMIT_SHA": "a" * 40}) == Origin()
    assert not Origin().is_fork


# ------------------------------------------------------------------ the table


def test_no_waiver_can_name_a_rule_of_the_gate() -> None:
    assert not {one.id for one in GATE} & {one.id for one in RULES}
    assert all(one.id.startswith("gate-") and one.reason.endswith(".") for one in GATE)
