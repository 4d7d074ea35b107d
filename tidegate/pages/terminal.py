"""The same pictures as text: 80 to 120 columns, colour never needed."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from generator.changes import one_line
from generator.model.percent import ZERO, Percent
from tidegate.pages import phrases
from tidegate.pages.axis import Axis, lay_out
from tidegate.pages.story import Climb, End, Move, Square, State, Step, Story

GUTTER = 7
LEAST_SPAN = 27
MOST_LINES = 12
GLYPHS = {
    State.CANARY: "\u25a0",
    State.LATE: "\u25aa",
    State.RETURNED: "\u25a1",
    State.STABLE: "\u00b7",
    State.EXCLUDED: "-",
    State.GONE: " ",
}
_COLOURS = {
    State.CANARY: "36",
    State.LATE: "36",
    State.RETURNED: "31",
    State.STABLE: "2",
    State.EXCLUDED: "2",
    State.GONE: "2",
}
RISE, FALL, DIM = "36", "31", "2"
BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def has_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Say whether colour is wanted: a terminal, and NO_COLOR is not set.

    Source: https://no-color.org.
    """
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


@dataclass
class Canvas:
    """Characters in rows and columns, each with a colour; mutable."""

    width: int
    height: int
    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def put(self, row: int, column: int, text: str, colour: str = "") -> None:
        """Write text; what lies outside is left out."""
        for offset, char in enumerate(text):
            if 0 <= row < self.height and 0 <= column + offset < self.width:
                self.cells[row, column + offset] = char, colour

    def lines(self, *, colour: bool) -> list[str]:
        """Give the rows, without blanks at their ends."""
        rows = []
        for row in range(self.height):
            cells = [self.cells.get((row, column), (" ", "")) for column in range(self.width)]
            while cells and cells[-1][0] == " ":
                cells.pop()
            rows.append(_painted(cells) if colour else "".join(char for char, _ in cells))
        return rows


def _painted(cells: Sequence[tuple[str, str]]) -> str:
    text, now = "", ""
    for char, colour in cells:
        if colour != now:
            text += "\033[0m" if now else ""
            text += f"\033[{colour}m" if colour else ""
            now = colour
        text += char
    return text + ("\033[0m" if now else "")


def staircase(story: Story, width: int = 100, *, colour: bool = False, most: int = 3) -> str:
    """Draw the newest rollouts: one row per percentage, time to the right.

    Args:
        story: The line.
        width: Columns, at least 60.
        colour: Whether to add ANSI colours.
        most: Newest rollouts to draw.
    """
    climbs = story.climbs[-most:]
    if not climbs:
        return one_line(phrases.headline(story), width)
    rungs = sorted({step.percent for climb in climbs for step in climb.steps} | {ZERO})
    causes = [one_line(phrases.cause(climb)) for climb in climbs]
    head = 2 if any(causes) else 1
    rows = {percent: head + len(rungs) - 1 - rank for rank, percent in enumerate(rungs)}
    axis = _axis(climbs, width)
    canvas = Canvas(width, head + len(rungs) + 2)
    for percent, row in rows.items():
        canvas.put(row, 0, f"{percent}%".rjust(GUTTER - 2), DIM)
        for span in axis.spans:
            blank = "\u2500" if percent == ZERO else "\u00b7 "
            room = int(span.right) - int(span.left) + 1
            canvas.put(row, int(span.left), (blank * room)[:room], DIM)
    columns = [int(axis.place(climb.begun)) for climb in climbs]
    for climb, cause, column, limit in zip(
        climbs, causes, columns, [*columns[1:], width + 1], strict=True
    ):
        _climb(canvas, climb, rows, axis)
        title = one_line(f"{climb.short} {phrases.outcome(climb)}")
        room = limit - column - 1
        canvas.put(0, column, title if len(title) <= room else _fitted(climb.short, room))
        canvas.put(1, column, cause if len(cause) <= room else "", FALL)
    _times(canvas, axis, head + len(rungs))
    return "\n".join(canvas.lines(colour=colour)).rstrip()


def _axis(climbs: Sequence[Climb], width: int) -> Axis:
    times = [(climb.begun, climb.ending.at) for climb in climbs]
    return lay_out(times, GUTTER, width - 2, LEAST_SPAN, gap=4)


def _climb(canvas: Canvas, climb: Climb, rows: Mapping[Percent, int], axis: Axis) -> None:
    before = rows[climb.steps[0].percent]
    for step in climb.steps:
        row, left = rows[step.percent], int(axis.place(step.begun))
        if step is climb.steps[0]:
            canvas.put(rows[ZERO], left, "\u2534", DIM)
        else:
            _riser(canvas, left, before, row, RISE)
        _plateau(canvas, step, row, axis)
        _pauses(canvas, climb, step, row, axis)
        canvas.put(row, left, phrases.GLYPHS[step.move], RISE)
        before = row
    _end(canvas, climb, before, rows[ZERO], int(axis.place(climb.ending.at)))


def _riser(canvas: Canvas, column: int, start: int, end: int, colour: str) -> None:
    for row in range(min(start, end) + 1, max(start, end)):
        canvas.put(row, column, "\u2502", colour)
    if start != end:
        canvas.put(start, column, "\u256f" if end < start else "\u256e", colour)


def _plateau(canvas: Canvas, step: Step, row: int, axis: Axis) -> None:
    left, turn = int(axis.place(step.begun)), int(axis.place(step.waits_from))
    right = int(axis.place(step.ended))
    canvas.put(row, left, "\u2501" * (turn - left) + "\u254c" * (right - turn), RISE)


def _pauses(canvas: Canvas, climb: Climb, step: Step, row: int, axis: Axis) -> None:
    for begun, _ in climb.pauses:
        if step.begun <= begun < step.ended:
            canvas.put(row, int(axis.place(begun)), phrases.GLYPHS[Move.PAUSE], RISE)


def _end(canvas: Canvas, climb: Climb, row: int, floor: int, column: int) -> None:
    match climb.ending.how:
        case End.COMPLETED:
            canvas.put(row, column, phrases.GLYPHS[Move.COMPLETE], RISE)
        case End.REVERTED:
            _riser(canvas, column, row, floor, FALL)
            canvas.put(row, column, "\u256e", FALL)
            canvas.put(floor, column, phrases.GLYPHS[Move.REVERT], FALL)
        case End.SUPERSEDED:
            canvas.put(row, column, "\u256e", DIM)
        case End.CLIMBING | End.PAUSED:
            canvas.put(row, column, "\u254c", RISE)


def _times(canvas: Canvas, axis: Axis, row: int) -> None:
    for label in axis.labels(12):
        column = min(int(label.place), canvas.width - 5)
        canvas.put(row, column, label.text, DIM)
        if label.day:
            canvas.put(row + 1, min(column, canvas.width - 6), label.day, DIM)


def grid(sites: Story | Mapping[str, State], width: int = 100, *, colour: bool = False) -> str:
    """Draw every site in at most twelve rows and a legend, grouped where that fits.

    Args:
        sites: A line, or the state of each site.
        width: Columns, at least 60.
        colour: Whether to add ANSI colours.
    """
    squares = (
        sites.squares
        if isinstance(sites, Story)
        else tuple(Square(site, "", state) for site, state in sites.items())
    )
    groups, each = _grouped(squares, width)
    label = _label_width(groups)
    room = width - label
    lines = []
    for name, cells in groups.items():
        for start in range(0, len(cells), room):
            head = _fitted(name, label - 1).ljust(label) if start == 0 else " " * label
            lines.append(head + _row(cells[start : start + room], colour=colour))
    return "\n".join([*(line.rstrip() for line in lines), _legend(squares, each)])


def _grouped(squares: Sequence[Square], width: int) -> tuple[Mapping[str, Sequence[State]], int]:
    """Choose the finest grouping that fits, and how many sites one mark stands for."""
    each = 1
    while True:
        for depth in (9, 1, 0):
            groups = _groups(squares, depth, each)
            room = width - _label_width(groups)
            if sum(-(-len(cells) // room) for cells in groups.values()) <= MOST_LINES:
                return groups, each
        each = each + 1 if each < 5 else each * 2


def _groups(squares: Sequence[Square], depth: int, each: int) -> Mapping[str, Sequence[State]]:
    found: dict[str, list[State]] = {}
    for one in squares:
        name = "/".join(one.stratum.split("/")[:depth])
        found.setdefault(name, []).append(one.state)
    return {name: _condensed(found[name], each) for name in sorted(found)}


def _condensed(states: Sequence[State], each: int) -> Sequence[State]:
    """Let one mark stand for several sites; it shows the most notable of them."""
    order = {state: rank for rank, state in enumerate(State)}
    ranked = sorted(states, key=order.__getitem__) if each > 1 else states
    return [ranked[start] for start in range(0, len(ranked), each)]


def _label_width(groups: Iterable[str]) -> int:
    longest = max((len(name) for name in groups), default=0)
    return min(longest, 24) + 2 if longest else 0


def _fitted(text: str, room: int) -> str:
    return one_line(text)[: max(0, room)]


def _row(cells: Sequence[State], *, colour: bool) -> str:
    if not colour:
        return "".join(GLYPHS[cell] for cell in cells)
    return _painted([(GLYPHS[cell], _COLOURS[cell]) for cell in cells])


_MEANING = {
    State.CANARY: "canary",
    State.LATE: "not heard of yet",
    State.RETURNED: "taken back",
    State.STABLE: "stable",
    State.EXCLUDED: "excluded",
    State.GONE: "gone",
}


def _legend(squares: Sequence[Square], each: int) -> str:
    counts = Counter(one.state for one in squares)
    parts = [
        f"{GLYPHS[state]} {counts[state]:,} {_MEANING[state]}" for state in State if counts[state]
    ]
    many = [f"one mark is {each} sites"] if each > 1 else []
    return "   ".join([*parts, *many])


def curve(values: Sequence[float], bound: float, width: int = 60) -> str:
    """Draw evidence against its bound on a logarithmic scale; a full block has reached it.

    Args:
        values: e-values, oldest first.
        bound: Above 1.
        width: Columns; where there are more values the highest of several is shown.
    """
    size = max(1, -(-len(values) // width))
    highest = [max(values[start : start + size]) for start in range(0, len(values), size)]
    return "".join(_bar(value, bound) for value in highest)


def _bar(value: float, bound: float) -> str:
    if value >= bound:
        return BARS[-1]
    share = math.log(max(value, 1.0)) / math.log(bound)
    return BARS[int(share * (len(BARS) - 1))]
