"""The page over all lines: its answer, its board, how sites came along, what it leaves out."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from generator.model.environment import Kind
from generator.model.percent import Percent
from generator.model.rollout import Advance
from generator.repository import Repository
from reconciler.analysis import Verdict
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, fleet, promote, replaced
from tests.stories import BREACH, CLIMBING, HOSTILE, HOUR, START, climb, hostile, read, story
from tidegate.commands.page import with_metrics
from tidegate.pages.cohorts import with_late
from tidegate.pages.convergence import adopted_after, notes, rounds
from tidegate.pages.dense import COLUMNS, dense
from tidegate.pages.grid import MOST_STRATA, grid, legend
from tidegate.pages.markup import thinned
from tidegate.pages.page import render
from tidegate.pages.standing import Standing, answer, needy_first, sentence, standing
from tidegate.pages.story import (
    Climb,
    Commit,
    End,
    Ending,
    Move,
    Square,
    State,
    Step,
    Story,
    Tick,
)
from tidegate.pages.survey import MOST_LINES, Survey, Told, Unread, in_order, survey

UNREAD = Unread("edge", "broken", "rollouts/edge/broken.yaml:9: percent: not a number")
HELD = replace(CLIMBING, through=CLIMBING.climbs[0].steps[-1].ended + 3 * HOUR)
NEW_STEP = replace(CLIMBING.climbs[0].steps[-1], ended=START + 4.5 * HOUR)
JUST_BEGUN = story(replace(climb(End.CLIMBING, 5, 10, 25), steps=(NEW_STEP,)))
PAUSED = story(climb(End.PAUSED, 5))
RESTING = story()
PENDING = replace(story(), stable="")


def named(told: Story, environment: str, model: str = "defect") -> Story:
    return replace(told, environment=environment, model=model)


def text_of(told: Survey | tuple[Told, ...]) -> str:
    page = render(told, "t").decode()
    body = re.sub(r"<(style|title)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


# ------------------------------------------------------------------ the answer


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (UNREAD, Standing.UNREAD),
        (HELD, Standing.HELD),
        (PAUSED, Standing.PAUSED),
        (BREACH, Standing.REVERTED),
        (CLIMBING, Standing.CLIMBING),
        (PENDING, Standing.PENDING),
        (RESTING, Standing.RESTING),
        (story(climb(End.COMPLETED, 5, 100)), Standing.RESTING),
        (story(climb(End.SUPERSEDED, 5)), Standing.RESTING),
    ],
)
def test_each_line_has_one_standing(told: Told, expected: Standing) -> None:
    assert standing(told) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((), "There is no rollout yet: nothing runs."),
        ((RESTING,) * 3, "Nothing moves: all 3 run their stable release."),
        ((BREACH, RESTING), "Of 2 rollouts 1 was taken back and 1 is at rest."),
        (
            (CLIMBING, CLIMBING, HELD, UNREAD, PAUSED, PENDING),
            "Of 6 rollouts 1 cannot be read, 1 is held, 1 is paused, 2 climb "
            "and 1 has no baseline.",
        ),
    ],
)
def test_the_page_begins_with_one_sentence(told: tuple[Told, ...], expected: str) -> None:
    assert answer(Survey(told)) == expected


def test_what_needs_a_person_comes_first() -> None:
    told = (RESTING, CLIMBING, named(BREACH, "a"), named(BREACH, "b"), PAUSED, HELD, UNREAD)
    assert needy_first(told) == (
        UNREAD,
        HELD,
        PAUSED,
        named(BREACH, "a"),
        named(BREACH, "b"),
        CLIMBING,
        RESTING,
    )


ROSA = "Rosa <rosa@plants.example>"
STOPPED = Commit("b" * 40, START + HOUR, ROSA, "paused", Move.PAUSE, reason="audit week")
BY_ROSA = Ending(End.REVERTED, START + 2 * HOUR, "plant managers complain", ROSA)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (UNREAD, f"It cannot be read: {UNREAD.trouble}"),
        (
            BREACH,
            "v3 was taken back at 5%. 475 of 500 sites never saw it, all run v2. "
            "By its own evidence at 2 Mar 2026, 08:00: errors \N{MULTIPLICATION SIGN}2.0 of "
            "expected.",
        ),
        (
            story(replace(climb(End.REVERTED, 5), ending=BY_ROSA)),
            "v3 was taken back at 5%. 475 of 500 sites never saw it, all run v2. "
            "By Rosa at 2 Mar 2026, 08:00: plant managers complain.",
        ),
        (
            replace(CLIMBING, next_step=Percent.of(50)),
            "v3 is at 25% of 500 sites. 50% comes at 2 Mar 2026, 12:00 at the earliest.",
        ),
        (
            replace(JUST_BEGUN, next_step=Percent.of(50)),
            "v3 is at 25% of 500 sites. 50% comes at 2 Mar 2026, 12:00 at the earliest.",
        ),
        (
            story(climb(End.CLIMBING, 5, 100)),
            "v3 is at 100% of 500 sites. v3 becomes stable at 2 Mar 2026, 10:00 at the earliest.",
        ),
        (
            HELD,
            "v3 is at 25% of 500 sites. It waits 3 h longer than its soak of 2 h: "
            "not proved as good yet, or the reconciler stands still.",
        ),
        (
            replace(HELD, advance=Advance.MANUAL),
            "v3 is at 25% of 500 sites. It waits 3 h longer than its soak of 2 h: "
            "a person takes the next step.",
        ),
        (
            replace(HELD, advance=Advance.PULL_REQUEST),
            "v3 is at 25% of 500 sites. It waits 3 h longer than its soak of 2 h: "
            "the next step is a pull request.",
        ),
        (
            replace(PAUSED, commits=(STOPPED,)),
            "v3 is at 5% of 500 sites, paused. By Rosa since 2 Mar 2026, 07:00: audit week.",
        ),
        (PAUSED, "v3 is at 5% of 500 sites, paused. A breach still takes it back."),
        (RESTING, "v2 runs on 500 sites. No rollout yet."),
        (PENDING, "There is no baseline yet: nothing runs."),
    ],
)
def test_a_line_says_how_it_stands_and_why(told: Told, expected: str) -> None:
    assert sentence(told) == expected


def test_the_answers_stand_above_the_pictures() -> None:
    text = text_of((RESTING, named(BREACH, "edge-2")))
    order = [
        "Of 2 rollouts 1 was taken back and 1 is at rest.",
        "defect on edge-2",
        "By its own evidence",
        "v3 taken back",
        "proved worse at 07:00",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)


def test_what_the_metrics_say_is_told_where_they_were_asked() -> None:
    why = "waits [adoption]: 3 of 25 sites serve it"
    held = replace(CLIMBING, coming=why, is_held=True)
    assert standing(held) is Standing.HELD
    assert standing(replace(HELD, is_held=False)) is Standing.CLIMBING
    assert sentence(held) == f"v3 is at 25% of 500 sites. {why}"
    asked = text_of((held, named(RESTING, "b")))
    assert "Read from Git and from the metrics API" in asked
    assert "Read from Git alone" in text_of((CLIMBING,))


# ------------------------------------------------------------------ the board


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        ({"b": (), "a": ()}, ("a", "b")),
        ({"edge": ("cloud",), "cloud": ("staging",), "staging": ()}, ("staging", "cloud", "edge")),
        ({"a": ("b",), "b": ("a",), "c": ("c",)}, ("c", "a", "b")),
        ({"a": ("gone",)}, ("a",)),
    ],
)
def test_environments_stand_in_the_way_that_a_release_goes(
    requires: Mapping[str, tuple[str, ...]], expected: tuple[str, ...]
) -> None:
    assert in_order(requires) == expected


def test_a_card_says_what_is_live_what_moves_and_what_came_before() -> None:
    told = (named(RESTING, "cloud"), named(CLIMBING, "edge"))
    text = text_of(Survey(told, {"edge": ("cloud",)}))
    assert "cloud v2 \u2714 on 500 sites edge after cloud v2 \u25b2 v3 at 25%, climbing" in text


def test_every_card_leads_to_a_section_that_is_there() -> None:
    told = tuple(named(RESTING, f"e{number:03d}") for number in range(MOST_LINES + 3))
    page = render((*told, named(BREACH, "zz")), "t").decode()
    found = read(page.encode())
    assert all(f'id="{link[1:]}"' in page for link in found.links)
    assert page.count("<article") == MOST_LINES
    assert 'id="zz--defect"' in page
    assert "4 more stand on the board only" in page
    assert page.count('class="card"') == MOST_LINES + 3


def test_a_line_that_cannot_be_read_hides_no_other() -> None:
    page = render((UNREAD, BREACH, Unread(HOSTILE, HOSTILE, HOSTILE)), HOSTILE)
    found = read(page)
    assert not found.seen & {"script", "img", "link"}
    text = text_of((UNREAD, BREACH))
    assert "rollouts/edge/broken.yaml:9: percent: not a number" in text
    assert "proved worse at 07:00" in text


# ------------------------------------------------------------------ from a repository


def test_an_empty_repository_has_a_page() -> None:
    page = render(survey(Repository(Memory({})), NOW), "t").decode()
    assert "There is no rollout yet: nothing runs." in page


def test_a_survey_tells_every_line_in_the_order_of_the_board() -> None:
    place = f"environments/{EDGE}/environment.yaml"
    files = replaced(fleet(), place, "requires: []", f"requires: [{CLOUD}]")
    have = Memory(files).do(baseline(12)).do(baseline(13, CLOUD)).do(promote(13))
    found = survey(Repository(have), NOW)
    assert [(one.environment, one.model) for one in found.told] == [(CLOUD, MODEL), (EDGE, MODEL)]
    assert found.requires == {CLOUD: (), EDGE: (CLOUD,)}
    assert [standing(one) for one in found.told] == [Standing.RESTING, Standing.CLIMBING]
    one = survey(Repository(have), NOW, lambda key: key == (EDGE, MODEL))
    assert [one.environment for one in one.told] == [EDGE]


def test_one_damaged_rollout_file_leaves_the_others_readable() -> None:
    path = f"rollouts/{EDGE}/{MODEL}.yaml"
    have = Memory(replaced(fleet(), path, "percent: 0", "percent: nan"))
    told = {one.environment: one for one in survey(Repository(have), NOW).told}
    broken = told[EDGE]
    assert isinstance(broken, Unread)
    assert broken.trouble.startswith(f"{path}:")
    assert isinstance(told[CLOUD], Story)


# ------------------------------------------------------------------ how sites come along


def ticks(*adopted: int, canary: int = 25) -> tuple[Tick, ...]:
    return tuple(
        Tick(START + (n + 1) * HOUR / 4, Verdict.UNDECIDED, count, canary, count)
        for n, count in enumerate(adopted)
    )


def with_ticks(*adopted: int, late: tuple[str, ...] = ()) -> Climb:
    return replace(climb(End.REVERTED, 5), ticks=ticks(*adopted), late=late)


def test_the_curve_counts_who_has_reported() -> None:
    text = text_of((story(with_ticks(5, 20, 24, late=("plant-00007",))),))
    assert "sites 24 of 25 reported by 06:45" in text
    assert "A step was on 95% of its sites after 45 min." in text
    assert "Not heard of when the evidence ended: plant-00007." in text


def test_all_who_reported_are_called_all() -> None:
    assert "sites all 25 reported by 06:30" in text_of((story(with_ticks(5, 25)),))


def test_of_many_late_sites_a_few_are_named() -> None:
    late = tuple(f"plant-{number:05d}" for number in range(1200))
    (named_ones,) = notes(replace(with_ticks(1), late=late))
    assert named_ones.startswith("Not heard of when the evidence ended: plant-00000, ")
    assert named_ones.endswith("plant-00007 and 1,192 more.")


def test_a_rollout_under_way_says_from_when_on_git_knows_nothing() -> None:
    one = replace(climb(End.CLIMBING, 5), ticks=ticks(25))
    assert [*notes(one)][-1] == (
        "Reports after 2 Mar 2026, 06:15 come into Git with the next decision."
    )


@pytest.mark.parametrize(
    ("adopted", "expected"),
    [((25,), timedelta(minutes=15)), ((5, 23, 24), timedelta(minutes=45)), ((5, 23), None)],
)
def test_a_step_is_nearly_everywhere_at_95_percent(
    adopted: tuple[int, ...], expected: timedelta | None
) -> None:
    step = Step(Percent.of(5), 25, Move.START, START, START + 2 * HOUR)
    assert adopted_after(step, ticks(*adopted)) == expected


def test_without_reports_of_sites_there_is_no_curve() -> None:
    assert "reported by" not in text_of((CLIMBING,))
    cloud = replace(climb(End.CLIMBING, 5, n=3), ticks=ticks(1))
    cloud = replace(cloud, steps=tuple(replace(step, sites=0) for step in cloud.steps))
    assert "reported by" not in text_of((story(cloud, kind=Kind.CLOUD, n=3),))


@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 25, 99, 500, 1234, 10_000])
def test_the_scale_has_a_few_round_numbers(most: int) -> None:
    found = rounds(most)
    assert 1 <= len(found) <= 5
    assert found[-1] <= most
    assert all(str(one).rstrip("0") in {"1", "2", "3", "4", "5", "6", "8"} for one in found)


def test_a_site_that_was_not_heard_of_looks_otherwise_in_both_grids() -> None:
    squares = with_late(climb(End.CLIMBING, 5).squares, {"plant-00007", "plant-00001"})
    late = [one.id for one in squares if one.state is State.LATE]
    had = [one.id for one in climb(End.CLIMBING, 5).squares if one.state is State.CANARY]
    assert late == [name for name in had if name in ("plant-00007", "plant-00001")]
    some = (Square("a", "x", State.LATE, Percent.of(5)), Square("b", "x", State.CANARY))
    assert '<i class="l" title="a: asked, not heard of yet at 5%">' in grid(some)
    assert 'class="k dot"' in grid(some, named=False)


# ------------------------------------------------------------------ many squares


def test_a_run_of_equal_sites_is_one_stroke() -> None:
    drawn = dense(["c0"] * 3 + ["s"] * (COLUMNS - 3) + ["s"] * 2, {"c0": "3: had it", "s": "rest"})
    assert '<path d="M0 2.5h17" class="k c0"/>' in drawn
    assert '<path d="M18 2.5h221M0 8.5h11" class="k s"/>' in drawn
    assert 'viewBox="0 0 240 12"' in drawn


def test_the_smallest_of_very_many_strata_share_a_block() -> None:
    squares = tuple(
        Square(f"p{n}", f"line-{n % 3000}" if n % 2 else "large", State.STABLE)
        for n in range(10_000)
    )
    page = grid(squares)
    assert page.count('class="stratum"') == MOST_STRATA + 1
    assert "<b>large</b><span>0 of 5,000</span>" in page
    assert "<b>all others</b>" in page
    assert len(page) < 40_000


def test_hostile_strata_are_escaped_in_the_dense_grid() -> None:
    squares = (Square(HOSTILE, HOSTILE, State.RETURNED, Percent.of(5)),) * 3
    drawn = f"{grid(squares, named=False)}{legend(squares)}"
    assert "<script" not in drawn
    assert "onload=" not in re.sub(r"&quot;.*?&quot;|<b>.*?</b>", "", drawn)


def test_only_the_newest_rollout_names_its_sites() -> None:
    many = story(*[climb(End.REVERTED, 5)] * 2, climb(End.CLIMBING, 5))
    assert render(many, "t").count(b'title="plant-') == 500


def test_a_page_of_hostile_lines_is_well_formed() -> None:
    told = (hostile(), replace(hostile(), stable=""), Unread(HOSTILE, HOSTILE, HOSTILE))
    requires = {HOSTILE: (HOSTILE,)}
    page = render(Survey(told, requires, HOSTILE, NOW), HOSTILE)
    found = read(page)
    assert not found.seen & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert all(link.startswith("#") for link in found.links)


# ------------------------------------------------------------------ long records


def test_a_long_record_makes_no_long_page() -> None:
    verdicts = (Verdict.HEALTHY, Verdict.UNDECIDED)
    long = tuple(
        Tick(START + n * HOUR / 600, verdicts[n % 2], n % 25, 25, 25) for n in range(1, 1200)
    )
    flapping = replace(climb(End.CLIMBING, 5), ticks=long)
    page = render(story(flapping), "t").decode()
    assert len(page) < 150_000
    assert 100 < page.count("<title>Undecided until") < 450


def test_a_short_breach_is_not_joined_away() -> None:
    at = (START + timedelta(seconds=seconds) for seconds in (3000, 3001, 7000))
    verdicts = (Verdict.HEALTHY, Verdict.BREACHED, Verdict.HEALTHY)
    few = tuple(Tick(when, one, 25, 25, 25) for when, one in zip(at, verdicts, strict=True))
    page = render(story(replace(climb(End.CLIMBING, 5), ticks=few)), "t").decode()
    assert "<title>Breached until 2 Mar 2026, 06:50</title>" in page


def test_points_on_one_spot_are_drawn_once() -> None:
    points = [(0.0, 0.0), (0.1, 0.1), (3.0, 0.0), (3.1, 0.0), (0.0, 0.0)]
    assert [*thinned(points)] == [(0.0, 0.0), (3.0, 0.0), (0.0, 0.0)]


# ------------------------------------------------------------------ with the metrics


def row(**keys: object) -> Mapping[str, object]:
    plain = {"environment": "edge", "model": "defect", "canary": "v3", "status": "Progressing"}
    return plain | {"waitsFor": None, "wouldCommit": None} | keys


WAITS = {
    "code": "adoption",
    "why": "3 of 25 sites serve it",
    "until": None,
    "command": "tidegate x",
}


@pytest.mark.parametrize(
    ("found", "held", "expected"),
    [
        (
            row(status="Holding", waitsFor=WAITS),
            True,
            "By its metrics: waits [adoption]: 3 of 25 sites serve it; "
            "or on your own word: tidegate x.",
        ),
        (
            row(status="Reverting", wouldCommit="revert v3"),
            True,
            "By its metrics: the reconciler will commit: revert v3.",
        ),
        (row(wouldCommit="to 50%"), False, "By its metrics: the reconciler will commit: to 50%."),
        (row(canary=None, status="Completed"), None, ""),
        (row(environment="moon"), None, ""),
        ({"environment": "edge", "model": "defect", "status": "Invalid"}, None, ""),
    ],
)
def test_the_metrics_say_what_a_line_waits_for(
    found: Mapping[str, object], held: bool | None, expected: str
) -> None:
    told = with_metrics(Survey((CLIMBING, UNREAD)), [found]).told
    (one, other) = told
    assert isinstance(one, Story)
    assert (one.is_held, one.coming, other) == (held, expected, UNREAD)
