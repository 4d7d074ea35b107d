"""A scenario as a value: a fleet, its series, what goes wrong when, and what should come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from reconciler.simulate.notation import Notation

START = datetime(2026, 11, 20, tzinfo=UTC)
EDGE, CLOUD = "edge-k3s", "cloud-eks"  # name and type of the environment


class Kind(StrEnum):
    """What can go wrong. The first three strike the metrics API, `stuck` sites, the rest series."""

    API = "api"  # 500, 503, timeout, reset, garbage, empty
    WARNINGS = "warnings"  # the text of one
    EXPLODE = "explode"  # so many further series
    STUCK = "stuck"  # sites take up nothing new
    ABSENT = "absent"  # no point
    LATE = "late"  # points come only when the time is over
    FROZEN = "frozen"  # every value stays
    VALUE = "value"  # the text of every value
    RESET = "reset"  # counters begin anew, and nothing says that the process did
    RESTART = "restart"  # counters begin anew with their process
    AHEAD = "ahead"  # time stamps lie so far in the future
    TWICE = "twice"  # each series comes twice
    RELABEL = "relabel"  # the release that the series name


@dataclass(frozen=True, slots=True)
class Where:
    """Which sites: of a group, and of these some in the order in which a rollout takes them.

    Attributes:
        group: Name, or "" for all.
        first: So many, or None for all.
        skip: After leaving so many out.
        runs: Only while they run this arm's release: "canary", "stable", or "" for either.
    """

    group: str = ""
    first: int | None = None
    skip: int = 0
    runs: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """One series that processes export.

    Attributes:
        where: Which sites.
        metric: Name.
        labels: Besides site, environment, model and release.
        values: A point each interval, from the start of the process on; where traffic is split,
            what all traffic of the cluster would come to.
        on_fleet_clock: The points lie from the start of the scenario on instead, the same for
            all processes; each counts from 0 nevertheless.
    """

    where: Where
    metric: str
    labels: Mapping[str, str]
    values: Notation
    on_fleet_clock: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; times count from the promotion.

    Attributes:
        kind: What.
        text: With what.
        at: From here.
        until: To here, or None for ever.
        where: Which sites.
        metric: Only this one, or "".
    """

    kind: Kind
    text: str
    at: timedelta
    until: timedelta | None
    where: Where = field(default_factory=Where)
    metric: str = ""

    def holds(self, since: timedelta) -> bool:
        """Say whether it goes wrong at this time since the promotion."""
        return self.at <= since and (self.until is None or since < self.until)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person commits: pause, resume, revert, or a percentage."""

    at: timedelta
    do: str


KEYS = ("verdict", "decision", "code", "percent", "phase", "says")


@dataclass(frozen=True, slots=True)
class Expected:
    """What every pass from `at` to `until` should come to.

    Attributes:
        at: First pass, since the promotion.
        until: Last one.
        wants: Key to what it should be.
        refuses: Key to what it should not be.
        line: In the file.
    """

    at: timedelta
    until: timedelta
    wants: Mapping[str, str]
    refuses: Mapping[str, str]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a simulation follows from.

    Attributes:
        about: One sentence.
        files: The human-owned files of the repository that the scenario words itself.
        sites: Site to its group, which is also its region.
        series: What processes export besides release and start.
        faults: What goes wrong.
        deeds: What people do.
        expected: What should come of it.
        delay: From a commit to the start of a process.
        lead: From the beginning to the promotion.
        until: End, since the promotion.
        every: Between passes, or None for the interval of the environment.
        seeds: How often it is gone through, each time with other luck.
        start: When it begins.
        environment: Edge sites, or cloud clusters among whose pods traffic is split.
    """

    about: str
    files: Mapping[str, bytes]
    sites: Mapping[str, str]
    series: tuple[Exported, ...]
    faults: tuple[Fault, ...] = ()
    deeds: tuple[Deed, ...] = ()
    expected: tuple[Expected, ...] = ()
    delay: timedelta = timedelta(minutes=3)
    lead: timedelta = timedelta(hours=26)
    until: timedelta = timedelta(hours=6)
    every: timedelta | None = None
    seeds: int = 1
    start: datetime = START
    environment: str = EDGE

    @property
    def is_split(self) -> bool:
        """Say whether the percentage is one of traffic."""
        return self.environment == CLOUD

    @property
    def promoted(self) -> datetime:
        """Give the time of the promotion."""
        return self.start + self.lead
