"""What a command may show to a forge: from the environment only, never from the command line."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from generator.errors import InputError

if TYPE_CHECKING:
    from generator.forge import Secrets
    from generator.forge.door import Door
    from generator.model.forge import ForgePlace

T = TypeVar("T")
_VARIABLES = {
    "forge_token": "TIDEGATE_FORGE_TOKEN",
    "forge_url": "TIDEGATE_FORGE_URL",
    "forge_app": "TIDEGATE_FORGE_APP",
    "forge_app_key": "TIDEGATE_FORGE_APP_KEY",
}


def _only_environment(context: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse a secret on the command line, where every user of the machine can read it."""
    name = option.name or ""
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"set {_VARIABLES[name]} in the environment instead")
    return value


def with_forge(verb: Callable[..., T]) -> Callable[..., T]:
    """Give a verb `secrets`, a function that reads them when they are needed."""

    @functools.wraps(verb)
    def run(**told: Any) -> T:  # noqa: ANN401 (click's words)
        words = {name: told.pop(name) for name in _VARIABLES}
        return verb(secrets=functools.partial(_secrets, words), **told)

    for name, variable in _VARIABLES.items():
        option = f"--{name.replace('_', '-')}"
        run = click.option(
            option,
            envvar=variable,
            default="",
            hidden=True,
            help=f"Read from {variable} only.",
            callback=_only_environment,
        )(run)
    return run


@contextmanager
def opened(place: "ForgePlace", secrets: "Secrets") -> "Iterator[Door]":
    """Open the forge that Git names, for as long as it is needed."""
    from generator.forge import connect

    clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 (the command line has the clock)
    door = connect(place, secrets, clock)
    try:
        yield door
    finally:
        door.hang_up()


def _secrets(words: dict[str, str]) -> "Secrets":
    from generator.forge import Secrets

    file = words["forge_app_key"]
    try:
        key = Path(file).read_text(encoding="ascii") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the App's key cannot be read", file=file) from error
    return Secrets(words["forge_url"], words["forge_token"], words["forge_app"], key)
