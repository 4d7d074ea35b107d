"""How a line stands, in the words and glyphs of `tidegate status`, from Git alone."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from generator.model.rollout import Advance
from generator.model.spans import say_span
from tidegate.pages import phrases
from tidegate.pages.axis import say_moment
from tidegate.pages.story import Climb, End, Move, Story, short
from tidegate.pages.survey import Survey, Told, Unread

LATE = timedelta(minutes=15)


class Standing(StrEnum):
    """How a line stands; what needs a person most comes first."""

    UNREAD = "cannot be read"
    HELD = "held"
    PAUSED = "paused"
    REVERTED = "taken back"
    CLIMBING = "climbing"
    PENDING = "no baseline"
    RESTING = "at rest"


GLYPHS: Mapping[Standing, str] = {
    Standing.UNREAD: "!",
    Standing.HELD: "\u25f7",
    Standing.PAUSED: "\u2016",
    Standing.REVERTED: "\u2716",
    Standing.CLIMBING: "\u25b2",
    Standing.PENDING: "\u25cb",
    Standing.RESTING: "\u2714",
}
_ONE_AND_MANY: Mapping[Standing, tuple[str, str]] = {
    Standing.UNREAD: ("cannot be read", "cannot be read"),
    Standing.HELD: ("is held", "are held"),
    Standing.PAUSED: ("is paused", "are paused"),
    Standing.REVERTED: ("was taken back", "were taken back"),
    Standing.CLIMBING: ("climbs", "climb"),
    Standing.PENDING: ("has no baseline", "have no baseline"),
    Standing.RESTING: ("is at rest", "are at rest"),
}
NEEDY = (Standing.UNREAD, Standing.HELD, Standing.PAUSED, Standing.REVERTED, Standing.CLIMBING)


def standing(told: Told) -> Standing:
    """Say how a line stands."""
    if isinstance(told, Unread):
        return Standing.UNREAD
    if not told.stable:
        return Standing.PENDING
    last = told.last
    match last.ending.how if last else None:
        case End.PAUSED:
            return Standing.PAUSED
        case End.CLIMBING:
            return Standing.HELD if _is_held(told) else Standing.CLIMBING
        case End.REVERTED:
            return Standing.REVERTED
        case _:
            return Standing.RESTING


def _is_held(story: Story) -> bool:
    return story.is_held if story.is_held is not None else _waits(story) is not None


def _waits(story: Story) -> timedelta | None:
    """Say how long it has waited beyond its soak; None where it has not."""
    step = story.climbs[-1].steps[-1]
    waited = story.through - step.begun - step.soak
    return waited if waited > max(LATE, step.soak / 5) else None


def needy_first(told: tuple[Told, ...]) -> tuple[Told, ...]:
    """Sort lines by how much they need a person; the order stays where they need it alike."""
    ranks = {one: rank for rank, one in enumerate(Standing)}
    return tuple(sorted(told, key=lambda one: ranks[standing(one)]))


def answer(survey: Survey) -> str:
    """Say in one sentence how all lines stand."""
    found = [standing(one) for one in survey.told]
    if not found:
        return "There is no rollout yet: nothing runs."
    if set(found) == {Standing.RESTING}:
        return f"Nothing moves: all {len(found)} run their stable release."
    parts = [_count(one, found.count(one)) for one in Standing if one in found]
    said = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {len(found)} rollouts {said}."


def _count(which: Standing, count: int) -> str:
    return f"{count} {_ONE_AND_MANY[which][count > 1]}"


def sentence(told: Told) -> str:
    """Say how one line stands, and why."""
    if isinstance(told, Unread):
        return f"It cannot be read: {told.trouble}"
    return f"{phrases.headline(told)} {because(told)}".rstrip()


def because(story: Story) -> str:
    """Say why a line stands as it does, or what comes next; "" where nothing is open."""
    last = story.last
    if last is None or not story.stable:
        return ""
    match last.ending.how:
        case End.REVERTED:
            return _taken_back(last)
        case End.PAUSED:
            return _paused(story)
        case End.CLIMBING:
            return story.coming or _climbs(story, last)
        case _:
            return ""


def _taken_back(climb: Climb) -> str:
    ending = climb.ending
    at, why = say_moment(ending.at), phrases.cause(climb) or "no reason given"
    if ending.by:
        return f"By {_name(ending.by)} at {at}: {why}."
    return f"By its own evidence at {at}: {why}."


def _paused(story: Story) -> str:
    done = next((one for one in story.commits if one.move is Move.PAUSE), None)
    if done is None:
        return "A breach still takes it back."
    why = done.reason or "no reason given"
    return f"By {_name(done.author)} since {say_moment(done.at)}: {why}."


def _name(person: str) -> str:
    return person.partition(" <")[0]


def _climbs(story: Story, climb: Climb) -> str:
    step, waited = climb.steps[-1], _waits(story)
    if waited is None:
        return f"{_next(story)} at {say_moment(step.begun + step.soak)} at the earliest."
    soak, span = say_span(step.soak), say_span(waited)
    return f"It waits {span} longer than its soak of {soak}{_for_whom(story)}."


def _next(story: Story) -> str:
    if story.next_step is None:
        return f"{short(story.canary)} becomes stable"
    return f"{story.next_step}% comes"


def _for_whom(story: Story) -> str:
    match story.advance:
        case Advance.AUTOMATIC:
            return ": not proved as good yet, or the reconciler stands still"
        case Advance.MANUAL:
            return ": a person takes the next step"
        case Advance.PULL_REQUEST:
            return ": the next step is a pull request"
