"""What a model applies is of a kind that its AppProject lists."""

from collections.abc import Iterable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import ACTION, Source, is_template, models_of, scan, sources
from generator.lint.objects import listed
from generator.lint.view import View
from generator.model.environment import Environment, Kind
from generator.render import argocd


def kinds(view: View) -> Iterator[Problem]:
    """Check the objects of every base, and those of every chart as far as they can be read."""
    for kind, look in ((Kind.EDGE, _edge), (Kind.CLOUD, _cloud)):
        for model in sorted(models_of(view, kind)):
            yield from scan(view, _paths(view, kind, model), look)


def _paths(view: View, kind: Kind, model: str) -> Iterable[RepoPath]:
    if kind is Kind.CLOUD:
        return [path for path in view.ids(layout.chart(model)) if is_template(path)]
    base = layout.base(model)
    return listed(tuple(sources(view, view.ids(base))), base)


def _edge(source: Source) -> Iterable[Problem]:
    return _kinds(Kind.EDGE, source)


def _cloud(source: Source) -> Iterable[Problem]:
    return _kinds(Kind.CLOUD, source)


def _kinds(kind: Kind, source: Source) -> Iterator[Problem]:
    allowed = argocd.kinds(Environment("any", kind))
    for document in source.documents:
        group, name = _group(document), document.text("kind")
        if name == "Secret":
            continue  # the rule `secrets` says more about it
        if name and ACTION not in group + name and (group, name) not in allowed:
            text = f"{name} of {group or 'the core API'} is no kind that the project lets through"
            known = ", ".join(sorted(name for _, name in allowed))
            yield Problem(text, line=document.line_of("kind"), hint=f"take it away; known: {known}")


def _group(document: Node) -> str:
    group, slash, _ = document.text("apiVersion").partition("/")
    return group if slash else ""
