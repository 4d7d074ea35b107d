"""Objectives become plain selectors that any Prometheus-compatible API can answer."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.counters import edge
from generator.model.objective import Below, Objective, Ratio, Selector, Slower
from reconciler.queries import Count, questions
from tidegate.demo.selector import parse as read

STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
OURS = f'environment=~"edge-k3s|",model="defect-detector",release=~"{STABLE}|{CANARY}"'
LATENCY = Selector.parse("model_prediction_latency_seconds")
ERRORS = Objective(
    "errors",
    Ratio(
        Selector.parse('model_predictions_total{outcome="error"}'),
        Selector.parse("model_predictions_total"),
    ),
    Fraction(99),
)


def test_ratio_asks_for_both_counters_under_our_matchers() -> None:
    asked = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (ERRORS,))
    assert asked.counts == (
        Count(
            "errors",
            f"model_predictions_total{{{OURS}}}",
            f'model_predictions_total{{outcome="error",{OURS}}}',
        ),
    )


def test_slower_counts_the_good_ones_under_the_bound() -> None:
    objective = Objective("latency", Slower(Fraction(1, 4), LATENCY), Fraction(99))
    (count,) = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (objective,)).counts
    assert count == Count(
        "latency",
        f"model_prediction_latency_seconds_count{{{OURS}}}",
        f'model_prediction_latency_seconds_bucket{{{OURS},le=~"0[.]250*"}}',
        part_is_good=True,
    )


def test_below_counts_the_bad_ones_under_the_floor() -> None:
    histogram = Selector.parse('model_prediction_confidence{camera!="b"}')
    objective = Objective("confidence", Below(Fraction(3, 5), histogram), Fraction(95))
    (count,) = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (objective,)).counts
    assert count == Count(
        "confidence",
        f'model_prediction_confidence_count{{camera!="b",{OURS}}}',
        f'model_prediction_confidence_bucket{{camera!="b",{OURS},le=~"0[.]60*"}}',
    )


def test_one_text_is_asked_once_whatever_number_of_objectives_use_it() -> None:
    fast = Objective("fast", Slower(Fraction(1, 4), LATENCY), Fraction(99))
    very = Objective("very-fast", Slower(Fraction(1, 10), LATENCY), Fraction(90))
    asked = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (ERRORS, fast, very, fast))
    assert len(asked.texts) == len(set(asked.texts)) == 7
    assert asked.texts[:2] == (
        'model_release_info{environment=~"edge-k3s|",model="defect-detector"}',
        f"model_process_start_time_seconds{{{OURS}}}",
    )


def test_without_canary_only_stable_is_asked_for() -> None:
    asked = questions("edge-k3s", "defect-detector", (STABLE, ""), ())
    assert asked.started.endswith(f'release=~"{STABLE}"}}')


@pytest.mark.parametrize(
    ("environment", "model", "releases"),
    [
        ("e", "x", ()),
        ("e", "x", ("",)),
        ("e", "x", ("v1",)),
        ("e", 'x"}', (STABLE,)),
        ("e", "x", ("v1-0000000|",)),
        ("e|.*", "x", (STABLE,)),
        ("", "x", (STABLE,)),
    ],
)
def test_what_is_no_name_never_becomes_promql(
    environment: str, model: str, releases: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        questions(environment, model, releases, ())


@pytest.mark.parametrize(
    ("own", "is_asked_for"),
    [("edge-k3s", True), ("", True), ("edge-k3s-2", False), ("edge", False), ("cloud-eks", False)],
)
def test_another_environment_with_the_same_names_is_not_asked_for(
    own: str, is_asked_for: bool
) -> None:
    asked = questions("edge-k3s", "defect-detector", (STABLE, CANARY), (ERRORS,))
    labels = {"environment": own, "model": "defect-detector", "release": CANARY, "outcome": "error"}
    found = {
        bool(read(text).accepts({**labels, "__name__": text.partition("{")[0]}))
        for text in asked.texts
    }
    assert found == {is_asked_for}


@pytest.mark.parametrize(
    ("bound", "written"),
    [
        (Fraction(1), ["1", "1.0", "1.00"]),
        (Fraction(1, 4), ["0.25", "0.250"]),
        (Fraction(5, 2), ["2.5", "2.50"]),
        (Fraction(10), ["10", "10.0"]),
        (Fraction(1_000_000), ["1e+06", "1000000", "1000000.0", "1.0e+06"]),
        (Fraction(2_500_000), ["2.5e+06", "2500000"]),
        (Fraction(1, 100_000), ["1e-05", "0.00001"]),
        (Fraction(0), ["0", "0.0"]),
        (Fraction(-1, 2), ["-0.5", "-0.50"]),
        (Fraction(-2, 100_000), ["-2e-05"]),
    ],
)
def test_an_edge_is_found_however_exporters_write_it(bound: Fraction, written: list[str]) -> None:
    pattern = edge(bound).value
    assert [text for text in written if not re.fullmatch(pattern, text)] == []


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 1000, places=3))
def test_an_edge_matches_its_own_number_only(one: object, other: object) -> None:
    bound = Fraction(str(one))
    found = re.fullmatch(edge(bound).value, repr(float(str(other))))
    assert bool(found) == (float(str(other)) == float(bound))


def test_a_bound_that_no_bucket_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not a decimal"):
        edge(Fraction(1, 3))
