"""Stable and canary of a chart stand beside each other: told apart, and found by the route.

Argo CD applies both from one pointer. An object without the release in its name exists once, and
belongs to whichever was rendered last; a selector without it takes the pods of both.
"""

from collections.abc import Iterator

from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.manifests import ACTION, Source
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, templates, workloads
from generator.model.environment import Kind
from generator.render.helm import PORT

_LABEL = "tidegate.dev/release"
_SELECTORS = {
    "DaemonSet": ("spec", "selector", "matchLabels"),
    "Deployment": ("spec", "selector", "matchLabels"),
    "PodDisruptionBudget": ("spec", "selector", "matchLabels"),
    "Service": ("spec", "selector"),
    "StatefulSet": ("spec", "selector", "matchLabels"),
}


def twins(view: View) -> Iterator[Problem]:
    """Check the names, selectors and Services of every chart."""
    for load in workloads(view):
        if load.kind is Kind.CLOUD:
            for source in templates(view, load.model):
                for document in source.documents:
                    yield from _name(source, document)
                    yield from _selector(source, document)
            yield from _route(load)


def _name(source: Source, document: Node) -> Iterator[Problem]:
    name = document.text("metadata", "name")
    if name and ACTION not in name:
        text = f"stable and canary would both write the {document.text('kind')} {name!r}"
        hint = f'write name: "{name}-{{{{ .Values.release }}}}"'
        yield Problem(text, source.path, document.line_of("metadata", "name"), hint)


def _selector(source: Source, document: Node) -> Iterator[Problem]:
    path = _SELECTORS.get(document.text("kind"))
    found = document.entries(*path) if path else {}
    # What a helper puts in is not known here.
    if path and found and _LABEL not in found and b"include" not in source.data:
        text = f"this {document.text('kind')} takes the pods of stable and canary alike"
        hint = f'write {_LABEL}: "{{{{ .Values.release }}}}" into the selector'
        yield Problem(text, source.path, document.line_of(*path), hint)


def _route(load: Workload) -> Iterator[Problem]:
    services = [*load.of("Service")]
    named = [one for one in services if one.name in (ACTION, f"{load.model}-{ACTION}")]
    name = f"{load.model}-<release>"
    if services and not named:
        text = f"the route sends requests to the Service {name}, which is not here"
        hint = f'write name: "{load.model}-{{{{ .Values.release }}}}"'
        yield Problem(text, services[0].path, services[0].node.line_of("metadata", "name"), hint)
    elif named and not any(_listens(one) for one in named):
        text = f"the route sends requests to port {PORT} of {name}, which is not open"
        line = named[0].node.line_of("spec", "ports")
        yield Problem(text, named[0].path, line, f"write port: {PORT}")


def _listens(one: Object) -> bool:
    ports = one.node.items("spec", "ports")
    return not ports or any(row.text("port") in (str(PORT), ACTION) for row in ports)
