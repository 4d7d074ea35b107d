"""What the sites did before a rollout: to be frozen first, since nothing can be judged without."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from generator.model.objective import weights
from reconciler.measure import Answer, History, Window, history, measure
from reconciler.outlook.course import Course, asked_for, floor, floor_span
from reconciler.policy import Escalate, Hold
from reconciler.queries import Questions
from reconciler.recording import Line, ObjectivesLine
from reconciler.waits import unmeasured

Query = Callable[[str, datetime, datetime, timedelta], Answer]

HISTORY_STEP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Opening:
    """What has to be frozen before a rollout can be judged.

    Attributes:
        lines: Objectives and history lines.
        share: Share of the sites that reported while any did, 0..1.
        through: The last tick before the promotion.
        asked: What is asked of the metrics API, by objective.
        notes: Doubts about the metrics, in words.
    """

    lines: tuple[Line, ...]
    share: float
    through: datetime
    asked: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()


def ask(query: Query, asked: Questions, window: Window) -> Mapping[str, Answer]:
    """Put all questions for one window."""
    return {text: query(text, window.fetched_from, window.end, window.step) for text in asked.texts}


def read_opening(course: Course, query: Query, now: datetime) -> Opening | Hold | Escalate:
    """Find out what the sites did before the rollout, or why that cannot be told."""
    asked, interval = course.asked, course.settings.interval
    started = course.moments[0].at
    step = interval * max(1, HISTORY_STEP // interval)
    end = floor(started, step)
    window = Window(end - floor_span(course.settings.history, step), end, step)
    found = history(asked, ask(query, asked, window), course.assignment, window)
    if found.warnings:
        why = f"the metrics API warns: {found.warnings[0]}"
        return unmeasured("doubted", why, course.rollout, course.since, now)
    if not any(found.reporting.values()) and not _is_new(course, query, now):
        why = "no site has reported anything, neither before the rollout nor now"
        return unmeasured("no-history", why, course.rollout, course.since, now)
    spec = course.repository.model(course.rollout.model)
    lines: tuple[Line, ...] = (
        ObjectivesLine(course.rollout.id, weights(spec.objectives)),
        *(one for one in found.lines if one.sites),
    )
    return Opening(lines, _share(found), floor(started, interval), asked_for(asked), found.notes)


def _share(found: History) -> float:
    # By the site that reported most, so that hours in which nobody could are not counted: else
    # metrics that began yesterday evening would make silence look usual.
    longest = max(found.reporting.values(), default=0.0)
    return sum(found.reporting.values()) / len(found.reporting) / longest if longest else 0.0


def _is_new(course: Course, query: Query, now: datetime) -> bool:
    """Tell a fleet that is new from metrics that are not there: the new one reports now."""
    step = course.settings.interval
    end = floor(now, step)
    window = Window(end - step, end, step)
    seen = measure(course.asked, ask(query, course.asked, window), course.assignment, window)
    return any(sight.last_seen for sight in seen.sights.values())
