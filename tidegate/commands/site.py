"""`tidegate site`: the rows of the fleet."""

from collections.abc import Iterable
from pathlib import Path

import click

from generator.changes import ChangeSet
from generator.documents.sites import check_value, read_csv
from generator.errors import InputError
from generator.intents.fleet import add_sites, remove_sites
from generator.intents.words import Asked
from generator.model.environment import Delivery, Environment, Kind
from generator.model.names import application_name
from generator.model.site import Site
from generator.repository import Repository
from tidegate.place import Place, changing

_ENV = click.option("--env", default="", help="Environment.  [default: the only edge environment]")


@click.group
def site() -> None:
    """Import, add or remove sites; each is one row of environments/<env>/sites/."""


@site.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_ENV
@changing(reasoned=False)
def import_(where: Place, file: Path, env: str) -> str | None:
    """Add the sites of a CSV file; rows that are there already stay as they are.

    Columns: id,region,hardware,cluster and any label columns; id and cluster are needed, an
    edge site also names its hardware profile. All problems are told at once, with their lines,
    and then nothing is written.

    \b
    tidegate site import plants.csv --env edge-k3s --reason "Polish plants join"
    """
    data = file.read_bytes()

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        name = env or _only(have)
        edge = have.environment(name).kind is Kind.EDGE
        rows = read_csv(str(file), data, needs_hardware=edge)
        return add_sites(have, name, rows, str(file), asked)

    return where.change(intent)


@site.command
@click.argument("site_id", metavar="ID")
@_ENV
@click.option("--cluster", required=True, help="Name under which Argo CD knows the cluster.")
@click.option("--region", default="", help="Stratum of the draw.")
@click.option("--hardware", default="", help="Hardware profile; an edge site needs one.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="A further column.")
@changing(reasoned=False)
def add(where: Place, site_id: str, env: str, label: tuple[str, ...], **columns: str) -> str | None:
    """Add one site; it gets the stable release and joins a climbing one at its last step.

    \b
    tidegate site add plant-0501 --env edge-k3s --cluster plant-0501 --hardware gpu --region eu
    """
    labels = dict(_pair(text) for text in label)
    try:
        row = Site(site_id, labels=labels, **columns)
    except ValueError as error:
        raise InputError(str(error)) from error

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        name = env or _only(have)
        if have.environment(name).kind is Kind.EDGE and not row.hardware:
            raise InputError("an edge site names its hardware profile", hint="--hardware cpu")
        return add_sites(have, name, [(None, row)], None, asked)

    return where.change(intent)


@site.command
@click.argument("ids", nargs=-1, required=True)
@_ENV
@changing(reasoned=False)
def remove(where: Place, ids: tuple[str, ...], env: str) -> str | None:
    """Remove sites and their pointers; what runs there is left to you.

    \b
    tidegate site remove plant-0042 --env edge-k3s --reason "plant closed"
    """
    going: list[str] = []

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        name = env or _only(have)
        settings = have.environment(name)
        change = remove_sites(have, name, ids, asked)
        going[:] = [line for one in ids for line in _left(settings, have.models(), one)]
        return change

    commit = where.change(intent)
    click.echo("Argo CD and Flux keep what they had for removed sites; when nothing runs there:")
    for line in going:
        click.echo(f"  {line}")
    return commit


def _left(settings: Environment, models: Iterable[str], site: str) -> list[str]:
    """Say what to delete for a site, where its objects are: for all sites, or on each."""
    names = " ".join(application_name(settings.name, model, site) for model in models)
    own = f"{settings.name}.{site}"
    if settings.delivery is not Delivery.FLUX:
        names = f"{own} {names}" if settings.delivery.is_pull else names
        return [f"kubectl -n argocd delete application {names}"]
    deploy = "kubectl -n flux-system delete"
    kind = "helmrelease" if settings.kind is Kind.CLOUD else "kustomization"
    source = f"{deploy} gitrepository {own}"
    return [f"{deploy} kustomization {own}", f"{deploy} {kind} {names}", source]


def _only(have: Repository) -> str:
    names = [one for one in have.environments() if have.environment(one).kind is Kind.EDGE]
    if len(names) != 1:
        listed = ", ".join(have.environments()) or "none"
        raise InputError("which environment?", hint=f"--env; known: {listed}")
    return names[0]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.replace("-", "_").isidentifier():
        raise InputError(f"--label {text!r}: write NAME=VALUE")
    try:
        return name, check_value(value)
    except ValueError as error:
        raise InputError(f"--label {name}: {error}") from error
