"""What breaks a fleet in Argo CD without a word, checked on the objects that are there.

Each line of the tables was measured (design.md section 7). They are looked at one by one, not
as bytes of ours, so that an edit is told by its harm, and a slip of our own writer is found.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from generator import layout
from generator.documents.nodes import Key, Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.delivered import telling
from generator.lint.view import View
from generator.model.environment import Environment, Kind
from generator.render import argocd

_PATHS = "argocd.argoproj.io/manifest-generate-paths"
_WAVE = "argocd.argoproj.io/sync-wave"
_LITERALS = ("true", "false", "-1", "2")
_TEMPLATE = ("spec", "template")
_POLICY = ("spec", "syncPolicy")
_ENFORCE = ("managedNamespaceMetadata", "labels", "pod-security.kubernetes.io/enforce")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One value that has to be so.

    Attributes:
        path: Where it stands.
        value: Its text; "" where there must be nothing.
        why: What happens otherwise.
        is_quoted: It must be a text that looks like a number.
    """

    path: tuple[Key, ...]
    value: str
    why: str
    is_quoted: bool = False

    def check(self, document: Node) -> Iterator[Problem]:
        """Say what is wrong with it."""
        found = document.at(*self.path)
        name = ".".join(str(part) for part in self.path)
        line = document.line_of(*self.path)
        if not self.value:
            if found is not None:
                yield Problem(f"{name} must not be there: {self.why}", line=line)
        elif found is None or found.text() != self.value or found.is_plain not in self._styles:
            value = f'"{self.value}"' if self.is_quoted else self.value
            yield Problem(f"{name} must be {value}: {self.why}", line=line)

    @property
    def _styles(self) -> tuple[bool, ...]:
        if self.is_quoted:
            return (False,)
        return (True,) if self.value in _LITERALS else (True, False)


_SET = (
    Wanted(("metadata", "namespace"), argocd.NAMESPACE, "Argo CD looks nowhere else"),
    Wanted(("spec", "goTemplate"), "true", "other templates put nothing in for a missing key"),
    Wanted(
        ("spec", "syncPolicy", "applicationsSync"),
        "create-update",
        "a bad site file would delete Applications",
    ),
    Wanted(
        ("spec", "syncPolicy", "preserveResourcesOnDeletion"),
        "true",
        "deleting the set would delete the models of every site",
    ),
    Wanted(("spec", "strategy"), "", "a rolling sync switches automatic sync off"),
    Wanted(("spec", "templatePatch"), "", "it can change what the other rules have looked at"),
    Wanted(
        (*_TEMPLATE, "metadata", "annotations", _PATHS),
        ".",
        "every commit would render every site",
    ),
)
SYNC = (
    Wanted(("automated", "prune"), "true", "what a release drops would stay"),
    Wanted(("automated", "selfHeal"), "true", "a change on the site would stay"),
    Wanted(("automated", "allowEmpty"), "", "an empty pointer would delete the model"),
    Wanted(("automated", "enabled"), "", "it can switch automatic sync off"),
    Wanted(("retry", "limit"), "-1", "a site that was away would give up"),
    Wanted(("retry", "refresh"), "true", "a failing sync would try the old commit for ever"),
    Wanted(("retry", "backoff", "duration"), "5s", "a revert waits for it"),
    Wanted(("retry", "backoff", "factor"), "2", "a revert waits for it"),
    Wanted(("retry", "backoff", "maxDuration"), "1m", "a revert waits for it"),
    Wanted(_ENFORCE, "restricted", "any pod could run"),
)
_ROOT = (
    Wanted((*_POLICY, "automated", "prune"), "false", "a missing file would delete sets"),
    Wanted((*_POLICY, "automated", "selfHeal"), "true", "a change by hand would stay"),
    Wanted((*_POLICY, "automated", "allowEmpty"), "", "an empty folder would delete sets"),
    Wanted((*_POLICY, "retry", "limit"), "-1", "the root would give up"),
    Wanted((*_POLICY, "retry", "refresh"), "true", "it would try the old commit for ever"),
    Wanted(("spec", "destination", "name"), argocd.IN_CLUSTER, "they live beside Argo CD"),
    Wanted(("spec", "destination", "namespace"), argocd.NAMESPACE, "they live there"),
)
_FIRST = Wanted(
    ("metadata", "annotations", _WAVE),
    "-1",
    "a set that comes before its project waits for three minutes",
    True,
)
_NEEDED = ("CreateNamespace=true", "ServerSideApply=true")
_HARMFUL = ("PruneLast=true", "Replace=true", "Force=true", "Validate=false")
Check = Callable[[View, RepoPath, Node], Iterable[Problem]]


def project(view: View) -> Iterator[Problem]:
    """Check the AppProjects: literal, narrow, and there before their sets."""
    for under in (layout.ARGOCD, argocd.PULL):
        yield from each(view, under, "AppProject", _project)


def application_set(view: View) -> Iterator[Problem]:
    """Check the ApplicationSets: one site file, one literal project, nothing deleted."""
    yield from each(view, layout.ARGOCD, "ApplicationSet", _set)


def sync(view: View) -> Iterator[Problem]:
    """Check how the Applications of the sites sync."""
    yield from each(view, layout.ARGOCD, "ApplicationSet", _sync)


def root(view: View) -> Iterator[Problem]:
    """Check the one Application that brings the others."""
    yield from each(view, layout.ARGOCD, "Application", _root)


def each(view: View, under: RepoPath, kind: str, check: Check) -> Iterator[Problem]:
    """Look at every object of a kind that can show anything new."""
    for path in telling(view, under):
        for document in view.documents(path):
            if document.text("kind") == kind:
                for one in check(view, path, document):
                    line = one.line or document.line
                    hint = one.hint or view.restore(path) or "tidegate expand"
                    yield Problem(one.message, one.file or path, line, hint)


def _project(_: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    for key, node in document.walk():
        if "*" in node.text():
            yield Problem(f"{key}: {node.text()!r} is a wildcard", line=node.line)
    for row in document.items("spec", "destinations"):
        if not row.text("name") or row.at("server") is not None:
            text = "a destination is named by something else than the cluster's name"
            yield Problem(text, line=row.line)
        if path.startswith(f"{argocd.PULL}/") and row.text("name") != argocd.IN_CLUSTER:
            yield Problem("a site applies to its own cluster only", line=row.line)
    if not path.startswith(f"{argocd.ROOTS}/"):
        yield from _FIRST.check(document)
    if not path.startswith(f"{argocd.ROOTS}/") and not is_root_project(document):
        yield from _kinds(document, "clusterResourceWhitelist", ("Namespace",))
        yield from _kinds(document, "namespaceResourceWhitelist", ("Pod", "ReplicaSet"))


def is_root_project(document: Node) -> bool:
    """Say whether a project is that of the Application that brings the others."""
    rows = document.items("spec", "namespaceResourceWhitelist")
    return bool(rows) and all(row.text("group") == "argoproj.io" for row in rows)


def _kinds(document: Node, key: str, wanted: tuple[str, ...]) -> Iterator[Problem]:
    have = [row.text("kind") for row in document.items("spec", key)]
    for kind in wanted:
        if kind not in have:
            why = "CreateNamespace=true" if kind == "Namespace" else "the state of the pods"
            text = f"{key} must hold {kind}, or there is no {why}"
            yield Problem(text, line=document.line_of("spec", key))


def _set(view: View, _: RepoPath, document: Node) -> Iterator[Problem]:
    for one in _SET:
        yield from one.check(document)
    where = ("spec", "goTemplateOptions")
    if "missingkey=error" not in document.texts(*where):
        text = "goTemplateOptions must hold missingkey=error: a missing key would be a name"
        yield Problem(text, line=document.line_of(*where))
    name = document.text(*_TEMPLATE, "spec", "project")
    if "{{" in name or name not in projects(view):
        text = f"the project {name!r} must be the literal name of one that is here"
        yield Problem(text, line=document.line_of(*_TEMPLATE, "spec", "project"))
    yield from _generator(view, document)
    yield from source(view, document, (*_TEMPLATE, "spec", "source"))
    yield from release_name(view, document, _TEMPLATE)
    path = document.text(*_TEMPLATE, "spec", "source", "path")
    if not path.startswith(f"{layout.SITES}/") or ".." in path or path.count("{{") != 1:
        text = f"the path {path!r} must be that of the site's pointer, and of nothing else"
        yield Problem(text, line=document.line_of(*_TEMPLATE, "spec", "source", "path"))


def release_name(view: View, document: Node, root: tuple[Key, ...] = ()) -> Iterator[Problem]:
    """Check what an Application tells Helm: a short name, and nothing that could be a value."""
    labels = document.at(*root, "metadata", "labels") or document
    settings = known_environment(view, labels.text("tidegate.dev/environment"))
    at: tuple[Key, ...] = (*root, "spec", "source", "helm")
    if settings is None:
        return
    known = {"releaseName"} if settings.kind is Kind.CLOUD else set()
    if known:
        why = "Helm would get the name of the Application, and takes 53 characters at most"
        model = labels.text("tidegate.dev/model")
        yield from Wanted((*at, "releaseName"), model, why).check(document)
    if document.entries(*at).keys() - known:
        text = "values of Helm stand in the pointer: only there does a rollout move them"
        yield Problem(text, line=document.line_of(*at))


def known_environment(view: View, name: str) -> Environment | None:
    """Read the settings of an environment that an object names."""
    return view.environment(name) if name in view.environments() else None


def projects(view: View) -> frozenset[str]:
    """List the projects that are here, but for those of the sites."""

    def found() -> Iterator[str]:
        for path in telling(view, layout.ARGOCD):
            for document in view.documents(path):
                if document.text("kind") == "AppProject":
                    yield document.text("metadata", "name")

    return view.once("projects", lambda: frozenset(found()))


def _generator(view: View, document: Node) -> Iterator[Problem]:
    at: tuple[Key, ...] = ("spec", "generators")
    git = document.at(*at, 0, "git", "files")
    files = document.items(*at, 0, "git", "files")
    if len(document.items(*at)) != 1 or len(document.entries(*at, 0)) != 1 or git is None:
        text = "a set has one generator, and that reads one site file from Git"
        yield Problem(text, line=document.line_of(*at))
        return
    path = files[0].text("path") if len(files) == 1 else ""
    parts = path.split("/")
    stem = parts[3].removesuffix(".yaml") if len(parts) == 4 else ""
    if len(files) != 1 or path not in view.ids(layout.ENVIRONMENTS):
        text = f"the set reads {path!r}, which is no site file of this repository"
        yield Problem(text, line=document.line_of(*at, 0, "git", "files"))
    elif view.shard(parts[1], stem) == ():
        text = f"the set reads {path}, which holds no sites"
        yield Problem(text, line=document.line_of(*at, 0, "git", "files"))
    yield from source(view, document, (*at, 0, "git"), "revision")


def source(
    view: View, document: Node, at: tuple[Key, ...], key: str = "targetRevision"
) -> Iterator[Problem]:
    """Check that it is the branch of this repository."""
    config = view.config()
    revision, url = document.text(*at, key), document.text(*at, "repoURL")
    branch = f"refs/heads/{config.branch}" if config else revision
    if not revision.startswith("refs/heads/") or revision != branch:
        text = f"{key} must be {branch}: a short name is looked up anew, and can be a tag"
        yield Problem(text, line=document.line_of(*at, key))
    if config is not None and url != config.remote:
        text = f"repoURL must be the remote of {layout.CONFIG}, not {url!r}"
        yield Problem(text, line=document.line_of(*at, "repoURL"))


def _sync(_: View, __: RepoPath, document: Node) -> Iterator[Problem]:
    yield from policy(document, (*_TEMPLATE, *_POLICY))


def policy(document: Node, at: tuple[Key, ...]) -> Iterator[Problem]:
    """Check how the Application of a site syncs."""
    for one in SYNC:
        yield from Wanted((*at, *one.path), one.value, one.why).check(document)
    yield from options(document, (*at, "syncOptions"), _NEEDED)


def options(document: Node, at: tuple[Key, ...], needed: tuple[str, ...]) -> Iterator[Problem]:
    """Check what is asked of a sync."""
    have = document.texts(*at)
    for option in needed:
        if option not in have:
            yield Problem(f"syncOptions must hold {option}", line=document.line_of(*at))
    for option in _HARMFUL:
        if option in have:
            text = f"syncOptions must not hold {option}: a revert would wait, or would not apply"
            yield Problem(text, line=document.line_of(*at))


def _root(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    if not path.startswith(f"{argocd.ROOTS}/"):
        text = "the only Application here is the root; the sets make all others"
        yield Problem(text, line=document.line_of("kind"))
        return
    yield from check_root(view, document, argocd.FLEET)
    name = document.text("spec", "project")
    if name not in projects(view):
        text = f"the project {name!r} must be the literal name of one that is here"
        yield Problem(text, line=document.line_of("spec", "project"))


def check_root(view: View, document: Node, path: RepoPath) -> Iterator[Problem]:
    """Check an Application that brings what lies in a folder."""
    for one in (*_ROOT, Wanted(("spec", "source", "path"), path, "it applies what lies there")):
        yield from one.check(document)
    yield from source(view, document, ("spec", "source"))
    yield from options(document, (*_POLICY, "syncOptions"), ("ServerSideApply=true",))


RULES = (project, application_set, sync, root)
