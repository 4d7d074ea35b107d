"""One Argo CD Application, as far as anybody here needs to know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from generator.model.names import check_release

REFRESH = "argocd.argoproj.io/refresh"
MOST_MARKS = 100
LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Operation:
    """The sync that runs, or the last one.

    Attributes:
        phase: Running, Terminating, Succeeded, Failed or Error.
        revision: Commit that it applies, "" where it does not say.
        retries: How often it was tried again.
        started: UTC; None where it does not say.
        finished: UTC; None while it runs.
        message: What it says about itself, one line.
    """

    phase: str
    revision: str = ""
    retries: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    message: str = ""

    @property
    def is_running(self) -> bool:
        """Say whether it has not ended yet."""
        return self.phase in ("Running", "Terminating")


@dataclass(frozen=True, slots=True)
class Application:
    """One Application.

    Attributes:
        name: Its name.
        sync: Synced, OutOfSync or Unknown; "" before the first comparison.
        health: Healthy, Progressing, Degraded, Suspended, Missing or Unknown; "" likewise.
        revision: Commit of the last comparison.
        marks: Release ids that the live pods and their owners carry.
        operation: The sync that runs, or the last one; None before the first.
        is_asked: A refresh or an operation is waiting to be picked up.
        troubles: Types of its error conditions.
        version: Differs whenever it was written to; "" where it does not say.
    """

    name: str
    sync: str = ""
    health: str = ""
    revision: str = ""
    marks: frozenset[str] = frozenset()
    operation: Operation | None = None
    is_asked: bool = False
    troubles: tuple[str, ...] = ()
    version: str = ""


def read_application(data: Mapping[str, Any]) -> Application:
    """Keep what counts of an Application as the API server gives it.

    What is missing or of another type reads as not known; the object is foreign text.
    """
    metadata, status = _map(data, "metadata"), _map(data, "status")
    state = _map(status, "operationState")
    return Application(
        name=_text(metadata, "name"),
        sync=_text(_map(status, "sync"), "status"),
        health=_text(_map(status, "health"), "status"),
        revision=_text(_map(status, "sync"), "revision"),
        marks=_marks(_map(status, "summary").get("externalURLs")),
        operation=_operation(state) if state else None,
        is_asked=REFRESH in _map(metadata, "annotations") or bool(_map(data, "operation")),
        troubles=_troubles(status.get("conditions")),
        version=_text(metadata, "resourceVersion"),
    )


def _operation(state: Mapping[str, Any]) -> Operation:
    asked = _text(_map(_map(state, "operation"), "sync"), "revision")
    retries = state.get("retryCount")
    return Operation(
        phase=_text(state, "phase"),
        revision=_text(_map(state, "syncResult"), "revision") or asked,
        retries=retries if isinstance(retries, int) else 0,
        started=_time(_text(state, "startedAt")),
        finished=_time(_text(state, "finishedAt")),
        message=_line(_text(state, "message")),
    )


def _marks(urls: object) -> frozenset[str]:
    """Find the release marks among the external URLs: their last part is a release id."""
    found: set[str] = set()
    for url in urls[:MOST_MARKS] if isinstance(urls, list) else ():
        try:
            found.add(check_release(str(url).rpartition("/")[2]))
        except ValueError:
            continue
    return frozenset(found)


def _troubles(conditions: object) -> tuple[str, ...]:
    listed = conditions if isinstance(conditions, list) else []
    types = (_text(one, "type") for one in listed if isinstance(one, Mapping))
    return tuple(sorted({one for one in types if one.endswith("Error")}))


def _map(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:LONGEST_MESSAGE]


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
