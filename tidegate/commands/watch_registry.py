"""`tidegate watch-registry`."""

import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from generator.errors import ExitCode, InputError
from tidegate.forges import with_forge
from tidegate.place import Place, looking

if TYPE_CHECKING:
    from generator.forge import Secrets

LEAST_S = 5.0


@click.command
@click.argument("references", metavar="MODEL@ALIAS...", nargs=-1, required=True)
@click.option("--env", required=True, help="Environment that the versions enter.")
@click.option("--once", is_flag=True, help="One pass, then stop.")
@click.option("--every", default=60.0, show_default=True, help="Seconds between passes.")
@click.option("--registry", default="", metavar="URI", help="MLflow, if not that of tidegate.yaml.")
@with_forge
@looking
def watch_registry(
    where: Place,
    *,
    references: tuple[str, ...],
    env: str,
    once: bool,
    every: float,
    registry: str,
    secrets: "Callable[[], Secrets]",
) -> None:
    """Open the pull request of a promotion when an alias names another version.

    One pull request for one version: what climbs or is stable already, what was rejected or rolled
    out before, and what a person has closed is left alone; an open one is brought up to date. What
    became of a rollout is written back to its version, as the tags tidegate.rollout,
    tidegate.result and tidegate.evidence.

    It needs what `tidegate promote` needs for a pull request, and the right to write tags. It keeps
    nothing: it may be killed at any moment, and two do no harm.

    \b
    tidegate watch-registry defect-detector@challenger --env edge-k3s
    tidegate watch-registry scorer@champion --env cloud-eks --repo https://git.example/fleet.git
    tidegate watch-registry scorer@champion ocr@champion --env cloud-eks --once
    """
    from tidegate.watching import Watcher  # forge and registry are slow to load

    for one in references:
        model, at, alias = one.partition("@")
        if not (model and at and alias):
            raise InputError(f"{one!r}: name an alias as MODEL@ALIAS, such as {one}@challenger")
    if every < LEAST_S:
        raise InputError(f"--every {every:g}: at least {LEAST_S:g} seconds")
    watcher = Watcher(where, secrets(), env, references, registry, click.echo)
    if once:
        sys.exit(ExitCode.DONE if watcher.look(where.now) else ExitCode.INPUT)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watcher.look(_now())
    while not stop.wait(every):
        try:
            watcher.look(_now())
        except InputError as error:  # it was right at the start, and somebody mends it in Git
            click.echo(str(error), err=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 (the command line has the clock)
