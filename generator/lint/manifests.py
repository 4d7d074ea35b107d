"""Kubernetes manifests that people own: which files hold them, and the pods they describe.

A Helm template is no YAML. It is read after its actions are taken out, line by line, which is
near enough to find what stands in it as text; one that still cannot be read is left to Helm.
"""

import re
from collections.abc import Iterable, Iterator

from generator import layout
from generator.errors import InputError
from generator.layout import RepoPath
from generator.lint.nodes import Node, read_documents
from generator.lint.view import View

ACTION = "TEMPLATE"
_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_ENDINGS = (".yaml", ".yml", ".json", "/Kustomization")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_POD_SPECS = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "Pod": ("spec",),
    "ReplicaSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
}
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def is_template(path: RepoPath) -> bool:
    """Say whether Helm reads a file as a template."""
    return "/chart/templates/" in path


def is_manifest(path: RepoPath) -> bool:
    """Say whether a file should hold YAML."""
    return path.endswith(_ENDINGS)


def sources(view: View) -> tuple[RepoPath, ...]:
    """List the files of models that are copied into a release."""
    folders = [
        f"{folder(model)}/"
        for model in view.models()
        for folder in (layout.base, layout.profiles, layout.chart)
    ]
    return tuple(path for path in view.ids(layout.MODELS) if path.startswith(tuple(folders)))


def copies(view: View) -> tuple[RepoPath, ...]:
    """List the files of releases that were copied from models."""
    return tuple(
        path
        for path in view.ids(layout.RELEASES)
        if path.count("/") > 4 and path.split("/")[4] in ("base", "components", "chart")
    )


def read_manifest(path: RepoPath, data: bytes) -> tuple[Node, ...]:
    """Read the objects of a manifest, those inside a List one by one.

    Raises:
        InputError: It cannot be read; never for a template.
    """
    if not is_template(path):
        return tuple(_flatten(read_documents(path, _untabbed(path, data))))
    try:
        text = _without_actions(data.decode("utf-8", "replace"))
        return tuple(_flatten(read_documents(path, text.encode())))
    except InputError:
        return ()


def try_manifest(path: RepoPath, data: bytes) -> tuple[Node, ...]:
    """Read the objects of a manifest; none where it cannot be read."""
    try:
        return read_manifest(path, data) if is_manifest(path) else ()
    except InputError:
        return ()


def _untabbed(path: RepoPath, data: bytes) -> bytes:
    # JSON may be indented with tabs, YAML may not.
    return data.replace(b"\t", b"  ") if path.endswith(".json") else data


def _without_actions(text: str) -> str:
    return "\n".join(_without_action(line) for line in _ACTION.sub(_mark, text).split("\n"))


def _mark(action: re.Match[str]) -> str:
    return ACTION + "\n" * action.group().count("\n")


def _without_action(line: str) -> str:
    # A line of actions alone is control flow, or puts in a block that is not known here.
    return "" if line.strip() and not line.replace(ACTION, "").strip() else line


def _flatten(documents: Iterable[Node]) -> Iterator[Node]:
    for one in documents:
        if one.text("kind").endswith("List") and one.items("items"):
            yield from one.items("items")
        else:
            yield one


def pod_spec(document: Node) -> Node | None:
    """Find the pod that an object makes; None where it makes none."""
    path = _POD_SPECS.get(document.text("kind"))
    return document.at(*path) if path else None


def containers(spec: Node) -> Iterator[Node]:
    """Give every container of a pod."""
    for kind in CONTAINERS:
        yield from spec.items(kind)
