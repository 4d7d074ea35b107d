"""How the generated repository runs the reconciler: by real Kustomize, kubeconform and Git."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import blueprints, scaffold
from generator.documents.nodes import read_documents
from generator.lint.pods import weaknesses
from tests.schemas import check_document, write_schemas

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

Engine = Callable[[str], str]
REPO = "https://git.example.com/models/fleet.git"
HOSTILE = 'https://git.example.com/a"]\n  helper = x\\'.replace("\n", " ")
ANSWERS = {
    "remote": REPO,
    "prometheus": "https://prometheus.example.com/select/0",
    "image": "registry.example.com/platform/tidegate",
    "digest": f"sha256:{'ab' * 32}",
    "namespace": "rollouts",
    "argocd_namespace": "gitops",
}
FORMS = ("deployment", "cronjob")


def write(root: Path, answers: Mapping[str, str]) -> Path:
    files = scaffold.render(blueprints.load("reconciler"), answers)
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root / "reconciler"


@pytest.fixture(scope="module")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Any]]:
    folder = write(tmp_path_factory.mktemp("built"), ANSWERS)

    def build(form: str) -> list[Any]:
        ran = subprocess.run(
            [engine("kustomize"), "build", str(folder / form)], capture_output=True, timeout=60
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
        return list(yaml.safe_load_all(ran.stdout))

    return build


def one(found: list[Any], kind: str, name: str, namespace: str | None = None) -> Any:
    (it,) = (
        each
        for each in found
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
        and namespace in (None, each["metadata"].get("namespace"))
    )
    return it


def pod(found: list[Any]) -> Any:
    for each in found:
        if each["kind"] == "Deployment":
            return each["spec"]["template"]["spec"]
        if each["kind"] == "CronJob":
            return each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    raise AssertionError("no pod")


@pytest.mark.parametrize("form", FORMS)
def test_kubeconform_takes_every_object(
    built: Callable[[str], list[Any]], form: str, engine: Engine, tmp_path: Path
) -> None:
    found = built(form)
    for each in found:
        check_document(each)
    text = yaml.safe_dump_all(found)
    schemas = write_schemas(tmp_path)
    command = [engine("kubeconform"), *schemas, "-summary", "-"]
    ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert f"Valid: {len(found)}, Invalid: 0, Errors: 0, Skipped: 0" in ran.stdout, ran.stdout


@pytest.mark.parametrize("form", FORMS)
def test_its_own_namespace_lets_the_pod_in(built: Callable[[str], list[Any]], form: str) -> None:
    found = built(form)
    labels = one(found, "Namespace", "rollouts")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    text = yaml.safe_dump_all(found).encode()
    assert [str(p) for node in read_documents("x.yaml", text) for p in weaknesses(node)] == []
    assert pod(found)["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("form", FORMS)
def test_it_may_do_what_it_does_and_nothing_else(
    built: Callable[[str], list[Any]], form: str
) -> None:
    found = built(form)
    name = "tidegate-reconciler"
    assert {each["kind"] for each in found} & {"ClusterRole", "ClusterRoleBinding"} == set()
    rules = {
        each["metadata"]["namespace"]: each["rules"] for each in found if each["kind"] == "Role"
    }
    assert rules == {
        "gitops": [
            {
                "apiGroups": ["argoproj.io"],
                "resources": ["applications", "applicationsets"],
                "verbs": ["get", "list", "patch"],
            }
        ],
        "rollouts": [
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "verbs": ["create"],
            },
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "resourceNames": ["reconciler"],
                "verbs": ["get", "update"],
            },
        ],
    }
    for namespace in rules:
        binding = one(found, "RoleBinding", name, namespace)
        assert binding["roleRef"]["name"] == name
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": name, "namespace": "rollouts"}
        ]
    assert pod(found)["serviceAccountName"] == name
    settings = one(found, "ConfigMap", name)["data"]
    assert settings["TIDEGATE_LEASE"] == "rollouts/reconciler"
    assert settings["TIDEGATE_ARGOCD_NAMESPACE"] == "gitops"


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_stands_there_and_every_volume_is_there(
    built: Callable[[str], list[Any]], form: str
) -> None:
    found = built(form)
    assert "Secret" not in {each["kind"] for each in found}
    spec = pod(found)
    (container,) = spec["containers"]
    volumes = {each["name"] for each in spec["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    maps = {each["metadata"]["name"] for each in found if each["kind"] == "ConfigMap"}
    wanted = {each["configMapRef"]["name"] for each in container["envFrom"]}
    wanted |= {each["configMap"]["name"] for each in spec["volumes"] if "configMap" in each}
    assert wanted == maps


@pytest.mark.parametrize("form", FORMS)
def test_the_image_stands_in_one_place_with_its_digest(
    built: Callable[[str], list[Any]], form: str
) -> None:
    image = pod(built(form))["containers"][0]["image"]
    assert image == f"registry.example.com/platform/tidegate@sha256:{'ab' * 32}"


def test_an_image_that_nobody_named_cannot_be_pulled(engine: Engine, tmp_path: Path) -> None:
    folder = write(tmp_path, {})
    ran = subprocess.run(
        [engine("kustomize"), "build", str(folder / "deployment")], capture_output=True, timeout=60
    )
    image = pod(list(yaml.safe_load_all(ran.stdout)))["containers"][0]["image"]
    # RFC 2606: no name below .invalid ever exists.
    assert image.partition("/")[0] == "name-the-image.invalid"


def test_probes_and_metrics_meet_the_port_that_it_listens_on(
    built: Callable[[str], list[Any]],
) -> None:
    found = built("deployment")
    spec, service = pod(found), one(found, "Service", "tidegate-reconciler")
    (container,) = spec["containers"]
    (port,) = container["ports"]
    assert container["args"] == ["--listen", f"0.0.0.0:{port['containerPort']}"]
    probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
    assert probes == {
        "livenessProbe": {"path": "/healthz", "port": port["name"]},
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
    }
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert [each["targetPort"] for each in service["spec"]["ports"]] == [port["name"]]
    deployment = one(found, "Deployment", "tidegate-reconciler")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == deployment["spec"]["selector"]["matchLabels"]
    policy = one(found, "NetworkPolicy", "tidegate-reconciler")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["ingress"][0]["ports"] == [{"port": port["name"], "protocol": "TCP"}]
    annotations = service["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_one_at_a_time(built: Callable[[str], list[Any]]) -> None:
    deployment = one(built("deployment"), "Deployment", "tidegate-reconciler")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    job = one(built("cronjob"), "CronJob", "tidegate-reconciler")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert pod(built("cronjob"))["containers"][0]["args"] == ["--once"]
    assert pod(built("deployment"))["terminationGracePeriodSeconds"] == 30


# ------------------------------------------------------------------ credentials of Git


def ask_git(config: str, folder: Path, url: str) -> dict[str, str]:
    """Ask real Git which credentials it would send to a URL."""
    (folder / "config").write_text(config.replace("/etc/tidegate/secret", str(folder)))
    (folder / "username").write_text("tidegate\n")
    (folder / "password").write_text("p@ss word=1; $(x)")
    ran = subprocess.run(
        ["git", "credential", "fill"],
        input=f"url={url}\n\n",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(folder / "config")},
    )
    pairs = (line.partition("=") for line in ran.stdout.splitlines())
    return {name: value for name, _, value in pairs if name in ("username", "password")}


@pytest.mark.parametrize(
    ("url", "is_given"),
    [
        (REPO, True),
        ("https://git.example.com/models/other.git", False),
        ("https://git.example.com/", False),
        ("https://evil.example.com/models/fleet.git", False),
        ("http://git.example.com/models/fleet.git", False),
    ],
)
def test_git_sends_the_password_to_this_repository_only(
    tmp_path: Path, url: str, is_given: bool
) -> None:
    folder = write(tmp_path, ANSWERS)
    config = yaml.safe_load((folder / "base" / "git.yaml").read_text())["data"]["config"]
    wanted = {"username": "tidegate", "password": "p@ss word=1; $(x)"}
    assert ask_git(config, tmp_path, url) == (wanted if is_given else {})
    assert "followRedirects = false" in config


@pytest.mark.parametrize("remote", ["", HOSTILE, "git@git.example.com:models/fleet.git"])
def test_no_remote_breaks_the_configuration_of_git(tmp_path: Path, remote: str) -> None:
    folder = write(tmp_path, {**ANSWERS, "remote": remote})
    config = yaml.safe_load((folder / "base" / "git.yaml").read_text())["data"]["config"]
    assert ask_git(config, tmp_path, "https://evil.example.com/x.git") == {}
    settings = yaml.safe_load((folder / "base" / "settings.yaml").read_text())["data"]
    assert settings["TIDEGATE_REPO"] == remote
    words = ["git", "config", "--file", str(tmp_path / "config"), "--name-only", "--list"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60)
    names = ran.stdout.splitlines()
    assert ran.returncode == 0
    assert names[:2] == ["http.followredirects", "credential.usehttppath"]
    assert len(names) == 3
    assert names[2].endswith(".helper")
