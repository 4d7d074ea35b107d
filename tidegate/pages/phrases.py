"""What the pictures say in words: one sentence, one name, one number at a time."""

from generator.changes import one_line
from generator.model.environment import Kind
from generator.model.percent import ZERO
from generator.model.spans import say_span
from tidegate.pages.story import Climb, End, Move, Step, Story, short

MOVES = {
    Move.BASELINE: "baseline",
    Move.START: "start",
    Move.ADVANCE: "advance",
    Move.LOWER: "lowered",
    Move.PAUSE: "paused",
    Move.RESUME: "resumed",
    Move.REVERT: "revert",
    Move.COMPLETE: "complete",
    Move.REJECT: "rejected",
    Move.UNREJECT: "may be tried again",
    Move.NOTE: "",
}
GLYPHS = {
    Move.BASELINE: "\u25c6",
    Move.START: "\u25cb",
    Move.ADVANCE: "\u25b2",
    Move.LOWER: "\u25bd",
    Move.PAUSE: "\u2016",
    Move.RESUME: "\u25b7",
    Move.REVERT: "\u25bc",
    Move.COMPLETE: "\u25cf",
    Move.REJECT: "\u2716",
    Move.UNREJECT: "\u25e6",
    Move.NOTE: "",
}
_MOST_CAUSE = 36
_TIMES = "\N{MULTIPLICATION SIGN}"
ENDS = {
    End.CLIMBING: "climbing",
    End.PAUSED: "paused",
    End.REVERTED: "reverted",
    End.COMPLETED: "completed",
    End.SUPERSEDED: "superseded",
}


def headline(story: Story) -> str:
    """Say in one sentence how it stands."""
    last = story.last
    if not story.stable:
        return "There is no baseline yet: nothing runs."
    if last is None:
        return f"{short(story.stable)} runs on {sites(len(story.squares), story)}. No rollout yet."
    match last.ending.how:
        case End.COMPLETED if short(story.stable) == last.short:
            return f"{last.short} runs on all {sites(last.n, story)}."
        case End.REVERTED:
            return f"{last.short} was taken back at {last.highest.percent}%. {_spared(last, story)}"
        case End.CLIMBING | End.PAUSED:
            return _where(last, story)
        case End.COMPLETED | End.SUPERSEDED:
            return f"{short(story.stable)} runs on all {sites(last.n, story)}."


def _spared(climb: Climb, story: Story) -> str:
    if story.kind is Kind.CLOUD:
        return f"{short(story.stable)} has all traffic again."
    spared = climb.n - climb.highest.sites
    back = short(story.stable)
    return f"{spared:,} of {climb.n:,} sites never saw it, all run {back}."


def _where(climb: Climb, story: Story) -> str:
    step = climb.steps[-1]
    what = "of traffic" if story.kind is Kind.CLOUD else f"of {climb.n:,} sites"
    state = ", paused" if climb.ending.how is End.PAUSED else ""
    return f"{climb.short} is at {step.percent}% {what}{state}."


def status(story: Story) -> str:
    """Say in a few words how it stands."""
    if not story.stable:
        return "no baseline yet"
    if story.is_climbing and story.canary:
        return f"{short(story.canary)} at {story.percent}%"
    last = story.last
    if last is not None and last.ending.how is End.REVERTED:
        return f"{last.short} taken back"
    return "stable"


def sites(count: int, story: Story) -> str:
    """Count sites, or clusters in the cloud."""
    noun = "cluster" if story.kind is Kind.CLOUD else "site"
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def outcome(climb: Climb) -> str:
    """Say what became of a rollout, in a few words."""
    span = say_span(climb.span)
    match climb.ending.how:
        case End.COMPLETED:
            return f"on every site after {span}"
        case End.REVERTED:
            return f"taken back after {span}"
        case End.SUPERSEDED:
            return f"superseded after {span}"
        case End.PAUSED:
            return f"paused at {climb.steps[-1].percent}%"
        case End.CLIMBING:
            return f"climbing for {span}"


def cause(climb: Climb) -> str:
    """Say in a few words why a rollout was taken back; "" where it was not."""
    worst = climb.worst
    proved = worst.proved if worst else None
    if worst is not None and proved is not None:
        return f"{worst.objective} {times(proved.bad / max(proved.expected, 0.1))} of expected"
    if climb.ending.how is End.REVERTED and not climb.ending.by and _is_silent(climb):
        return "no site ever reported it"
    return _cut(climb.ending.why) if climb.ending.how is End.REVERTED else ""


def _is_silent(climb: Climb) -> bool:
    return bool(climb.ticks) and not any(tick.serving for tick in climb.ticks)


def _cut(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _MOST_CAUSE else f"{line[: _MOST_CAUSE - 3].rstrip()}..."


def blast(climb: Climb) -> str:
    """Say how many sites ran the canary, at most."""
    top = climb.highest
    if not top.sites:
        return f"at most {top.percent}% of traffic"
    return f"{top.sites:,} of {climb.n:,} sites ({top.percent}%) at most"


def rungs(climb: Climb) -> str:
    """Write the percentages in the order of time."""
    return " → ".join(str(step.percent) for step in climb.steps) + "%"


def rung(step: Step) -> tuple[str, str]:
    """Name a rung: the percentage, and its sites."""
    count = f"{step.sites:,} sites" if step.sites else ""
    return f"{step.percent}%", count if step.percent != ZERO else ""


def times(ratio: float) -> str:
    """Write how many times as many."""
    return f"{_TIMES}{ratio:.1f}" if ratio < 10 else f"{_TIMES}{ratio:.0f}"


def evidence(value: float) -> str:
    """Write an e-value to what it is worth."""
    if value >= 1e5:
        exponent = len(f"{value:.0f}") - 1
        return f"10^{exponent}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
