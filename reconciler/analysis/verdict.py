"""What the evidence says, in words that policy and people read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The five verdicts; nothing measured is never healthy."""

    HEALTHY = "Healthy"
    BREACHED = "Breached"
    UNDECIDED = "Undecided"
    NO_DATA = "NoData"
    STALE = "Stale"


class Code(StrEnum):
    """Why, for machines; the text of the reason holds the numbers."""

    WORSE = "worse-than-stable"
    REPORTING_LOST = "reporting-lost"
    BURNING = "burning"
    CEILING = "ceiling"
    EXPOSED = "exposed"
    BURNS_ALIKE = "burns-alike"
    SAMPLE_RATIO = "sample-ratio"
    STABLE_SILENT = "stable-silent"
    CANARY_SILENT = "canary-silent"
    NO_CANARY_EVENTS = "no-canary-events"
    NO_CONCURRENT_STABLE = "no-concurrent-stable"
    TOO_FEW_STABLE = "too-few-stable"
    FEW_STABLE = "few-stable"
    TOO_FEW_COHORTS = "too-few-cohorts"
    PLACEBO = "placebo-cohorts"
    FEW_SITES = "few-sites"
    FEW_EVENTS = "few-events"
    MARGIN_OPEN = "margin-not-ruled-out"
    SUSPECT = "suspect"
    NOT_COMPARED = "not-compared"
    MARGIN_CLOSED = "margin-ruled-out"
    NEGLIGIBLE = "negligible"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a verdict."""

    code: Code
    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """When evidence is enough.

    Attributes:
        alpha: Chance to revert a harmless release, per rollout, over all objectives.
        beta: Chance to pass a release exactly at the margin, per objective and step.
        margin: Rate ratio that must be ruled out, above 1 and at most 10.
        margins: The same for single objectives.
        negligible: Share of bad events, 0..1, under which no ratio matters, for single
            objectives; without it an objective that never fails could never be ruled out.
        min_sites: Fewest canary sites with events in a step.
        min_events: Fewest events in a step, from the sites that joined in it.
        reporting_share: Share of (canary, stable) sites that reported before the rollout;
            None = the stable arm's own mean in the recording stands for both.
        quorum: Share of the usually reporting sites that must be fresh.
        least_stable: Fewest stable sites to compare with.
        sure_stable: Under this many stable sites the spread between sites is badly known; where
            there are fewer from the start on, placebo cohorts are compared instead.
        restarts: Weight of "worse since a while ago" in E_bad, 0 or more and below 1; the rest
            is on "worse from the start".
        suspicion: Healthy only while E_bad is below.
        reporting: Share of alpha that the test of reporting loss spends.
        budgets: Share of events, 0..1, that may be bad by the target, for single objectives;
            without it an objective has no absolute guards.
    """

    alpha: float = 0.01
    beta: float = 0.05
    margin: float = 1.5
    margins: Mapping[str, float] = field(default_factory=dict)
    negligible: Mapping[str, float] = field(default_factory=dict)
    min_sites: int = 5
    min_events: int = 1000
    reporting_share: tuple[float, float] | None = None
    quorum: float = 0.8
    least_stable: int = 20
    sure_stable: int = 50
    restarts: float = 0.1
    suspicion: float = 10.0
    reporting: float = 0.05
    budgets: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no evidence could meet, and what any would."""
        if not 0 < self.alpha < 1 or not 0 < self.beta < 1:
            raise ValueError("alpha and beta lie between 0 and 1")
        if not 0 <= self.restarts < 1:
            raise ValueError("the weight of restarts lies at or above 0 and below 1")
        if not all(1 < margin <= 10 for margin in (self.margin, *self.margins.values())):
            raise ValueError("a margin lies above 1 and at most 10")
        if not all(0 < share < 1 for share in self.negligible.values()):
            raise ValueError("a negligible share lies between 0 and 1")
        if not all(0 < budget < 1 for budget in self.budgets.values()):
            raise ValueError("an error budget lies between 0 and 1")
        if self.min_sites < 1 or self.min_events < 1:
            raise ValueError("min-sites and min-events are at least 1")
        if not all(0 < share <= 1 for share in self.reporting_share or ()):
            raise ValueError("a reporting share lies above 0 and at most 1")

    def margin_of(self, objective: str) -> float:
        """Give the margin of one objective."""
        return self.margins.get(objective, self.margin)


@dataclass(frozen=True, slots=True)
class ObjectiveVerdict:
    """The verdict of one objective at one tick, with its numbers.

    Attributes:
        rollout: Rollout id.
        objective: Its name.
        at: End of the tick.
        verdict: What the evidence says.
        e_bad: Evidence now that the canary is worse; 1 = none; at most 1e300.
        e_bad_max: The largest so far; a breach is proven by it.
        e_ok: Evidence since the step began that it is not worse than the margin.
        events: Canary events since the rollout began.
        bad: Bad ones among them.
        expected_bad: Expected ones, where stable events of the same tick allow to compare.
        detectable_ratio: Smallest "times worse" that would be proven by now; None above 10.
        reasons: At least one, the decisive first.
        needs: Canary events still missing in this step, as far as can be told; None = unknown.
    """

    rollout: str
    objective: str
    at: datetime
    verdict: Verdict
    e_bad: float
    e_bad_max: float
    e_ok: float
    events: int
    bad: int
    expected_bad: float
    detectable_ratio: float | None
    reasons: tuple[Reason, ...]
    needs: int | None = None


_WORST_FIRST = (
    Verdict.BREACHED,  # first: it is only ever given on fresh data, and outlives staleness
    Verdict.STALE,
    Verdict.NO_DATA,
    Verdict.UNDECIDED,
    Verdict.HEALTHY,
)


def overall(verdicts: Iterable[ObjectiveVerdict]) -> Verdict:
    """Combine the objectives of a tick; none at all is NoData."""
    found = {each.verdict for each in verdicts}
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.NO_DATA)
