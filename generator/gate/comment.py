"""What a pull request is told: what it moves, where, and what stands in its way."""

from collections import Counter
from collections.abc import Iterator, Sequence

from generator import layout
from generator.errors import InputError
from generator.gate.change import ENTERING, Change, Kind, Move
from generator.lint.finding import Finding, Severity, count
from generator.model.pull import SLO, VERIFY, Light, Status
from generator.telling.markdown import code, fenced, table
from generator.telling.promotion import staircase

MARKER = "plan"
MOST_ROWS = 30
MOST_SITES = 100
# What time or people can still change, without a new commit.
_WAITING = ("gate-approval", "gate-window")


def statuses(change: Change, findings: Sequence[Finding], url: str) -> Iterator[Status]:
    """Give the marks of the newest commit.

    Whether the evidence allows a higher percentage only the reconciler knows: it sets
    `tidegate/slo` there.

    Args:
        change: What was judged.
        findings: What was found.
        url: Where to read more.
    """
    errors = [one for one in findings if one.severity is Severity.ERROR]
    waits = all(one.rule in _WAITING for one in errors)
    light = Light.SUCCESS if not errors else Light.PENDING if waits else Light.FAILURE
    text = errors[0].message if errors else "may be merged"
    yield Status(VERIFY, light, text, url)
    if any(move.kind in ENTERING for move in change.moves):
        yield Status(SLO, Light.SUCCESS, "it enters: nothing could be measured before", url)
    elif not any(move.kind is Kind.UP for move in change.moves):
        yield Status(SLO, Light.SUCCESS, "no step is asked for", url)


def comment(change: Change, findings: Sequence[Finding]) -> str:
    """Write the one comment that is kept up to date: plan first, then what is in the way."""
    parts = [_headline(change, findings)]
    for move in change.moves:
        parts += _move(change, move)
    parts.append(_findings(findings))
    head = change.head.tree.commit[:12]
    parts.append(f"Judged {code(head)} by the rules of {code(change.base.tree.commit[:12])}.")
    return "\n\n".join(part for part in parts if part)


def _headline(change: Change, findings: Sequence[Finding]) -> str:
    errors = [one for one in findings if one.severity is Severity.ERROR]
    what = "; ".join(str(move) for move in change.moves) or "nothing moves"
    if not errors:
        return f"**This may be merged**: {code(what, 500)}"
    if all(one.rule in _WAITING for one in errors):
        return f"**This has to wait**: {code(what, 500)}"
    return f"**This must not be merged**: {code(what, 500)}"


def _move(change: Change, move: Move) -> Iterator[str]:
    if move.after is None or move.kind not in (Kind.UP, Kind.DOWN):
        return
    drawn = _strata(change, move)
    sites = sorted(_sites(change, move))
    yield fenced(staircase(move.after, len(drawn)).replace("<- here first", "<- here"))
    if drawn:
        yield _by_stratum(drawn, sites)
    if sites:
        shown = ", ".join(code(site) for site in sites[:MOST_SITES])
        more = f" and {len(sites) - MOST_SITES:,} more" if len(sites) > MOST_SITES else ""
        yield f"Re-renders {count(len(sites), 'Application')}: {shown}{more}"
    undo = f"tidegate revert {move.model} --env {move.environment} --reason ..."
    yield f"Undo after the merge: {code(undo)}"


def _sites(change: Change, move: Move) -> frozenset[str]:
    under = f"{layout.SITES}/{move.environment}/"
    parts = (path.split("/") for path in change.paths if path.startswith(under))
    return frozenset(part[2] for part in parts if len(part) > 4 and part[3] == move.model)


def _strata(change: Change, move: Move) -> dict[str, str]:
    try:
        drawn = change.head.cohort(move.environment, move.model)
    except InputError:
        return {}
    return {one.id: one.stratum for one in drawn.members} if drawn else {}


def _by_stratum(drawn: dict[str, str], sites: Sequence[str]) -> str:
    every = Counter(drawn.values())
    changing = Counter(drawn[site] for site in sites if site in drawn)
    rows = [
        (code(name), f"{changing[name]:,}", f"{every[name]:,}")
        for name in sorted(every)
        if changing[name]
    ]
    if not rows:
        return ""
    more = f"\n\nand {len(rows) - MOST_ROWS:,} more strata" if len(rows) > MOST_ROWS else ""
    return table(("stratum", "sites that change", "of"), rows[:MOST_ROWS]) + more


def _findings(findings: Sequence[Finding]) -> str:
    told = [one for one in findings if one.severity is Severity.ERROR]
    told += [one for one in findings if one.severity is Severity.WARNING]
    rows = [
        (
            one.severity.value,
            code(one.rule),
            code(f"{one.file}:{one.line}" if one.line else one.file or "."),
            code(one.message, 400),
            code(one.fix, 300),
        )
        for one in told[:MOST_ROWS]
    ]
    if not rows:
        return ""
    more = f"\n\nand {len(told) - MOST_ROWS:,} more" if len(told) > MOST_ROWS else ""
    return table(("", "rule", "where", "what", "what mends it"), rows) + more
