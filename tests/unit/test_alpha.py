"""One alpha a rollout: what the tests of it may spend adds up to no more."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from generator.model.objective import Objective, Ratio, Selector, weights
from reconciler.analysis import Judge, Settings
from reconciler.recording import Arm, AssignedLine, ObjectivesLine, TickLine

AT = datetime(2026, 11, 20, tzinfo=UTC)


def objectives(count: int) -> tuple[Objective, ...]:
    ratio = Ratio(Selector.parse('events_total{outcome="error"}'), Selector.parse("events_total"))
    return tuple(Objective(f"o{number}", ratio, Fraction(99)) for number in range(count))


def judged(count: int, sites: int, arm: Arm | None = None) -> Judge:
    """Judge one tick of so many objectives, on so many sites of which the first two are canary."""
    judge, names = Judge(Settings(alpha=0.01)), [f"s{number:03d}" for number in range(sites)]
    arms: dict[str, tuple[Arm, str]] = {
        name: (arm or ("canary" if place < 2 else "stable"), "") for place, name in enumerate(names)
    }
    judge.feed(ObjectivesLine("r1", weights(objectives(count))))
    judge.feed(AssignedLine("r1", AT, arms))
    canary = {f"{name}/v2" if arm else name: (100, 1) for name in names[:2]}
    stable = {f"{name}/v1" if arm else name: (100, 1) for name in names[2:]}
    for number in range(count):
        judge.feed(TickLine("r1", f"o{number}", AT, canary, stable))
    return judge


@pytest.mark.parametrize("sites", [10, 100], ids=["placebo cohorts", "likelihoods"])
@pytest.mark.parametrize("count", range(1, 13))
def test_the_tests_of_a_rollout_spend_alpha_once(count: int, sites: int) -> None:
    spends = judged(count, sites).spends
    assert len(spends) == count + 1, "each objective and reporting loss, and nothing besides"
    assert spends["o0"] == pytest.approx(0.009 / count)
    assert spends[""] == pytest.approx(0.0005)
    assert sum(spends.values()) <= 0.01
    assert sum(spends.values()) == pytest.approx(0.0095)


@pytest.mark.parametrize("count", [1, 3])
def test_where_traffic_is_split_nothing_goes_to_reporting_loss(count: int) -> None:
    spends = judged(count, 3, "both").spends
    assert spends == {f"o{number}": pytest.approx(0.009 / count) for number in range(count)}
