"""The model registry: who may be asked, and whether it holds what model.yaml names."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from generator import layout
from generator.lint.finding import few
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def named(uri: str) -> Iterator[Finding]:
    """Is a registry named, without credentials?"""
    check = "registry.named"
    if not uri:
        told = f"{layout.CONFIG} names no registry, so promote needs --registry each time"
        yield warned(check, layout.CONFIG, told, "write registry: {uri: https://...} there")
    elif "@" in urlsplit(uri).netloc:
        told = "the address of the registry in Git holds credentials"
        fix = "take them out, change them, and give them as MLFLOW_TRACKING_USERNAME, _PASSWORD"
        yield failed(check, layout.CONFIG, told, fix)


def is_to_ask(uri: str, trusted: bool, has_credentials: bool) -> bool:  # noqa: FBT001 (two facts)
    """Say whether asking sends no credentials to where only Git says they belong."""
    return trusted or not has_credentials or urlsplit(uri).scheme not in ("http", "https")


def untrusted(where: str) -> Finding:
    """Say that Git alone names the server that would get the credentials."""
    told = "MLFLOW_TRACKING_* is set, and only Git says that it belongs to this server: not asked"
    return unknown("registry.answers", where, told, f"if that is right: --registry {where}")


def clear(where: str, uri: str, *, has_credentials: bool) -> Iterator[Finding]:
    """Would credentials cross the network for everybody to read?"""
    parts = urlsplit(uri)
    if has_credentials and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        told = "credentials are sent to it without encryption"
        yield failed("registry.plain", where, told, "use https:// in registry: uri:")


def model(where: str, name: str, aliases: Mapping[str, str] | None, file: str) -> Finding:
    """Is a model of ours registered, and does an alias name a version?

    Args:
        where: The registry.
        name: Name in the registry.
        aliases: Version by alias; None where there is no such model.
        file: The model.yaml that names it.
    """
    check = "registry.model"
    if aliases is None:
        told = f"it has no model {name!r}, which {file} names"
        return failed(
            check, where, told, f"register it, or correct registry: {{name: ...}} in {file}"
        )
    if not aliases:
        told = f"no alias names a version of {name!r}"
        fix = f"set one, such as champion, or promote by number: tidegate promote {name}/NUMBER"
        return warned(check, where, told, fix)
    listed = few([f"{alias} = {number}" for alias, number in sorted(aliases.items())])
    return passed(check, where, f"{name}: {listed}")
