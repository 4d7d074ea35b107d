"""How every rollout stands, as data, and as the tree that people know from Argo Rollouts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from generator.documents.config import write_time
from generator.errors import InputError
from generator.model.environment import Environment, Kind
from generator.model.rollout import Phase, Rollout
from generator.model.spans import say_span
from generator.repository import Repository
from generator.zones import zone
from reconciler.measure import Answer, MetricsUnavailable
from reconciler.outlook import Memory, Outlook, Query
from reconciler.policy import Advance, Escalate, Hold, Revert
from reconciler.ports import Connect
from reconciler.record import numbers
from reconciler.tick import Pass, run
from reconciler.waits import PATIENCE

Data = Mapping[str, Any]
GLYPHS = {
    "Completed": "✔",
    "Progressing": "▲",
    "Holding": "◷",
    "Paused": "‖",
    "Reverting": "▼",
    "Reverted": "✖",
    "Pending": "○",
    "Invalid": "!",
}


def statuses(repository: Repository, connect: Connect, now: datetime) -> list[Data]:
    """Look at every rollout; writes nothing.

    Args:
        repository: What stands in Git.
        connect: Opens the metrics API of an environment.
        now: UTC.
    """
    memory = Memory(zones=zone)
    return [
        _status(
            repository, environment, model, _patient(repository, environment, connect), now, memory
        )
        for environment, model in repository.rollouts()
    ]


def noted(rows: Sequence[Data], notes: Sequence[str]) -> list[Data]:
    """Add one note to each row; "" is none."""
    return [
        {**row, "notes": [*row.get("notes", ()), note]} if note else row
        for row, note in zip(rows, notes, strict=True)
    ]


def _patient(repository: Repository, environment: str, connect: Connect) -> Query:
    """Open the metrics so that an address that is not allowed reads as no metrics."""

    def ask(*words: Any) -> Answer:  # noqa: ANN401 (passed through as it came)
        try:
            return connect(repository.environment(environment).prometheus)(*words)
        except InputError as error:
            raise MetricsUnavailable("Prometheus", str(error)) from error

    return ask


def _status(
    repository: Repository,
    environment: str,
    model: str,
    query: Query,
    now: datetime,
    memory: Memory,
) -> Data:
    passed = run(repository, environment, model, query, now, memory)
    head: dict[str, Any] = {"environment": environment, "model": model}
    if passed.outlook is None:
        return head | {"status": "Invalid", "waitsFor": _waits(passed), "problem": passed.trouble}
    rollout, outlook = passed.outlook.rollout, passed.outlook
    sites = len(repository.sites(environment))
    settings = repository.environment(environment)
    edge = settings.kind is Kind.EDGE
    return head | {
        "delivery": settings.delivery.value,
        "status": _name(passed, rollout),
        "phase": rollout.phase.value if rollout.phase else None,
        "stable": rollout.stable or None,
        "canary": rollout.canary or None,
        "rollout": rollout.id or None,
        "percent": str(rollout.percent),
        "steps": [str(step) for step in rollout.steps],
        "step": rollout.step_number(rollout.percent),
        "since": _time(outlook.since),
        "sites": _sites(outlook, sites) if edge else {"total": sites},
        "verdict": outlook.situation.verdict.value if outlook.situation else None,
        "objectives": [numbers(one) for one in outlook.situation.verdicts]
        if outlook.situation
        else [],
        "judgedThrough": _time(outlook.through),
        "soakedSeconds": outlook.situation.soaked.total_seconds() if outlook.situation else None,
        "waitsFor": _waits(passed),
        "wouldCommit": passed.change.subject if passed.change else None,
        "notes": [*outlook.notes, *_unknown(settings)],
    }


def _unknown(settings: Environment) -> Iterator[str]:
    if settings.delivery.is_pull:
        yield f"applied is not known: each site pulls by {settings.delivery.value}; serving counts"


def _name(passed: Pass, rollout: Rollout) -> str:
    if rollout.phase is None:
        return "Pending"
    if rollout.phase in (Phase.COMPLETED, Phase.REVERTED):
        return rollout.phase.value
    match passed.decision:
        case Revert():
            return "Reverting"
        case _ if rollout.phase is Phase.PAUSED:
            return "Paused"
        case Hold("soak") | Advance() | None:
            return "Progressing"
        case Hold() | Escalate():
            return "Holding"


def _sites(outlook: Outlook, total: int) -> Data:
    canary = len(outlook.canary)
    if not outlook.sights or outlook.through is None:
        return {"total": total, "canary": canary, "stable": total - canary}
    fresh = {s for s, sight in outlook.sights.items() if sight.last_seen == outlook.through}
    names = {site: outlook.sights[site].serving for site in fresh}
    rollout = outlook.rollout
    mine = outlook.canary & fresh
    return {
        "total": total,
        "canary": canary,
        "stable": total - canary,
        "canaryServing": sum(names[site] == rollout.canary for site in mine),
        "canaryPending": sum(names[site] == rollout.stable for site in mine),
        "canarySilent": canary - len(mine),
        "stableServing": sum(names[site] == rollout.stable for site in fresh - outlook.canary),
        "stableSilent": total - canary - len(fresh - outlook.canary),
    }


def _waits(passed: Pass) -> Data | None:
    decision = passed.decision
    match decision:
        case Hold(code, why, until, command, since):
            return _wait(code, why, until, command, since)
        case Escalate(why, command, since):
            return _wait("escalated", why, None, command, since)
        case _:
            return None


def _wait(
    code: str, why: str, until: datetime | None, command: str, since: datetime | None
) -> Data:
    return {
        "code": code,
        "why": why,
        "since": _time(since),
        "until": _time(until),
        "command": command or None,
    }


def _time(at: datetime | None) -> str | None:
    return write_time(at) if at is not None else None


def tree(rows: Sequence[Data], now: datetime) -> str:
    """Draw the tree."""
    lines = [line for row in rows for line in _rollout(row, now)]
    return "\n".join(lines) if lines else "no rollouts: tidegate model add NAME makes the first"


def _rollout(row: Data, now: datetime) -> Iterator[str]:
    name = f"{row['environment']}/{row['model']}"
    yield f"{GLYPHS[row['status']]} {name}   {row['status']}{_place(row, now)}"
    if row["status"] == "Invalid":
        yield from _branch("└──", "mend", [row["problem"] or row["waitsFor"]["why"]])
        return
    for title, draw in _BRANCHES:
        lines = list(draw(row))
        if lines:
            yield from _branch("├──", title, lines)
    yield from _branch("└──", "next", list(coming(row)))


def _branch(joint: str, title: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{joint if not number else '│  ' if joint[0] == '├' else '   '} {title:<9}{line}"
        title = ""


def _place(row: Data, now: datetime) -> str:
    if not row.get("canary"):
        return ""
    place = f"   step {row['step']}/{len(row['steps'])}, {row['percent']}%"
    if row["since"]:
        place += f" for {say_span(now - datetime.fromisoformat(row['since']))}"
    return place


def _releases(row: Data) -> Iterator[str]:
    sites = row["sites"]
    if row["canary"]:
        yield f"canary {row['canary']}{_count(sites, 'canary')}"
    stable = row["stable"] or "none yet"
    yield f"stable {stable}{_count(sites, 'stable')}"


def _count(sites: Data, arm: str) -> str:
    if arm not in sites:
        return f"   {_plural(sites['total'])}" if arm == "stable" else ""
    text = f"   {_plural(sites[arm])}"
    if f"{arm}Serving" not in sites:
        return text
    parts = [f"{sites[f'{arm}Serving']} serving"]
    parts += [f"{sites['canaryPending']} not yet"] if sites.get(f"{arm}Pending") else []
    parts += [f"{sites[f'{arm}Silent']} silent"]
    return f"{text}: {', '.join(parts)}"


def _plural(count: int) -> str:
    return "1 site" if count == 1 else f"{count} sites"


def _steps(row: Data) -> Iterator[str]:
    if row["canary"]:
        marks = ("●" if n < row["step"] else "◐" if n == row["step"] else "○" for n in range(1, 99))
        yield "  ".join(f"{mark} {step}%" for mark, step in zip(marks, row["steps"], strict=False))


def _verdict(row: Data) -> Iterator[str]:
    if not row["verdict"]:
        return
    yield f"{row['verdict']}, judged through {row['judgedThrough']}"
    for one in row["objectives"]:
        expected = ""
        if one["ratio"] is not None:
            expected = f", {one['expectedBad']:.1f} expected ({one['ratio']:.2f}x)"
        yield (
            f"{one['objective']}: {one['verdict']}, {one['bad']} bad of {one['events']}{expected}, "
            f"E_bad {one['eBad']:.2g}, E_ok {one['eOk']:.2g}"
        )


def _notes(row: Data) -> Iterator[str]:
    yield from row["notes"]


def coming(row: Data) -> Iterator[str]:
    """Say what comes next, or what it waits for and the command that helps."""
    waits = row["waitsFor"]
    if row["wouldCommit"]:
        yield f"the reconciler will commit: {row['wouldCommit']}"
    elif waits:
        until = f", until {waits['until']}" if waits["until"] else ""
        yield f"waits [{waits['code']}]: {waits['why']}{until}"
    else:
        yield _idle(row)
    if waits and waits["command"] and not row["wouldCommit"]:
        own = "or on your own word: " if waits["code"] in PATIENCE else ""
        yield f"{own}{waits['command']}"


def _idle(row: Data) -> str:
    if row["status"] == "Pending":
        verb = "--baseline"
        return (
            f"tidegate promote {row['model']}@ALIAS --env {row['environment']} {verb} --reason ..."
        )
    return "nothing climbs"


_BRANCHES: Sequence[tuple[str, Callable[[Data], Iterator[str]]]] = (
    ("releases", _releases),
    ("steps", _steps),
    ("verdict", _verdict),
    ("notes", _notes),
)
