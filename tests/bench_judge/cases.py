"""What is simulated: one name for each line of the tables."""

from collections.abc import Iterator
from dataclasses import replace

from tests.bench_judge.fleet import Fleet, Rollout
from tests.bench_judge.trial import Case

FLEET = Fleet()
ONE_STEP = Rollout()
RAMP = Rollout(steps=((0, 25), (15, 50), (30, 125), (45, 250)))
SPREADS = {
    "sites alike (CV 0)": Fleet(spread=0),
    "sites very unlike (CV 1)": Fleet(spread=1),
    "base rate 0.1 %": Fleet(rate=0.001),
    "base rate 5 %": Fleet(rate=0.05),
    "2 requests per look": Fleet(requests=2),
}
OTHERS = {
    **SPREADS,
    "lots CV 0.6": Fleet(lots=0.6),
    "history drifts CV 0.4": Fleet(drift=0.4),
    "a day's surge x3": Fleet(surge=(20, 40, 3.0)),
}
SMALL = {80: (0, 8), 20: (0, 4), 5: (0, 1)}
NULLS, FOUND, OTHER, SOME = 2000, 1000, 1000, 400


def all_cases(scale: float) -> Iterator[Case]:
    """Give every case, with the given share of its usual number of rollouts."""
    for case in _cases():
        yield replace(case, runs=max(2, round(case.runs * scale)))


def _cases() -> Iterator[Case]:
    for name, rollout in (("one step", ONE_STEP), ("ramp", RAMP)):
        yield Case(f"{name} x1", FLEET, rollout, NULLS, passes=True)
        yield Case(f"{name} x1.5", FLEET, replace(rollout, times=1.5), FOUND, passes=True)
        for times in (1.2, 2.0, 5.0):
            runs = FOUND if times == 2 else OTHER // 2
            yield Case(f"{name} x{times:g}", FLEET, replace(rollout, times=times), runs)
    for times in (1.5, 2.0):
        late = replace(ONE_STEP, times=times, since=30, looks=120)
        yield Case(f"late x{times:g}", FLEET, late, SOME)
        yield Case(f"early x{times:g}", FLEET, replace(late, since=0), SOME)
    for name, fleet in OTHERS.items():
        yield Case(f"{name} x1", fleet, ONE_STEP, OTHER if name in SPREADS else SOME)
        yield Case(f"{name} x2", fleet, replace(ONE_STEP, times=2.0), SOME)
    for sites, step in SMALL.items():
        for times in (1.0, 2.0, 5.0):
            rollout = Rollout(steps=(step,), times=times)
            runs = NULLS if times == 1 and sites == max(SMALL) else SOME
            yield Case(f"{sites} sites x{times:g}", Fleet(sites=sites), rollout, runs)
