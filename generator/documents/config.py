"""`tidegate.yaml`, `rejected.yaml` and `environments/<env>/environment.yaml`."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from generator.documents.reading import Document, Fields, whole
from generator.documents.rollout import choice
from generator.model.approval import Approval, check_account, check_path
from generator.model.config import Config, Rejection, Waiver
from generator.model.environment import Delivery, Environment, Kind
from generator.model.forge import KINDS, NO_FORGE, PUBLIC, ForgePlace
from generator.model.names import check_name
from generator.model.site import check_column
from generator.model.spans import parse_span
from generator.model.window import DenyWindow, Schedule, check_zone
from generator.yamltext import dump

_KIND = re.compile(r"(?:[a-z0-9]+(?:[.-][a-z0-9]+)*/)?[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_REJECTION = {
    "modelDigest": "model_digest",
    "configDigest": "config_digest",
    "imageDigest": "image_digest",
    "release": "release",
    "model": "model",
    "environment": "environment",
    "rollout": "rollout",
    "reason": "reason",
    "evidence": "evidence",
    "at": "at",
}


def read_config(file: str, data: bytes) -> Config:
    """Read `tidegate.yaml`.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Repository")
    registry, images = top.mapping("registry"), top.mapping("images")
    artifacts = top.mapping("artifacts")
    build = partial(
        Config,
        branch=top.value("branch", _branch, "main"),
        remote=top.value("remote", check_url, ""),
        forge=_forge(top),
        registry=registry.value("uri", check_url, ""),
        images=images.texts("allow", str),
        artifacts=artifacts.texts("allow", str),
        waivers=tuple(_waivers(top)),
        approvals=tuple(_approvals(top)),
    )
    for fields in (registry, images, artifacts, top):
        fields.close()
    return document.finish(build)


def _forge(top: Fields) -> ForgePlace:
    if not top.is_mapping("forge"):
        top.value("forge", _no_forge, "none")
        return NO_FORGE
    fields = top.mapping("forge")
    kind = fields.value("kind", _kind_of_forge, "none", required=True)
    url = fields.value("url", check_url, PUBLIC.get(kind, ""))
    project = fields.value("project", str, "", required=kind != "none")
    fields.close()
    try:
        return ForgePlace(kind, url, project)
    except ValueError as error:
        if project:
            top.report(str(error), "forge")
        return NO_FORGE


def _approvals(top: Fields) -> Iterable[Approval]:
    if top.is_mapping("approvals"):  # as blueprints wrote it while it meant nothing
        for name, _ in top.entries("approvals"):
            hint = "write - {environment: edge-k3s, count: 1, of: [ada]}"
            top.report(f"approvals is a list, without {name!r} as a key", "approvals", hint)
        return
    for row in top.mappings("approvals"):
        build = partial(
            Approval,
            row.value("environment", lambda text: check_name("environment", text), ""),
            row.value("path", check_path, ""),
            row.number("count", whole, 1),
            row.texts("of", check_account),
        )
        row.close()
        try:
            yield build()
        except ValueError as error:
            row.report(str(error))


def _waivers(top: Fields) -> Iterable[Waiver]:
    for row in top.mappings("waivers"):
        yield Waiver(
            row.value("rule", str, "", required=True),
            row.value("reason", _not_empty, "", required=True),
            row.value("until", read_time, datetime.max.replace(tzinfo=UTC), required=True),
        )
        row.close()


def read_environment(file: str, data: bytes, name: str) -> Environment:
    """Read `environments/<env>/environment.yaml`.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Environment")
    top.constant("name", name)
    kind = top.value("type", choice(Kind), Kind.EDGE, required=True)
    build = partial(
        Environment,
        name=name,
        kind=kind,
        kubernetes=top.value("kubernetes", _kubernetes, "1.36"),
        delivery=top.value("delivery", choice(Delivery), Delivery.ARGOCD),
        namespace=top.value("namespace", lambda text: check_name("namespace", text), "models"),
        prometheus=top.value("prometheus", check_url, ""),
        interval=top.value("interval", parse_span, Environment("x", kind).interval),
        history=top.value("history", parse_span, timedelta(hours=24)),
        offline_budget=top.value("offlineBudget", parse_span, timedelta(hours=24)),
        adopt_within=top.value("adoptWithin", parse_span, timedelta(hours=1)),
        strata=top.texts("strata", check_column) if top.has("strata") else ("region", "hardware"),
        settings=top.texts("settings", _setting),
        requires=top.texts("requires", lambda text: check_name("environment", text)),
        kinds=top.texts("kinds", _kind),
    )
    build = partial(build, deny_windows=tuple(_windows(top)))
    top.close()
    return document.finish(build)


def _windows(top: Fields) -> Iterable[DenyWindow]:
    for row in top.mappings("denyWindows"):
        schedule = row.value("schedule", Schedule.parse, None, required=True)
        duration = row.value("duration", parse_span, timedelta(0), required=True)
        zone = row.value("timeZone", check_zone, "UTC")
        row.close()
        try:
            if schedule is not None and duration:
                yield DenyWindow(schedule, duration, zone)
        except ValueError as error:
            row.report(str(error), "duration")


def read_rejected(file: str, data: bytes) -> tuple[Rejection, ...]:
    """Read the ledger.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("RejectedReleases")
    found = []
    for row in top.mappings("rejected"):
        values = {name: row.value(key, str, "", required=True) for key, name in _REJECTION.items()}
        row.close()
        found.append(values)
    top.close()
    return document.finish(lambda: tuple(Rejection(**values) for values in found))


def write_rejected(rejections: Iterable[Rejection]) -> bytes:
    """Write the ledger in the order given."""
    rows = [{key: getattr(one, name) for key, name in _REJECTION.items()} for one in rejections]
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "RejectedReleases",
            "rejected": rows,
        }
    )


def check_url(text: str) -> str:
    """Give a URL back when it is printable, bounded and free of credentials.

    Raises:
        ValueError: It is not.
    """
    if not text:
        return text
    if len(text) > 1024 or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a URL has at most 1024 printable ASCII characters and no space")
    if text.startswith("-") or "::" in text:
        raise ValueError(f"{text!r} is not a URL")
    parts = urlsplit(text)
    if parts.password or ("@" in parts.netloc and parts.scheme in ("http", "https")):
        raise ValueError("a URL in Git must not hold credentials")
    return text


def read_time(text: str) -> datetime:
    """Read an RFC 3339 time.

    Raises:
        ValueError: It is not one, or it has no zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2026-11-20T08:05:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z")
    return time.astimezone(UTC)


def write_time(time: datetime) -> str:
    """Write UTC to the second, as `2026-11-20T08:05:00Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _branch(text: str) -> str:
    parts = text.split("/")
    safe = all(part and part[0].isalnum() and ".." not in part for part in parts)
    allowed = text.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    if not safe or not allowed.isalnum() or not text.isascii() or text.endswith(".lock"):
        raise ValueError(f"{text!r} is not a branch name")
    return text


def _no_forge(text: str) -> str:
    if _kind_of_forge(text) != "none":
        raise ValueError(f"write it as {{kind: {text}, project: OWNER/NAME}}")
    return text


def _kind_of_forge(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"{text!r} is none of {', '.join(KINDS)}")
    return text


def _kubernetes(text: str) -> str:
    major, _, minor = text.partition(".")
    if not (major == "1" and minor.isdigit()):
        raise ValueError(f'{text!r} is not a Kubernetes version such as "1.36"')
    return text


def _setting(text: str) -> str:
    # It becomes the annotation tidegate.dev/setting-<column>; Kubernetes takes 63 characters.
    if len(check_column(text)) > 55 or not text[-1].isalnum():
        raise ValueError(f"{text!r} cannot be a setting: at most 55 characters, no sign at the end")
    return text


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ValueError(f"{text!r} is not a kind such as batch/CronJob")
    if text in ("Secret", "argoproj.io/Application", "argoproj.io/AppProject"):
        raise ValueError(f"a release never brings the kind {text}")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text
