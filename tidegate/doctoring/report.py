"""Write what was found: what is well first, what is wrong last, then one line that sums it up."""

import json
from collections.abc import Sequence

from reconciler.checkup import Finding, State

_ORDER = {state: place for place, state in enumerate(State)}


def text(findings: Sequence[Finding], *, whole: bool) -> str:
    """Write it for a person; an error stands right above the prompt.

    Args:
        findings: In the order of the checks.
        whole: Also what is well.
    """
    shown = [one for one in findings if whole or one.state is not State.OK]
    lines = [str(one) for one in sorted(shown, key=lambda one: _ORDER[one.state])]
    return "\n".join([*lines, summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """Sum it up in one line."""
    errors = [one for one in findings if one.state is State.ERROR]
    counts = ", ".join(f"{_count(findings, state)} {_noun(state, findings)}" for state in State)
    if not errors:
        return f"{counts}: nothing stands in the way"
    named = ", ".join(dict.fromkeys(one.check for one in errors))
    return f"{counts}: mend {named}"


def data(findings: Sequence[Finding]) -> str:
    """Write it as one JSON document."""
    counts = {state.value: _count(findings, state) for state in State}
    return json.dumps({"counts": counts, "findings": [one.as_data() for one in findings]}, indent=2)


def _count(findings: Sequence[Finding], state: State) -> int:
    return sum(one.state is state for one in findings)


def _noun(state: State, findings: Sequence[Finding]) -> str:
    counted = state in (State.ERROR, State.WARNING)
    return f"{state.value}s" if counted and _count(findings, state) != 1 else state.value
