"""Names that become paths and labels: nothing that could climb, forge or clash is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model.names import application_name, check_name, check_release, clashes

HOSTILE = [
    *("", ".", "..", "../x", "a/b", "/a", "a\\b", "a b", " a", "a ", "a\n", "\na", "a\tb", "a\0b"),
    *("-a", "a-", "-", "A", "Plant-1", "a_b", "a.b", "a:b", "a@b", "a%2f", "$(x)", "${x}", "{{x}}"),
    *(
        "é",
        "straße",
        "\u0430bc",
        "a\u200db",
        "\uff41",
        "a\u0301",
        "\uff11",
        "a;b",
        "a'b",
        'a"b',
        "a#b",
        "*",
        "~",
    ),
]


@pytest.mark.parametrize("text", ["a", "0", "42", "plant-0042", "a--b", "eu-central-1", "x" * 53])
def test_a_label_is_a_name(text: str) -> None:
    assert check_name("site", text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        check_name("site", text)


@pytest.mark.parametrize("length", [54, 300, 100_000])
def test_a_long_name_is_refused_and_not_repeated_in_full(length: int) -> None:
    with pytest.raises(ValueError, match=f"has {length} characters, 53 at most") as told:
        check_name("site", "x" * length)
    assert len(str(told.value)) < 100


def test_the_limit_can_be_set() -> None:
    with pytest.raises(ValueError, match=r"environment 'xxxx'\.\.\. has 4 characters, 3 at most"):
        check_name("environment", "xxxx", 3)


@given(st.text(max_size=60))
def test_a_name_has_no_two_spellings(text: str) -> None:
    try:
        check_name("site", text)
    except ValueError:
        return
    assert text.isascii()
    assert text == text.lower() == text.strip(" -./\\")
    assert len(text) <= 53


@pytest.mark.parametrize("text", ["v1-00000000", "v13-3f9a1c2b", "v999999999-ffffffff"])
def test_a_release_id_is_one(text: str) -> None:
    assert check_release(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "v13", "13-3f9a1c2b", "v13-3f9a1c2", "v13-3f9a1c2bb", "v13-3F9A1C2B", "V13-3f9a1c2b"),
        *("v-3f9a1c2b", "v1234567890-3f9a1c2b", "v13_3f9a1c2b", "v13-3f9a1c2g", "v13-3f9a1c2b\n"),
        *("../v13-3f9a1c2b", "v13-3f9a1c2b/..", "v\u0661-3f9a1c2b", " v13-3f9a1c2b", "latest"),
    ],
)
def test_no_other_text_is_a_release_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not a release id"):
        check_release(text)


def test_the_application_is_called_environment_model_site() -> None:
    name = application_name("edge-k3s", "defect-detector", "plant-0042")
    assert name == "edge-k3s-defect-detector-plant-0042"


@pytest.mark.parametrize(("length", "fits"), [(38, True), (39, False)])
def test_an_application_name_has_at_most_63_characters(length: int, fits: bool) -> None:
    site = "s" * length
    if fits:
        assert len(application_name("edge-k3s", "defect-detector", site)) == 63
        return
    with pytest.raises(ValueError, match="would have 64 characters, 63 at most; shorten"):
        application_name("edge-k3s", "defect-detector", site)


names = st.from_regex(r"[ab](?:-[ab])?", fullmatch=True)


@given(st.dictionaries(st.tuples(names, names), st.sets(names, max_size=4), max_size=5))
def test_a_clash_is_found_exactly_where_two_names_are_alike(
    sites: dict[tuple[str, str], set[str]],
) -> None:
    every = [(*line, site) for line in sites for site in sites[line]]
    alike = {
        frozenset((one, other))
        for one in every
        for other in every
        if one != other and application_name(*one) == application_name(*other)
    }
    found = [frozenset(pair) for pair in clashes(sites)]
    assert set(found) == alike
    assert len(found) == len(alike)
