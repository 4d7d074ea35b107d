"""`tidegate promote`."""

import click

from generator.changes import ChangeSet
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.repository import Repository
from tidegate.place import Place, changing
from tidegate.registry import Resolver


@click.command
@click.argument("version", metavar="MODEL@ALIAS|MODEL/NUMBER")
@click.option("--env", required=True, help="Environment that the version enters.")
@click.option("--baseline", is_flag=True, help="Put it on every site, without a rollout.")
@click.option("--registry", default="", metavar="URI", help="MLflow, if not that of tidegate.yaml.")
@changing()
def promote(where: Place, *, version: str, env: str, baseline: bool, registry: str) -> str | None:
    """Bring a model version into an environment: freeze it, draw the cohort, take step one.

    The alias is resolved and every artifact hashed once; from then on Git holds the version,
    the digest and the image, and a moved alias changes nothing. The first release of a model
    is a --baseline: it goes to every site at once.

    \b
    tidegate promote defect-detector@champion --env edge-k3s --baseline --reason "first release"
    tidegate promote defect-detector@challenger --env edge-k3s --reason "finds hairline cracks"
    tidegate promote defect-detector/13 --env edge-k3s --branch promote-v13 --reason "for review"
    """
    resolver = Resolver(version, registry)
    start = intents.baseline if baseline else intents.promote

    def intent(have: Repository, asked: Asked) -> ChangeSet | None:
        return start(have, env, resolver.model, resolver.resolve(have), asked)

    return where.change(intent)
