"""What a person is told of a wait: since when, until when, what is missing, what would end it."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from generator.model.percent import FULL
from generator.model.rollout import OnDeadline, Rollout
from generator.model.spans import say_span
from reconciler.analysis import Verdict
from reconciler.policy import (
    Decision,
    Escalate,
    Hold,
    Situation,
    bump,
    command,
    late,
    past_the_top,
)

FORECAST = {"undecided", "deadline"}
PATIENCE = {"undecided", "adoption", "soak"}
"""Waits that only time should end, though a person may."""
METRICS = {"nodata", "stale", "metrics", "doubted", "no-history"}
LONGEST_FORECAST_H = 720
LONGEST_FORECAST = timedelta(hours=LONGEST_FORECAST_H)


def unmeasured(
    code: str, why: str, rollout: Rollout, since: datetime, now: datetime
) -> Hold | Escalate:
    """Wait for metrics that cannot be read or believed, and ask a person past the deadline.

    Never a revert: there would be no evidence to commit with it.
    """
    waited = now - since
    if waited <= rollout.deadline:
        return Hold(code, why, since + rollout.deadline)
    why = f"{late(rollout, waited)}; {why}"
    if rollout.on_deadline is OnDeadline.HOLD:
        return Hold("deadline", why, None, command(rollout, "revert"))
    return Escalate(why, command(rollout, "revert"))


def explain(
    decision: Decision,
    rollout: Rollout,
    since: datetime | None,
    situation: Situation | None = None,
) -> Decision:
    """Tell a person more of a wait: since when, what is missing, and what would end it.

    What is added stands in no evidence, since a wait is never committed.

    Args:
        decision: As it was decided; only a wait is changed.
        rollout: What it was decided on.
        since: When the present step was taken, or seen.
        situation: What else it was decided on, where that could be looked at.
    """
    match decision:
        case Escalate():
            return replace(decision, since=since)
        case Hold(code, why, _, known):
            forecast = _forecast(situation) if situation and code in FORECAST else ""
            why = f"{why}; {forecast}" if forecast else why
            return replace(decision, why=why, command=known or _remedy(rollout, code), since=since)
        case _:
            return decision


def _remedy(rollout: Rollout, code: str) -> str:
    """Name the command that would end a wait that time ends as well, or finds its cause."""
    if code in METRICS:
        return "tidegate doctor --only metrics"
    if code not in PATIENCE:
        return ""
    return past_the_top(rollout) if rollout.percent == FULL else bump(rollout)


def _forecast(situation: Situation) -> str:
    """Say what the objective that takes longest still needs."""
    waits: list[tuple[float, int]] = []
    for one in situation.verdicts:
        if one.needs and one.verdict is Verdict.UNDECIDED:
            pace = situation.pace.get(one.objective, 0.0)
            waits.append((one.needs / pace if pace else math.inf, one.needs))
    if not waits:
        return ""
    hours, events = max(waits)
    text = f"needs about {_round(events):,} more predictions"
    if math.isinf(hours) or hours > LONGEST_FORECAST_H:
        return f"{text}, more than {say_span(LONGEST_FORECAST)} at the present rate"
    return f"{text}, {say_span(timedelta(minutes=math.ceil(60 * hours)))} at the present rate"


def _round(number: int) -> int:
    """Round up to two digits."""
    power = 10 ** max(0, len(str(number)) - 2)
    return int(math.ceil(number / power) * power)
