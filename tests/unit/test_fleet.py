"""The demo's fleet does what Git says, the same way every time, and books what truly happened."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from generator.model.site import Site
from tidegate.demo.exposition import Exposition
from tidegate.demo.fleet import Behaviour, Fleet, Served
from tidegate.demo.plants import CONFIDENCE, ERROR, LATENCY, NOTHING, OK, Sample
from tidegate.demo.selector import duration_s, parse

T0 = datetime(2026, 11, 20, tzinfo=UTC)
STEP = timedelta(minutes=5)
OLD, NEW = "v12-9be07d11", "v13-3f9a1c2b"


def fleet(sites: int = 60, **more: Any) -> Fleet:
    plants = [Site(f"plant-{k:04d}", f"edge-{k}", "eu", "gpu") for k in range(sites)]
    return Fleet(plants, **{"model": "m", "seed": 7, "start": T0, **more})


def running(sites: int = 60, **more: Any) -> Fleet:
    """A fleet that serves OLD everywhere; nobody is away unless asked for."""
    made = fleet(sites, **{"flaky": 0.0, **more})
    made.apply(T0, everywhere(made, OLD))
    made.advance(T0 + 4 * STEP)
    return made


def everywhere(made: Fleet, release: str) -> dict[str, str]:
    return {site.id: release for site in made.sites}


def last(made: Fleet) -> Sample:
    return every(made)[-1]


def every(made: Fleet) -> tuple[Sample, ...]:
    return made.samples(0, np.inf)


def shown(made: Fleet) -> list[str | None]:
    """The release that each site names now."""
    return [None if r == NOTHING else made.releases[r] for r in last(made).release]


def story(made: Fleet, moments: Iterator[datetime]) -> Fleet:
    """Play one history, stopping at moments of somebody's choice."""
    made.apply(T0, everywhere(made, OLD))
    commit = T0 + 30 * STEP
    for moment in [*(m for m in moments if m < commit), commit]:
        made.advance(moment)
    made.apply(commit + timedelta(seconds=40), {f"plant-{k:04d}": NEW for k in range(20)})
    made.advance(T0 + 60 * STEP)
    return made


def test_the_same_time_shows_the_same_however_it_is_reached() -> None:
    behaviours = {NEW: Behaviour(errors=2.0)}
    leap = story(fleet(behaviours=behaviours), iter(()))
    crawl = story(fleet(behaviours=behaviours), (T0 + timedelta(minutes=k) for k in range(1, 999)))
    for one, other in zip(every(leap), every(crawl), strict=True):
        assert one.at == other.at
        assert np.array_equal(one.release, other.release)
        assert np.array_equal(one.counters, other.counters)
        assert np.array_equal(one.started, other.started)
    assert leap.ledger() == crawl.ledger()


def test_another_seed_is_another_fleet() -> None:
    one, other = running(seed=1), running(seed=2)
    assert not np.array_equal(last(one).counters, last(other).counters)


def test_what_was_deployed_does_not_change_the_luck_of_the_others() -> None:
    one, other = running(), running(behaviours={NEW: Behaviour(errors=9, slow=9, unsure=9)})
    other.apply(other.now, {"plant-0000": NEW})
    for made in (one, other):
        made.advance(T0 + 20 * STEP)
    assert np.array_equal(last(one).counters[1:], last(other).counters[1:])


def test_a_day_of_500_plants_looks_like_the_fleet_it_should_be() -> None:
    made = fleet(500)
    made.apply(T0, everywhere(made, OLD))
    made.advance(T0 + timedelta(hours=25))
    counters = last(made).counters
    total = counters[:, LATENCY.stop - 1]
    assert np.array_equal(total, counters[:, OK] + counters[:, ERROR])
    assert np.array_equal(total, counters[:, CONFIDENCE.stop - 1])
    assert total.mean() / (25 * 12) == pytest.approx(20, rel=0.05)
    assert counters[:, ERROR].sum() / total.sum() == pytest.approx(0.01, rel=0.1)
    assert (total - counters[:, LATENCY.start + 1]).sum() / total.sum() == pytest.approx(0.006, 0.1)
    assert counters[:, CONFIDENCE.start + 4].sum() / total.sum() == pytest.approx(0.03, 0.1)
    rates = counters[:, ERROR] / total
    assert rates.std() / rates.mean() == pytest.approx(0.55, abs=0.12)
    away = np.array([sample.release == NOTHING for sample in every(made)[3:]])
    assert away.any(axis=0).mean() == pytest.approx(0.2, abs=0.03)
    assert away.mean() < 0.1


def test_buckets_never_fall() -> None:
    counters = last(running()).counters
    for columns in (LATENCY, CONFIDENCE):
        assert (np.diff(counters[:, columns], axis=1) >= 0).all()


def test_a_commit_starts_new_processes_two_to_eight_minutes_later() -> None:
    made = running()
    commit = made.now + timedelta(seconds=10)
    made.apply(commit, {"plant-0001": NEW, "plant-0002": NEW})
    made.advance(commit + 3 * STEP)
    assert shown(made) == [OLD, NEW, NEW, *[OLD] * 57]
    waits = last(made).started[1:3] - commit.timestamp()
    assert ((waits >= 120) & (waits <= 480)).all()
    assert (last(made).counters[1:3, LATENCY.stop - 1] < 100).all()


def test_old_and_new_series_are_never_there_at_once() -> None:
    made = running()
    made.apply(made.now, everywhere(made, NEW))
    made.advance(made.now + 3 * STEP)
    moments = [(str(sample.at), sample) for sample in every(made)]
    lines = list(Exposition(made).series(parse("model_release_info"), moments))
    points = [point for _, text in lines for point in text.split("],")]
    assert len(lines) == 120
    assert len(points) == sum(int((sample.release != NOTHING).sum()) for sample in every(made))


def test_a_new_process_counts_from_its_start() -> None:
    made = running(per_5_minutes=3000.0)
    commit = made.now
    made.apply(commit, {"plant-0000": NEW})
    made.advance(commit + 2 * STEP)
    sample = last(made)
    seconds = sample.at - sample.started[0]
    before = every(made)[-3].counters[0, LATENCY.stop - 1] / (
        every(made)[-3].at - sample.started[1]
    )
    assert sample.counters[0, LATENCY.stop - 1] / seconds == pytest.approx(before, rel=0.2)
    assert made.ledger()[NEW].predictions == sample.counters[0, LATENCY.stop - 1]


def test_a_site_that_is_away_follows_after_its_return() -> None:
    made = fleet(200, flaky=1.0)
    made.apply(T0, everywhere(made, OLD))
    made.advance(T0 + timedelta(hours=6))
    gone = last(made).release == NOTHING
    assert 20 < gone.sum() < 120
    known = last(made).counters.copy()
    made.apply(made.now, everywhere(made, NEW))
    returned = set[int]()
    while made.now < T0 + timedelta(hours=20):
        before = last(made).release
        made.advance(made.now + STEP)
        for row in np.flatnonzero(gone & (before == NOTHING) & (last(made).release != NOTHING)):
            if row not in returned:
                # It counted on while it was away, and restarts only after it is back.
                first = every(made)[-1]
                assert first.release[row] == 0 or first.started[row] > first.at - 300
                assert first.release[row] == 1 or (first.counters[row] >= known[row]).all()
                returned.add(int(row))
    assert len(returned) > 0.9 * gone.sum()
    assert NEW in shown(made)


def test_a_release_that_crashes_leaves_the_old_one_serving() -> None:
    made = running(behaviours={NEW: Behaviour(starts=False)})
    began = last(made).started.copy()
    made.apply(made.now, everywhere(made, NEW))
    made.advance(made.now + 9 * STEP)
    assert set(shown(made)) == {OLD}
    made.apply(made.now, everywhere(made, OLD))
    made.advance(made.now + 9 * STEP)
    assert np.array_equal(last(made).started, began)
    assert set(made.ledger()) == {OLD}


def test_a_silent_release_serves_unseen_until_it_is_taken_back() -> None:
    made = running(behaviours={NEW: Behaviour(errors=3.0, reports=False)})
    made.apply(made.now, {"plant-0000": NEW})
    made.advance(made.now + 9 * STEP)
    assert shown(made)[:2] == [None, OLD]
    assert made.ledger()[NEW].predictions > 50
    made.apply(made.now, {"plant-0000": OLD})
    made.advance(made.now + 3 * STEP)
    assert shown(made)[0] == OLD
    assert last(made).counters[0, LATENCY.stop - 1] < 100


def test_a_commit_that_is_taken_back_in_time_restarts_nothing() -> None:
    made = running()
    began = last(made).started.copy()
    made.apply(made.now, everywhere(made, NEW))
    made.apply(made.now + timedelta(seconds=60), everywhere(made, OLD))
    made.advance(made.now + 9 * STEP)
    assert np.array_equal(last(made).started, began)


@pytest.mark.parametrize(
    ("behaviour", "bad"),
    [
        (Behaviour(errors=2.0), lambda one: one[:, ERROR]),
        (Behaviour(slow=2.0), lambda one: one[:, LATENCY.stop - 1] - one[:, LATENCY.start + 1]),
        (Behaviour(unsure=2.0), lambda one: one[:, CONFIDENCE.start + 4]),
    ],
)
def test_a_bad_release_is_as_bad_as_it_is_said_to_be(behaviour: Behaviour, bad: Any) -> None:
    # Both arms start at the same moments, so that the same predictions meet both releases.
    good, worse = fleet(400, flaky=0.0), fleet(400, flaky=0.0, behaviours={OLD: behaviour})
    for made in (good, worse):
        made.apply(T0, everywhere(made, OLD))
        made.advance(T0 + 60 * STEP)
    shares = [bad(last(made).counters).sum() for made in (worse, good)]
    assert shares[0] / shares[1] == pytest.approx(2.0, rel=0.05)
    truth, usual = worse.ledger()[OLD], good.ledger()[OLD]
    assert truth == Served(usual.predictions, usual.bad + truth.excess, truth.excess)
    assert usual.excess == 0


def test_a_broken_site_errs_twenty_times_more_from_now_on() -> None:
    made = running()
    made.advance(T0 + 100 * STEP)
    before = last(made).counters[3].copy()
    made.break_site("plant-0003")
    made.advance(T0 + 196 * STEP)
    after = last(made).counters[3] - before
    assert after[ERROR] / (after[OK] + after[ERROR]) > 5 * before[ERROR] / before[OK]
    assert made.ledger()[OLD].excess == 0


def test_a_day_and_a_quarter_of_samples_is_kept() -> None:
    made = running(sites=2)
    made.advance(T0 + timedelta(hours=60))
    samples = every(made)
    assert samples[-1].at - samples[0].at >= 30 * 3600
    assert len(samples) == 36 * 12 + 1


def test_before_the_first_commit_there_is_nothing() -> None:
    made = fleet()
    made.advance(T0 + 5 * STEP)
    assert (set(shown(made)), made.ledger()) == ({None}, {})


def test_sites_that_are_not_here_are_nobody_s() -> None:
    made = running()
    made.apply(made.now, {"elsewhere": NEW})
    made.advance(made.now + 5 * STEP)
    assert set(shown(made)) == {OLD}


def test_time_goes_forward_only() -> None:
    made = running()
    with pytest.raises(ValueError, match="comes after"):
        made.apply(T0, {})
    now = made.now
    made.advance(T0)
    assert made.now == now


def test_two_plants_of_one_name_are_refused() -> None:
    twice = [Site("a", "x"), Site("a", "y")]
    with pytest.raises(ValueError, match="unique"):
        Fleet(twice, model="m", seed=1, start=T0)


LABELS = {"__name__": "events_total", "site": "plant-0001", "outcome": 'a"b'}


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("events_total", True),
        ("events_total{}", True),
        (' events_total { site = "plant-0001" , } ', True),
        ('{__name__="events_total"}', True),
        ('{__name__=~"events_.*",site!=""}', True),
        ('events_total{site=~"plant-000[0-3]"}', True),
        ('events_total{site=~"plant"}', False),
        ('events_total{site!~"plant.*"}', False),
        ('events_total{site!="plant-0002"}', True),
        ('events_total{nothing=""}', True),
        ('events_total{nothing!=""}', False),
        ('events_total{outcome="a\\"b"}', True),
        ("events_total{outcome='a\\\"b'}", True),
        ('events_total{outcome=`a"b`}', True),
        ('events_total{site="plant-0001",site="plant-0002"}', False),
        ("other_total", False),
    ],
)
def test_selectors_mean_what_they_mean_in_promql(text: str, accepted: bool) -> None:
    assert parse(text).accepts(LABELS) is accepted


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{a=""}', '{a=~".*"}', "rate(x[5m])", "x{", "x{a}", "x{a=b}", 'x{a="b" c="d"}',
     'x{a="b"}}', "x[5]", "x[0s]", "x offset 5m", "x or y", 'x{a=~"("}', "x" * 5000, "1",
     'x{a="b}'],
)  # fmt: skip
def test_what_is_no_plain_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"parse error|not a valid duration"):
        parse(text)


def test_a_range_has_a_length() -> None:
    assert parse('x{a="b"}[1h30m]').span_s == duration_s("90m") == 5400
