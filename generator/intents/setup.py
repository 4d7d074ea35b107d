"""A new repository, or a new model in one: what to scaffold, and the first commit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator import layout
from generator.changes import ChangeSet, Draft, Tree
from generator.documents.config import write_rejected
from generator.documents.reading import Document
from generator.documents.sites import SHARD_SIZE, write_shard
from generator.errors import InputError, Problem
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.blueprint import Answer
from generator.model.environment import Kind
from generator.model.names import application_name, check_name
from generator.model.site import Site
from generator.repository import Repository
from generator.yamltext import Row, dump

Inputs = Mapping[str, Answer]
Piece = tuple[str, Inputs]


@dataclass(frozen=True, slots=True)
class Answers:
    """What `tidegate init` was told.

    Attributes:
        environments: Name to kind, in order.
        models: Names.
        image: REFERENCE@sha256:..., or "" to take it from the version's tag.
        registry: URI of the MLflow store or server, or "".
        prometheus: Base URL, or "".
        remote: URL under which Argo CD knows the repository, or "".
        branch: The branch that Argo CD applies.
        interval: Spacing of the judge's ticks.
    """

    environments: Mapping[str, Kind]
    models: Sequence[str]
    image: str = ""
    registry: str = ""
    prometheus: str = ""
    remote: str = ""
    branch: str = "main"
    interval: str = "5m"

    def check(self) -> None:
        """Refuse names that cannot be.

        Raises:
            InputError: Every problem.
        """
        problems: list[Problem] = []
        if not self.environments:
            problems.append(Problem("no environment", hint="--environment edge-k3s"))
        named = [("environment", one, 30) for one in self.environments]
        for kind, name, longest in [*named, *(("model", one, 43) for one in self.models)]:
            try:
                check_name(kind, name, longest)
            except ValueError as error:
                problems.append(Problem(str(error)))
        if problems:
            raise InputError.many(problems)


def pieces(answers: Answers) -> Sequence[Piece]:
    """List the blueprints to scaffold, with their inputs."""
    whole: Inputs = {
        "branch": answers.branch,
        "remote": answers.remote,
        "registry": answers.registry,
        "images": [answers.image.partition("@")[0]] if answers.image else [],
        "artifacts": ["file:" if answers.registry.startswith("sqlite:") else "mlflow-artifacts:"],
    }
    found: list[Piece] = [("repository", whole)]
    for name, kind in answers.environments.items():
        inputs: Inputs = {
            "environment": name,
            "prometheus": answers.prometheus,
            "interval": answers.interval,
        }
        found.append((f"environment-{kind}", inputs))
    for model in answers.models:
        found += model_pieces(model, answers.environments, answers.image)
    return found


def model_pieces(model: str, environments: Mapping[str, Kind], image: str) -> list[Piece]:
    """List the blueprints of one model."""
    found: list[Piece] = [("model", {"model": model, "registry_name": model, "image": image})]
    found += [(f"model-{kind}", {"model": model}) for kind in dict.fromkeys(environments.values())]
    found += [("rollout", {"environment": name, "model": model}) for name in environments]
    return found


def initial(
    answers: Answers,
    scaffolded: Mapping[RepoPath, bytes],
    blueprints: Mapping[str, str],
    sites: Mapping[str, Sequence[Site]],
) -> ChangeSet:
    """Make the first commit of a repository.

    Args:
        answers: What was asked for.
        scaffolded: All human-owned files.
        blueprints: Blueprint to digest.
        sites: Environment to its sites.

    Raises:
        InputError: A site, with its environment and model, makes a name that is too long.
    """
    _check_names(answers, sites)
    files = dict(scaffolded)
    for environment, rows in sites.items():
        for number, start in enumerate(range(0, len(rows), SHARD_SIZE)):
            path = layout.shard(environment, f"s{number:03d}")
            files[path] = write_shard(rows[start : start + SHARD_SIZE])
    files[layout.REJECTED] = write_rejected(())
    files[layout.ANSWERS] = write_answers(answers)
    files[layout.LOCK] = write_lock(blueprints, scaffolded)
    total = sum(len(rows) for rows in sites.values())
    names = ", ".join(answers.environments)
    return ChangeSet("", files, f"start the fleet repository: {names}; {total} sites")


def _check_names(answers: Answers, sites: Mapping[str, Sequence[Site]]) -> None:
    problems = []
    for environment, rows in sites.items():
        for model in answers.models:
            for site in rows:
                try:
                    application_name(environment, model, site.id)
                except ValueError as error:
                    problems.append(Problem(str(error)))
    if problems:
        raise InputError.many(problems)


def add_model(
    repository: Repository,
    model: str,
    scaffolded: Mapping[RepoPath, bytes],
    blueprints: Mapping[str, str],
    asked: Asked,
) -> ChangeSet | None:
    """Add a model to every environment.

    Returns:
        The change; None when the model is there.

    Raises:
        InputError: A site's Application would have too long a name.
    """
    if model in repository.models():
        return None
    problems = []
    for environment in repository.environments():
        for site in repository.sites(environment):
            try:
                application_name(environment, model, site.id)
            except ValueError as error:
                problems.append(Problem(str(error)))
    if problems:
        raise InputError.many(problems)
    draft = Draft(repository.tree)
    draft.write(scaffolded)
    draft.write({layout.LOCK: _extend_lock(repository.tree, blueprints, scaffolded)})
    subject = f"{model}: a model for {', '.join(repository.environments())}"
    return ChangeSet(draft.commit, draft.changes(), subject, "", asked.trailers())


def write_answers(answers: Answers) -> bytes:
    """Write what `init` was told, so that running it again can tell whether that has changed."""
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Answers",
            "environments": [
                Row(name=name, type=kind.value) for name, kind in answers.environments.items()
            ],
            "models": list(answers.models),
            "image": answers.image,
            "registry": answers.registry,
            "prometheus": answers.prometheus,
            "remote": answers.remote,
            "branch": answers.branch,
            "interval": answers.interval,
        }
    )


def write_lock(blueprints: Mapping[str, str], files: Mapping[RepoPath, bytes]) -> bytes:
    """Write the digests of what cannot be computed again: blueprints and their output."""
    return _lock(blueprints, {path: _sha256(data) for path, data in files.items()})


def _lock(blueprints: Mapping[str, str], digests: Mapping[RepoPath, str]) -> bytes:
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Lock",
            "blueprints": [Row(name=n, digest=d) for n, d in sorted(blueprints.items())],
            "files": [Row(path=p, sha256=d) for p, d in sorted(digests.items())],
        }
    )


def read_lock(tree: Tree) -> tuple[Mapping[str, str], Mapping[RepoPath, str]]:
    """Read blueprint digests and file digests.

    Raises:
        InputError: The file is missing or invalid.
    """
    data = tree.read(layout.LOCK)
    if data is None:
        raise InputError("the file is missing", file=layout.LOCK)
    document = Document(layout.LOCK, data)
    top = document.top("Lock")
    blueprints, files = {}, {}
    for row in top.mappings("blueprints"):
        blueprints[row.value("name", str, "")] = row.value("digest", str, "")
        row.close()
    for row in top.mappings("files"):
        files[row.value("path", str, "")] = row.value("sha256", str, "")
        row.close()
    top.close()
    return document.finish(lambda: (blueprints, files))


def _extend_lock(
    tree: Tree, blueprints: Mapping[str, str], files: Mapping[RepoPath, bytes]
) -> bytes:
    old_blueprints, old_files = read_lock(tree)
    digests = {path: _sha256(data) for path, data in files.items()}
    return _lock({**old_blueprints, **blueprints}, {**old_files, **digests})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
