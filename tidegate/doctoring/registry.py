"""Look at the model registry, where that sends no credentials to an unknown place."""

from collections.abc import Iterable, Iterator
from functools import partial
from urllib.parse import urlsplit

from generator import layout
from generator.errors import RemoteError
from generator.http import Http, Limits
from generator.model.location import mask
from generator.registry import Limits as Most
from generator.registry import Registry, has_credentials
from reconciler.checkup import Finding, unknown
from reconciler.checkup.registry import clear, is_to_ask, model, named, untrusted
from reconciler.checkup.versions import version
from tidegate.doctoring.fleet import Fleet
from tidegate.doctoring.running import Area, Step

SECONDS = 20.0


def registry(fleet: Fleet, told: str) -> Area:
    """List the checks.

    Args:
        fleet: What Git says.
        told: The registry that a person named, "" for that of Git.
    """
    uri = told or fleet.config.registry
    where, secret = mask(uri), has_credentials()
    steps = [Step("registry.named", where, lambda: named(uri))]
    if uri and not is_to_ask(uri, bool(told), secret):
        steps.append(Step("registry.answers", where, lambda: [untrusted(where)]))
    elif uri:
        steps.append(
            Step("registry.plain", where, lambda: clear(where, uri, has_credentials=secret))
        )
        steps += [
            Step("registry.model", where, partial(_model, uri, name, listed))
            for name, listed in sorted(fleet.names.items())
        ]
        steps.append(Step("registry.version", where, lambda: _version(uri)))
    return Area("registry", steps)


def _model(uri: str, name: str, listed: str) -> Iterable[Finding]:
    found = Registry(uri, (), Most(seconds=SECONDS)).aliases(listed)
    return (model(mask(uri), listed, found, layout.model(name)),)


def _version(uri: str) -> Iterator[Finding]:
    """Ask for the version, without credentials: every server tells it."""
    check, where = "registry.version", mask(uri)
    if urlsplit(uri).scheme not in ("http", "https"):
        yield unknown(check, where, "MLflow: a store without a server has no version")
        return
    parts = urlsplit(uri)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    limits = Limits(total_s=SECONDS, body_bytes=10_000, attempts=1)
    try:
        with Http("MLflow", bare, jitter=lambda: 0.0, limits=limits) as door:
            reply = door.get("/version")
    except RemoteError as error:
        yield unknown(check, where, f"MLflow: {error}")
        return
    said = reply.body.decode("utf-8", "replace").strip() if reply.is_ok else ""
    yield from version(check, where, "MLflow", said[:40])
