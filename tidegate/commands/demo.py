"""`tidegate demo`."""

import time
from pathlib import Path

import click

from tidegate.place import read_now


@click.command
@click.option(
    "--dir",
    "folder",
    default=Path(".demo"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo lies.",
)
@click.option("--seed", default=1, show_default=True, help="Of everything that is by chance.")
@click.option("--sites", default=500, show_default=True, help="Edge sites, 100 to 10000.")
@click.option(
    "--fault",
    default="errors",
    show_default=True,
    type=click.Choice(["errors", "latency", "confidence", "crash", "silent"]),
    help="What is wrong with version 3.",
)
@click.option("--fresh", is_flag=True, help="Start over, even when the words are the same.")
@click.option("--resume", is_flag=True, help="Let fleet and reconciler go on after the story.")
@click.option("--hours", default=12, show_default=True, help="How long, with --resume.")
@click.option("--break", "broken", default="", metavar="SITE", help="Break a site, with --resume.")
@click.option("--serve", is_flag=True, help="Serve the metrics in real time, until Ctrl-C.")
def demo(
    *,
    folder: Path,
    seed: int,
    sites: int,
    fault: str,
    fresh: bool,
    resume: bool,
    hours: int,
    broken: str,
    serve: bool,
) -> None:
    """Show the whole job on this machine in a minute, with nothing but Python and Git.

    500 made-up plants run a vision model. A good version climbs 5, 10, 25, 50, 100 % by commits;
    a bad one is found at 5 % and taken back. The registry is a real MLflow, the repository a
    real one, the reconciler the real one; the plants and their metrics are simulated on a
    virtual clock. A demo that was stopped goes on where it was.

    \b
    tidegate demo
    tidegate demo --fault confidence --seed 7 --fresh
    tidegate demo --resume --break plant-0042
    tidegate demo --serve
    """
    from tidegate.demo import shell
    from tidegate.demo.screen import Screen

    screen = Screen()
    words = shell.Words(folder, seed, sites, fault, fresh=fresh)
    began = time.monotonic()
    if serve:
        shell.serve(words, screen)
    elif resume:
        shell.resume(words, hours, broken, screen)
    else:
        shell.story(words, read_now(""), screen)
        click.echo(f"\n{time.monotonic() - began:.0f} s", err=True)
