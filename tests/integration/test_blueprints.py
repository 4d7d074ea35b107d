"""What the blueprints write, held against the schemas of Kubernetes and read by real engines."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import blueprints, layout, scaffold
from tests.builders import CLOUD, EDGE, MODEL, Memory, baseline, fleet
from tests.schemas import check_document

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

Engine = Callable[[str], str]
K3S = f"environments/{EDGE}/k3s"
VERSION = "1.36"


@cache
def settled() -> Memory:
    """A fleet with one release per environment, laid out once."""
    have = Memory(fleet(sites=6, clusters=1))
    return have.do(baseline(12)).do(baseline(12, CLOUD))


def objects(text: str | bytes) -> Iterator[Mapping[str, Any]]:
    return (one for one in yaml.safe_load_all(text) if one)


def check_core(found: Mapping[str, Any]) -> None:
    """Hold an object of Kubernetes itself against its schema, with no unknown field."""
    kubernetes_validate.validate(found, VERSION, strict=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    for path, data in settled().files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def run(cwd: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_a_schema_with_no_unknown_field_is_really_used() -> None:
    text = settled().files[f"{K3S}/manifests/models-quota.yaml"]
    (quota,) = objects(text.replace(b"hard:", b"hrd:"))
    with pytest.raises(kubernetes_validate.ValidationError):
        check_core(quota)


# ------------------------------------------------------------------ the host of a site


def test_what_k3s_applies_fits_the_api() -> None:
    folder = f"{K3S}/manifests"
    found = {p: [*objects(data)] for p, data in settled().view.under(folder).items()}
    assert [one["kind"] for (one,) in found.values()] == [
        "Namespace",
        "ResourceQuota",
        "LimitRange",
    ]
    for (one,) in found.values():
        check_core(one)
        assert one["metadata"].get("namespace", one["metadata"]["name"]) == "models"
    for path in found:  # K3s makes an AddOn of each file, named after it
        stem = path.removeprefix(f"{folder}/").removesuffix(".yaml")
        assert stem.replace("-", "").isalnum()
        assert stem == stem.lower()


def test_the_namespace_follows_the_answer() -> None:
    answers = {"environment": "lab", "namespace": "vision"}
    files = scaffold.render(blueprints.load("environment-edge-k3s"), answers)
    under = {p: data for p, data in files.items() if "/manifests/" in p}
    assert len(under) == 3
    assert all(b'"vision"' in data for data in under.values())
    assert b"TIDEGATE_ENVIRONMENT:-lab}" in files["environments/lab/k3s/prepull.sh"]


def test_the_files_of_the_host_say_nothing_that_is_secret_or_of_one_site() -> None:
    config = yaml.safe_load(settled().files[f"{K3S}/config.yaml"])
    assert not {"token", "agent-token", "node-name", "tls-san", "server"} & set(config)
    assert config["embedded-registry"] is True
    registries = yaml.safe_load(settled().files[f"{K3S}/registries.yaml"])
    assert registries == {"mirrors": {"*": {}}}


def test_the_units_name_the_script_and_its_folders() -> None:
    service = settled().files[f"{K3S}/tidegate-prepull.service"].decode()
    script = settled().files[f"{K3S}/prepull.sh"].decode()
    assert "ReadWritePaths=/var/lib/rancher/k3s/agent/images\n" in service
    assert "StateDirectory=tidegate\n" in service  # that is /var/lib/tidegate
    assert "TIDEGATE_IMAGES:-/var/lib/rancher/k3s/agent/images}" in script
    assert "TIDEGATE_STATE:-/var/lib/tidegate}" in script


# ------------------------------------------------------------------ what sites apply


def test_edge_objects_fit_the_api_strictly(root: Path, engine: Engine) -> None:
    release = settled().view.rollout().stable
    folder = root / layout.release(EDGE, MODEL, release)
    for profile in ("cpu", "gpu", "jetson-arm64"):
        for one in objects(run(folder, engine("kustomize"), "build", profile)):
            check_core(one)


def test_cloud_objects_fit_the_api_strictly(root: Path, engine: Engine) -> None:
    folder = root / layout.pointer(CLOUD, "cluster-1", MODEL)
    found = [*objects(run(folder, engine("helm"), "template", "x", "."))]
    assert len(found) == 7
    for one in found:
        check_document(one)


VALUES = f"{layout.chart(MODEL)}/values.yaml"
Render = Callable[..., Mapping[str, Mapping[str, Any]]]


@pytest.fixture
def render(tmp_path: Path, engine: Engine) -> Render:
    """Render the cloud pointer of a release whose values a person has edited."""

    def render(*edits: tuple[str, str]) -> Mapping[str, Mapping[str, Any]]:
        have = Memory(fleet(sites=6, clusters=1))
        for old, new in edits:
            have = have.edit(VALUES, old, new)
        files = have.do(baseline(12, CLOUD)).view.under(layout.pointer(CLOUD, "cluster-1", MODEL))
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        folder = tmp_path / layout.pointer(CLOUD, "cluster-1", MODEL)
        text = run(folder, engine("helm"), "template", "x", ".")
        run(folder, engine("helm"), "lint", "--strict", ".")
        found = {one["kind"]: one for one in objects(text)}
        for one in found.values():
            check_document(one)
        return found

    return render


def pod(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return found["Deployment"]["spec"]["template"]["spec"]


def ports_80(found: Mapping[str, Any]) -> list[str]:
    return [
        peer["ipBlock"]["cidr"]
        for rule in found["NetworkPolicy"]["spec"]["egress"]
        for peer in rule.get("to", [])
        if "ipBlock" in peer and rule["ports"] == [{"port": 80, "protocol": "TCP"}]
    ]


def test_a_pod_identity_association_names_an_account_that_outlives_releases(render: Render) -> None:
    found = render(('  name: ""  ', "  name: models-reader  "))
    assert "ServiceAccount" not in found
    assert pod(found)["serviceAccountName"] == "models-reader"
    assert pod(found)["automountServiceAccountToken"] is False
    # Without these the pod has the right and no way to the credentials.
    assert ports_80(found) == ["169.254.170.23/32", "fd00:ec2::23/128"]


def test_a_role_for_the_account_of_each_release_is_an_option(render: Render) -> None:
    role = "arn:aws:iam::123456789012:role/models-reader"
    found = render(('roleArn: ""', f"roleArn: {role}"))
    account = found["ServiceAccount"]
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": role}
    assert account["metadata"]["name"] == pod(found)["serviceAccountName"]
    assert ports_80(found) == []


def test_without_either_the_account_has_no_rights(render: Render) -> None:
    found = render()
    assert "annotations" not in found["ServiceAccount"]["metadata"]
    assert "ExternalSecret" not in found
    assert "envFrom" not in pod(found)["containers"][0]


def test_a_secret_is_named_and_fetched_by_the_cluster(render: Render) -> None:
    found = render(
        ("  enabled: false\n  storeKind", "  enabled: true\n  storeKind"),
        ('store: ""', "store: vault"),
        ("data: []  ", "data: [{env: API_TOKEN, key: 'models/{{ x }}', property: token}]  "),
    )
    secret = found["ExternalSecret"]
    name = secret["metadata"]["name"]
    assert secret["apiVersion"] == "external-secrets.io/v1"
    assert secret["spec"] == {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
        "target": {"name": name, "creationPolicy": "Owner"},
        "data": [
            {
                "secretKey": "API_TOKEN",
                "remoteRef": {"key": "models/{{ x }}", "property": "token"},
            }
        ],
    }
    assert pod(found)["containers"][0]["envFrom"] == [{"secretRef": {"name": name}}]
    assert name.endswith(found["Deployment"]["metadata"]["labels"]["tidegate.dev/release"])
    assert "Secret" not in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  name: ""  ', "  name: a\n  roleArn: arn:aws:iam::123456789012:role/b\n  #"),
        ('roleArn: ""', "roleArn: models-reader"),
        ("  enabled: false\n  storeKind", "  enabled: true\n  storeKind"),
        ("data: []  ", "data: [{env: A, key: b, value: secret}]  "),
        ("data: []  ", "data: [{env: 'A B', key: b}]  "),
        ("refreshInterval: 1h", "refreshInterval: often"),
        ("memory: 4Gi", "memory: 4 GiB"),
        ("tolerations: []", "tolerations: [{key: a, seconds: 3}]"),
    ],
)
def test_values_that_cannot_be_are_refused_by_helm(
    tmp_path: Path, engine: Engine, old: str, new: str
) -> None:
    have = Memory(fleet(sites=6, clusters=1))
    text = have.files[VALUES].decode()
    assert text.count(old) == 1
    text = text.replace(old, new)
    if "role/b" in new:
        text = text.replace('  roleArn: ""', "  #")
    files = have.put(VALUES, text.encode()).do(baseline(12, CLOUD)).files
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    folder = tmp_path / layout.pointer(CLOUD, "cluster-1", MODEL)
    done = subprocess.run(
        [engine("helm"), "template", "x", "."], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
