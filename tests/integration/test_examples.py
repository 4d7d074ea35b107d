"""The real engines build every pointer of the examples, and the API takes what comes out."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.build import build
from generator.build.output import read_output
from tests.golden.__main__ import FOLDER, read
from tests.schemas import check_document, write_schemas

Engine = Callable[[str], str]
EDGE, CLOUD = "edge-k3s-500", "cloud-eks"
POINTERS = sorted(path for path in read(EDGE) if path.startswith("sites/"))
CLUSTERS = sorted(
    path.rpartition("/")[0] for path in read(CLOUD) if path.count("/") == 4 and "/Chart" in path
)


def run(*command: str, cwd: Path, data: str = "") -> str:
    done = subprocess.run(
        command, cwd=cwd, input=data, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def documents(text: str) -> Iterator[Any]:
    yield from (one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None)


@pytest.fixture(scope="module")
def conform(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], None]:
    """Give many documents at once to kubeconform, strict and without a network."""
    options = write_schemas(tmp_path_factory.mktemp("schemas"))

    def check(program: str, text: str) -> None:
        told = run(program, *options, "-summary", "-", cwd=FOLDER, data=text)
        assert "Invalid: 0, Errors: 0, Skipped: 0" in told, told

    return check


def test_there_are_as_many_pointers_as_sites() -> None:
    assert (len(POINTERS), len(CLUSTERS)) == (500, 3)


def test_the_api_takes_what_python_builds_for_each_profile_and_release() -> None:
    """Without any engine: one site of each kind, and that all others differ by their name only."""
    files = read(EDGE)
    kinds: dict[bytes, str] = {}
    for path in POINTERS:
        kinds.setdefault(files[path].replace(path.split("/")[2].encode(), b"SITE"), path)
    assert len(kinds) == 6  # three profiles, two releases
    for path in kinds.values():
        for one in build(files, path.rpartition("/")[0]):
            check_document(one)


def test_the_api_takes_every_manifest_that_stands_in_the_examples() -> None:
    checked = 0
    for name in (EDGE, CLOUD):
        for path, data in read(name).items():
            if path.startswith(("argocd/", "sites/edge")) and path.endswith(".yaml"):
                for one in documents(data.decode()):
                    check_document(one)
                    checked += 1
    assert checked > 500


@pytest.mark.timeout(300)
def test_kustomize_builds_every_pointer_and_python_builds_the_same(
    engine: Engine, conform: Callable[[str, str], None]
) -> None:
    kustomize, kubeconform = engine("kustomize"), engine("kubeconform")
    files, root = read(EDGE), FOLDER / EDGE
    folders = [path.rpartition("/")[0] for path in POINTERS]
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda one: run(kustomize, "build", one, cwd=root), folders))
    for folder, text in zip(folders, texts, strict=True):
        assert read_output("kustomize", text.encode()) == build(files, folder), folder
    conform(kubeconform, "---\n".join(texts))


@pytest.mark.parametrize("folder", CLUSTERS)
def test_helm_lints_and_renders_every_cluster(
    engine: Engine, conform: Callable[[str, str], None], folder: str
) -> None:
    helm, kubeconform = engine("helm"), engine("kubeconform")
    root = FOLDER / CLOUD
    assert "0 chart(s) failed" in run(helm, "lint", "--strict", folder, cwd=root)
    text = run(helm, "template", "defect-detector", folder, "--namespace", "models", cwd=root)
    found = list(documents(text))
    routes = [one for one in found if one["kind"] == "HTTPRoute"]
    backends = routes[0]["spec"]["rules"][0]["backendRefs"]
    assert sorted(one["weight"] for one in backends) == [500, 9500]
    assert len([one for one in found if one["kind"] == "Deployment"]) == 2
    for one in found:
        check_document(one)
    conform(kubeconform, text)


def test_kubeconform_takes_every_argo_cd_object(
    engine: Engine, conform: Callable[[str, str], None]
) -> None:
    kubeconform = engine("kubeconform")
    for name in (EDGE, CLOUD):
        texts = [data.decode() for path, data in read(name).items() if path.startswith("argocd/")]
        conform(kubeconform, "---\n".join(texts))
