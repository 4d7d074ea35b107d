"""In the cloud stable and canary pods of the same clusters are compared, request by request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from generator.errors import InputError
from reconciler.analysis import Code, Judge, ObjectiveVerdict, Settings, Verdict
from reconciler.recording import AssignedLine, ObjectivesLine, TickLine, dump, parse

START = datetime(2026, 11, 20, tzinfo=UTC)
EVERY = timedelta(minutes=5)
CLUSTERS = ("ap", "eu", "us")
Counts = dict[str, tuple[int, int]]
Meddle = Callable[[int, Counts, Counts], None]


def assigned(tick: int, clusters: tuple[str, ...] = CLUSTERS) -> AssignedLine:
    return AssignedLine("r1", START + tick * EVERY, dict.fromkeys(clusters, ("both", "")))


class Cloud:
    """Clusters whose traffic is split, and a judge that hears of them."""

    def __init__(self, seed: int = 1, **settings: float) -> None:
        self.judge = Judge(Settings(**settings))  # type: ignore[arg-type]
        self.rng = np.random.default_rng(seed)
        self.ticks = 0
        self.meddle: Meddle = lambda tick, canary, stable: None
        self.pods = {"v2": 3, "v1": 9}
        self.rate = 0.01
        self.astray = 0.0
        self._odds = 1.0

    def step(self) -> None:
        self.judge.feed(assigned(self.ticks))

    def run(self, ticks: int, share: float, times: float = 1.0) -> ObjectiveVerdict:
        """Serve 1,500 requests a cluster and tick; stops at a breach."""
        for _ in range(ticks):
            said = self.tick(share, times)
            if said.verdict is Verdict.BREACHED:
                break
        return said

    def tick(self, share: float, times: float = 1.0) -> ObjectiveVerdict:
        if self.ticks % 12 == 0 and self.astray:
            self._odds = self.rng.gamma(1 / self.astray**2, self.astray**2)
        self.ticks += 1
        arms: tuple[Counts, Counts] = ({}, {})
        for place, cluster in enumerate(CLUSTERS):
            for arm, (release, part) in enumerate((("v2", share), ("v1", 1 - share))):
                rate = self.rate * (0.5 + place) * (times * self._odds if arm == 0 else 1.0)
                for pod in range(self.pods[release] if part else 0):
                    events = int(self.rng.poisson(1500 * part / self.pods[release]))
                    bad = int(self.rng.binomial(events, min(1.0, rate)))
                    arms[arm][f"{cluster}/{release}/{pod}"] = events, bad
        self.meddle(self.ticks, *arms)
        at = START + self.ticks * EVERY
        said = self.judge.feed(TickLine("r1", "errors", at, *arms, (3, 3)))
        assert said is not None
        return said


def codes(said: ObjectiveVerdict) -> list[Code]:
    return [reason.code for reason in said.reasons]


@pytest.fixture
def cloud() -> Cloud:
    found = Cloud()
    found.step()
    return found


def test_a_good_release_is_healthy_and_a_step_starts_anew(cloud: Cloud) -> None:
    assert cloud.tick(0.0).verdict is Verdict.NO_DATA
    cloud.step()
    first = cloud.tick(0.05)
    assert (first.verdict, codes(first)) == (
        Verdict.UNDECIDED,
        [Code.FEW_EVENTS, Code.MARGIN_OPEN],
    )
    said = cloud.run(119, 0.05)
    assert (said.verdict, codes(said)) == (Verdict.HEALTHY, [Code.MARGIN_CLOSED])
    assert said.e_ok >= 20
    assert said.expected_bad == pytest.approx(said.bad, rel=0.2)
    cloud.step()
    said = cloud.tick(0.25)
    assert said.e_ok < 3
    assert said.verdict is Verdict.UNDECIDED
    assert said.events > 27_000, "what it did before is not forgotten"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_twice_the_errors_are_found(seed: int) -> None:
    cloud = Cloud(seed)
    cloud.step()
    said = cloud.run(120, 0.05, 2.0)
    assert (said.verdict, codes(said)) == (Verdict.BREACHED, [Code.WORSE])
    assert "E_bad" in said.reasons[0].text
    assert cloud.judge.breached == {"errors"}
    # What is proven stays.
    assert cloud.tick(0.05, 0.1).verdict is Verdict.BREACHED


def test_harm_that_begins_late_is_found(cloud: Cloud) -> None:
    cloud.run(60, 0.05)
    assert cloud.run(150, 0.05, 2.5).verdict is Verdict.BREACHED


def test_an_incident_that_strikes_both_arms_reverts_nothing(cloud: Cloud) -> None:
    cloud.run(48, 0.05)
    cloud.rate = 0.3
    said = cloud.run(48, 0.05)
    assert said.verdict is not Verdict.BREACHED
    assert said.e_bad_max < 10
    cloud.rate = 0.01
    assert cloud.run(24, 0.05).verdict is Verdict.HEALTHY


def test_an_incident_while_the_split_changes_is_not_the_releases(cloud: Cloud) -> None:
    """The first ticks after a bump down still have the old weights, and everything fails."""
    cloud.run(24, 0.5)
    cloud.step()
    cloud.rate = 0.3
    cloud.run(4, 0.5)
    cloud.rate = 0.005
    said = cloud.run(60, 0.05)
    assert said.e_bad_max < 10
    assert said.expected_bad == pytest.approx(said.bad, rel=0.1)


def test_clusters_with_unlike_rates_and_splits_are_not_added_up(cloud: Cloud) -> None:
    """One cluster fails often and happens to send much of its traffic to the canary."""

    def move(tick: int, canary: Counts, stable: Counts) -> None:
        for pod in range(9):
            events, _ = stable[f"us/v1/{pod}"]
            stable[f"us/v1/{pod}"] = events // 10, int(cloud.rng.binomial(events // 10, 0.1))
        for pod in range(3):
            events, _ = canary[f"us/v2/{pod}"]
            canary[f"us/v2/{pod}"] = 20 * events, int(cloud.rng.binomial(20 * events, 0.1))

    cloud.meddle = move
    said = cloud.run(72, 0.05)
    assert said.verdict is Verdict.HEALTHY
    assert said.e_bad_max < 10


LIES: dict[str, tuple[str, tuple[int, int]]] = {
    "all of its events are bad": ("us/{}/0", (25, 25)),
    "a billion good events": ("us/{}/0", (10**9, 0)),
    "a billion bad events": ("us/{}/0", (10**9, 10**9)),
    "2^53 good ones": ("us/{}/0", (2**53, 0)),
}


@pytest.mark.parametrize("release", ["v2", "v1"])
@pytest.mark.parametrize("lie", LIES)
def test_one_lying_pod_neither_forces_nor_stops_a_revert(lie: str, release: str) -> None:
    name, counts = LIES[lie]

    def meddle(tick: int, canary: Counts, stable: Counts) -> None:
        (canary if release == "v2" else stable)[name.format(release)] = counts

    good, bad = Cloud(3), Cloud(3)
    for cloud in (good, bad):
        cloud.meddle = meddle
        cloud.step()
    assert good.run(100, 0.05).verdict is not Verdict.BREACHED
    assert bad.run(240, 0.05, 2.5).verdict is Verdict.BREACHED


@pytest.mark.parametrize("release", ["v2", "v1"])
@pytest.mark.parametrize("lie", LIES)
def test_one_lying_pod_makes_no_bad_release_healthy(lie: str, release: str) -> None:
    name, counts = LIES[lie]
    cloud = Cloud(5)
    cloud.step()

    def meddle(tick: int, canary: Counts, stable: Counts) -> None:
        (canary if release == "v2" else stable)[name.format(release)] = counts

    cloud.meddle = meddle
    for _ in range(60):
        assert cloud.tick(0.05, 2.0).verdict is not Verdict.HEALTHY


def test_with_nothing_on_stable_there_is_nothing_to_compare(cloud: Cloud) -> None:
    before = cloud.run(24, 0.5)
    cloud.step()
    said = cloud.run(12, 1.0, 3.0)
    assert (said.verdict, codes(said)) == (Verdict.UNDECIDED, [Code.NO_CONCURRENT_STABLE])
    assert said.e_bad == pytest.approx(before.e_bad, rel=0.2)


def test_clusters_that_fall_silent_are_stale_and_nobody_is_lost(cloud: Cloud) -> None:
    cloud.run(24, 0.05)
    for number in range(25, 60):
        at = START + number * EVERY
        said = cloud.judge.feed(TickLine("r1", "errors", at, {}, {}, (0, 0)))
        assert said is not None
        assert (said.verdict, codes(said)) == (Verdict.STALE, [Code.STABLE_SILENT])
    assert cloud.judge.served == set(CLUSTERS)


def test_silent_canary_pods_hold(cloud: Cloud) -> None:
    cloud.run(24, 0.05)
    stable = {f"{name}/v1/0": (100, 1) for name in CLUSTERS}
    said = cloud.judge.feed(TickLine("r1", "errors", START + 25 * EVERY, {}, stable, (0, 3)))
    assert said is not None
    assert Code.CANARY_SILENT in codes(said)
    assert said.verdict is Verdict.UNDECIDED


def test_the_guards_look_at_pods(cloud: Cloud) -> None:
    cloud = Cloud(1, budgets={"errors": 0.01})  # type: ignore[arg-type]
    cloud.step()
    cloud.run(13, 0.05)
    said = cloud.run(24, 0.05, 40.0)
    assert said.verdict is Verdict.BREACHED
    assert {Code.BURNING, Code.WORSE} & set(codes(said))


def test_a_line_told_twice_begins_no_step(cloud: Cloud) -> None:
    cloud.run(60, 0.05)
    once = cloud.tick(0.05).e_ok
    cloud.judge.feed(assigned(0))
    assert cloud.tick(0.05).e_ok > once / 3


def test_the_form_of_a_recording_is_told_once() -> None:
    one_arm = AssignedLine("r1", START, dict.fromkeys(CLUSTERS, ("stable", "")))
    mixed = AssignedLine("r1", START, {"eu": ("both", ""), "us": ("canary", "")})
    judge = Judge()
    with pytest.raises(InputError, match="all sites are in both arms"):
        judge.feed(mixed)
    judge.feed(one_arm)
    with pytest.raises(InputError, match="all sites are in both arms"):
        judge.feed(assigned(1))
    judge = Judge()
    judge.feed(TickLine("r1", "errors", START, {"a": (1, 0)}, {"b": (1, 0)}))
    with pytest.raises(InputError, match="from the first tick on"):
        judge.feed(assigned(1))


def test_the_line_is_read_back() -> None:
    line = assigned(0)
    assert parse(dump(line), "f", 1) == line


def test_weights_of_objectives_split_alpha() -> None:
    found = {}
    for weight in (1.0, 0.05):
        cloud = Cloud(7)
        cloud.judge.feed(ObjectivesLine("r1", {"errors": weight}))
        cloud.step()
        cloud.run(200, 0.05, 2.0)
        found[weight] = cloud.ticks
    assert found[1.0] < found[0.05]


@pytest.mark.slow
@pytest.mark.cpu(120)
@pytest.mark.timeout(600)
def test_of_harmless_rollouts_whose_odds_stray_hardly_any_is_reverted() -> None:
    """At alpha 5 %, so that 40 rollouts can say something; odds stray by 30 % from hour to hour."""
    found = 0
    for seed in range(40):
        cloud = Cloud(100 + seed, alpha=0.05)
        cloud.pods, cloud.astray = {"v2": 2, "v1": 4}, 0.3
        cloud.step()
        found += cloud.run(48, 0.05).verdict is Verdict.BREACHED
    # Were it exactly 5 %, more than 6 of 40 would come once in 200 times.
    assert found <= 6
