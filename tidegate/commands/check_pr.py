"""`tidegate check-pr`."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from generator.errors import ExitCode
from generator.gate.origin import Origin
from tidegate import gating
from tidegate.engines import Engines, with_engines
from tidegate.events import with_origin
from tidegate.forges import with_forge
from tidegate.place import Place, looking

if TYPE_CHECKING:
    from generator.forge import Secrets


@click.command
@click.option("--base", default="", metavar="REF", help="Main.  [default: what CI says]")
@click.option("--head", default="", metavar="REF", help="Commit to judge.  [default: as CI says]")
@click.option("--branch", default="", metavar="NAME", help="Its branch.  [default: as CI says]")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@with_engines
@with_origin
@with_forge
@looking
def check_pr(
    where: Place,
    *,
    base: str,
    head: str,
    as_json: bool,
    engines: Engines,
    origin: Callable[[], Origin],
    secrets: "Callable[[], Secrets]",
) -> None:
    """Do with a pull request what CI does: expand it, judge it, and say so on the forge.

    Where only `percent` was edited, the sites that follow are pushed to the same branch. Then it
    is judged as `verify --pr` does. With the token of the forge in TIDEGATE_FORGE_TOKEN the new
    commit gets the statuses tidegate/verify and tidegate/slo, and the pull request one comment
    with the plan. It may be repeated at any time; from a fork nothing is pushed or written.

    \b
    tidegate check-pr
    tidegate check-pr --base origin/main --branch my-bump
    """
    from tidegate.checking import Check  # a forge is slow to load

    found = Check(where, base, head, origin(), secrets(), engines).run()
    click.echo(json.dumps(gating.data(found), indent=2) if as_json else gating.text(found))
    for line in engines.told():
        click.echo(line, err=True)
    sys.exit(ExitCode.DONE if found.is_good else ExitCode.INPUT)
