"""`tidegate reject`."""

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
def reject(where: Place, model: str, release: str, env: str) -> str | None:
    """Put a release on the ledger, so that it is never promoted again.

    Where it climbs, it is reverted in the same commit.

    RELEASE is an id such as v13-3f9a1c2b, or v13 when that is unambiguous.

    \b
    tidegate reject defect-detector v13 --env edge-k3s --reason "labels show missed scratches"
    """

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        found = ledger.find_release(have, env, model, release)
        return ledger.reject(have, found, asked, where.now)

    return where.change(intent)
