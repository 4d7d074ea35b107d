"""Which sites change alike, and what is said of the rest."""

import pytest

from generator import layout
from generator.compare import Comparison, Group, Side, compare
from generator.model.site import Site
from generator.render import kustomize
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    Memory,
    add_sites,
    baseline,
    complete,
    fleet,
    percent,
    plant,
    promote,
    remove_sites,
)

TOPS = sorted({path.partition("/")[0] for path in fleet()} | {"releases", "sites"})
SHARD = f"{layout.shards(EDGE)}/sites-001.yaml"


def settled() -> Memory:
    return Memory(fleet()).do(baseline(12))


def between(old: Memory, new: Memory) -> Comparison:
    return compare(old, new, TOPS)


def said(group: Group) -> tuple[str, int, str]:
    """Give profile, number of sites and cohort."""
    side = group.new or group.old
    assert side is not None
    return side.profile, len(group.sites), group.cohort


def test_nothing_differs_from_itself():
    assert between(settled(), settled()).is_empty


def test_a_step_is_one_group_for_each_profile():
    old = settled()
    new = old.do(promote(13))
    found = between(old, new)
    moved = new.view.on(new.view.rollout().canary)
    assert sorted(site for group in found.groups for site in group.sites) == moved
    assert {group.cohort for group in found.groups} == {"canary"}
    assert len({said(group)[0] for group in found.groups}) == len(found.groups)
    for group in found.groups:
        assert group.old is not None
        assert group.new is not None
        assert group.old.releases == {"": new.view.rollout().stable}
        assert group.new.releases == {"": new.view.rollout().canary}
    assert found.unchanged == {(EDGE, MODEL): 95}
    added = new.files.keys() - old.files.keys()
    frozen = [path for path in added if path.startswith(layout.RELEASES)]
    assert found.folders == {"releases": len(frozen), "rollouts": 2}
    assert {key[2] for key in found.releases} == {
        new.view.rollout().stable,
        new.view.rollout().canary,
    }


def test_a_site_that_somebody_edited_stands_alone():
    old = settled()
    step = old.do(promote(13))
    site = step.view.on(step.view.rollout().canary)[0]
    path = f"{layout.pointer(EDGE, site, MODEL)}/kustomization.yaml"
    text = step.files[path].replace(b"includeTemplates: true", b"includeTemplates: false")
    found = between(old, step.put(path, text))
    (alone,) = [group for group in found.groups if site in group.sites]
    assert alone.sites == (site,)


def test_sites_join_and_leave():
    old = settled()
    joined = between(old, old.do(add_sites(plant(101), plant(104))))
    assert [(group.old, *said(group)) for group in joined.groups] == [
        (None, "jetson-arm64", 2, "stable")
    ]
    left = between(old, old.do(remove_sites("plant-0001")))
    assert [(group.new, group.sites) for group in left.groups] == [(None, ("plant-0001",))]


def test_the_weights_of_the_cloud_are_told():
    old = Memory(fleet()).do(baseline(12, CLOUD)).do(promote(13, CLOUD))
    (group,) = between(old, old.do(percent("5", CLOUD))).groups
    assert group.old is not None
    assert group.new is not None
    stable, canary = group.new.releases["stable"], group.new.releases["canary"]
    assert group.old.weights == {stable: 10000, canary: 0}
    assert group.new.weights == {stable: 9500, canary: 500}
    assert group.sites == ("cluster-1", "cluster-2")


def test_the_end_of_a_rollout_moves_no_pointer():
    old = settled().do(promote(13)).do(percent("100"))
    found = between(old, old.do(complete()))
    assert found.groups == ()
    assert set(found.folders) == {"rollouts"}


HOSTILE = ('a"b', "\\", '\\"', "x\\\\", '", "value": "', "plain", "", "é😀", "'", "}]")


@pytest.mark.parametrize("value", HOSTILE)
def test_a_setting_of_a_site_does_not_part_it_from_others(value: str):
    def memory(release: str) -> Memory:
        files = {}
        for name, line in (("plant-1", "one"), ("plant-2", value)):
            site = Site(name, "k3s", hardware="cpu", labels={"line": line, "area": "same"})
            files |= kustomize.pointer(EDGE, MODEL, site, release, ["line", "area"])
        return Memory(files)

    (group,) = between(memory("v1-00000000"), memory("v2-00000000")).groups
    assert group.sites == ("plant-1", "plant-2")
    assert group.columns == ("line",)
    assert group.edited == ()


def test_another_value_of_a_setting_is_a_change_of_its_own():
    def memory(line: str) -> Memory:
        site = Site("plant-1", "k3s", hardware="cpu", labels={"line": line})
        return Memory(kustomize.pointer(EDGE, MODEL, site, "v1-00000000", ["line"]))

    (group,) = between(memory("a"), memory("b")).groups
    assert group.edited == ("line",)
    assert group.old == group.new


def test_a_pointer_that_is_no_pointer_is_told_all_the_same():
    old, path = settled(), f"{layout.pointer(EDGE, 'plant-0001', MODEL)}/kustomization.yaml"
    (group,) = between(old, old.put(path, b"\xff\x00")).groups
    assert group.new is not None
    assert group.new == Side({}, "", {}, group.new.shape)
