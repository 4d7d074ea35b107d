"""How many pods run: one hand on the number, and a node that can always be drained."""

import math
import re
from collections.abc import Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.manifests import ACTION, is_template
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, workloads
from generator.model.environment import Kind

_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_REPLICAS = re.compile(r"^.*\n[ ]*replicas:", re.MULTILINE)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,3})%", re.ASCII)


def scaling(view: View) -> Iterator[Problem]:
    """Check autoscalers, fixed numbers and disruption budgets."""
    for load in workloads(view):
        yield from _numbers(view, load)
        yield from _targets(load)
        for one in load.of("PodDisruptionBudget"):
            yield from _budget(view, load, one)
        if load.kind is Kind.CLOUD:
            yield from _values(view, load)


def _at(load: Workload, one: Object, node: Node, text: str, hint: str) -> Problem:
    return Problem(text, load.home(one, node), node.line, hint)


def _numbers(view: View, load: Workload) -> Iterator[Problem]:
    scaled = {one.node.text("spec", "scaleTargetRef", "name") for one in load.of(*_SCALERS)}
    for one in load.of("Deployment", "StatefulSet"):
        node = one.node.at("spec", "replicas")
        if node is not None and one.name in scaled and _is_fixed(view, one, node):
            text = "replicas stand here, and an autoscaler sets them too: each undoes the other"
            hint = "take replicas away" if not is_template(one.path) else _CONDITION
            yield _at(load, one, node, text, hint)


_CONDITION = "write it under {{- if not .Values.autoscaling.enabled }}"


def _is_fixed(view: View, one: Object, node: Node) -> bool:
    """Say whether the number is always there; in a template a condition may stand above it."""
    if ACTION not in node.text() and not is_template(one.path):
        return True
    text = view.read(one.path).decode("utf-8", "replace")
    found = _REPLICAS.search(text)
    return found is not None and "{{" not in found.group().split("\n")[0]


def _targets(load: Workload) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for one in load.of(*_SCALERS):
        target = one.node.at("spec", "scaleTargetRef") or one.node
        name = target.text("name")
        kinds = (target.text("kind"),) if target.text("kind") else ("Deployment",)
        if name not in {each.name for each in load.of(*kinds)}:
            text = f"the {one.kind} scales {name!r}, which is not here"
            yield _at(load, one, target, text, "name the Deployment")
        elif name in seen:
            text = f"a {seen[name]} scales {name!r} already, and this {one.kind} undoes it"
            yield _at(load, one, target, text, "keep one of them")
        seen[name] = one.kind
        low, high = (_whole(one.node.text("spec", key)) for key in ("minReplicas", "maxReplicas"))
        if low is not None and high is not None and low > high:
            node = one.node.at("spec", "minReplicas") or one.node
            text = f"minReplicas {low} is more than maxReplicas {high}"
            yield _at(load, one, node, text, "no API server takes this: change one of them")


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _values(view: View, load: Workload) -> Iterator[Problem]:
    path = f"{layout.chart(load.model)}/values.yaml"
    for values in view.documents(path):
        at = ("autoscaling", "minReplicas")
        low, high = _whole(values.text(*at)), _whole(values.text("autoscaling", "maxReplicas"))
        if low is not None and high is not None and low > high:
            text = f"minReplicas {low} is more than maxReplicas {high}"
            hint = "no API server takes this: change one of them"
            yield Problem(text, path, values.line_of(*at), hint)


# ------------------------------------------------------------------ budgets


def _budget(view: View, load: Workload, one: Object) -> Iterator[Problem]:
    for key in ("maxUnavailable", "minAvailable"):
        node = one.node.at("spec", key)
        if node is None or ACTION in node.text():
            continue
        fewest = _fewest(view, load)
        free = _count(node.text(), fewest)
        if key == "minAvailable":
            free = fewest - free
        if free < 1:
            text = f"{key}: {node.text()} lets none of {fewest} go, so no node can be drained"
            yield _at(load, one, node, text, "write maxUnavailable: 1")
    policy = one.node.at("spec", "unhealthyPodEvictionPolicy")
    if policy is None or policy.text() != "AlwaysAllow":
        text = "pods that never became ready keep a node from being drained"
        hint = "write unhealthyPodEvictionPolicy: AlwaysAllow"
        yield _at(load, one, policy or one.node, text, hint)


def _count(text: str, whole: int) -> int:
    share = _SHARE.fullmatch(text)
    if share is None:
        return _whole(text) or 0
    # Kubernetes rounds both up.
    return math.ceil(int(share[1]) * whole / 100)


def _fewest(view: View, load: Workload) -> int:
    """Find the fewest pods that ever run."""
    found = [_whole(one.node.text("spec", "minReplicas")) for one in load.of(*_SCALERS)]
    if load.kind is Kind.CLOUD:
        documents = view.documents(f"{layout.chart(load.model)}/values.yaml")
        found += [_whole(one.text("autoscaling", "minReplicas")) for one in documents]
    if not any(load.of(*_SCALERS)):
        found += [_whole(one.node.text("spec", "replicas")) for one in load.of("Deployment")]
    return min((one for one in found if one is not None), default=1)
