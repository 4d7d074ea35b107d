"""`tidegate init`."""

import sys
from pathlib import Path

import click

from tidegate.place import read_now


@click.command
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--environment",
    "environments",
    multiple=True,
    required=True,
    metavar="NAME[=KIND]",
    help="edge-k3s or cloud-eks, or a name of your own with =KIND; may be repeated.",
)
@click.option("--model", "models", multiple=True, help="A model; may be repeated.")
@click.option(
    "--sites",
    "files",
    multiple=True,
    metavar="[ENV=]FILE.csv",
    help="Sites: id,region,hardware,cluster and label columns.  [ENV: the first edge one]",
)
@click.option("--image", default="", metavar="REF@sha256:...", help="Serving image of the models.")
@click.option("--registry", default="", metavar="URI", help="MLflow store or server.")
@click.option("--prometheus", default="", metavar="URL", help="Prometheus HTTP API.")
@click.option("--remote", default="", metavar="URL", help="Where the repository will be pushed.")
@click.option("--interval", default="5m", show_default=True, help="Spacing of the judge's ticks.")
@click.option("--now", default="", metavar="RFC3339", help="Time of the first commit.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when nothing changed.")
def init(
    folder: Path,
    environments: tuple[str, ...],
    models: tuple[str, ...],
    files: tuple[str, ...],
    now: str,
    exit_code: bool,  # noqa: FBT001 (click passes it by name)
    **told: str,
) -> None:
    """Make a fleet repository in FOLDER with its first commit.

    Run again with the same words it changes nothing. A cloud environment without --sites starts
    with one cluster named eu-central-1; rename it in environments/<env>/sites/.

    \b
    tidegate init fleet --environment edge-k3s --environment cloud-eks \\
        --model defect-detector --sites plants.csv \\
        --image registry.example/defect-detector@sha256:<64 hex> \\
        --registry http://mlflow.example:5000 --prometheus http://prometheus.example:9090
    """
    from generator.errors import ExitCode
    from generator.model.answers import Answers
    from tidegate.starting import kinds, read_sites, start

    answers = Answers(kinds(environments), models, own_images={}, **told)
    answers.check()
    sites = read_sites(answers, files)
    made = start(folder, answers, sites, read_now(now))
    if not made:
        click.echo("nothing to do: the repository is there, made with the same words", err=True)
        sys.exit(ExitCode.NOTHING_CHANGED if exit_code else ExitCode.DONE)
    total = sum(len(rows) for rows in sites.values())
    click.echo(f"{folder}: {total} sites in {len(answers.environments)} environments")
    model = models[0] if models else "MODEL"
    env = next(iter(answers.environments))
    click.echo("next:")
    click.echo(f"  cd {folder}")
    click.echo(
        f'  tidegate promote {model}@champion --env {env} --baseline --reason "first release"'
    )
