"""The frozen draw of the sites for one rollout."""

from dataclasses import dataclass

ALGORITHM = "stratified-sha256/1"


@dataclass(frozen=True, slots=True)
class Member:
    """One site in the draw; `stratum` is the values of the strata columns, joined by `/`."""

    id: str
    stratum: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """A site that takes no part before the last step, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """`rollouts/<env>/<model>.cohort.yaml`: N sites in draw order, N frozen."""

    rollout: str
    members: tuple[Member, ...]
    excluded: tuple[Excluded, ...] = ()
    algorithm: str = ALGORITHM

    @property
    def n(self) -> int:
        """Count the sites that percentages are shares of."""
        return len(self.members)
