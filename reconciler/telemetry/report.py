"""All that the reconciler says of one state of affairs, as a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from generator.errors import InputError
from generator.expand import assign
from generator.model.environment import Kind
from generator.repository import Repository
from reconciler.telemetry.counts import Counts, Outcome
from reconciler.tick import Pass

Line = tuple[str, str]  # environment, model
Desired = Mapping[Line, Mapping[str, str]]  # site to release
Applied = Mapping[tuple[str, str, str], str]  # environment, model, site to release


@dataclass(frozen=True, slots=True)
class Report:
    """All that is said.

    Attributes:
        started: When the process began.
        counts: What it has counted.
        ticks: Environment to the end of its last whole tick.
        passes: What the last pass came to, one per rollout.
        desired: What Git wants.
        applied: What Argo CD has applied, where that is known.
    """

    started: datetime
    counts: Counts = field(default_factory=Counts)
    ticks: Mapping[str, datetime] = field(default_factory=dict)
    passes: tuple[Pass, ...] = ()
    desired: Desired = field(default_factory=dict)
    applied: Applied = field(default_factory=dict)


def ticks(
    before: Mapping[str, datetime],
    environments: Iterable[str],
    done: Sequence[Outcome],
    now: datetime,
) -> Mapping[str, datetime]:
    """Say when the last whole tick of every environment ended.

    A tick in which a bug kept one rollout from being looked at was not whole.

    Args:
        before: What was said after the last pass.
        environments: Those that are there now.
        done: What became of each rollout.
        now: When the pass ended, UTC.
    """
    broken = {one.passed.environment for one in done if one.bug is not None}
    ended = {name: before.get(name) if name in broken else now for name in environments}
    return {name: end for name, end in ended.items() if end is not None}


def desired(repository: Repository) -> Desired:
    """Say which release Git wants on every site; a rollout that cannot be read is left out."""
    return {line: found for line in repository.rollouts() if (found := _desired(repository, *line))}


def _desired(repository: Repository, environment: str, model: str) -> Mapping[str, str]:
    try:
        rollout = repository.rollout(environment, model)
        if repository.environment(environment).kind is Kind.CLOUD:
            rollout = replace(rollout, canary="")  # its sites hold both, and split the traffic
        return assign(repository, rollout)
    except InputError:
        return {}
