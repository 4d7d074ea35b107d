"""What a page shows: one model in one environment, as Git tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from generator.model.environment import Kind
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Advance, Phase
from reconciler.analysis import Verdict


class Move(StrEnum):
    """What a commit did to a rollout line."""

    BASELINE = "baseline"
    START = "start"
    ADVANCE = "advance"
    LOWER = "lower"
    PAUSE = "pause"
    RESUME = "resume"
    REVERT = "revert"
    COMPLETE = "complete"
    REJECT = "reject"
    UNREJECT = "unreject"
    NOTE = "note"


class End(StrEnum):
    """How a rollout ended, or that it has not."""

    CLIMBING = "climbing"
    PAUSED = "paused"
    REVERTED = "reverted"
    COMPLETED = "completed"
    SUPERSEDED = "superseded"


class State(StrEnum):
    """What a rollout means for one site."""

    CANARY = "canary"
    LATE = "late"
    RETURNED = "returned"
    STABLE = "stable"
    EXCLUDED = "excluded"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit on the rollout line.

    Attributes:
        id: Full object name.
        at: Committer time, UTC.
        author: `Name <mail>`, foreign text.
        subject: Its first line, foreign text.
        move: What it did.
        percent: The percentage after it; None where it did not change.
        verdict: What the evidence said, or "".
        reason: What a person gave as the reason, or "".
    """

    id: str
    at: datetime
    author: str
    subject: str
    move: Move
    percent: Percent | None = None
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of a rollout.

    Attributes:
        percent: Share of the cohort on the canary.
        sites: Canary sites by plan; 0 in the cloud, where traffic is split.
        move: How it was reached.
        begun: Time of the commit.
        ended: Time of the next move, or the end of what is known.
        soak: Least healthy time.
        by: The person who moved it; "" for the reconciler on evidence.
    """

    percent: Percent
    sites: int
    move: Move
    begun: datetime
    ended: datetime
    soak: timedelta = timedelta(0)
    by: str = ""

    @property
    def waits_from(self) -> datetime:
        """Give the time from which it has waited longer than its soak."""
        return min(self.ended, self.begun + self.soak)


@dataclass(frozen=True, slots=True)
class Point:
    """What the evidence about one objective was at one tick; see `ObjectiveVerdict`."""

    at: datetime
    verdict: Verdict
    e_bad: float
    e_ok: float
    events: int
    bad: int
    expected: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The evidence about one objective, tick after tick.

    Attributes:
        objective: Its name.
        margin: The rate ratio that must be ruled out.
        bound_bad: At this E_bad the canary is proved worse: 1 / (weight * alpha).
        bound_ok: At this E_ok the margin is ruled out: 1 / beta.
        points: Oldest first, at least one.
    """

    objective: str
    margin: float
    bound_bad: float
    bound_ok: float
    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        """Give the newest point."""
        return self.points[-1]

    @property
    def compared(self) -> Point:
        """Give the newest point that stable sites of the same time could be compared with."""
        pairs = zip(self.points, self.points[1:], strict=False)
        grown = [after for before, after in pairs if after.expected > before.expected]
        return grown[-1] if grown else self.last

    @property
    def proved(self) -> Point | None:
        """Give the first point at which the canary was proved worse."""
        found = (one for one in self.points if one.verdict is Verdict.BREACHED)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Tick:
    """All objectives together at one tick.

    Attributes:
        at: Its end.
        verdict: The combined verdict.
        serving: Canary sites with predictions in it.
        canary: Canary sites that Git asks for.
        adopted: Those of them that have ever reported predictions of the canary.
    """

    at: datetime
    verdict: Verdict
    serving: int
    canary: int
    adopted: int = 0


@dataclass(frozen=True, slots=True)
class Square:
    """One site in the cohort grid.

    Attributes:
        id: Site id.
        stratum: Values of the strata columns, joined by `/`.
        state: What the rollout means for it.
        joined: Percentage with which it got the canary; None where it never did.
    """

    id: str
    stratum: str
    state: State
    joined: Percent | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How and why a rollout ended.

    Attributes:
        how: CLIMBING while it has not.
        at: When; the end of what is known while it has not.
        why: The reason of the decision, or of the person.
        by: The person who asked for it; "" for the reconciler.
        is_rejected: Whether the release stands on the ledger.
    """

    how: End
    at: datetime
    why: str = ""
    by: str = ""
    is_rejected: bool = False


@dataclass(frozen=True, slots=True)
class Climb:
    """One rollout from its first to its last commit.

    Attributes:
        id: Rollout id.
        release: The canary release.
        stable: The release that it would replace.
        n: Sites that percentages are shares of.
        steps: The rungs in the order of time, at least one.
        pauses: When it was paused and resumed.
        ending: How it ended.
        reason: Why it was promoted.
        by: Who promoted it.
        digest: Manifest digest of the model, or "".
        curves: One per objective; empty while there is no evidence in Git.
        ticks: The combined verdicts.
        late: Canary sites that had not reported it when the evidence ended.
        squares: The cohort, in draw order.
        evidence: Path of the newest evidence, or "".
        trouble: What is wrong with the evidence, or "".
    """

    id: str
    release: str
    stable: str
    n: int
    steps: tuple[Step, ...]
    ending: Ending
    pauses: tuple[tuple[datetime, datetime], ...] = ()
    reason: str = ""
    by: str = ""
    digest: str = ""
    curves: tuple[Curve, ...] = ()
    ticks: tuple[Tick, ...] = ()
    late: tuple[str, ...] = ()
    squares: tuple[Square, ...] = ()
    evidence: str = ""
    trouble: str = ""

    @property
    def short(self) -> str:
        """Name the version for people: `v13`."""
        return short(self.release)

    @property
    def begun(self) -> datetime:
        """Give the time of its first commit."""
        return self.steps[0].begun

    @property
    def span(self) -> timedelta:
        """Give the time from its first to its last commit."""
        return self.ending.at - self.begun

    @property
    def highest(self) -> Step:
        """Give the rung with the most sites."""
        return max(self.steps, key=lambda step: step.percent)

    @property
    def worst(self) -> Curve | None:
        """Give the objective with the most evidence against the canary."""

        def key(curve: Curve) -> float:
            return max(point.e_bad for point in curve.points) / curve.bound_bad

        return max(self.curves, key=key, default=None)


@dataclass(frozen=True, slots=True)
class Story:
    """One model in one environment, from its first commit to the newest.

    Attributes:
        environment: Name.
        model: Name.
        kind: Edge: the percentage is a share of sites; cloud: of traffic.
        phase: None before the baseline.
        stable: The proved release, or "".
        canary: The climbing release, or "".
        percent: Share of the canary now.
        head: The commit that was read.
        through: The newest time that anything is known about.
        commits: Newest first.
        climbs: The newest rollouts, oldest first.
        earlier: How many older rollouts are not told.
        squares: The sites now.
        objectives: Name to what is counted as bad, in words.
        advance: Who takes the next step.
        next_step: The rung above; None at the top.
        coming: What comes next by the metrics; "" where they were not asked.
        is_held: Whether the metrics hold it; None where they were not asked.
    """

    environment: str
    model: str
    kind: Kind
    phase: Phase | None
    stable: str
    canary: str
    percent: Percent
    head: str
    through: datetime
    commits: tuple[Commit, ...] = ()
    climbs: tuple[Climb, ...] = ()
    earlier: int = 0
    squares: tuple[Square, ...] = ()
    objectives: Mapping[str, str] = field(default_factory=dict)
    advance: Advance = Advance.AUTOMATIC
    next_step: Percent | None = None
    coming: str = ""
    is_held: bool | None = None

    @property
    def last(self) -> Climb | None:
        """Give the newest rollout."""
        return self.climbs[-1] if self.climbs else None

    @property
    def is_climbing(self) -> bool:
        """Say whether a canary is out."""
        return bool(self.canary) and (self.percent != ZERO or self.phase is not Phase.REVERTED)


def short(release: str) -> str:
    """Name a release for people: `v13-3f9a1c2b` is `v13`."""
    return release.partition("-")[0]
