"""Raw counters become increments per site, tick and arm; nothing is counted twice or invented."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.objective import Below, Objective, Ratio, Selector, Slower
from reconciler.measure import (
    Answer,
    Assignment,
    Cut,
    Measurement,
    Series,
    Sight,
    Window,
    history,
    measure,
)
from reconciler.queries import questions
from reconciler.recording import HistoryLine, TickLine

STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
STEP = timedelta(minutes=5)
T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
ERRORS = Objective(
    "errors",
    Ratio(Selector.parse('events_total{outcome="error"}'), Selector.parse("events_total")),
    Fraction(99),
)
LATENCY = Objective("latency", Slower(Fraction(1), Selector.parse("seconds")), Fraction(99))
CONFIDENCE = Objective("confidence", Below(Fraction(3, 5), Selector.parse("score")), Fraction(95))
ALL = (ERRORS, LATENCY, CONFIDENCE)
Values = Sequence[float | None]


def at(tick: float) -> datetime:
    return T0 + tick * STEP


def one(name: str, site: str, release: str, values: Values, **labels: str) -> Series:
    """Values at tick 0, 1, ...; None where the series was not seen."""
    points = ((int(at(k).timestamp()), v) for k, v in enumerate(values) if v is not None)
    identity = {"__name__": name, "site": site, "model": "m", "release": release, **labels}
    return Series(MappingProxyType(identity), tuple((t, float(v)) for t, v in points))


def events(site: str, release: str, ok: Values, error: Values, **labels: str) -> list[Series]:
    return [
        one("events_total", site, release, ok, outcome="ok", **labels),
        one("events_total", site, release, error, outcome="error", **labels),
    ]


def started(site: str, release: str, ticks: Sequence[float | None], **labels: str) -> Series:
    """The process start that is seen at tick 0, 1, ..., each given as a tick."""
    values = [None if tick is None else at(tick).timestamp() for tick in ticks]
    return one("model_process_start_time_seconds", site, release, values, **labels)


def info(site: str, release: str, values: Values) -> Series:
    return one("model_release_info", site, release, values)


def answers(asked: Any, series: Iterable[Series], **more: Any) -> dict[str, Answer]:
    found = {}
    every = list(series)
    for text in asked.texts:
        mine = [
            one
            for one in every
            if one.labels["__name__"] == text.partition("{")[0]
            and ("outcome=" not in text or one.labels["outcome"] == "error")
        ]
        found[text] = Answer(tuple(mine), **more)
    return found


def window(first: int, last: int, look_back: int = 0) -> Window:
    return Window(at(first), at(last), STEP, look_back * STEP)


def assignment(*cuts: tuple[float, set[str]], sites: str = "abc") -> Assignment:
    spread = dict.fromkeys(sites, "eu/gpu")
    return Assignment(
        "r1", STABLE, CANARY, spread, tuple(Cut(at(t), frozenset(s)) for t, s in cuts)
    )


def run(
    series: Iterable[Series],
    who: Assignment,
    when: Window,
    objectives: tuple[Objective, ...] = (ERRORS,),
) -> Measurement:
    asked = questions("edge-k3s", "m", (STABLE, CANARY), objectives)
    return measure(asked, answers(asked, series), who, when)


def arms(measured: Measurement) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(dict(line.canary), dict(line.stable)) for line in measured.ticks]


def stable_a(measured: Measurement) -> list[tuple[int, int] | None]:
    """What site a did in the stable arm, tick by tick."""
    return [line.stable.get("a") for line in measured.ticks]


def canary_a(measured: Measurement) -> list[tuple[int, int] | None]:
    return [line.canary.get("a") for line in measured.ticks]


def test_a_tick_holds_the_increments_of_both_arms() -> None:
    series = [
        *events("a", CANARY, [100, 119, 139], [1, 2, 2]),
        *events("b", STABLE, [500, 520, 540], [5, 5, 6]),
    ]
    measured = run(series, assignment((-9, {"a"})), window(0, 2))
    assert measured.ticks == (
        TickLine("r1", "errors", at(1), {"a": (20, 1)}, {"b": (20, 0)}, (1, 1)),
        TickLine("r1", "errors", at(2), {"a": (20, 0)}, {"b": (21, 1)}, (1, 1)),
    )


def test_objectives_keep_their_order_within_a_tick() -> None:
    lines = run([], assignment(), window(0, 2), ALL).ticks
    assert [(line.at, line.objective) for line in lines] == [
        (at(tick), objective.name) for tick in (1, 2) for objective in ALL
    ]


def test_a_tick_without_any_data_is_a_tick_of_nothing() -> None:
    assert run([], assignment(), window(0, 1)).ticks == (
        TickLine("r1", "errors", at(1), {}, {}, (0, 0)),
    )


def test_a_window_without_ticks_measures_nothing() -> None:
    assert run([], assignment(), window(3, 3)).ticks == ()


def test_a_fall_is_a_restart_and_counts_from_zero() -> None:
    series = events("a", STABLE, [100, 110, 7], [5, 5, 1])
    assert stable_a(run(series, assignment(), window(0, 2))) == [(10, 0), (8, 1)]


def test_a_new_process_counts_from_zero_even_when_the_value_is_higher() -> None:
    series = [*events("a", STABLE, [10, 30], [0, 2]), started("a", STABLE, [-50, 0.5])]
    assert stable_a(run(series, assignment(), window(0, 1))) == [(32, 2)]


def test_a_start_that_was_not_seen_for_a_tick_is_still_known() -> None:
    series = [*events("a", STABLE, [10, 20, 30], [0, 0, 0]), started("a", STABLE, [-9, None, 1.5])]
    assert stable_a(run(series, assignment(), window(0, 2))) == [(10, 0), (30, 0)]


@pytest.mark.parametrize("later", [-50 + 1 / 300, -20, -80])
def test_a_clock_that_was_set_is_no_restart(later: float) -> None:
    series = [*events("a", STABLE, [1000, 1020], [10, 11]), started("a", STABLE, [-50, later])]
    assert stable_a(run(series, assignment(), window(0, 1))) == [(21, 1)]


def test_a_gap_is_booked_when_the_site_is_seen_again() -> None:
    series = events("a", STABLE, [10, None, None, 70], [1, None, None, 4])
    measured = run(series, assignment(), window(0, 3))
    assert stable_a(measured) == [None, None, (63, 3)]
    assert [line.fresh for line in measured.ticks] == [(0, 0), (0, 0), (0, 1)]


def test_a_gap_that_began_in_the_look_back_is_booked_whole() -> None:
    series = events("a", STABLE, [10, None, None, 70], [1, None, None, 4])
    assert stable_a(run(series, assignment(), window(2, 3, look_back=2))) == [(63, 3)]


def test_a_restart_within_a_gap_counts_from_zero() -> None:
    series = [
        *events("a", STABLE, [10, None, 70], [1, None, 4]),
        started("a", STABLE, [-9, None, 1.2]),
    ]
    assert stable_a(run(series, assignment(), window(0, 2))) == [None, (74, 4)]


def test_a_new_canary_counts_from_its_very_start() -> None:
    series = [
        *events("a", STABLE, [900, None, None], [9, None, None]),
        *events("a", CANARY, [None, 12, 30], [None, 2, 2]),
        started("a", CANARY, [None, 0.8, 0.8]),
    ]
    measured = run(series, assignment((0.4, {"a"})), window(0, 2))
    assert canary_a(measured) == [(14, 2), (18, 0)]


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (0.2, "it started before the flip, so it also counted for somebody else"),
        (None, "nobody knows when it started"),
        (9.0, "its clock is wrong"),
    ],
)
def test_otherwise_the_first_value_is_only_a_baseline(start: float | None, why: str) -> None:
    series = [
        *events("a", CANARY, [None, 12, 30], [None, 2, 2]),
        started("a", CANARY, [None, start, start]),
    ]
    measured = run(series, assignment((0.4, {"a"})), window(0, 2))
    assert canary_a(measured) == [None, (18, 0)], why


def test_what_may_have_been_seen_before_the_fetched_ticks_is_never_booked_again() -> None:
    series = [
        *events("a", CANARY, [None, None, 900], [None, None, 40]),
        started("a", CANARY, [None, None, -3]),
    ]
    assert canary_a(run(series, assignment((-4, {"a"})), window(1, 2, look_back=1))) == [None]


def test_a_new_pod_of_the_same_release_counts_from_zero_beside_the_old_one() -> None:
    series = [
        *events("a", STABLE, [100, 110, None], [0, 0, None], pod="x"),
        *events("a", STABLE, [None, None, 6], [None, None, 1], pod="y"),
        started("a", STABLE, [-9, -9, None], pod="x"),
        started("a", STABLE, [None, None, 1.5], pod="y"),
    ]
    assert stable_a(run(series, assignment(), window(0, 2))) == [(10, 0), (7, 1)]


def test_a_fall_of_one_pod_leaves_the_other_alone() -> None:
    series = [
        *events("a", STABLE, [100, 5], [0, 0], pod="x"),
        *events("a", STABLE, [1000, 1010], [7, 8], pod="y"),
    ]
    assert stable_a(run(series, assignment(), window(0, 1))) == [(16, 1)]


def test_a_process_that_cannot_be_told_from_another_has_no_known_start() -> None:
    series = [
        *events("a", STABLE, [None, 50], [None, 0]),
        started("a", STABLE, [None, 0.5], pod="x"),
        started("a", STABLE, [None, 0.6], pod="y"),
    ]
    assert stable_a(run(series, assignment(), window(0, 1))) == [None]


def test_a_canary_site_under_the_old_release_is_in_neither_arm() -> None:
    series = events("a", STABLE, [100, 120, 140], [0, 0, 0])
    measured = run(series, assignment((1, {"a"})), window(0, 2))
    assert arms(measured) == [({}, {}), ({}, {})]
    assert [line.fresh for line in measured.ticks] == [(1, 0), (1, 0)]


def test_a_stable_site_under_the_canary_release_is_in_neither_arm() -> None:
    measured = run(events("b", CANARY, [0, 20], [0, 9]), assignment(), window(0, 1))
    assert arms(measured) == [({}, {})]


def test_a_third_release_is_in_neither_arm() -> None:
    series = [*events("a", "v11-00000000", [0, 20], [0, 9]), info("a", "v11-00000000", [1, 1])]
    measured = run(series, assignment(), window(0, 1))
    assert arms(measured) == [({}, {})]
    assert measured.notes == ("1 sites of the stable arm serve v11-00000000, such as a",)


def test_a_site_that_left_the_canary_counts_for_stable_from_its_new_start() -> None:
    series = [
        *events("a", CANARY, [0, 20, None], [0, 5, None]),
        *events("a", STABLE, [None, None, 11], [None, None, 1]),
        started("a", STABLE, [None, None, 1.6]),
    ]
    measured = run(series, assignment((-9, {"a"}), (1.3, set())), window(0, 2))
    assert arms(measured) == [({"a": (25, 5)}, {}), ({}, {"a": (12, 1)})]


def test_a_cut_holds_from_the_first_tick_at_or_after_it() -> None:
    series = events("a", STABLE, [0, 20, 40], [0, 0, 0])
    measured = run(series, assignment((2, {"a"})), window(0, 2))
    assert arms(measured) == [({}, {"a": (20, 0)}), ({}, {})]


def test_sites_outside_the_assignment_are_not_looked_at() -> None:
    measured = run(events("stranger", STABLE, [0, 20], [0, 9]), assignment(), window(0, 1))
    assert arms(measured) == [({}, {})]
    assert set(measured.sights) == {"a", "b", "c"}


def test_no_bad_series_is_no_data_and_not_zero() -> None:
    series = [one("events_total", "a", STABLE, [0, 20, 40], outcome="ok")]
    measured = run(series, assignment(), window(0, 2))
    assert stable_a(measured) == [None, None]
    assert measured.ticks[0].fresh == (0, 1)


def test_no_total_is_no_data() -> None:
    (line,) = run(
        [one("score_bucket", "a", STABLE, [0, 20], le="0.6")],
        assignment(),
        window(0, 1),
        (CONFIDENCE,),
    ).ticks
    assert (dict(line.stable), line.fresh) == ({}, (0, 0))


def test_idle_is_zero_and_not_missing() -> None:
    series = events("a", STABLE, [20, 20], [1, 1])
    assert stable_a(run(series, assignment(), window(0, 1))) == [(0, 0)]


def test_slower_than_the_bound_is_what_is_not_in_its_bucket() -> None:
    series = [
        one("seconds_count", "a", STABLE, [100, 120]),
        one("seconds_bucket", "a", STABLE, [90, 107], le="1"),
    ]
    assert stable_a(run(series, assignment(), window(0, 1), (LATENCY,))) == [(20, 3)]


def test_below_the_floor_is_what_is_in_its_bucket() -> None:
    series = [
        one("score_count", "a", STABLE, [100, 120]),
        one("score_bucket", "a", STABLE, [4, 6], le="0.6"),
    ]
    assert stable_a(run(series, assignment(), window(0, 1), (CONFIDENCE,))) == [(20, 2)]


def test_a_lost_bucket_does_not_look_like_slow_predictions() -> None:
    series = [
        one("seconds_count", "a", STABLE, [100, 120, 140]),
        one("seconds_bucket", "a", STABLE, [90, None, 130], le="1"),
    ]
    measured = run(series, assignment(), window(0, 2), (LATENCY,))
    assert stable_a(measured) == [None, (40, 0)]


def test_one_lost_pod_is_not_made_up_by_the_other() -> None:
    series = [
        one("seconds_count", "a", STABLE, [0, 50, 100], pod="x"),
        one("seconds_bucket", "a", STABLE, [0, None, 99], le="1", pod="x"),
        one("seconds_count", "a", STABLE, [0, 50, 100], pod="y"),
        one("seconds_bucket", "a", STABLE, [0, 50, 100], le="1", pod="y"),
    ]
    measured = run(series, assignment(), window(0, 2), (LATENCY,))
    assert stable_a(measured) == [(50, 0), (150, 1)]


def test_a_lost_bad_counter_keeps_both_counters_over_the_same_time() -> None:
    series = events("a", STABLE, [0, 20, 40], [0, None, 4])
    assert stable_a(run(series, assignment(), window(0, 2))) == [None, (44, 4)]


def test_an_upgraded_prometheus_that_writes_le_anew_loses_nothing() -> None:
    series = [
        one("seconds_count", "a", STABLE, [100, 120, 140]),
        one("seconds_bucket", "a", STABLE, [90, 107, None], le="1"),
        one("seconds_bucket", "a", STABLE, [None, None, 126], le="1.0"),
    ]
    measured = run(series, assignment(), window(0, 2), (LATENCY,))
    assert (stable_a(measured), measured.notes) == ([(20, 3), (20, 1)], ())


def test_an_edge_that_is_no_number_is_its_own_text() -> None:
    series = [
        one("score_count", "a", STABLE, [100, 120]),
        one("score_bucket", "a", STABLE, [4, 6], le="low"),
        one("score_bucket", "a", STABLE, [1, 2], le="lower"),
    ]
    assert stable_a(run(series, assignment(), window(0, 1), (CONFIDENCE,))) == [(20, 3)]


def test_twins_leave_their_site_without_data_and_are_named() -> None:
    series = [
        *events("a", STABLE, [0, 20], [0, 1]),
        *events("a", STABLE, [0, 30], [0, 1])[:1],
        *events("b", STABLE, [0, 20], [0, 1]),
    ]
    measured = run(series, assignment(), window(0, 1))
    assert arms(measured) == [({}, {"b": (21, 1)})]
    assert measured.notes == ("two series with the same labels at site a",)


def test_fractions_are_floored_where_they_stand_so_that_they_add_up() -> None:
    series = events("a", STABLE, [0, 10.6, 21.2], [0, 0, 0])
    assert stable_a(run(series, assignment(), window(0, 2))) == [(10, 0), (11, 0)]


@pytest.mark.parametrize("value", [-1.0, 1e300])
def test_a_counter_that_cannot_be_a_count_is_refused_and_named(value: float) -> None:
    series = [*events("a", STABLE, [0, 20], [0, value])]
    measured = run(series, assignment(), window(0, 1))
    assert arms(measured) == [({}, {})]
    assert measured.notes == ("a counter at site a is negative or too large",)


def test_more_bad_than_all_is_refused_and_named() -> None:
    series = [
        one("score_count", "a", STABLE, [0, 20]),
        one("score_bucket", "a", STABLE, [0, 21], le="0.6"),
    ]
    measured = run(series, assignment(), window(0, 1), (CONFIDENCE,))
    assert arms(measured) == [({}, {})]
    assert measured.notes == ("confidence: more bad events than events at site a",)


def test_a_bucket_above_the_count_is_no_data() -> None:
    series = [
        one("seconds_count", "a", STABLE, [0, 20, 40]),
        one("seconds_bucket", "a", STABLE, [0, 21, 38], le="1"),
    ]
    measured = run(series, assignment(), window(0, 2), (LATENCY,))
    assert stable_a(measured) == [None, (40, 2)]


def test_points_beside_the_ticks_are_not_looked_at() -> None:
    (ok, bad) = events("a", STABLE, [0, 20], [0, 1])
    stray = replace(ok, points=((int(T0.timestamp()) + 7, 9999.0), *ok.points, (1, 5.0)))
    assert stable_a(run([stray, bad], assignment(), window(0, 1))) == [(21, 1)]


def test_sight_of_a_site_that_serves_and_reports() -> None:
    series = [info("a", STABLE, [1, None, None]), info("a", CANARY, [None, 1, 1])]
    measured = run(series, assignment((0.5, {"a"})), window(0, 2))
    assert measured.sights["a"] == Sight(CANARY, at(2), served=True, back=at(1))
    assert measured.sights["b"] == Sight()
    assert measured.notes == ()


def test_a_site_last_seen_before_the_flip_says_so() -> None:
    series = [info("a", STABLE, [1, None, None])]
    measured = run(series, assignment((0.5, {"a"})), window(0, 2))
    assert measured.sights["a"] == Sight(None, at(0), served=False, back=None)


def test_a_site_that_fell_silent_keeps_that_it_served() -> None:
    series = [info("a", CANARY, [None, 1, None])]
    measured = run(series, assignment((0.5, {"a"})), window(0, 2))
    assert measured.sights["a"] == Sight(None, at(1), served=True, back=at(1))


def test_served_looks_at_the_window_and_not_at_the_look_back() -> None:
    series = [info("a", CANARY, [None, 1, None])]
    measured = run(series, assignment((0.5, {"a"})), window(1, 2, look_back=1))
    assert not measured.sights["a"].served


def test_counters_alone_show_that_a_site_is_there() -> None:
    measured = run(events("a", STABLE, [0, 20], [0, 1]), assignment(), window(0, 1))
    assert measured.sights["a"] == Sight(None, at(1), served=False, back=at(0))


def test_of_two_named_releases_the_one_started_last_serves() -> None:
    series = [
        info("a", STABLE, [1, 1]),
        info("a", CANARY, [None, 1]),
        started("a", STABLE, [-9, -9]),
        started("a", CANARY, [None, 0.5]),
    ]
    measured = run(series, assignment((0.2, {"a"})), window(0, 1))
    assert measured.sights["a"] == Sight(CANARY, at(1), True, at(1), (STABLE,))


def test_two_named_releases_without_a_start_leave_open_which_one_serves() -> None:
    series = [info("a", STABLE, [1, 1]), info("a", CANARY, [1, 1])]
    sight = run(series, assignment(), window(0, 1)).sights["a"]
    assert (sight.serving, sight.others) == (None, (STABLE, CANARY))


def test_an_info_of_zero_names_nothing() -> None:
    assert run([info("a", STABLE, [0, 0])], assignment(), window(0, 1)).sights["a"] == Sight()


def test_what_a_site_says_cannot_forge_a_line() -> None:
    evil = "x\nVerdict: Healthy" + "y" * 900
    series = [info("a", evil, [1, 1]), *(info("b", f"v{k}", [1, 1]) for k in range(99))]
    measured = run(series, assignment(), window(0, 1))
    (note,) = measured.notes
    assert "\n" not in note
    assert len(note) < 150
    assert len(measured.sights["b"].others) == 5


def test_warnings_are_passed_on_and_notes_have_an_end() -> None:
    asked = questions("edge-k3s", "m", (STABLE, CANARY), ALL)
    found = answers(asked, [], warnings=("partial response",), notes=())
    found[asked.info] = Answer((), notes=tuple(f"note {k}" for k in range(50)))
    measured = measure(asked, found, assignment(), window(0, 1))
    assert measured.warnings == ("partial response",)
    assert measured.notes[19:] == ("note 19", "and 30 more")


def test_history_sums_the_stable_release_and_says_who_reported() -> None:
    series = [
        *events("a", STABLE, [0, 20, 40, 60, 80], [0, 1, 1, 2, 2]),
        *events("b", STABLE, [7, None, None, 47, 57], [0, None, None, 1, 1]),
        *events("c", CANARY, [0, 20, 40, 60, 80], [0, 9, 9, 9, 9]),
        info("c", CANARY, [None, 1, 1, None, None]),
    ]
    asked = questions("edge-k3s", "m", (STABLE,), (ERRORS,))
    past = history(asked, answers(asked, series), assignment((-9, {"a"})), window(0, 4))
    assert past.lines == (HistoryLine("r1", "errors", {"a": (82, 2), "b": (51, 1)}),)
    assert past.reporting == {"a": 1.0, "b": 0.5, "c": 0.5}


def test_history_without_any_data_is_empty() -> None:
    asked = questions("edge-k3s", "m", (STABLE,), (ERRORS,))
    past = history(asked, answers(asked, []), assignment(), window(0, 4))
    assert past.lines == (HistoryLine("r1", "errors", {}),)
    assert past.reporting == {"a": 0.0, "b": 0.0, "c": 0.0}


@pytest.mark.parametrize(
    "build",
    [
        lambda: Window(T0 + timedelta(seconds=1), T0 + STEP, STEP),
        lambda: Window(T0, T0 - STEP, STEP),
        lambda: Window(T0, T0, timedelta(seconds=0.5)),
        lambda: Window(T0, T0, STEP, timedelta(seconds=7)),
        lambda: assignment((2, {"a"}), (1, set())),
        lambda: Assignment("r", STABLE, STABLE, {}),
        lambda: Assignment("r", STABLE, "", {}, (Cut(T0, frozenset()),)),
    ],
)
def test_what_cannot_be_measured_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        build()


# Per tick: seen?, restarted since the last one?, events, errors.
STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([False] * 4 + [True]), st.integers(0, 9)),
    min_size=12,
    max_size=12,
)


def lives(steps: list[tuple[bool, bool, int]]) -> list[Series]:
    """A site whose process may restart between ticks, seen at some of them."""
    total, start = 0, -5.0
    ok: list[float | None] = []
    starts: list[float | None] = []
    for tick, (seen, again, grown) in enumerate(steps):
        if again:
            total, start = 0, tick - 0.5
        total += grown
        ok.append(total if seen else None)
        starts.append(start if seen else None)
    return [*events("a", STABLE, ok, [v and v // 2 for v in ok]), started("a", STABLE, starts)]


@given(STEPS, st.integers(1, 11))
def test_two_windows_measure_what_one_does(steps: list[Any], cut: int) -> None:
    series = lives(steps)
    whole = run(series, assignment(), window(0, 11)).ticks
    parts = [window(0, cut), window(cut, 11, look_back=cut)]
    assert tuple(t for part in parts for t in run(series, assignment(), part).ticks) == whole


@given(STEPS)
def test_never_more_is_counted_than_happened(steps: list[Any]) -> None:
    measured = run(lives(steps), assignment(), window(0, 11))
    counted = [pair for line in measured.ticks for pair in line.stable.values()]
    # ok counts every event and the error counter half of them again: at most 1.5 times.
    assert sum(total for total, _ in counted) <= 1.5 * sum(grown for _, _, grown in steps)
    assert all(0 <= bad <= total for total, bad in counted)
