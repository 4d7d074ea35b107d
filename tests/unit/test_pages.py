"""Pictures: what they say, that they hold nothing foreign, and that they fit."""

import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.cohort import Cohort, Excluded, Member
from generator.model.environment import Kind
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase, Rollout
from reconciler.analysis import Verdict
from tests.stories import (
    BREACH,
    CLIMBING,
    HOSTILE,
    HOUR,
    START,
    climb,
    cohort,
    curve,
    hostile,
    read,
    steps,
    story,
)
from tidegate.pages import phrases, terminal
from tidegate.pages.axis import lay_out
from tidegate.pages.chronicle import move_of
from tidegate.pages.cohorts import squares
from tidegate.pages.markup import number, tag, words
from tidegate.pages.page import render
from tidegate.pages.picture import picture
from tidegate.pages.sheet import DARK, LIGHT
from tidegate.pages.story import (
    End,
    Ending,
    Move,
    Square,
    State,
    Story,
    Tick,
)

# ------------------------------------------------------------------ moves and cohorts


def rollout(**keys: object) -> Rollout:
    plain = {"stable": "v1", "phase": Phase.COMPLETED, "id": "r0"}
    return Rollout("defect", "edge", **(plain | keys))  # type: ignore[arg-type]


OUT = rollout(canary="v2", id="r1", percent=Percent.of(5), phase=Phase.PROGRESSING)


@pytest.mark.parametrize(
    ("before", "after", "move"),
    [
        (None, rollout(stable="", phase=None), Move.NOTE),
        (None, rollout(), Move.BASELINE),
        (rollout(), rollout(stable="v9"), Move.BASELINE),
        (rollout(), OUT, Move.START),
        (OUT, replace(OUT, canary="v3", id="r2"), Move.START),
        (OUT, replace(OUT, percent=Percent.of(10)), Move.ADVANCE),
        (OUT, replace(OUT, percent=ZERO), Move.LOWER),
        (OUT, replace(OUT, phase=Phase.PAUSED), Move.PAUSE),
        (replace(OUT, phase=Phase.PAUSED), OUT, Move.RESUME),
        (OUT, rollout(stable="v2", id="r1"), Move.COMPLETE),
        (OUT, rollout(id="r1", phase=Phase.REVERTED), Move.REVERT),
        (rollout(stable="v2"), rollout(phase=Phase.REVERTED), Move.REVERT),
        (
            replace(OUT, phase=Phase.REVERTED, percent=ZERO),
            rollout(phase=Phase.REVERTED),
            Move.NOTE,
        ),
        (OUT, replace(OUT, soak=HOUR), Move.NOTE),
    ],
)
def test_the_files_say_what_a_commit_did(
    before: Rollout | None, after: Rollout, move: Move
) -> None:
    assert move_of(before, after) is move


def states(found: tuple[Square, ...]) -> Mapping[str, int]:
    names = [one.state.value for one in found]
    return {name: names.count(name) for name in dict.fromkeys(names)}


@pytest.mark.parametrize(
    ("end", "whole", "expected"),
    [
        (End.CLIMBING, (5,), {"canary": 25, "stable": 475}),
        (End.PAUSED, (5, 10), {"canary": 50, "stable": 450}),
        (End.CLIMBING, (5, 25, 10), {"canary": 50, "returned": 75, "stable": 375}),
        (End.CLIMBING, (5, 0), {"returned": 25, "stable": 475}),
        (End.REVERTED, (5, 10), {"returned": 50, "stable": 450}),
        (End.SUPERSEDED, (5,), {"returned": 25, "stable": 475}),
        (End.COMPLETED, (5, 100), {"canary": 500}),
    ],
)
def test_each_site_has_one_state(
    end: End, whole: tuple[int, ...], expected: Mapping[str, int]
) -> None:
    assert states(squares(cohort(), steps(*whole), end)) == expected


def test_a_holdback_joins_at_the_end() -> None:
    found = squares(cohort(), steps(5, 100), End.CLIMBING, Percent.of(10))
    assert states(found) == {"canary": 450, "stable": 50}


SMALL = Cohort("r", (Member("a", "x"), Member("b", "x")), (Excluded("c", "repair"),))


@pytest.mark.parametrize(
    ("end", "whole", "expected"),
    [
        (End.CLIMBING, (50,), ["canary", "gone", "excluded", "stable"]),
        (End.CLIMBING, (50, 100), ["canary", "gone", "canary", "canary"]),
        (End.REVERTED, (50, 100), ["returned", "gone", "returned", "returned"]),
        (End.COMPLETED, (50, 100), ["canary", "gone", "canary", "canary"]),
    ],
)
def test_those_who_left_came_or_were_excluded_are_shown(
    end: End, whole: tuple[int, ...], expected: list[str]
) -> None:
    present = {"a": "x", "c": "x", "d": "y"}
    found = squares(SMALL, steps(*whole, n=2), end, fleet=present)
    assert [one.state.value for one in found] == expected


# ------------------------------------------------------------------ the axis


def test_busy_times_keep_their_order_and_their_room() -> None:
    times = [(START, START + 10 * HOUR), (START + 90 * HOUR, START + 91 * HOUR)]
    axis = lay_out(times, 0, 1000, 150)
    first, second = axis.spans
    assert (first.left, second.right) == (0, 1000)
    assert second.right - second.left >= 150
    assert axis.place(START + 5 * HOUR) == pytest.approx((first.left + first.right) / 2)
    assert axis.place(START + 50 * HOUR) == first.right
    assert len(axis.cuts) == 1


@given(
    hours=st.lists(st.tuples(st.floats(0, 9000), st.floats(0, 9000)), min_size=1, max_size=8),
    width=st.floats(60, 2000),
)
def test_labels_stay_on_the_line(hours: list[tuple[float, float]], width: float) -> None:
    at, times = START, []
    for idle, busy in hours:
        begun = at + idle * HOUR
        at = begun + busy * HOUR
        times.append((begun, at))
    axis = lay_out(times, 0, width, 150)
    places = [label.place for label in axis.labels(60)]
    assert places == sorted(places)
    assert all(-0.01 <= place <= width + 0.01 for place in places)
    assert len(places) <= width / 20 + 2


# ------------------------------------------------------------------ markup


def test_foreign_text_is_escaped_printable_and_bounded() -> None:
    text = words(HOSTILE)
    assert not set("<>\"'\n\x1b\u202e") & set(text)
    assert len(words("x" * 9999)) <= 400


def test_an_element_is_written_once() -> None:
    assert tag("rect", x=1.0, y=0.126, class_="a", width=None) == '<rect x="1" y="0.13" class="a"/>'
    assert tag("i", class_='"') == '<i class="&quot;"></i>'
    assert [number(value) for value in (0, -0.001, 2.5, 1e6)] == ["0", "0", "2.5", "1000000"]


@pytest.mark.parametrize("told", [(hostile(),), (BREACH, hostile(), story()), ()])
def test_a_page_is_one_file_that_runs_and_fetches_nothing(told: tuple[Story, ...]) -> None:
    page = render(told, HOSTILE)
    found = read(page)
    assert not found.seen & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert all(link.startswith("#") for link in found.links)
    text = page.decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\([^)]*\)", text)) <= {"url(#hatch)"}
    assert "default-src &#x27;none&#x27;" in text


@pytest.mark.parametrize("told", [BREACH, CLIMBING, hostile(), story()])
def test_a_picture_is_well_formed_and_safe(told: Story) -> None:
    drawing = picture(told)
    root = ElementTree.fromstring(drawing)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "foreignObject", "image", "a", "use"}
    assert root.attrib["viewBox"] == "0 0 900 320"
    assert b"prefers-color-scheme:dark" in drawing


def test_the_same_story_gives_the_same_bytes() -> None:
    assert render(BREACH, "t") == render((BREACH,), "t")
    assert picture(BREACH) == picture(BREACH)


# ------------------------------------------------------------------ what a reader sees


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (replace(story(), stable=""), "There is no baseline yet: nothing runs."),
        (story(), "v2 runs on 500 sites. No rollout yet."),
        (CLIMBING, "v3 is at 25% of 500 sites."),
        (story(climb(End.PAUSED, 5)), "v3 is at 5% of 500 sites, paused."),
        (BREACH, "v3 was taken back at 5%. 475 of 500 sites never saw it, all run v2."),
        (
            replace(story(climb(End.COMPLETED, 5, 100)), stable="v3-cccccccc"),
            "v3 runs on all 500 sites.",
        ),
        (story(climb(End.COMPLETED, 5, 100)), "v2 runs on all 500 sites."),
        (story(climb(End.SUPERSEDED, 5)), "v2 runs on all 500 sites."),
        (
            story(climb(End.CLIMBING, 25, n=3), kind=Kind.CLOUD),
            "v3 is at 25% of traffic.",
        ),
        (
            story(climb(End.REVERTED, 25, n=3), kind=Kind.CLOUD),
            "v3 was taken back at 25%. v2 has all traffic again.",
        ),
    ],
)
def test_the_headline_is_the_answer(told: Story, expected: str) -> None:
    assert phrases.headline(told) == expected


def test_the_page_says_when_it_was_proved_and_by_what() -> None:
    text = render(BREACH, "t").decode()
    assert "proved worse at 07:00" in text
    assert "07:00: 80 bad, 40 expected" in text
    assert "400, proof at 333" in text


def test_numbers_stop_where_nothing_is_left_to_compare_with() -> None:
    one = curve(1, 1, 1)
    frozen = replace(one.points[-1], expected=one.points[-2].expected, bad=999)
    assert replace(one, points=(*one.points[:2], frozen)).compared == one.points[1]


def test_every_site_is_a_square_with_a_name_and_a_state() -> None:
    text = render(CLIMBING, "t").decode()
    found = re.findall(r'<i class="(\w+)" title="(plant-\d+): ([^"]+)"', text)
    assert len(found) == len({name for _, name, _ in found}) == 500
    kinds = [(kind, said) for kind, _, said in found]
    assert {pair: kinds.count(pair) for pair in kinds} == {
        ("c0", "got it at 5%"): 25,
        ("c2", "got it at 10%"): 25,
        ("c4", "got it at 25%"): 75,
        ("s", "never had it"): 375,
    }


def test_ten_thousand_sites_make_a_small_page() -> None:
    big = story(climb(End.CLIMBING, 5, 10, n=10_000), n=10_000)
    page = render(big, "t")
    assert len(page) < 60_000
    assert sites_of(page.decode()) == {"c0": 500, "c4": 500, "s": 9000}


def sites_of(page: str) -> Mapping[str, int]:
    """Count the squares that the dashed lines draw: one for each 6 pixels or part of them."""
    found: Counter[str] = Counter()
    for line, kind in re.findall(r'<path d="([^"]*)" class="k (\w+)"/>', page):
        if kind not in ("hole", "dot"):
            found[kind] += sum(-(-int(length) // 6) for length in re.findall(r"h(\d+)", line))
    return dict(sorted(found.items()))


def test_older_rollouts_are_folded_away() -> None:
    many = story(*[climb(End.REVERTED, 5)] * 5)
    page = render(many, "t")
    assert (page.count(b"<section>"), page.count(b"<details>")) == (3, 2)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["ink", "soft", "tide", "harm"])
def test_words_and_lines_stand_out_in_both_schemes(scheme: Mapping[str, str], name: str) -> None:
    """WCAG 2.2 asks for 4.5 for text."""
    assert min(contrast(scheme[name], scheme[under]) for under in ("paper", "card")) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_steps_differ_in_lightness_alone(scheme: Mapping[str, str]) -> None:
    ramp = [scheme[f"step{rank}"] for rank in range(5)]
    assert all(contrast(a, b) > 1.35 for a, b in pairwise(ramp))


# ------------------------------------------------------------------ the terminal


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("told", [BREACH, CLIMBING, hostile(), story()])
def test_text_pictures_fit_their_width(told: Story, width: int) -> None:
    text = f"{terminal.staircase(told, width)}\n{terminal.grid(told, width)}"
    assert max(len(line) for line in text.splitlines()[:-1]) <= width
    assert "\x1b" not in text


def test_a_revert_is_seen_in_the_terminal() -> None:
    lines = terminal.staircase(BREACH, 70).splitlines()
    assert lines[0].strip() == "v3 taken back after 2 h"
    assert lines[1].strip() == "errors \N{MULTIPLICATION SIGN}2.0 of expected"
    assert [line[:5].strip() for line in lines[2:4]] == ["5%", "0%"]
    assert "\u25cb\u2501" in lines[2]
    assert lines[3].endswith("\u25bc")


@pytest.mark.parametrize(("sites", "each"), [(30, 1), (500, 1), (2000, 3), (10_000, 20)])
@pytest.mark.parametrize("width", [80, 120])
def test_the_grid_has_at_most_twelve_rows(sites: int, each: int, width: int) -> None:
    told = climb(End.CLIMBING, 5, n=sites)
    lines = terminal.grid(replace(CLIMBING, squares=told.squares), width).splitlines()
    assert len(lines) <= 13
    if width == 80 and each > 1:
        assert f"one mark is {each} sites" in lines[-1]


def test_the_grid_counts_every_site() -> None:
    body, _, legend = terminal.grid(CLIMBING, 100).rpartition("\n")
    assert (body.count("\u25a0"), body.count("\u00b7")) == (125, 375)
    assert legend == "\u25a0 125 canary   \u00b7 375 stable"


def test_the_grid_takes_bare_states() -> None:
    found = {"a": State.CANARY, "b": State.RETURNED, "c": State.STABLE, "d": State.EXCLUDED}
    assert terminal.grid(found, 80).splitlines()[0] == "\u25a0\u25a1\u00b7-"


def test_colour_adds_nothing_but_colour() -> None:
    for draw_it in (terminal.staircase, terminal.grid):
        plain, painted = draw_it(BREACH, 90), draw_it(BREACH, 90, colour=True)
        assert painted != plain
        assert re.sub(r"\x1b\[\d*m", "", painted) == plain


def test_colour_is_for_terminals_that_want_it() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert terminal.has_colour(Screen(), {})
    assert not terminal.has_colour(Screen(), {"NO_COLOR": "1"})
    assert not terminal.has_colour(Screen(), {"TERM": "dumb"})
    assert not terminal.has_colour(io.StringIO(), {})


def test_evidence_as_bars_is_full_at_the_bound() -> None:
    assert (
        terminal.curve([0.01, 1, 10, 99, 100, 1e300], 100) == "\u2581\u2581\u2584\u2587\u2588\u2588"
    )
    assert len(terminal.curve([1.0] * 1000, 100, 60)) <= 60


@pytest.mark.parametrize(
    ("by", "serving", "why", "expected"),
    [
        ("", 0, "10 of 10 canary sites do not serve it", "no site ever reported it"),
        ("", 3, "7 of 10 canary sites that were reachable", "7 of 10 canary sites that were re..."),
        ("Rosa", 0, "plant managers complain", "plant managers complain"),
    ],
)
def test_the_cause_of_a_revert_is_named(by: str, serving: int, why: str, expected: str) -> None:
    one = climb(End.REVERTED, 5)
    ticks = (Tick(START + HOUR, Verdict.NO_DATA, serving, 25),)
    ending = Ending(End.REVERTED, START + HOUR, why, by)
    assert phrases.cause(replace(one, ticks=ticks, ending=ending)) == expected
