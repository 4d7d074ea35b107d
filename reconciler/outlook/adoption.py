"""How far the canary sites have taken the release up, by what they say themselves."""

from collections.abc import Collection, Mapping
from datetime import datetime

from reconciler.measure import Sight, Window
from reconciler.outlook.course import Course
from reconciler.policy import Adoption

USUAL = 0.8


def adoption(
    course: Course,
    sights: Mapping[str, Sight],
    counted: Collection[str],
    window: Window,
    now: datetime,
) -> Adoption:
    """Count who serves, who could, and who never did.

    Args:
        course: The rollout.
        sights: What every site showed.
        counted: Sites that ever had canary events.
        window: The ticks that `sights` are from.
        now: UTC.
    """
    canary = course.canary(course.rollout.percent)
    fresh = {site for site, sight in sights.items() if sight.last_seen == window.end}
    serving = {site for site in canary & fresh if _serves(course, sights[site])}
    due = _due(course, sights, window, now)
    started = {site for site in due if site in counted or sights[site].served}
    late = due - started - serving
    others = sights.keys() - late
    share = course.chain.share[1] if course.chain.share else 1.0
    return Adoption(
        canary=len(canary),
        serving=len(serving),
        reachable=len(canary & fresh),
        late=len(late),
        due=len(due),
        stable_fresh=len(others & fresh) >= USUAL * share * len(others) > 0,
    )


def _serves(course: Course, sight: Sight) -> bool:
    release = course.rollout.canary
    return sight.serving == release or (course.is_split and release in sight.others)


def _due(course: Course, sights: Mapping[str, Sight], window: Window, now: datetime) -> set[str]:
    """Find the canary sites that had their time to start and were there when it began.

    Of a site that joined before the window nobody knows any more whether it served without an
    event, so it counts only while it can be seen.
    """
    found: set[str] = set()
    before: frozenset[str] = frozenset()
    for moment in course.moments:
        canary = course.canary(moment.percent)
        found &= canary
        began = moment.at - 2 * course.settings.interval
        there = began if moment.at >= window.start else window.end
        for site in canary - before:
            sight = sights[site]
            since = max(moment.since, _came(sight, window) or moment.since)
            is_over = now - since > course.settings.adopt_within
            if is_over and sight.last_seen and sight.last_seen >= there:
                found.add(site)
        before = canary
    return found


def _came(sight: Sight, window: Window) -> datetime | None:
    """Say when a site that was away came back: its time to start begins only then."""
    return sight.back if sight.back and sight.back > window.fetched_from else None
