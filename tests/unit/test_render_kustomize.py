"""Many pointers written at once are the pointers written one by one."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.model.site import Site
from generator.render.kustomize import pointer, pointers

names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
cells = st.sampled_from(["", "any-site", '"', "\\", "an any-site here", "~", "é", "day"])
plants = st.builds(
    Site,
    names | st.just("any-site"),
    names,
    st.just("eu"),
    names,
    st.fixed_dictionaries({"a": cells}),
)
ANY = Site("x", "k", "eu", "cpu", {"a": "any-site"})


@settings(max_examples=300, deadline=None)
@given(
    st.lists(plants, max_size=6),
    st.lists(st.sampled_from(["id", "cluster", "hardware", "a", "none"]), max_size=3),
    st.data(),
)
@example([ANY], ["id", "a"], None)
@example([ANY, Site("any-site", "k", "eu", "cpu", {"a": "x"})], ["a", "id", "id"], None)
def test_many_pointers_are_those_written_one_by_one(
    sites: list[Site], columns: list[str], data: Any
) -> None:
    known = {site.id: site for site in sites}
    release = st.sampled_from(["v1-00000000", "v2-00000000"])
    runs = {id_: data.draw(release) if data else "v1-00000000" for id_ in known}
    single: dict[str, bytes] = {}
    for id_, site in known.items():
        single.update(pointer("edge", "any-site", site, runs[id_], columns))
    assert pointers("edge", "any-site", known, runs, columns) == single
