"""Turn objectives into the plain selectors that Prometheus is asked for.

tidegate reads raw counters at tick boundaries and takes differences itself (design.md
section 4), so there is no PromQL function here, and any API that knows `query_range` will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from generator.model.counters import counters
from generator.model.names import check_name, check_release
from generator.model.objective import Matcher, Objective, Selector
from generator.model.telemetry import PROCESS_START, RELEASE_INFO


@dataclass(frozen=True, slots=True)
class Count:
    """How the events and the bad events of one objective follow from two queries.

    Attributes:
        objective: Its name.
        total: PromQL whose counters are all events.
        part: PromQL whose counters are the bad events, or the good ones.
        part_is_good: Bad = total - part, for each counter; else bad = part.
    """

    objective: str
    total: str
    part: str
    part_is_good: bool = False


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is asked for one model: each text once, whatever number of objectives use it.

    Attributes:
        counts: One per objective, in their order.
        info: PromQL that names the release each site serves, of any release.
        started: PromQL of process start times, in seconds since the epoch.
    """

    counts: tuple[Count, ...]
    info: str
    started: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Give every distinct PromQL text, in a fixed order."""
        pairs = [text for count in self.counts for text in (count.total, count.part)]
        return tuple(dict.fromkeys([self.info, self.started, *pairs]))


def questions(
    environment: str, model: str, releases: Sequence[str], objectives: Sequence[Objective]
) -> Questions:
    """Write the queries of one rollout.

    Args:
        environment: Value of the label `environment`; series without that label are asked for, too.
        model: Value of the label `model`.
        releases: Stable and, where there is one, canary; "" is left out.
        objectives: Of that model.

    Raises:
        ValueError: An environment, model or release that is not a name, or no release.
    """
    ours = _ours(environment, model, releases)
    return Questions(
        counts=tuple(_count(objective, ours) for objective in objectives),
        info=str(Selector(RELEASE_INFO, ours[:2])),
        started=str(Selector(PROCESS_START, ours)),
    )


def _ours(environment: str, model: str, releases: Sequence[str]) -> tuple[Matcher, ...]:
    wanted = sorted({check_release(release) for release in releases if release})
    if not wanted:
        raise ValueError("a query needs at least one release")
    return (
        # An absent label reads as "": whoever scrapes one environment need not name it.
        Matcher("environment", "=~", f"{check_name('environment', environment)}|"),
        Matcher("model", "=", check_name("model", model)),
        Matcher("release", "=~", "|".join(wanted)),
    )


def _count(objective: Objective, ours: tuple[Matcher, ...]) -> Count:
    found = counters(objective.indicator, ours)
    return Count(objective.name, str(found.total), str(found.part), found.part_is_good)
