"""`tidegate unreject`."""

import click

from generator.changes import ChangeSet
from generator.intents import ledger
from generator.intents.words import Asked
from generator.repository import Repository
from tidegate.place import Place, changing


@click.command
@click.argument("model")
@click.argument("release")
@click.option("--env", required=True, help="Environment that the release was frozen for.")
@changing()
def unreject(where: Place, model: str, release: str, env: str) -> str | None:
    """Take a release off the ledger, so that it may be promoted again.

    RELEASE is an id such as v13-3f9a1c2b, or v13 when that is unambiguous.

    \b
    tidegate unreject defect-detector v13 --env edge-k3s --reason "the camera was at fault"
    """

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        found = ledger.find_release(have, env, model, release)
        return ledger.unreject(have, found, asked)

    return where.change(intent)
