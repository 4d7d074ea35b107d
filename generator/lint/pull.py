"""An Argo CD on each site: its Applications apply that site's pointers, each its own."""

from collections.abc import Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.traps import (
    Wanted,
    check_root,
    each,
    known_environment,
    policy,
    release_name,
    source,
)
from generator.lint.view import View
from generator.render import argocd

_PATHS = ("metadata", "annotations", "argocd.argoproj.io/manifest-generate-paths")


def application(view: View) -> Iterator[Problem]:
    """Check what each Application of a site applies, and where."""
    yield from each(view, argocd.PULL, "Application", _application)


def sync(view: View) -> Iterator[Problem]:
    """Check how each Application of a site syncs."""
    yield from each(view, argocd.PULL, "Application", _sync)


def root(view: View) -> Iterator[Problem]:
    """Check the Application that brings the others to a site."""
    yield from each(view, argocd.PULL, "Application", _root)


def _parts(path: RepoPath) -> tuple[str, str, str]:
    """Give environment, site and model; the model is "" in the file of the site itself."""
    _, _, environment, site, *rest = (*path.split("/"), "", "", "")
    return environment, site, rest[1].removesuffix(".yaml") if rest[0] == "models" else ""


def _application(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    environment, site, model = _parts(path)
    if not model:
        return
    settings = known_environment(view, environment)
    wanted = [
        Wanted(("metadata", "name"), f"{environment}-{model}-{site}", "others look for this name"),
        Wanted(("metadata", "namespace"), argocd.NAMESPACE, "Argo CD looks nowhere else"),
        Wanted(("metadata", "finalizers"), "", "the model would go with the Application"),
        Wanted(_PATHS, ".", "every commit would render every site"),
        Wanted(("spec", "project"), f"{environment}.{site}", "it is the narrow one"),
        Wanted(
            ("spec", "source", "path"),
            layout.pointer(environment, site, model),
            "a rollout moves the pointer of this site and model, and nothing else",
        ),
        Wanted(("spec", "destination", "name"), argocd.IN_CLUSTER, "a site applies to itself"),
    ]
    if settings is not None:
        at = ("spec", "destination", "namespace")
        wanted.append(Wanted(at, settings.namespace, "the environment names it"))
    for one in wanted:
        yield from one.check(document)
    yield from source(view, document, ("spec", "source"))
    yield from release_name(view, document)


def _sync(_: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    if _parts(path)[2]:
        yield from policy(document, ("spec", "syncPolicy"))


def _root(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    if not _parts(path)[2]:
        yield from check_root(view, document, path.rpartition("/")[0])


RULES = (application, sync, root)
