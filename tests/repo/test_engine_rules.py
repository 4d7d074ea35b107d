"""What real Kustomize and Helm find in a repository, and nobody else."""

from collections.abc import Callable

import pytest

from generator import layout
from generator.lint import RULES, Finding, lint
from generator.repository import Repository
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, fleet, promote
from tidegate.engine_rules import engine_rules
from tidegate.engines import Engines, find

Engine = Callable[[str], str]
CHART, CPU = layout.chart(MODEL), f"{layout.profiles(MODEL)}/cpu"
TEMPLATE = f"{CHART}/templates/service.yaml"


@pytest.fixture
def engines(engine: Engine) -> Engines:
    return find(named={name: engine(name) for name in ("kustomize", "helm")})


def start() -> Memory:
    return Memory(fleet(sites=12, clusters=1))


def frozen(path: str, old: str, new: str) -> Memory:
    """Freeze and roll out what a person has edited, and take the edit back."""
    have = start()
    before = have.files[path]
    assert before.decode().count(old) > 0
    edited = before.decode().replace(old, new, 1).encode()
    have = have.put(path, edited).do(baseline(12)).do(baseline(12, CLOUD))
    return have.put(path, before)


def found(have: Memory, engines: Engines) -> tuple[Finding, ...]:
    return lint(Repository(have), NOW, (*RULES, *engine_rules(engines)))


def test_a_sound_repository_is_sound_to_the_engines_too(engines):
    have = start().do(baseline(12)).do(baseline(12, CLOUD))
    assert found(have, engines) == ()
    climbing = found(have.do(promote(13, CLOUD)), engines)
    assert {one.rule for one in climbing} == {"prometheus"}  # none is named here


def test_what_only_kustomize_can_build_is_built(engines):
    have = frozen(f"{CPU}/kustomization.yaml", "patches:", "commonAnnotations: {a: b}\npatches:")
    assert {one.rule for one in found(have, engines)} == {"unrendered"}


def test_what_only_kustomize_can_build_is_looked_at(engines):
    more = "commonAnnotations: {tidegate.dev/model-uri: other}\npatches:\n"
    gone = "/spec/template/spec/securityContext"
    edited = f"- target: {{kind: Deployment}}\n  patch: '[{{op: remove, path: {gone}}}]'\n"
    have = frozen(f"{CPU}/kustomization.yaml", "patches:\n", more + edited)
    rules = {one.rule for one in found(have, engines)}
    assert rules == {"unrendered", "kustomize-build"}


def test_what_kustomize_refuses_is_told_in_its_words(engines):
    have = frozen(f"{CPU}/kustomization.yaml", "patches:", "replacements: [{path: gone}]\npatches:")
    (told,) = [one for one in found(have, engines) if one.rule == "kustomize-build"]
    assert told.message.startswith("kustomize: Error: ")
    assert "gone" in told.message
    assert "/tmp" not in told.message


def test_an_object_that_knows_its_alias_is_found_by_helm_alone(engines):
    edited = "metadata:\n  annotations: {a: '{{ .Template.Name }}'}\n"
    have = frozen(TEMPLATE, "metadata:\n", edited)
    told = found(have, engines)
    assert {one.rule for one in told} == {"helm-template"}
    assert "as stable and as canary a release gives another Service" in told[0].message


def test_a_template_that_helm_cannot_render_is_told_in_its_words(engines):
    have = frozen(TEMPLATE, "metadata:\n", 'metadata:\n{{ fail "no such thing" }}\n')
    told = found(have, engines)
    assert {one.rule for one in told} == {"helm-template"}
    assert all("no such thing" in one.message for one in told)
    assert all(one.file == layout.pointer(CLOUD, "cluster-1", MODEL) for one in told)


def test_without_engines_nothing_is_found_and_the_rules_are_known():
    have = frozen(TEMPLATE, "metadata:\n", 'metadata:\n{{ fail "no such thing" }}\n')
    assert found(have, Engines()) == ()
    ids = [rule.id for rule in engine_rules(Engines())]
    assert ids == ["kustomize-build", "helm-template"]


def test_a_rendering_that_differs_is_an_error(engines, monkeypatch):
    class Liar(Engines):
        def build(self, files, folder):
            return Engines.build(self, files, folder)[1:]

    liar = Liar(engines.versions, engines.missing, engines._found)
    told = [one for one in found(start().do(baseline(12)), liar) if one.rule == "kustomize-build"]
    assert len(told) == 3
    assert "gives another" in told[0].message
    assert EDGE in told[0].file
