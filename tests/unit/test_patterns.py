"""Expressions of matchers: what Prometheus and we read alike, and what they mean."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.objective import Below, Matcher, Ratio, Selector, Slower
from generator.model.patterns import Pattern, unquote
from generator.model.specimens import Specimens, specimens

TAKEN = [
    *("", "5..", "a|b", "|", "(a|b)c", "(?:a)b", "[a-z0-9_]+", "[^a]", r"\d{3}", r"[\d-]", "x?y*?"),
    *(r"\.\-\/", "a{2}", "a{0}", "a{2,}", "a{1,3}", "^5..$", "ü+", r"[\]\\]", "a+?", "(a?b+){2}"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_an_example_is_matched_by_us_and_by_another_engine(text: str) -> None:
    example = Pattern.parse(text).example()
    assert Pattern.parse(text).matches(example)
    assert re.fullmatch(text, example, re.ASCII | re.DOTALL)


@pytest.mark.parametrize(
    "text",
    [
        *("(", ")", "a)", "[", "[]", "[a", "[z-a]", "*", "a**", "a++", "+a", "{2}", "a{", "a{x}"),
        *(
            "a{3,2}",
            "a{2",
            "(?i)a",
            "(?=a)",
            "(?!a)",
            "(?P<n>a)",
            r"\1",
            r"\b",
            r"\pL",
            r"\Qa",
            "\\",
        ),
        *("a$b", "a^", "]", "}", "a{1001}", "(a{40}){40}", "(" * 30 + ")" * 30, "a" * 501),
        *("[[:alpha:]]", r"[\D]", "[a-\\d]"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the words differ)
        Pattern.parse(text)


@given(st.sampled_from(TAKEN), st.text("abcxy5.-_ü\\]", max_size=6))
def test_we_match_what_another_engine_matches(text: str, value: str) -> None:
    found = re.fullmatch(text, value, re.ASCII | re.DOTALL) is not None
    assert Pattern.parse(text).matches(value) == found


def test_no_expression_is_slow() -> None:
    started = time.process_time()
    for text in ("(a*)*b", "(a|a)*b", "a?" * 200 + "b", ".*" * 200 + "b", "(a{0,30}){0,30}b"):
        assert not Pattern.parse(text).matches("a" * 300)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(("text", "value"), [(r"a\\b", "a\\b"), (r"\"", '"'), ("ü", "ü")])
def test_what_stands_between_quotes_is_read(text: str, value: str) -> None:
    assert unquote(text) == value


@pytest.mark.parametrize("text", [r"\d", r"\.", r"\'", "\\", "a\tb", "\x00", "\u2028"])
def test_what_promql_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"knows no escape|cannot be seen"):
        unquote(text)


@pytest.mark.parametrize(
    "text",
    [r'a{b="\d"}', 'a{b=~"("}', 'a{b!~"a**"}', "nan", 'Inf{b="1"}', "on", "group_left", "BOOL"],
)
def test_a_selector_that_prometheus_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the words differ)
        Selector.parse(text)


@pytest.mark.parametrize(
    ("matcher", "value", "is_taken"),
    [
        (Matcher("a", "=", "x"), "x", True),
        (Matcher("a", "=", ""), "", True),
        (Matcher("a", "!=", "x"), "", True),
        (Matcher("a", "=~", "x|y"), "y", True),
        (Matcher("a", "=~", "x"), "xx", False),
        (Matcher("a", "!~", ".+"), "", True),
        (Matcher("a", "!~", ".+"), "x", False),
    ],
)
def test_a_matcher_takes_what_prometheus_would(
    matcher: Matcher, value: str, is_taken: bool
) -> None:
    assert matcher.takes(value) == is_taken


@pytest.mark.parametrize(
    ("bad", "total", "found"),
    [
        ('r{o="e"}', "r", Specimens({"o": "other"}, {"o": "e"}, is_part=True)),
        ('r{o!="ok"}', "r", Specimens({"o": "ok"}, {"o": "other"}, is_part=True)),
        (
            'r{o=~"5.."}',
            'r{j="x"}',
            Specimens({"j": "x", "o": "other"}, {"o": "5aa", "j": "x"}, True),
        ),
        ('r{o!~"2.."}', "r", Specimens({"o": "2aa"}, {"o": "other"}, is_part=True)),
        ('r{o!=""}', "r", Specimens({}, {"o": "other"}, is_part=True)),
        ('b{o="e"}', "t", Specimens({}, {"o": "e"})),
    ],
)
def test_a_ratio_has_good_and_bad_events(bad: str, total: str, found: Specimens) -> None:
    assert specimens(Ratio(Selector.parse(bad), Selector.parse(total))) == found


def test_a_histogram_has_a_series() -> None:
    labels = {"camera": "c0"}
    histogram = Selector.parse('h{camera=~"c[0-9]"}')
    for indicator in (Slower(1, histogram), Below(1, histogram)):  # type: ignore[arg-type]
        assert specimens(indicator) == Specimens(labels, labels)
