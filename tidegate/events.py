"""What the CI of a forge tells of the pull request that it runs for, from the environment only."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from generator.errors import InputError

if TYPE_CHECKING:
    from generator.gate.origin import Origin

T = TypeVar("T")
_EVENT = "GITHUB_EVENT_PATH"  # of Gitea and Forgejo, too
_GITLAB = (
    "CI_COMMIT_SHA",
    "CI_MERGE_REQUEST_IID",
    "CI_MERGE_REQUEST_PROJECT_PATH",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
)
_MOST_BYTES = 32 * 1024 * 1024


def with_origin(verb: Callable[..., T]) -> Callable[..., T]:
    """Give a verb `origin`, a function that says where the pull request comes from."""

    @functools.wraps(verb)
    def run(**told: Any) -> T:  # noqa: ANN401 (click's words)
        words = {name: told.pop(name.lower()) for name in (_EVENT, *_GITLAB)}
        return verb(origin=functools.partial(_origin, words), **told)

    for name in (_EVENT, *_GITLAB):
        option = f"--{name.lower().replace('_', '-')}"
        run = click.option(
            option,
            name.lower(),
            envvar=name,
            default="",
            hidden=True,
            help=f"Read from {name}.",
        )(run)
    return run


def _origin(words: dict[str, str]) -> "Origin":
    from generator.gate.origin import Origin, read_event, read_variables

    file = words[_EVENT]
    if words["CI_MERGE_REQUEST_IID"]:
        return read_variables(words)
    if not file:
        return Origin()
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_MOST_BYTES)
    except OSError as error:
        raise InputError("the event cannot be read", file=file) from error
    return read_event(data)
