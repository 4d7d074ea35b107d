"""The door to MLflow: the only import of the SDK, made when it is first needed.

Promises. A model is never loaded: artifact files are only listed, read and hashed. Nothing
stays on disk: a `sqlite:` store's own files are read where they lie, others pass one by one
through a temporary folder. Only the fields of `ModelVersion` come out, checked. A call ends
within `Limits.seconds`; a foreign call that hangs is left behind in a daemon thread. No message
holds a credential. Redirects are not followed. Instances hold no state, and several processes
may use one store; within a process logging and warnings are silent during a call.

MLflow reads its own credentials (`MLFLOW_TRACKING_USERNAME`, `_PASSWORD`, `_TOKEN`, ...) and
sends them to the server that the URI names: the caller decides which URI may be opened.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from generator.errors import InputError, RemoteError
from generator.model.location import Location, parse_allowed
from generator.model.manifest import manifest_digest
from generator.model.reference import Reference
from generator.model.release import ModelVersion
from generator.registry.contents import open_contents
from generator.registry.files import Limits, Reading
from generator.registry.session import AbsentError, Session, open_session, quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as Entry

IMAGE_TAG = "tidegate.image"
RESULT_TAGS = ("tidegate.rollout", "tidegate.result", "tidegate.evidence")
_LONGEST_TAG = 2000
_HOPS = 8
_MODEL_ID_IN_FOLDER = re.compile(r"/models/(m-[0-9a-f]{32})/artifacts", re.ASCII)
_MODEL_ID_IN_FILE = re.compile(rb"^model_id: (m-[0-9a-f]{32})\s*$", re.MULTILINE)
_MODEL_URI = re.compile(r"models:/+(m-[0-9a-f]{32})", re.ASCII)
_VERSION_URI = re.compile(r"models:/+([^/:]+)/([0-9]+)")
_RUN_URI = re.compile(r"runs:/+([0-9a-f]{32})/(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registry:
    """One MLflow store or server.

    Attributes:
        uri: `sqlite:///PATH` (needs full mlflow), `http://...` or `https://...`.
        allow: Artifact allow-list; grammar in `generator.model.location`.
        limits: The most that one call may cost.
    """

    uri: str
    allow: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)

    def resolve(self, ref: str) -> ModelVersion:
        """Pin what `NAME@ALIAS` or `NAME/VERSION` means now; hash its files.

        Raises:
            InputError: The reference, the version, its artifacts or the store are unusable, or
                the extra is not installed.
            RemoteError: MLflow or the artifact store did not answer, or not in time.
        """
        with _refusals(ref):
            wanted, allowed = Reference.parse(ref), parse_allowed(self.allow)
        with quiet():
            session = open_session(self.uri, self.limits)
            entry = _find(session, wanted)
            with _refusals(ref):
                location = Location.parse(_locate(session, wanted.name, str(entry.version)))
                uri, readings = open_contents(session, location, allowed)
                return _pin(entry, wanted, uri, tuple(readings), _origin(session, entry))

    def metrics(self, run_id: str) -> Mapping[str, float]:
        """Give the last metrics of a training run; foreign names, numbers of any kind.

        Raises:
            InputError: There is no such run any more, or the extra is not installed.
            RemoteError: MLflow did not answer, or not in time.
        """
        with quiet():
            session = open_session(self.uri, self.limits)
            try:
                run = session.call(lambda: session.client.get_run(run_id))
            except AbsentError:
                raise InputError(f"MLflow has no training run {run_id[:60]!a}") from None
            return {str(name): float(value) for name, value in run.data.metrics.items()}

    def look_up(self, ref: str) -> str:
        """Give the number of the version that `NAME@ALIAS` or `NAME/VERSION` means now.

        Raises:
            InputError: The reference, the version or the store are unusable, or the extra is not
                installed.
            RemoteError: MLflow did not answer, or not in time.
        """
        with _refusals(ref):
            wanted = Reference.parse(ref)
        with quiet():
            return str(_find(open_session(self.uri, self.limits), wanted).version)

    def aliases(self, name: str) -> Mapping[str, str] | None:
        """Give version by alias of a registered model; None where there is no such model.

        Raises:
            InputError: The store is unusable or refuses us, or the extra is not installed.
            RemoteError: MLflow did not answer, or not in time.
        """
        with quiet():
            session = open_session(self.uri, self.limits)
            try:
                model = session.call(lambda: session.client.get_registered_model(name))
            except AbsentError:
                return None
        return {_shown([alias]): str(number)[:20] for alias, number in model.aliases.items()}

    def write_back(self, version: ModelVersion, tags: Mapping[str, str]) -> None:
        """Write the result of a rollout as tags of the version.

        Tags already written stay when a later one fails; writing again is harmless.

        Raises:
            ValueError: A tag is not one of `RESULT_TAGS`, or its value is not one printable line.
            InputError: The URI is unusable, or the extra is not installed.
            RemoteError: MLflow did not take a tag, or holds another version under this number.
        """
        for key, value in tags.items():
            _check_tag(key, value)
        name, number = version.registry_name, version.version
        with quiet():
            session = open_session(self.uri, self.limits)
            try:
                entry = session.call(partial(session.client.get_model_version, name, number))
                if int(entry.creation_timestamp) != version.created_ms:
                    raise AbsentError(f"version {number} was registered anew since")
                for key, value in sorted(tags.items()):
                    tag = partial(session.client.set_model_version_tag, name, number, key, value)
                    session.call(tag)
            except AbsentError as error:
                raise session.trouble(f"no tags on {name!a} version {number}: {error}") from None


@contextmanager
def _refusals(ref: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise InputError(f"{ref[:100]!a}: {error}") from None


def _find(session: Session, wanted: Reference) -> "Entry":
    client, name = session.client, wanted.name
    try:
        if wanted.alias:
            entry = session.call(lambda: client.get_model_version_by_alias(name, wanted.alias))
        else:
            entry = session.call(lambda: client.get_model_version(name, wanted.version))
    except AbsentError:
        raise InputError(f"MLflow has no {wanted}", hint=_nearby(session, wanted)) from None
    same = wanted.version in ("", str(entry.version))
    if entry.name != name or not same:
        raise InputError(f"MLflow answered with another version than {wanted}")
    if entry.status != "READY":
        status = str(entry.status)[:40]
        raise InputError(f"{wanted} is not ready: {status!a}", hint="register it again, or wait")
    return entry


def _nearby(session: Session, wanted: Reference) -> str | None:
    client, name = session.client, wanted.name
    with suppress(AbsentError, RemoteError, InputError):
        try:
            model = session.call(lambda: client.get_registered_model(name))
        except AbsentError:
            models = session.call(lambda: client.search_registered_models(max_results=500))
            names = [model.name for model in models]
            return f"models: {_shown(get_close_matches(name, names, 5, 0.4) or names)}"
        if wanted.alias:
            return f"aliases: {_shown(sorted(model.aliases))}"
        versions = session.call(
            lambda: client.search_model_versions(
                f'name="{name}"', max_results=5, order_by=["version_number DESC"]
            )
        )
        return f"last versions: {_shown(str(version.version) for version in versions)}"
    return None


def _shown(names: Iterable[str]) -> str:
    """Print foreign names: few, short, ASCII."""
    return ", ".join(ascii(name[:60])[1:-1] for name in list(names)[:8]) or "none"


def _locate(session: Session, name: str, version: str) -> str:
    """Follow registry and run URIs to where the bytes lie."""
    uri: str | None = f"models:/{name}/{version}"
    where = ""
    try:
        for _ in range(_HOPS):
            if uri is None:
                return where
            where = uri
            uri = session.call(partial(_next_uri, session.client, where))
    except AbsentError as error:
        raise InputError(f"the artifacts of {name!a} version {version} are gone: {error}") from None
    raise InputError(f"{name!a} version {version} is a copy of copies, more than {_HOPS} deep")


def _next_uri(client: "MlflowClient", uri: str) -> str | None:
    if found := _VERSION_URI.fullmatch(uri):
        return str(client.get_model_version_download_uri(found[1], found[2]))
    if found := _MODEL_URI.fullmatch(uri):
        return str(client.get_logged_model(found[1]).artifact_location)
    if found := _RUN_URI.fullmatch(uri):
        return f"{client.get_run(found[1]).info.artifact_uri}/{found[2]}"
    return None


def _origin(session: Session, entry: "Entry") -> str:
    """Find the model id; a copy keeps it only in the version it was made from."""
    source = str(entry.source)
    with suppress(AbsentError):
        for _ in range(_HOPS):
            if found := _MODEL_URI.fullmatch(source):
                return found[1]
            if not (found := _VERSION_URI.fullmatch(source)):
                break
            ask = partial(session.client.get_model_version, found[1], found[2])
            source = str(session.call(ask).source)
    return ""


def _pin(
    entry: "Entry", wanted: Reference, uri: str, readings: tuple[Reading, ...], model_id: str
) -> ModelVersion:
    artifacts = [reading.artifact for reading in readings]
    return ModelVersion(
        registry_name=wanted.name,
        version=str(entry.version),
        model_id=model_id or _model_id(uri, readings),
        run_id=entry.run_id or "",
        created_ms=int(entry.creation_timestamp),
        uri=uri,
        digest=manifest_digest(artifacts),
        files=len(artifacts),
        size_bytes=sum(artifact.size_bytes for artifact in artifacts),
        asked=str(wanted),
        image=str(entry.tags.get(IMAGE_TAG, "")),
    )


def _model_id(uri: str, readings: tuple[Reading, ...]) -> str:
    if found := _MODEL_ID_IN_FOLDER.search(uri):
        return found[1]
    for reading in readings:
        if line := _MODEL_ID_IN_FILE.search(reading.head):
            return line[1].decode("ascii")
    return ""


def _check_tag(key: str, value: str) -> None:
    if key not in RESULT_TAGS:
        raise ValueError(f"{key!a} is not one of {', '.join(RESULT_TAGS)}")
    if not value.isprintable() or not 0 < len(value) <= _LONGEST_TAG:
        raise ValueError(f"the value of {key} is not one printable line")
