"""What memory spares is not read again, and changes nothing of what is found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, cast

import pytest

from generator.model.objective import Objective, Ratio, Selector
from reconciler.analysis import Judge, Settings
from reconciler.basis import pace, soaked
from reconciler.measure import Answer, Assignment, Cut, MetricsUnavailable, Window
from reconciler.outlook.course import Course
from reconciler.outlook.reading import Kept, read
from reconciler.queries import questions
from reconciler.record import Chain
from tests.metrics import HOUR, MINUTE, Plants

pytestmark = [pytest.mark.slow, pytest.mark.cpu(120)]

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
STEP = 5 * MINUTE
STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
SITES = tuple(f"plant-{number:02d}" for number in range(30))
TEN = frozenset(SITES[:6])
ERRORS = Objective(
    "errors",
    Ratio(
        Selector.parse('model_predictions_total{outcome="error"}'),
        Selector.parse("model_predictions_total"),
    ),
    Fraction(99),
)


@dataclass
class Line:
    """As much of a course as reading needs, and the metrics behind it."""

    plants: Plants = field(default_factory=Plants)
    chain: Chain = field(default_factory=Chain)
    asked_ticks: int = 0

    def __post_init__(self) -> None:
        for site in SITES:
            self.plants.serve(site, STABLE, START - 30 * HOUR)
        for site in sorted(TEN):
            self.plants.serve(site, CANARY, START + 3 * MINUTE)
        cuts = (Cut(START, TEN),)
        self.assignment = Assignment("r1", STABLE, CANARY, dict.fromkeys(SITES, "eu"), cuts)
        self.asked = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (ERRORS,))

    def query(self, text: str, start: datetime, end: datetime, step: timedelta) -> Answer:
        self.asked_ticks += (end - start) // step + 1
        return self.plants.query(text, start, end, step)

    def read(self, ticks: int, kept: Kept | None = None) -> Kept:
        window = Window(START, START + ticks * STEP, STEP, 6 * STEP)
        judge = Judge(Settings(min_sites=3, budgets={"errors": 0.01}))
        return read(cast(Course, self), judge, self.query, window, kept)


def found(kept: Kept) -> Mapping[str, Any]:
    """All that a decision is made on."""
    newest = kept.newest
    return {
        "verdict": [said for _, said in newest.heard][-1:],
        "sights": newest.sights,
        "served": newest.judge.served,
        "soaked": soaked(newest.heard, START, STEP, 1),
        "pace": pace(newest.heard),
    }


@pytest.fixture
def line() -> Line:
    return Line()


def test_with_memory_everything_is_found_as_without(line: Line) -> None:
    line.plants.hide(SITES[3:5], START + 3 * HOUR, START + 8 * HOUR)
    line.plants.hide(SITES[10:20], START + 235 * MINUTE, START + 245 * MINUTE)
    line.plants.serve(SITES[0], CANARY, START + 5 * HOUR)  # a restart
    kept = None
    for ticks in range(1, 150, 9):
        kept = line.read(ticks, kept)
        assert found(kept) == found(line.read(ticks))
    assert kept is not None
    assert not kept.newest.is_whole


def test_a_rollout_that_waits_is_not_read_from_its_step_on_each_time(line: Line) -> None:
    def cost(ticks: int, kept: Kept | None) -> int:
        before = line.asked_ticks
        line.read(ticks, kept)
        return line.asked_ticks - before

    first = line.read(100)
    assert cost(200, line.read(199)) < 100 * len(line.asked.texts)
    assert cost(101, first) < 90 * len(line.asked.texts)
    assert cost(100, first) == 0, "between two ticks nothing is new"
    assert cost(200, None) > 200 * len(line.asked.texts)


def test_data_that_comes_two_hours_late_is_seen(line: Line) -> None:
    usual = line.read(120)
    until = (START + 118 * STEP).timestamp()

    def late(series: Any) -> Any:
        """The newest 20 ticks of one site have not arrived."""
        if series.labels["site"] != SITES[2]:
            return series
        points = tuple(point for point in series.points if point[0] <= until - 20 * 300)
        return type(series)(series.labels, points)

    line.plants.change = late
    kept = line.read(118)
    line.plants.change = lambda series: series
    kept = line.read(120, kept)
    assert not kept.newest.is_whole
    assert found(kept) == found(usual)


def test_memory_of_something_else_is_worthless(line: Line) -> None:
    kept = line.read(60)
    line.chain = Chain(digest="sha256:other")
    other = line.read(61, kept)
    assert other.newest.is_whole
    assert found(other) == found(line.read(61))


def test_a_clock_that_went_ahead_and_back_changes_nothing(line: Line) -> None:
    ahead = line.read(150)
    assert found(line.read(60, ahead)) == found(line.read(60))


def test_trouble_leaves_the_memory_as_it_was(line: Line) -> None:
    kept = line.read(118)
    before = found(line.read(120, kept))
    line.plants.down = True
    with pytest.raises(MetricsUnavailable):
        line.read(119, kept)
    line.plants.down = False
    assert found(line.read(120, kept)) == before


def test_the_lines_of_a_whole_reading_are_the_recording(line: Line) -> None:
    whole = line.read(110).newest
    judge = Judge(Settings(min_sites=3, budgets={"errors": 0.01}))
    said = [judge.feed(one) for one in whole.lines]
    assert said == [verdict for _, verdict in whole.heard]
    assert len(whole.lines) == 111, "one assignment, and one line for each tick"
