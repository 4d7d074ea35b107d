"""The climb of percentages inside one environment: the file a release manager edits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from generator.model.percent import FULL, ZERO, Percent


class Phase(StrEnum):
    """The phases that stand in Git; the others are derived by `status`."""

    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    REVERTED = "Reverted"
    COMPLETED = "Completed"


class Advance(StrEnum):
    """Who takes the next step once the evidence allows it."""

    AUTOMATIC = "automatic"
    PULL_REQUEST = "pull-request"
    MANUAL = "manual"


class OnDeadline(StrEnum):
    """What happens when one step waits too long."""

    HOLD = "hold"
    REVERT = "revert"
    ASK = "ask"


class OnNewVersion(StrEnum):
    """What a promotion does while another rollout climbs."""

    REFUSE = "refuse"
    SUPERSEDE = "supersede"


STEPS = tuple(Percent.of(p) for p in (5, 10, 25, 50, 100))


@dataclass(frozen=True, slots=True)
class Rollout:
    """`rollouts/<env>/<model>.yaml`, valid in itself.

    Attributes:
        model: RFC 1123 label.
        environment: RFC 1123 label.
        stable: Release that is proven; "" before the baseline.
        canary: Release that climbs; "" where none does.
        id: `<env>-<model>-<release>-<k>`; "" before the first promotion.
        percent: Share of the frozen cohort on the canary.
        steps: The rungs, rising.
        advance: Who takes the next step.
        soak: Least healthy time per step.
        soak_from: Longer soak from a percentage on.
        deadline: Longest wait in one step.
        on_deadline: What happens then.
        on_new_version: What a further promotion does.
        holdback: Percent kept on stable until the last soak has passed.
        phase: None before the baseline.
        min_sites: Fewest canary sites of the first step.
    """

    model: str
    environment: str
    stable: str = ""
    canary: str = ""
    id: str = ""
    percent: Percent = ZERO
    steps: tuple[Percent, ...] = STEPS
    advance: Advance = Advance.AUTOMATIC
    soak: timedelta = timedelta(hours=2)
    soak_from: Mapping[Percent, timedelta] = field(default_factory=dict)
    deadline: timedelta = timedelta(hours=72)
    on_deadline: OnDeadline = OnDeadline.HOLD
    on_new_version: OnNewVersion = OnNewVersion.REFUSE
    holdback: Percent = ZERO
    phase: Phase | None = None
    min_sites: int = 5

    def __post_init__(self) -> None:
        """Refuse steps that do not rise or do not end at 100 percent."""
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not rising or self.steps[0] == ZERO:
            raise ValueError("steps must rise from above 0")
        if self.steps[-1] != FULL:
            raise ValueError("the last step must be 100; keep sites back with holdback")

    @property
    def is_climbing(self) -> bool:
        """Say whether a canary is out and may still move."""
        return bool(self.canary) and self.phase in (Phase.PROGRESSING, Phase.PAUSED)

    @property
    def attempt(self) -> str:
        """Give the id without the line that it belongs to: `<release>-<k>`, or ""."""
        return self.id.removeprefix(f"{self.environment}-{self.model}-")

    @property
    def candidate(self) -> str:
        """Name the release that the id is about, also when no canary is out any more, or ""."""
        return self.attempt.rpartition("-")[0]

    def soak_at(self, percent: Percent) -> timedelta:
        """Give the soak of the step at this percentage."""
        spans = [span for start, span in sorted(self.soak_from.items()) if start <= percent]
        return spans[-1] if spans else self.soak

    def step_after(self, percent: Percent) -> Percent | None:
        """Give the next rung above, or None at the top."""
        return next((step for step in self.steps if step > percent), None)

    def step_number(self, percent: Percent) -> int:
        """Count the rungs up to and including this percentage."""
        return sum(step <= percent for step in self.steps)


def key(environment: str, model: str) -> str:
    """Name one rollout line in messages: `edge-k3s/defect-detector`."""
    return f"{environment}/{model}"
