"""Hostile replies are read and measured as plain Python does it, one value at a time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, cast

import pytest

from generator.errors import RemoteError
from generator.http import Http, Reply
from generator.model.objective import Below, Objective, Ratio, Selector, Slower
from reconciler.measure import Assignment, Cut, MetricsUnavailable, Window, measure
from reconciler.prometheus import Prometheus
from reconciler.queries import questions
from tests.hostile_replies import CANARY, SITES, STABLE, Api
from tests.plain_reading import Plain, Wrong, read

STEP = timedelta(minutes=5)
T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
OBJECTIVES = (
    Objective(
        "errors",
        Ratio(Selector.parse('events_total{outcome="error"}'), Selector.parse("events_total")),
        Fraction(99),
    ),
    Objective("latency", Slower(Fraction(1, 4), Selector.parse("seconds")), Fraction(99)),
    Objective("confidence", Below(Fraction(1, 4), Selector.parse("score")), Fraction(95)),
)
ASKED = questions("edge-k3s", "m", (STABLE, CANARY), OBJECTIVES)
WINDOW = Window(T0 + 3 * STEP, T0 + 8 * STEP, STEP, 3 * STEP)
WHO = Assignment(
    "r1",
    STABLE,
    CANARY,
    dict.fromkeys(SITES, "eu"),
    (
        Cut(T0 + 1.5 * STEP, frozenset("ab")),
        Cut(T0 + 4 * STEP, frozenset("abc")),
        Cut(T0 + 6.2 * STEP, frozenset("bc")),
    ),
)


class Replies:
    """Stands for HTTP: gives out bodies by the text of the query."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self._bodies = bodies

    def post_form(self, path: str, form: Mapping[str, str], *, body_bytes: int) -> Reply:
        del path, body_bytes
        return Reply(200, self._bodies[form["query"]])

    def error(self, text: str) -> RemoteError:
        return RemoteError("Prometheus", text)


def drawn(seed: int, trouble: float) -> tuple[Mapping[str, bytes], Prometheus]:
    api = Api(seed, [int(one) for one in WINDOW.seconds], trouble)
    bodies = {text: api.body(text) for text in ASKED.texts}
    return bodies, Prometheus(cast(Http, Replies(bodies)))


def ask(door: Prometheus, text: str) -> Any:
    return door.range(text, WINDOW.fetched_from, WINDOW.end, WINDOW.step)


@pytest.mark.parametrize("trouble", [0.0, 0.05, 0.4])
def test_a_reply_holds_what_is_in_it_and_names_what_is_left_out(trouble: float) -> None:
    ticks = range(int(WINDOW.seconds[0]), int(WINDOW.seconds[-1]) + 1, 300)
    refused = 0
    for seed in range(40):
        bodies, door = drawn(seed, trouble)
        for text, body in bodies.items():
            try:
                lines, notes = read(body, ticks)
            except Wrong:
                refused += 1
                with pytest.raises(MetricsUnavailable, match="a series of the answer has a wrong"):
                    ask(door, text)
                continue
            answer = ask(door, text)
            assert [(dict(one.labels), list(one.points)) for one in answer.series] == lines
            assert list(answer.notes) == notes
    assert 0 < refused < 40


@pytest.mark.parametrize("trouble", [0.0, 0.05, 0.4])
def test_what_is_measured_is_what_plain_python_finds(trouble: float) -> None:
    counted = 0
    for seed in range(100, 140):
        _, door = drawn(seed, trouble)
        try:
            answers = {text: ask(door, text) for text in ASKED.texts}
        except MetricsUnavailable:
            continue
        lines = {
            text: [(one.labels, list(one.points)) for one in answer.series]
            for text, answer in answers.items()
        }
        expected = Plain(ASKED, lines, WHO, WINDOW).measure()
        measured = measure(ASKED, answers, WHO, WINDOW)
        ticks = [(one.canary, one.stable, one.fresh, one.seen) for one in measured.ticks]
        assert ticks == expected.ticks, seed
        assert {site: one.serving for site, one in measured.sights.items()} == expected.serving
        assert {site: one.last_seen for site, one in measured.sights.items()} == expected.last_seen
        named = [note for answer in answers.values() for note in answer.notes]
        wanted = tuple(dict.fromkeys([*named, *expected.notes]))[:20]
        assert measured.notes[: len(wanted)] == wanted, seed
        counted += sum(len(one.canary) + len(one.stable) for one in measured.ticks)
    assert counted > 200
