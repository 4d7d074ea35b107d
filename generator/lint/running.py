"""A release runs on the sites that get it: somewhere, at once, and with the link down."""

from collections.abc import Iterable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.manifests import KUSTOMIZATIONS, Source, originals, read_patch, scan
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, workloads
from generator.model.environment import Kind

_NONE = "nothing would run on any site"


def running(view: View) -> Iterator[Problem]:
    """Check what switches a model off, for every profile and every chart."""
    yield from dict.fromkeys(one for load in workloads(view) for one in _running(view, load))
    yield from scan(view, originals(view), _kustomization)


def _running(view: View, load: Workload) -> Iterator[Problem]:
    for one in load.of("Deployment", "StatefulSet"):
        for node, text, hint in _stopped(one.node):
            yield Problem(text, load.home(one, node), node.line, hint)
    if load.kind is Kind.EDGE:
        for one in load.pods():
            yield from _pulled(load, one)
    else:
        path = f"{layout.chart(load.model)}/values.yaml"
        for values in view.documents(path):
            low = values.at("autoscaling", "minReplicas")
            if low is not None and low.text() == "0":
                yield Problem(f"minReplicas: 0: {_NONE}", path, low.line, "write 1 or more")


def _stopped(document: Node) -> Iterator[tuple[Node, str, str]]:
    replicas = document.at("spec", "replicas")
    paused = document.at("spec", "paused")
    if replicas is not None and replicas.text() == "0":
        yield replicas, f"replicas: 0: {_NONE}", "write 1 or more; tidegate revert goes back"
    if paused is not None and paused.is_true:
        text = "paused: no site would start the pods of a release, or of a revert"
        yield paused, text, "take it away; tidegate pause holds a rollout"


def _pulled(load: Workload, one: Object) -> Iterator[Problem]:
    for container in one.spec.items("containers") if one.spec is not None else ():
        node = container.at("imagePullPolicy")
        if node is not None and node.text() in ("Always", "Never"):
            why = "asks the registry at every start, and a site may be offline"
            if node.text() == "Never":
                why = "starts nothing where the image was not there before"
            text = f"imagePullPolicy: {node.text()} {why}"
            yield Problem(text, load.home(one, node), node.line, "write IfNotPresent")


def _kustomization(source: Source) -> Iterator[Problem]:
    """Look at the two ways of a kustomization to change a number without a manifest."""
    if source.name not in KUSTOMIZATIONS:
        return
    for document in source.documents:
        for row in document.items("replicas"):
            if row.text("count") == "0":
                yield Problem(f"count: 0: {_NONE}", line=row.line, hint="write 1 or more")
        for patch in document.items("patches"):
            for text in _operations(read_patch(patch.text("patch"))):
                yield Problem(text, line=patch.line, hint="take it away")


def _operations(patches: Iterable[Node]) -> Iterator[str]:
    for patch in patches:
        for operation in patch.items():
            path, value = operation.text("path"), operation.at("value")
            if path == "/spec/replicas" and value is not None and value.text() == "0":
                yield f"replicas: 0: {_NONE}"
            elif path == "/spec/paused" and value is not None and value.is_true:
                yield "paused: no site would start the pods of a release, or of a revert"
