"""What Kustomize makes of a folder, and what is left to it."""

from collections.abc import Mapping
from typing import Any

import pytest

from generator.build import OutsideSubsetError, build
from generator.build.output import read_output
from generator.errors import InputError

Files = dict[str, bytes]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: m, labels: {app: m}}
spec:
  selector: {matchLabels: {app: m}}
  template:
    metadata: {labels: {app: m}}
    spec:
      containers:
      - {name: side, image: "side@sha256:00"}
      - name: model-server
        image: model-server
        args: [a, b]
        env:
        - {name: A, value: "1"}
        - {name: B, value: x}
        ports:
        - {containerPort: 80, protocol: TCP}
        - {containerPort: 90, protocol: TCP}
        resources: {limits: {cpu: "2", memory: 1Gi}}
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: whatever}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: model-server
        args: [c]
        env:
        - {name: C, value: new}
        - {name: B, value: z}
        ports:
        - {containerPort: 90, protocol: TCP, name: metrics}
        - {containerPort: 70, protocol: UDP}
        resources: {limits: {memory: null, cpu: 4}}
"""
TOP = """\
resources: [../base]
components: [../gpu]
labels:
- pairs: {site: "0042"}
  includeTemplates: true
images:
- {name: model-server, newName: r:5000/s, digest: sha256:11}
patches:
- target: {kind: Deployment}
  patch: '[{"op": "add", "path": "/spec/template/metadata/annotations", "value": {"a/b": "no"}}]'
"""


def folder(**changes: str) -> Files:
    """Give a base with a Component above it; a key such as `top` replaces that file."""
    texts = {
        "base": "resources: [service.yaml, all.yaml]",
        "all": DEPLOYMENT,
        "service": "{apiVersion: v1, kind: Service, metadata: {name: m}, spec: {selector: {a: b}}}",
        "gpu": "kind: Component\npatches: [{path: patch.yaml, target: {kind: Deployment}}]",
        "patch": PATCH,
        "top": TOP,
    }
    texts |= changes
    names = {"all": "base/all.yaml", "service": "base/service.yaml", "patch": "gpu/patch.yaml"}
    places = {key: names.get(key, f"{key}/kustomization.yaml") for key in texts}
    return {places[key]: text.encode() for key, text in texts.items()}


def spec(files: Files) -> Any:
    return build(files, "top")[-1]["spec"]


def test_a_base_with_a_component_and_a_patch_is_built():
    labels = {"app": "m", "site": "0042"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "m", "labels": {"site": "0042"}},
        "spec": {"selector": {"a": "b"}},
    }
    server = {
        "name": "model-server",
        "image": "r:5000/s@sha256:11",
        "args": ["c"],
        "env": [
            {"name": "C", "value": "new"},
            {"name": "B", "value": "z"},
            {"name": "A", "value": "1"},
        ],
        "ports": [
            {"containerPort": 70, "protocol": "UDP"},
            {"containerPort": 80, "protocol": "TCP"},
            {"containerPort": 90, "protocol": "TCP", "name": "metrics"},
        ],
        "resources": {"limits": {"cpu": "4"}},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "m", "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "m"}},
            "template": {
                "metadata": {"labels": labels, "annotations": {"a/b": "no"}},
                "spec": {"containers": [server, {"name": "side", "image": "side@sha256:00"}]},
            },
        },
    }
    assert build(folder(), "top") == (service, deployment)


def test_the_files_are_not_changed_by_a_build():
    files = folder()
    assert build(files, "top") == build(files, "top")
    assert files == folder()


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("/spec/template/spec/containers/0/args/-", "z", ["c", "z"]),
        ("/spec/template/spec/containers/0/args/0", "z", ["z", "c"]),
    ],
)
def test_an_operation_finds_its_place_in_a_list(path, value, expected):
    patch = f'[{{"op": "add", "path": "{path}", "value": "{value}"}}]'
    row = f"{{patch: '{patch}', target: {{kind: Deployment}}}}"
    top = f"resources: [../base]\ncomponents: [../gpu]\npatches: [{row}]"
    assert spec(folder(top=top))["template"]["spec"]["containers"][0]["args"] == expected


def test_a_patch_without_a_target_is_for_the_object_that_it_names():
    gpu = "kind: Component\npatches: [{path: patch.yaml}]"
    assert spec(folder(gpu=gpu, patch=PATCH.replace("whatever", "m")))["replicas"] == 2


OUTSIDE: Mapping[str, tuple[Mapping[str, str], str]] = {
    "generator": (
        {"top": "resources: [../base]\nconfigMapGenerator: []"},
        "top/kustomization.yaml:2",
    ),
    "transformer": (
        {"top": "resources: [../base]\ntransformers: [a.yaml]"},
        "top/kustomization.yaml:2",
    ),
    "replacement": ({"top": "resources: [../base]\nreplacements: []"}, "top/kustomization.yaml:2"),
    "namespace": ({"top": "namespace: x\nresources: [../base]"}, "top/kustomization.yaml:1"),
    "prefix": ({"top": "namePrefix: x\nresources: [../base]"}, "top/kustomization.yaml:1"),
    "vars": ({"top": "resources: [../base]\nvars: []"}, "top/kustomization.yaml:2"),
    "charts": ({"top": "resources: [../base]\nhelmCharts: []"}, "top/kustomization.yaml:2"),
    "remote": ({"top": "resources:\n- https://e.x/base"}, "top/kustomization.yaml:2"),
    "remote by git": ({"top": "resources:\n- git@e.x:o/r"}, "top/kustomization.yaml:2"),
    "selectors": (
        {"top": "labels:\n- pairs: {a: b}\n  includeSelectors: true"},
        "top/kustomization.yaml:3",
    ),
    "a directive": ({"patch": PATCH.replace("replicas: 2", "$patch: delete")}, "gpu/patch.yaml"),
    "a list": ({"all": "apiVersion: v1\nkind: PodList\nmetadata: {name: a}"}, "base/all.yaml:1"),
    "a namespace": (
        {"service": "{apiVersion: v1, kind: Service, metadata: {name: m, namespace: n}}"},
        "base/service.yaml:1",
    ),
    "a number as a label": (
        {"all": DEPLOYMENT.replace("app: m}}", "app: 5}}", 1)},
        "base/all.yaml:1",
    ),
    "octal": ({"patch": PATCH.replace("replicas: 2", "replicas: 010")}, "gpu/patch.yaml:5"),
    "a power": ({"patch": PATCH.replace("replicas: 2", "replicas: 1e3")}, "gpu/patch.yaml:5"),
    "base 60": ({"patch": PATCH.replace("replicas: 2", "replicas: 22:22")}, "gpu/patch.yaml:5"),
    "a country": ({"patch": PATCH.replace("replicas: 2", "replicas: no")}, "gpu/patch.yaml:5"),
    "a date": ({"patch": PATCH.replace("replicas: 2", "replicas: 2026-11-21")}, "gpu/patch.yaml:5"),
    "too many digits": (
        {"patch": PATCH.replace("replicas: 2", "replicas: 9007199254740993")},
        "gpu/patch.yaml:5",
    ),
    "two of a name": ({"patch": PATCH.replace("name: C", "name: B")}, "gpu/patch.yaml"),
    "no name": (
        {"patch": PATCH.replace("{name: C, value: new}", "{value: new}")},
        "gpu/patch.yaml",
    ),
    "true over text": (
        {"patch": PATCH.replace("cpu: 4", "cpu: true")},
        "gpu/patch.yaml",
    ),
    "a schema in a comment": ({"patch": f'# {{"type": "array"}}\n{PATCH}'}, "gpu/patch.yaml:1"),
    "a mark for Kustomize": (
        {
            "all": DEPLOYMENT.replace(
                "name: m,", "name: m, annotations: {config.kubernetes.io/x: a},"
            )
        },
        "base/all.yaml:1",
    ),
    "a label taken away": (
        {"patch": PATCH.replace("name: whatever", "name: whatever, labels: {app: null}")},
        "gpu/patch.yaml",
    ),
    "an odd operation": ({"top": TOP.replace('"add"', '"test"')}, "top/kustomization.yaml:9"),
    "another name": (
        {"top": TOP.replace("/spec/template/metadata/annotations", "/metadata/name")},
        "top/kustomization.yaml:9",
    ),
    "a pattern as a target": (
        {"top": TOP.replace("kind: Deployment", "kind: .*")},
        "top/kustomization.yaml:9",
    ),
}


@pytest.mark.parametrize(("changes", "where"), OUTSIDE.values(), ids=OUTSIDE)
def test_what_only_kustomize_knows_is_named(changes, where):
    with pytest.raises(OutsideSubsetError, match="needs real kustomize: ") as error:
        build(folder(**changes), "top")
    assert str(error.value).startswith(f"{where}: ")


WRONG: Mapping[str, tuple[Mapping[str, str], str]] = {
    "a missing file": (
        {"base": "resources: [gone.yaml]"},
        "base/kustomization.yaml:1: there is no",
    ),
    "a file outside": (
        {"top": "resources: [../base/all.yaml]"},
        "top/kustomization.yaml:1: the file '../base/all.yaml' lies outside of top",
    ),
    "a way out": (
        {"top": "resources: [../../etc]"},
        "top/kustomization.yaml:1: '../../etc' leaves",
    ),
    "the root": ({"top": "resources: [/etc]"}, "top/kustomization.yaml:1: '/etc' leaves the tree"),
    "a circle": ({"base": "resources: [../top]"}, "base/kustomization.yaml:1: '../top' leads back"),
    "itself": ({"top": "resources: ['.']"}, "top/kustomization.yaml:1: '.' leads back"),
    "twice": (
        {"base": "resources: [all.yaml, all.yaml]"},
        "base/kustomization.yaml:1: Deployment m is",
    ),
    "no kustomization": ({"base": ""}, "base/kustomization.yaml: a kustomization is one document"),
    "an empty one": (
        {"top": "resources: []"},
        "top/kustomization.yaml:1: the kustomization is empty",
    ),
    "a base as a component": ({"gpu": "resources: []"}, "gpu/kustomization.yaml:1: the kustomiz"),
    "a component as a base": (
        {"top": "resources: [../gpu]"},
        "top/kustomization.yaml:1: '../gpu' is a Component",
    ),
    "no object": ({"service": "a: b"}, "base/service.yaml:1: no object"),
    "a patch for nobody": (
        {"gpu": "kind: Component\npatches: [{path: patch.yaml}]"},
        "gpu/kustomization.yaml:2: no object is Deployment whatever",
    ),
    "no such place": (
        {"top": TOP.replace("/metadata/annotations", "/metadata/annotations/x")},
        "top/kustomization.yaml:9: add /spec/template/metadata/annotations/x: there is no",
    ),
    "another form": (
        {"patch": PATCH.replace("args: [c]", "args: {c: d}")},
        "gpu/patch.yaml: spec.template.spec.containers.args is a list, and not",
    ),
    "an anchor": (
        {"patch": PATCH.replace("replicas: 2", "replicas: &a 2")},
        "gpu/patch.yaml:5: anchors",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_what_kustomize_refuses_is_refused(changes, message):
    with pytest.raises(InputError) as error:
        build(folder(**changes), "top")
    assert not isinstance(error.value, OutsideSubsetError)
    assert str(error.value).startswith(message)


def test_nesting_is_bounded():
    files = {
        f"f{number}/kustomization.yaml": f"resources: [../f{number + 1}]".encode()
        for number in range(40)
    }
    with pytest.raises(InputError, match="too many folders in each other"):
        build(files, "f0")


def test_a_fan_of_folders_is_bounded():
    rows = "".join(f"- ../f{number}\n" for number in range(1, 400))
    files = {f"f{number}/kustomization.yaml": b"resources: [a.yaml]" for number in range(1, 400)}
    files |= {
        f"f{number}/a.yaml": f"{{apiVersion: v1, kind: A, metadata: {{name: a{number}}}}}".encode()
        for number in range(1, 400)
    }
    with pytest.raises(InputError, match="too many folders"):
        build({**files, "f0/kustomization.yaml": f"resources:\n{rows}".encode()}, "f0")


def test_the_output_of_an_engine_is_read_as_go_wrote_it():
    text = b"kind: A\n"
    text += b"a: <<\nb: '<<'\nc: 1e+21\nd: 1.5\ne: -3\nf: null\ng: true\nh: '5'\ni: 2026-11-21\n"
    (found,) = read_output("kustomize", text)
    assert list(found.values()) == ["A", "<<", "<<", 10**21, 1.5, -3, None, True, "5", "2026-11-21"]


def test_an_output_that_is_no_object_is_named():
    with pytest.raises(InputError, match="helm wrote something that is no object"):
        read_output("helm", b"- a\n")
