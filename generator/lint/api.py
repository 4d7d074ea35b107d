"""Objects of the form that the API server of a site takes.

Argo CD and Flux apply on the server, which refuses an object with one key it does not know, or a
text where a number belongs; every site would say so, and none before the release is there.
"""

import difflib
import re
from collections.abc import Iterator, Mapping

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.lint.fields import FIELDS, KINDS, VERSION
from generator.lint.manifests import ACTION, KUSTOMIZATIONS, Source, originals, read_patch, scan
from generator.lint.syntax import doubt
from generator.lint.view import View

_NULLS = ("", "~", "null")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SCALARS = {
    "bool": (re.compile("true|false"), "true or false"),
    "float": (_NUMBER, "a number"),
    "int": (re.compile(r"-?[0-9]{1,18}", re.ASCII), "a whole number, without quotes"),
}
_QUANTITY = re.compile(
    r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?", re.ASCII
)
_PORTS = frozenset({"containerPort", "endPort", "hostPort", "nodePort", "port", "targetPort"})
_SIGNED = frozenset({"priority", "value"})
_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Container", "imagePullPolicy"): ("Always", "IfNotPresent", "Never"),
    ("ContainerPort", "protocol"): ("SCTP", "TCP", "UDP"),
    ("DeploymentStrategy", "type"): ("Recreate", "RollingUpdate"),
    ("NetworkPolicyPort", "protocol"): ("SCTP", "TCP", "UDP"),
    ("PodSpec", "dnsPolicy"): ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    ("PodSpec", "restartPolicy"): ("Always", "Never", "OnFailure"),
    ("SeccompProfile", "type"): ("Localhost", "RuntimeDefault", "Unconfined"),
    ("ServicePort", "protocol"): ("SCTP", "TCP", "UDP"),
    ("ServiceSpec", "type"): ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    ("Toleration", "effect"): ("NoExecute", "NoSchedule", "PreferNoSchedule"),
    ("Toleration", "operator"): ("Equal", "Exists", "Gt", "Lt"),
}
_REFUSED = "the API server refuses the whole object"


def api(view: View) -> Iterator[Problem]:
    """Check objects of bases and charts, patches of profiles, what K3s applies, the reconciler."""
    beside = [path for path in view.ids(layout.ENVIRONMENTS) if "/k3s/manifests/" in path]
    beside += view.ids(layout.RECONCILER)
    yield from scan(view, (*originals(view), *beside), _api)


def _api(source: Source) -> Iterator[Problem]:
    if source.name not in KUSTOMIZATIONS:
        for document in source.documents:
            yield from _object(document)
        return
    for document in source.documents:
        for patch in document.items("patches"):
            for inner in read_patch(patch.text("patch")):
                for one in _object(inner):
                    yield Problem(one.message, line=patch.line, hint=one.hint)


def _object(document: Node) -> Iterator[Problem]:
    kind, version = document.text("kind"), document.text("apiVersion")
    wanted = KINDS.get(kind)
    if wanted is None:
        return
    group = version.rpartition("/")[0]
    if ("." in group and not group.endswith(".k8s.io")) or ACTION in version:
        return  # the kind of somebody else, such as a Service of Knative
    if version and version != wanted:
        text = f"Kubernetes {VERSION} has no {kind} of {version!r}"
        yield Problem(text, line=document.line_of("apiVersion"), hint=f"write {wanted}")
        return
    yield from _value(document, kind, kind, "")


def _value(node: Node, wanted: str, owner: str, key: str) -> Iterator[Problem]:
    """Hold a value against the type of its place."""
    text = ""
    if isinstance(node.value, str):
        text = _scalar(node, wanted, owner, key)
    elif isinstance(node.value, tuple) and wanted[0] == "[":
        for one in node.value:
            yield from _value(one, wanted[1:-1], owner, key)
    elif isinstance(node.value, Mapping) and (wanted[0] == "{" or wanted in FIELDS):
        yield from _entries(node, wanted)
    elif wanted != "any":
        text = f"a {'list' if isinstance(node.value, tuple) else 'mapping'} stands here"
    if text:
        yield Problem(f"{key}: {text}", line=node.line, hint=_REFUSED)


def _entries(node: Node, wanted: str) -> Iterator[Problem]:
    known = FIELDS.get(wanted)
    for key, one in node.entries().items():
        if key.startswith("$") or ACTION in key:
            continue  # a directive of a patch; what Helm puts in
        if known is None:
            yield from _value(one, wanted[1:-1], "", key)
        elif key in known:
            yield from _value(one, known[key], wanted, key)
        else:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else _REFUSED
            text = f"Kubernetes {VERSION} knows no {key!r} in a {wanted}"
            yield Problem(text, line=one.line, hint=hint)


def _scalar(node: Node, wanted: str, owner: str, key: str) -> str:
    text = node.text()
    if ACTION in text or wanted == "any" or (node.is_plain and (text in _NULLS or doubt(text))):
        return ""  # the rule `yaml` tells what is read in two ways
    return _form(node, wanted, key) or _bounds(node, owner, key)


def _form(node: Node, wanted: str, key: str) -> str:
    text, found = node.text(), ""
    if wanted in _SCALARS:
        found = _number(node, wanted, key)
    elif wanted == "quantity" and not _QUANTITY.fullmatch(text):
        found = f"{text!r} is no quantity, such as 500m or 2Gi"
    elif wanted == "text" and node.is_plain and _is_other(text):
        found = f"{text} is read as something else than text: put it in quotes"
    elif wanted not in ("port", "quantity", "text"):
        found = f"{text!r} stands where more is wanted"
    return found


def _number(node: Node, wanted: str, key: str) -> str:
    pattern, words = _SCALARS[wanted]
    if not node.is_plain or not pattern.fullmatch(node.text()):
        return f"{node.text()!r} is not {words}"
    is_low = node.text().startswith("-") and key not in _SIGNED
    return f"{node.text()} is less than 0" if is_low else ""


def _bounds(node: Node, owner: str, key: str) -> str:
    text = node.text()
    words = _WORDS.get((owner, key))
    if words and text not in words:
        return f"{text!r} is none of {', '.join(words)}"
    is_number = node.is_plain and text.isdecimal()
    if key in _PORTS and is_number and not 0 < int(text[:9]) < 65536:
        return f"{text} is no port"
    return ""


def _is_other(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) or text in ("true", "false", "True", "False")
