"""The table of what holds for a change, beside what holds for every commit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from generator.errors import InputError, Problem
from generator.gate import approvals, policy, promotions, releases
from generator.gate.case import Case
from generator.gate.origin import forks
from generator.lint.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that holds for every change that may be merged.

    Attributes:
        id: The word in front of a finding; no waiver can name it.
        check: Finds what breaks it.
        reason: One sentence: what happens otherwise.
    """

    id: str
    check: Callable[[Case], Iterable[Problem]]
    reason: str
    severity: Severity = Severity.ERROR


def _of(check: Callable[..., Iterable[Problem]]) -> Callable[[Case], Iterable[Problem]]:
    return lambda case: check(case.change)


def _windows(case: Case) -> Iterable[Problem]:
    return promotions.windows(case.change, case.now, case.zones)


def _missing(case: Case) -> Iterable[Problem]:
    return approvals.missing(case.change, case.origin, case.voices)


def _unasked(case: Case) -> Iterable[Problem]:
    return approvals.unasked(case.change, case.origin, case.voices)


def _forks(case: Case) -> Iterable[Problem]:
    return forks(case.change, case.origin)


RULES: tuple[Rule, ...] = (
    Rule("gate-policy", _of(policy.mixed), "A change would bring the rules it is judged by."),
    Rule("gate-guard", _of(policy.guarded), "A change would switch off who or what looks at it."),
    Rule("gate-links", _of(policy.odd), "What nobody reads could be anything."),
    Rule("gate-stale", _of(policy.stale), "An approval would count for another rollout."),
    Rule("gate-kept", _of(policy.kept), "A decision could no longer be proved."),
    Rule("gate-fork", _forks, "Anybody on the internet could move a fleet."),
    Rule("gate-release", _of(releases.releases), "Bytes that nobody has reviewed would run."),
    Rule("gate-allowed", _of(releases.allowed), "A release would come from anywhere."),
    Rule("gate-move", _of(promotions.promotions), "A rollout could start at its end."),
    Rule("gate-requires", _of(promotions.required), "An edge would try what no one has tried."),
    Rule("gate-window", _windows, "A step would be taken while nobody is there to look."),
    Rule("gate-approval", _missing, "One pair of eyes, or a machine, would move a fleet."),
    Rule("gate-unasked", _unasked, "CI will ask.", Severity.WARNING),
)


def check(case: Case, rules: Iterable[Rule] = RULES) -> tuple[Finding, ...]:
    """Hold a change against the table.

    Args:
        case: The change, and what is known of where it comes from.
        rules: What to check.
    """
    return tuple(
        Finding(
            one.file or "",
            one.line or 0,
            rule.id,
            rule.severity,
            one.message,
            one.hint or "",
        )
        for rule in rules
        for one in _run(rule, case)
    )


def _run(rule: Rule, case: Case) -> tuple[Problem, ...]:
    try:
        return tuple(rule.check(case))
    except InputError as error:
        return error.problems
