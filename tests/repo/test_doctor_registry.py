"""`tidegate doctor` and a real MLflow store."""

from pathlib import Path

import pytest

from generator import layout
from tests.builders import MODEL, Origin, fleet
from tests.repo.test_doctor import doctor, states

pytest.importorskip("sqlalchemy", reason="not run: MLflow (not installed)")
pytest.importorskip("mlflow", reason="not run: MLflow (not installed)")

IMAGE = "registry.example.com/detector@sha256:" + "a" * 64


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return Origin.start(tmp_path_factory.mktemp("registry"), fleet(6))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tidegate.demo.registry import seed, store_uri

    folder = tmp_path_factory.mktemp("mlflow")
    seed(folder, IMAGE)
    return store_uri(folder)


def test_a_model_of_ours_is_registered(origin: Origin, store: str) -> None:
    _, found = doctor(origin, "--registry", store)
    (one,) = found["registry.model"]
    assert (one["state"], one["message"].startswith(f"{MODEL}: ")) == ("ok", True)
    assert states(found, "registry.version") == ["not checked"]


def test_a_model_that_is_not_registered_is_an_error(origin: Origin, store: str) -> None:
    path = layout.model(MODEL)
    before = origin.view.files[path]
    origin.put(path, before.replace(b'  name: "defect-detector"', b'  name: "other-detector"'))
    code, found = doctor(origin, "--registry", store)
    origin.put(path, before)
    assert (code, states(found, "registry.model")) == (1, ["error"])
    assert "'other-detector'" in found["registry.model"][0]["message"]


def test_a_store_that_is_not_there_is_an_error(origin: Origin, tmp_path: Path) -> None:
    code, found = doctor(origin, "--registry", f"sqlite:///{tmp_path}/none.db")
    assert (code, states(found, "registry.model")) == (1, ["error"])
    assert "no MLflow store" in found["registry.model"][0]["message"]


def test_credentials_are_not_sent_where_only_git_points(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "not-a-real-token")
    before = origin.view.files[layout.CONFIG]
    named = before.replace(b'uri: ""', b'uri: "https://mlflow.example.com"')
    assert named != before
    origin.put(layout.CONFIG, named)
    _, found = doctor(origin)
    origin.put(layout.CONFIG, before)
    (one,) = found["registry.answers"]
    assert (one["state"], "not asked" in one["message"]) == ("not checked", True)
    assert "registry.model" not in found
