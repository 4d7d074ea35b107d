"""`tidegate status`."""

import json
import time
from dataclasses import replace

import click

from generator.repository import Repository
from reconciler.wiring import Origins, origin_of
from tidegate.place import Place, is_local, looking, read_now
from tidegate.registry import moved_aliases
from tidegate.statuses import noted, statuses, tree


@click.command
@click.option("-w", "--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option("--every", default=10.0, show_default=True, help="Seconds between looks.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A metrics API that Git may name; loopback ones are allowed for local remotes.",
)
@click.option(
    "--aliases", is_flag=True, help="Ask the registry, too: has a promoted alias moved on since?"
)
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@looking
def status(
    where: Place,
    *,
    watch: bool,
    every: float,
    origins: tuple[str, ...],
    aliases: bool,
    as_json: bool,
) -> None:
    """Show how every rollout stands: step, sites, verdict, and what it waits for.

    \b
    tidegate status
    tidegate status -w
    tidegate status --aliases
    tidegate status --repo https://git.example/fleet.git --allow-origin http://prometheus:9090
    """
    allowed = dict.fromkeys((origin_of(text) for text in origins), "")
    connect = Origins(allowed, loopback=not where.repo or is_local(where.repo)).connect
    while True:
        repository = Repository(where.tree())
        repository.config()
        rows = statuses(repository, connect, where.now)
        if aliases:
            rows = noted(rows, moved_aliases(repository, rows))
        text = json.dumps(rows, indent=2) if as_json else tree(rows, where.now)
        click.echo(("\033[2J\033[H" if watch and not as_json else "") + text)
        if not watch:
            return
        time.sleep(every)
        where = replace(where, now=read_now(""))
