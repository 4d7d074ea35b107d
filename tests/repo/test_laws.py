"""The laws of the design, section 2, over many fleets and many ways through a rollout."""

import hashlib
import re
import subprocess
import sys
from functools import cache, reduce
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from generator import layout
from generator.documents.release import files_digest, recompute
from generator.errors import InputError
from generator.expand import differences
from generator.expand import expand as expansion
from generator.repository import Repository
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    Files,
    Intent,
    Memory,
    Origin,
    add_sites,
    baseline,
    complete,
    fleet,
    freeze,
    pause,
    percent,
    plant,
    promote,
    reject,
    remove_sites,
    resume,
    revert,
    revert_to,
)
from tests.states import ROLLOUT, canary_of, pointers_of, remembered

ROOT = Path(__file__).resolve().parents[2]
# A way through a rollout takes a while: few of them, and no search for why one failed.
FEW = settings(
    max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink)
)
STEPS = ("5", "10", "25", "50", "100")


@cache
def small() -> Memory:
    """20 sites with a baseline; the first step is 5 of them."""
    made = Memory(fleet(20)).edit(ROLLOUT, "[5, 10, 25, 50, 100]", "[25, 50, 100]")
    made = made.edit(ROLLOUT, "onNewVersion: refuse   ", "onNewVersion: supersede")
    return made.do(baseline(12)).do(baseline(12, CLOUD))


@cache
def reference() -> tuple[Memory, ...]:
    """The reference case: 500 sites, before the promotion and after each step."""
    found = [Memory(fleet(500)).do(baseline(12))]
    for intent in (promote(13), *map(percent, STEPS[1:])):
        found.append(found[-1].do(intent))
    return tuple(found)


def attempt(have: Memory, intent: Intent) -> Memory:
    """Land what can be landed; a refusal changes nothing."""
    try:
        return have.do(intent)
    except InputError:
        return have


numbers = st.integers(0, 10_000).map(lambda points: f"{points / 100:g}")
moves_of_a_rollout = st.one_of(
    st.sampled_from([promote(13), promote(14), promote(13, CLOUD), promote(14, CLOUD)]),
    st.sampled_from([pause(), resume(), complete(), complete(CLOUD), revert(), revert(CLOUD)]),
    st.sampled_from([revert_to("v12"), revert_to("v13"), reject("v13"), freeze(14)]),
    numbers.map(percent),
    numbers.map(lambda text: percent(text, CLOUD)),
)
changes_of_sites = st.one_of(
    st.integers(1, 30).map(lambda number: add_sites(plant(number))),
    st.integers(1, 30).map(lambda number: remove_sites(f"plant-{number:04d}")),
)
STARTS: list[list[Intent]] = [[], [promote(13)], [promote(13), promote(13, CLOUD), percent("50")]]
walks = st.builds(
    lambda start, way: [*start, *way],
    st.sampled_from(STARTS),
    st.lists(moves_of_a_rollout | changes_of_sites, min_size=1, max_size=8),
)


def walked(walk: list[Intent]) -> list[Memory]:
    """List every commit of a walk, the start included."""
    found = [small()]
    for intent in walk:
        after = attempt(found[-1], intent)
        if after is not found[-1]:
            found.append(after)
    return found


# ------------------------------------------------------------------ the reference case


def test_a_step_touches_exactly_the_pointers_that_change() -> None:
    counts = []
    for before, after in pairwise(reference()):
        flipped = {
            path
            for path, data in after.files.items()
            if path.startswith("sites/") and before.files.get(path) != data
        }
        assert after.change is not None
        assert pointers_of(after.change.files) == sorted(flipped)
        counts.append(len(flipped))
    assert counts == [25, 25, 75, 125, 250]


@pytest.mark.parametrize(("step", "count"), list(enumerate([0, 25, 50, 125, 250, 500])))
def test_so_many_pointers_differ_from_stable(step: int, count: int) -> None:
    stable, now = reference()[0], reference()[step]
    assert len([p for p in pointers_of(now.files) if now.files[p] != stable.files[p]]) == count
    assert len(canary_of(now.view)) == count


def test_a_larger_percentage_contains_the_smaller_one() -> None:
    cohorts = [set(canary_of(one.view)) for one in reference()]
    assert all(before < after for before, after in pairwise(cohorts))


def test_every_step_holds_regions_and_hardware_in_their_shares() -> None:
    sites = {site.id: site for site in reference()[0].view.repository.sites(EDGE)}
    for step in reference()[1:]:
        chosen = canary_of(step.view)
        for column in ("region", "hardware"):
            kinds = {site.column(column) for site in sites.values()}
            for kind in kinds:
                whole = sum(site.column(column) == kind for site in sites.values())
                found = sum(sites[one].column(column) == kind for one in chosen)
                assert abs(found - whole * len(chosen) / 500) <= 3


@pytest.mark.parametrize("step", range(1, 6))
def test_a_revert_gives_back_the_sites_of_before_byte_for_byte(step: int) -> None:
    before, now = reference()[0], reference()[step]
    after = now.do(revert())
    assert after.view.under("sites") == before.view.under("sites")
    assert after.view.under("argocd") == before.view.under("argocd")


def test_real_git_gives_back_the_very_tree(tmp_path: Path) -> None:
    def tree_of_sites(origin: Origin) -> bytes:
        return origin.git.run("rev-parse", "main:sites")

    origin = Origin.start(tmp_path / "law", small().files)
    before = tree_of_sites(origin)
    origin.must(promote(13))
    origin.must(percent("50"))
    assert tree_of_sites(origin) != before
    origin.must(revert())
    assert tree_of_sites(origin) == before


# ------------------------------------------------------------------ laws over any way


@FEW
@given(walks)
def test_an_application_never_changes_but_the_bytes_at_its_path_do(walk: list[Intent]) -> None:
    for before, after in pairwise(walked(walk)):
        assert after.change is not None
        sites_moved = any(path.startswith("environments/") for path in after.change.files)
        if not sites_moved:
            assert after.view.under("argocd") == before.view.under("argocd")
        sets = {p: d for p, d in after.view.under("argocd").items() if "/sets/" in p}
        assert sets == {p: d for p, d in small().view.under("argocd").items() if "/sets/" in p}


@FEW
@given(walks)
def test_a_release_never_changes_after_it_was_written(walk: list[Intent]) -> None:
    for before, after in pairwise(walked(walk)):
        old = before.view.under("releases")
        assert {path: after.files.get(path) for path in old} == old


def test_a_release_holds_copies_and_is_named_after_them() -> None:
    view = remembered("climbing").view
    for env, folders in ((EDGE, ("base", "components")), (CLOUD, ("chart",))):
        for name in view.repository.releases(env, MODEL):
            release = view.repository.release(env, MODEL, name)
            assert recompute(release) == release.digest
            assert name.endswith(f"-{release.digest.removeprefix('sha256:')[:8]}")
            under = layout.release(env, MODEL, name)
            copied: Files = {}
            for folder in folders:
                human = folder.replace("components", "profiles")
                for path, data in view.under(f"{layout.MODELS}/{MODEL}/{human}").items():
                    tail = path.removeprefix(f"{layout.MODELS}/{MODEL}/{human}/")
                    copied[f"{folder}/{tail}"] = data
                    if tail != "Chart.yaml":
                        assert view.files[f"{under}/{folder}/{tail}"] == data
            assert release.config_digest == files_digest(copied)


@FEW
@given(walks)
def test_sites_are_a_pure_function_of_the_rest(walk: list[Intent]) -> None:
    last = walked(walk)[-1]
    found = last.view.under("sites")
    bare = Memory({path: data for path, data in last.files.items() if path not in found})
    expected: Files = {}
    for env in (EDGE, CLOUD):
        expected |= expansion(Repository(bare), env, MODEL).files
        assert differences(Repository(last), env, MODEL) == {}
    assert found == expected


@FEW
@given(st.lists(changes_of_sites | numbers.map(percent) | st.just(pause()), max_size=8))
def test_promote_then_revert_gives_back_the_sites_that_are_in_both(walk: list[Intent]) -> None:
    before = small()
    after = reduce(attempt, [promote(13), *walk], before).do(revert())
    old, new = before.view.under("sites"), after.view.under("sites")
    assert {path: new[path] for path in old if path in new} == {
        path: old[path] for path in old if path in new
    }
    assert set(after.view.runs()) == {site.id for site in after.view.repository.sites(EDGE)}
    assert set(after.view.runs().values()) == {before.view.rollout().stable}


@FEW
@given(walks)
def test_every_commit_counts_on_by_one_and_only_moves_what_it_says(walk: list[Intent]) -> None:
    for env in (EDGE, CLOUD):
        changes = [one.change for one in walked(walk)[1:] if one.change]
        mine = [one for one in changes if f"\n{MODEL} {env}: " in f"\n{one.subject}"]
        words = [dict(one.trailers) for one in mine]
        sequences = [int(w["Rollout-Sequence"]) for w in words if "Rollout-Sequence" in w]
        assert sequences == list(range(2, len(sequences) + 2))  # 1 is the baseline
        other = CLOUD if env == EDGE else EDGE
        assert not [path for one in mine for path in one.files if f"/{other}/" in path]


@FEW
@given(walks)
def test_the_same_inputs_give_the_same_bytes(walk: list[Intent]) -> None:
    one = walked(walk)[-1]
    two = reduce(attempt, walk, small())
    assert one.files == two.files
    assert (one.change and one.change.message()) == (two.change and two.change.message())


def fingerprint() -> str:
    """Digest a whole fleet after a rollout, with the words of the last commit."""
    have = small().do(promote(13)).do(promote(13, CLOUD)).do(percent("5", CLOUD))
    have = have.do(add_sites(plant(21), plant(22))).do(reject("v13"))
    assert have.change is not None
    files = "".join(f"{path}{data!r}" for path, data in have.files.items())
    return hashlib.sha256((files + have.change.message()).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["1"])
def test_the_bytes_do_not_hang_on_the_order_of_hashes(seed: str) -> None:
    program = "from tests.repo.test_laws import fingerprint; print(fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == fingerprint()


# ------------------------------------------------------------------ sites come and go


sites_gone = st.sets(st.integers(1, 20), max_size=12)
sites_new = st.sets(st.integers(21, 30), max_size=5)


@FEW
@given(sites_gone, sites_new, st.sampled_from(["25", "33.3", "50", "75", "99.99"]))
def test_departures_and_joiners_change_no_other_site(
    gone: set[int], new: set[int], share: str
) -> None:
    climbing = small().do(promote(13)).do(percent(share))
    chosen = set(canary_of(climbing.view))
    names = [f"plant-{number:04d}" for number in sorted(gone)]
    after = climbing.do(remove_sites(*names)) if gone else climbing
    assert set(canary_of(after.view)) == chosen - set(names)
    after = after.do(add_sites(*map(plant, sorted(new)))) if new else after
    # A departure never adds a canary site, and a joiner waits.
    assert set(canary_of(after.view)) == chosen - set(names)
    kept = set(climbing.view.under("sites")) & set(after.view.under("sites"))
    assert all(after.files[path] == climbing.files[path] for path in kept)
    last = after.do(percent("100")).view
    assert canary_of(last) == sorted(site.id for site in last.repository.sites(EDGE))


def test_a_site_that_comes_back_is_where_it_was() -> None:
    climbing = small().do(promote(13))
    site = canary_of(climbing.view)[0]
    back = climbing.do(remove_sites(site)).do(add_sites(plant(int(site[-4:]))))
    assert canary_of(back.view) == canary_of(climbing.view)
    assert back.view.under("sites") == climbing.view.under("sites")


@FEW
@given(st.sampled_from(["50", "75", "100"]), st.sampled_from(["25", "50", "75"]))
def test_a_bump_down_takes_the_way_back(up: str, down: str) -> None:
    high, low = sorted((up, down), key=float, reverse=True)
    direct = small().do(promote(13)).do(percent(low))
    detour = small().do(promote(13)).do(percent(high)).do(percent(low))
    assert detour.view.under("sites") == direct.view.under("sites")


# ------------------------------------------------------------------ nothing floats


def test_nothing_under_releases_and_sites_floats() -> None:
    view = remembered("climbing").view
    for path, data in {**view.under("releases"), **view.under("sites")}.items():
        text = data.decode()
        assert "latest" not in text, path
        if not path.endswith("kustomization.yaml"):
            continue
        found = yaml.safe_load(text)
        for one in found.get("images", []):
            assert re.fullmatch("sha256:[0-9a-f]{64}", one["digest"])
            assert "newTag" not in one
        for one in (*found.get("resources", []), *found.get("components", [])):
            assert "://" not in one
            assert "?" not in one
            assert not re.match(r"[\w.-]+\.[a-z]{2,}/", one)


def test_the_vendored_charts_of_a_cluster_are_those_of_its_releases() -> None:
    view = remembered("climbing").view
    for name in view.charts():
        release = view.under(f"{layout.release(CLOUD, MODEL, name)}/chart")
        under = f"{layout.pointer(CLOUD, 'cluster-1', MODEL)}/charts/{name}"
        copied = {path.removeprefix(under): data for path, data in view.under(under).items()}
        prefix = f"{layout.release(CLOUD, MODEL, name)}/chart"
        assert copied == {path.removeprefix(prefix): data for path, data in release.items()}
    assert sorted(view.values()["weights"]) == view.charts()


def test_weights_sum_to_all_of_the_traffic() -> None:
    have = remembered("climbing")
    for share in ("0", "0.01", "33.33", "50", "99.99", "100"):
        have = have.do(percent(share, CLOUD))
        for site in ("cluster-1", "cluster-2"):
            assert sum(have.view.values(site)["weights"].values()) == 10_000


def test_a_human_file_changes_by_its_scalars_only() -> None:
    have = remembered("stable")
    hostile = have.files[ROLLOUT].decode().replace("percent: 0 ", "\n'percent':   0   # {[: ")
    hostile = f"# tsch\u00fc\u00df \u2603\n---\n{hostile}\n# the end"
    have = have.put(ROLLOUT, hostile.encode())
    after = have.do(promote(13)).do(percent("10")).do(revert())
    text = after.files[ROLLOUT].decode()
    added = [line for line in text.splitlines() if line not in hostile.splitlines()]
    assert [line.partition(":")[0] for line in added] == ["rollout", "phase"]
    lost = [line for line in hostile.splitlines() if line not in text.splitlines()]
    assert lost == ["phase: Completed"]


HUMAN = (
    layout.CONFIG,
    layout.environment(EDGE),
    layout.environment(CLOUD),
    layout.model(MODEL),
    ROLLOUT,
    layout.rollout(CLOUD, MODEL),
    f"models/{MODEL}/base/deployment.yaml",
    f"models/{MODEL}/chart/values.yaml",
    "CODEOWNERS",
)
MINE = "# mine: 5% \u2603 {[:"


@FEW
@given(walks, st.sampled_from(HUMAN), st.integers(0, 200))
def test_a_line_that_a_person_wrote_anywhere_survives_every_command(
    walk: list[Intent], path: str, place: int
) -> None:
    lines = small().files[path].decode().splitlines(keepends=True)
    at = place % (len(lines) + 1)
    mine = "".join((*lines[:at], f"{MINE}\n", *lines[at:])).encode()
    after = reduce(attempt, walk, small().put(path, mine))
    assert [one for one in after.files if MINE.encode() in after.files[one]].count(path) == 1
    assert after.files[path].decode().splitlines().count(MINE) == 1
    if not path.startswith(layout.ROLLOUTS):
        assert after.files[path] == mine
