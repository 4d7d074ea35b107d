"""Foreign bytes are bounded, unambiguous and closed before they mean anything."""

import time
from collections.abc import Callable

import pytest

from generator.documents.reading import MOST_BYTES, Document, decimal, whole
from generator.documents.rollout import read_rollout
from generator.errors import InputError

FILE = "rollouts/edge-k3s/defect-detector.yaml"
HEAD = "apiVersion: tidegate.dev/v1alpha1\nkind: Thing\n"


def told(data: bytes | str) -> list[str]:
    """Read a file of any kind; list its problems."""
    try:
        document = Document("f.yaml", data if isinstance(data, bytes) else data.encode())
        top = document.top("Thing")
        top.value("word", str, "")
        top.number("count", whole, 0)
        top.value("wordy", str, "")
        inner = top.mapping("inner")
        inner.value("one", str, "")
        inner.close()
        top.texts("list", str)
        top.close()
        document.finish(lambda: None)
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_good_file_has_no_problem() -> None:
    assert told(HEAD + "word: x\ncount: 5\ninner: {one: z}\nlist: [a, 'b c']\n# tschüß 🙂\n") == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "f.yaml: the file is empty"),
        (b"\n\n", "f.yaml: the file is empty"),
        (b"# nothing\n", "f.yaml: the file is empty"),
        (b"a: \xff\n", "f.yaml:1: not UTF-8"),
        (b"a: 1\nb: \xc3\n", "f.yaml:2: not UTF-8"),
        ("a: 1\n".encode("utf-16"), "f.yaml:1: not UTF-8"),
        ("\ufeffa: 1\n".encode(), "f.yaml:1: holds a byte order mark; use LF and spaces"),
        (b"a: 1\nb: 2\r\n", "f.yaml:2: holds CRLF line ends; use LF and spaces"),
        (b"a: 1\rb: 2\r", "f.yaml:1: holds CRLF line ends; use LF and spaces"),
        (b"a:\n  b: 1\n\tc: 2\n", "f.yaml:3: holds a tab; use LF and spaces"),
        (b"a: 1 #\tx\n", "f.yaml:1: holds a tab; use LF and spaces"),
        (b"a: 1\n---\nb: 2\n", "f.yaml:2: not YAML: but found another document"),
        (b"a: [1\n", "f.yaml:2: not YAML: did not find expected ',' or ']'"),
        (b"a: *nobody\n", "f.yaml:1: not YAML: found undefined alias"),
        (b"a: \x00\n", "f.yaml: not YAML"),
        (b"a: \x07\n", "f.yaml: not YAML"),
        (b"x" * (MOST_BYTES + 1), f"f.yaml: larger than {MOST_BYTES} bytes"),
        (b"# big\n" * 1_000_000, f"f.yaml: larger than {MOST_BYTES} bytes"),
    ],
)
def test_what_cannot_be_read_at_all_is_one_problem_with_its_line(data: bytes, problem: str) -> None:
    assert told(data) == [problem]


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_a_comment_ends_where_a_reviewer_sees_it_end(end: str) -> None:
    # YAML 1.1 would read a second key behind the comment.
    text = f"{HEAD}count: 5   # bump me{end}word: x\n"
    assert told(text) == ["f.yaml:3: holds a line end that is not LF; use LF and spaces"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "data",
    [
        b"[" * 21,
        b"[" * 4_000_000,
        b"{a: " * 1_000_000,
        b"- " * 2_000_000,
        b"? " * 2_000_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"".join(b" " * depth + b"a:\n" for depth in range(900)),
    ],
)
def test_a_deep_file_is_refused_and_does_not_end_the_process(data: bytes) -> None:
    started = time.process_time()
    (problem,) = told(data)
    assert problem.endswith(": nested too deeply")
    assert time.process_time() - started < 1


def test_twenty_levels_are_deep_enough() -> None:
    assert told("a: " + "[" * 19 + "]" * 19 + "\n")[-1].startswith("f.yaml:1: unknown key 'a'")


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{this}: &{this} [{', '.join([f'*{last}'] * 9)}]\n"
    for last, this in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("word: &a x\n", [3]),
        ("word: &a x\nwordy: *a\n", [3, 4]),
        ("inner: &a {one: x}\n", [3]),
        ("list: [&a x, *a]\n", [3, 3]),
        ("list: &a [*a]\n", [3, 3]),
    ],
)
def test_anchors_and_aliases_are_refused_with_their_lines(text: str, lines: list[int]) -> None:
    problem = "anchors and aliases are not allowed"
    assert [one for one in told(HEAD + text) if problem in one] == [
        f"f.yaml:{line}: {problem}" for line in lines
    ]


@pytest.mark.timeout(20)
def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    problems = told(LAUGHS)
    assert problems[0] == "f.yaml:1: anchors and aliases are not allowed"
    assert len(problems) < 200


@pytest.mark.parametrize(
    "tagged", ["!!python/object:os.system x", "!x y", "! x", "!!str x", "!!binary aGk=", "!!map {}"]
)
def test_tags_are_refused(tagged: str) -> None:
    assert "f.yaml:3: tags are not allowed" in told(f"{HEAD}word: {tagged}\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("word: x\nword: x\n", "f.yaml:4: the key 'word' stands here twice"),
        ("word: x\n'word': y\n", "f.yaml:4: the key 'word' stands here twice"),
        ("inner: {one: x, one: y}\n", "f.yaml:3: the key 'one' stands here twice"),
        ("kind: Thing\n", "f.yaml:3: the key 'kind' stands here twice"),
        ("? [a]\n: b\n", "f.yaml:3: a key must be a plain word"),
        ("{a: b}: c\n", "f.yaml:3: a key must be a plain word"),
    ],
)
def test_a_key_is_a_word_and_stands_once(text: str, problem: str) -> None:
    assert problem in told(HEAD + text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("wrod: x\n", "f.yaml:3: unknown key 'wrod'; did you mean 'word'?"),
        ("inner: {on: x}\n", "f.yaml:3: unknown key 'on'; did you mean 'one'?"),
        ("Count: 5\n", "f.yaml:3: unknown key 'Count'; did you mean 'count'?"),
        ("cuont: 5\n", "f.yaml:3: unknown key 'cuont'; did you mean 'count'?"),
        (
            "zzz: 1\n",
            "f.yaml:3: unknown key 'zzz'; "
            "known keys: apiVersion, count, inner, kind, list, word, wordy",
        ),
        ("<<: {word: x}\n", "unknown key '<<'"),
        ("'': x\n", "unknown key ''"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(text: str, problem: str) -> None:
    (found,) = told(HEAD + text)
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ["f.yaml:1: the key 'apiVersion' is missing", "f.yaml:1: the key 'kind' is missing"]),
        ("apiVersion: v1\nkind: Thing\n", ["f.yaml:1: apiVersion must be 'tidegate.dev/v1alpha1'"]),
        ("apiVersion: tidegate.dev/v1alpha1\nkind: [T]\n", ["f.yaml:2: kind must be 'Thing'"]),
    ],
)
def test_version_and_kind_come_first(text: str, problem: list[str]) -> None:
    assert told(text + "word: x\n") == problem


@pytest.mark.parametrize("text", ["- a\n", "x\n", "'x'\n", "5\n", "~\n", "|\n  x\n"])
def test_what_is_no_mapping_is_said_to_be_none(text: str) -> None:
    assert told(text) == ["f.yaml:1: expected a mapping of keys to values"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("word: {a: b}\n", "f.yaml:3: word must be one value"),
        ("word: [a]\n", "f.yaml:3: word must be one value"),
        ("count: '5'\n", "f.yaml:3: count must be a number without quotes"),
        ('count: "5"\n', "f.yaml:3: count must be a number without quotes"),
        ("count: |\n  5\n", "f.yaml:3: count must be a number without quotes"),
        ("count: [5]\n", "f.yaml:3: count must be a number without quotes"),
        ("count:\n", "f.yaml:3: count: '' is not a whole number"),
        ("count: -5\n", "f.yaml:3: count: '-5' is not a whole number"),
        ("inner: x\n", "f.yaml:3: expected a mapping of keys to values"),
        ("inner: [x]\n", "f.yaml:3: expected a mapping of keys to values"),
        ("list: x\n", "f.yaml:3: list must be a list"),
        ("list: {a: b}\n", "f.yaml:3: list must be a list"),
        ("list: [[a]]\n", "f.yaml:3: list must be one value"),
    ],
)
def test_a_value_of_another_shape_is_refused(text: str, problem: str) -> None:
    assert told(HEAD + text) == [problem]


@pytest.mark.parametrize(
    "bare",
    [
        # What YAML 1.1, YAML 1.2, Go and a spreadsheet take for different things.
        *("012", "7e10", "1.10", "1_000", "0x1f", "0o17", "0b1", "1:30", "190:20:30", "+1", "-1"),
        *("on", "On", "ON", "off", "yes", "no", "NO", "y", "N", "true", "False", "null", "~", ""),
        *("2026-11-20", "2026-11-20T08:05:00Z", ".5", "5.", ".inf", "-.inf", ".nan", "1e3", "00"),
        *("42", "0", "=", "<<", "a b", "tschüß", "12-1", "5min", "1234567m"),
    ],
)
def test_text_that_tools_read_differently_must_be_quoted(bare: str) -> None:
    assert told(f"{HEAD}word: {bare}\n") == [
        f"f.yaml:3: word: {bare!r} reads differently in different tools; quote it"
    ]
    assert told(f"{HEAD}word: '{bare}'\n") == []
    assert told(f'{HEAD}word: "{bare}"\n') == []


@pytest.mark.parametrize(
    "bare", ["x", "plant-0042", "v13-3f9a1c2b", "2h", "250ms", "a/b:c@d", "_x", "/x", "yess", "onn"]
)
def test_plain_words_need_no_quotes(bare: str) -> None:
    assert told(f"{HEAD}word: {bare}\n") == []


def test_all_problems_come_in_one_pass_in_the_order_of_the_lines() -> None:
    text = f"{HEAD}wrod: x\ncount: nan\ninner:\n  two: y\n  two: z\nlist: [&a no, 5]\nword: [x]\n"
    assert told(text) == [
        "f.yaml:3: unknown key 'wrod'; did you mean 'word'?",
        "f.yaml:4: count: 'nan' is not a whole number",
        "f.yaml:7: the key 'two' stands here twice",
        "f.yaml:7: unknown key 'two'; known keys: one",
        "f.yaml:8: anchors and aliases are not allowed",
        "f.yaml:8: list: '5' reads differently in different tools; quote it",
        "f.yaml:8: list: 'no' reads differently in different tools; quote it",
        "f.yaml:9: word must be one value",
    ]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (whole, "0", 0),
        (whole, "7", 7),
        (whole, "1700000000000", 1_700_000_000_000),
        (decimal, "0", "0"),
        (decimal, "99.5", "99.5"),
        (decimal, "0.000000001", "0.000000001"),
    ],
)
def test_plain_numbers_are_read(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize("read", [whole, decimal])
@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " 1",
            "1 ",
            "1\n",
            "+1",
            "-1",
            "01",
            "010",
            "1_0",
            "1e1",
            "0x1",
            "nan",
            "inf",
            "\u0665",
        ),
        *("1.", ".1", "1..0", "1.0.0", "9" * 30, "0." + "1" * 30, "1,5"),
    ],
)
def test_other_numbers_are_not(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read(text)


@pytest.mark.parametrize(
    "percent",
    [
        *(
            "nan",
            ".nan",
            "5_0",
            "1e1",
            "5%",
            "-1",
            "+5",
            "05",
            "5.",
            "101",
            "0x5",
            "5.001",
            "",
            "~",
        ),
        *("five", "1:30", "5 0", "true"),
    ],
)
def test_a_percentage_is_taken_from_its_text(percent: str) -> None:
    text = (
        "apiVersion: tidegate.dev/v1alpha1\nkind: Rollout\nmodel: defect-detector\n"
        f"environment: edge-k3s\npercent: {percent}\n"
    )
    with pytest.raises(InputError) as told_:
        read_rollout(FILE, text.encode(), "edge-k3s", "defect-detector")
    (problem,) = told_.value.problems
    assert str(problem).startswith(f"{FILE}:5: percent: {percent!r} is not a percentage") or (
        percent == "101" and "a percentage lies between 0 and 100" in str(problem)
    )


@pytest.mark.parametrize("percent", ['"5%"', '"5"', "'5'", "[5]", "{a: 5}", "|\n  5", ">-\n  5"])
def test_a_percentage_is_a_bare_number(percent: str) -> None:
    text = (
        "apiVersion: tidegate.dev/v1alpha1\nkind: Rollout\nmodel: defect-detector\n"
        f"environment: edge-k3s\npercent: {percent}\n"
    )
    with pytest.raises(InputError) as told_:
        read_rollout(FILE, text.encode(), "edge-k3s", "defect-detector")
    assert str(told_.value) == f"{FILE}:5: percent must be a number without quotes"
