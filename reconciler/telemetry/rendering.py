"""The metrics of a report, one family after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from generator.model import telemetry as names
from generator.model.rollout import Phase
from generator.model.telemetry import Metric
from reconciler.outlook import Outlook
from reconciler.policy import Advance, Decision, Hold, Revert
from reconciler.telemetry.counts import Counts
from reconciler.telemetry.report import Applied, Desired, Line, Report
from reconciler.telemetry.text import family, head, histogram, per_site

# A step that waits for one of these is never overdue; see reconciler.policy.
_UNHURRIED = ("soak", "by-hand", "deny-window")
_LINE = ("environment", "model")


def render(report: Report) -> bytes:
    """Write the exposition."""
    # A tick may decide more than the outlook did: between objects and weights of a cloud rollout.
    passes = report.passes
    told = [replace(one.outlook, decision=one.decision) for one in passes if one.outlook]
    out = [one for one in told if one.rollout.canary]
    parts = (_ticks(report), *_rollouts(told), *_climbing(out), *_judged(out))
    text = "".join((*parts, *_counts(report.counts), *_sites(report)))
    return text.encode("utf-8", "replace")


def _ticks(report: Report) -> str:
    says = "End of the last whole tick, seconds since the epoch."
    samples = (((name,), at.timestamp()) for name, at in report.ticks.items())
    return family(names.TICK, Metric.GAUGE, says, ("environment",), samples)


def _rollouts(told: Sequence[Outlook]) -> Iterator[str]:
    labels = (*_LINE, "rollout", "stable", "canary", "phase")
    samples = (((*_line(one), *_names(one)), 1) for one in told)
    yield family(names.ROLLOUT_INFO, Metric.GAUGE, "What the rollout file says.", labels, samples)
    says = "Percent 0..100 on the canary; 0 where nothing climbs."
    yield _per_line(names.ROLLOUT_PERCENT, says, told, _percent)


def _climbing(out: Sequence[Outlook]) -> Iterator[str]:
    climbing = [one for one in out if one.rollout.phase is Phase.PROGRESSING]
    says = "Start of the step, seconds since the epoch."
    yield _per_line(names.ROLLOUT_STEP, says, climbing, _step)
    says = "End of the longest wait of the step, seconds since the epoch."
    yield _per_line(names.ROLLOUT_DEADLINE, says, climbing, _deadline)


def _judged(out: Sequence[Outlook]) -> Iterator[str]:
    gauge = Metric.GAUGE
    verdicts = (((*_line(one), _verdict(one)), 1) for one in out)
    says = "The verdict of the last tick."
    yield family(names.VERDICT, gauge, says, (*_LINE, "verdict"), verdicts)
    decided = (((*_line(one), *say_decision(one.decision)), 1) for one in out if one.decision)
    says = "The decision of the last tick."
    yield family(names.DECISION, gauge, says, (*_LINE, "decision", "code"), decided)
    rows = [
        ((*_line(one), each.objective), each)
        for one in out
        for each in (one.situation.verdicts if one.situation else ())
    ]
    says = "E-value for: the canary is worse."
    bad = ((labels, each.e_bad) for labels, each in rows)
    yield family(names.E_BAD, gauge, says, (*_LINE, "objective"), bad)
    says = "E-value for: the canary is not worse than the margin."
    ok = ((labels, each.e_ok) for labels, each in rows)
    yield family(names.E_OK, gauge, says, (*_LINE, "objective"), ok)


def say_decision(decision: Decision) -> tuple[str, str]:
    """Give the kind of a decision, and the code of why, "" where it has none."""
    code = decision.code if isinstance(decision, Hold | Revert) else ""
    return type(decision).__name__, code


def _line(one: Outlook) -> Line:
    return one.rollout.environment, one.rollout.model


def _names(one: Outlook) -> tuple[str, ...]:
    rollout = one.rollout
    phase = rollout.phase.value if rollout.phase else ""
    return rollout.id if rollout.canary else "", rollout.stable, rollout.canary, phase


def _percent(one: Outlook) -> float:
    return one.rollout.percent.basis_points / 100 if one.rollout.canary else 0


def _verdict(one: Outlook) -> str:
    return one.situation.verdict.value if one.situation else "NoData"


def _step(one: Outlook) -> float | None:
    return one.since.timestamp() if one.since else None


def _deadline(one: Outlook) -> float | None:
    decision = one.decision
    unhurried = isinstance(decision, Hold) and decision.code in _UNHURRIED
    if one.since is None or unhurried or isinstance(decision, Advance):
        return None
    return (one.since + one.rollout.deadline).timestamp()


def _per_line(
    name: str, says: str, told: Iterable[Outlook], value: Callable[[Outlook], float | None]
) -> str:
    found = ((_line(one), value(one)) for one in told)
    samples = ((line, number) for line, number in found if number is not None)
    return family(name, Metric.GAUGE, says, _LINE, samples)


def _counts(counts: Counts) -> Iterator[str]:
    counter = Metric.COUNTER
    commits, troubles = counts.commits.items(), counts.troubles.items()
    yield family(names.COMMITS, counter, "Commits that landed.", (*_LINE, "kind"), commits)
    says = "Ticks of one rollout that went wrong."
    yield family(names.TROUBLES, counter, says, (*_LINE, "cause"), troubles)
    passes = (((outcome,), number) for outcome, number in counts.passes.items())
    yield family(names.PASSES, counter, "Passes over the repository.", ("outcome",), passes)
    says, total = "Length of passes in seconds.", sum(counts.passes.values())
    yield histogram(names.DURATION, says, counts.within, total, counts.seconds)


def _sites(report: Report) -> Iterator[str]:
    says = "When the reconciler started, seconds since the epoch."
    yield family(names.STARTED, Metric.GAUGE, says, (), [((), report.started.timestamp())])
    for name, says, wanted in (
        (names.SITE_DESIRED, "The release that Git wants on a site.", report.desired),
        (names.SITE_APPLIED, "The release that Argo CD has applied.", _by_line(report.applied)),
    ):
        yield head(name, Metric.GAUGE, says)
        for line, releases in sorted(wanted.items(), key=lambda one: one[0]):
            yield per_site(name, *line, releases)


def _by_line(applied: Applied) -> Desired:
    found: dict[Line, dict[str, str]] = {}
    for (environment, model, site), release in applied.items():
        found.setdefault((environment, model), {})[site] = release
    return found
