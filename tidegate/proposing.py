"""A promotion as a pull request: a branch, its text, and an end for those it replaces.

The checkout is not touched: everything is computed on the branch of the remote, so that what is
reviewed is what would be merged. Every step looks first at what is there, so that the command can
be repeated after any failure: the branch is pushed once, the pull request is opened once.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from generator.errors import InputError
from generator.forge import Secrets
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.offering import offer
from generator.intents.words import Asked
from generator.model.pull import PullRequest
from generator.model.rollout import OnNewVersion
from generator.repository import Repository
from generator.telling.promotion import (
    Metrics,
    Promotion,
    prefix,
    promotion,
    proposal,
    superseded,
)
from tidegate.forges import opened
from tidegate.place import Intent, Place
from tidegate.registry import measured

if TYPE_CHECKING:
    from generator.forge.door import Door

SUPERSEDED = "superseded"
Ask = Callable[[Repository, Repository], Metrics]
Unless = Callable[["Door", Promotion, str], str]


def propose(
    where: Place,
    intent: Intent,
    line: tuple[str, str],
    secrets: Secrets,
    ask: Ask,
    unless: Unless | None = None,
) -> str | None:
    """Open the pull request of a promotion, or bring the open one up to date.

    Args:
        where: Checkout or remote.
        intent: Computes the promotion.
        line: Environment and model.
        secrets: For the forge.
        ask: Gives the training metrics, from the repository before and after.
        unless: Says of a promotion that nobody has opened why nobody shall; "" lets it be opened.

    Returns:
        The address of the pull request, or None when there was nothing to do.

    Raises:
        ConflictError: Somebody else pushed to the branch of the promotion meanwhile.
        InputError: It is refused: by a rule, by the forge, or by the remote.
        RemoteError: Something does not answer; doing it again goes on from here.
    """
    place = replace(where, repo=where.repo or remote_of(where))
    bare = place.open()
    assert isinstance(bare, Bare)  # noqa: S101 (a place with a remote)
    person = place.person or where.open().person()
    before = place.repository(bare.fetch())
    asked = Asked(str(person), place.reason)
    change = intent(before, asked)
    if change is None:
        click.echo("nothing to do: that is how it stands already", err=True)
        return None
    one = promotion(before, change, *line, asked)
    with opened(before.config().forge, secrets) as door:
        waiting = door.open_under(prefix(*line))
        others = [each for each in waiting if each.branch != one.branch]
        standing = [each for each in waiting if each.branch == one.branch]
        if unless and not standing and unless(door, one, bare.branch):
            return None
        _refuse_second(one, others)
        offered = offer(bare, change, person, place.now, one.branch)
        if standing and not offered.is_ours:
            # What is said must be what would be merged.
            click.echo("people have added to its branch: branch and text are left alone", err=True)
            pull = standing[0]
        else:
            told = replace(one, metrics=ask(before, one.after))
            pull = door.ensure(proposal(told, bare.branch))
        for other in others:
            door.close(other, SUPERSEDED, superseded(pull.url))
            click.echo(f"closed {other.url}: superseded", err=True)
    click.echo(f"{pull.url} {pull.title}")
    return pull.url


def training(registry: str, environment: str, model: str) -> Ask:
    """Ask the registry what the training runs of canary and stable measured."""

    def ask(before: Repository, after: Repository) -> Metrics:
        names = after.rollout(environment, model), before.rollout(environment, model)
        entering = names[0].canary or names[0].stable
        known = after.release(environment, model, entering)
        stable = names[1].stable
        running = before.release(environment, model, stable) if stable else None
        return Metrics(*measured(before.config(), registry, (known, running)))

    return ask


def remote_of(where: Place) -> str:
    """Give the URL of the remote that a checkout pushes to."""
    checkout = where.open()
    assert isinstance(checkout, Checkout)  # noqa: S101 (a place without a remote)
    return checkout.remote()


def _refuse_second(one: Promotion, others: list[PullRequest]) -> None:
    """Let one promotion at a time wait for its approval, by the rule of the rollout file."""
    rule = one.before.rollout(one.environment, one.model).on_new_version
    if not others or rule is OnNewVersion.SUPERSEDE:
        return
    raise InputError(
        f"another promotion of {one.model} into {one.environment} waits: {others[0].url}",
        hint="merge or close it first, or set onNewVersion: supersede",
    )
