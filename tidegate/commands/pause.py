"""`tidegate pause`."""

import click

from generator.intents import moves
from tidegate.place import Place, changing


@click.command
@click.argument("model")
@click.option("--env", required=True, help="Environment of the rollout.")
@changing()
def pause(where: Place, model: str, env: str) -> str | None:
    """Stop a rollout from advancing; a breach still reverts.

    \b
    tidegate pause defect-detector --env edge-k3s --reason "line change in Lyon"
    """
    return where.change(lambda have, asked: moves.pause(have, env, model, asked))
