"""Ticks lead to verdicts: harm is found, silence is not success, nothing is forgotten."""

import dataclasses
import math
from collections.abc import Iterable, Sequence, Set
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import InputError
from reconciler.analysis import Code, Judge, ObjectiveVerdict, Settings, Verdict, overall
from reconciler.recording import (
    Arm,
    AssignedLine,
    HistoryLine,
    Line,
    ObjectivesLine,
    SiteCounts,
    TickLine,
    dump,
    parse,
)

pytestmark = pytest.mark.slow

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
SITES = tuple(f"plant-{number:04d}" for number in range(100))
USUAL = (100, 2)  # events and bad events of a site in a tick


def at(tick: int) -> datetime:
    return START + timedelta(minutes=5 * tick)


def arm(sites: Sequence[str], counts: tuple[int, int] = USUAL) -> SiteCounts:
    return dict.fromkeys(sites, counts)


def tick(
    number: int,
    canary: SiteCounts,
    stable: SiteCounts,
    fresh: tuple[int, int] | None = None,
    objective: str = "errors",
) -> TickLine:
    return TickLine("r1", objective, at(number), canary, stable, fresh)


def split(canary: int, number: int = 1, total: int = 100) -> TickLine:
    """Give a usual tick in which the first sites are canary."""
    return tick(number, arm(SITES[:canary]), arm(SITES[canary:total]))


def assigned(canary: int, total: int = 100) -> AssignedLine:
    return assign_sites(set(SITES[:canary]), total)


def assign_sites(canary: Set[str], total: int = 100) -> AssignedLine:
    arms: dict[str, tuple[Arm, str]] = {
        site: ("canary" if site in canary else "stable", "eu/cpu") for site in SITES[:total]
    }
    return AssignedLine("r1", None, arms)


def judged(lines: Iterable[Line], judge: Judge | None = None) -> list[ObjectiveVerdict]:
    judge = judge or Judge()
    found = (judge.feed(line) for line in lines)
    return [verdict for verdict in found if verdict is not None]


def codes(verdict: ObjectiveVerdict) -> list[Code]:
    return [reason.code for reason in verdict.reasons]


def bad_ticks(first: int, last: int, canary: int = 10, total: int = 100) -> list[Line]:
    """Give ticks in which the canary is six times worse."""
    return [
        tick(number, arm(SITES[:canary], (100, 12)), arm(SITES[canary:total]))
        for number in range(first, last + 1)
    ]


def good_ticks(first: int, last: int, canary: int = 10, total: int = 100) -> list[Line]:
    return [split(canary, number, total) for number in range(first, last + 1)]


# ------------------------------------------------------------------ the verdicts


def test_a_good_canary_becomes_healthy() -> None:
    verdicts = judged(good_ticks(1, 6))
    assert verdicts[0].verdict is Verdict.UNDECIDED
    last = verdicts[-1]
    assert (last.verdict, codes(last)) == (Verdict.HEALTHY, [Code.MARGIN_CLOSED])
    assert (last.events, last.bad) == (6000, 120)
    assert last.expected_bad == pytest.approx(120, rel=1e-3)
    assert last.e_ok >= 20
    assert last.e_bad < 1


def test_a_worse_canary_is_breached() -> None:
    last = judged(bad_ticks(1, 3))[-1]
    assert (last.verdict, codes(last)) == (Verdict.BREACHED, [Code.WORSE])
    assert last.e_bad_max >= last.e_bad >= 100
    assert last.e_ok < 1


def test_a_better_canary_is_healthy_sooner() -> None:
    better = [tick(1, arm(SITES[:20], (100, 1)), arm(SITES[20:]))]
    assert judged(better)[-1].verdict is Verdict.HEALTHY
    assert judged([split(20)])[-1].verdict is Verdict.UNDECIDED


def test_a_bad_day_of_the_whole_fleet_is_no_breach() -> None:
    worse = [
        tick(number, arm(SITES[:10], (100, 30)), arm(SITES[10:], (100, 30)))
        for number in range(7, 20)
    ]
    last = judged([*good_ticks(1, 6), *worse])[-1]
    assert last.verdict is Verdict.HEALTHY
    assert last.e_bad < 1


def test_a_release_that_turns_bad_late_is_breached_soon() -> None:
    verdicts = judged([*good_ticks(1, 64), *bad_ticks(65, 68)])
    assert verdicts[63].verdict is Verdict.HEALTHY
    assert verdicts[-1].verdict is Verdict.BREACHED


def test_a_mild_harm_that_starts_late_is_not_drowned_by_the_good_time_before() -> None:
    late = [tick(n, arm(SITES[:10], (100, 3)), arm(SITES[10:])) for n in range(65, 73)]
    assert judged([*good_ticks(1, 64), *late])[-1].verdict is Verdict.BREACHED


def test_shifts_that_change_over_in_a_step_are_no_breach() -> None:
    """Sites that swap good and bad lots look alike over the rollout, but not since a step."""

    def lots(number: int, sites: Iterable[str]) -> SiteCounts:
        early = number <= 8
        return {site: (100, 3 if (int(site[-1]) % 2 == 0) is early else 1) for site in sites}

    unlucky = [site for site in SITES if int(site[-1]) % 2][:6]
    canary = set(SITES[50:52])
    lines: list[Line] = [assign_sites(canary)]
    for number in range(1, 17):
        if number == 9:
            canary |= set(unlucky)
            lines.append(assign_sites(canary))
        rest = [site for site in SITES if site not in canary]
        lines.append(tick(number, lots(number, canary), lots(number, rest)))
    assert judged(lines)[-1].e_bad_max < 10


def test_one_burst_on_one_site_is_no_breach() -> None:
    burst = {**arm(SITES[:10]), SITES[3]: (100, 12)}
    uneven = {site: (100, 1 + i % 3) for i, site in enumerate(SITES[10:])}
    assert judged([tick(1, burst, uneven)])[-1].verdict is Verdict.UNDECIDED


def test_history_tells_a_bad_site_from_a_bad_release() -> None:
    poor = {**arm(SITES[:10], (100, 12)), **arm(SITES[10:20], (100, 12))}
    lines = [
        tick(
            number, arm(SITES[:10], (100, 12)), {**arm(SITES[20:]), **arm(SITES[10:20], (100, 12))}
        )
        for number in range(1, 9)
    ]
    history = HistoryLine("r1", None, {**arm(SITES, (5000, 100)), **arm(poor, (5000, 600))})
    assert judged(lines)[-1].verdict is Verdict.BREACHED
    assert judged([history, *lines])[-1].verdict is Verdict.HEALTHY


def test_history_of_an_objective_is_its_own() -> None:
    own = HistoryLine("r1", "errors", arm(SITES[:10], (5000, 600)))
    others = HistoryLine("r1", "errors", arm(SITES[10:], (5000, 100)))
    lines = bad_ticks(1, 4)
    latency = [dataclasses.replace(line, objective="latency") for line in lines]
    verdicts = judged([own, others, *lines, *latency])
    assert verdicts[3].verdict is not Verdict.BREACHED
    assert verdicts[7].verdict is Verdict.BREACHED


def test_few_events_or_sites_decide_nothing() -> None:
    lines = [tick(number, arm(SITES[:4], (100, 0)), arm(SITES[4:])) for number in range(1, 30)]
    verdicts = judged(lines)
    assert Code.FEW_EVENTS in codes(verdicts[0])
    assert (verdicts[-1].verdict, codes(verdicts[-1])) == (Verdict.UNDECIDED, [Code.FEW_SITES])
    passed = judged(lines, Judge(Settings(min_sites=4)))[-1]
    assert passed.verdict is Verdict.HEALTHY


def test_suspicion_keeps_a_canary_from_advancing() -> None:
    mild = [tick(n, arm(SITES[:20], (100, 3)), arm(SITES[20:])) for n in range(1, 5)]
    fine = [tick(n, arm(SITES[:22], (100, 2)), arm(SITES[22:])) for n in range(5, 8)]
    patient = Judge(Settings(alpha=1e-9, min_events=1))
    last = judged([assigned(20), *mild, assigned(22), *fine], patient)[-1]
    assert last.e_bad >= 10
    assert last.e_ok >= 20
    assert (last.verdict, codes(last)) == (Verdict.UNDECIDED, [Code.SUSPECT])


# ------------------------------------------------------------------ a plant that lies

LIES = {
    "all is bad": (100, 100),
    "all of very many is bad": (10**9, 10**9),
    "nothing of very many is bad": (10**9, 0),
    "as many bad as the largest number allows": (2**53, 2**53),
    "so many good ones": (2**53, 0),
}
UNEVEN = {site: (100, 1 + i % 3) for i, site in enumerate(SITES)}


def with_liar(liar: str, lie: tuple[int, int], bad: int, ticks: int) -> list[Line]:
    """Give a rollout on ten of 100 sites in which one plant tells lies from the first tick on."""
    canary = {site: (100, bad + i % 3) for i, site in enumerate(SITES[:10])}
    stable = {site: UNEVEN[site] for site in SITES[10:]}
    (canary if liar in canary else stable)[liar] = lie
    return [assigned(10), *(tick(n, canary, stable) for n in range(1, ticks + 1))]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("liar", [SITES[3], SITES[50]], ids=["canary", "stable"])
def test_a_plant_that_lies_forces_no_revert(liar: str, lie: tuple[int, int]) -> None:
    assert max(v.e_bad_max for v in judged(with_liar(liar, lie, bad=1, ticks=40))) < 100


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("liar", [SITES[3], SITES[50]], ids=["canary", "stable"])
def test_a_plant_that_lies_stops_no_revert(liar: str, lie: tuple[int, int]) -> None:
    assert judged(with_liar(liar, lie, bad=5, ticks=12))[-1].verdict is Verdict.BREACHED


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("liar", [SITES[3], SITES[50]], ids=["canary", "stable"])
def test_a_plant_that_lies_makes_no_release_healthy(liar: str, lie: tuple[int, int]) -> None:
    settings = Settings(alpha=1e-9, suspicion=math.inf)
    found = judged(with_liar(liar, lie, bad=3, ticks=12), Judge(settings))
    assert Verdict.HEALTHY not in {verdict.verdict for verdict in found}


# ------------------------------------------------------------------ nothing measured


def test_no_canary_events_is_no_data() -> None:
    last = judged([assigned(10), tick(1, {}, arm(SITES[10:]), (10, 90))])[-1]
    assert (last.verdict, codes(last)) == (Verdict.NO_DATA, [Code.NO_CANARY_EVENTS])
    assert (last.e_bad, last.e_ok, last.events) == (1, 1, 0)


def test_each_step_needs_data_of_its_own() -> None:
    idle = tick(7, {}, arm(SITES[20:]), (20, 80))
    last = judged([assigned(10), *good_ticks(1, 6), assigned(20), idle])[-1]
    assert last.verdict is Verdict.NO_DATA
    assert last.events == 6000


def test_silent_stable_arm_is_stale() -> None:
    lines = [*good_ticks(1, 6), tick(7, arm(SITES[:10]), arm(SITES[10:40]))]
    last = judged(lines)[-1]
    assert (last.verdict, codes(last)) == (Verdict.STALE, [Code.STABLE_SILENT])
    assert "30 of 90" in last.reasons[0].text


def test_stable_arm_that_never_spoke_is_stale() -> None:
    first = tick(1, arm(SITES[:10]), arm(SITES[10:], (0, 0)))
    assert judged([first])[-1].verdict is Verdict.STALE


def test_staleness_proves_nothing() -> None:
    silent = [tick(n, arm(SITES[:10], (100, 50)), arm(SITES[10:40])) for n in range(7, 12)]
    last = judged([*good_ticks(1, 6), *silent])[-1]
    assert (last.verdict, last.e_bad_max < 100) == (Verdict.STALE, True)
    again = judged([*good_ticks(1, 6), *silent, split(10, 12)])[-1]
    assert again.verdict is Verdict.BREACHED


def test_long_staleness_does_not_become_usual() -> None:
    silent = [tick(number, arm(SITES[:10]), arm(SITES[10:40])) for number in range(7, 60)]
    assert {v.verdict for v in judged([*good_ticks(1, 6), *silent])[6:]} == {Verdict.STALE}


def test_a_fleet_with_a_third_away_can_advance() -> None:
    lines = [tick(number, arm(SITES[:14]), arm(SITES[20:76]), (14, 56)) for number in range(1, 8)]
    assert judged([assigned(20), *lines])[-1].verdict is Verdict.HEALTHY


def test_silent_canary_arm_is_not_healthy() -> None:
    lines = [tick(number, arm(SITES[:12]), arm(SITES[20:]), (12, 80)) for number in range(1, 8)]
    last = judged([assigned(20), *lines])[-1]
    named = [Code.SAMPLE_RATIO, Code.CANARY_SILENT]
    assert (last.verdict, codes(last)) == (Verdict.UNDECIDED, named)


def test_reporting_shares_of_before_the_rollout_are_the_measure() -> None:
    lines: list[Line] = [assigned(20)]
    lines += [tick(n, arm(SITES[:12]), arm(SITES[20:]), (12, 80)) for n in range(1, 8)]
    used = Judge(Settings(reporting_share=(0.7, 1.0)))
    assert judged(lines, used)[-1].verdict is Verdict.HEALTHY
    strict = Judge(Settings(reporting_share=(0.7, 1.0)))
    first = judged([assigned(20), tick(1, arm(SITES[:20]), arm(SITES[20:60]), (20, 40))], strict)
    assert first[-1].verdict is Verdict.STALE


@pytest.mark.parametrize("canary", [81, 90])
def test_too_few_stable_sites_decide_nothing(canary: int) -> None:
    lines = [tick(n, arm(SITES[:canary], (100, 50)), arm(SITES[canary:])) for n in range(1, 9)]
    last = judged(lines)[-1]
    assert (last.verdict, codes(last)) == (Verdict.UNDECIDED, [Code.TOO_FEW_STABLE])
    assert last.e_bad == 1


def test_few_stable_sites_are_named() -> None:
    last = judged(good_ticks(1, 9, canary=10, total=40))[-1]
    assert (last.verdict, codes(last)) == (Verdict.HEALTHY, [Code.MARGIN_CLOSED, Code.FEW_STABLE])


def test_few_stable_sites_need_more_evidence() -> None:
    def evidence(sure: int) -> float:
        uneven = {site: (100, 1 + i % 3) for i, site in enumerate(SITES[10:])}
        lines = [tick(n, arm(SITES[:10], (100, 4)), uneven) for n in range(1, 5)]
        return judged(lines, Judge(Settings(sure_stable=sure)))[-1].e_bad

    assert evidence(sure=91) < evidence(sure=90)


def test_without_stable_sites_the_evidence_stands_still() -> None:
    before = [assigned(50), *good_ticks(1, 6, canary=50)]
    full = [tick(n, arm(SITES, (100, 50)), {}, (100, 0)) for n in range(7, 12)]
    verdicts = judged([*before, assigned(100), *full])
    assert {(v.verdict, *codes(v)) for v in verdicts[6:]} == {
        (Verdict.UNDECIDED, Code.NO_CONCURRENT_STABLE)
    }
    assert {v.e_bad for v in verdicts[6:]} == {verdicts[5].e_bad}
    assert verdicts[-1].events == 6 * 5000 + 5 * 10_000


def test_events_without_stable_events_are_named() -> None:
    lines = [*good_ticks(1, 6), tick(7, arm(SITES[:10]), arm(SITES[10:], (0, 0)), (10, 90))]
    last = judged(lines)[-1]
    assert (last.verdict, codes(last)) == (Verdict.HEALTHY, [Code.MARGIN_CLOSED, Code.NOT_COMPARED])
    assert last.expected_bad == pytest.approx(120, rel=1e-3)


def test_harm_is_found_where_stable_has_no_bad_event_at_all() -> None:
    lines = [tick(n, arm(SITES[:10], (100, 5)), arm(SITES[10:], (100, 0))) for n in range(1, 4)]
    assert judged(lines)[-1].verdict is Verdict.BREACHED


def test_no_bad_event_anywhere_proves_nothing() -> None:
    lines = [tick(n, arm(SITES[:10], (100, 0)), arm(SITES[10:], (100, 0))) for n in range(1, 9)]
    last = judged(lines)[-1]
    assert last.verdict is Verdict.UNDECIDED
    assert last.e_bad < 10
    one = tick(9, arm(SITES[:10], (100, 1)), arm(SITES[10:], (100, 0)))
    assert (
        judged([*lines[:1], dataclasses.replace(one, canary={SITES[0]: (100, 1)})])[-1].e_bad < 10
    )


# ------------------------------------------------------------------ over the steps


def never_bad(ticks: int) -> list[Line]:
    return [
        tick(number, arm(SITES[:10], (100, 0)), arm(SITES[10:], (100, 0)))
        for number in range(1, ticks + 1)
    ]


def test_an_objective_that_never_fails_passes_under_a_negligible_share() -> None:
    settings = Settings(negligible={"errors": 0.001})
    last = judged([assigned(10), *never_bad(5)], Judge(settings))[-1]
    assert last.verdict is Verdict.HEALTHY
    assert codes(last) == [Code.NEGLIGIBLE]


def test_a_share_that_is_not_negligible_passes_nothing() -> None:
    judge = Judge(Settings(negligible={"errors": 0.001}))
    rare = [
        tick(number, arm(SITES[:10], (100, 1)), arm(SITES[10:], (100, 0))) for number in range(1, 6)
    ]
    assert judged([assigned(10), *rare], judge)[-1].verdict is not Verdict.HEALTHY


def test_each_step_shows_its_own_negligible_share() -> None:
    judge = Judge(Settings(negligible={"errors": 0.001}))
    first = judged([assigned(10), *never_bad(5)], judge)[-1]
    wider = tick(6, arm(SITES[:20], (100, 0)), arm(SITES[20:], (100, 0)))
    then = judged([assigned(20), wider], judge)[-1]
    assert (first.verdict, then.verdict) == (Verdict.HEALTHY, Verdict.UNDECIDED)


def test_a_breach_stays() -> None:
    lines: list[Line] = [*bad_ticks(1, 3), *good_ticks(4, 60)]
    lines += [tick(61, arm(SITES[:10]), {}), tick(62, {}, arm(SITES[10:]))]
    verdicts = judged(lines)[2:]
    assert {v.verdict for v in verdicts} == {Verdict.BREACHED}
    assert len({v.reasons for v in verdicts}) == 1


def test_evidence_of_harm_is_carried_over_steps() -> None:
    mild = [tick(n, arm(SITES[:10], (100, 3)), arm(SITES[10:])) for n in range(1, 5)]
    wide = [tick(n, arm(SITES[:20], (100, 3)), arm(SITES[20:])) for n in range(5, 7)]
    carried = judged([assigned(10), *mild, assigned(20), *wide])[-1].e_bad
    alone = judged([assigned(20), *wide])[-1].e_bad
    assert carried > 5 * alone


def test_evidence_of_health_starts_anew_at_each_step() -> None:
    verdicts = judged(
        [assigned(10), *good_ticks(1, 9), assigned(20), *good_ticks(10, 14, canary=20)]
    )
    assert [v.verdict for v in verdicts[8:10]] == [Verdict.HEALTHY, Verdict.UNDECIDED]
    assert verdicts[9].e_ok < verdicts[8].e_ok
    assert verdicts[-1].verdict is Verdict.HEALTHY


def test_evidence_of_health_forgets_the_steps_before() -> None:
    def health(bad_before: int) -> float:
        before = [tick(n, arm(SITES[:10], (100, bad_before)), arm(SITES[10:])) for n in (1, 2)]
        after = good_ticks(3, 5, canary=20)
        return judged([assigned(10), *before, assigned(20), *after])[-1].e_ok

    assert health(1) == health(4)


def test_any_number_of_steps_can_be_judged() -> None:
    lines: list[Line] = []
    for step in range(20):
        lines += [assigned(10 + step), split(10 + step, step)]
    assert judged(lines)[-1].e_bad < 10
    lines += [assigned(35), *bad_ticks(20, 24, canary=35)]
    assert judged(lines)[-1].verdict is Verdict.BREACHED


def test_the_same_assignment_again_is_no_step() -> None:
    lines: list[Line] = [assigned(10), *good_ticks(1, 9)]
    again = judged([*lines, assigned(10), split(10, 10)])
    assert again == judged([*lines, split(10, 10)])


def test_old_canary_sites_do_not_vouch_for_new_ones() -> None:
    old = {**arm(SITES[:10]), **arm(SITES[10:20], (0, 0))}
    lines = [tick(n, old, arm(SITES[20:]), (20, 80)) for n in range(10, 20)]
    last = judged([assigned(10), *good_ticks(1, 9), assigned(20), *lines])[-1]
    assert (last.verdict, codes(last)) == (Verdict.UNDECIDED, [Code.FEW_EVENTS])
    assert "0 events" in last.reasons[0].text


def test_a_step_down_is_judged_by_the_sites_that_stay() -> None:
    lines = [assigned(20), *good_ticks(1, 3, canary=20), assigned(10), *good_ticks(4, 12)]
    assert judged(lines)[-1].verdict is Verdict.HEALTHY


def test_sites_without_assignment_move_when_they_are_seen_in_the_other_arm() -> None:
    last = judged([*good_ticks(1, 3), *good_ticks(4, 12, canary=20)])[-1]
    assert last.verdict is Verdict.HEALTHY
    full = judged([*good_ticks(1, 3), tick(4, arm(SITES), {})])[-1]
    assert codes(full) == [Code.NO_CONCURRENT_STABLE]


def test_a_tick_may_bring_sites_never_seen_before() -> None:
    lines = [tick(1, arm(SITES[:5]), arm(SITES[5:40])), split(10, 2), split(12, 3)]
    assert judged(lines)[-1].events == 500 + 1000 + 1200


def test_served_sites_are_those_with_events() -> None:
    judge = Judge()
    assert judge.served == frozenset()
    judge.feed(assigned(10))
    judge.feed(tick(1, {SITES[0]: (5, 0), SITES[1]: (0, 0)}, arm(SITES[10:])))
    judge.feed(tick(1, {SITES[2]: (1, 1)}, arm(SITES[10:]), objective="latency"))
    assert judge.served == {SITES[0], SITES[2]}


# ------------------------------------------------------------------ alpha, margins, several


def test_objectives_share_alpha() -> None:
    def proven(weights: dict[str, float] | None) -> list[bool]:
        first: list[Line] = [ObjectivesLine("r1", weights)] if weights else []
        lines = [tick(n, arm(SITES[:10], (100, 3)), arm(SITES[10:])) for n in range(1, 40)]
        verdicts = judged([*first, *lines])
        bound = 100 / (weights or {"errors": 1.0})["errors"]
        assert [v.verdict is Verdict.BREACHED for v in verdicts] == [
            v.e_bad_max >= bound for v in verdicts
        ]
        return [v.verdict is Verdict.BREACHED for v in verdicts]

    whole, part = proven(None), proven({"errors": 0.1, "latency": 0.9})
    assert 0 < sum(part) < sum(whole)


def test_an_objective_has_its_margin() -> None:
    judge = Judge(Settings(margins={"latency": 1.1}))
    lines = [
        dataclasses.replace(line, objective=name)
        for line in good_ticks(1, 9)
        for name in ("errors", "latency")
    ]
    errors, latency = judged(lines, judge)[-2:]
    assert (errors.verdict, latency.verdict) == (Verdict.HEALTHY, Verdict.UNDECIDED)
    assert codes(latency) == [Code.MARGIN_OPEN]
    assert "x1.1" in latency.reasons[0].text


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], Verdict.NO_DATA),
        ([Verdict.HEALTHY, Verdict.HEALTHY], Verdict.HEALTHY),
        ([Verdict.HEALTHY, Verdict.UNDECIDED], Verdict.UNDECIDED),
        ([Verdict.UNDECIDED, Verdict.NO_DATA], Verdict.NO_DATA),
        ([Verdict.NO_DATA, Verdict.STALE], Verdict.STALE),
        ([Verdict.STALE, Verdict.BREACHED], Verdict.BREACHED),
    ],
)
def test_the_worst_objective_speaks(kinds: list[Verdict], expected: Verdict) -> None:
    (one,) = judged([split(10)])
    found = [dataclasses.replace(one, verdict=kind) for kind in kinds]
    assert overall(found) is expected
    assert overall(reversed(found)) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0},
        {"alpha": math.nan},
        {"beta": 1},
        {"margin": 1},
        {"margin": 11},
        {"margin": math.nan},
        {"margins": {"errors": 0.5}},
        {"min_sites": 0},
        {"min_events": 0},
        {"reporting_share": (0, 1)},
    ],
)
def test_settings_that_decide_nothing_or_everything_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"lie|at least|margin"):
        Settings(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------ lines that do not go together


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([split(10, 2), split(10, 1)], "does not come after"),
        ([split(10, 2), split(10, 2)], "does not come after"),
        ([split(10), HistoryLine("r1", None, {})], "history line comes after a tick"),
        ([split(10), HistoryLine("r1", "errors", {})], "history line comes after a tick"),
        ([HistoryLine("r1", None, arm(SITES[:1])), HistoryLine("r1", None, arm(SITES))], "two"),
        ([split(10), ObjectivesLine("r1", {"errors": 1.0})], "after a tick; put it first"),
        (
            [ObjectivesLine("r1", {"errors": 1.0}), ObjectivesLine("r1", {"errors": 0.5})],
            "weights of the objectives changed",
        ),
        ([ObjectivesLine("r1", {"error": 1.0}), split(10)], "did you mean 'error'"),
        ([assigned(1), dataclasses.replace(split(10), rollout="r2")], "rollout 'r2'"),
    ],
)
def test_a_line_that_contradicts_is_refused(lines: list[Line], message: str) -> None:
    judge = Judge()
    for line in lines[:-1]:
        judge.feed(line)
    with pytest.raises(InputError, match=message):
        judge.feed(lines[-1])


def test_a_refused_tick_leaves_nothing_behind() -> None:
    judge = Judge()
    judge.feed(split(10, 2))
    with pytest.raises(InputError):
        judge.feed(bad_ticks(1, 1)[0])
    assert judge.feed(split(10, 3)) == judged([split(10, 2), split(10, 3)])[-1]


def test_objectives_do_not_share_a_clock() -> None:
    other = dataclasses.replace(split(10, 1), objective="latency")
    assert len(judged([split(10, 2), other])) == 2


# ------------------------------------------------------------------ properties


@st.composite
def recordings(draw: st.DrawFn) -> list[Line]:
    """Draw a rollout of 30 sites: steps, outages, bursts, idle ticks, hostile sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.sampled_from([1, 20, 3000, 2**52]))
    share = draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]))
    factor = draw(st.sampled_from([0.0, 1.0, 4.0]))
    steps = sorted(draw(st.lists(st.integers(0, 30), min_size=1, max_size=3)))
    lines: list[Line] = []
    if draw(st.booleans()):
        lines.append(HistoryLine("r1", None, drawn(rng, SITES[:30], most, share)))
    for number in range(12):
        canary = steps[min(len(steps) - 1, number // 4)]
        if number % 4 == 0 and draw(st.booleans()):
            lines.append(assigned(canary, total=30))
        there = [site for site in SITES[:30] if rng.random() < rng.choice([0.3, 1.0])]
        bad = [site for site in there if site < SITES[canary]]
        rest = [site for site in there if site >= SITES[canary]]
        worse = drawn(rng, bad, most, min(1.0, share * factor))
        lines.append(tick(number, worse, drawn(rng, rest, most, share)))
    return lines


def drawn(rng: np.random.Generator, sites: Sequence[str], most: int, share: float) -> SiteCounts:
    events = rng.integers(0, most, len(sites), endpoint=True)
    bad = rng.binomial(events, share)
    return {s: (int(n), int(k)) for s, n, k in zip(sites, events, bad, strict=True)}


few = settings(max_examples=20, deadline=None)


@pytest.mark.cpu(15)
@few
@given(recordings())
def test_numbers_are_always_numbers(lines: list[Line]) -> None:
    for verdict in judged(lines):
        numbers = (verdict.e_bad, verdict.e_bad_max, verdict.e_ok, verdict.expected_bad)
        assert all(0 <= number <= 1e300 for number in numbers[:3])
        assert all(math.isfinite(number) for number in numbers)
        assert verdict.e_bad <= verdict.e_bad_max
        assert verdict.detectable_ratio is None or 1 <= verdict.detectable_ratio <= 10.001
        assert verdict.reasons


@pytest.mark.cpu(15)
@few
@given(recordings())
def test_a_breach_is_absorbing(lines: list[Line]) -> None:
    kinds = [verdict.verdict for verdict in judged(lines)]
    if Verdict.BREACHED in kinds:
        assert set(kinds[kinds.index(Verdict.BREACHED) :]) == {Verdict.BREACHED}


@pytest.mark.cpu(15)
@few
@given(recordings(), st.randoms(use_true_random=False))
def test_verdicts_do_not_depend_on_the_order_of_sites(
    lines: list[Line], random: "st.random.Random"
) -> None:
    def shuffled(line: Line) -> Line:
        def mixed(sites: dict[str, object]) -> dict[str, object]:
            return dict(random.sample(list(sites.items()), len(sites)))

        match line:
            case TickLine():
                return dataclasses.replace(
                    line, canary=mixed(dict(line.canary)), stable=mixed(dict(line.stable))
                )
            case AssignedLine() | HistoryLine():
                return dataclasses.replace(line, sites=mixed(dict(line.sites)))
        return line

    assert judged(map(shuffled, lines)) == judged(lines)


@pytest.mark.cpu(15)
@few
@given(recordings(), st.integers(0, 20))
def test_a_replay_of_what_was_written_gives_the_same_verdicts(lines: list[Line], cut: int) -> None:
    files = ["\n".join(map(dump, part)) for part in (lines[:cut], lines[cut:])]
    replayed = [parse(text, "r", 1) for file in files for text in file.splitlines()]
    assert judged(replayed) == judged(lines)


@pytest.mark.cpu(15)
@few
@given(recordings(), st.integers(0, 12))
def test_ticks_that_nobody_reads_count_the_same(lines: list[Line], unread: int) -> None:
    judge = Judge()
    for line in lines[:unread]:
        assert judge.feed(line, decide=False) is None
    read = judged(lines[unread:], judge)
    everything = judged(lines)
    assert read == everything[len(everything) - len(read) :]


# ------------------------------------------------------------------ what it is worth


def fleet(seed: int, times: float, ticks: int = 16) -> list[Line]:
    """Give 200 unlike sites, 10 of them canary: rates, lots, a common cycle, a day of history."""
    rng = np.random.default_rng(seed)
    sites = [f"plant-{number:04d}" for number in range(200)]
    rates = 0.01 * rng.gamma(4, 1 / 4, 200)
    past = rng.binomial(5760, np.minimum(rates * rng.gamma(25, 1 / 25, 200), 1))
    lines: list[Line] = [
        HistoryLine("r1", None, {s: (5760, int(k)) for s, k in zip(sites, past, strict=True)})
    ]
    for number in range(ticks):
        if number % 8 == 0:
            lots = rng.gamma(11, 1 / 11, 200)
        now = rates * lots * (1 + 0.3 * math.sin(number / 5 + seed))
        now[:10] *= times
        bad = rng.binomial(60, np.minimum(now, 1))
        counts = {site: (60, int(k)) for site, k in zip(sites, bad, strict=True)}
        canary = {site: counts.pop(site) for site in sites[:10]}
        lines.append(tick(number, canary, counts))
    return lines


@pytest.mark.cpu(15)
def test_of_harmless_releases_hardly_any_is_breached() -> None:
    found = [judged(fleet(seed, 1.0))[-1].verdict for seed in range(60)]
    assert found.count(Verdict.BREACHED) <= 2
    assert found.count(Verdict.HEALTHY) >= 30


@pytest.mark.cpu(15)
def test_releases_three_times_worse_are_breached() -> None:
    found = [judged(fleet(seed, 3.0))[-1].verdict for seed in range(20)]
    assert found == [Verdict.BREACHED] * 20


@pytest.mark.cpu(15)
def test_releases_at_the_margin_are_hardly_ever_healthy() -> None:
    passed = [
        any(v.verdict is Verdict.HEALTHY for v in judged(fleet(seed, 1.5))) for seed in range(40)
    ]
    assert sum(passed) <= 4


def test_a_large_fleet_with_drifted_history_is_judged_alike_in_both_arms() -> None:
    """Sites regress to the mean after their history; weighing the arms apart saw harm in it."""
    rng = np.random.default_rng(3)
    sites = [f"plant-{number:04d}" for number in range(6000)]
    rates = 0.01 * rng.gamma(4, 1 / 4, 6000)
    past = rng.poisson(5760 * rates * rng.gamma(12, 1 / 12, 6000))
    history = {s: (5760, min(5760, int(k))) for s, k in zip(sites, past, strict=True)}
    now = rng.poisson(6000 * rates)
    counts = {s: (6000, min(6000, int(k))) for s, k in zip(sites, now, strict=True)}
    canary = {site: counts[site] for site in sites[:3000]}
    stable = {site: counts[site] for site in sites[3000:]}
    (last,) = judged([HistoryLine("r1", None, history), tick(1, canary, stable)])
    assert last.e_bad < 10
