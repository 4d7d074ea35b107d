"""Every file of a known place keeps to its closed schema."""

from collections.abc import Iterator
from functools import partial

from generator import layout
from generator.documents.reading import Document
from generator.errors import Problem
from generator.intents.setup import read_lock
from generator.layout import RepoPath
from generator.lint.view import View


def schema(view: View) -> Iterator[Problem]:
    """Read every file that has a schema; release.yaml belongs to the rule `release`."""
    for path in _read(view):
        yield from view.problems(path)


def _read(view: View) -> Iterator[RepoPath]:
    view.config()
    yield layout.CONFIG
    view.rejected()
    yield layout.REJECTED
    data = view.tree.read(layout.ANSWERS)
    if data is not None:
        view.attempt(layout.ANSWERS, partial(_read_answers, layout.ANSWERS, data))
        yield layout.ANSWERS
    if view.tree.read(layout.LOCK) is not None:
        view.attempt(layout.LOCK, lambda: read_lock(view.tree))
        yield layout.LOCK
    for name in view.environments():
        view.environment(name)
        yield layout.environment(name)
        for stem in view.shards(name):
            view.shard(name, stem)
            yield layout.shard(name, stem)
    for name in view.models():
        view.model(name)
        yield layout.model(name)
    for environment, model in view.lines():
        view.rollout(environment, model)
        yield layout.rollout(environment, model)
        view.cohort(environment, model)
        yield layout.cohort(environment, model)


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
