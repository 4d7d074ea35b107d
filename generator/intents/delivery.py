"""The Argo CD objects follow from the environments, their sites and the baselines."""

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.intents.words import Asked
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


def refresh(repository: Repository, asked: Asked) -> ChangeSet | None:
    """Make `argocd/` what the files ask for, in a commit of its own; None when it is."""
    draft = Draft(repository.tree)
    write_delivery(draft)
    files = draft.changes()
    if not files:
        return None
    subject = "argocd: objects follow the environments, sites and baselines"
    return ChangeSet(draft.commit, files, subject, "", asked.trailers())
