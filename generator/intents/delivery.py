"""What brings the pointers to the sites, and watches them, follows from the other files."""

from collections.abc import Mapping
from dataclasses import dataclass

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.errors import InputError
from generator.intents.monitoring import monitoring
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.names import check_name
from generator.model.site import Site
from generator.render import argocd
from generator.render import delivery as render
from generator.repository import Repository


@dataclass(frozen=True, slots=True)
class Delivered:
    """What should stand there, as far as it can be told.

    Attributes:
        files: Path to bytes.
        blurred: Folders with parts that follow from a file nobody can read; whatever else is
            there stays as it is.
    """

    files: Mapping[RepoPath, bytes]
    blurred: tuple[RepoPath, ...]

    def is_blurred(self, path: RepoPath) -> bool:
        """Say whether nobody knows if this file should be there."""
        return path not in self.files and path.startswith(self.blurred)


def delivery(repository: Repository) -> Delivered:
    """Compute everything under these folders; an invalid file holds what is its own.

    Raises:
        InputError: `tidegate.yaml` is invalid.
    """
    config = repository.config()
    files: dict[RepoPath, bytes] = {}
    blurred: list[RepoPath] = []
    for name in repository.environments():
        models, unread = _models(repository, name)
        sites, unlisted = _sites(repository, name)
        try:
            settings = repository.environment(name)
            files.update(render.environment(config, settings, sites, models))
        except InputError:
            unread = True
        if unread or unlisted:
            blurred += [f"{folder}/" for folder in render.folders(name)]
    files.update(render.root(config, files))
    if blurred:
        blurred.append(f"{argocd.ROOTS}/")
    watching, unclear = monitoring(repository)
    return Delivered({**files, **watching}, (*blurred, *unclear))


def _models(repository: Repository, environment: str) -> tuple[list[str], bool]:
    """List the models with a baseline, and say whether a rollout cannot be read."""
    found: list[str] = []
    unread = False
    known = repository.models()
    for owner, model in repository.rollouts():
        try:
            if owner == environment and model in known:
                found += [model] if repository.rollout(owner, model).stable else []
        except InputError:
            unread = True
    return found, unread


def _sites(repository: Repository, environment: str) -> tuple[list[Site], bool]:
    """List the sites of every site file that can be read, and say whether one cannot."""
    found: list[Site] = []
    unread = False
    for stem in repository.shards(environment):
        try:
            found += repository.shard(environment, check_name("site file", stem))
        except (InputError, ValueError):
            unread = True
    return found, unread


def write_delivery(draft: Draft) -> None:
    """Make these folders what they should be, stale files gone."""
    wanted = delivery(Repository(draft))
    for top in (*render.FOLDERS, layout.MONITORING):
        mine = {path: data for path, data in wanted.files.items() if path.startswith(f"{top}/")}
        draft.delete(p for p in draft.ids(top) if p not in mine and not wanted.is_blurred(p))
        draft.write(mine)


def refresh(repository: Repository, asked: Asked) -> ChangeSet | None:
    """Make these folders what the files ask for, in a commit of its own; None when they are."""
    draft = Draft(repository.tree)
    write_delivery(draft)
    files = draft.changes()
    if not files:
        return None
    tops = ", ".join(sorted({path.partition("/")[0] for path in files}))
    subject = f"{tops}: objects follow the environments, sites and baselines"
    return ChangeSet(draft.commit, files, subject, "", asked.trailers())
