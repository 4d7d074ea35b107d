"""What Git wants of every Application: which releases, by which folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator import layout
from generator.errors import InputError
from generator.expand import assign
from generator.layout import RepoPath
from generator.model.environment import Delivery, Kind
from generator.model.names import application_name
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one Application should be.

    Attributes:
        environment: Environment of the line.
        model: Model of the line.
        site: Site id.
        shard: Stem of the site file that its ApplicationSet reads.
        releases: What should be applied: one release, in the cloud also the canary beside it.
        is_taken_back: The last rollout was reverted, so nothing may wait for a sync of it.
    """

    environment: str
    model: str
    site: str
    shard: str
    releases: frozenset[str]
    is_taken_back: bool = False

    @property
    def folder(self) -> RepoPath:
        """Locate what Argo CD renders for it."""
        return layout.pointer(self.environment, self.site, self.model)

    @property
    def set_name(self) -> str:
        """Name the ApplicationSet that makes it."""
        return f"{self.environment}.{self.shard}.{self.model}"


def wanted(repository: Repository) -> Mapping[str, Wanted]:
    """List what Argo CD on the hub should hold, by the name of the Application.

    An environment whose files cannot be read is left out; its rollouts say why.
    """
    found: dict[str, Wanted] = {}
    for environment, model in repository.rollouts():
        try:
            found.update(_line(repository, environment, model))
        except (InputError, ValueError):
            continue
    return found


def _line(repository: Repository, environment: str, model: str) -> Iterator[tuple[str, Wanted]]:
    settings = repository.environment(environment)
    rollout = repository.rollout(environment, model)
    if settings.delivery is not Delivery.ARGOCD or not rollout.stable:
        return
    releases = _releases(repository, rollout, settings.kind)
    back = rollout.phase is Phase.REVERTED
    for site in repository.sites(environment):
        name = application_name(environment, model, site.id)
        yield name, Wanted(environment, model, site.id, site.shard, releases[site.id], back)


def _releases(repository: Repository, rollout: Rollout, kind: Kind) -> Mapping[str, frozenset[str]]:
    if kind is Kind.CLOUD:
        both = frozenset({rollout.stable, rollout.canary} - {""})
        return {site.id: both for site in repository.sites(rollout.environment)}
    return {site: frozenset({one}) for site, one in assign(repository, rollout).items()}
