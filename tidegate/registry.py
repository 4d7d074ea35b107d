"""What a person names in the registry, resolved once however often the intent is tried."""

import click

from generator.errors import InputError
from generator.model.release import ModelVersion
from generator.repository import Repository

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
            uri = self._uri or config.registry
            if not uri:
                hint = "set registry.uri in tidegate.yaml, or give --registry URI"
                raise InputError("no model registry is named", hint=hint)
            click.echo(f"resolving {name}{self._rest}, hashing its artifacts", err=True)
            registry = Registry(uri, config.artifacts)
            self._version = registry.resolve(f"{name}{self._rest}")
        return self._version
