"""Placebo cohorts keep their promise whatever the noise is, and few sites get a useful answer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from reconciler.analysis import Code, Judge, ObjectiveVerdict, Settings, Verdict
from reconciler.analysis.placebo import DRAWS, Placebo, Standing, cohorts, fewest_canary
from reconciler.recording import Arm, AssignedLine, Line, TickLine

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
STRATA = ["a"] * 12 + ["b"] * 8


def wild(ticks: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Give bad events of 20 sites that no likelihood describes: bursts, a liar, rates apart."""
    rng = np.random.default_rng(seed)
    rates = 2 * rng.lognormal(0, 1.5, 20)
    bursts = 1 + 30 * (rng.random((ticks, 20)) < 0.05)
    bad = rng.poisson(rates * bursts).astype(float)
    bad[:, 7] = 1000
    return bad


def played(canary: Sequence[int], bad: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    placebo, rows = Placebo("r1", STRATA), np.array(canary)
    expected = np.full(20, 2.0)
    for row in bad:
        placebo.add(rows, row, expected, 1.5)
        if placebo.worse(0.1).is_shown:
            return True
    return False


@pytest.mark.cpu(20)
@pytest.mark.slow
def test_of_all_draws_no_more_than_alpha_are_called_worse() -> None:
    """The noise stays the same and the draw changes: that is all the test assumes."""
    bad, rng = wild(12, 3), np.random.default_rng(1)
    draws = [[*rng.choice(12, 2, replace=False), *rng.choice(range(12, 20), 2)] for _ in range(200)]
    found = sum(played(draw, bad) for draw in draws if len(set(draw)) == 4)
    assert found <= 0.1 * 200 + 3 * (200 * 0.09) ** 0.5


@pytest.mark.parametrize(
    ("rank", "allowed", "log_bound", "log"),
    [(1, 2, 4.6, 5.29), (2, 2, 4.6, 4.6), (4, 2, 4.6, 3.91), (2, 0, 4.6, 3.21)],
)
def test_evidence_is_at_the_bound_when_it_is_shown(
    rank: int, allowed: int, log_bound: float, log: float
) -> None:
    standing = Standing(rank, allowed)
    assert standing.log_evidence(log_bound) == pytest.approx(log, abs=0.01)
    assert standing.is_shown == (log >= log_bound)


def test_draws_stay_inside_their_stratum() -> None:
    placebo = Placebo("r1", STRATA)
    only_a = np.array([1.0] * 12 + [0.0] * 8)
    placebo.add(np.array([12, 13]), only_a, np.full(20, 2.0), 1.5)
    assert placebo.worse(1.0) == Standing(DRAWS + 1, (DRAWS + 1) // 25)


def test_the_same_rollout_draws_the_same_cohorts_and_another_draws_others() -> None:
    def ranks(rollout: str) -> list[Standing]:
        placebo, found = Placebo(rollout, STRATA), []
        for row in wild(6, 5):
            placebo.add(np.array([0, 1, 14]), row, np.full(20, 2.0), 1.5)
            found.append(placebo.worse(0.01))
        return found

    assert ranks("r1") == ranks("r1")
    assert ranks("r1") != ranks("r2")


@pytest.mark.parametrize(
    ("sizes", "count", "fewest"),
    [
        ([(20, 1)], 20, 2),
        ([(20, 4)], 4845, 2),
        ([(5, 1)], 5, None),
        ([(10, 1), (10, 1)], 100, 4),
    ],
)
def test_cohorts_are_counted(sizes: list[tuple[int, int]], count: int, fewest: int | None) -> None:
    assert cohorts(sizes) == count
    assert fewest_canary(sizes, 150) == fewest


# ------------------------------------------------------------------ in the judge


def rollout(sites: int, canary: int, bad: int, ticks: int) -> list[Line]:
    """Give a small fleet of uneven sites; each canary site has so many bad events more."""
    names = [f"plant-{number:02d}" for number in range(sites)]
    arms: dict[str, tuple[Arm, str]] = {
        name: ("canary" if number < canary else "stable", "eu/cpu")
        for number, name in enumerate(names)
    }
    rng = np.random.default_rng(sites)
    lines: list[Line] = [AssignedLine("r1", None, arms)]
    for number in range(1, ticks + 1):
        usual = [int(count) for count in rng.binomial(100, 0.02, sites)]
        worse = {name: (100, usual[i] + bad) for i, name in enumerate(names[:canary])}
        rest = {name: (100, usual[i + canary]) for i, name in enumerate(names[canary:])}
        at = START + timedelta(minutes=5 * number)
        lines.append(TickLine("r1", "errors", at, worse, rest))
    return lines


def last(lines: list[Line], **settings: object) -> ObjectiveVerdict:
    judge = Judge(Settings(min_sites=1, **settings))  # type: ignore[arg-type]
    found = [verdict for line in lines if (verdict := judge.feed(line)) is not None]
    return found[-1]


def test_harm_is_found_on_20_sites() -> None:
    found = last(rollout(20, 4, bad=4, ticks=12))
    assert (found.verdict, found.reasons[0].code) == (Verdict.BREACHED, Code.WORSE)
    assert "cohorts that chance could have drawn" in found.reasons[0].text
    assert found.e_bad_max >= 100


def test_a_good_release_becomes_healthy_on_20_sites() -> None:
    found = last(rollout(20, 4, bad=0, ticks=40))
    assert (found.verdict, found.e_ok >= 20) == (Verdict.HEALTHY, True)
    assert [reason.code for reason in found.reasons] == [Code.MARGIN_CLOSED, Code.PLACEBO]


def test_a_release_at_the_margin_does_not_become_healthy_on_20_sites() -> None:
    found = last(rollout(20, 4, bad=1, ticks=40))
    assert found.verdict is not Verdict.HEALTHY


def test_a_rounding_that_only_the_canary_has_is_no_harm() -> None:
    """All sites count alike, and only who starts anew rounds a first count up."""
    names = [f"plant-{number:02d}" for number in range(44)]
    arms: dict[str, tuple[Arm, str]] = {
        name: ("canary" if number < 5 else "stable", "eu/cpu") for number, name in enumerate(names)
    }
    judge = Judge(Settings(min_sites=1))
    judge.feed(AssignedLine("r1", None, arms))
    for number in range(40):
        canary = dict.fromkeys(names[:5], (10_000, 201 if number == 0 else 200))
        stable = dict.fromkeys(names[5:], (10_000, 200))
        line = TickLine("r1", "slow", START + timedelta(minutes=5 * number), canary, stable)
        found = judge.feed(line)
    assert found is not None
    assert found.verdict is Verdict.HEALTHY, found.reasons
    assert found.e_bad <= 1


def test_a_step_begins_without_the_health_of_the_step_before() -> None:
    first, second = rollout(20, 4, bad=0, ticks=40), rollout(20, 8, bad=0, ticks=41)
    found = last([*first, second[0], second[-1]])
    assert found.verdict is Verdict.UNDECIDED
    assert found.e_ok < 20


@pytest.mark.parametrize(
    ("sites", "canary", "says"),
    [
        (20, 1, "chance draws 1 of 20 sites in 20 ways, 200 are needed to tell harm from a bad "
         "draw; 3 canary sites have them"),
        (5, 1, "chance draws 1 of 5 sites in 5 ways, 200 are needed to tell harm from a bad "
         "draw; these sites never have them"),
    ],
)  # fmt: skip
def test_too_few_sites_say_what_they_could_show(sites: int, canary: int, says: str) -> None:
    found = last(rollout(sites, canary, bad=0, ticks=12))
    assert (found.verdict, found.reasons[0].code) == (Verdict.UNDECIDED, Code.TOO_FEW_COHORTS)
    assert found.reasons[0].text == says


def test_where_sites_are_missing_no_number_of_events_is_forecast() -> None:
    assert last(rollout(5, 1, bad=0, ticks=12)).needs is None


def test_five_sites_pass_by_a_share_that_is_negligible() -> None:
    lines = rollout(5, 1, bad=0, ticks=12)
    found = last(lines, negligible={"errors": 0.05})
    assert (found.verdict, found.reasons[0].code) == (Verdict.HEALTHY, Code.NEGLIGIBLE)


@pytest.mark.parametrize("liar", [0, 10])
def test_one_lying_plant_of_20_forces_and_stops_nothing(liar: int) -> None:
    def lying(lines: list[Line]) -> list[Line]:
        name = f"plant-{liar:02d}"
        for line in lines:
            if isinstance(line, TickLine):
                (line.canary if liar < 4 else line.stable)[name] = (10**9, 10**9)  # type: ignore[index]
        return lines

    assert last(lying(rollout(20, 4, bad=0, ticks=30))).verdict is not Verdict.BREACHED
    assert last(lying(rollout(20, 4, bad=4, ticks=30))).verdict is Verdict.BREACHED
