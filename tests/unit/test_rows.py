"""The quick reader of the writer's own form says the same as the full one, or nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.documents.reading import MOST_BYTES
from generator.documents.rollout import _read_any as full_cohort
from generator.documents.rollout import _read_canonical as quick_cohort
from generator.documents.rollout import read_cohort, write_cohort
from generator.documents.rows import plain, read_rows
from generator.documents.sites import SHARD_SIZE, read_shard, write_shard
from generator.documents.sites import _read_any as full_shard
from generator.documents.sites import _read_canonical as quick_shard
from generator.errors import InputError
from generator.model.cohort import Cohort, Excluded, Member
from generator.model.site import Site

names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
cells = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
columns = st.sampled_from(["line", "on", "y", "null", "a-b", "a_b", "shift2", "id2", "region2"])


@st.composite
def sites(draw: Any) -> list[Site]:
    extra = draw(st.lists(columns, max_size=3, unique=True))
    ids = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    return [
        Site(one, draw(names), draw(names), draw(names), {name: draw(cells) for name in extra})
        for one in ids
    ]


cohorts = st.builds(
    Cohort,
    names,
    st.lists(st.builds(Member, names, cells), max_size=6, unique_by=lambda one: one.id).map(tuple),
    st.just(()) | st.lists(st.builds(Excluded, names, cells), min_size=1, max_size=2).map(tuple),
)


@st.composite
def damaged(draw: Any, whole: Any) -> bytes:
    """Put something else in one or two places; often it is what YAML would stumble over."""
    text = draw(whole).decode()
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 12)))
        odd = ["- ", "{", "}", ", ", ": ", "[]", "&a ", *'"\\\n#\té\x7f', "'"]
        new = draw(st.sampled_from(odd) | st.just(text[start:stop] * 2) | st.text(max_size=3))
        text = text[:start] + new + text[stop:]
    return (text.rstrip("\n") + "\n").encode("utf-8", "surrogatepass")


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InputError as error:
        return [str(problem) for problem in error.problems]


@settings(max_examples=200, deadline=None)
@given(damaged(sites().map(write_shard)))
@example(write_shard([Site("a", "k", "eu", "cpu")]) * 2)
@example(write_shard([Site("a", "k", "eu", "cpu", {"line": "x" * 201})]))
@example(b'- {id: "a", cluster: "k", region: "", hardware: "", id: "b"}\n')
@example(b'- {id: "a", cluster: "k", region: "", hardware: "", "id": "b"}\n')
@example(b'- {id: "a", cluster: "k", region: "", "hardware": "cpu"}\n')
@example(b'x- {id: "a", cluster: "k", region: "", hardware: ""}\n')
@example(b'- {id: "a", cluster: "k", region: "", hardware: "", path: "x"}\n')
@example(b'- {id: "A", cluster: "k", region: "", hardware: ""}\n')
@example(b'- {id: "a", cluster: "k", region: "", hardware: ""}')
def test_a_site_file_reads_the_same_either_way(data: bytes) -> None:
    full = outcome(lambda: full_shard("s", data, "s000"))
    assert outcome(lambda: read_shard("s", data, "s000")) == full
    assert quick_shard(data, "s000") in (None, full)


@settings(max_examples=200, deadline=None)
@given(damaged(cohorts.map(write_cohort)))
@example(write_cohort(Cohort("r", (Member("a", "x" * 5000), Member("b", "- {")))))
@example(write_cohort(Cohort("r", (Member("a", ""), Member("a", "")))))
@example(write_cohort(Cohort("r", (Member("A", ""),))))
@example(write_cohort(Cohort("r", (Member("a", ""),))).replace(b'"n": 1', b'"n": 2'))
def test_a_draw_reads_the_same_either_way(data: bytes) -> None:
    full = outcome(lambda: full_cohort("c", data))
    assert outcome(lambda: read_cohort("c", data)) == full
    assert quick_cohort(data) in (None, full)


@given(sites())
def test_what_the_writer_wrote_is_read_quickly(rows: list[Site]) -> None:
    plainly = [one for one in rows if not any(c in v for v in one.labels.values() for c in '"\\')]
    if plainly:
        assert quick_shard(write_shard(plainly), "s000") == tuple(plainly)


def test_a_draw_of_the_writer_is_read_quickly() -> None:
    cohort = Cohort("r-1", (Member("a", "eu/cpu"), Member("b", "-")))
    assert quick_cohort(write_cohort(cohort)) == cohort


@pytest.mark.parametrize("count", [SHARD_SIZE, SHARD_SIZE + 1])
def test_the_size_of_a_site_file_is_looked_at(count: int) -> None:
    rows = [Site(f"p-{number}", "k", "eu", "cpu") for number in range(count)]
    assert (quick_shard(write_shard(rows), "s000") is None) == (count > SHARD_SIZE)


def test_what_is_too_large_or_not_ascii_is_for_the_full_reader() -> None:
    assert plain(b"a" * MOST_BYTES)
    assert [plain(b"a" * (MOST_BYTES + 1)), plain("é".encode()), plain(b"")] == ["", "", ""]


def test_rows_of_one_column_are_for_the_full_reader() -> None:
    assert read_rows('- {id: "a"}\n') is None
