"""The writer that nobody reads differently, and the splice that changes one scalar only."""

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.yamltext import Row, delete_key, dump, quote, set_scalar

ROLLOUT = """\
# What climbs where; ask @releases before you bump.
apiVersion: tidegate.dev/v1alpha1
kind: "Rollout"
model: 'defect-detector'      # don't rename
environment: edge-k3s
stable: v12-9be07d11
percent: 5                  # bump me: in a pull request
steps: [5, 10, 25,
        50, 100]            # the last one is 100
soakFrom: {25: 24h}

phase: Progressing
# the end
"""

# ------------------------------------------------------------------ the writer


texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    texts | st.integers(-(10**12), 10**12) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(texts, values, min_size=1, max_size=4) | st.lists(values, min_size=1))
def test_what_is_written_reads_back_as_the_same_data(value: Any) -> None:
    assert yaml.load(dump(value), Loader=yaml.CSafeLoader) == value
    assert yaml.load(dump(value), Loader=yaml.SafeLoader) == value


@given(texts)
def test_a_quoted_string_is_one_printable_ascii_line(text: str) -> None:
    quoted = quote(text)
    assert re.fullmatch(r'"[ -~]*"', quoted)
    assert yaml.safe_load(quoted) == text


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20), max_size=20))
def test_json_reads_printable_text_alike(text: str) -> None:
    assert json.loads(quote(text)) == text


@pytest.mark.parametrize(
    "text", ["no", "012", "1e3", "1.10", "null", "~", "", " a ", "a: b", "# c", "- d", "\ud7ff\n"]
)
def test_no_string_is_taken_for_something_else(text: str) -> None:
    assert yaml.safe_load(dump({"key": text, "list": [text]})) == {"key": text, "list": [text]}


@pytest.mark.parametrize("key", ["on", "y", "No", "null", "1", "a-b", "a.b", "", "a b", "é", "#"])
def test_a_key_that_could_be_read_differently_is_quoted(key: str) -> None:
    assert dump({key: 1}).decode() == f"{quote(key)}: 1\n"


def test_the_layout_is_the_one_that_diffs_show() -> None:
    value = {
        "apiVersion": "v1",
        "n": 2,
        "on": True,
        "sites": [Row(id="plant-0001", stratum="eu/cpu"), Row(id="plant-0002", stratum="eu/gpu")],
        "excluded": [],
        "spec": {"empty": {}, "inner": {"list": ["a", ["b", "c"], {"d": "e", "f": ["g"]}]}},
    }
    assert dump(value).decode() == (
        'apiVersion: "v1"\n'
        '"n": 2\n'
        '"on": true\n'
        "sites:\n"
        '- {id: "plant-0001", stratum: "eu/cpu"}\n'
        '- {id: "plant-0002", stratum: "eu/gpu"}\n'
        "excluded: []\n"
        "spec:\n"
        "  empty: {}\n"
        "  inner:\n"
        "    list:\n"
        '    - "a"\n'
        '    - - "b"\n'
        '      - "c"\n'
        '    - d: "e"\n'
        "      f:\n"
        '      - "g"\n'
    )


@pytest.mark.parametrize("value", [None, 1.5, {"a": None}, ["a", 0.5], Row(a=None), {1, 2}])
def test_values_without_one_spelling_are_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="the canonical writer does not write"):
        dump({"key": value})


# ------------------------------------------------------------------ the splice


@pytest.mark.parametrize(
    ("key", "scalar", "old", "new"),
    [
        ("percent", "10", "percent: 5 ", "percent: 10 "),
        ("percent", "0", "percent: 5 ", "percent: 0 "),
        ("kind", "Other", 'kind: "Rollout"', "kind: Other"),
        ("model", '"x y"', "model: 'defect-detector' ", 'model: "x y" '),
        ("phase", "Paused", "phase: Progressing", "phase: Paused"),
    ],
)
def test_only_the_bytes_of_the_scalar_change(key: str, scalar: str, old: str, new: str) -> None:
    assert ROLLOUT.count(old) == 1
    assert set_scalar(ROLLOUT, key, scalar) == ROLLOUT.replace(old, new)


def test_setting_what_is_there_changes_nothing() -> None:
    assert set_scalar(ROLLOUT, "percent", "5") == ROLLOUT


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("percent", "", "canary: x\npercent: 5 "),
        ("", "environment", "environment: edge-k3s\ncanary: x\nstable: "),
        ("", "soakFrom", "soakFrom: {25: 24h}\ncanary: x\n\nphase"),
        ("", "steps", "50, 100]            # the last one is 100\ncanary: x\n"),
        ("", "nowhere", "# the end\ncanary: x\n"),
        ("nowhere", "stable", "stable: v12-9be07d11\ncanary: x\n"),
        ("", "", "# the end\ncanary: x\n"),
    ],
)
def test_a_new_key_gets_a_line_of_its_own(before: str, after: str, line: str) -> None:
    result = set_scalar(ROLLOUT, "canary", "x", before=before, after=after)
    assert line in result
    assert result.replace("canary: x\n", "") == ROLLOUT


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", "b"), ("a", ""), ("b", "")])
def test_a_file_without_a_last_newline_takes_a_new_key(before: str, after: str) -> None:
    result = set_scalar("a: 1\nb: 2", "c", "3", before=before, after=after)
    assert yaml.safe_load(result) == {"a": 1, "b": 2, "c": 3}
    assert result.replace("c: 3\n", "").rstrip("\n") == "a: 1\nb: 2"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a: 1\nb: 2\n", "a: 1\n"),
        ("a: 1\nb: 2", "a: 1\n"),
        ("a: 1\nb: 2   # gone with its line\n# stays\nc: 3\n", "a: 1\n# stays\nc: 3\n"),
        ("b: 2\na: 1\n", "a: 1\n"),
        ('a: 1\nb: "x\n  y"   # z\nc: 3\n', "a: 1\nc: 3\n"),
        ("a: 1\n", "a: 1\n"),
    ],
)
def test_deleting_a_key_takes_its_line(text: str, result: str) -> None:
    assert delete_key(text, "b") == result


def test_a_key_comes_and_goes_without_a_trace() -> None:
    added = set_scalar(ROLLOUT, "canary", "v13-3f9a1c2b", after="stable")
    assert delete_key(added, "canary") == ROLLOUT


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{a: 1}\n",
            "[a]\n",
            "- a\n",
            "a\n",
            "",
            "# a\n",
            "a:\n  b: 1\n",
            "a: [1]\n",
            "a: {b: 1}\n",
        ),
        *("a: |\n  b\n", "a: >\n  b\n", "a: [\n", "a: 1\n---\nb: 2\n", "a: *b\n", "a: \x00\n"),
        # With what follows it would read as something else.
        *("a:\nb: 1\n", "a: 1\n...\n", "? a\n: 1\n"),
    ],
)
def test_a_document_that_cannot_be_spliced_safely_is_refused(text: str) -> None:
    for splice in (lambda: set_scalar(text, "a", "2"), lambda: set_scalar(text, "new", "2")):
        try:
            result = splice()
        except ValueError:
            continue
        before = yaml.safe_load(text)
        after = yaml.safe_load(result)
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert changed in ({"a"}, {"new"})


@pytest.mark.parametrize("scalar", ["a: b", "[1", "1\nother: 2", "&a 1\nb: *a", '"', "- 1"])
def test_a_value_that_would_change_more_is_refused(scalar: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        set_scalar(ROLLOUT, "percent", scalar)


comments = st.text("ab Z09#:,'\"{}[]&*!|>%@`\\-\u00e9\u6f22\U0001f916", max_size=12)
scalars = st.sampled_from(["5", "'it''s'", '"\\u00e9 # no"', "plain text", "v1-x", "'a: b'", "''"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document that a person might own: comments, odd spacing, quotes, blank lines, no order."""
    keys = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True))
    keys.insert(draw(st.integers(0, len(keys))), "percent")
    lines = []
    for key in keys:
        lines += draw(st.lists(comments.map("# {}".format) | st.just(""), max_size=2))
        spelled = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
        gap, tail = (
            " " * draw(st.integers(1, 5)),
            draw(st.just("") | comments.map("   # {}".format)),
        )
        nested = draw(st.sampled_from(["[1,\n  2]", "{x: y}", "\n  x: y\n  z: [w]", "\n- 1\n- 2"]))
        value = draw(scalars) if key == "percent" else draw(scalars | st.just(nested))
        lines.append(
            f"{spelled}:{gap}{value}{tail}" if "\n" not in value else f"{spelled}: {value}"
        )
    end = draw(st.sampled_from(["\n", "", "\n\n# end\n"]))
    return draw(st.sampled_from(["", "---\n", "# head\n---\n"])) + "\n".join(lines) + end


@settings(max_examples=60)
@given(documents(), st.sampled_from(["10", "2.5", '"x: y # z"', "v13-3f9a1c2b"]))
def test_the_splice_leaves_every_other_byte_alone(text: str, scalar: str) -> None:
    result = set_scalar(text, "percent", scalar)
    expected = {**yaml.safe_load(text), "percent": yaml.safe_load(scalar)}
    assert yaml.safe_load(result) == expected
    start = text.index("percent")
    head = re.match(r"percent['\"]?: +", text[start:])
    assert head
    start += head.end()
    assert result.startswith(text[:start] + scalar)
    tail = result[start + len(scalar) :]
    assert text.endswith(tail)
    # What was taken out is one scalar, nothing of its neighbours.
    assert yaml.safe_load(text[start : len(text) - len(tail)]) == yaml.safe_load(text)["percent"]


@settings(max_examples=60)
@given(documents(), st.sampled_from(["percent", "a", ""]), st.sampled_from(["percent", "b", ""]))
@example("percent: 5\nb:\n  x: y\n# a\n\na: [1,\n  2]\n", "", "b")
def test_a_key_can_be_added_to_any_document_and_taken_out_again(
    text: str, before: str, after: str
) -> None:
    added = set_scalar(text, "zebra", "v1", before=before, after=after)
    assert yaml.safe_load(added) == {**yaml.safe_load(text), "zebra": "v1"}
    assert delete_key(added, "zebra").rstrip("\n") == text.rstrip("\n")
