"""Answers enter templates inert, or not at all."""

from typing import Any

import pytest

from generator.errors import InputError
from generator.model.blueprint import Answer, Blueprint, Input, Type, check_input, fill

NAME = Input("name", Type.WORD, r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", longest=20)
TITLE = Input("title", Type.TEXT, default="")
TAGS = Input("tags", Type.TEXTS, "[a-z]+", default=("a",))
COUNT = Input("count", Type.INTEGER, default=3)
BLUEPRINT = Blueprint(
    name="sample",
    version=1,
    inputs=(NAME, TITLE, TAGS, COUNT),
    outputs=(),
    template={},
    digest="sha256:0",
)


def test_defaults_fill_what_was_not_answered() -> None:
    complete = BLUEPRINT.complete({"name": "x"})
    assert complete == {"name": "x", "title": "", "tags": ("a",), "count": 3}


def test_answers_that_fit_come_back() -> None:
    answers: dict[str, Answer] = {"name": "a-b", "title": "it's", "tags": ("x", "y"), "count": 7}
    assert BLUEPRINT.complete(answers) == answers


def test_every_wrong_answer_is_named_in_one_pass() -> None:
    with pytest.raises(InputError) as caught:
        BLUEPRINT.complete({"titel": "x", "tags": ["A"], "count": True})
    assert [str(one) for one in caught.value.problems] == [
        "sample: unknown answer 'titel'; did you mean 'title'?",
        "sample: the answer 'name' is missing",
        "sample: tags: 'A' does not match [a-z]+",
        "sample: count: expected integer, not bool",
    ]


def test_an_answer_that_resembles_nothing_lists_what_is_known() -> None:
    with pytest.raises(InputError, match="known answers: name, title, tags, count"):
        BLUEPRINT.complete({"name": "x", "qqqq": "x"})


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "../x",
        "a..b",
        "a/../b",
        "x\n",
        "x\ny: 1",
        'x"',
        "{{ 7*7 }}",
        "[= 7*7 =]",
        "[% raw %]",
        "-x",
        "X",
        "a" * 21,
        "é",
        7,
        ["x"],
        b"x",
    ],
)
def test_a_word_that_means_something_is_refused(answer: Any) -> None:
    with pytest.raises(InputError):
        BLUEPRINT.complete({"name": answer})


def test_a_word_is_safe_even_under_a_loose_pattern() -> None:
    loose = Input("name", Type.WORD, ".*")
    for hostile in ('x"', "x y", "x\ty", "..", "a#b", "$(x)", "[x]", "a,b", "x'"):
        with pytest.raises(ValueError, match="not allowed"):
            loose.check(hostile)


@pytest.mark.parametrize("answer", ["a\nb", "\x00", "\u2028", "\ufeff", "a" * 201])
def test_a_text_is_one_short_printable_line(answer: str) -> None:
    with pytest.raises(ValueError, match=r"control characters|200 at most"):
        TITLE.check(answer)


@pytest.mark.parametrize("answer", ["text", [1], ["x"] * 201, {"a": 1}, None])
def test_a_list_holds_texts_only(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"expected"):
        TAGS.check(answer)


@pytest.mark.parametrize("answer", [-1, 1_000_001])
def test_an_integer_is_bounded(answer: int) -> None:
    with pytest.raises(ValueError, match="does not lie between"):
        COUNT.check(answer)


@pytest.mark.parametrize("name", ["items", "keys", "root", "dot", "a-b", "A", "_x", ""])
def test_a_name_that_templates_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        check_input(name)


def test_a_name_that_templates_can_use_comes_back() -> None:
    assert check_input("registry_name") == "registry_name"


def test_a_path_carries_the_answers() -> None:
    path = "models/[=cookiecutter.name=]/model.yaml"
    assert fill(path, {"name": "x"}) == "models/x/model.yaml"


@pytest.mark.parametrize(
    "path",
    ["[=cookiecutter.gone=]", "[= 7 =]", "a/../b", "/a", "a//b", "a/", ".", "[=cookiecutter.up=]"],
)
def test_a_path_that_is_more_than_names_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be the path"):
        fill(path, {"name": "x", "up": ".."})
