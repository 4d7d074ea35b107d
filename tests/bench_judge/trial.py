"""One rollout through the real judge, and through the rivals."""

from dataclasses import dataclass, field
from itertools import pairwise

from reconciler.analysis import Code, Judge, ObjectiveVerdict, Settings, Verdict
from reconciler.recording import TickLine
from tests.bench_judge.fleet import Fleet, Recorded, Rollout, lines, simulate
from tests.bench_judge.rivals import RULES, reverted_at

CANNOT = {Code.TOO_FEW_STABLE, Code.TOO_FEW_COHORTS, Code.NO_CONCURRENT_STABLE}


@dataclass(frozen=True)
class Case:
    """What is simulated, how often, and what is asked.

    Attributes:
        name: Seeds follow from it, so no case changes when another is added.
        fleet: What sites are like.
        rollout: What is rolled out, and how.
        runs: How many rollouts.
        passes: Whether every look asks for a verdict, until the end; else a breach ends it.
        settings: Of the judge.
    """

    name: str
    fleet: Fleet
    rollout: Rollout
    runs: int
    passes: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Outcome:
    """What came of one rollout.

    Attributes:
        looks: Look of the revert by judge ("judge") or rule, None = none.
        served: Canary requests up to then, or to the end; since the harm began in `late`.
        healthy: Looks at which a step was first Healthy, by step; None = never.
        open: The same for E_ok alone.
        cannot: Whether the judge said, to the end, that it cannot compare.
    """

    looks: dict[str, int | None]
    served: dict[str, int]
    late: dict[str, int]
    healthy: tuple[int | None, ...]
    open: tuple[int | None, ...]
    cannot: bool


def run(case: Case, number: int) -> Outcome:
    """Let one rollout of a case happen."""
    seed = (*case.name.encode(), number)
    recorded = simulate(case.fleet, case.rollout, seed)
    said, breach = _judge(case, recorded)
    looks = {name: reverted_at(rule, recorded) for name, rule in RULES.items()} | {"judge": breach}
    events = recorded.canary_sums()[0].cumsum()
    before = int(events[case.rollout.since - 1]) if case.rollout.since else 0
    served = {
        name: int(events[-1] if look is None else events[look]) for name, look in looks.items()
    }
    return Outcome(
        looks,
        served,
        {name: max(0, number - before) for name, number in served.items()},
        _first(case, said, [one.verdict is Verdict.HEALTHY for one in said]),
        _first(case, said, [one.e_ok >= 1 / case.settings.beta for one in said]),
        bool(said) and said[-1].reasons[0].code in CANNOT,
    )


def _judge(case: Case, recorded: Recorded) -> tuple[list[ObjectiveVerdict], int | None]:
    """Give the verdicts asked for, at least the last one, and the look of the breach."""
    judge, look = Judge(case.settings), -1
    said: list[ObjectiveVerdict] = []
    breach: int | None = None
    for line in lines(recorded):
        look += isinstance(line, TickLine)
        wanted = case.passes or look == case.rollout.looks - 1
        verdict = judge.feed(line, decide=wanted)
        said += [verdict] if verdict else []
        if breach is None and judge.breached:
            breach = look
            if not case.passes:
                break
    return said, breach


def _first(case: Case, said: list[ObjectiveVerdict], held: list[bool]) -> tuple[int | None, ...]:
    starts = [since for since, _ in case.rollout.steps] + [case.rollout.looks]
    if not case.passes:
        return (None,) * len(case.rollout.steps)
    found: list[int | None] = []
    for start, end in pairwise(starts):
        inside = [look for look in range(start, end) if held[look]]
        found.append(inside[0] - start if inside else None)
    return tuple(found)
