"""What the real engines make of whole repositories: the API takes it, and Go reads the same."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.model.environment import Delivery
from generator.yamltext import dump
from tests.builders import CLOUD, EDGE, MODEL
from tests.readers import HOSTILE, PRINTABLE
from tests.schemas import check_document, write_schemas
from tests.wholes import different, objects, repository

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

Engine = Callable[[str], str]
HOWS = list(Delivery)


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def read(text: str) -> list[Any]:
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Write the schemas once."""
    return write_schemas(tmp_path_factory.mktemp("schemas"))


@pytest.fixture
def conform(
    tmp_path: Path, engine: Engine, schemas: tuple[str, ...]
) -> Callable[[Iterable[Any]], str]:
    """Hold objects against the schemas, by the Go reader."""

    def check(found: Iterable[Any]) -> str:
        text = b"---\n".join(dump(one) for one in found)
        (tmp_path / "all.yaml").write_bytes(text)
        return run(engine("kubeconform"), *schemas, "-summary", "all.yaml", cwd=tmp_path)

    return check


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a repository in the middle of a rollout to disk."""
    root = tmp_path_factory.mktemp("tree")
    write(root, repository("argocd").files)
    return root


def built(tree: Path, engine: Engine) -> list[Any]:
    """Build one pointer of each kind with Kustomize, and the cloud pointer with Helm."""
    kustomize, helm = engine("kustomize"), engine("helm")
    paths = [path for path in different("argocd") if path.startswith(f"sites/{EDGE}/")]
    assert len(paths) > 3, "profiles and releases differ"
    folders = [(tree / path).parent for path in paths]
    found = [one for folder in folders for one in read(run(kustomize, "build", ".", cwd=folder))]
    cloud = tree / f"sites/{CLOUD}/cluster-1/{MODEL}"
    return found + read(run(helm, "template", MODEL, ".", "--namespace", "models", cwd=cloud))


def test_the_api_takes_what_the_engines_build(tree: Path, engine: Engine) -> None:
    found = built(tree, engine)
    assert {one["kind"] for one in found} >= {"Deployment", "HTTPRoute", "HorizontalPodAutoscaler"}
    for one in found:
        check_document(one)


def test_kubeconform_takes_what_the_engines_build(
    tree: Path, engine: Engine, conform: Callable[[Iterable[Any]], str]
) -> None:
    found = built(tree, engine)
    assert f"Valid: {len(found)}, Invalid: 0, Errors: 0, Skipped: 0" in conform(found)


@pytest.mark.parametrize("how", HOWS)
def test_kubeconform_takes_every_object(
    how: Delivery, conform: Callable[[Iterable[Any]], str]
) -> None:
    found = [one for _, one in objects(different(how.value))]
    assert f"Valid: {len(found)}, Invalid: 0, Errors: 0, Skipped: 0" in conform(found)


def test_kubeconform_refuses_what_is_not_known(
    tmp_path: Path, engine: Engine, schemas: tuple[str, ...]
) -> None:
    (path,) = (one for one in different("flux") if one.endswith("plant-0001/sync.yaml"))
    text = repository("flux").files[path].replace(b"  interval:", b"  intervall:")
    (tmp_path / "all.yaml").write_bytes(text)
    command = (engine("kubeconform"), *schemas, "all.yaml")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"intervall" in done.stdout


# ------------------------------------------------------------------ Go reads the same


@pytest.mark.parametrize("how", HOWS)
def test_go_reads_every_object_as_python_does(
    tmp_path: Path, engine: Engine, how: Delivery
) -> None:
    """Kustomize reads with the parser of Kubernetes, and writes what it has read."""
    files = {
        path: data
        for path, data in different(how.value).items()
        if path.startswith(("argocd/", "flux/", "models/")) and "/base/" not in path
    }
    found = [
        one
        for _, one in objects(files)
        if not one["apiVersion"].startswith("kustomize.config.k8s.io/")
    ]
    assert found
    for number, one in enumerate(found):
        folder = tmp_path / str(number)
        head = b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        write(folder, {"kustomization.yaml": head + b"resources: [a.yaml]\n", "a.yaml": dump(one)})
        assert read(run(engine("kustomize"), "build", ".", cwd=folder)) == [one]


def test_hostile_text_survives_go(tmp_path: Path, engine: Engine) -> None:
    """Helm says in base64 what it has read, since Go writes some text as PyYAML cannot read it."""
    values = {
        **{f"k{n}": text for n, text in enumerate(HOSTILE)},
        **dict.fromkeys(PRINTABLE, ""),
    }
    chart = {"apiVersion": "v2", "name": "a", "version": "0.0.0"}
    files = {"Chart.yaml": dump(chart), "values.yaml": dump({"texts": values})}
    write(tmp_path, files | {"templates/a.yaml": b"read: {{ .Values.texts | toJson | b64enc }}\n"})
    (out,) = read(run(engine("helm"), "template", "a", ".", cwd=tmp_path))
    found = json.loads(base64.b64decode(out["read"]))
    assert [key for key in values if found.get(key) != values[key]] == []
    assert found.keys() == values.keys()
