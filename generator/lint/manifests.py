"""Kubernetes manifests that people own: which files hold them, and the pods they describe.

A Helm template is no YAML. It is read after its actions are taken out, line by line, which is
near enough to find what stands in it as text; one that still cannot be read is left to Helm.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from generator import layout
from generator.documents.nodes import Node, read_documents
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.lint.view import View
from generator.model.environment import Kind

ACTION = "TEMPLATE"
_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TEMPLATES = re.compile(
    r"/chart/templates/|/charts/[^/]+/templates/|^sites/(?:[^/]+/){3}templates/"
)
_REMOTE = re.compile(r"[a-z0-9+.-]://|git::|git@|gh:|github\.com[/:]|[?&]ref=", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class Source:
    """One file.

    Attributes:
        path: Where it stands.
        data: All of it.
        documents: The objects of a manifest, those inside a List one by one.
        problems: Why it cannot be read; never of a template.
    """

    path: RepoPath
    data: bytes
    documents: tuple[Node, ...]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """Give the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_profile(self) -> bool:
        """Say whether it is patched into a base."""
        return "/profiles/" in self.path


Look = Callable[[Source], Iterable[Problem]]


def is_template(path: RepoPath) -> bool:
    """Say whether Helm reads a file as a template."""
    return bool(_TEMPLATES.search(path))


def is_manifest(path: RepoPath) -> bool:
    """Say whether a file should hold YAML."""
    return path.endswith(_ENDINGS)


def is_remote(text: str) -> bool:
    """Say whether Kustomize would fetch what a reference names."""
    return bool(_REMOTE.search(text))


def originals(view: View) -> tuple[RepoPath, ...]:
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


def models_of(view: View, kind: Kind) -> frozenset[str]:
    """List the models that have a rollout in an environment of a kind."""
    found = set()
    for environment, model in view.lines():
        settings = view.environment(environment)
        if settings is not None and settings.kind is kind:
            found.add(model)
    return frozenset(found)


def sources(view: View, paths: Iterable[RepoPath]) -> Iterator[Source]:
    """Read files; the same bytes are taken apart once, wherever they stand."""
    for path, data in view.tree.read_many(paths).items():
        kind = (is_manifest(path), is_template(path), path.endswith(".json"))
        name = ("manifest", kind, view.id_of(path))
        documents, problems = view.by_content(name, partial(_parse, path, data))
        yield Source(path, data, documents, problems)


def scan(view: View, paths: Iterable[RepoPath], look: Look) -> Iterator[Problem]:
    """Look at files by content: the same bytes in another release are not looked at again."""
    for source in sources(view, paths):
        kind = tuple(part for part in ("profiles", "templates") if f"/{part}/" in source.path)
        name = (look.__module__, look.__qualname__, kind, source.name, view.id_of(source.path))
        found = view.by_content(name, lambda source=source: tuple(look(source)))  # type: ignore[misc]
        yield from (replace(one, file=source.path) for one in found)


def _parse(path: RepoPath, data: bytes) -> tuple[tuple[Node, ...], tuple[Problem, ...]]:
    if not is_manifest(path):
        return (), ()
    try:
        text = _without_actions(data) if is_template(path) else _untabbed(path, data)
        return tuple(_flatten(read_documents(path, text))), ()
    except InputError as error:
        # What Helm makes of a template is not known here, so that is no problem yet.
        return (), () if is_template(path) else error.problems


def read_patch(text: str) -> tuple[Node, ...]:
    """Read a patch that stands in a kustomization as text; nothing where it is none."""
    return _parse("patch.yaml", text.encode())[0]


def _untabbed(path: RepoPath, data: bytes) -> bytes:
    # JSON may be indented with tabs, YAML may not.
    return data.replace(b"\t", b"  ") if path.endswith(".json") else data


def _without_actions(data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    end = text.rfind("}}") + 2  # a file of openings alone must not be searched again and again
    text = _ACTION.sub(_mark, text[:end]) + text[end:]
    return "\n".join(_without_action(line) for line in text.split("\n")).encode()


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
