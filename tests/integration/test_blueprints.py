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
    core = [one for one in found if one["kind"] != "HTTPRoute"]
    assert len(core) == 6
    for one in core:
        check_core(one)
