"""Run the rules, each on its own, and set aside what people have waived."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from generator import layout
from generator.errors import InputError, Problem
from generator.lint.finding import Finding, Severity
from generator.lint.rules import RULES, WAIVERS, Rule
from generator.lint.view import View
from generator.model.config import Waiver
from generator.render import argocd
from generator.repository import Repository

_READ_AT_ONCE = (
    layout.ARGOCD,
    layout.ENVIRONMENTS,
    layout.EVIDENCE,
    layout.MODELS,
    layout.MONITORING,
    layout.RELEASES,
    layout.ROLLOUTS,
)


def lint(
    repository: Repository,
    now: datetime,
    rules: Sequence[Rule] = RULES,
    waivers: Sequence[Waiver] | None = None,
) -> tuple[Finding, ...]:
    """Check a whole repository.

    Args:
        repository: Any commit, or a draft over one.
        now: UTC; waivers end.
        rules: What to check.
        waivers: What is set aside; None takes the repository's own word for it.

    Returns:
        All findings by file and line; waived ones are among them.
    """
    view = View(repository)
    _read_ahead(view)
    found: list[Finding] = []
    for rule in sorted(rules, key=lambda rule: rule.is_last):
        if rule.is_last:
            view.blamed = frozenset(f.file for f in found if f.severity is Severity.ERROR)
        found.extend(_run(rule, view))
    config = view.config()
    own = config.waivers if config is not None else ()
    valid = own if waivers is None else waivers
    told = [*(_waive(one, valid, now) for one in found), *_judge(view, own, rules, now)]
    return tuple(sorted(dict.fromkeys(told)))


def _read_ahead(view: View) -> None:
    """Read what nearly every rule looks at with one process instead of one for each file."""
    paths = [
        path
        for top in _READ_AT_ONCE
        for path in view.ids(top)
        if not path.endswith(".gz") and not path.startswith(f"{argocd.PULL}/")
    ]
    view.tree.read_many([layout.CONFIG, layout.REJECTED, layout.ANSWERS, layout.LOCK, *paths])


def _run(rule: Rule, view: View) -> Iterator[Finding]:
    try:
        problems = tuple(rule.check(view))
    except InputError as error:
        problems = error.problems
    for one in problems:
        yield _finding(rule.id, rule.severity, one)


def _finding(rule: str, severity: Severity, one: Problem) -> Finding:
    return Finding(one.file or "", one.line or 0, rule, severity, one.message, one.hint or "")


def _waive(finding: Finding, waivers: Sequence[Waiver], now: datetime) -> Finding:
    for waiver in waivers:
        if waiver.rule == finding.rule and now < waiver.until:
            text = f"{finding.message} (waived: {waiver.reason})"
            return replace(finding, severity=Severity.WAIVED, message=text)
    return finding


def _judge(
    view: View, waivers: Sequence[Waiver], rules: Sequence[Rule], now: datetime
) -> Iterator[Finding]:
    known = [rule.id for rule in rules]
    for number, waiver in enumerate(waivers):
        documents = view.documents(layout.CONFIG)
        line = documents[0].line_of("waivers", number) if documents else 0
        if waiver.rule not in known:
            near = difflib.get_close_matches(waiver.rule, known, 1)
            text = f"a waiver of {waiver.rule!r}, which is no rule"
            hint = f"did you mean {near[0]!r}?" if near else "tidegate verify --rules lists them"
            yield Finding(layout.CONFIG, line, WAIVERS, Severity.ERROR, text, hint)
        elif waiver.until <= now:
            text = f"the waiver of {waiver.rule} ended on {waiver.until:%Y-%m-%d}"
            hint = "mend what it covered, and take it away"
            yield Finding(layout.CONFIG, line, WAIVERS, Severity.ERROR, text, hint)
