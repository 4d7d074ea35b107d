"""Pods that become ready, are found by what leads to them, and get what they ask for."""

from collections.abc import Iterable, Iterator, Mapping

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.manifests import ACTION, is_template
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, workloads
from generator.model.environment import Kind
from generator.render.kustomize import PLACEHOLDER

SPARE_S = 10  # what a request that has begun may still take
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")
_NO_POD = "no pod has these labels"


def serving(view: View) -> Iterator[Problem]:
    """Check ports, probes, selectors, accounts and the time to end, for every profile."""
    yield from dict.fromkeys(one for load in workloads(view) for one in _serving(load))


def _serving(load: Workload) -> Iterator[Problem]:
    for one in load.pods():
        if (spec := one.spec) is not None:
            yield from _probes(load, one, spec)
            yield from _grace(load, one, spec)
            yield from _account(load, one, spec)
    for one in load.of("Deployment"):
        yield from _own_selector(load, one)
    for one in load.of("Service"):
        yield from _service(load, one)
    for one in load.of("NetworkPolicy", "PodDisruptionBudget"):
        yield from _selecting(load, one)


def _at(load: Workload, one: Object, node: Node, text: str, hint: str) -> Problem:
    return Problem(text, load.home(one, node), node.line, hint)


def _probes(load: Workload, one: Object, spec: Node) -> Iterator[Problem]:
    for container in spec.items("containers"):
        name = container.text("name")
        for key in _PROBES:
            probe = container.at(key)
            if probe is None and container.text("image") in (PLACEHOLDER, ACTION):
                text = f"the container {name!r} has no {key}"
                yield _at(load, one, container, text, f"write {key}: what it asks, and how long")
        for key, node in container.walk():
            port = node.at("port") if key in _HANDLERS else None
            if port is not None and not _has_port([container], port.text()):
                text = f"a probe asks port {port.text()!r}, which the container {name!r} has not"
                yield _at(load, one, port, text, _ports_of([container]))


def _has_port(containers: Iterable[Node], port: str) -> bool:
    ports = (row for container in containers for row in container.items("ports"))
    return ACTION in port or any(port in (r.text("name"), r.text("containerPort")) for r in ports)


def _ports_of(containers: Iterable[Node]) -> str:
    rows = (row for container in containers for row in container.items("ports"))
    names = ", ".join(row.text("name") or row.text("containerPort") for row in rows)
    return f"name one of its ports: {names}" if names else "list the port under ports"


def _grace(load: Workload, one: Object, spec: Node) -> Iterator[Problem]:
    grace = spec.at("terminationGracePeriodSeconds")
    seconds = _number(grace) if grace is not None else 30
    waits = [(_number(node), node) for node in _sleeps(spec)]
    longest = max((wait for wait, _ in waits if wait is not None), default=0)
    if seconds is not None and seconds < longest + SPARE_S:
        node = grace if grace is not None else spec
        text = f"a pod gets {seconds} s to end, and waits {longest} s of them before it is told"
        hint = f"write terminationGracePeriodSeconds: {longest + SPARE_S} or more"
        yield _at(load, one, node, text, hint)


def _sleeps(spec: Node) -> Iterator[Node]:
    for container in spec.items("containers"):
        node = container.at("lifecycle", "preStop", "sleep", "seconds")
        if node is not None:
            yield node


def _number(node: Node) -> int | None:
    return int(node.text()) if node.text().isdecimal() and node.text().isascii() else None


def _account(load: Workload, one: Object, spec: Node) -> Iterator[Problem]:
    node = spec.at("serviceAccountName")
    if node is None or node.text() in ("", "default"):
        text = "the pod runs under the account that everything in the namespace shares"
        yield _at(load, one, node or spec, text, "write a ServiceAccount, and serviceAccountName")
    elif ACTION not in node.text() and node.text() not in {
        account.name for account in load.of("ServiceAccount")
    }:
        text = f"there is no ServiceAccount {node.text()!r}, so no pod would start"
        yield _at(load, one, node, text, "write it beside the Deployment")


# ------------------------------------------------------------------ labels


def _texts(node: Node | None) -> Mapping[str, str]:
    return {key: value.text() for key, value in node.entries().items()} if node else {}


def _own_selector(load: Workload, one: Object) -> Iterator[Problem]:
    node = one.node.at("spec", "selector", "matchLabels")
    if node is None or not _texts(node) or not _texts(node).items() <= one.labels.items():
        text = "the selector is not among the labels of the pods"
        yield _at(load, one, node or one.node, text, "write the same labels in both")


def _selected(load: Workload, labels: Mapping[str, str]) -> list[Node]:
    """Give the containers of the pods that have these labels."""
    found: list[Node] = []
    for one in load.pods():
        if labels.items() <= one.labels.items() and one.spec is not None:
            found += one.spec.items("containers")
    return found


def _service(load: Workload, one: Object) -> Iterator[Problem]:
    node = one.node.at("spec", "selector")
    if node is None:
        return  # it leads out of the cluster, or to endpoints that somebody else writes
    containers = _selected(load, _texts(node))
    if not containers:
        yield _at(load, one, node, f"the Service leads nowhere: {_NO_POD}", "mend its selector")
        return
    for row in one.node.items("spec", "ports"):
        port = row.at("targetPort") or row.at("port") or row
        if not _has_port(containers, port.text()):
            text = f"the Service leads to port {port.text()!r}, which no container has"
            yield _at(load, one, port, text, _ports_of(containers))


def _selecting(load: Workload, one: Object) -> Iterator[Problem]:
    key = "podSelector" if one.kind == "NetworkPolicy" else "selector"
    node = one.node.at("spec", key, "matchLabels")
    if node is None:
        return
    containers = _selected(load, _texts(node))
    if not containers:
        text = f"the {one.kind} is for nothing: {_NO_POD}"
        yield _at(load, one, node, text, "mend its selector")
    for rule in one.node.items("spec", "ingress") if containers else ():
        for row in rule.items("ports"):
            port = row.at("port")
            if port is not None and not _has_port(containers, port.text()):
                text = f"the NetworkPolicy opens port {port.text()!r}, which no container has"
                yield _at(load, one, port, text, _ports_of(containers))


# ------------------------------------------------------------------ accelerators


def accelerators(view: View) -> Iterator[Problem]:
    """Check that a pod with a card gets one: whole, tolerated, with its runtime class."""
    yield from dict.fromkeys(one for load in workloads(view) for one in _cards(view, load))


def is_card(resource: str) -> bool:
    """Say whether a resource is an accelerator."""
    name = resource.rpartition("/")[2]
    return "/" in resource and (name == "gpu" or resource.startswith(("nvidia.com/", "amd.com/")))


def _cards(view: View, load: Workload) -> Iterator[Problem]:
    for one in load.pods():
        for container in one.spec.items("containers") if one.spec is not None else ():
            if one.spec is not None and not is_template(one.path):
                yield from _card(load, one, one.spec, container.at("resources"))
    if load.kind is Kind.CLOUD:
        path = f"{layout.chart(load.model)}/values.yaml"
        for values in view.documents(path):
            yield from _card(load, Object(path, values), values, values.at("resources"))


def _card(load: Workload, one: Object, spec: Node, resources: Node | None) -> Iterator[Problem]:
    limits = resources.entries("limits") if resources is not None else {}
    asked = resources.entries("requests") if resources is not None else {}
    for name in (name for name in asked if is_card(name)):
        if name not in limits or limits[name].text() != asked[name].text():
            text = f"{name} is requested without the same limit, which no API server takes"
            yield _at(load, one, asked[name], text, f"write {name} under limits only")
    for name, node in limits.items():
        if is_card(name) and node.text() != "0":
            yield from _lacking(load, one, spec, (name, node))


def _lacking(load: Workload, one: Object, spec: Node, card: tuple[str, Node]) -> Iterator[Problem]:
    name, node = card
    if not _number(node):
        yield _at(load, one, node, f"{name}: {node.text()} is no whole card", 'write "1"')
    if not any(_tolerates(row, name) for row in spec.items("tolerations")):
        text = f"the pod asks for {name}, and is not let onto nodes that are kept for that"
        hint = f"write tolerations: [{{key: {name}, operator: Exists, effect: NoSchedule}}]"
        yield _at(load, one, node, text, hint)
    is_nvidia = name.startswith("nvidia.com/")
    if load.kind is Kind.EDGE and is_nvidia and not spec.text("runtimeClassName"):
        text = f"the pod asks for {name}, and K3s starts it without the runtime of the card"
        yield _at(load, one, node, text, "write runtimeClassName: nvidia")


def _tolerates(row: Node, name: str) -> bool:
    key, effect = row.text("key"), row.text("effect")
    is_any = row.text("operator") == "Exists"
    return effect in ("", "NoSchedule") and (key == name or (not key and is_any))
