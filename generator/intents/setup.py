"""A new repository, or a new model in one: what to scaffold, and the first commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from generator import layout
from generator.changes import ChangeSet, Draft, Tree
from generator.documents.answers import read_answers, write_answers
from generator.documents.config import write_rejected
from generator.documents.lock import EMPTY, Lock, read_lock, write_lock
from generator.documents.sites import SHARD_SIZE, write_shard
from generator.errors import InputError, Problem
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.answers import Answers
from generator.model.blueprint import Answer, Stamp
from generator.model.environment import Kind
from generator.model.names import application_name, clashes, say_clash
from generator.model.site import Site
from generator.repository import Repository

Inputs = Mapping[str, Answer]
Piece = tuple[str, Inputs]


def pieces(answers: Answers) -> Sequence[Piece]:
    """List the blueprints to scaffold, with their inputs."""
    whole: Inputs = {
        "branch": answers.branch,
        "remote": answers.remote,
        "registry": answers.registry,
        "images": [answers.image.partition("@")[0]] if answers.image else [],
        "artifacts": ["file:" if answers.registry.startswith("sqlite:") else "mlflow-artifacts:"],
    }
    runs: Inputs = {"remote": answers.remote, "prometheus": answers.prometheus}
    found: list[Piece] = [("repository", whole), ("reconciler", runs)]
    for name, kind in answers.environments.items():
        inputs: Inputs = {
            "environment": name,
            "prometheus": answers.prometheus,
            "interval": answers.interval,
        }
        found.append((f"environment-{kind}", inputs))
    for model in answers.models:
        found += model_pieces(model, answers.environments, answers.image_of(model))
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
    blueprints: Mapping[str, Stamp],
    sites: Mapping[str, Sequence[Site]],
) -> ChangeSet:
    """Make the first commit of a repository.

    Args:
        answers: What was asked for.
        scaffolded: All human-owned files.
        blueprints: Which blueprints wrote them.
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
    files.update(remember(EMPTY, scaffolded, blueprints))
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
    lines = {(env, model): {s.id for s in sites[env]} for env in sites for model in answers.models}
    problems += [Problem(say_clash(*pair)) for pair in clashes(lines)]
    if problems:
        raise InputError.many(problems)


def add_model(
    repository: Repository,
    model: str,
    image: str,
    scaffolded: Mapping[RepoPath, bytes],
    blueprints: Mapping[str, Stamp],
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
    ids = {name: {one.id for one in repository.sites(name)} for name in repository.environments()}
    lines = {(name, one): ids[name] for name in ids for one in (*repository.models(), model)}
    problems += [Problem(say_clash(*pair)) for pair in clashes(lines)]
    if problems:
        raise InputError.many(problems)
    draft = Draft(repository.tree)
    draft.write(scaffolded)
    draft.write(remember(lock_of(repository.tree), scaffolded, blueprints))
    draft.write({layout.ANSWERS: write_answers(_with_model(repository.tree, model, image))})
    subject = f"{model}: a model for {', '.join(repository.environments())}"
    return ChangeSet(draft.commit, draft.changes(), subject, "", asked.trailers())


def _with_model(tree: Tree, model: str, image: str) -> Answers:
    answers = answers_of(tree)
    own = {**answers.own_images, **({model: image} if image != answers.image else {})}
    return replace(answers, models=(*answers.models, model), own_images=own)


def answers_of(tree: Tree) -> Answers:
    """Read what the repository was made from.

    Raises:
        InputError: The file is missing or invalid.
    """
    return read_answers(layout.ANSWERS, _needed(tree, layout.ANSWERS))


def lock_of(tree: Tree) -> Lock:
    """Read which blueprints wrote what.

    Raises:
        InputError: The file is missing or invalid.
    """
    return read_lock(layout.LOCK, _needed(tree, layout.LOCK))


def _needed(tree: Tree, path: RepoPath) -> bytes:
    data = tree.read(path)
    if data is None:
        hint = f"restore it: git log --diff-filter=D -- {path} names the commit that deleted it"
        raise InputError("the file is missing", file=path, hint=hint)
    return data


def remember(
    lock: Lock, scaffolded: Mapping[RepoPath, bytes], blueprints: Mapping[str, Stamp]
) -> Mapping[RepoPath, bytes]:
    """Keep what blueprints wrote, so that an update can tell it from what people edited.

    Args:
        lock: What is remembered already.
        scaffolded: Path to what a blueprint wrote there.
        blueprints: Which blueprints.

    Returns:
        The lock, and a copy of every file below `.tidegate/pristine/`.
    """
    copies = {layout.pristine(path): data for path, data in scaffolded.items()}
    return {layout.LOCK: write_lock(lock.extend(blueprints, scaffolded)), **copies}
