"""What a rollout says of itself while it climbs, and once at its end; told from its evidence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from generator.documents.config import read_time
from generator.model.rollout import Phase, Rollout
from generator.model.spans import say_span
from generator.telling.markdown import code, fenced, table
from generator.telling.promotion import staircase

MOST_ROWS = 40
MOST_SITES = 100
MOVES = ("advance", "complete", "revert")
Entry = Mapping[str, Any]


def marker(rollout: str) -> str:
    """Name the one comment that tells of a rollout."""
    return f"rollout/{rollout}"


def last_marker(rollout: str) -> str:
    """Name the comment with the last words of a rollout."""
    return f"{marker(rollout)}/end"


def comment(rollout: Rollout, entries: Sequence[Entry], n: int, waits: str = "") -> str:
    """Write the comment that is kept up to date, step after step.

    Args:
        rollout: As it stands.
        entries: Its evidence, oldest first.
        n: Sites of its cohort; 0 where percentages are of traffic.
        waits: What it waits for, in words; "" where that is not known, or nothing.
    """
    moves = [one for one in entries if one.get("decision") in MOVES]
    parts = [f"**{_headline(rollout, n)}**", code(waits, 500) if waits else ""]
    if rollout.is_climbing:
        parts.append(fenced(staircase(rollout, n).replace("<- here first", "<- here")))
    parts += [_steps(moves), numbers(moves[-1].get("objectives", ()) if moves else ())]
    if rollout.is_climbing:
        undo = f"tidegate revert {rollout.model} --env {rollout.environment} --reason ..."
        parts.append(f"Undo: {code(undo)}")
    return "\n\n".join(part for part in parts if part)


def _headline(rollout: Rollout, n: int) -> str:
    name = _short(rollout.canary or rollout.stable)
    where = f"of {n:,} sites" if n else "of the traffic"
    if rollout.phase is Phase.PAUSED:
        return f"{name} is at {rollout.percent}% {where}, paused"
    if rollout.phase is Phase.COMPLETED:
        return f"{name} runs everywhere"
    if rollout.phase is Phase.REVERTED:
        return f"It was taken back: {name} runs everywhere again"
    return f"{name} is at {rollout.percent}% {where}"


def _short(release: str) -> str:
    return release.partition("-")[0]


def _steps(moves: Sequence[Entry]) -> str:
    if not moves:
        return "No step was taken yet."
    rows = [
        (
            f"{read_time(one['at']):%Y-%m-%d %H:%M} UTC",
            code(str(one["decision"])),
            f"{code(str(one.get('fromPercent', '')))} → {code(str(one.get('toPercent', '')))}",
            code(str(one.get("verdict", ""))),
            code(str(one.get("why", "")), 300),
        )
        for one in moves[-MOST_ROWS:]
    ]
    return table(("when", "decision", "percent", "verdict", "why"), rows)


def numbers(objectives: Sequence[Entry]) -> str:
    """Write what a decision stood on, an objective a line, as evidence holds it."""
    rows = [
        (
            code(str(one.get("objective", ""))),
            _count(one.get("bad")),
            _count(one.get("events")),
            _number(one.get("expectedBad")),
            _number(one.get("ratio")),
            _number(one.get("eBad")),
            _number(one.get("eOk")),
        )
        for one in objectives[:MOST_ROWS]
    ]
    if not rows:
        return ""
    head = ("objective", "bad", "of", "expected", "ratio", "evidence of harm", "of no harm")
    return f"Numbers of the last decision:\n\n{table(head, rows)}"


def _count(value: object) -> str:
    return f"{value:,}" if type(value) is int else "-"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"


def final(
    rollout: Rollout,
    entries: Sequence[Entry],
    n: int,
    away: Sequence[str] | None,
    ended: datetime,
    *,
    by: str = "",
) -> str:
    """Write the last words: what became of it, how long it took, who has not got it.

    Args:
        rollout: As it ended.
        entries: Its evidence, oldest first.
        n: Sites of its cohort; 0 where percentages are of traffic.
        away: Sites known not to hold what Git says; None where nobody watches them.
        ended: When it ended, UTC.
        by: Release that superseded it, or "".
    """
    moves = [one for one in entries if one.get("decision") in MOVES]
    parts = [f"**{_headline(rollout, n)}**", f"Superseded by {code(by)}." if by else ""]
    if entries:
        span = ended - read_time(entries[0]["at"])
        last = moves[-1].get("objectives", ()) if moves else ()
        events = max((_events(one) for one in last), default=0)
        seen = f" and {events:,} counted predictions" if events else ""
        parts.append(f"Took {say_span(span)}, {_plural(len(moves), 'decision')}{seen}.")
    parts += [_steps(moves), _served(moves), _away(rollout, away)]
    return "\n\n".join(part for part in parts if part)


def _served(moves: Sequence[Entry]) -> str:
    counts = moves[-1].get("adoption") if moves else None
    if not isinstance(counts, Mapping):
        return ""
    serving, reachable, canary = (
        _count(counts.get(key)) for key in ("serving", "reachable", "canary")
    )
    return (
        f"When that was decided, {serving} of {reachable} reachable canary sites served it "
        f"({canary} in all)."
    )


def _away(rollout: Rollout, away: Sequence[str] | None) -> str:
    if away:
        shown = ", ".join(code(site) for site in sorted(away)[:MOST_SITES])
        more = f" and {len(away) - MOST_SITES:,} more" if len(away) > MOST_SITES else ""
        return f"Not there yet, {_plural(len(away), 'site')}: {shown}{more}"
    if rollout.phase is not Phase.COMPLETED:
        return ""
    if away is None:
        ask = f"tidegate status {rollout.model} --env {rollout.environment}"
        return f"Nobody watches the sites from here; who lags behind: {code(ask)}"
    return "No site is known to lag behind."


def _events(objective: Mapping[str, Any]) -> int:
    events = objective.get("events")
    return events if type(events) is int else 0


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
