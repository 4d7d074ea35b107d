"""The rules that look at the objects a site gets: each mutation is found by them alone."""

import pytest

from generator import layout
from generator.lint import Finding, Severity, lint
from tests.builders import EDGE, MODEL, NOW, Memory, baseline, fleet, opened

BASE, PROFILES = layout.base(MODEL), layout.profiles(MODEL)
POD = f"{BASE}/deployment.yaml"
CPU = f"{PROFILES}/cpu"
NAME = f"app.kubernetes.io/name: {MODEL}"
SELECTOR = f'  selector:\n    matchLabels:\n      app.kubernetes.io/name: "{MODEL}"\n'


def frozen(path: str, old: str, new: str) -> Memory:
    """Freeze and roll out a base that a person has edited, and take the edit back."""
    start = Memory(fleet(sites=12, clusters=1))
    before = start.files.get(path)
    text = (before or b"").decode()
    assert not old or text.count(old) == 1, text
    edited = text.replace(old, new) if old else text + new
    have = start.put(path, edited.encode()).do(baseline(12))
    return have.put(path, before)


def findings(have: Memory) -> tuple[Finding, ...]:
    return lint(opened(have), NOW)


WHOLE = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
ENDED = "    kind: Deployment\n"
BROKEN = {
    "a selector that no pod matches": (
        POD,
        SELECTOR,
        SELECTOR.replace(f'"{MODEL}"', "other"),
        "its selector asks for app.kubernetes.io/name",
    ),
    "a Component that takes the placeholder": (
        f"{CPU}/kustomization.yaml",
        "",
        f"images:\n- name: model-server\n  newName: other\n  digest: sha256:{'1' * 64}\n",
        "no container runs the pinned image",
    ),
    "a profile for no object": (
        f"{CPU}/kustomization.yaml",
        "",
        "- patch: '{apiVersion: v1, kind: Service, metadata: {name: gone}}'\n",
        "no object is Service gone",
    ),
    "a profile that adds an object twice": (
        f"{CPU}/kustomization.yaml",
        "patches:\n",
        "resources: [patch.yaml]\npatches:\n",
        f"Deployment {MODEL} is there twice",
    ),
    "an operation on what is not there": (
        f"{CPU}/kustomization.yaml",
        "",
        "- target: {kind: Deployment}\n"
        '  patch: \'[{"op": "add", "path": "/spec/gone/x", "value": 1}]\'\n',
        "add /spec/gone/x: there is no such place",
    ),
    "a template label that is overwritten": (
        f"{CPU}/patch.yaml",
        "  template:\n",
        "  template:\n    metadata: {labels: {app.kubernetes.io/name: x}}\n",
        "its selector asks for app.kubernetes.io/name",
    ),
    "a security context that is taken away": (
        f"{CPU}/patch.yaml",
        "    spec:\n",
        "    spec:\n      securityContext: null\n",
        "lacks securityContext runAsNonRoot",
    ),
    "capabilities that come back": (
        f"{CPU}/patch.yaml",
        "      - name: model-server\n",
        "      - name: model-server\n        securityContext: {capabilities: null}\n",
        "lacks securityContext capabilities",
    ),
}


@pytest.mark.parametrize(("path", "old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_what_a_site_would_get_is_looked_at(path: str, old: str, new: str, message: str) -> None:
    found = findings(frozen(path, old, new))
    assert {one.rule for one in found} == {"rendered"}
    assert any(message in one.message for one in found), found
    assert all(one.severity is Severity.ERROR for one in found)
    assert all(one.file.startswith(f"releases/{EDGE}/{MODEL}/") for one in found)


def test_what_only_kustomize_can_build_is_a_warning() -> None:
    have = frozen(f"{CPU}/kustomization.yaml", "", "replacements: []\n")
    (one,) = findings(have)
    assert (one.rule, one.severity) == ("unrendered", Severity.WARNING)
    assert one.message == "needs real kustomize: the key 'replacements'"
    assert one.file.endswith("/components/cpu/kustomization.yaml")
    assert one.line == 7


def test_a_release_that_no_rollout_names_is_not_built() -> None:
    have = frozen(POD, SELECTOR, SELECTOR.replace(f'"{MODEL}"', "other")).do(baseline(13))
    assert findings(have) == ()
