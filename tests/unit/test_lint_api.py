"""Objects that no API server takes are found, and all others are left alone."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from generator import layout
from generator.lint import lint
from generator.lint.fields import FIELDS, KINDS, VERSION
from generator.repository import Repository
from tests.builders import CLOUD, EDGE, MODEL, NOW, Memory, baseline, fleet

BASE, CHART = layout.base(MODEL), layout.chart(MODEL)
POD, SERVICE = f"{BASE}/deployment.yaml", f"{BASE}/service.yaml"
PATCH = f"{layout.profiles(MODEL)}/gpu/patch.yaml"
PROFILE = f"{layout.profiles(MODEL)}/gpu/kustomization.yaml"
TEMPLATE = f"{CHART}/templates/deployment.yaml"
NAMESPACE = f"environments/{EDGE}/k3s/manifests/models-namespace.yaml"
SETTLED = Memory(fleet(sites=12, clusters=1)).do(baseline(12)).do(baseline(12, CLOUD))


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (POD, "apps/v1", "apps/v1beta1", "Kubernetes 1.36 has no Deployment of 'apps/v1beta1'"),
        (PATCH, "apps/v1", "apps/v2", "Kubernetes 1.36 has no Deployment of 'apps/v2'"),
        (POD, "        env:\n", "        enviroment:\n", "knows no 'enviroment' in a Container"),
        (POD, "  replicas:", "  replic\u0430s:", "knows no 'replic\u0430s' in a DeploymentSpec"),
        (POD, "  replicas: 1", '  replicas: "1"', "replicas: '1' is not a whole number"),
        (POD, "  replicas: 1", "  replicas: -1", "replicas: -1 is less than 0"),
        (POD, "NonRoot: true", 'NonRoot: "true"', "runAsNonRoot: 'true' is not true or false"),
        (POD, "memory: 1Gi", "memory: 1GB", "memory: '1GB' is no quantity"),
        (POD, "component: model-server\nspec", "component: 12\nspec", "component: 12 is read as"),
        (POD, "containerPort: 8080", "containerPort: 80800", "containerPort: 80800 is no port"),
        (POD, "type: RollingUpdate", "type: Rolling", "type: 'Rolling' is none of Recreate"),
        (POD, "drop: [ALL]", "drop: {ALL: []}", "drop: a mapping stands here"),
        (POD, "matchLabels:\n", "matchLabels: x\n  y:\n", "matchLabels: 'x' stands where more"),
        (PATCH, "        - name: MODEL_DEVICE", "        - nam: x", "knows no 'nam' in a EnvVar"),
        (SERVICE, "port: 80\n", 'port: "80"\n', "port: '80' is not a whole number"),
        (TEMPLATE, "imagePullPolicy:", "imagePulPolicy:", "knows no 'imagePulPolicy'"),
        (NAMESPACE, "  labels:", "  label:", "knows no 'label' in a ObjectMeta"),
        (PROFILE, "patches:\n", "patches:\n- patch: PATCH\n", "knows no 'replica'"),
    ],
)
def test_what_no_api_server_takes_is_found(path: str, old: str, new: str, message: str) -> None:
    text = SETTLED.files[path].decode()
    assert old in text
    patch = '"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replica: 1}}"'
    have = SETTLED.put(path, text.replace(old, new.replace("PATCH", patch), 1).encode())
    found = [one for one in lint(Repository(have), NOW) if one.rule == "api"]
    assert {one.file for one in found} == {path}
    assert message in found[0].message
    assert found[0].line
    assert found[0].fix


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (POD, "  replicas: 1", "  replicas: 1\n  minReadySeconds: 5"),
        (POD, "memory: 1Gi", "memory: 1e9"),
        (POD, "memory: 1Gi", "memory: 1073741824"),
        (
            POD,
            "containers:\n",
            "hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]\n      containers:\n",
        ),
        (SERVICE, "targetPort: http", "targetPort: 8080"),
        (PATCH, "      containers:\n", "      $retainKeys: [containers]\n      containers:\n"),
        (SERVICE, "  type: ClusterIP\n", "  sessionAffinity:\n"),
        (SERVICE, "apiVersion: v1", "apiVersion: serving.example.com/v1\nkind2: x"),
    ],
)
def test_what_an_api_server_takes_is_left_alone(path: str, old: str, new: str) -> None:
    text = SETTLED.files[path].decode()
    assert old in text
    have = SETTLED.put(path, text.replace(old, new, 1).encode())
    assert [one for one in lint(Repository(have), NOW) if one.rule == "api"] == []


# ------------------------------------------------------------------ the table

_TEXTS = ("Time", "MicroTime")


def _type(schema: Any) -> str:
    name = schema.get("$ref", "").rpartition(".")[2]
    if name:
        special = {"Quantity": "quantity", "IntOrString": "port", "FieldsV1": "any"}
        return "text" if name in _TEXTS else special.get(name, name)
    kinds = schema.get("type", [])
    (kind,) = [one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null"]
    if kind == "array":
        return f"[{_type(schema['items'])}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{{{_type(schema['additionalProperties'])}}}"
    return {"boolean": "bool", "integer": "int", "number": "float", "string": "text"}[kind]


def test_the_table_is_what_kubernetes_publishes() -> None:
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    file = folder / f"v{VERSION}.0-local-strict" / "_definitions.json"
    definitions = json.loads(file.read_text())["$defs"]
    wanted: dict[str, dict[str, str]] = {}
    todo = [
        name
        for name, one in definitions.items()
        for meaning in one.get("x-kubernetes-group-version-kind", ())
        if KINDS.get(meaning["kind"])
        == f"{meaning['group']}/{meaning['version']}".removeprefix("/")
    ]
    assert len(todo) == len(KINDS)
    while todo:
        name = todo.pop()
        short = name.rpartition(".")[2]
        if short in wanted or short in {*_TEXTS, "Quantity", "IntOrString", "FieldsV1"}:
            continue
        properties = definitions[name].get("properties", {})
        left_out = {"status"} if "metadata" in properties else {"managedFields"}
        fields = {key: one for key, one in properties.items() if key not in left_out}
        wanted[short] = {key: _type(one) for key, one in fields.items()}
        text = json.dumps(fields)
        todo += [other for other in definitions if f'/{other}"' in text]
    assert dict(FIELDS) == wanted
