"""`tidegate page`."""

from pathlib import Path

import click

from generator.errors import InputError
from generator.repository import Repository
from tidegate.files import write_whole
from tidegate.pages import render, survey
from tidegate.place import Place, looking

NAME = "index.html"


@click.command
@click.option(
    "-o",
    "--output",
    "output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write index.html; made where it is missing.",
)
@click.option("--env", default="", metavar="NAME", help="This environment only.")
@click.option("--model", default="", metavar="NAME", help="This model only.")
@looking
def page(where: Place, *, output: Path, env: str, model: str) -> None:
    """Draw every rollout as one web page, from Git and its evidence alone.

    First what moves, what is held, what was taken back, and why; then a board of all
    environments, and for each rollout its staircase, the evidence for each objective up to the
    moment of decision, how the sites came along, and every site as a square.

    The page is one file: no script, nothing fetched, light and dark, and for paper. The same
    commit and the same --now give the same bytes.

    \b
    tidegate page -o public
    tidegate page -o public --env edge-k3s --model defect-detector
    tidegate page -o public --repo https://git.example/fleet.git
    """
    repository = where.repository(where.tree())
    repository.config()
    _check(repository, env, model)

    def wanted(key: tuple[str, str]) -> bool:
        return env in ("", key[0]) and model in ("", key[1])

    found = survey(repository, where.now, wanted)
    click.echo(write_whole(output, NAME, render(found, _title(env, model))))


def _check(repository: Repository, env: str, model: str) -> None:
    for kind, name, known in (
        ("environment", env, repository.environments()),
        ("model", model, repository.models()),
    ):
        if name and name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"there is no {kind} {name!r}", hint=f"known: {listed}")


def _title(env: str, model: str) -> str:
    what = " on ".join(name for name in (model, env) if name)
    return f"tidegate: {what}" if what else "tidegate: all rollouts"
