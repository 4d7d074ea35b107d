"""`tidegate promote`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from generator.changes import ChangeSet
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.repository import Repository
from tidegate.forges import with_forge
from tidegate.place import Intent, Place, changing
from tidegate.registry import Resolver

if TYPE_CHECKING:
    from generator.forge import Secrets


@click.command
@click.argument("version", metavar="MODEL@ALIAS|MODEL/NUMBER")
@click.option("--env", required=True, help="Environment that the version enters.")
@click.option("--baseline", is_flag=True, help="Put it on every site, without a rollout.")
@click.option("--registry", default="", metavar="URI", help="MLflow, if not that of tidegate.yaml.")
@click.option("--direct", is_flag=True, help="Commit at once, where a forge is named, too.")
@with_forge
@changing()
def promote(
    where: Place,
    *,
    version: str,
    env: str,
    baseline: bool,
    registry: str,
    direct: bool,
    secrets: "Callable[[], Secrets]",
) -> str | None:
    """Bring a model version into an environment: freeze it, draw the cohort, take step one.

    The alias is resolved and every artifact hashed once; from then on Git holds the version,
    the digest and the image, and a moved alias changes nothing. The first release of a model
    is a --baseline: it goes to every site at once.

    Where tidegate.yaml names a forge, this opens a pull request on the remote, or brings the open
    one up to date, and leaves the checkout alone. The token is read from TIDEGATE_FORGE_TOKEN
    (for an App of GitHub TIDEGATE_FORGE_APP and TIDEGATE_FORGE_APP_KEY, a file); for a forge of
    your own TIDEGATE_FORGE_URL says that the token is meant for it.

    \b
    tidegate promote defect-detector@champion --env edge-k3s --baseline --reason "first release"
    tidegate promote defect-detector@challenger --env edge-k3s --reason "finds hairline cracks"
    tidegate promote defect-detector/13 --env edge-k3s --branch promote-v13 --reason "for review"
    """
    resolver = Resolver(version, registry)
    start = intents.baseline if baseline else intents.promote

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        return start(have, env, resolver.model, resolver.resolve(have), asked)

    if direct or where.branch or not where.repository(where.tree()).config().forge.is_there:
        return _direct(where, intent, (env, resolver.model), is_rollout=not baseline)
    from tidegate.proposing import propose, training

    ask = training(registry, env, resolver.model)
    return propose(where, intent, (env, resolver.model), secrets(), ask)


def _direct(where: Place, intent: Intent, line: tuple[str, str], *, is_rollout: bool) -> str | None:
    """Commit at once, and say on one line what will happen."""
    ahead: list[str] = []

    def foreseen(have: Repository, asked: Asked) -> ChangeSet | None:
        change = intent(have, asked)
        if change is not None and is_rollout:
            from tidegate.planning import outline  # the judge is slow to load

            ahead[:] = [outline(have, *line)]
        return change

    commit = where.change(foreseen)
    for text in ahead if commit else ():
        click.echo(text, err=True)
    return commit
