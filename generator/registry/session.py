"""One call to MLflow: import, bounds, threads, and the translation of what it raises."""

import importlib
import importlib.util
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from generator.errors import InputError, RemoteError
from generator.model.location import mask
from generator.registry.files import Limits, Meter

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

_POLL_S = 0.02
_SECRETS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")
# The SDK's own bounds are 8 attempts of 120 s each; a person may widen ours.
_BOUNDS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
# A Retry-After header may name hours; a presigned URL names a host that nobody allowed.
_RULES = {
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


_REFUSED = {
    401: "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    403: "this user may not do that, or the server's --allowed-hosts does not name it",
}


class AbsentError(Exception):
    """The registry answered that it does not hold this, or does not take it (404, 400)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One call of ours: the client, what may still be spent, the translation of errors."""

    uri: str
    meter: Meter
    client: "MlflowClient"

    def call(self, work: Callable[[], T], watch: Callable[[], None] | None = None) -> T:
        """Run a foreign call within the time that is left; `watch` runs meanwhile.

        Raises:
            AbsentError: The registry does not hold what was asked for.
            InputError: It refuses us, or a package is missing.
            RemoteError: It did not answer, or not in time.
        """
        return _call(self.uri, self.meter, work, watch)

    def trouble(self, message: str) -> RemoteError:
        """Name the registry as what is in trouble."""
        return RemoteError("MLflow", message, endpoint=mask(self.uri))


def has_credentials() -> bool:
    """Say whether the SDK would send credentials of the environment to a server."""
    return any(os.environ.get(name) for name in _SECRETS)  # noqa: TID251 - the SDK reads them there


def load_mlflow(*, full: bool = False) -> None:
    """Import the SDK with our bounds in place, silently.

    Args:
        full: Also what opens a store directly.

    Raises:
        InputError: It is not installed.
    """
    for name, value in _BOUNDS.items():
        os.environ.setdefault(name, value)  # noqa: TID251 - the SDK takes it from there only
    os.environ.update(_RULES)  # noqa: TID251 - the SDK takes it from there only
    packages = ("mlflow", "sqlalchemy", "alembic") if full else ("mlflow",)
    for package in packages:
        if importlib.util.find_spec(package) is None:
            extra = "demo" if full else "mlflow"
            raise InputError(
                f"the MLflow client is not installed: {package} is missing",
                hint=f"install tidegate[{extra}]",
            )
    with quiet():
        importlib.import_module("mlflow")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the SDK's log lines, warnings and migration chatter off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def open_session(uri: str, limits: Limits) -> Session:
    """Open a store or a server, and start the clock of the limits.

    Raises:
        InputError: The URI, the store's file or the installation is unusable.
        RemoteError: MLflow did not answer in time.
    """
    scheme = _scheme(uri)
    if scheme not in ("sqlite", "http", "https"):
        raise InputError(f"registry scheme {scheme[:20]!a}: write sqlite:///PATH, http or https")
    if scheme == "sqlite":
        _check_store(store_file(uri))
    load_mlflow(full=scheme == "sqlite")
    from mlflow import MlflowClient

    meter = Meter(limits)
    return Session(uri, meter, _call(uri, meter, lambda: MlflowClient(uri, uri)))


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme
    except ValueError as error:
        raise InputError(f"the registry's URI is not one: {error}") from None


def store_file(uri: str) -> Path:
    """Give the file of a `sqlite:` store.

    Raises:
        InputError: The URI names none.
    """
    if not re.fullmatch(r"sqlite:///[^%?#]+", uri):
        raise InputError(f"registry {mask(uri)[:200]!a}: write sqlite:///PATH without %, ? and #")
    return Path(uri.removeprefix("sqlite:///"))


def _check_store(file: Path) -> None:
    # The SDK would make a new store out of an absent or empty file, and retry others for 100 s.
    try:
        with file.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise InputError(f"no MLflow store at {str(file)!a}: {error.strerror}") from None
    if head != b"SQLite format 3\x00":
        raise InputError(f"{str(file)!a} is not an SQLite file")


def _call(
    uri: str, meter: Meter, work: Callable[[], T], watch: Callable[[], None] | None = None
) -> T:
    """Run a foreign call in a thread that may be left behind; translate what it raises."""
    answer: Future[T] = Future()
    Thread(target=_run, args=(work, answer), daemon=True).start()
    while not wait([answer], _POLL_S if watch else meter.left_s()).done:
        meter.left_s()
        if watch:
            watch()
    try:
        return answer.result()
    except Exception as error:  # noqa: BLE001 - an SDK and its plug-ins raise anything
        raise _translated(uri, error) from None


def _run(work: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(work())
    except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
        answer.set_exception(error)


def _translated(uri: str, error: Exception) -> Exception:
    text = _cause(error) or _clean(uri, str(error))
    match error, _status(error):
        case ImportError(), _:
            return InputError(f"the artifact store needs another package: {text}")
        case _, 400 | 404:
            return AbsentError(text)
        case _, 401 | 403 as status:
            return InputError(f"MLflow at {mask(uri)} refuses: {text}", hint=_REFUSED[status])
        case _:
            return RemoteError("MLflow", text, endpoint=mask(uri))


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    if response is not None:
        return getattr(response, "status_code", None)
    code = getattr(error, "get_http_status_code", None)
    return code() if code else None


def _cause(error: BaseException | None) -> str:
    """Give the operating system's words, which the SDK buries under four exceptions."""
    words = ""
    for _ in range(20):
        if error is None:
            break
        late = "timed out" if isinstance(error, TimeoutError) else words
        words = getattr(error, "strerror", None) or late
        error = error.__cause__ or error.__context__
    return words


def _clean(uri: str, text: str) -> str:
    """Keep one short line of foreign text without credentials."""
    text = mask(text.strip().splitlines()[0] if text.strip() else "no reason given")
    secrets = [os.environ.get(name) for name in _SECRETS]  # noqa: TID251 - only to hide them
    for secret in (*secrets, urlsplit(uri).password):
        text = text.replace(secret, "***") if secret else text
    return ascii(text[:300])[1:-1]
