"""Stories for tests of the pictures, plain and hostile, and a reader of the pages they make."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from generator.cohort import draw
from generator.model.cohort import Cohort
from generator.model.environment import Kind
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase
from generator.model.site import Site
from reconciler.analysis import Verdict
from tidegate.pages.cohorts import squares
from tidegate.pages.markup import VOID
from tidegate.pages.story import (
    Climb,
    Commit,
    Curve,
    End,
    Ending,
    Move,
    Point,
    Square,
    State,
    Step,
    Story,
    Tick,
)

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOSTILE = "</title><script>alert('x')</script>\" onload=\"x\n\x1b[31m\u202e&amp;"


def percents(*whole: int) -> tuple[Percent, ...]:
    return tuple(Percent.of(one) for one in whole)


def steps(*whole: int, hours: float = 2, n: int = 500) -> tuple[Step, ...]:
    span = timedelta(hours=hours)
    return tuple(
        Step(
            percent=percent,
            sites=percent.count_of(n),
            move=Move.ADVANCE if rank else Move.START,
            begun=START + rank * span,
            ended=START + (rank + 1) * span,
            soak=2 * HOUR,
            by="" if rank else "Rosa <rosa@plants.example>",
        )
        for rank, percent in enumerate(percents(*whole))
    )


def fleet(n: int, regions: int = 6) -> tuple[Site, ...]:
    kinds = ("cpu", "gpu", "jetson")
    return tuple(
        Site(f"plant-{i:05d}", f"p{i}", f"r{i % regions}", kinds[i % 7 % 3]) for i in range(n)
    )


def cohort(n: int = 500, regions: int = 6) -> Cohort:
    return draw("rollout", fleet(n, regions), ("region", "hardware"))


def curve(*e_bad: float, e_ok: float = 1.0) -> Curve:
    points = tuple(
        Point(
            at=START + (tick + 1) * HOUR / 4,
            verdict=Verdict.BREACHED if value >= 333 else Verdict.UNDECIDED,
            e_bad=value,
            e_ok=e_ok,
            events=1000 * (tick + 1),
            bad=20 * (tick + 1),
            expected=10.0 * (tick + 1),
        )
        for tick, value in enumerate(e_bad)
    )
    return Curve("errors", 1.5, 333.0, 20.0, points)


def climb(how: End, *whole: int, n: int = 500, curves: tuple[Curve, ...] = ()) -> Climb:
    rungs = steps(*whole, n=n)
    ticks = tuple(
        Tick(point.at, point.verdict, rungs[0].sites - 1, rungs[0].sites)
        for one in curves[:1]
        for point in one.points
    )
    return Climb(
        id="edge-defect-v3-cccccccc-1",
        release="v3-cccccccc",
        stable="v2-bbbbbbbb",
        n=n,
        steps=rungs,
        ending=Ending(how, rungs[-1].ended),
        curves=curves,
        ticks=ticks,
        squares=squares(cohort(n), rungs, how),
    )


def story(*climbs: Climb, kind: Kind = Kind.EDGE, n: int = 500) -> Story:
    last = climbs[-1] if climbs else None
    is_open = last is not None and last.ending.how in (End.CLIMBING, End.PAUSED)
    return Story(
        environment="edge",
        model="defect",
        kind=kind,
        phase=Phase.PROGRESSING if is_open else Phase.COMPLETED,
        stable="v2-bbbbbbbb",
        canary=last.release if last and is_open else "",
        percent=last.steps[-1].percent if last and is_open else ZERO,
        head="a" * 40,
        through=last.ending.at if last else START,
        climbs=climbs,
        squares=last.squares if last else (Square("s", "", State.STABLE),) * n,
    )


BREACH = story(climb(End.REVERTED, 5, curves=(curve(1, 0.5, 20, 400, 900),)))
CLIMBING = story(climb(End.CLIMBING, 5, 10, 25))


class Nesting(HTMLParser):
    """Notes what a page holds and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}
        assert not any(name.startswith("on") for name, _ in attrs)
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: bytes) -> Nesting:
    found = Nesting()
    found.feed(page.decode())
    found.close()
    assert not found.open
    return found


def hostile() -> Story:
    one = BREACH.climbs[0]
    ending = replace(one.ending, why=HOSTILE, by=HOSTILE)
    names = {"reason": HOSTILE, "by": HOSTILE, "id": HOSTILE, "release": HOSTILE}
    bad_curve = replace(one.curves[0], objective=HOSTILE)
    site = (Square(HOSTILE, HOSTILE, State.CANARY),)
    bad = replace(
        one,
        ending=ending,
        curves=(bad_curve,),
        squares=site,
        trouble=HOSTILE,
        stable=HOSTILE,
        **names,
    )
    commit = Commit("b" * 40, START, HOSTILE, HOSTILE, Move.NOTE, None, HOSTILE, HOSTILE)
    return replace(
        BREACH,
        environment=HOSTILE,
        model=HOSTILE,
        stable=HOSTILE,
        climbs=(bad,),
        commits=(commit,),
        squares=site,
        objectives={HOSTILE: HOSTILE},
    )
