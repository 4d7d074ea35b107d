"""What a rollout will come to: the judge and the policy on ticks that nobody served."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from math import log

import pytest

from generator.model.percent import Percent
from generator.model.rollout import Rollout
from reconciler.analysis import Settings
from reconciler.forecast import Course, Find, Rate, Stage, find, stages

HOUR = timedelta(hours=1)
STEPS = tuple(Percent.of(p) for p in (10, 50, 100))
NAMES = tuple(f"plant-{number:03d}" for number in range(100))


def course(per_hour: float = 600.0, bad: float = 0.02, sites: int = 100) -> Course:
    names = NAMES[:sites]
    return Course(
        rollout=Rollout("m", "e", steps=STEPS, soak=2 * HOUR, deadline=24 * HOUR),
        sites=tuple((name, "eu") for name in names),
        canary={step: frozenset(names[: step.count_of(sites)]) for step in STEPS},
        rates={"errors": Rate(dict.fromkeys(names, per_hour), dict.fromkeys(names, bad))},
        settings=Settings(),
        weights={"errors": 0.9},
        interval=timedelta(minutes=10),
        hours=24.0,
        spread=0.1,
    )


@cache
def good() -> tuple[Stage, ...]:
    return stages(course())


@cache
def found(times: float) -> Find:
    return find(course(), "errors", times, good())


def test_a_good_release_climbs_in_its_soak() -> None:
    assert [one.lasts for one in good()] == [2 * HOUR, 2 * HOUR, 2 * HOUR]
    assert [one.waits_for for one in good()] == ["", "", ""]
    served = [10 * 600 * 2, 10 * 600 * 2 + 50 * 600 * 2, (10 + 50 + 100) * 600 * 2]
    assert [one.predictions for one in good()] == pytest.approx(served, rel=0.001)


def test_each_step_sees_smaller_harm() -> None:
    ratios = [one.detectable["errors"] for one in good()[:2]]
    assert all(ratio is not None for ratio in ratios)
    assert 1.0 < ratios[1] < ratios[0] < 2.0  # type: ignore[operator]


def test_worse_is_found_sooner() -> None:
    times = [found(one).after for one in (5.0, 2.0, 1.5)]
    assert all(time is not None for time in times)
    assert times == sorted(times)  # type: ignore[type-var]
    assert found(5.0).percent == STEPS[0]


@pytest.mark.parametrize("times", [1.5, 2.0, 5.0])
def test_nothing_is_found_before_the_bound_of_any_test(times: float) -> None:
    """Wald: a test of power one needs ln(1/alpha) / KL predictions on average."""
    base, worse = 0.02, 0.02 * times
    information = worse * log(worse / base) + (1 - worse) * log((1 - worse) / (1 - base))
    bound = log(1 / (0.9 * 0.01)) / information
    served = found(times).predictions
    assert bound < served < max(6 * bound, 2_000), "a look serves 1,000"


def test_a_release_as_good_as_stable_passes() -> None:
    assert found(1.0) == Find("errors", 1.0, None, good()[-1].predictions, STEPS[-1])


def test_what_lies_under_the_detectable_ratio_is_not_found_by_then() -> None:
    ratio = good()[1].detectable["errors"]
    assert ratio is not None
    late = find(course(), "errors", 1 + (ratio - 1) * 0.7, good())
    soon = find(course(), "errors", 1 + (ratio - 1) * 1.5, good())
    assert late.after is None or late.after > 2 * HOUR
    assert soon.after is not None
    assert soon.after <= 4 * HOUR


def test_quiet_sites_take_longer_than_their_soak() -> None:
    first = stages(course(per_hour=60.0))[0]
    assert first.lasts is not None
    assert first.lasts > 2 * HOUR
    assert "events" in first.waits_for


def test_a_step_that_nothing_can_prove_never_passes() -> None:
    (only,) = stages(course(sites=20))
    assert only.lasts is None
    assert only.waits_for


def test_it_is_the_same_each_time() -> None:
    assert stages(replace(course())) == good()
