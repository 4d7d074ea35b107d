"""The evidence of one rollout, judged again from Git; what is damaged is told, not raised."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from generator.changes import Tree
from generator.documents.config import read_time
from generator.errors import InputError
from generator.model.percent import Percent
from generator.model.rollout import Rollout
from reconciler import basis
from reconciler.analysis import Judge, ObjectiveVerdict, Settings, overall
from reconciler.record import Chain, read_chain
from reconciler.recording import AssignedLine, HistoryLine, Line, ObjectivesLine, TickLine
from tidegate.pages.story import Curve, Point, Tick

# What a document that is JSON and in the chain, but was edited, can lead to.
_DAMAGE = (InputError, ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class Rung:
    """A percentage as a decision names it: since when, and when it was decided on."""

    percent: Percent
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """What the evidence says.

    Attributes:
        path: The newest document, or "".
        decision: Its decision, or "".
        why: The reason that it gives, or "".
        rungs: The percentages that were decided on.
        curves: One per objective.
        ticks: The combined verdicts.
        late: Canary sites that never reported the canary.
        trouble: What is damaged, or "".
    """

    path: str = ""
    decision: str = ""
    why: str = ""
    rungs: tuple[Rung, ...] = ()
    curves: tuple[Curve, ...] = ()
    ticks: tuple[Tick, ...] = ()
    late: tuple[str, ...] = ()
    trouble: str = ""


def replay(tree: Tree, rollout: Rollout, margins: Mapping[str, float]) -> Replay:
    """Read the evidence of a rollout and feed a fresh judge with it.

    Args:
        tree: Where it stands.
        rollout: Its rollout.
        margins: Today's margins per objective, for evidence without a decision.
    """
    try:
        chain = read_chain(tree, rollout)
    except _DAMAGE as error:
        return Replay(trouble=_say(error))
    told = Replay(path=chain.paths[-1] if chain.paths else "")
    try:
        told = _decisions(told, chain)
        return _judge(told, chain, settings_of(chain, margins, rollout.min_sites))
    except _DAMAGE as error:
        return replace(told, trouble=_say(error))


def _say(error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    return f"the evidence was edited: {type(error).__name__} {error}"


def _decisions(told: Replay, chain: Chain) -> Replay:
    last = chain.entries[-1] if chain.entries else {}
    rungs = tuple(
        Rung(Percent.parse(one["fromPercent"]), read_time(one["since"]), read_time(one["at"]))
        for one in chain.entries
        if "fromPercent" in one
    )
    decision, why = str(last.get("decision", "")), str(last.get("why", ""))
    return replace(told, decision=decision, why=why, rungs=rungs)


def settings_of(chain: Chain, margins: Mapping[str, float], min_sites: int) -> Settings:
    """Take the settings that the newest decision was made with; else those of today.

    Args:
        chain: The evidence.
        margins: Today's margins, per objective.
        min_sites: Today's fewest canary sites.
    """
    policies = [entry["policy"] for entry in chain.entries if "policy" in entry]
    today = {"margins": margins, "minSites": min_sites}
    return basis.settings_of(policies[-1] if policies else today, chain.share)


@dataclass
class _Heard:
    """What was heard so far; mutable."""

    weights: Mapping[str, float] = field(default_factory=dict)
    canary: frozenset[str] = frozenset()
    verdicts: dict[str, list[ObjectiveVerdict]] = field(default_factory=dict)
    adopted: set[str] = field(default_factory=set)
    serving: dict[datetime, tuple[int, int, int]] = field(default_factory=dict)

    def hear(self, line: Line, verdict: ObjectiveVerdict | None) -> None:
        """Take one line and what the judge made of it."""
        match line:
            case ObjectivesLine():
                self.weights = line.weights
            case AssignedLine():
                arms = line.sites.items()
                self.canary = frozenset(site for site, (arm, _) in arms if arm == "canary")
            case TickLine():
                self._serve(line)
            case HistoryLine():
                pass
        if verdict is not None:
            self.verdicts.setdefault(verdict.objective, []).append(verdict)

    def _serve(self, line: TickLine) -> None:
        heard = {site for site, (events, _) in line.canary.items() if events > 0}
        self.adopted |= heard
        most = max(self.serving.get(line.at, (0,))[0], len(heard))
        self.serving[line.at] = most, len(self.canary), len(self.canary & self.adopted)

    @property
    def late(self) -> tuple[str, ...]:
        """List the canary sites of which nothing was heard; none where nothing was recorded."""
        return tuple(sorted(self.canary - self.adopted)) if self.serving else ()


def _judge(told: Replay, chain: Chain, settings: Settings) -> Replay:
    judge, heard, trouble = Judge(settings), _Heard(), ""
    try:
        for line in chain.lines:
            heard.hear(line, judge.feed(line))
    except InputError as error:
        trouble = str(error)
    curves = tuple(_curve(name, heard, settings) for name in heard.verdicts)
    ticks = tuple(_ticks(heard))
    return replace(told, curves=curves, ticks=ticks, late=heard.late, trouble=trouble)


def _curve(objective: str, heard: _Heard, settings: Settings) -> Curve:
    return Curve(
        objective=objective,
        margin=settings.margin_of(objective),
        bound_bad=1 / (heard.weights.get(objective, 1.0) * settings.alpha),
        bound_ok=1 / settings.beta,
        points=tuple(_point(one) for one in heard.verdicts[objective]),
    )


def _point(one: ObjectiveVerdict) -> Point:
    return Point(one.at, one.verdict, one.e_bad, one.e_ok, one.events, one.bad, one.expected_bad)


def _ticks(heard: _Heard) -> list[Tick]:
    at_once: dict[datetime, list[ObjectiveVerdict]] = {}
    for verdicts in heard.verdicts.values():
        for one in verdicts:
            at_once.setdefault(one.at, []).append(one)
    return [Tick(at, overall(at_once[at]), *heard.serving[at]) for at in sorted(at_once)]
