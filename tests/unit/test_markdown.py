"""Foreign text in Markdown is only text, and our section is found among what people write."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.telling.markdown import (
    BEGIN,
    END,
    MOST,
    code,
    fenced,
    is_marked,
    marked,
    section,
    splice,
    table,
)

HOSTILE = (
    "@acme/owners",
    "#1 GH-2 !3 acme/fleet#4",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "`code` ``more`` ```",
    "`",
    "a | b",
    "/close\n/merge",
    "<!-- tidegate:end -->",
    "<!-- tidegate:comment rollout -->",
    "https://evil.example www.evil.example",
    "5f3e9a1c2b5f3e9a1c2b5f3e9a1c2b5f3e9a1c2b",
    "line\u2028end \u202e reversed",
    "\\`",
)


def spans(text: str) -> list[str]:
    """Read code spans as CommonMark does: a run of backticks ends at the next run as long."""
    found, at = [], 0
    while opened := re.compile(r"`+").search(text, at):
        fence = opened[0]
        end = re.compile(rf"(?<!`){fence}(?!`)").search(text, opened.end())
        if end is None:
            return [*found, "open"]
        found.append(text[opened.end() : end.start()])
        at = end.end()
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_code_span_of_one_line(text: str) -> None:
    shown = code(text)
    assert len(spans(shown)) == 1
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert shown.isprintable()
    assert "<!--" not in shown
    assert not re.search(r"(?<!\\)\|", shown)


@given(st.text(max_size=300))
def test_any_text_is_at_most_one_code_span(text: str) -> None:
    shown = code(text)
    assert shown == "-" or len(spans(shown)) == 1
    assert "\n" not in shown


def test_what_is_shown_can_be_read() -> None:
    assert code("plant-0042") == "`plant-0042`"
    assert code("a `b` c") == "``a `b` c``"
    assert code("`b`") == "`` `b` ``"
    assert code("  two\nlines ") == "`two lines`"
    assert code("") == "-"
    assert code("x" * 300, 10) == "`xxxxxxx...`"


def test_a_table_has_its_columns() -> None:
    assert table(("a", "b"), [("1", code("x|y"))]) == "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |"


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert fenced("plain\n") == "```text\nplain\n```"
    assert fenced("a ```` b") == "`````text\na ```` b\n`````"


def test_a_section_takes_the_place_of_the_one_before() -> None:
    body = splice("", section("one"))
    assert body == f"{BEGIN}\none\n{END}"
    assert splice(body, section("two")) == f"{BEGIN}\ntwo\n{END}"


def test_what_people_write_around_it_stays() -> None:
    body = f"Above.\r\n\r\n{section('one')}\r\n\r\nBelow."
    assert splice(body, section("two")) == f"Above.\n\n{section('two')}\n\nBelow."
    assert splice("Only this.", section("two")) == f"Only this.\n\n{section('two')}"
    assert splice(f"{END} {BEGIN}", section("two")).endswith(section("two"))


@given(st.text(alphabet="ab \n", max_size=80), st.text(alphabet="cd \n", max_size=80))
def test_splicing_twice_is_splicing_once(body: str, ours: str) -> None:
    once = splice(body, section(ours))
    assert splice(once, section(ours)) == once


def test_a_long_text_is_cut_at_a_line() -> None:
    lines = "\n".join(f"line {number}" for number in range(20_000))
    cut = section(lines)
    assert len(cut) <= MOST
    assert re.search(r"\nline \d+\n\n\(cut here: .*\)\n<!-- tidegate:end -->$", cut)


def test_a_marker_counts_in_the_first_line_only() -> None:
    assert marked("rollout", " text ") == "<!-- tidegate:comment rollout -->\ntext"
    assert is_marked(marked("rollout", "x").replace("\n", "\r\n"), "rollout")
    assert not is_marked(marked("rollout-2", "x"), "rollout")
    assert not is_marked(f"look: {marked('rollout', 'x')}", "rollout")


@pytest.mark.parametrize("marker", ["", "-->", "a b", "A"])
def test_a_marker_cannot_end_its_line(marker: str) -> None:
    with pytest.raises(ValueError, match="is not a marker"):
        marked(marker, "x")
