"""Every rule of `decide`: one situation a row, and what follows from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generator.model.percent import Percent
from generator.model.rollout import Advance as Mode
from generator.model.rollout import OnDeadline, Phase, Rollout
from generator.model.window import DenyWindow, Schedule
from generator.windows import Denial
from reconciler.analysis import Code, ObjectiveVerdict, Reason, Verdict
from reconciler.policy import (
    RULES,
    Adoption,
    Advance,
    Decision,
    Escalate,
    Hold,
    Revert,
    Situation,
    bump,
    decide,
)
from reconciler.waits import explain, unmeasured

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORDS = {
    Verdict.HEALTHY: (Code.MARGIN_CLOSED, "x1.5 is ruled out"),
    Verdict.BREACHED: (Code.WORSE, "60 bad where 30 were expected"),
    Verdict.UNDECIDED: (Code.MARGIN_OPEN, "x1.5 is not ruled out"),
    Verdict.NO_DATA: (Code.NO_CANARY_EVENTS, "no canary events in this step"),
    Verdict.STALE: (Code.STABLE_SILENT, "3 of 475 stable sites are fresh"),
}
ALL_WELL = Adoption(25, 24, 25, 1, 25, stable_fresh=True)
NEVER_STARTS = Adoption(25, 0, 25, 25, 25, stable_fresh=True)
LATE = "25 of 25 canary sites that were reachable do not serve it, while the stable sites report"
REVERT = 'tidegate revert defect-detector --env edge-k3s --reason "..."'


def says(verdict: Verdict, objective: str = "errors", *codes: Code) -> ObjectiveVerdict:
    code, text = WORDS[verdict]
    reasons = tuple(Reason(one, text) for one in codes or (code,))
    return ObjectiveVerdict("r1", objective, NOW, verdict, 1, 1, 1, 5000, 50, 50.0, 1.4, reasons)


def at(percent: str, **more: Any) -> Rollout:
    return Rollout(
        "defect-detector",
        "edge-k3s",
        **{
            "stable": "v12-9be07d11",
            "canary": "v13-3f9a1c2b",
            "id": "edge-k3s-defect-detector-v13-3f9a1c2b-1",
            "percent": Percent.parse(percent),
            "phase": Phase.PROGRESSING,
        }
        | more,
    )


def situation(rollout: Rollout | None = None, *said: Verdict, **more: Any) -> Situation:
    """All is well: healthy at 5 %, soaked, adopted; a row says what is different."""
    verdicts = tuple(says(one, f"o{number}") for number, one in enumerate(said))
    told = {
        "verdicts": verdicts or (says(Verdict.HEALTHY),),
        "adoption": ALL_WELL,
        "since": NOW - 3 * HOUR,
        "soaked": 2 * HOUR,
        "now": NOW,
    }
    return Situation(rollout or at("5"), **told | more)


OVERDUE = {"since": NOW - 73 * HOUR}
LONG = "3 d 1 h at 5%, deadline 3 d; "
PAUSED = Hold(
    "paused",
    "a person paused it",
    None,
    'tidegate resume defect-detector --env edge-k3s --reason "..."',
)
SAID = {verdict: f"o0: {text}" for verdict, (_, text) in WORDS.items()}
BREACH = Revert("breach", SAID[Verdict.BREACHED])
UNTIL = NOW + 69 * HOUR
WEEKEND = Denial(
    DenyWindow(Schedule.parse("0 22 * * 5"), 56 * HOUR), NOW + 9 * HOUR, "it is weekend"
)


def waits(verdict: Verdict) -> Hold:
    return Hold(verdict.value.lower(), SAID[verdict], UNTIL)


BURNING = replace(
    says(Verdict.UNDECIDED),
    reasons=(
        Reason(Code.BURNS_ALIKE, "15 and 15 times"),
        Reason(Code.NO_CONCURRENT_STABLE, "no stable site is left"),
    ),
)
SMALL = replace(
    says(Verdict.UNDECIDED),
    reasons=(Reason(Code.TOO_FEW_STABLE, "4 stable sites with events"),),
)

TABLE: dict[str, tuple[Situation, Decision]] = {
    # ---- healthy
    "a step is taken": (
        situation(None, Verdict.HEALTHY),
        Advance(Percent.of(10), SAID[Verdict.HEALTHY]),
    ),
    "from between two steps to the next one": (
        situation(at("7.5"), Verdict.HEALTHY),
        Advance(Percent.of(10), SAID[Verdict.HEALTHY]),
    ),
    "steps of one's own": (
        situation(at("5", steps=(Percent.of(5), Percent.of(100))), Verdict.HEALTHY),
        Advance(Percent.of(100), SAID[Verdict.HEALTHY]),
    ),
    "the last step completes": (
        situation(at("100"), Verdict.HEALTHY),
        Advance(None, SAID[Verdict.HEALTHY]),
    ),
    # ---- 1: harm
    "one breached objective is enough": (
        situation(None, Verdict.BREACHED, Verdict.HEALTHY, Verdict.STALE),
        BREACH,
    ),
    "a breach beats a pause": (
        situation(at("5", phase=Phase.PAUSED), Verdict.BREACHED),
        BREACH,
    ),
    "a breach beats a deadline that holds": (situation(None, Verdict.BREACHED, **OVERDUE), BREACH),
    "a breach beats manual advance": (
        situation(at("5", advance=Mode.MANUAL), Verdict.BREACHED),
        BREACH,
    ),
    "a breach at 0 percent still ends the rollout": (
        situation(at("0"), Verdict.BREACHED),
        BREACH,
    ),
    "a breach at 100 percent": (situation(at("100"), Verdict.BREACHED), BREACH),
    "a breach is named before late sites": (
        situation(None, Verdict.BREACHED, adoption=NEVER_STARTS),
        BREACH,
    ),
    "late sites revert": (
        situation(None, Verdict.NO_DATA, adoption=NEVER_STARTS),
        Revert("adoption", f"{LATE} as usual"),
    ),
    "late sites revert a paused rollout": (
        situation(at("5", phase=Phase.PAUSED), Verdict.NO_DATA, adoption=NEVER_STARTS),
        Revert("adoption", f"{LATE} as usual"),
    ),
    "late sites revert even where the others look healthy": (
        situation(None, Verdict.HEALTHY, adoption=NEVER_STARTS),
        Revert("adoption", f"{LATE} as usual"),
    ),
    # ---- 2: stopped
    "paused": (situation(at("5", phase=Phase.PAUSED), Verdict.HEALTHY), PAUSED),
    "paused without data": (situation(at("5", phase=Phase.PAUSED), Verdict.NO_DATA), PAUSED),
    "a pause outlasts the deadline": (
        situation(
            at("5", phase=Phase.PAUSED, on_deadline=OnDeadline.REVERT), Verdict.STALE, **OVERDUE
        ),
        PAUSED,
    ),
    "0 percent waits for a person": (
        situation(at("0", on_deadline=OnDeadline.REVERT), Verdict.HEALTHY, **OVERDUE),
        Hold(
            "at-zero",
            "percent is 0, so no site runs the canary",
            None,
            'tidegate set-percent defect-detector --env edge-k3s 5 --reason "..."',
        ),
    ),
    # ---- something burns, and nobody knows what
    "a plant that burns as a whole asks a person": (
        situation(at("5", on_deadline=OnDeadline.REVERT), verdicts=(BURNING,), **OVERDUE),
        Escalate("errors: 15 and 15 times", REVERT),
    ),
    "also at the top": (
        situation(at("100"), verdicts=(BURNING,)),
        Escalate("errors: 15 and 15 times", REVERT),
    ),
    "but harm comes first": (
        situation(None, verdicts=(BURNING, says(Verdict.BREACHED))),
        Revert("breach", "errors: 60 bad where 30 were expected"),
    ),
    "and a pause stays one": (situation(at("5", phase=Phase.PAUSED), verdicts=(BURNING,)), PAUSED),
    # ---- a fleet too small to compare
    "a person takes the steps of a small fleet": (
        situation(None, verdicts=(SMALL,), **OVERDUE),
        Escalate(
            "errors: 4 stable sites with events; the soak is over and no absolute guard objects, "
            "so a person may take the next step",
            'tidegate set-percent defect-detector --env edge-k3s 10 --reason "..."',
        ),
    ),
    "once they soaked": (
        situation(None, verdicts=(SMALL,), soaked=HOUR),
        Hold("soak", "1 h of healthy time so far, 1 h to go", NOW + HOUR),
    ),
    "and enough sites serve it": (
        situation(None, verdicts=(SMALL,), adoption=Adoption(4, 1, 4, 0, 4, stable_fresh=True)),
        Hold("adoption", "1 of 4 reachable canary sites serve it", UNTIL),
    ),
    "a small fleet without data waits": (
        situation(None, verdicts=(SMALL, says(Verdict.NO_DATA, "latency"))),
        Hold("nodata", "latency: no canary events in this step", UNTIL),
    ),
    # ---- 3: the deadline
    "overdue: hold": (
        situation(None, Verdict.UNDECIDED, **OVERDUE),
        Hold("deadline", LONG + SAID[Verdict.UNDECIDED], None, REVERT),
    ),
    "overdue: revert": (
        situation(at("5", on_deadline=OnDeadline.REVERT), Verdict.STALE, **OVERDUE),
        Revert("deadline", LONG + SAID[Verdict.STALE]),
    ),
    "overdue: ask": (
        situation(at("5", on_deadline=OnDeadline.ASK), Verdict.NO_DATA, **OVERDUE),
        Escalate(LONG + SAID[Verdict.NO_DATA], REVERT),
    ),
    "not overdue on the dot": (
        situation(at("5", on_deadline=OnDeadline.REVERT), Verdict.NO_DATA, since=NOW - 72 * HOUR),
        replace(waits(Verdict.NO_DATA), until=NOW),
    ),
    "overdue because too few sites serve it": (
        situation(
            at("5", on_deadline=OnDeadline.ASK),
            Verdict.HEALTHY,
            adoption=Adoption(25, 15, 25, 2, 25, stable_fresh=True),
            **OVERDUE,
        ),
        Escalate(LONG + "15 of 25 reachable canary sites serve it", REVERT),
    ),
    "healthy is never overdue": (
        situation(at("5", on_deadline=OnDeadline.REVERT), Verdict.HEALTHY, **OVERDUE),
        Advance(Percent.of(10), SAID[Verdict.HEALTHY]),
    ),
    "a soak longer than the deadline is served to its end": (
        situation(
            at("5", on_deadline=OnDeadline.REVERT, soak=80 * HOUR),
            Verdict.HEALTHY,
            soaked=73 * HOUR,
            **OVERDUE,
        ),
        Hold("soak", "3 d 1 h of healthy time so far, 7 h to go", NOW + 7 * HOUR),
    ),
    "who waits for a person is not overdue": (
        situation(
            at("5", on_deadline=OnDeadline.REVERT, advance=Mode.MANUAL), Verdict.HEALTHY, **OVERDUE
        ),
        Hold(
            "by-hand",
            "advance is manual; the evidence allows 10%",
            None,
            'tidegate set-percent defect-detector --env edge-k3s 10 --reason "..."',
        ),
    ),
    # ---- 4: not proven
    "stale": (situation(None, Verdict.STALE), waits(Verdict.STALE)),
    "no data": (situation(None, Verdict.NO_DATA), waits(Verdict.NO_DATA)),
    "undecided": (situation(None, Verdict.UNDECIDED), waits(Verdict.UNDECIDED)),
    "one undecided objective is enough": (
        situation(None, Verdict.HEALTHY, Verdict.UNDECIDED),
        Hold("undecided", "o1: x1.5 is not ruled out", UNTIL),
    ),
    "stale is named before no data": (
        situation(None, Verdict.NO_DATA, Verdict.STALE),
        Hold("stale", "o1: 3 of 475 stable sites are fresh", UNTIL),
    ),
    "nothing was measured": (
        situation(None, verdicts=()),
        Hold("nodata", "nothing was measured yet", UNTIL),
    ),
    # ---- 5: adoption
    "too few serve it": (
        situation(None, Verdict.HEALTHY, adoption=Adoption(25, 19, 25, 2, 25, stable_fresh=True)),
        Hold("adoption", "19 of 25 reachable canary sites serve it", UNTIL),
    ),
    "sites that are away leave the denominator": (
        situation(None, Verdict.HEALTHY, adoption=Adoption(25, 8, 10, 0, 10, stable_fresh=True)),
        Advance(Percent.of(10), SAID[Verdict.HEALTHY]),
    ),
    "nobody can be reached": (
        situation(None, Verdict.HEALTHY, adoption=Adoption(25, 0, 0, 0, 0, stable_fresh=True)),
        Hold("adoption", "0 of 0 reachable canary sites serve it", UNTIL),
    ),
    # ---- 6: the soak
    "a minute short": (
        situation(None, Verdict.HEALTHY, soaked=2 * HOUR - timedelta(minutes=1)),
        Hold("soak", "1 h 59 min of healthy time so far, 1 min to go", NOW + HOUR / 60),
    ),
    "only time with data soaks": (
        situation(None, Verdict.HEALTHY, since=NOW - 30 * HOUR, soaked=HOUR),
        Hold("soak", "1 h of healthy time so far, 1 h to go", NOW + HOUR),
    ),
    "a longer soak from 25 percent on": (
        situation(
            at("25", soak_from={Percent.of(25): 24 * HOUR}), Verdict.HEALTHY, soaked=3 * HOUR
        ),
        Hold("soak", "3 h of healthy time so far, 21 h to go", NOW + 21 * HOUR),
    ),
    "and above 25 percent": (
        situation(
            at("50", soak_from={Percent.of(25): 24 * HOUR}), Verdict.HEALTHY, soaked=24 * HOUR
        ),
        Advance(Percent.of(100), SAID[Verdict.HEALTHY]),
    ),
    "but not below": (
        situation(
            at("24.99", soak_from={Percent.of(25): 24 * HOUR}), Verdict.HEALTHY, soaked=2 * HOUR
        ),
        Advance(Percent.of(25), SAID[Verdict.HEALTHY]),
    ),
    "the highest of several": (
        situation(
            at("60", soak_from={Percent.of(50): 5 * HOUR, Percent.of(10): 9 * HOUR}),
            Verdict.HEALTHY,
            soaked=5 * HOUR,
        ),
        Advance(Percent.of(100), SAID[Verdict.HEALTHY]),
    ),
    # ---- 7: a deny window
    "a deny window is open": (
        situation(None, Verdict.HEALTHY, denied=WEEKEND),
        Hold("deny-window", "it is weekend", NOW + 9 * HOUR),
    ),
    "the soak goes on in it": (
        situation(None, Verdict.HEALTHY, denied=WEEKEND, soaked=HOUR),
        Hold("soak", "1 h of healthy time so far, 1 h to go", NOW + HOUR),
    ),
    "and a revert passes": (
        situation(None, Verdict.BREACHED, denied=WEEKEND),
        BREACH,
    ),
    # ---- 8: by hand
    "a person takes the steps": (
        situation(at("10", advance=Mode.PULL_REQUEST), Verdict.HEALTHY),
        Hold(
            "by-hand",
            "advance is pull-request; the evidence allows 25%",
            None,
            'tidegate set-percent defect-detector --env edge-k3s 25 --reason "..."',
        ),
    ),
    "but not the end": (
        situation(at("100", advance=Mode.MANUAL), Verdict.HEALTHY),
        Advance(None, SAID[Verdict.HEALTHY]),
    ),
}


@pytest.mark.parametrize("row", TABLE)
def test_decision(row: str) -> None:
    given, expected = TABLE[row]
    assert decide(given) == expected


def test_every_rule_decides_some_row() -> None:
    deciding = set()
    for given, _ in TABLE.values():
        deciding.add(next(rule for rule in RULES if rule(given) is not None))
    assert deciding == set(RULES)


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.PAUSED])
@pytest.mark.parametrize("percent", ["0", "5", "100"])
def test_only_healthy_advances_and_only_breached_reverts(
    verdict: Verdict, phase: Phase, percent: str
) -> None:
    decision = decide(situation(at(percent, phase=phase), verdict))
    assert isinstance(decision, Revert) == (verdict is Verdict.BREACHED)
    moves = verdict is Verdict.HEALTHY and phase is Phase.PROGRESSING and percent != "0"
    assert isinstance(decision, Advance) == moves


# ------------------------------------------------------------------ at 100 %, without stable sites

TOP = {
    "nobody left to compare with": ((Code.NO_CONCURRENT_STABLE,), True),
    "too few held back to compare with": ((Code.TOO_FEW_STABLE,), True),
    "nobody to compare with, and suspect before": (
        (Code.NO_CONCURRENT_STABLE, Code.SUSPECT),
        False,
    ),
    "nobody to compare with, and too silent": (
        (Code.NO_CONCURRENT_STABLE, Code.CANARY_SILENT),
        False,
    ),
    "enough to compare with": ((Code.MARGIN_OPEN,), False),
}


@pytest.mark.parametrize("row", TOP)
@pytest.mark.parametrize("percent", ["50", "100"])
def test_the_last_step_passes_alone(row: str, percent: str) -> None:
    codes, passes = TOP[row]
    verdicts = tuple(says(Verdict.UNDECIDED, name, *codes) for name in ("errors", "latency"))
    decision = decide(situation(at(percent), verdicts=verdicts))
    if passes and percent == "100":
        assert isinstance(decision, Advance)
        assert decision.to is None
    elif codes == (Code.TOO_FEW_STABLE,):
        assert isinstance(decision, Escalate)
    else:
        assert isinstance(decision, Hold)
        assert decision.code == "undecided"


def test_the_last_step_says_that_only_soak_and_guards_were_asked() -> None:
    verdicts = (says(Verdict.UNDECIDED, "errors", Code.NO_CONCURRENT_STABLE),)
    why = "errors: x1.5 is not ruled out; 2 h of soak are over and no absolute guard objects"
    assert decide(situation(at("100"), verdicts=verdicts)) == Advance(None, why)


def test_the_last_step_alone_still_soaks() -> None:
    verdicts = (says(Verdict.UNDECIDED, "errors", Code.NO_CONCURRENT_STABLE),)
    decision = decide(situation(at("100"), verdicts=verdicts, soaked=HOUR))
    assert decision == Hold("soak", "1 h of healthy time so far, 1 h to go", NOW + HOUR)


def test_the_last_step_needs_data_of_every_objective() -> None:
    alone = says(Verdict.UNDECIDED, "errors", Code.NO_CONCURRENT_STABLE)
    verdicts = (alone, says(Verdict.NO_DATA, "latency"))
    decision = decide(situation(at("100"), verdicts=verdicts))
    assert isinstance(decision, Hold)
    assert decision.code == "nodata"


def test_the_last_step_needs_some_verdict() -> None:
    decision = decide(situation(at("100"), verdicts=()))
    assert isinstance(decision, Hold)
    assert decision.code == "nodata"


# ------------------------------------------------------------------ a release that never starts

LATE_SITES = {
    # late, due, stable sites fresh -> breached
    (0, 25, True): False,
    (2, 2, True): False,
    (3, 3, True): True,
    (2, 10, True): False,
    (3, 15, True): True,
    (3, 16, True): False,
    (4, 20, True): True,
    (4, 21, True): False,
    (5, 25, True): True,
    (25, 25, True): True,
    (3, 3, False): False,
    (25, 25, False): False,
}


@pytest.mark.parametrize(("late", "due", "fresh"), LATE_SITES)
def test_three_sites_and_a_fifth_of_those_due(late: int, due: int, fresh: bool) -> None:
    adoption = Adoption(due, due - late, due, late, due, stable_fresh=fresh)
    assert adoption.is_breached == LATE_SITES[late, due, fresh]
    decision = decide(situation(None, Verdict.HEALTHY, adoption=adoption))
    assert isinstance(decision, Revert) == LATE_SITES[late, due, fresh]


# ------------------------------------------------------------------ words


@pytest.mark.parametrize(("now", "to"), [("5", "10"), ("7", "10"), ("50", "100"), ("100", "100")])
def test_the_command_names_the_next_step(now: str, to: str) -> None:
    text = f'tidegate set-percent defect-detector --env edge-k3s {to} --reason "..."'
    assert bump(at(now)) == text


def test_all_objectives_with_the_combined_verdict_are_named() -> None:
    decision = decide(situation(None, Verdict.UNDECIDED, Verdict.HEALTHY, Verdict.UNDECIDED))
    assert isinstance(decision, Hold)
    assert decision.why == "o0: x1.5 is not ruled out; o2: x1.5 is not ruled out"


def test_only_the_decisive_reason_of_an_objective_is_named() -> None:
    reasons = (Reason(Code.FEW_SITES, "first"), Reason(Code.FEW_EVENTS, "second"))
    verdict = replace(says(Verdict.UNDECIDED), reasons=reasons)
    decision = decide(situation(None, verdicts=(verdict,)))
    assert isinstance(decision, Hold)
    assert decision.why == "errors: first"


# ------------------------------------------------------------------ what a hold says besides

FORECASTS = {
    # missing events and events per hour, per objective
    ((3_050, 610),): "needs about 3,100 more predictions, 5 h at the present rate",
    (
        (40, 120),
        (9_001, 3_000),
    ): "needs about 9,100 more predictions, 3 h 1 min at the present rate",
    ((7, 0),): "needs about 7 more predictions, more than 30 d at the present rate",
    ((0, 100),): "",
    ((None, 100),): "",
}


@pytest.mark.parametrize("needs", FORECASTS)
def test_a_hold_says_what_is_still_missing(needs: tuple[tuple[int | None, float], ...]) -> None:
    verdicts = tuple(
        replace(says(Verdict.UNDECIDED, f"o{number}"), needs=missing)
        for number, (missing, _) in enumerate(needs)
    )
    pace = {f"o{number}": rate for number, (_, rate) in enumerate(needs)}
    given = situation(None, verdicts=verdicts, pace=pace)
    decision = decide(given)
    assert isinstance(decision, Hold)
    told = explain(decision, given.rollout, given.since, given)
    forecast = FORECASTS[needs]
    why = f"{decision.why}; {forecast}" if forecast else decision.why
    assert told == Hold("undecided", why, UNTIL, bump(given.rollout), given.since)


def test_only_a_wait_is_explained() -> None:
    for verdict in (Verdict.HEALTHY, Verdict.BREACHED):
        given = situation(None, verdict)
        decision = decide(given)
        assert explain(decision, given.rollout, given.since, given) == decision


DOCTOR = "tidegate doctor --only metrics"
ONWARD = 'tidegate set-percent defect-detector --env edge-k3s 10 --reason "..."'
DONE = 'tidegate promote defect-detector/13 --env edge-k3s --baseline --reason "..."'
WAITS: dict[str, tuple[Situation, str, str]] = {
    "nothing to judge by": (situation(None, Verdict.NO_DATA), "nodata", DOCTOR),
    "nobody is fresh": (situation(None, Verdict.STALE), "stale", DOCTOR),
    "too little evidence": (situation(None, Verdict.UNDECIDED), "undecided", ONWARD),
    "too little evidence at the top": (
        situation(at("100"), Verdict.UNDECIDED),
        "undecided",
        DONE,
    ),
    "too few serve it": (
        situation(adoption=replace(ALL_WELL, serving=10)),
        "adoption",
        ONWARD,
    ),
    "not long enough": (situation(soaked=HOUR / 2), "soak", ONWARD),
    "not long enough at the top": (situation(at("100"), soaked=HOUR / 2), "soak", DONE),
    "paused": (situation(at("5", phase=Phase.PAUSED)), "paused", PAUSED.command),
    "at 0": (situation(at("0")), "at-zero", bump(at("0"), Percent.of(5))),
    "overdue": (situation(None, Verdict.UNDECIDED, **OVERDUE), "deadline", REVERT),
    "overdue, a person asked": (
        situation(at("5", on_deadline=OnDeadline.ASK), Verdict.UNDECIDED, **OVERDUE),
        "",
        REVERT,
    ),
    "by hand": (situation(at("5", advance=Mode.MANUAL)), "by-hand", ONWARD),
    "not now": (situation(denied=WEEKEND), "deny-window", ""),
}


@pytest.mark.parametrize("name", WAITS)
def test_each_wait_says_since_when_and_what_would_end_it(name: str) -> None:
    given, code, command = WAITS[name]
    told = explain(decide(given), given.rollout, given.since, given)
    assert isinstance(told, Hold | Escalate)
    assert (getattr(told, "code", ""), told.since) == (code, given.since)
    assert told.command == command


@pytest.mark.parametrize("code", ["metrics", "doubted", "no-history"])
@pytest.mark.parametrize("mode", OnDeadline)
def test_metrics_that_stay_away_are_waited_for_until_the_deadline(
    code: str, mode: OnDeadline
) -> None:
    rollout, end = at("5", on_deadline=mode), NOW + at("5").deadline
    assert unmeasured(code, "no route", rollout, NOW, end) == Hold(code, "no route", end)
    late = unmeasured(code, "no route", rollout, NOW, end + HOUR)
    why = "3 d 1 h at 5%, deadline 3 d; no route"
    if mode is OnDeadline.HOLD:
        assert late == Hold("deadline", why, None, REVERT)
    else:
        assert late == Escalate(why, REVERT)  # without evidence nothing is taken back
    told = explain(Hold(code, "no route", end), rollout, NOW)
    assert told == Hold(code, "no route", end, DOCTOR, NOW)
