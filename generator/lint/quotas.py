"""What K3s itself applies on a site: names it takes, and a quota that the models fit into."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import Source, is_manifest, sources
from generator.lint.view import View
from generator.lint.workloads import Object, Workload, workloads
from generator.model.environment import Environment, Kind

Amounts = Mapping[str, Decimal]
_ADDON = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.(?:yaml|yml|json)", re.ASCII)
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?", re.ASCII)
_UNITS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "Ki": Decimal(2**10),
    "M": Decimal(10**6),
    "Mi": Decimal(2**20),
    "G": Decimal(10**9),
    "Gi": Decimal(2**30),
    "T": Decimal(10**12),
    "Ti": Decimal(2**40),
}
_SHORT = {"cpu": "requests.cpu", "memory": "requests.memory"}  # a quota may say it without
_MUST = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


def hosts(view: View) -> Iterator[Problem]:
    """Check the manifests of every edge environment that K3s applies from its folder."""
    for settings in _edges(view):
        folder = f"{layout.ENVIRONMENTS}/{settings.name}/k3s"
        for source in sources(view, filter(is_manifest, view.ids(folder))):
            yield from source.problems
        for source in _manifests(view, settings):
            if not _ADDON.fullmatch(source.name):
                text = f"K3s makes an AddOn called {source.name!r}, which no API server takes"
                hint = "rename it: a-z, 0-9 and hyphens, then .yaml"
                yield Problem(text, source.path, hint=hint)
            for one in source.documents:
                yield from _place(settings, source.path, one)


def _edges(view: View) -> Iterator[Environment]:
    for name in view.environments():
        settings = view.environment(name)
        if settings is not None and settings.kind is Kind.EDGE:
            yield settings


def _manifests(view: View, settings: Environment) -> Iterator[Source]:
    folder = f"{layout.ENVIRONMENTS}/{settings.name}/k3s/manifests"
    yield from sources(view, (path for path in view.ids(folder) if is_manifest(path)))


def _place(settings: Environment, path: RepoPath, one: Node) -> Iterator[Problem]:
    at = ("metadata", "labels", "pod-security.kubernetes.io/enforce")
    is_ours = one.text("kind") == "Namespace" and one.text("metadata", "name") == settings.namespace
    if is_ours and one.text(*at) != "restricted":
        text = f"any pod could run in the namespace {settings.namespace!r}"
        yield Problem(text, path, one.line_of(*at), f"write {at[-1]}: restricted")
    if one.text("kind") not in ("LimitRange", "ResourceQuota"):
        return
    found = one.text("metadata", "namespace")
    if found != settings.namespace:
        text = f"this limits the namespace {found!r}, and the models run in {settings.namespace!r}"
        line = one.line_of("metadata", "namespace")
        yield Problem(text, path, line, f'write namespace: "{settings.namespace}"')


def quota(view: View) -> Iterator[Problem]:
    """Add up what all models of an environment may take while each of them changes."""
    for settings in _edges(view):
        found = [(s.path, one) for s in _manifests(view, settings) for one in s.documents]
        usual = _usual(one for _, one in found if one.text("kind") == "LimitRange")
        for path, one in found:
            is_whole = one.at("spec", "scopes") is None and one.at("spec", "scopeSelector") is None
            if one.text("kind") == "ResourceQuota" and is_whole:
                yield from _compare(view, settings, Object(path, one), usual)


def _compare(
    view: View, settings: Environment, one: Object, usual: Mapping[str, Node]
) -> Iterator[Problem]:
    hard = one.node.entries("spec", "hard")
    names = {_SHORT.get(name, name): node for name, node in hard.items()}
    loads = [*_loads(view, settings)]
    total: dict[str, Decimal] = {}
    for amounts in _most(loads, usual):
        for name, amount in amounts.items():
            total[name] = total.get(name, Decimal(0)) + amount
    for name, node in names.items():
        have = _amount(node)
        # The rule `api` tells what is no quantity.
        if have is not None and have < total.get(name, 0):
            need = _words(name, total[name])
            text = f"{name}: {node.text()} is less than the {need} that the models of "
            text += f"{settings.name} take while each has its new pod beside the old one"
            yield Problem(
                text, one.path, node.line, f'write "{need}" or more, or let them ask less'
            )
    for load in loads:
        yield from _unsaid(load, [name for name in _MUST if name in names], usual)


def _loads(view: View, settings: Environment) -> Iterator[Workload]:
    """Give the models of an environment under the profiles that its sites have."""
    models = {model for environment, model in view.lines() if environment == settings.name}
    profiles = {site.hardware for site in view.sites(settings.name)}
    for load in workloads(view):
        if load.kind is Kind.EDGE and load.model in models and load.profile in profiles:
            yield load


def _most(loads: Iterable[Workload], usual: Mapping[str, Node]) -> Iterator[Amounts]:
    """Give for each model the most that it takes under any profile."""
    models: dict[str, dict[str, Decimal]] = {}
    for load in loads:
        most = models.setdefault(load.model, {})
        for name, amount in _takes(load, usual).items():
            most[name] = max(most.get(name, Decimal(0)), amount)
    yield from models.values()


def _takes(load: Workload, usual: Mapping[str, Node]) -> Amounts:
    total: dict[str, Decimal] = {}
    for one in load.of("Deployment"):
        count = Decimal(_pods(one.node))
        for name, amount in (("pods", Decimal(1)), *_pod(one, usual).items()):
            total[name] = total.get(name, Decimal(0)) + amount * count
    return total


def _pods(deployment: Node) -> int:
    """Count the pods while one changes: an old one that ends is counted until it is gone."""
    replicas = _amount(deployment.at("spec", "replicas"))
    surge = deployment.text("spec", "strategy", "rollingUpdate", "maxSurge") or "25%"
    whole = int(replicas) if replicas is not None else 1
    share = surge.removesuffix("%")
    extra = int(share) if share.isdecimal() and share.isascii() else 1
    if surge.endswith("%"):
        extra = -(-whole * extra // 100)
    return whole + max(extra, 1)


def _pod(one: Object, usual: Mapping[str, Node]) -> Amounts:
    spec = one.spec
    total: dict[str, Decimal] = {}
    for container in spec.items("containers") if spec is not None else ():
        for name, amount in _container(container, usual).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in spec.items("initContainers") if spec is not None else ():
        for name, amount in _container(container, usual).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def _container(container: Node, usual: Mapping[str, Node]) -> Amounts:
    found = dict(usual)
    for key in ("limits", "requests"):
        for name, node in container.entries("resources", key).items():
            found[f"{key}.{name}"] = node
            if key == "limits" and "/" in name:
                found[f"requests.{name}"] = node  # of a card the request is the limit
    amounts = ((name, _amount(node)) for name, node in found.items())
    return {name: amount for name, amount in amounts if amount is not None}


def _usual(ranges: Iterable[Node]) -> Mapping[str, Node]:
    """Read what a container gets that does not say what it takes."""
    found: dict[str, Node] = {}
    for one in ranges:
        for row in one.items("spec", "limits"):
            if row.text("type") == "Container":
                for key, prefix in (("default", "limits"), ("defaultRequest", "requests")):
                    found |= {f"{prefix}.{n}": node for n, node in row.entries(key).items()}
    return found


def _unsaid(load: Workload, names: Iterable[str], usual: Mapping[str, Node]) -> Iterator[Problem]:
    for one in load.of("Deployment"):
        for container in one.spec.items("containers") if one.spec is not None else ():
            said = _container(container, usual)
            for name in names:
                if name not in said and name.replace("requests", "limits") not in said:
                    text = f"the container {container.text('name')!r} has no {name}, and under a "
                    text += "quota the sites refuse such a pod"
                    path = load.home(one, container)
                    hint = f"write {name}, or a LimitRange with a default"
                    yield Problem(text, path, container.line, hint)


def _amount(node: Node | None) -> Decimal | None:
    found = _QUANTITY.fullmatch(node.text()) if node is not None else None
    return Decimal(found[1]) * _UNITS[found[2] or ""] if found else None


def _words(name: str, amount: Decimal) -> str:
    """Write an amount as people write one."""
    if name.endswith("memory"):
        return f"{(amount / _UNITS['Mi']).to_integral_value(ROUND_CEILING)}Mi"
    if amount != amount.to_integral_value():
        return f"{(amount * 1000).to_integral_value(ROUND_CEILING)}m"
    return str(int(amount))
