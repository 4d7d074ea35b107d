"""A release brings only kinds that the projects of Argo CD allow."""

from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, workloads
from generator.render import argocd


def kinds(view: View) -> Iterator[Problem]:
    """Compare what the models of an environment hold with what its projects list."""
    found: dict[Problem, None] = {}
    for environment, model in view.lines():
        settings = view.environment(environment)
        if settings is None:
            continue
        allowed = frozenset(argocd.kinds(settings))
        for load in workloads(view):
            if load.model == model and load.kind is settings.kind:
                found |= dict.fromkeys(_strangers(environment, load, allowed))
    yield from found


def _strangers(
    environment: str, load: Workload, allowed: frozenset[tuple[str, str]]
) -> Iterator[Problem]:
    for one in load.objects:
        group, slash, _ = one.node.text("apiVersion").rpartition("/")
        # Another rule tells an object without a kind, and a Secret with data.
        if (group, one.kind) in allowed or not one.kind or _is_secret(one):
            continue
        name = f"{group}{slash}{one.kind}"
        text = f"the projects of {environment} do not allow {name}, so Argo CD applies nothing"
        hint = f"write kinds: [{name}] in {layout.environment(environment)}, or take it away"
        yield Problem(text, one.path, one.node.line_of("kind"), hint)


def _is_secret(one: Object) -> bool:
    return one.kind == "Secret" and any(one.node.at(key) for key in ("data", "stringData"))
