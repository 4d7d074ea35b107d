"""`tidegate page`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from generator.errors import InputError
from generator.repository import Repository
from reconciler.wiring import Origins, origin_of
from tidegate.files import write_whole
from tidegate.pages import Story, render, survey
from tidegate.pages.survey import Survey
from tidegate.place import Place, is_local, looking
from tidegate.statuses import Data, coming, statuses

NAME = "index.html"
HOLDS = ("Holding", "Reverting")


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
@click.option("--live", is_flag=True, help="Ask the metrics API, too, what each rollout waits for.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A metrics API that Git may name, with --live; loopback ones are for local remotes.",
)
@looking
def page(
    where: Place, *, output: Path, env: str, model: str, live: bool, origins: tuple[str, ...]
) -> None:
    """Draw every rollout as one web page, from Git and its evidence alone.

    First what moves, what is held, what was taken back, and why; then a board of all
    environments, and for each rollout its staircase, the evidence for each objective up to the
    moment of decision, how the sites came along, and every site as a square.

    The page is one file: no script, nothing fetched, light and dark, and for paper. The same
    commit and the same --now give the same bytes. Why a step waits is not in Git; with --live
    the metrics are asked, as `tidegate status` does.

    \b
    tidegate page -o public
    tidegate page -o public --env edge-k3s --model defect-detector
    tidegate page -o public --repo https://git.example/fleet.git
    tidegate page -o public --live --allow-origin http://prometheus:9090
    """
    repository = where.repository(where.tree())
    repository.config()
    _check(repository, env, model)

    def wanted(key: tuple[str, str]) -> bool:
        return env in ("", key[0]) and model in ("", key[1])

    found = survey(repository, where.now, wanted)
    if live:
        allowed = dict.fromkeys((origin_of(text) for text in origins), "")
        connect = Origins(allowed, loopback=not where.repo or is_local(where.repo)).connect
        found = with_metrics(found, statuses(repository, connect, where.now))
    click.echo(write_whole(output, NAME, render(found, _title(env, model))))


def _check(repository: Repository, env: str, model: str) -> None:
    for kind, name, known in (
        ("environment", env, repository.environments()),
        ("model", model, repository.models()),
    ):
        if name and name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"there is no {kind} {name!r}", hint=f"known: {listed}")


def with_metrics(found: Survey, rows: Sequence[Data]) -> Survey:
    """Say of every line under way what the metrics say of it."""
    by_key = {(row["environment"], row["model"]): row for row in rows}

    def told(one: Story) -> Story:
        row = by_key.get((one.environment, one.model), {})
        if not row.get("canary"):
            return one
        text = "; ".join(coming(row))
        return replace(one, coming=f"By its metrics: {text}.", is_held=row["status"] in HOLDS)

    lines = (told(one) if isinstance(one, Story) else one for one in found.told)
    return replace(found, told=tuple(lines))


def _title(env: str, model: str) -> str:
    what = " on ".join(name for name in (model, env) if name)
    return f"tidegate: {what}" if what else "tidegate: all rollouts"
