"""The evidence of one rollout, judged again from Git: curves and combined verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from generator.errors import InputError
from reconciler.analysis import Judge, ObjectiveVerdict, Settings, overall
from reconciler.record import Chain
from reconciler.recording import AssignedLine, HistoryLine, Line, ObjectivesLine, TickLine
from tidegate.pages.story import Curve, Point, Tick


@dataclass(frozen=True, slots=True)
class Replay:
    """What the judge said.

    Attributes:
        curves: One per objective.
        ticks: The combined verdicts.
        trouble: Why it could not be judged to the end, or "".
    """

    curves: tuple[Curve, ...] = ()
    ticks: tuple[Tick, ...] = ()
    trouble: str = ""


@dataclass
class _Told:
    """What was heard so far."""

    weights: Mapping[str, float] = field(default_factory=dict)
    canary: int = 0
    verdicts: dict[str, list[ObjectiveVerdict]] = field(default_factory=dict)
    serving: dict[datetime, tuple[int, int]] = field(default_factory=dict)

    def hear(self, line: Line, verdict: ObjectiveVerdict | None) -> None:
        """Take one line and what the judge made of it."""
        match line:
            case ObjectivesLine():
                self.weights = line.weights
            case AssignedLine():
                self.canary = sum(arm == "canary" for arm, _ in line.sites.values())
            case TickLine():
                most, _ = self.serving.get(line.at, (0, 0))
                heard = sum(events > 0 for events, _ in line.canary.values())
                self.serving[line.at] = max(most, heard), self.canary
            case HistoryLine():
                pass
        if verdict is not None:
            self.verdicts.setdefault(verdict.objective, []).append(verdict)


def settings_of(chain: Chain, margins: Mapping[str, float], min_sites: int) -> Settings:
    """Take the settings that the newest decision was made with; else those of today.

    Args:
        chain: The evidence.
        margins: Today's margins, per objective.
        min_sites: Today's fewest canary sites.
    """
    used: Mapping[str, Any] = next(
        (e["policy"] for e in reversed(chain.entries) if "policy" in e), {}
    )
    plain = Settings()
    return Settings(
        alpha=used.get("alpha", plain.alpha),
        beta=used.get("beta", plain.beta),
        margins=used.get("margins", margins),
        min_sites=used.get("minSites", min_sites),
        min_events=used.get("minEvents", plain.min_events),
        reporting_share=chain.share,
    )


def replay(chain: Chain, settings: Settings) -> Replay:
    """Feed a fresh judge with everything that stands in Git."""
    judge, told, trouble = Judge(settings), _Told(), ""
    try:
        for line in chain.lines:
            told.hear(line, judge.feed(line))
    except InputError as error:
        trouble = error.problems[0].message
    curves = tuple(_curve(name, told, settings) for name in told.verdicts)
    return Replay(curves, tuple(_ticks(told)), trouble)


def _curve(objective: str, told: _Told, settings: Settings) -> Curve:
    return Curve(
        objective=objective,
        margin=settings.margin_of(objective),
        bound_bad=1 / (told.weights.get(objective, 1.0) * settings.alpha),
        bound_ok=1 / settings.beta,
        points=tuple(_point(one) for one in told.verdicts[objective]),
    )


def _point(one: ObjectiveVerdict) -> Point:
    return Point(one.at, one.verdict, one.e_bad, one.e_ok, one.events, one.bad, one.expected_bad)


def _ticks(told: _Told) -> list[Tick]:
    at_once: dict[datetime, list[ObjectiveVerdict]] = {}
    for verdicts in told.verdicts.values():
        for one in verdicts:
            at_once.setdefault(one.at, []).append(one)
    return [Tick(at, overall(at_once[at]), *told.serving[at]) for at in sorted(at_once)]
