"""Every rollout line of a repository, what needs a person first; what cannot be read is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from generator.errors import InputError
from generator.repository import Repository
from tidegate.pages.gather import gather
from tidegate.pages.story import Story

MOST_CLIMBS = 6
MOST_LINES = 24

Key = tuple[str, str]
"""(environment, model)."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A line whose files cannot be read: what is wrong, and where."""

    environment: str
    model: str
    trouble: str


Told = Story | Unread


@dataclass(frozen=True, slots=True)
class Survey:
    """All lines that a page is about.

    Attributes:
        told: In the order of the board: by model, then the way a release goes.
        requires: Environments that must have completed a model before each environment.
        head: The commit that was read.
        now: Up to here rollouts under way are drawn, UTC; None without a line.
    """

    told: tuple[Told, ...]
    requires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    head: str = ""
    now: datetime | None = None


def survey(
    repository: Repository,
    now: datetime,
    wanted: Callable[[Key], bool] = lambda _: True,
    most: int = MOST_CLIMBS,
) -> Survey:
    """Read every line.

    Args:
        repository: A commit of the generated repository, with its history.
        now: UTC.
        wanted: Says which lines the page is about.
        most: Newest rollouts of each line to tell.
    """
    lines = [line for line in repository.rollouts() if wanted(line)]
    requires = _requires(repository, lines)
    ranks = {name: rank for rank, name in enumerate(in_order(requires))}
    lines.sort(key=lambda line: (line[1], ranks[line[0]]))
    told = tuple(_told(repository, line, now, most) for line in lines)
    return Survey(told, requires, repository.tree.commit, now)


def _told(repository: Repository, line: Key, now: datetime, most: int) -> Told:
    try:
        return gather(repository, *line, now=now, most=most)
    except InputError as error:
        return Unread(*line, str(error))


def _requires(repository: Repository, lines: Sequence[Key]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for environment in sorted({environment for environment, _ in lines}):
        try:
            found[environment] = repository.environment(environment).requires
        except InputError:
            found[environment] = ()
    return found


def in_order(requires: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Put environments after those that they require, by name where nothing says otherwise.

    A circle, which `verify` refuses, is cut at its first name.
    """
    found: list[str] = []
    left = sorted(requires)
    while left:
        free = (name for name in left if not set(requires[name]) & set(left) - {name})
        name = next(free, left[0])
        found.append(name)
        left.remove(name)
    return tuple(found)
