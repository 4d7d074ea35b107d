"""`tidegate set-percent`."""

import click

from generator.errors import InputError
from generator.intents import moves
from generator.model.percent import Percent
from tidegate.place import Place, changing


@click.command("set-percent")
@click.argument("model")
@click.argument("percent")
@click.option("--env", required=True, help="Environment of the rollout.")
@changing()
def set_percent(where: Place, model: str, percent: str, env: str) -> str | None:
    """Move a rollout to PERCENT of the sites, up or down, in one commit.

    PERCENT is a number from 0 to 100 with at most two digits after the point. The soak of the
    step starts anew.

    \b
    tidegate set-percent defect-detector --env edge-k3s 25 --reason "night shift is staffed"
    """
    try:
        target = Percent.parse(percent)
    except ValueError as error:
        raise InputError(str(error)) from error
    return where.change(lambda have, asked: moves.set_percent(have, env, model, target, asked))
