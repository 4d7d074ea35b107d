"""Everything that brings the pointers of an environment to its sites, whoever applies them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from generator import layout
from generator.layout import RepoPath
from generator.model.config import Config
from generator.model.environment import Delivery, Environment
from generator.model.site import Site
from generator.render import argocd, flux

FOLDERS = (layout.ARGOCD, layout.FLUX)
_SITE = "SITE"  # no name has a capital letter


def folders(environment: str) -> tuple[RepoPath, ...]:
    """List where the objects of an environment lie, one folder for each way of delivery."""
    return tuple(f"{top}/{environment}" for top in (argocd.FLEET, argocd.PULL, layout.FLUX))


def environment(
    config: Config, settings: Environment, sites: Sequence[Site], models: Iterable[str]
) -> Mapping[RepoPath, bytes]:
    """Write the objects of one environment.

    Args:
        config: Names the repository and its branch.
        settings: The environment.
        sites: All its sites.
        models: The models that have a baseline there.

    Returns:
        Path to bytes; nothing where there is no site, no model or no remote.
    """
    served = sorted(models)
    if not served or not config.remote:
        return {}
    match settings.delivery:
        case Delivery.ARGOCD:
            return argocd.environment(config, settings, sites, served)
        case Delivery.ARGOCD_PULL:
            write = argocd.site
        case Delivery.FLUX:
            write = flux.site
        case _:
            assert_never(settings.delivery)
    ids = [site.id for site in sites]
    return repeat(config, ids, lambda id_: write(config, settings, id_, served))


def root(config: Config, files: Iterable[RepoPath]) -> Mapping[RepoPath, bytes]:
    """Write what brings the sets of one Argo CD for all sites, where there are any."""
    return argocd.root(config) if any(one.startswith(f"{argocd.FLEET}/") for one in files) else {}


def repeat(
    config: Config, ids: Iterable[str], write: Callable[[str], Mapping[RepoPath, bytes]]
) -> Mapping[RepoPath, bytes]:
    """Write the files of one site, and put the id of each other one in.

    Ten thousand sites would take a minute otherwise.

    Args:
        config: Holds the only foreign text in the files.
        ids: Names of sites.
        write: Gives the files of one site by its id.
    """
    token = _SITE
    while token in config.remote + config.branch:
        token += "E"
    once = write(token).items()
    return {
        path.replace(token, id_): data.replace(token.encode(), id_.encode())
        for id_ in ids
        for path, data in once
    }
