"""Who else the loop works with: what watches it, what follows Argo CD, who gives the turns."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from generator.repository import Repository
from reconciler.applied import Standing
from reconciler.following import View
from reconciler.outlook import Query
from reconciler.telemetry import Outcome


class Watch(Protocol):
    """Whoever wants to know how the loop does; never makes it wait, never fails."""

    def alive(self) -> None:
        """Note that the loop goes on."""

    def observe(
        self,
        repository: Repository,
        done: Sequence[Outcome],
        now: datetime,
        spent_s: float,
        applied: Mapping[tuple[str, str, str], str],
    ) -> None:
        """Take in a whole pass.

        Args:
            repository: The newest head that it saw.
            done: What became of each rollout.
            now: When it ended, UTC.
            spent_s: How long it took.
            applied: Release by (environment, model, site), where it is known.
        """

    def failed(self, error: Exception, spent_s: float) -> None:
        """Take in a pass that ended too early."""


class Follower(Protocol):
    """Whoever watches what Argo CD makes of a commit, and helps it along; never raises."""

    @property
    def view(self) -> View:
        """Give what was seen last."""

    def look(self, repository: Repository, now: datetime) -> View:
        """Compare everything with this head."""

    def glance(self, now: datetime) -> View:
        """Look again at what is on its way."""

    def line(
        self, repository: Repository, environment: str, model: str, now: datetime
    ) -> Mapping[str, Standing]:
        """Give how each site of one rollout stands to this very head."""

    def is_busy(self, now: datetime) -> bool:
        """Say whether looking again soon is worth it."""


class Teller(Protocol):
    """Whoever tells people of rollouts; never makes the loop wait, never raises."""

    def tell(
        self, repository: Repository, done: Sequence[Outcome], now: datetime, view: View | None
    ) -> tuple[str, ...]:
        """Take in a pass; give what a person should know of the telling itself."""

    def finish(self, most_s: float) -> tuple[str, ...]:
        """Wait for what is under way, for so long at most."""


class Turns(Protocol):
    """Says who of several reconcilers works."""

    def is_mine(self, now: datetime) -> tuple[bool, str]:
        """Take or renew the turn; give whether it is ours, and the holder's name."""

    def release(self) -> None:
        """Let go."""


Connect = Callable[[str], Query]
Sleep = Callable[[float], object]
