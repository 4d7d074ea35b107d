"""Where a version's bytes lie, and reading them: the store's own folder, or a download."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from generator.errors import InputError
from generator.model.location import Location
from generator.model.manifest import check_artifact_path
from generator.registry.files import Reading, read_file, read_folder
from generator.registry.session import AbsentError, Session, store_file

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


def open_contents(
    session: Session, location: Location, allowed: tuple[Location, ...]
) -> tuple[str, Iterator[Reading]]:
    """Give the resolved URI of an allowed location, and read its files.

    Raises:
        InputError: The location is not allowed, or its files are unusable or too much.
        RemoteError: The artifact store did not answer, or not in time.
        ValueError: The store names a file with a path that is not one.
    """
    if not location.is_allowed(allowed):
        raise InputError(
            f"artifacts at {location.origin!a} are not on the allow-list",
            hint=f"add {location.origin!a} under artifacts: allow: in tidegate.yaml",
        )
    if location.scheme == "file":
        folder = _own_folder(session.uri, location)
        return folder.as_uri(), read_folder(folder, session.meter)
    if location.scheme == "mlflow-artifacts" and session.uri.startswith("sqlite:"):
        raise InputError(
            "the artifacts of this store come from its MLflow server",
            hint="give the server's http address as the registry",
        )
    return str(location), _download(session, location)


def _own_folder(registry: str, location: Location) -> Path:
    """Find the artifact folder below the folder of the store's file, links followed."""
    if not registry.startswith("sqlite:"):
        raise InputError(
            "the server names a folder of its own machine for the artifacts",
            hint="start it with --serve-artifacts, or use an object store",
        )
    root = store_file(registry).parent.resolve()
    try:
        folder = Path(unquote(location.path)).resolve(strict=True)
    except OSError as error:
        raise InputError(f"the artifact folder is gone: {error.strerror}") from None
    if root not in folder.parents or not folder.is_dir():
        raise InputError(
            f"{str(folder)!a} is not a folder below the store's own {str(root)!a}",
            hint="keep the artifacts of a sqlite: store beside its file",
        )
    return folder


def _download(session: Session, location: Location) -> Iterator[Reading]:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        repository = session.call(partial(get_artifact_repository, str(location), session.uri))
        files = list(_list_files(session, repository))
        session.meter.expect(sum(size or 0 for _, size in files))
        with tempfile.TemporaryDirectory(prefix="tidegate-") as scratch:
            for path, size in files:
                yield _fetch(session, repository, path, size, Path(scratch))
    except AbsentError as error:
        raise InputError(f"the artifacts are gone, or refused: {error}") from None


def _list_files(
    session: Session, repository: "ArtifactRepository"
) -> Iterator[tuple[str, int | None]]:
    folders: list[str | None] = [None]
    while folders:
        folder = folders.pop()
        for entry in session.call(partial(repository.list_artifacts, folder)):
            session.meter.count()
            path = check_artifact_path(entry.path)
            # The SDK pastes a path into a URL as it stands.
            if set("?#%") & set(path) or not path.startswith(f"{folder}/" if folder else ""):
                raise InputError(f"artifact {path!a} cannot be fetched safely under this name")
            if entry.is_dir:
                folders.append(path)
            else:
                yield path, entry.file_size


def _fetch(
    session: Session,
    repository: "ArtifactRepository",
    path: str,
    size_bytes: int | None,
    scratch: Path,
) -> Reading:
    part = scratch / "part"

    def watch() -> None:
        session.meter.expect(sum(file.stat().st_size for file in scratch.iterdir()))

    # The abstract method that every artifact plug-in writes: one file, no listing before it.
    session.call(partial(repository._download_file, path, str(part)), watch)
    reading = read_file(part, path, session.meter)
    part.unlink()
    read_bytes = reading.artifact.size_bytes
    if size_bytes not in (None, read_bytes):
        raise session.trouble(f"artifact {path!a} ended after {read_bytes} of {size_bytes} bytes")
    return reading
