"""A recording is read strictly and written in one way."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InputError
from reconciler.recording import (
    MAX_COUNT,
    MAX_LINE_BYTES,
    AssignedLine,
    HistoryLine,
    Line,
    ObjectivesLine,
    TickLine,
    dump,
    parse,
)

AT = datetime(2026, 11, 20, 8, 5, tzinfo=UTC)
TICK: dict[str, Any] = {
    "rollout": "r1",
    "objective": "errors",
    "at": "2026-11-20T08:05:00Z",
    "canary": {"plant-0001": [20, 1]},
    "stable": {"plant-0002": [20, 0]},
    "fresh": [25, 475],
}

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)
counts = st.integers(0, MAX_COUNT).flatmap(
    lambda events: st.tuples(st.just(events), st.integers(0, events))
)
times = st.datetimes(timezones=st.just(UTC))
arms = st.sampled_from(["canary", "stable"])


@st.composite
def ticks(draw: st.DrawFn) -> TickLine:
    sites = draw(st.dictionaries(names, st.tuples(arms, counts), max_size=6))
    canary = {site: pair for site, (arm, pair) in sites.items() if arm == "canary"}
    stable = {site: pair for site, (arm, pair) in sites.items() if arm == "stable"}
    fresh = draw(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)))
    seen = tuple(sorted(draw(st.sets(names, max_size=3))))
    return TickLine(draw(names), draw(names), draw(times), canary, stable, fresh, seen)


@st.composite
def objectives(draw: st.DrawFn) -> ObjectivesLine:
    found = draw(st.dictionaries(names, st.floats(0.01, 0.2), min_size=1, max_size=5))
    return ObjectivesLine(draw(names), found)


lines = st.one_of(
    ticks(),
    objectives(),
    st.builds(HistoryLine, names, st.none() | names, st.dictionaries(names, counts, max_size=6)),
    st.builds(
        AssignedLine,
        names,
        st.none() | times,
        st.dictionaries(names, st.tuples(arms, names), max_size=6),
    ),
)


def read(text: str | bytes) -> Line:
    return parse(text, "r.ndjson", 7)


def refused(fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(fields if isinstance(fields, str | bytes) else json.dumps(fields))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("r.ndjson", 7)
    return str(problem).removeprefix("r.ndjson:7: ")


@given(lines)
def test_what_was_written_is_read_back(line: Line) -> None:
    assert read(dump(line)) == line
    assert dump(read(dump(line).encode())) == dump(line)


@given(lines)
def test_order_of_sites_does_not_reach_the_file(line: Line) -> None:
    def turned(value: Any) -> Any:
        return dict(reversed(value.items())) if isinstance(value, dict) else value

    fields = {key: turned(value) for key, value in json.loads(dump(line)).items()}
    assert dump(read(json.dumps(fields))) == dump(line)


def test_the_lines_of_the_design_are_read() -> None:
    assert read('{"rollout":"r1","objectives":{"errors":0.5,"confidence":0.5}}') == (
        ObjectivesLine("r1", {"errors": 0.5, "confidence": 0.5})
    )
    history = '{"rollout":"r1","objective":"errors","history":{"plant-0001":[12000,118]}}'
    assert read(history) == HistoryLine("r1", "errors", {"plant-0001": (12000, 118)})
    assigned = '{"rollout":"r1","assigned":{"plant-0001":["canary","eu/cpu"]}}'
    assert read(assigned) == AssignedLine("r1", None, {"plant-0001": ("canary", "eu/cpu")})
    assert read(json.dumps(TICK)) == TickLine(
        "r1", "errors", AT, {"plant-0001": (20, 1)}, {"plant-0002": (20, 0)}, (25, 475)
    )


def test_canonical_form() -> None:
    line = TickLine(
        "r1", "errors", AT + timedelta(microseconds=5), {"b": (1, 0), "a": (2, 1)}, {}, None
    )
    assert dump(line) == (
        '{"rollout":"r1","objective":"errors","at":"2026-11-20T08:05:00.000005Z",'
        '"canary":{"a":[2,1],"b":[1,0]},"stable":{}}'
    )


@pytest.mark.parametrize(
    "pair",
    [
        [20, -1],
        [-1, -1],
        [20, 21],
        [20.0, 1],
        [20, 1.5],
        [True, False],
        ["20", "1"],
        [20, None],
        [MAX_COUNT + 1, 0],
        [20],
        [20, 1, 0],
        {},
        20,
        None,
    ],
)
def test_counts_that_cannot_be_are_refused(pair: Any) -> None:
    assert "plant-0001" in refused(TICK | {"canary": {"plant-0001": pair}})
    assert "plant-0001" in refused({"rollout": "r", "history": {"plant-0001": pair}})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_outside_json_are_refused(number: str) -> None:
    text = json.dumps(TICK)
    refused(text.replace("[20, 1]", f"[{number}, 1]"))
    refused('{"rollout":"r","objectives":{"errors":NUMBER}}'.replace("NUMBER", number))


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-20T08:05:00",
        "2026-11-20T08:05:00+01:00",
        "2026-11-20 08:05:00Z",
        "2026-11-20",
        "2026-13-20T08:05:00Z",
        "2026-11-20T08:05:60Z",
        "\u0662\u066026-11-20T08:05:00Z",
        1795161900,
        None,
    ],
)
def test_times_must_be_utc(at: Any) -> None:
    refused(TICK | {"at": at})
    refused({"rollout": "r", "assigned": {}, "at": at})


def test_utc_may_be_written_as_an_offset() -> None:
    line = read(json.dumps(TICK | {"at": "2026-11-20T08:05:00.25+00:00"}))
    assert line == read(json.dumps(TICK | {"at": "2026-11-20T08:05:00.250000Z"}))


def test_an_unknown_key_names_the_nearest() -> None:
    assert refused(TICK | {"canry": {}}) == "unknown key 'canry'; did you mean 'canary'?"
    assert refused({"rollout": "r", "history": {}, "at": "x"}) == "unknown key 'at'"


@pytest.mark.parametrize("key", ["rollout", "objective", "at", "canary", "stable"])
def test_a_missing_key_is_named(key: str) -> None:
    without = {name: value for name, value in TICK.items() if name != key}
    assert refused(without) == f"the key {key!r} is missing"


@pytest.mark.parametrize("key", ["rollout", "objective"])
@pytest.mark.parametrize("name", ["", "a\nb", "\ud800", "x" * 254, 5, None])
def test_names_are_printable_text(key: str, name: Any) -> None:
    assert refused(TICK | {key: name}).startswith(f"{key} has 1 to 253 characters")


def test_site_names_are_printable_text() -> None:
    assert refused(TICK | {"stable": {"a\tb": [1, 0]}}).startswith("site has 1 to 253")


def test_a_site_in_both_arms_is_refused() -> None:
    both = TICK | {"stable": {"plant-0001": [1, 0]}}
    assert refused(both) == "site 'plant-0001' is in both arms"


def test_a_key_that_stands_twice_is_refused() -> None:
    text = '{"rollout":"r","history":{"a":[1,0],"b":[1,0],"a":[2,0]}}'
    assert refused(text) == "the key 'a' stands twice"


@pytest.mark.parametrize(
    "weights",
    [{}, {"a": 0}, {"a": -0.1}, {"a": 1.1}, {"a": 0.6, "b": 0.5}, {"a": True}, {"a": "1"}, [1]],
)
def test_weights_share_one_alpha(weights: Any) -> None:
    refused({"rollout": "r", "objectives": weights})


def test_a_whole_weight_may_be_an_integer() -> None:
    assert read('{"rollout":"r","objectives":{"a":1}}') == ObjectivesLine("r", {"a": 1.0})


@pytest.mark.parametrize("place", [["green", "eu"], ["canary", 5], ["canary"], "canary", [[], ""]])
def test_an_assignment_is_an_arm_and_a_stratum(place: Any) -> None:
    assert "plant-0001" in refused({"rollout": "r", "assigned": {"plant-0001": place}})


@pytest.mark.parametrize("seen", [None, "plant-0003", {"plant-0003": 1}, [3], ["a\tb"], [[]]])
def test_seen_is_a_list_of_sites(seen: Any) -> None:
    refused(TICK | {"seen": seen})


@pytest.mark.parametrize("fresh", [[1], [1, -1], [1, 0.5], None, 5, [True, True]])
def test_fresh_is_two_counts(fresh: Any) -> None:
    assert "fresh" in refused(TICK | {"fresh": fresh})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"rollout":', "not JSON"),
        ("\ufeff{}", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ("[]", "a line is a JSON object"),
        ("7", "a line is a JSON object"),
        ("{}", "the key 'at' is missing"),
        ("[" * 100_000, "nested too deeply"),
        ('{"rollout":' * 100_000, "nested too deeply"),
        ('{"rollout":"r","history":{"a":[%s,0]}}' % ("9" * 5000), "Exceeds the limit"),
        (b" " * (MAX_LINE_BYTES + 1), "longer than"),
    ],
)
def test_what_is_no_line_is_refused(text: str | bytes, message: str) -> None:
    assert message in refused(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_in_any_place_is_refused_or_read(value: Any) -> None:
    for key in TICK:
        try:
            line = read(json.dumps(TICK | {key: value}))
        except InputError:
            continue
        assert isinstance(line, TickLine)


def test_lines_made_by_code_are_checked_too() -> None:
    with pytest.raises(ValueError, match="UTC"):
        TickLine("r", "o", datetime(2026, 1, 1), {}, {})  # noqa: DTZ001
    with pytest.raises(ValueError, match="bad"):
        HistoryLine("r", None, {"a": (1, 2)})
