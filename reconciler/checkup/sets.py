"""ApplicationSets and the root Application: what makes the Applications, held against Git."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from generator.lint.finding import count, few
from generator.render.argocd import ROOT, ROOTS
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned
from reconciler.checkup.lives import Live, mapping, read_live, text

Object = Mapping[str, Any]
_COMPARED = (
    ("spec", "syncPolicy"),
    ("spec", "goTemplateOptions"),
    ("spec", "generators"),
    ("spec", "strategy"),
    ("spec", "templatePatch"),
    ("spec", "ignoreApplicationDifferences"),
    ("spec", "template", "spec", "source"),
    ("spec", "template", "spec", "syncPolicy"),
    ("spec", "template", "spec", "ignoreDifferences"),
)


def read_objects(files: Mapping[str, bytes]) -> Mapping[tuple[str, str], Object]:
    """Read the objects of `argocd/`, by kind and name; what is no object is left out."""
    found: dict[tuple[str, str], Object] = {}
    for data in files.values():
        try:
            documents = list(yaml.safe_load_all(data))
        except (yaml.YAMLError, RecursionError):
            continue
        for one in documents:
            if isinstance(one, Mapping):
                found[text(one, "kind"), text(mapping(one, "metadata"), "name")] = one
    return found


def policy_of(made: Object) -> Mapping[str, Any]:
    """Give the sync policy that a set gives its Applications."""
    return mapping(mapping(mapping(mapping(made, "spec"), "template"), "spec"), "syncPolicy")


def root(namespace: str, live: Object | None, *, is_wanted: bool) -> Iterator[Finding]:
    """Is the root Application there, and does it apply what Git says?"""
    check, where = "argocd.root", f"Application {ROOT}"
    if live is None:
        fix = f"kubectl apply -f {ROOTS}/ from a checkout of the repository"
        told = "it is not there, so no project, no set and no Application of ours arrives"
        if is_wanted:
            yield failed(check, where, told, fix)
        else:
            yield unknown(check, where, "it is not there, and before a baseline not needed", fix)
        return
    one = read_live(live)
    troubles = list(_root_troubles(namespace, one))
    yield from troubles
    if not troubles:
        yield passed(check, where, "it applies argocd/ by itself")


def _root_troubles(namespace: str, one: Live) -> Iterator[Finding]:
    check, where = "argocd.root", f"Application {ROOT}"
    again = f"kubectl apply -f {ROOTS}/ from a checkout of the repository"
    automated = one.policy.get("automated")
    if not isinstance(automated, Mapping) or automated.get("enabled") is False:
        told = "automated sync is off: new sets and projects do not arrive"
        yield failed(check, where, told, again)
    elif automated.get("prune") is True:
        told = "prune is on: a file that is lost from argocd/ takes a whole set with it"
        yield failed(check, where, told, again)
    if one.is_skipped:
        told = "the annotation skip-reconcile keeps Argo CD from looking at it"
        fix = f"kubectl -n {namespace} annotate application {ROOT} {_SKIP}-"
        yield failed(check, where, told, fix)
    for kind, message in one.conditions:
        yield failed(check, where, f"{kind}: {message}", f"argocd app get {ROOT}")
    if one.sync == "OutOfSync":
        told = "it is OutOfSync: what stands in argocd/ has not arrived"
        yield warned(check, where, told, f"argocd app sync {ROOT}, if it does not pass by itself")


_SKIP = "argocd.argoproj.io/skip-reconcile"


def sets(
    namespace: str, wanted: Mapping[str, Object], live: Mapping[str, Object]
) -> Iterator[Finding]:
    """Is every set there, as Git says, and without an error?

    Args:
        namespace: Where Argo CD lives.
        wanted: Sets in Git, by name.
        live: Sets on the hub, by name.
    """
    missing = sorted(wanted.keys() - live.keys())
    if missing:
        told = f"{len(missing)} of {count(len(wanted), 'ApplicationSet')} not there"
        fix = f"argocd app get {ROOT}; kubectl apply -f {ROOTS}/, if that is not there"
        yield failed("argocd.sets", "", f"{told}: {few(missing)}", fix)
    calm = not missing
    for name in sorted(wanted.keys() & live.keys()):
        for one in _set(namespace, name, wanted[name], live[name]):
            calm = False
            yield one
    if calm and wanted:
        yield passed("argocd.sets", "", f"{count(len(wanted), 'ApplicationSet')}, as Git says")


def _set(namespace: str, name: str, wanted: Object, live: Object) -> Iterator[Finding]:
    where, spec = f"ApplicationSet {name}", mapping(live, "spec")
    kubectl = f"kubectl -n {namespace}"
    for message in set_errors(live):
        fix = f"mend what it says, then {kubectl} annotate applicationset {name} {_WAKE}"
        yield failed("argocd.seterror", where, message, fix)
    if mapping(spec, "strategy").get("type") == "RollingSync":
        told = "strategy RollingSync switches automated sync off and waits for sites that are away"
        fix = f"{kubectl} patch applicationset {name} --type=json -p "
        step = '\'[{"op":"remove","path":"/spec/strategy"}]\''
        yield failed("argocd.rolling", where, told, fix + step)
    other = [".".join(path) for path in _COMPARED if _at(live, path) != _at(wanted, path)]
    other = [one for one in other if one != "spec.strategy"]
    if other:
        told = f"it is not as Git says in {few(other)}"
        fix = f"argocd app sync {ROOT}; whoever changed it by hand: change argocd/ by tidegate"
        yield failed("argocd.setdrift", where, told, fix)
    if mapping(live, "metadata").get("deletionTimestamp"):
        told = "somebody has deleted it; its Applications go with it, their models stay"
        fix = f"argocd app sync {ROOT} makes it again once it is gone"
        yield failed("argocd.sets", where, told, fix)


_WAKE = "argocd.argoproj.io/application-set-refresh=$(date +%s) --overwrite"


def set_errors(live: Object) -> list[str]:
    """List what the controller says it could not do."""
    conditions = mapping(live, "status").get("conditions")
    listed = conditions if isinstance(conditions, list) else []
    return [
        f"{text(one, 'reason')}: {text(one, 'message')}"
        for one in listed
        if isinstance(one, Mapping)
        and one.get("type") == "ErrorOccurred"
        and one.get("status") == "True"
    ]


def _at(data: Object, path: tuple[str, ...]) -> object:
    found: object = data
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return _plain(found)


def _plain(value: object) -> object:
    """Forget what an API server adds: what is empty or the default says nothing."""
    if isinstance(value, Mapping):
        items = {key: _plain(one) for key, one in value.items()}
        return {key: one for key, one in items.items() if one not in _NOTHING} or None
    if isinstance(value, list):
        return [_plain(one) for one in value] or None
    return value


_NOTHING: tuple[object, ...] = (None, "", False)
