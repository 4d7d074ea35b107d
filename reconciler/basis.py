"""What a decision was based on, as it stands in its evidence: written down, and read back.

Whatever `policy.decide` looks at stands in the evidence, or follows from its recordings: only so
can a decision be made again from Git alone. A new field of the judge's settings gets there by
itself; a new field of a situation has to be added to both halves below.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from generator.documents.config import read_time
from generator.model.percent import Percent
from generator.model.rollout import Advance, OnDeadline, Phase, Rollout
from generator.model.spans import parse_span, write_span
from reconciler.analysis import ObjectiveVerdict, Settings, Verdict
from reconciler.policy import Adoption, Situation
from reconciler.recording import Line, TickLine

SHARE = "reporting_share"  # stands once, in evidence 0000
NEEDED = ("soak", "deadline", "onDeadline", "steps", "advance", "phase", "interval")
LEAST = ("due", "stableFresh")

PACE = timedelta(hours=1)

Heard = tuple[Line, ObjectiveVerdict | None]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_SETTINGS = {_camel(one.name): one.name for one in fields(Settings) if one.name != SHARE}


def policy_data(used: Settings, rollout: Rollout, interval: timedelta) -> Mapping[str, Any]:
    """Write the settings of judge and policy for JSON.

    Args:
        used: The judge's.
        rollout: As it stood when it was decided.
        interval: Of its environment.
    """
    judge = {key: _plain(getattr(used, name)) for key, name in _SETTINGS.items()}
    return judge | {
        "soak": write_span(rollout.soak_at(rollout.percent)),
        "deadline": write_span(rollout.deadline),
        "onDeadline": rollout.on_deadline.value,
        "steps": [str(step) for step in rollout.steps],
        "advance": rollout.advance.value,
        "phase": rollout.phase.value if rollout.phase else "",
        "interval": write_span(interval),
    }


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def adoption_data(adoption: Adoption) -> Mapping[str, Any]:
    """Write the adoption for JSON."""
    return {
        "canary": adoption.canary,
        "serving": adoption.serving,
        "reachable": adoption.reachable,
        "late": adoption.late,
        "due": adoption.due,
        "stableFresh": adoption.stable_fresh,
    }


def settings_of(policy: Mapping[str, Any], share: tuple[float, float] | None) -> Settings:
    """Read the judge's settings; what an older version did not write is as it was then.

    Args:
        policy: Of one piece of evidence.
        share: Of the whole chain.

    Raises:
        ValueError: A setting that this version does not know, or no setting at all.
    """
    unknown = sorted(policy.keys() - _SETTINGS.keys() - {*NEEDED})
    if unknown:
        raise ValueError(f"the setting {unknown[0]!r} is not known to this version of tidegate")
    told = {name: policy[key] for key, name in _SETTINGS.items() if key in policy}
    return Settings(**told, reporting_share=share)


def missing(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """List what an older version did not write, and the policy cannot do without."""
    lacks = [key for key in NEEDED if key not in entry["policy"]]
    return (*lacks, *(key for key in LEAST if key not in entry["adoption"]))


def situation_of(
    entry: Mapping[str, Any],
    rollout: Rollout,
    verdicts: tuple[ObjectiveVerdict, ...],
    soaked: timedelta,
) -> Situation:
    """Read back what a decision was made on.

    Args:
        entry: A decision; nothing is `missing` from it.
        rollout: Names environment, model and rollout; the rest is read.
        verdicts: What the recordings say.
        soaked: The same.

    Raises:
        ValueError: A value that nobody writes.
        KeyError: A key that is not there.
    """
    policy, adoption = entry["policy"], entry["adoption"]
    then = replace(
        rollout,
        percent=Percent.parse(entry["fromPercent"]),
        steps=tuple(Percent.parse(step) for step in policy["steps"]),
        advance=Advance(policy["advance"]),
        soak=parse_span(policy["soak"]),
        deadline=parse_span(policy["deadline"]),
        on_deadline=OnDeadline(policy["onDeadline"]),
        phase=Phase(policy["phase"]),
    )
    names = ("canary", "serving", "reachable", "late", "due")
    counts = {name: int(adoption[name]) for name in names}
    return Situation(
        rollout=then,
        verdicts=verdicts,
        adoption=Adoption(**counts, stable_fresh=bool(adoption["stableFresh"])),
        since=read_time(entry["since"]),
        soaked=soaked,
        now=read_time(entry["at"]),
    )


def soaked(
    heard: Iterable[Heard], since: datetime, interval: timedelta, objectives: int
) -> timedelta:
    """Add up the ticks that lie wholly in this step and had data of every objective.

    A tick that was merged from several lasts since the one before it.

    Args:
        heard: The lines since the last evidence, each with its verdict.
        since: Begin of the step.
        interval: Between ticks.
        objectives: How many there are.
    """
    counted: dict[datetime, int] = {}
    spans: dict[datetime, timedelta] = {}
    last: datetime | None = None
    for line, verdict in heard:
        if not isinstance(line, TickLine):
            continue
        if line.at not in spans:
            spans[line.at] = max(interval, line.at - last) if last else interval
            last = line.at
        has_data = any(events for events, _ in line.canary.values())
        if has_data and verdict and verdict.verdict is not Verdict.STALE:
            counted[line.at] = counted.get(line.at, 0) + 1
    whole = (at for at, number in counted.items() if number == objectives)
    return sum((spans[at] for at in whole if at - spans[at] >= since), timedelta())


def pace(heard: Iterable[Heard]) -> Mapping[str, float]:
    """Give the canary events per hour of every objective, over the last hour of the ticks."""
    lines = [line for line, _ in heard if isinstance(line, TickLine)]
    if not lines:
        return {}
    begin = max(line.at for line in lines) - PACE
    before = [line.at for line in lines if line.at <= begin]
    first = max(before, default=min(line.at for line in lines))
    span = lines[-1].at - first
    found: dict[str, int] = {}
    for line in lines:
        if line.at > first:
            events = sum(count for count, _ in line.canary.values())
            found[line.objective] = found.get(line.objective, 0) + events
    return {name: events * (timedelta(hours=1) / span) for name, events in found.items() if span}
