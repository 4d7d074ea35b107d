"""What makes Flux wait, forget or delete, checked on the objects that are there.

Facts about Flux: ADR 0010.
"""

from collections.abc import Iterator

from generator import layout
from generator.documents.nodes import Key, Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.traps import Wanted, each, known_environment
from generator.lint.view import View
from generator.model.environment import Delivery, Environment, Kind
from generator.render import flux

_SUSPENDED = Wanted(("spec", "suspend"), "", "the site would get nothing more, not even a revert")
_SOURCE = (
    Wanted(("metadata", "namespace"), flux.NAMESPACE, "the objects of the site look there"),
    _SUSPENDED,
    Wanted(("spec", "interval"), flux.POLL, "a revert waits for it"),
    Wanted(("spec", "timeout"), flux.TIMEOUT, "a slow fetch would hold the next one"),
    Wanted(("spec", "secretRef", "name"), flux.SECRET, "the runbook makes this one"),
    Wanted(("spec", "ref", "branch"), "", "a short name can be a tag"),
    Wanted(("spec", "ref", "tag"), "", "nothing would move any more"),
    Wanted(("spec", "ref", "semver"), "", "a tag would choose what runs"),
    Wanted(("spec", "ref", "commit"), "", "nothing would move any more"),
    Wanted(("spec", "include"), "", "another repository would add to this one"),
    Wanted(("spec", "ignore"), "", "it could leave out what the pointer needs"),
)
_NEVER_WAIT = "a controller that waits for health does not see the next commit, the revert"
_KEPT = "deleting the object of Flux would delete the model"
_APPLY = (
    _SUSPENDED,
    Wanted(("spec", "interval"), "10m", "drift would stay for longer"),
    Wanted(("spec", "retryInterval"), "30s", "a failing site would come back late"),
    Wanted(("spec", "timeout"), flux.TIMEOUT, "a revert waits for it"),
    Wanted(("spec", "wait"), "false", _NEVER_WAIT),
    Wanted(("spec", "healthChecks"), "", _NEVER_WAIT),
    Wanted(("spec", "dependsOn"), "", "a site would wait for another model"),
    Wanted(("spec", "force"), "false", "what cannot be changed would be deleted and made anew"),
    Wanted(("spec", "deletionPolicy"), "Orphan", _KEPT),
    Wanted(("spec", "decryption"), "", "no secret stands in this repository"),
    Wanted(("spec", "patches"), "", "it would change what the release pins"),
    Wanted(("spec", "images"), "", "it would change what the release pins"),
    Wanted(("spec", "components"), "", "it would change what the release pins"),
    Wanted(("spec", "postBuild"), "", "it would change what the release pins"),
    Wanted(("spec", "kubeConfig"), "", "a site applies to its own cluster only"),
)
_CHART: tuple[Key, ...] = ("spec", "chart", "spec")
_STRATEGY = "the default takes the release away, or rolls back to what Git does not say"
_RELEASE = (
    _SUSPENDED,
    Wanted(("spec", "interval"), "10m", "drift would stay for longer"),
    Wanted(("spec", "timeout"), flux.TIMEOUT, "a revert waits for it"),
    Wanted((*_CHART, "reconcileStrategy"), "Revision", "the version of a pointer never changes"),
    Wanted((*_CHART, "interval"), flux.POLL, "a revert waits for it"),
    Wanted((*_CHART, "valuesFiles"), "", "values stand in the pointer"),
    Wanted(("spec", "values"), "", "values stand in the pointer"),
    Wanted(("spec", "valuesFrom"), "", "values stand in the pointer"),
    Wanted(("spec", "dependsOn"), "", "a site would wait for another model"),
    Wanted(("spec", "postRenderers"), "", "it would change what the release pins"),
    Wanted(("spec", "kubeConfig"), "", "a site applies to its own cluster only"),
    Wanted(("spec", "rollback"), "", _STRATEGY),
    Wanted(("spec", "test"), "", _NEVER_WAIT),
    Wanted(("spec", "driftDetection", "mode"), "enabled", "a change on the site would stay"),
    *(
        Wanted(("spec", action, *path), value, why)
        for action in ("install", "upgrade")
        for path, value, why in (
            (("disableWait",), "true", _NEVER_WAIT),
            (("strategy", "name"), "RetryOnFailure", _STRATEGY),
            (("strategy", "retryInterval"), "30s", "a failing site would come back late"),
            (("remediation",), "", _STRATEGY),
            (("crds",), "Skip", "a release of a model brings none"),
            (("force",), "", "what cannot be changed would be deleted and made anew"),
        )
    ),
)
_PULLED = ("http://", "https://", "ssh://")


def flux_source(view: View) -> Iterator[Problem]:
    """Check where each site pulls from, and into which namespace."""
    yield from _remote(view)
    yield from each(view, layout.FLUX, "GitRepository", _source)
    yield from each(view, layout.FLUX, "Namespace", _namespace)


def flux_sync(view: View) -> Iterator[Problem]:
    """Check how each site applies its pointers."""
    yield from each(view, layout.FLUX, "Kustomization", _kustomization)
    yield from each(view, layout.FLUX, "HelmRelease", _release)


def _remote(view: View) -> Iterator[Problem]:
    config = view.config()
    found = [view.environment(name) for name in view.environments()]
    if config is None or not config.remote or config.remote.startswith(_PULLED):
        return
    if any(one is not None and one.delivery is Delivery.FLUX for one in found):
        text = f"Flux pulls by https:// or ssh:// only, not from {config.remote!r}"
        hint = "write it as ssh://git@HOST/PATH"
        yield Problem(text, layout.CONFIG, view.line(layout.CONFIG, "remote"), hint)


def _parts(path: RepoPath) -> tuple[str, str, str]:
    """Give environment, site and model; the model is "" in the file of the site itself."""
    _, environment, site, *rest = (*path.split("/"), "", "", "")
    return environment, site, rest[1].removesuffix(".yaml") if rest[0] == "models" else ""


def _source(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    environment, site, _ = _parts(path)
    config, settings = view.config(), known_environment(view, environment)
    wanted = [*_SOURCE, Wanted(("metadata", "name"), f"{environment}.{site}", "others name it")]
    if config is not None:
        why = "a short name is looked up anew, and can be a tag"
        wanted.append(Wanted(("spec", "ref", "name"), f"refs/heads/{config.branch}", why))
        wanted.append(Wanted(("spec", "url"), config.remote, "this is the only repository"))
    for one in wanted:
        yield from one.check(document)
    if settings is not None:
        yield from _checkout(document, settings, site)


def _checkout(document: Node, settings: Environment, site: str) -> Iterator[Problem]:
    needed = {f"{layout.FLUX}/{settings.name}/{site}", layout.site(settings.name, site)}
    if settings.kind is Kind.EDGE:
        needed.add(f"{layout.RELEASES}/{settings.name}")
    if needed != {*document.texts("spec", "sparseCheckout")}:
        text = f"sparseCheckout must hold {', '.join(sorted(needed))}, and nothing else"
        yield Problem(text, line=document.line_of("spec", "sparseCheckout"))


def _namespace(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    settings = known_environment(view, _parts(path)[0])
    label = ("metadata", "labels", "pod-security.kubernetes.io/enforce")
    kept = ("metadata", "annotations", "kustomize.toolkit.fluxcd.io/prune")
    yield from Wanted(label, "restricted", "any pod could run").check(document)
    yield from Wanted(kept, "disabled", "every model would go with it").check(document)
    if settings is not None:
        why = "the environment names it"
        yield from Wanted(("metadata", "name"), settings.namespace, why).check(document)


def _common(view: View, path: RepoPath, document: Node, at: tuple[Key, ...]) -> Iterator[Problem]:
    environment, site, model = _parts(path)
    settings = known_environment(view, environment)
    name = f"{environment}-{model}-{site}" if model else f"{environment}.{site}"
    wanted = [
        Wanted(("metadata", "name"), name, "it says what it applies"),
        Wanted(("metadata", "namespace"), flux.NAMESPACE, "Flux and its source are there"),
        Wanted((*at, "sourceRef", "kind"), "GitRepository", "the pointer stands in Git"),
        Wanted((*at, "sourceRef", "name"), f"{environment}.{site}", "it is the site's own"),
        Wanted((*at, "sourceRef", "namespace"), "", "it is in the same namespace"),
    ]
    if settings is not None and model:
        why = "the environment names it"
        wanted.append(Wanted(("spec", "targetNamespace"), settings.namespace, why))
    for one in wanted:
        yield from one.check(document)


def _kustomization(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    environment, site, model = _parts(path)
    target = layout.pointer(environment, site, model) if model else path.rpartition("/")[0]
    why = "a rollout moves the pointer of this site and model, and nothing else"
    prune = "what a release drops would stay" if model else "a missing file would delete a model"
    for one in (
        *_APPLY,
        Wanted(("spec", "path"), f"./{target}", why),
        Wanted(("spec", "prune"), "true" if model else "false", prune),
    ):
        yield from one.check(document)
    yield from _common(view, path, document, ("spec",))


def _release(view: View, path: RepoPath, document: Node) -> Iterator[Problem]:
    environment, site, model = _parts(path)
    settings = known_environment(view, environment)
    why = "a rollout moves the pointer of this site and model, and nothing else"
    wanted = [
        *_RELEASE,
        Wanted((*_CHART, "chart"), f"./{layout.pointer(environment, site, model)}", why),
        Wanted(("spec", "releaseName"), model, "another name would install it anew"),
    ]
    if settings is not None:
        why = "another one would install it anew"
        wanted.append(Wanted(("spec", "storageNamespace"), settings.namespace, why))
    for one in wanted:
        yield from one.check(document)
    yield from _common(view, path, document, _CHART)


RULES = (flux_source, flux_sync)
