"""`tidegate release`."""

import click

from generator.changes import ChangeSet
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.repository import Repository
from tidegate.place import Place, changing
from tidegate.registry import Resolver


@click.command
@click.argument("version", metavar="MODEL@ALIAS|MODEL/NUMBER")
@click.option("--env", required=True, help="Environment that it is frozen for.")
@click.option("--registry", default="", metavar="URI", help="MLflow, if not that of tidegate.yaml.")
@changing(reasoned=False)
def release(where: Place, version: str, env: str, registry: str) -> str | None:
    """Freeze a model version as a release directory; no site moves.

    \b
    tidegate release defect-detector/13 --env edge-k3s
    """
    resolver = Resolver(version, registry)
    named: list[str] = []

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        found = resolver.resolve(have)
        frozen, change = intents.release(have, env, resolver.model, found, asked)
        named[:] = [frozen.id]
        return change

    commit = where.change(intent)
    click.echo(named[0])
    return commit
