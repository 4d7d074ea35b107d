"""`expand`: a person's edit of a rollout or site file, and the pointers that follow from it."""

from collections.abc import Mapping
from dataclasses import replace

import click

from generator import layout
from generator.changes import ChangeSet, Draft, Tree
from generator.errors import InputError
from generator.expand import differences
from generator.gitrepo.checkout import Checkout
from generator.intents.delivery import refresh
from generator.intents.moves import expand_pointers
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.rollout import Rollout
from generator.repository import Repository
from tidegate.place import Place

HUMAN = (layout.ROLLOUTS, layout.ENVIRONMENTS, layout.CONFIG)


class Expander:
    """Expand every rollout line, or the named ones, one commit each."""

    def __init__(self, place: Place, environment: str, model: str) -> None:
        """Take the place and the lines; "" stands for all."""
        self._place = place
        self._environment = environment
        self._model = model

    def commit(self) -> str | None:
        """Commit what differs, each line on its own.

        Returns:
            The last commit; None when nothing differed.
        """
        last: str | None = None
        for environment, model in self._lines(
            self._place.repository(self._edited(self._place.tree()))
        ):
            last = self._commit_line(environment, model) or last
        if not (self._environment or self._model):
            last = self._commit_delivery() or last
        if last is None:
            click.echo("nothing to do: every pointer is as it should be", err=True)
        return last

    def _commit_delivery(self) -> str | None:
        """Commit what follows for Argo CD, Flux and Prometheus, with the edits it follows from."""

        def intent(have: Repository, asked: Asked) -> ChangeSet | None:
            edited = {k: v for k, v in self._dirty("", "").items() if is_source(k)}
            change = refresh(self._place.repository(self._edited(have.tree)), asked)
            return replace(change, files={**edited, **change.files}) if change else None

        if intent(self._place.repository(self._place.tree()), Asked()) is None:
            return None
        return self._place.change(intent)

    def _commit_line(self, environment: str, model: str) -> str | None:
        base = self._place.repository(self._edited(self._place.tree()))
        if not self._differs(base, environment, model):
            return None

        def intent(have: Repository, asked: Asked) -> ChangeSet | None:
            return self._change(have, environment, model, asked)

        return self._place.change(intent)

    def _differs(self, repository: Repository, environment: str, model: str) -> bool:
        dirty = self._dirty(environment, model)
        return bool(dirty) or bool(differences(repository, environment, model))

    def _change(
        self, have: Repository, environment: str, model: str, asked: Asked
    ) -> ChangeSet | None:
        edited = self._place.repository(self._edited(have.tree))
        change = expand_pointers(edited, environment, model, asked, shown(have, environment, model))
        mine = self._dirty(environment, model)
        if change is None:
            return None
        return replace(change, files={**mine, **change.files})

    def _edited(self, tree: Tree) -> Tree:
        draft = Draft(tree)
        draft.write(self._dirty("", ""))
        return draft

    def _dirty(self, environment: str, model: str) -> Mapping[RepoPath, bytes]:
        """Read the person's uncommitted edits, of one line or of all."""
        opened = self._place.open()
        if not isinstance(opened, Checkout):
            return {}
        dirty = opened.dirty()
        wanted = [path for path in dirty if path.split("/")[0] in HUMAN or is_source(path)]
        if environment:
            mine = (layout.rollout(environment, model), f"{layout.shards(environment)}/")
            wanted = [path for path in wanted if path.startswith(mine)]
        read = ((path, opened.read(path)) for path in wanted)
        return {path: data for path, data in read if data is not None}

    def write_files(self) -> int:
        """Write what differs into the checkout and commit nothing.

        Returns:
            How many files were written.

        Raises:
            InputError: There is no checkout.
        """
        opened = self._place.open()
        if not isinstance(opened, Checkout):
            raise InputError("--no-commit needs a checkout", hint="leave --repo out")
        repository = self._place.repository(self._edited(opened.head()))
        files: dict[RepoPath, bytes | None] = {}
        for environment, model in self._lines(repository):
            files.update(differences(repository, environment, model))
        if not (self._environment or self._model):
            change = refresh(repository, Asked())
            files.update(change.files if change is not None else {})
        fresh = {path: data for path, data in files.items() if opened.read(path) != data}
        opened.write(fresh)
        return len(fresh)

    def _lines(self, repository: Repository) -> list[tuple[str, str]]:
        lines = [
            (environment, model)
            for environment, model in repository.rollouts()
            if self._environment in ("", environment) and self._model in ("", model)
        ]
        if not lines:
            listed = ", ".join(f"{model} --env {env}" for env, model in repository.rollouts())
            raise InputError("there is no such rollout", hint=f"known: {listed or 'none'}")
        return lines


def is_source(path: RepoPath) -> bool:
    """Say whether what delivers and watches the models follows from a file, sites apart."""
    name = path.partition("/")[2].partition("/")[0]
    return path in (layout.CONFIG, layout.environment(name), layout.model(name))


def shown(repository: Repository, environment: str, model: str) -> Rollout:
    """Find the newest version of a rollout that its pointers still show."""
    tree = repository.tree
    touched = tree.log((f"{layout.SITES}/{environment}/*/{model}/**",), 1)
    if not touched:
        return repository.rollout(environment, model)
    return Repository(tree.at(touched[0].id)).rollout(environment, model)
