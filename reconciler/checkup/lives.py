"""One Argo CD object as the API server gives it, kept as far as doctor asks about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SKIP = "argocd.argoproj.io/skip-reconcile"
ENVIRONMENT = "tidegate.dev/environment"
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Live:
    """One Application.

    Attributes:
        name: Its name.
        environment: Value of our label, "" where it has none.
        project: Its AppProject.
        cluster: Name of its destination.
        policy: `spec.syncPolicy`.
        is_ignoring: It is told not to see some differences.
        is_skipped: It is told not to be reconciled at all.
        is_deleting: Somebody has deleted it, and it is not gone.
        by_hand: Who started the sync that runs or waits; "" for Argo CD, tidegate, or none.
        running_since: Start of the sync that runs; None where none does.
        sync: Synced, OutOfSync, Unknown or "".
        conditions: Type and message of its error conditions.
    """

    name: str
    environment: str = ""
    project: str = ""
    cluster: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    is_ignoring: bool = False
    is_skipped: bool = False
    is_deleting: bool = False
    by_hand: str = ""
    running_since: datetime | None = None
    sync: str = ""
    conditions: tuple[tuple[str, str], ...] = ()


def read_live(data: Mapping[str, Any]) -> Live:
    """Keep what counts; what is missing or of another type reads as not there."""
    metadata, spec, status = (mapping(data, key) for key in ("metadata", "spec", "status"))
    state = mapping(status, "operationState")
    is_running = state.get("phase") in ("Running", "Terminating")
    asked = mapping(data, "operation") or (mapping(state, "operation") if is_running else {})
    return Live(
        name=text(metadata, "name"),
        environment=text(mapping(metadata, "labels"), ENVIRONMENT),
        project=text(spec, "project"),
        cluster=text(mapping(spec, "destination"), "name"),
        policy=mapping(spec, "syncPolicy"),
        is_ignoring=bool(spec.get("ignoreDifferences")),
        is_skipped=text(mapping(metadata, "annotations"), SKIP) == "true",
        is_deleting=bool(metadata.get("deletionTimestamp")),
        by_hand=_by_hand(asked),
        running_since=_time(text(state, "startedAt")) if is_running else None,
        sync=text(mapping(status, "sync"), "status"),
        conditions=errors(status.get("conditions")),
    )


def _by_hand(operation: Mapping[str, Any]) -> str:
    who = mapping(operation, "initiatedBy")
    if not operation or who.get("automated") is True:
        return ""
    name = text(who, "username") or "somebody"
    return "" if name == "tidegate" else name


def errors(conditions: object) -> tuple[tuple[str, str], ...]:
    """List type and message of the conditions that name an error."""
    listed: Sequence[Any] = conditions if isinstance(conditions, list) else ()
    found = [one for one in listed if isinstance(one, Mapping)]
    return tuple(
        (text(one, "type"), text(one, "message")[:LONGEST])
        for one in found
        if text(one, "type").endswith("Error")
    )


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give the mapping under a key; an empty one where there is none."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def text(data: Mapping[str, Any], key: str) -> str:
    """Give the text under a key; "" where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _time(written: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
