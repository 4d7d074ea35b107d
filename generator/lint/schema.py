"""Every file of a known place keeps to its closed schema."""

from collections.abc import Iterator
from functools import partial

from generator import layout
from generator.documents.answers import read_answers
from generator.errors import Problem
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
        view.attempt(layout.ANSWERS, partial(read_answers, layout.ANSWERS, data))
        yield layout.ANSWERS
    if view.tree.read(layout.LOCK) is not None:
        view.lock()
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
