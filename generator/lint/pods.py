"""Pods that a namespace with `pod-security: restricted` lets in.

Argo CD calls a Deployment whose pods are refused healthy for two minutes; so it is checked here.
Source: the Pod Security Standards of Kubernetes, profile restricted.
"""

from collections.abc import Callable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.manifests import (
    ACTION,
    Source,
    containers,
    is_template,
    models_of,
    originals,
    pod_spec,
    read_patch,
    scan,
    sources,
)
from generator.lint.view import View
from generator.model.environment import Kind

_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "name",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_HOST = ("hostIPC", "hostNetwork", "hostPID", "hostProcess")
_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
_RESOURCES = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
_REFUSED = "the namespace of the sites refuses such a pod"


def pods(view: View) -> Iterator[Problem]:
    """Look at every pod of a base or chart, and at what every profile patches into it."""
    yield from scan(view, originals(view), _pods)


def _pods(source: Source) -> Iterator[Problem]:
    for document in source.documents:
        yield from _weakened(document) if source.is_profile else weaknesses(document)
        for patch in document.items("patches"):
            for inner in read_patch(patch.text("patch")):
                found = [*_weakened(inner), *_operations(inner)]
                yield from (Problem(one.message, line=patch.line, hint=one.hint) for one in found)


def weaknesses(document: Node) -> Iterator[Problem]:
    """Find why the namespace refuses the pods of a whole object."""
    yield from _weakened(document)
    spec = pod_spec(document)
    if spec is not None:
        yield from _lacking(spec)


def hardening(view: View) -> Iterator[Problem]:
    """Look for what no namespace demands, and every model server should have."""
    yield from scan(view, originals(view), _hardening)
    for kind, folder in ((Kind.EDGE, layout.base), (Kind.CLOUD, layout.chart)):
        for model in sorted(models_of(view, kind)):
            found = tuple(sources(view, view.ids(folder(model))))
            kinds = {one.text("kind") for source in found for one in source.documents}
            if found and "NetworkPolicy" not in kinds:
                hint = "write one: the model server is asked by few and asks nobody"
                yield Problem("there is no NetworkPolicy", folder(model), hint=hint)


def _hardening(source: Source) -> Iterator[Problem]:
    specs = (pod_spec(document) for document in source.documents)
    for spec in specs if not source.is_profile else ():
        if spec is None:
            continue
        if spec.text("automountServiceAccountToken") != "false":
            text = "the pod gets a token of the API server"
            yield Problem(text, line=spec.line, hint="write automountServiceAccountToken: false")
        for container in spec.items("containers"):
            for text, hint in _soft(container, is_template=is_template(source.path)):
                yield Problem(text, line=container.line, hint=hint)


def _soft(container: Node, *, is_template: bool) -> Iterator[tuple[str, str]]:
    name = container.text("name")
    read_only = container.at("securityContext", "readOnlyRootFilesystem")
    if read_only is None or not read_only.is_true:
        yield f"the container {name!r} can write its own files", "readOnlyRootFilesystem: true"
    # In a template the resources come from the values, as a block that is not known here.
    if is_template and container.at("resources") is None:
        yield f"the container {name!r} may take what it can", "write resources"
    for path in () if is_template else _RESOURCES:
        if not container.text("resources", *path):
            words = ".".join(("resources", *path))
            yield f"the container {name!r} has no {words}", f"write {words}"


def _weakened(document: Node) -> Iterator[Problem]:
    """Find what is not allowed in a pod, in a whole object or a patch of one."""
    for key, node in document.walk():
        for text in _forbidden(key, node):
            yield Problem(text, line=node.line, hint=_REFUSED)


def _operations(patch: Node) -> Iterator[Problem]:
    for operation in patch.items():
        key, value = operation.text("path").rpartition("/")[2], operation.at("value")
        for text in _forbidden(key, value) if value is not None else ():
            yield Problem(text, line=operation.line, hint=_REFUSED)


def _forbidden(key: str, node: Node) -> Iterator[str]:
    text = node.text()
    is_harmful = {
        "privileged": node.is_true,
        "allowPrivilegeEscalation": node.is_true,
        "runAsNonRoot": bool(text) and not node.is_true and text != ACTION,
        "runAsUser": text == "0",
        "hostPath": bool(node.entries()),
        "hostPort": text not in ("", "0", ACTION),
        "procMount": text not in ("", "Default", ACTION),
        **dict.fromkeys(_HOST, node.is_true),
    }
    if is_harmful.get(key):
        yield f"{key}: {text}" if text else key
    if key in ("seccompProfile", "appArmorProfile") and node.text("type") == "Unconfined":
        yield f"{key}: Unconfined"
    yield from _listed(key, node)


def _listed(key: str, node: Node) -> Iterator[str]:
    match key:
        case "capabilities":
            added = (name for name in node.texts("add") if name not in ("NET_BIND_SERVICE", ACTION))
            yield from (f"capabilities.add: {name}" for name in added)
        case "volumes":
            kinds = (kind for volume in node.items() for kind in volume.entries())
            yield from (f"a volume of the kind {kind}" for kind in kinds if kind not in _VOLUMES)
        case "sysctls":
            names = (row.text("name") for row in node.items())
            yield from (f"sysctls: {name}" for name in names if name and name not in _SYSCTLS)
        case _:
            pass


def _lacking(spec: Node) -> Iterator[Problem]:
    """Find what has to be said, for the pod or for every container."""
    demands: tuple[tuple[str, Callable[[Node], bool], bool], ...] = (
        ("runAsNonRoot: true", _is_not_root, True),
        ("seccompProfile: {type: RuntimeDefault}", _is_confined, True),
        ("allowPrivilegeEscalation: false", _cannot_rise, False),
        ("capabilities: {drop: [ALL]}", _has_dropped, False),
    )
    for words, holds, may_be_for_all in demands:
        context = spec.at("securityContext")
        if may_be_for_all and context is not None and holds(context):
            continue
        for container in containers(spec):
            own = container.at("securityContext")
            if own is None or not holds(own):
                name = container.text("name")
                text = f"the container {name!r} lacks securityContext {words}"
                yield Problem(text, line=container.line, hint=_REFUSED)


def _is_not_root(context: Node) -> bool:
    found = context.at("runAsNonRoot")
    return found is not None and found.is_true


def _is_confined(context: Node) -> bool:
    return context.text("seccompProfile", "type") in ("RuntimeDefault", "Localhost")


def _cannot_rise(context: Node) -> bool:
    found = context.at("allowPrivilegeEscalation")
    return found is not None and found.text().lower() in ("false", "no", "off", "n")


def _has_dropped(context: Node) -> bool:
    return "ALL" in context.texts("capabilities", "drop")
