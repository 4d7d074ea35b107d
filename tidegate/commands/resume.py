"""`tidegate resume`."""

import click

from generator.intents import moves
from tidegate.place import Place, changing


@click.command
@click.argument("model")
@click.option("--env", required=True, help="Environment of the rollout.")
@changing()
def resume(where: Place, model: str, env: str) -> str | None:
    """Let a paused rollout climb again.

    \b
    tidegate resume defect-detector --env edge-k3s --reason "line change in Lyon"
    """
    return where.change(lambda have, asked: moves.resume(have, env, model, asked))
