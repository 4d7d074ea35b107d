"""What the reconciler says about itself: whole texts, hostile names, and what is counted."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.changes import ChangeSet
from generator.errors import InputError, RemoteError
from generator.model import telemetry as names
from generator.model.percent import Percent
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from reconciler.analysis import ObjectiveVerdict, Verdict
from reconciler.outlook import Outlook
from reconciler.policy import Adoption, Advance, Escalate, Hold, Revert, Situation
from reconciler.telemetry import (
    Counts,
    Report,
    cause,
    desired,
    kind,
    outcome_of,
    render,
    say_decision,
    ticks,
)
from reconciler.telemetry.text import escape, family, number
from reconciler.tick import Pass
from tests.builders import CLOUD, EDGE, MODEL, Memory, baseline, fleet, promote

NOW = datetime(2026, 11, 20, 8, 5, tzinfo=UTC)
SINCE = NOW - timedelta(hours=1)
STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
ROLLOUT = Rollout(
    MODEL,
    EDGE,
    STABLE,
    CANARY,
    f"{EDGE}-{MODEL}-{CANARY}-1",
    Percent.of(5),
    phase=Phase.PROGRESSING,
)


@dataclass
class Done:
    passed: Pass
    commit: str = ""
    trouble: str = ""
    lost: bool = False
    bug: Exception | None = None


def verdict(objective: str, e_bad: float, e_ok: float, what: Verdict) -> ObjectiveVerdict:
    return ObjectiveVerdict(
        ROLLOUT.id, objective, NOW, what, e_bad, e_bad, e_ok, 1000, 10, 9.0, None, ()
    )


def outlook(decision, rollout: Rollout = ROLLOUT, *, judged: bool = True) -> Outlook:
    verdicts = (
        verdict("errors", 0.25, 12.5, Verdict.UNDECIDED),
        verdict("confidence", 1e300, 0.0, Verdict.HEALTHY),
    )
    adoption = Adoption(25, 24, 25, 0, 25, stable_fresh=True)
    situation = Situation(rollout, verdicts, adoption, SINCE, timedelta(0), NOW)
    return Outlook(rollout, decision, situation if judged else None, since=SINCE)


def report(*looked: Outlook | None, **more) -> Report:
    passes = tuple(Pass(EDGE, MODEL, one, one.decision if one else None) for one in looked)
    return Report(NOW, passes=passes, **more)


def series(text: bytes) -> dict[str, str]:
    lines = (line for line in text.decode().splitlines() if not line.startswith("#"))
    return dict(line.rsplit(" ", 1) for line in lines)


def of(text: bytes, name: str) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith(f"{name}{{")]


# ------------------------------------------------------------------ the text


def test_every_metric_of_the_model_is_there_with_help_and_type() -> None:
    text = render(Report(NOW)).decode()
    ours = {value for value in vars(names).values() if isinstance(value, str)}
    wanted = {one for one in ours if one.startswith("tidegate_")} | {names.STARTED}
    assert set(re.findall(r"^# TYPE (\S+) (?:gauge|counter|histogram)$", text, re.M)) == wanted
    assert set(re.findall(r"^# HELP (\S+) \S.*\.$", text, re.M)) == wanted


def test_a_climbing_rollout_is_told_whole() -> None:
    deadline = (SINCE + ROLLOUT.deadline).timestamp()
    here = f'environment="{EDGE}",model="{MODEL}"'
    found = series(
        render(report(outlook(Hold("undecided", "x")), ticks={EDGE: NOW, "other": SINCE}))
    )
    kept = {key: value for key, value in found.items() if "{" in key and "pass" not in key}
    assert kept == {
        f'tidegate_tick_timestamp_seconds{{environment="{EDGE}"}}': f"{NOW.timestamp():.15g}",
        'tidegate_tick_timestamp_seconds{environment="other"}': f"{SINCE.timestamp():.15g}",
        f'tidegate_rollout_info{{{here},rollout="{ROLLOUT.id}",stable="{STABLE}",'
        f'canary="{CANARY}",phase="Progressing"}}': "1",
        f"tidegate_rollout_percent{{{here}}}": "5",
        f"tidegate_rollout_step_timestamp_seconds{{{here}}}": f"{SINCE.timestamp():.15g}",
        f"tidegate_rollout_deadline_timestamp_seconds{{{here}}}": f"{deadline:.15g}",
        f'tidegate_verdict_info{{{here},verdict="Undecided"}}': "1",
        f'tidegate_decision_info{{{here},decision="Hold",code="undecided"}}': "1",
        f'tidegate_objective_e_bad{{{here},objective="confidence"}}': "1e+300",
        f'tidegate_objective_e_bad{{{here},objective="errors"}}': "0.25",
        f'tidegate_objective_e_ok{{{here},objective="confidence"}}': "0",
        f'tidegate_objective_e_ok{{{here},objective="errors"}}': "12.5",
    }


def test_what_rests_says_its_stable_release_and_nothing_of_a_canary() -> None:
    rests = Rollout(MODEL, EDGE, STABLE, "", ROLLOUT.id, phase=Phase.REVERTED)
    found = series(render(report(Outlook(rests))))
    here = f'environment="{EDGE}",model="{MODEL}"'
    assert {key: value for key, value in found.items() if here in key} == {
        f'tidegate_rollout_info{{{here},rollout="",stable="{STABLE}",canary="",'
        'phase="Reverted"}': "1",
        f"tidegate_rollout_percent{{{here}}}": "0",
    }


def test_a_rollout_that_cannot_be_read_is_not_told() -> None:
    assert render(report(None)) == render(report())


def test_metrics_that_are_down_are_no_verdict_on_the_model() -> None:
    text = render(report(outlook(Hold("metrics", "x"), judged=False)))
    assert 'verdict="NoData"' in text.decode()
    assert of(text, names.E_BAD) == []


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Hold("undecided", "x"), 1),
        (Hold("deadline", "x"), 1),
        (Hold("metrics", "x"), 1),
        (Escalate("x"), 1),
        (Hold("soak", "x"), 0),
        (Hold("by-hand", "x"), 0),
        (Advance(None, "x"), 0),
    ],
)
def test_only_a_step_that_lacks_evidence_has_a_deadline(decision, told: int) -> None:
    assert len(of(render(report(outlook(decision))), names.ROLLOUT_DEADLINE)) == told


def test_a_paused_rollout_has_neither_step_nor_deadline() -> None:
    paused = replace(ROLLOUT, phase=Phase.PAUSED)
    text = render(report(outlook(Hold("paused", "x"), paused)))
    assert of(text, names.ROLLOUT_STEP) == of(text, names.ROLLOUT_DEADLINE) == []
    assert len(of(text, names.VERDICT)) == 1


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Advance(Percent.of(10), "x"), ("Advance", "")),
        (Hold("soak", "x"), ("Hold", "soak")),
        (Revert("breach", "x"), ("Revert", "breach")),
        (Escalate("x"), ("Escalate", "")),
    ],
)
def test_a_decision_is_named_with_its_code(decision, told: tuple[str, str]) -> None:
    assert say_decision(decision) == told


def test_sites_come_in_the_order_of_their_ids() -> None:
    wanted = {("e", "m2"): {"b": "r1", "a": "r2"}, ("e", "m1"): {"c": "r1"}}
    applied = {("e", "m1", "z"): "r1", ("e", "m1", "c"): "r2"}
    text = render(report(desired=wanted, applied=applied))
    assert of(text, names.SITE_DESIRED) == [
        f'{names.SITE_DESIRED}{{environment="e",model="m1",site="c",release="r1"}} 1',
        f'{names.SITE_DESIRED}{{environment="e",model="m2",site="a",release="r2"}} 1',
        f'{names.SITE_DESIRED}{{environment="e",model="m2",site="b",release="r1"}} 1',
    ]
    assert of(text, names.SITE_APPLIED) == [
        f'{names.SITE_APPLIED}{{environment="e",model="m1",site="c",release="r2"}} 1',
        f'{names.SITE_APPLIED}{{environment="e",model="m1",site="z",release="r1"}} 1',
    ]
    again = {line: dict(reversed(sites.items())) for line, sites in reversed(wanted.items())}
    backwards = dict(reversed(applied.items()))
    assert render(report(desired=again, applied=backwards)) == text


VALUE = re.compile(r'"((?:[^"\\\n]|\\["\\n])*)"')
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_breaks_out_of_its_label(env: str, model: str, site: str, release: str) -> None:
    text = render(report(desired={(env, model): {site: release}})).decode()
    begin = f"{names.SITE_DESIRED}{{"
    lines = [line for line in text.split("\n") if line.startswith(begin)]
    assert len(lines) == 1
    values = VALUE.findall(lines[0])
    back = [re.sub(r'\\[\\"n]', lambda found: UNESCAPED[found.group()], one) for one in values]
    assert back == [env, model, site, release]
    assert len(text.split("\n")) == len(render(report()).split(b"\n")) + 1


def test_half_a_character_does_not_stop_the_text() -> None:
    assert b'site="?"' in render(report(desired={("e", "m"): {"\udc80": "r"}}))


def test_labels_are_escaped_as_the_format_says() -> None:
    assert escape('a\\b"c\nd\te') == 'a\\\\b\\"c\\nd\te'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0.5, "0.5"),
        (1763625900.25, "1763625900.25"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value: float, text: str) -> None:
    assert number(value) == text


def test_a_family_refuses_another_number_of_labels() -> None:
    with pytest.raises(ValueError, match="zip"):
        family("x", names.Metric.GAUGE, "X.", ("a", "b"), [(("1",), 1)])


# ------------------------------------------------------------------ what is counted


def change(*trailers: tuple[str, str], files: tuple[str, ...] = ()) -> ChangeSet:
    return ChangeSet("0" * 40, dict.fromkeys(files, b""), "x", "", trailers)


def evidence(name: str) -> tuple[str, str]:
    return ("Evidence", f"evidence/{EDGE}/{MODEL}/{ROLLOUT.id}/0002-{name}.json@sha256:00")


POINTER = f"sites/{EDGE}/plant-0001/{MODEL}/kustomization.yaml"


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (change(evidence("advance"), files=(POINTER,)), "advance"),
        (change(evidence("revert"), files=(POINTER,)), "revert"),
        (change(evidence("complete")), "complete"),
        (change(evidence("history")), "history"),
        (change(evidence("seen")), "seen"),
        (change(evidence("seen"), files=(POINTER,)), "expand"),
        (change(files=(POINTER,)), "expand"),
    ],
)
def test_a_commit_is_counted_by_what_it_did(made: ChangeSet, name: str) -> None:
    done = Done(Pass(EDGE, MODEL, change=made), "1" * 40)
    assert kind(done) == name
    assert kind(replace(done, commit="")) == ""
    counts = Counts().after("whole", 0.2, (done,)).after("whole", 2.0, (done,))
    assert {key: count for key, count in counts.commits.items() if count} == {
        (EDGE, MODEL, name): 2
    }
    assert set(counts.commits) == {(EDGE, MODEL, one) for one in KINDS}


@pytest.mark.parametrize(
    ("decision", "trailers", "name"),
    [
        (Advance(Percent.of(5), "x"), (), "advance"),
        (Revert("objects", "x"), (), "revert"),
        (Hold("soak", "x"), (), "expand"),
        (None, (), "expand"),
        (Advance(Percent.of(5), "x"), (("Requested-By", "Ada"),), "expand"),
    ],
)
def test_a_step_in_the_cloud_has_no_evidence(decision, trailers, name: str) -> None:
    made = Pass(EDGE, MODEL, decision=decision, change=change(*trailers, files=(POINTER,)))
    assert kind(Done(made, "1" * 40)) == name


def test_what_the_tick_decided_counts_more_than_what_the_outlook_did() -> None:
    looked = outlook(Hold("cloud", "x"))
    text = render(Report(NOW, passes=(Pass(EDGE, MODEL, looked, Hold("objects", "x")),)))
    assert [line for line in of(text, names.DECISION) if 'code="objects"' in line]


KINDS = ("advance", "complete", "expand", "history", "revert", "seen")


@pytest.mark.parametrize(
    ("done", "name"),
    [
        (Done(Pass(EDGE, MODEL)), ""),
        (Done(Pass(EDGE, MODEL, decision=Hold("soak", "x"))), ""),
        (Done(Pass(EDGE, MODEL, decision=Hold("metrics", "x"))), "metrics"),
        (Done(Pass(EDGE, MODEL, decision=Hold("remote", "x"))), "remote"),
        (Done(Pass(EDGE, MODEL, decision=Hold("invalid", "x")), trouble="x"), "invalid"),
        (Done(Pass(EDGE, MODEL, change=change()), trouble="x"), "refused"),
        (Done(Pass(EDGE, MODEL, change=change()), trouble="x", lost=True), "lost"),
        (Done(Pass(EDGE, MODEL), trouble="x", bug=ValueError()), "bug"),
    ],
)
def test_a_trouble_is_counted_by_its_cause(done: Done, name: str) -> None:
    assert cause(done) == name
    counts = Counts().after("whole", 1.0, (done,))
    assert sum(counts.troubles.values()) == (1 if name else 0)
    assert counts.troubles.get((EDGE, MODEL, name), 0) == (1 if name else 0)


def test_passes_are_counted_with_their_length() -> None:
    counts = Counts().after("whole", 0.2).after("remote", 20).after("whole", 1000)
    found = series(render(Report(NOW, counts)))
    assert {key: value for key, value in found.items() if "_pass" in key} == {
        'tidegate_passes_total{outcome="bug"}': "0",
        'tidegate_passes_total{outcome="input"}': "0",
        'tidegate_passes_total{outcome="remote"}': "1",
        'tidegate_passes_total{outcome="whole"}': "2",
        'tidegate_pass_duration_seconds_bucket{le="0.1"}': "0",
        'tidegate_pass_duration_seconds_bucket{le="0.3"}': "1",
        'tidegate_pass_duration_seconds_bucket{le="1"}': "1",
        'tidegate_pass_duration_seconds_bucket{le="3"}': "1",
        'tidegate_pass_duration_seconds_bucket{le="10"}': "1",
        'tidegate_pass_duration_seconds_bucket{le="30"}': "2",
        'tidegate_pass_duration_seconds_bucket{le="60"}': "2",
        'tidegate_pass_duration_seconds_bucket{le="120"}': "2",
        'tidegate_pass_duration_seconds_bucket{le="300"}': "2",
        'tidegate_pass_duration_seconds_bucket{le="+Inf"}': "3",
        "tidegate_pass_duration_seconds_sum": "1020.2",
        "tidegate_pass_duration_seconds_count": "3",
    }


@pytest.mark.parametrize(
    ("error", "name"),
    [(RemoteError("Git", "x"), "remote"), (InputError("x"), "input"), (KeyError("x"), "bug")],
)
def test_a_pass_that_ended_too_early_says_why(error: Exception, name: str) -> None:
    assert outcome_of(error) == name


def test_a_tick_with_a_bug_is_not_whole() -> None:
    before = {"a": SINCE, "b": SINCE, "gone": SINCE}
    done = [
        Done(Pass("a", "m"), trouble="x", bug=ValueError()),
        Done(Pass("new", "m"), trouble="x", bug=ValueError()),
        Done(Pass("b", "m"), trouble="invalid"),
    ]
    found = ticks(before, ("a", "b", "empty", "new"), done, NOW)
    assert found == {"a": SINCE, "b": NOW, "empty": NOW}


# ------------------------------------------------------------------ what Git wants


def both() -> Memory:
    return Memory(fleet(sites=100, clusters=2)).do(baseline(12)).do(baseline(12, CLOUD))


def test_git_wants_one_release_on_every_site_and_in_the_cloud_the_stable_one() -> None:
    have = Repository(both().do(promote(13)).do(promote(13, CLOUD)))
    found, rollout = desired(have), have.rollout(EDGE, MODEL)
    edge = list(found[EDGE, MODEL].values())
    assert len(edge) == 100
    assert edge.count(rollout.canary) == 5
    assert set(edge) == {rollout.stable, rollout.canary}
    cloud = have.rollout(CLOUD, MODEL)
    assert cloud.canary
    assert list(found[CLOUD, MODEL].values()) == [cloud.stable, cloud.stable]


def test_a_rollout_that_cannot_be_read_leaves_the_others_alone() -> None:
    have = both().put(f"rollouts/{EDGE}/{MODEL}.yaml", b"no")
    assert set(desired(Repository(have))) == {(CLOUD, MODEL)}
