"""A person's change to a base shows up in the next release, and nowhere else."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import layout
from generator.lint import Severity, lint
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, expand, fleet, opened, promote

pytestmark = pytest.mark.slow

COPIES = {
    EDGE: {layout.base(MODEL): "base", layout.profiles(MODEL): "components"},
    CLOUD: {layout.chart(MODEL): "chart"},
}


@cache
def climbing() -> Memory:
    """Two environments, each with a stable release and a canary."""
    have = Memory(fleet(sites=100, clusters=2)).do(baseline(12)).do(baseline(12, CLOUD))
    return have.do(promote(13)).do(promote(13, CLOUD))


@cache
def stable() -> Memory:
    """The same before the canary."""
    return Memory(fleet(sites=100, clusters=2)).do(baseline(12)).do(baseline(12, CLOUD))


def files(env: str) -> list[str]:
    have = stable()
    return [path for folder in COPIES[env] for path in have.view.under(folder)]


def copy_of(env: str, path: str, release: str) -> str:
    (folder, name) = next(pair for pair in COPIES[env].items() if path.startswith(f"{pair[0]}/"))
    return f"{layout.release(env, MODEL, release)}/{name}{path.removeprefix(folder)}"


WORDS = st.text("abc xyz {}#'\"-é\u20ac", max_size=20)
EDITS = st.sampled_from(
    [(env, path) for env in COPIES for path in files(env) if path.endswith(".yaml")]
)


@pytest.mark.cpu(60)
@given(EDITS, WORDS)
@settings(max_examples=25, deadline=None)
def test_an_edit_moves_nothing_and_is_in_the_next_release(
    where: tuple[str, str], text: str
) -> None:
    env, path = where
    before = stable()
    edited = before.put(path, before.files[path] + f"# {text}\n".encode())
    # Nothing of the machine's follows it: not at once, and not when somebody expands.
    for name in COPIES:
        assert edited.do(expand(edited.view.rollout(name), name)) is edited
    errors = [one for one in lint(opened(edited), NOW) if one.severity is Severity.ERROR]
    assert errors == []
    after = edited.do(promote(13, env))
    rollout = after.view.rollout(env)
    if path.endswith("Chart.yaml"):  # the version of the frozen one is the release's
        assert f"# {text}\n".encode() in after.files[copy_of(env, path, rollout.canary)]
    else:
        assert after.files[copy_of(env, path, rollout.canary)] == edited.files[path]
    for old in ("releases", "evidence"):
        kept = before.view.under(old)
        assert {path: after.files[path] for path in kept} == kept
    # The pointers that changed are those of the canary's sites; all others kept their bytes.
    changed = {
        path.split("/")[2]
        for path in before.view.under("sites").keys() | after.view.under("sites").keys()
        if before.files.get(path) != after.files.get(path)
    }
    if env == EDGE:
        assert changed == set(after.view.on(rollout.canary))
        assert len(changed) == 5
    else:
        assert changed == {"cluster-1", "cluster-2"}
    other = CLOUD if env == EDGE else EDGE
    folder = f"sites/{other}"
    assert after.view.under(folder) == before.view.under(folder)


@pytest.mark.parametrize("env", [EDGE, CLOUD])
def test_an_edit_during_a_rollout_changes_neither_of_its_releases(env: str) -> None:
    have = climbing()
    edited = have
    for path in files(env):
        if not path.endswith((".json", "Chart.yaml")):
            edited = edited.put(path, edited.files[path] + b"# ours\n")
    assert edited.do(expand(edited.view.rollout(env), env)) is edited
    for top in ("releases", "sites", "argocd", "rollouts"):
        assert edited.view.under(top) == have.view.under(top)


def test_the_same_version_after_an_edit_is_another_release() -> None:
    have = stable()
    first = have.view.rollout().stable
    path = f"{layout.base(MODEL)}/deployment.yaml"
    after = have.edit(path, "cpu: 500m", "cpu: 700m").do(baseline(12))
    second = after.view.rollout().stable
    assert first != second
    assert first.partition("-")[0] == second.partition("-")[0] == "v12"
    assert b"cpu: 500m" in after.files[copy_of(EDGE, path, first)]
    assert b"cpu: 700m" in after.files[copy_of(EDGE, path, second)]
    back = after.edit(path, "cpu: 700m", "cpu: 500m").do(baseline(12))
    assert back.view.rollout().stable == first
