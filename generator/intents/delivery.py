"""The Argo CD objects follow from the environments, their sites and the baselines."""

from generator import layout
from generator.changes import Draft
from generator.layout import RepoPath
from generator.render import argocd
from generator.repository import Repository, find_stable


def delivery(repository: Repository) -> dict[RepoPath, bytes]:
    """Compute everything under `argocd/`."""
    config = repository.config()
    files: dict[RepoPath, bytes] = {}
    for name in repository.environments():
        models = tuple(find_stable(repository, name))
        if models:
            settings, sites = repository.environment(name), repository.sites(name)
            files.update(argocd.environment(config, settings, sites, models))
    return {**files, **argocd.root(config)} if files else files


def write_delivery(draft: Draft) -> None:
    """Make `argocd/` what it should be, stale files gone."""
    draft.replace(layout.ARGOCD, delivery(Repository(draft)))
