"""Our rendering of the Kustomize subset is what real Kustomize 5.8.1 makes of the same files."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from generator import blueprints, scaffold
from generator.build import OutsideSubsetError, build
from generator.build.output import read_output
from generator.errors import InputError
from generator.model.release import ModelVersion, Release
from generator.model.site import Site
from generator.render import kustomize
from generator.yamltext import dump

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

Files = Mapping[str, bytes]
Engine = Callable[[str], str]
MODEL = "defect-detector"
VERSION = "v5.8.1"
KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}


def write(root: Path, files: Files) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class Written(yaml.SafeDumper):
    """Writes as a person does: plain where that is enough, and without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _word(dumper: Written, text: str) -> yaml.Node:
    style = None if text.isalpha() and text not in HOSTILE else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


Written.add_representer(str, _word)


def written(*objects: Any) -> bytes:
    return yaml.dump_all(objects, Dumper=Written, allow_unicode=False).encode()


class Real:
    """Real Kustomize; every build in a folder of its own."""

    def __init__(self, binary: str, root: Path) -> None:
        self.binary, self.root, self.count = binary, root, 0

    def build(self, files: Files, folder: str) -> str | None:
        """Give what it writes; None where it refuses."""
        self.count += 1
        root = self.root / str(self.count)
        write(root, files)
        command = [self.binary, "build", str(root / folder)]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        self.stderr = done.stderr
        return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def real(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Real:
    binary = engine("kustomize")
    said = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout
    if said.strip() != VERSION:
        pytest.skip(f"not run: kustomize {VERSION} (found {said.strip()})")
    return Real(binary, tmp_path_factory.mktemp("kustomize"))


def exact(objects: Any) -> list[str]:
    """Give objects as text in which true is not 1, and an int is no float."""
    return [json.dumps(one, sort_keys=True) for one in objects]


def parsed(text: str) -> list[str]:
    return exact(read_output("kustomize", text.encode()))


# ------------------------------------------------------------------ a family of folders

NAMES = ("a", "b", "model-server")
# Text that some reader of YAML takes for something else; quoted it has to survive.
HOSTILE = (
    "no",
    "1e3",
    "0755",
    "012",
    "1.10",
    "22:22",
    "2026-11-21",
    "~",
    "",
    "null",
    "y",
    "0x1f",
    "1_000",
    "😀 é",
    "{{ .Values }}",
    "a: b #c",
    "- x",
    "@x",
    "%x",
    "\t",
    " a ",
    "a\nb\n",
    "'\"\\",
    "5",
    "true",
    "<<",
    "=",
    "x" * 300,
)
words = st.sampled_from((*HOSTILE, "plain", "500m", "1Gi", "v1.2.3"))
scalars = st.one_of(words, st.integers(-5, 70000), st.booleans(), st.sampled_from((0.5, 1.25)))
short = st.dictionaries(st.sampled_from(("k", "l", "m.example/n")), words, min_size=1, max_size=2)


def keyed(
    key: str, names: tuple[Any, ...], rest: st.SearchStrategy[dict[str, Any]], most: int = 3
) -> st.SearchStrategy[list[Any]]:
    """Make a list of mappings with unique keys."""
    chosen = st.lists(st.sampled_from(names), unique=True, max_size=most)
    return chosen.flatmap(
        lambda found: st.tuples(
            *(rest.map(lambda one, name=name: {**one, key: name}) for name in found)
        ).map(list)
    )


values = st.fixed_dictionaries(
    {},
    optional={"value": words, "valueFrom": st.just({"fieldRef": {"fieldPath": "metadata.name"}})},
)
quantities = st.dictionaries(
    st.sampled_from(("cpu", "memory")),
    st.one_of(st.sampled_from(("1", "500m", "2Gi")), st.integers(1, 4)),
    max_size=2,
)
ports = st.lists(
    st.sampled_from(((80, "TCP"), (80, "UDP"), (90, "TCP"))), unique=True, max_size=3
).map(lambda found: [{"containerPort": port, "protocol": kind} for port, kind in found])
containers = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(
            (
                "model-server",
                "model-server:1",
                "other",
                "x/model-server",
                "model-server@sha256:" + "0" * 64,
            )
        ),
        "env": keyed("name", ("A", "B", "C"), values),
        "ports": ports,
        "args": st.lists(words, max_size=2),
        "resources": st.fixed_dictionaries(
            {}, optional={"limits": quantities, "requests": quantities}
        ),
        "volumeMounts": keyed("mountPath", ("/a", "/b"), st.just({"name": "v"})),
        "securityContext": st.fixed_dictionaries(
            {},
            optional={"runAsUser": st.integers(0, 9), "capabilities": st.just({"drop": ["ALL"]})},
        ),
    },
)
pods = st.fixed_dictionaries(
    {},
    optional={
        "containers": keyed("name", NAMES, containers),
        "initContainers": keyed("name", ("i",), containers),
        "volumes": keyed(
            "name",
            ("v", "w"),
            st.sampled_from(
                ({"emptyDir": {}}, {"emptyDir": {"sizeLimit": "1Gi"}}, {"configMap": {"name": "c"}})
            ),
        ),
        "tolerations": st.lists(short, max_size=2),
        "nodeSelector": short,
        "hostAliases": keyed("ip", ("10.0.0.1", "10.0.0.2"), st.just({"hostnames": ["h"]})),
        "terminationGracePeriodSeconds": st.integers(0, 60),
    },
)
metadata = st.fixed_dictionaries({}, optional={"labels": short, "annotations": short})
templates = st.fixed_dictionaries({}, optional={"metadata": metadata, "spec": pods})
workloads = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "template": templates,
        "strategy": st.sampled_from(({"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 0}})),
    },
)
service_ports = st.lists(st.sampled_from((80, 81)), unique=True, max_size=2).map(
    lambda found: [{"port": one, "protocol": "TCP", "name": f"p{one}"} for one in found]
)
SPECS = {
    ("apps/v1", "Deployment"): workloads,
    ("apps/v1", "StatefulSet"): workloads,
    ("batch/v1", "Job"): workloads,
    ("batch/v1", "CronJob"): st.fixed_dictionaries(
        {"schedule": words},
        optional={"jobTemplate": st.fixed_dictionaries({}, optional={"spec": workloads})},
    ),
    ("v1", "Service"): st.fixed_dictionaries(
        {}, optional={"ports": service_ports, "selector": short}
    ),
    ("example.com/v1", "Thing"): st.fixed_dictionaries(
        {},
        optional={
            "containers": keyed("name", NAMES, containers),
            "env": keyed("name", ("A",), values),
            "anything": scalars,
        },
    ),
}


@st.composite
def objects(draw: st.DrawFn, name: str) -> dict[str, Any]:
    (version, kind), spec = draw(st.sampled_from(list(SPECS.items())))
    found = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **draw(metadata)}}
    return {**found, "spec": draw(spec)}


def holed(draw: st.DrawFn, value: Any) -> Any:
    """Take some values of a patch away with null, but never a key of a list."""
    if isinstance(value, dict):
        return {
            k: None
            if k
            not in (
                "name",
                "mountPath",
                "containerPort",
                "protocol",
                "ip",
                "port",
                "metadata",
                "apiVersion",
                "kind",
                "spec",
            )
            and draw(st.integers(0, 11)) == 0
            else holed(draw, v)
            for k, v in value.items()
        }
    return [holed(draw, one) for one in value] if isinstance(value, list) else value


@st.composite
def merges(draw: st.DrawFn, target: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a strategic merge patch, and the row that names it."""
    words = {key: target[key] for key in ("apiVersion", "kind", "metadata")}
    spec = draw(SPECS[words["apiVersion"], words["kind"]])
    told = {"name": "main", **draw(metadata)}
    patch = {**words, "metadata": told, "spec": holed(draw, spec)}
    row: dict[str, Any] = {"path": "patch.yaml"}
    if draw(st.booleans()):
        row["target"] = {
            "kind": patch["kind"],
            **draw(st.sampled_from(({}, {"name": "main"}, {"group": "apps"}))),
        }
    return row, patch


PATHS = (
    "/spec",
    "/spec/template",
    "/metadata/labels/k",
    "/spec/replicas",
    "/spec/template/metadata/annotations/k",
    "/metadata/labels/x~1y",
    "/metadata/annotations",
    "/spec/template/spec/containers/0/args/-",
    "/spec/template/spec/containers/0/args/0",
    "/spec/template/spec/containers/0",
    "/spec/new",
    "/spec/ports/1",
)
SAFE = (
    "/spec/replicas",
    "/metadata/labels",
    "/metadata/annotations",
    "/spec/new",
    "/spec/template",
)
anything = st.fixed_dictionaries(
    {
        "op": st.sampled_from(("add", "replace")),
        "path": st.sampled_from(PATHS),
        "value": st.one_of(scalars, short),
    }
)
removal = st.fixed_dictionaries({"op": st.just("remove"), "path": st.sampled_from(PATHS)})
safe = st.fixed_dictionaries(
    {"op": st.sampled_from(("add", "replace")), "path": st.sampled_from(SAFE), "value": short}
)
operations = st.one_of(
    st.lists(safe, min_size=1, max_size=3),
    st.lists(safe, min_size=1, max_size=3),
    st.lists(st.one_of(anything, removal), min_size=1, max_size=3),
)


@st.composite
def folders(draw: st.DrawFn) -> Files:
    """Make a base, a Component and a folder above both."""
    found = [draw(objects("main")), draw(objects("other"))]
    row, patch = draw(merges(found[0]))
    labels = (
        [{"pairs": draw(short), "includeTemplates": draw(st.booleans())}]
        if draw(st.booleans())
        else []
    )
    steps = draw(st.sampled_from(([], draw(operations))))
    above: dict[str, Any] = {
        **KUSTOMIZATION,
        "resources": ["../base"],
        "components": ["../component"],
    }
    if labels:
        above["labels"] = labels
    if draw(st.booleans()):
        above["images"] = [
            {
                "name": "model-server",
                "newName": "r.example.com:5000/s",
                **draw(st.sampled_from(({"digest": "sha256:" + "1" * 64}, {"newTag": "7"}, {}))),
            }
        ]
    if steps:
        above["patches"] = [{"patch": json.dumps(steps), "target": {"kind": found[0]["kind"]}}]
    return {
        "base/kustomization.yaml": dump({**KUSTOMIZATION, "resources": ["all.yaml"]}),
        "base/all.yaml": written(*found),
        "component/kustomization.yaml": dump({**COMPONENT, "patches": [row]}),
        "component/patch.yaml": written(patch),
        "top/kustomization.yaml": dump(above),
    }


@pytest.mark.timeout(300)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a smaller example takes minutes
)
@given(files=folders())
def test_what_is_built_here_is_what_kustomize_builds(real: Real, files: Files):
    text = real.build(files, "top")
    try:
        mine = build(files, "top")
    except OutsideSubsetError:
        return
    except InputError as error:
        pytest.fail(str(error)) if text is not None else None
        return
    assert text is not None, real.stderr
    assert exact(mine) == parsed(text)


# ------------------------------------------------------------------ what tidegate writes

PROFILES = ("cpu", "gpu", "jetson-arm64")
HOSTILE_NAMES = (
    'it\'s {{ .Values.site }} "defect": # détecteur',
    "no",
    "0755",
    "1e3",
    "22:22",
    "😀" * 40,
    "- x: [",
    "$(VAR) ${VAR} `id`",
)


def pointers(name: str, columns: Mapping[str, str]) -> Files:
    """Write a release of the blueprint with every profile, and a site for each."""
    release = a_release(name)
    folder = f"releases/edge-k3s/{MODEL}/{release.id}"
    copied = scaffold.render(blueprints.load("model-edge-k3s"), {"model": MODEL})
    files = {
        path.replace(f"models/{MODEL}/", f"{folder}/").replace("profiles/", "components/"): data
        for path, data in copied.items()
    }
    for profile in PROFILES:
        files |= kustomize.profile(release, profile)
        site = Site(f"plant-{profile}", "k3s", hardware=profile, labels=columns)
        files |= kustomize.pointer("edge-k3s", MODEL, site, release.id, sorted(columns))
    return files


def a_release(name: str) -> Release:
    digest = "sha256:" + "ab" * 32
    version = ModelVersion(
        registry_name=name,
        version="13",
        model_id="m-1",
        run_id="r-1",
        created_ms=1,
        uri="s3://models/13/artifacts?x=%20&y='",
        digest=digest,
        files=1,
        size_bytes=1,
        asked="defect-detector@champion",
    )
    return Release(
        id="v13-3f9a1c2b",
        model=MODEL,
        environment="edge-k3s",
        version=version,
        image=f"registry.example.com:5000/models/server:13@{digest}",
        config_digest=digest,
        digest=digest,
        source_commit="0" * 40,
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_and_pointer_is_built_alike(real: Real, name: str, profile: str):
    files = pointers(name, {"line": name, "region": "eu"})
    for folder in (
        f"releases/edge-k3s/{MODEL}/v13-3f9a1c2b/{profile}",
        f"sites/edge-k3s/plant-{profile}/{MODEL}",
    ):
        text = real.build(files, folder)
        assert text is not None, real.stderr
        assert exact(build(files, folder)) == parsed(text)
        assert json.dumps(name) in exact(build(files, folder))[2]


# ------------------------------------------------------------------ single cases

CASES: Mapping[str, tuple[str, str]] = {
    "nulls that are written out stay": ("a: null\nb: ~\nc: {d: null}", ""),
    "a patch forgets a key without a value": ("a:\nb: {c: }", "b: {d: 1}"),
    "a whole number is no float": ("a: 1.0\nb: 2.50\nc: -0.5\nd: 7", ""),
    "true in every case": ("a: True\nb: FALSE\nc: 'true'", ""),
    "text that begins like a number": ("a: 500m\nb: 10.0.0.0/8\nc: 1.2.3\nd: -x\ne: ..", ""),
    "blocks of text": ("a: |\n  one\n  two\nb: >-\n  one\n  two\nc: |+\n  x\n\n", ""),
    "quoted numbers become numbers": ("a: '5'\nb: 5\nc: no-way", "a: 5\nb: '5'\nc: 'no'"),
    "a quoted word goes where true was": ("b: true\nc: x", "b: 'true'\nc: 'false'"),
    "lists of an unknown kind are replaced": ("containers: [{name: a}]", "containers: [{name: b}]"),
    "an empty mapping stays": ("a: {}\nb: []\nc: {d: 1}", "c: {d: null}"),
    "long text": (f"a: {'word ' * 60}end\nb: {'x' * 5000}", ""),
    "signs of YAML": ("a: '@x'\nb: '%x'\nc: '`'\nd: '!x'\ne: '&x'\nf: '*x'\ng: '? x'", ""),
    "control characters": ('a: "\\x01\\t\\e"\nb: "\\r\\n"\nc: "\\0"', ""),
    "spaces at the ends": ("a: ' x '\nb: ''\nc: ' '\nd: \"x\\n\\n\"\ne: \"\\n\"", ""),
}


@pytest.mark.parametrize(("have", "patch"), CASES.values(), ids=CASES)
def test_a_case_is_built_alike(real: Real, have: str, patch: str):
    def thing(spec: str) -> bytes:
        inner = "".join(f"  {line}\n" for line in spec.splitlines())
        return f"apiVersion: e.x/v1\nkind: Thing\nmetadata: {{name: x}}\nspec:\n{inner}".encode()

    patches = {"patches": [{"path": "patch.yaml"}]} if patch else {}
    files = {
        "top/kustomization.yaml": dump({**KUSTOMIZATION, "resources": ["thing.yaml"], **patches}),
        "top/thing.yaml": thing(have),
        "top/patch.yaml": thing(patch),
    }
    text = real.build(files, "top")
    assert text is not None, real.stderr
    assert exact(build(files, "top")) == parsed(text)


KINDS = (
    "v1 ConfigMap", "v1 Secret", "v1 Namespace", "v1 Service", "v1 ServiceAccount", "v1 Pod",
    "v1 PersistentVolumeClaim", "v1 ResourceQuota", "v1 LimitRange", "apps/v1 Deployment",
    "apps/v1 DaemonSet", "apps/v1 StatefulSet", "apps/v1 ReplicaSet", "batch/v1 Job",
    "batch/v1 CronJob", "policy/v1 PodDisruptionBudget", "networking.k8s.io/v1 NetworkPolicy",
    "networking.k8s.io/v1 Ingress", "autoscaling/v2 HorizontalPodAutoscaler",
    "rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding",
    "scheduling.k8s.io/v1 PriorityClass", "gateway.networking.k8s.io/v1 HTTPRoute",
    "external-secrets.io/v1 ExternalSecret", "monitoring.coreos.com/v1 PodMonitor",
    "example.com/v1 Deployment", "example.com/v1 Job", "extensions/v1beta1 Deployment",
    "v1 ReplicationController", "example.com/v1 StatefulSet", "argoproj.io/v1alpha1 Rollout",
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration", "node.k8s.io/v1 RuntimeClass",
)  # fmt: skip


def test_every_kind_gets_its_place_and_its_labels(real: Real):
    words = [kind.split() for kind in KINDS]
    found = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {}}
        for version, kind in words
        for name in ("b", "a-b", "a")
    ]
    labels = [{"pairs": {"x.y/z": "no"}, "includeTemplates": True}, {"pairs": {"only": "top"}}]
    top = {**KUSTOMIZATION, "resources": ["all.yaml"], "labels": labels}
    files = {"top/kustomization.yaml": dump(top), "top/all.yaml": written(*found)}
    text = real.build(files, "top")
    assert text is not None, real.stderr
    assert exact(build(files, "top")) == parsed(text)
