"""What a person names in the registry, resolved once however often the intent is tried."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from generator.errors import InputError, RemoteError
from generator.model.config import Config
from generator.model.release import ModelVersion, Release
from generator.repository import Repository

Measured = Mapping[str, float]
WAY = "MODEL@ALIAS or MODEL/NUMBER, such as defect-detector@champion"


class Resolver:
    """One `MODEL@ALIAS` or `MODEL/NUMBER`."""

    def __init__(self, text: str, uri: str) -> None:
        """Split what was typed.

        Raises:
            InputError: It is neither form.
        """
        separator = "@" if "@" in text else "/"
        self.model, found, rest = text.partition(separator)
        if not (self.model and found and rest):
            raise InputError(f"{text!r}: name a version as {WAY}")
        self._rest = separator + rest
        self._uri = uri
        self._version: ModelVersion | None = None

    def resolve(self, repository: Repository) -> ModelVersion:
        """Ask the registry, the first time.

        Raises:
            InputError: The model or version is not known, or its artifacts are not allowed.
            RemoteError: The registry does not answer.
        """
        if self._version is None:
            from generator.registry import Registry

            config = repository.config()
            name = repository.model(self.model).registry_name
            uri = named(self._uri or config.registry)
            click.echo(f"resolving {name}{self._rest}, hashing its artifacts", err=True)
            try:
                self._version = Registry(uri, config.artifacts).resolve(f"{name}{self._rest}")
            except RemoteError as error:
                hint = "nothing was changed: look at that server, or name another with --registry"
                error.args = (f"{error}; {hint}",)
                raise
        return self._version


def measured(config: Config, uri: str, releases: Iterable[Release | None]) -> list[Measured]:
    """Ask what the training runs of releases measured; where nobody knows, nothing is said.

    Args:
        config: Names the registry.
        uri: Another one, or "".
        releases: Whose runs.
    """
    from generator.registry import Registry

    registry = Registry(named(uri or config.registry), ())
    found: list[Measured] = []
    for release in releases:
        run = release.version.run_id if release else ""
        try:
            found.append(registry.metrics(run) if run else {})
        except (InputError, RemoteError) as error:
            click.echo(f"the metrics of {release.short if release else run}: {error}", err=True)
            found.append({})
    return found


def moved_aliases(repository: Repository, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say of each row of `tidegate status` whether its alias means another version by now.

    Args:
        repository: What stands in Git.
        rows: As `statuses` gives them.

    Returns:
        One sentence a row, "" where nothing is to be said.

    Raises:
        InputError: No registry is named, or it is unusable.
    """
    from generator.registry import Registry

    registry = Registry(named(repository.config().registry), ())
    return [_moved(repository, row, registry.look_up) for row in rows]


def _moved(repository: Repository, row: Mapping[str, Any], look_up: Callable[[str], str]) -> str:
    running = row.get("canary") or row.get("stable")
    if not running:
        return ""
    try:
        pinned = repository.release(row["environment"], row["model"], running).version
        now = look_up(pinned.asked) if "@" in pinned.asked else pinned.version
    except (InputError, RemoteError) as error:
        return f"whether the alias of {running} has moved on is not known: {error}"
    if now == pinned.version:
        return ""
    return f"{pinned.asked} has moved on to version {now}; {running} keeps version {pinned.version}"


def named(uri: str) -> str:
    """Give the address of the registry.

    Raises:
        InputError: There is none.
    """
    if not uri:
        hint = "set registry.uri in tidegate.yaml, or give --registry URI"
        raise InputError("no model registry is named", hint=hint)
    return uri
