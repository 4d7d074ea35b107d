"""The settings of an Argo CD that could block, slow or bend a revert."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import yaml

from generator.lint.finding import few
from generator.model.spans import say_span
from reconciler.checkup.collector import read_span
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned

MAIN, PARAMETERS = "argocd-cm", "argocd-cmd-params-cm"
# What the root Application applies, and what a late HTTPRoute needs to be understood.
OWN_KINDS = (
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("argoproj.io", "AppProject"),
    ("argoproj.io", "ApplicationSet"),
)
SLOW_POLL = timedelta(minutes=10)
_TIMEOUT = "controller.sync.timeout.seconds"
_POLICY = "applicationsetcontroller.policy"
_OVERRIDE = "applicationsetcontroller.enable.policy.override"
_DRY = "applicationsetcontroller.dryrun"
_IGNORED = "resource.customizations.ignoreDifferences."
_HEALTH = "resource.customizations.health."
Kind = tuple[str, str]  # group, kind
Data = Mapping[str, str]


def main(data: Data, kinds: Sequence[Kind]) -> Iterator[Finding]:
    """Look at `argocd-cm`.

    Args:
        data: What stands in it.
        kinds: What the environments bring to the sites.
    """
    yield from _visible(data, sorted({*OWN_KINDS, *kinds}))
    yield from _tracking(data.get("application.resourceTrackingMethod", "annotation"))
    yield from _poll(data.get("timeout.reconciliation", ""))
    yield from _tools(data)
    yield from _impersonation(data)
    yield from _customized(data, kinds)


def _visible(data: Data, kinds: Sequence[Kind]) -> Iterator[Finding]:
    check = "argocd.kinds"
    rules: dict[str, Sequence[Mapping[str, Any]]] = {}
    for key in ("resource.inclusions", "resource.exclusions"):
        try:
            rules[key] = _rules(data.get(key, ""))
        except ValueError as error:
            fix = f"kubectl -n argocd edit configmap {MAIN}"
            yield failed(check, MAIN, f"{key} cannot be read: {error}", fix)
            return
    included, excluded = rules.values()
    hidden = [
        f"{group}/{kind}" if group else kind
        for group, kind in kinds
        if (included and not _covers(included, (group, kind))) or _covers(excluded, (group, kind))
    ]
    if hidden:
        text = f"resource.inclusions and resource.exclusions hide {few(hidden)} from Argo CD"
        fix = f"kubectl -n argocd edit configmap {MAIN}: let both leave these kinds visible"
        yield failed(check, MAIN, text, fix)
    else:
        yield passed(check, MAIN, "every kind that is delivered is visible to Argo CD")


def _rules(text: str) -> Sequence[Mapping[str, Any]]:
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise ValueError("it is not YAML") from None
    if read is None:
        return ()
    if not isinstance(read, list) or not all(isinstance(one, Mapping) for one in read):
        raise ValueError("it is not a list of rules")
    return read


def _covers(rules: Sequence[Mapping[str, Any]], kind: Kind) -> bool:
    """Say whether one rule names a kind on any cluster; what a rule omits matches all."""
    return any(
        all(
            _matches(rule.get(key), value)
            for key, value in zip(("apiGroups", "kinds"), kind, strict=True)
        )
        for rule in rules
    )


def _matches(globs: object, text: str) -> bool:
    return not globs or (
        isinstance(globs, list) and any(fnmatchcase(text, str(one)) for one in globs)
    )


def _tracking(method: str) -> Iterator[Finding]:
    check, key = "argocd.tracking", "application.resourceTrackingMethod"
    if method == "annotation":
        yield passed(check, MAIN, "objects are tracked by annotation")
        return
    text = (
        f"{key} is {method}: Argo CD writes app.kubernetes.io/instance, cut to 63 characters, "
        "over what a chart selects its pods by"
    )
    fix = f"set {key}: annotation in {MAIN}"
    yield (warned if method == "annotation+label" else failed)(check, MAIN, text, fix)


def _poll(text: str) -> Iterator[Finding]:
    check, key = "argocd.poll", "timeout.reconciliation"
    every = read_span(text) if text else timedelta(minutes=2)
    if every is None:
        yield warned(check, MAIN, f"{key} {text!r} is no duration", f"set {key}: 120s in {MAIN}")
    elif not every:
        text = f"{key} is 0: Argo CD never looks at Git by itself"
        fix = f"set {key}: 120s in {MAIN}; until then a revert waits for the reconciler's refresh"
        yield warned(check, MAIN, text, fix)
    elif every > SLOW_POLL:
        text = f"Argo CD looks at Git every {say_span(every)} only"
        fix = f"set {key}: 120s in {MAIN}; until then a revert waits for the reconciler's refresh"
        yield warned(check, MAIN, text, fix)
    else:
        yield passed(check, MAIN, f"Argo CD looks at Git every {say_span(every)}")


def _tools(data: Data) -> Iterator[Finding]:
    check = "argocd.tools"
    off = [one for one in ("kustomize.enable", "helm.enable") if data.get(one) == "false"]
    if data.get("cluster.inClusterEnabled") == "false":
        off.append("cluster.inClusterEnabled")
    for key in off:
        text = f"{key} is false, so what is delivered by it stays as it is"
        yield failed(check, MAIN, text, f'set {key}: "true" in {MAIN}')
    if not off:
        yield passed(check, MAIN, "Kustomize, Helm and the cluster itself may be used")


def _impersonation(data: Data) -> Iterator[Finding]:
    key = "application.sync.impersonation.enabled"
    if data.get(key) == "true":
        text = f"{key} is true, and our AppProjects name no destinationServiceAccounts"
        fix = f'set {key}: "false" in {MAIN}; no sync works until then'
        yield failed("argocd.impersonation", MAIN, text, fix)


def _customized(data: Data, kinds: Sequence[Kind]) -> Iterator[Finding]:
    ours = {"all", *(f"{group}_{kind}" if group else kind for group, kind in kinds)}
    ignored = sorted(key for key in data if key.removeprefix(_IGNORED) in ours and _IGNORED in key)
    if ignored:
        text = f"Argo CD is told not to see some differences: {few(ignored)}"
        fix = f"take them out of {MAIN}, or see that they leave images and annotations alone"
        yield warned("argocd.ignored", MAIN, text, fix)
    health = sorted(key for key in data if key.removeprefix(_HEALTH) in ours and _HEALTH in key)
    if health:
        text = f"health is judged by rules of your own: {few(health)}"
        fix = f"take them out of {MAIN}: a release counts as applied when Argo CD says Healthy"
        yield warned("argocd.health", MAIN, text, fix)


def parameters(data: Data) -> Iterator[Finding]:
    """Look at `argocd-cmd-params-cm`, with what the controllers are started with on top."""
    yield from _timeout(data.get(_TIMEOUT, "0") or "0")
    yield from _policy(data)


def _timeout(text: str) -> Iterator[Finding]:
    check = "argocd.timeout"
    if not text.isdecimal():
        fix = f'set {_TIMEOUT}: "0" in {PARAMETERS}'
        yield warned(check, PARAMETERS, f"{_TIMEOUT} {text!r} is no number of seconds", fix)
    elif int(text) == 0:
        told = "a sync may hang for ever; the reconciler ends the ones that stand in the way"
        yield passed(check, PARAMETERS, f"{_TIMEOUT} is 0: {told}")
    else:
        told = (
            f"{_TIMEOUT} is {text}: it counts over all retries, and a sync that it ends is not "
            "tried again, so a site that was away for longer stays as it is"
        )
        fix = f'set {_TIMEOUT}: "0" in {PARAMETERS}, or keep the reconciler at the hub: it kicks'
        yield warned(check, PARAMETERS, told, fix)


def _policy(data: Data) -> Iterator[Finding]:
    check, policy = "argocd.policy", data.get(_POLICY, "")
    if data.get(_DRY) == "true":
        fix = f'set {_DRY}: "false" in {PARAMETERS} and restart the controller'
        yield failed(check, PARAMETERS, f"{_DRY} is true: no set makes any Application", fix)
    elif policy in ("", "create-update"):
        yield passed(check, PARAMETERS, "each set says itself what it may do to Applications")
    elif data.get(_OVERRIDE) == "true":
        yield passed(check, PARAMETERS, f"the policy {policy} is overridden by each set")
    else:
        told = {
            "create-only": "no Application is ever updated",
            "create-delete": "no Application is updated, and a lost row deletes one",
            "sync": "a lost row of a site file deletes the Application and its model server",
        }.get(policy, "it is none that is known")
        fix = f'set {_OVERRIDE}: "true" in {PARAMETERS}, or {_POLICY}: create-update'
        yield failed(check, PARAMETERS, f"the controller's policy is {policy}: {told}", fix)


_ARGUMENTS = {
    "--sync-timeout": _TIMEOUT,
    "--policy": _POLICY,
    "--enable-policy-override": _OVERRIDE,
    "--dry-run": _DRY,
}


def started_with(words: Sequence[str]) -> Data:
    """Read the arguments of controllers as the parameters that they stand for."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name not in _ARGUMENTS:
            continue
        after = words[place + 1] if place + 1 < len(words) else ""
        told = value if equals else ("true" if after.startswith("-") or not after else after)
        found[_ARGUMENTS[name]] = told
    return found


def hidden(name: str, why: str) -> Finding:
    """Say that a ConfigMap could not be read."""
    fix = f"allow get on configmaps {name} in the namespace of Argo CD, and ask again"
    return unknown("argocd.settings", name, why, fix)
