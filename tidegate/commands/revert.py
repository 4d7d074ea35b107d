"""`tidegate revert`."""

import click

from generator.changes import ChangeSet
from generator.errors import InputError
from generator.intents import ledger, moves
from generator.intents.words import Asked
from generator.repository import Repository
from tidegate.place import Place, changing


@click.command
@click.argument("model")
@click.option("--env", required=True, help="Environment of the rollout.")
@click.option("--to", default="", metavar="RELEASE", help="Set this earlier release on all sites.")
@click.option("--reject", "rejects", is_flag=True, help="Also put the canary on the ledger.")
@changing()
def revert(where: Place, *, model: str, env: str, to: str, rejects: bool) -> str | None:
    """Take the canary back from every site by a new commit.

    With --to an earlier, never rejected release is set on all sites in one commit, also after
    the rollout has completed. In the cloud the first call takes the traffic back and the second
    one, when that is applied, the objects.

    \b
    tidegate revert defect-detector --env edge-k3s --reason "scrap rate in plant 42"
    tidegate revert defect-detector --env edge-k3s --to v12-9be07d11 --reason "late labels"
    """
    if to and rejects:
        raise InputError("--to and --reject cannot go together", hint="tidegate reject afterwards")

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        if to:
            target = ledger.find_release(have, env, model, to)
            return moves.revert_to(have, env, model, target.id, asked)
        rollout = have.rollout(env, model)
        if rejects and rollout.is_climbing:
            canary = have.release(env, model, rollout.canary)
            return ledger.reject(have, canary, asked, where.now)
        return moves.revert(have, env, model, asked)

    return where.change(intent)
