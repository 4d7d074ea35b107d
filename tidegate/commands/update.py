"""`tidegate update`."""

import functools

import click

from tidegate.place import Place, changing


@click.command
@click.option("--dry-run", is_flag=True, help="Show plan and diff; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: the plan as JSON.")
@click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME[=KIND]",
    help="Add an environment, for the models that are there; may be repeated.",
)
@click.option("--image", metavar="REF@sha256:...", help="Serving image of the first models.")
@click.option("--registry", metavar="URI", help="MLflow store or server.")
@click.option("--prometheus", metavar="URL", help="Prometheus HTTP API.")
@click.option("--remote", metavar="URL", help="Where Argo CD finds the repository.")
@click.option("--interval", metavar="SPAN", help="Spacing of the judge's ticks.")
@changing(reasoned=False)
def update(
    where: Place,
    *,
    dry_run: bool,
    as_json: bool,
    environments: tuple[str, ...],
    **told: str | None,
) -> str | None:
    """Bring what the blueprints wrote up to date, and keep what people edited.

    Each file is merged from three versions: as its blueprint wrote it then, as it stands, and as
    this tidegate's blueprint writes it. Without a conflict that is one commit. With one, the
    files are written with conflict markers and nothing is committed. Files that people deleted
    stay deleted. Releases and sites are never touched: a changed base reaches a site with its
    next release.

    The options change the answers that `tidegate init` was given.

    \b
    tidegate update --dry-run
    tidegate update --reason "blueprints of tidegate 0.2" --branch update-blueprints
    tidegate update --environment staging=edge-k3s --reason "a place to try things"
    """
    from tidegate.updating import Updater, adapted

    texts = {name: text for name, text in told.items() if text is not None}
    adapt = functools.partial(adapted, texts=texts, environments=environments)
    updater = Updater(where, adapt)
    if not dry_run:
        return updater.commit()
    if not updater.show(as_json=as_json):
        click.echo("nothing to do: every file is as its blueprint and its people want it", err=True)
        return None
    return ""
