"""`tidegate expand`."""

import click

from tidegate.expanding import Expander
from tidegate.place import Place, changing


@click.command
@click.argument("model", default="")
@click.option("--env", default="", help="Only this environment.")
@click.option("--no-commit", is_flag=True, help="Write the files of the checkout, commit nothing.")
@changing(reasoned=False)
def expand(where: Place, *, model: str, env: str, no_commit: bool) -> str | None:
    """Write the pointers that the rollout and site files ask for.

    Change the one line `percent` by hand, run this, and the sites follow in one commit. Your
    uncommitted edits under rollouts/ and environments/ are part of that commit. With nothing to
    write nothing happens.

    \b
    tidegate expand
    tidegate expand defect-detector --env edge-k3s --no-commit
    """
    expander = Expander(where, env, model)
    if not no_commit:
        return expander.commit()
    count = expander.write_files()
    click.echo(f"{count} files written" if count else "nothing to do", err=not count)
    return "" if count else None
