"""`tidegate model`."""

import click

from generator.changes import ChangeSet
from generator.errors import InputError
from generator.intents.setup import add_model, model_pieces
from generator.intents.words import Asked
from generator.model.names import check_name
from generator.repository import Repository
from tidegate.place import Place, changing
from tidegate.scaffolding import scaffold


@click.group
def model() -> None:
    """Add a model: its settings, manifests and one rollout file per environment."""


@model.command
@click.argument("name")
@click.option("--image", default="", metavar="REF@sha256:...", help="Serving image.")
@changing(reasoned=False)
def add(where: Place, name: str, image: str) -> str | None:
    """Add a model to every environment; nothing runs before its baseline.

    \b
    tidegate model add crack-finder --image registry.example/crack-finder@sha256:<64 hex>
    """
    try:
        check_name("model", name, 43)
    except ValueError as error:
        raise InputError(str(error)) from error

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        kinds = {one: have.environment(one).kind for one in have.environments()}
        files, blueprints = scaffold(model_pieces(name, kinds, image))
        return add_model(have, name, image, files, blueprints, asked)

    return where.change(intent)
