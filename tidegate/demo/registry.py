"""The demo's registry: a real MLflow store with four versions of one model.

Everything lies in one folder, so the store can be deleted with it. The artifact bytes depend on
the version number alone: their digests are the same on every machine.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import InputError, RemoteError
from generator.registry import (
    IMAGE_TAG,
    AbsentError,
    Limits,
    load_mlflow,
    open_session,
    quiet,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "defect-detector"
ALIASES = {"champion": "1", "challenger": "2"}
_EXPERIMENT = "surface-inspection"
_VARIANT_TAG = "tidegate.demo"
_WEIGHT_BYTES = 1 << 16
_LIMITS = Limits(seconds=120)
_LABELS = ("ok", "scratch", "dent", "stain", "crack")


@dataclass(frozen=True, slots=True)
class _Variant:
    """One version to train: its number is the seed of its weights."""

    number: int
    description: str
    accuracy: float
    recall: float


_VARIANTS = (
    _Variant(1, "Baseline: first camera generation, all plants.", 0.952, 0.931),
    _Variant(2, "Retrained with the cracks of the spring audit.", 0.961, 0.944),
    _Variant(3, "Smaller backbone; new colour normalisation.", 0.967, 0.949),
    _Variant(4, "Version 2 with the plants of the south added.", 0.964, 0.948),
)


def store_uri(store: Path) -> str:
    """Give the URI under which the seeded folder is a registry."""
    return f"sqlite:///{_database(store).resolve()}"


def seed(store: Path, image: str) -> None:
    """Make the store, or complete one that was left half made.

    Run again it changes nothing; aliases that have moved stay where they are.

    Args:
        store: Folder for the SQLite file and the artifacts; made when absent.
        image: Value of the tag `tidegate.image` of every version.

    Raises:
        InputError: Full MLflow is not installed, or the folder is unusable.
        RemoteError: MLflow failed.
    """
    load_mlflow(full=True)
    with quiet():
        try:
            _ensure_database(store)
            session = open_session(store_uri(store), _LIMITS)
            session.call(partial(_fill, session.client, store, image))
        except OSError as error:
            raise InputError(f"no store can be made in {str(store)!a}: {error.strerror}") from None
        except AbsentError as error:
            raise RemoteError("MLflow", f"refuses the demo's models: {error}") from None


def move_alias(store: Path, alias: str, version: int) -> None:
    """Let an alias name another version, as an ML engineer would.

    Raises:
        InputError: There is no such version or store.
        RemoteError: MLflow failed.
    """
    with quiet():
        session = open_session(store_uri(store), _LIMITS)
        move = partial(session.client.set_registered_model_alias, MODEL, alias, str(version))
        try:
            session.call(move)
        except AbsentError as error:
            raise InputError(f"{MODEL}@{alias} cannot be version {version}: {error}") from None


def _database(store: Path) -> Path:
    return store / "mlflow.db"


def _ensure_database(store: Path) -> None:
    # A migration that was cut off cannot be taken up again, so the file appears complete or not.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database = _database(store)
    if database.exists():
        return
    folder = store.resolve() / ".new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    part = folder / database.name
    new = SqlAlchemyStore(f"sqlite:///{part}", _artifacts(store).as_uri())
    new.engine.dispose()
    part.replace(database)
    shutil.rmtree(folder)


def _artifacts(store: Path) -> Path:
    return store.resolve() / "artifacts"


def _fill(client: "MlflowClient", store: Path, image: str) -> None:
    experiment = client.get_experiment_by_name(_EXPERIMENT)
    location = _artifacts(store).as_uri()
    if experiment is None:
        experiment_id = client.create_experiment(_EXPERIMENT, artifact_location=location)
    else:
        experiment_id = experiment.experiment_id
    if not client.search_registered_models(f"name='{MODEL}'"):
        client.create_registered_model(MODEL, description="Finds defects on metal surfaces.")
    known = {
        version.tags.get(_VARIANT_TAG)
        for version in client.search_model_versions(f"name='{MODEL}'")
    }
    for variant in _VARIANTS:
        if str(variant.number) not in known:
            _register(client, experiment_id, variant, image)
    present = client.get_registered_model(MODEL).aliases
    for alias in ALIASES.keys() - present.keys():
        client.set_registered_model_alias(MODEL, alias, ALIASES[alias])


def _register(client: "MlflowClient", experiment: str, variant: _Variant, image: str) -> None:
    """Log a run and a model, then register it; the last call makes it count."""
    run = client.create_run(experiment, run_name=f"train-{variant.number}").info.run_id
    client.log_param(run, "seed", variant.number)
    client.log_metric(run, "accuracy", variant.accuracy)
    client.log_metric(run, "recall", variant.recall)
    model = client.create_logged_model(experiment, name=MODEL, source_run_id=run)
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        for path, data in artifact_files(variant.number).items():
            file = Path(folder, path)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    client.set_terminated(run)
    client.create_model_version(
        MODEL,
        model.artifact_location,
        run_id=run,
        tags={_VARIANT_TAG: str(variant.number), IMAGE_TAG: image},
        description=variant.description,
        await_creation_for=0,
        model_id=model.model_id,
    )


def artifact_files(number: int) -> Mapping[str, bytes]:
    """Make the artifact files of one version: path to bytes, the same everywhere."""
    weights = hashlib.shake_256(f"{MODEL}/{number}".encode()).digest(_WEIGHT_BYTES)
    description = (
        "artifact_path: model\n"
        "flavors:\n"
        "  tidegate_demo:\n"
        "    labels: data/labels.json\n"
        "    weights: data/weights.bin\n"
    )
    return {
        "MLmodel": description.encode(),
        "data/labels.json": (json.dumps(_LABELS) + "\n").encode(),
        "data/weights.bin": weights,
    }
