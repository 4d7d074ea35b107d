"""Every file of a known place keeps to its closed schema."""

from collections.abc import Callable, Iterable, Iterator

from generator import layout
from generator.documents.config import read_config, read_environment, read_rejected
from generator.documents.model import read_model
from generator.documents.reading import Document
from generator.documents.rollout import read_cohort, read_rollout
from generator.documents.sites import read_shard
from generator.errors import InputError, Problem
from generator.intents.setup import read_lock
from generator.layout import RepoPath
from generator.lint.view import View

Read = Callable[[RepoPath, bytes], object]


def schema(view: View) -> Iterator[Problem]:
    """Read every file that has a schema; release.yaml belongs to the rule `release`."""
    if view.tree.read(layout.CONFIG) is None:
        hint = "run this inside a repository made by `tidegate init`"
        yield Problem("the file is missing", layout.CONFIG, hint=hint)
    for path, read in _readers(view):
        data = view.tree.read(path)
        if data is not None:
            yield from _problems(path, data, read)


def _problems(path: RepoPath, data: bytes, read: Read) -> Iterable[Problem]:
    try:
        read(path, data)
    except InputError as error:
        return error.problems
    return ()


def _readers(view: View) -> Iterator[tuple[RepoPath, Read]]:
    yield layout.CONFIG, read_config
    yield layout.REJECTED, read_rejected
    yield layout.ANSWERS, _read_answers
    yield layout.LOCK, lambda _, __: read_lock(view.tree)
    for name in view.environments():
        yield layout.environment(name), _named(read_environment, name)
        for stem in view.shards(name):
            yield layout.shard(name, stem), _named(read_shard, stem)
    for name in view.models():
        yield layout.model(name), _named(read_model, name)
    for environment, model in view.lines():
        yield layout.rollout(environment, model), _line(environment, model)
        yield layout.cohort(environment, model), read_cohort


def _named(read: Callable[[RepoPath, bytes, str], object], name: str) -> Read:
    return lambda path, data: read(path, data, name)


def _line(environment: str, model: str) -> Read:
    return lambda path, data: read_rollout(path, data, environment, model)


def _read_answers(path: RepoPath, data: bytes) -> None:
    document = Document(path, data)
    top = document.top("Answers")
    for row in top.mappings("environments"):
        row.value("name", str, "", required=True)
        row.value("type", str, "", required=True)
        row.close()
    top.texts("models", str)
    for name in ("image", "registry", "prometheus", "remote", "branch", "interval"):
        top.value(name, str, "")
    top.close()
    document.finish(lambda: None)
