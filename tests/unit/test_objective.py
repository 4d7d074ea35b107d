"""Objectives: a small grammar of selectors, and bounds that can be judged."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.objective import Below, Matcher, Objective, Ratio, Selector, weights

ANY = Selector("requests_total")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("requests_total", "requests_total"),
        ("  requests_total\n", "requests_total"),
        ("requests_total{}", "requests_total"),
        ("job:requests:rate5m", "job:requests:rate5m"),
        ('requests_total{outcome="error"}', 'requests_total{outcome="error"}'),
        ('r{ a = "1" , b != "2" }', 'r{a="1",b!="2"}'),
        ('r{a=~"5..",b!~"x|y"}', 'r{a=~"5..",b!~"x|y"}'),
        ('r{a="1",}', 'r{a="1"}'),
        ('r{a=""}', 'r{a=""}'),
        (r'r{a="\"}"}', r'r{a="\"}"}'),
        ('r{a="} or up{b="}', 'r{a="} or up{b="}'),  # all of it stands between the quotes
        ('r{a="x,y=z{}"}', 'r{a="x,y=z{}"}'),
        ('r{a="grüße"}', 'r{a="grüße"}'),
    ],
)
def test_a_metric_name_and_matchers_are_a_selector(text: str, written: str) -> None:
    assert str(Selector.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{}", '{a="1"}', "5", "5xx", "a-b", "a b", "a.b", "é", "\uff41", "-a", "a;b"),
        # functions, operators, ranges, offsets, subqueries: tidegate takes the differences itself
        *("rate(a[5m])", "sum(a)", "a[5m]", "a[5m:1m]", "a offset 5m", "a @ 0", "a @ start()"),
        *(
            "a or b",
            "a and b",
            "a unless b",
            "a + b",
            "a / b",
            "-(a)",
            "(a)",
            "a > 0",
            "a == bool 1",
        ),
        *("sum by (x) (a)", "a{} or b{}", 'a{x="1"} or b', 'a{x="1"}[5m]', "1/0", "a # b"),
        # matchers that are none
        *("a{", "a}", "a{b}", "a{b=}", "a{b=1}", "a{b='1'}", "a{b=`1`}", 'a{="1"}', 'a{b="1"'),
        *('a{b="1" c="2"}', 'a{b="1";c="2"}', "a{,}", 'a{,b="1"}', 'a{b="1",,}', 'a{b=="1"}'),
        *('a{b<"1"}', 'a{"b"="1"}', 'a{b-c="1"}', 'a{b:c="1"}', 'a{1b="1"}', 'a{b="1"}{c="2"}'),
        *('a{b="x\ny"}', 'a{b="1\\"}', "a{{b}}", 'a{b="1"}}', "a{}b", 'a{b="1"} #', "x" * 201),
    ],
)
def test_any_other_promql_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a selector"):
        Selector.parse(text)


@pytest.mark.parametrize("label", ["site", "model", "release", "__name__", "le"])
@pytest.mark.parametrize("operator", ["=", "!=", "=~", "!~"])
def test_labels_that_tidegate_sets_are_taken(label: str, operator: str) -> None:
    with pytest.raises(ValueError, match=f"sets the label '{label}', which tidegate sets itself"):
        Selector.parse(f'a{{b="1",{label}{operator}"x"}}')


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_selector_writes_what_it_read_and_nothing_gets_out_of_its_quotes(text: str) -> None:
    try:
        selector = Selector.parse(f'a{{b="{text}"}}')
    except ValueError:
        return
    assert Selector.parse(str(selector)) == selector
    # The value ends at the first quote that is not escaped.
    first = selector.matchers[0].value.replace("\\\\", "").replace('\\"', "")
    assert '"' not in first


def test_the_value_is_kept_as_it_was_escaped() -> None:
    selector = Selector.parse(r'a{b="c:\\temp\"x\""}')
    assert selector.matchers == (Matcher("b", "=", r"c:\\temp\"x\""),)


@pytest.mark.timeout(5)
def test_a_hostile_selector_is_refused_quickly() -> None:
    for text in ("a{" + " " * 50_000, 'a{b="' + "\\" * 50_000, "a{" + 'b="1",' * 10_000 + "!}"):
        with pytest.raises(ValueError, match="is not a selector"):
            Selector.parse(text)


@pytest.mark.parametrize("target", ["0", "100", "100.1", "-1"])
def test_a_target_lies_between_0_and_100(target: str) -> None:
    with pytest.raises(ValueError, match="target lies between 0 and 100 percent"):
        Objective("errors", Ratio(ANY, ANY), Fraction(target))


@pytest.mark.parametrize("margin", [-1.0, 0.0, 1.0, 10.1, float("nan"), float("inf")])
def test_a_margin_lies_above_1_and_at_most_10(margin: float) -> None:
    with pytest.raises(ValueError, match="margin lies above 1 and at most 10"):
        Objective("errors", Ratio(ANY, ANY), Fraction(99), margin)


@pytest.mark.parametrize("name", ["", "Errors", "a b", "../x", "x" * 41])
def test_an_objective_has_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="objective"):
        Objective(name, Ratio(ANY, ANY), Fraction(99))


def test_adoption_is_built_in() -> None:
    with pytest.raises(ValueError, match="'adoption' is built in; choose another name"):
        Objective("adoption", Ratio(ANY, ANY), Fraction(99))


def test_objectives_share_nine_tenths_of_alpha_equally() -> None:
    some = tuple(
        Objective(name, Below(Fraction(1, 2), ANY), Fraction(95)) for name in ("a", "b", "c")
    )
    assert weights(some) == pytest.approx({"a": 0.3, "b": 0.3, "c": 0.3})
    assert weights(some[:1]) == {"a": 0.9}
