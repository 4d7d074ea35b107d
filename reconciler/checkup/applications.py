"""Applications: those there are against those that Git wants, and what keeps one from a sync."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from generator.lint.finding import count, few
from generator.model.site import Site
from reconciler.applied import Wanted
from reconciler.checkup.finding import Finding, failed, passed, warned
from reconciler.checkup.lives import Live, mapping

LONG_SYNC = timedelta(minutes=15)
_NO_CLUSTER = re.compile(r"no clusters with this name: ([\w.:/@-]+)")
_UNREAD = re.compile(r"live state|cluster info|cluster cache|dial tcp|i/o timeout|unreachable")
_KUBECTL = "kubectl -n {namespace}"


@dataclass(frozen=True, slots=True)
class Hub:
    """What one Argo CD holds, and what Git wants of it.

    Attributes:
        namespace: Where it lives.
        wanted: What Git wants, by name.
        lives: Its Applications, by name.
        policies: `spec.template.spec.syncPolicy` in Git, by the name of the set.
        clusters: Cluster of each (environment, site).
    """

    namespace: str
    wanted: Mapping[str, Wanted]
    lives: Mapping[str, Live]
    policies: Mapping[str, Mapping[str, Any]]
    clusters: Mapping[tuple[str, str], str]

    @property
    def ours(self) -> Sequence[Live]:
        """List the Applications that Git wants and that are there."""
        return [self.lives[name] for name in sorted(self.wanted) if name in self.lives]


def presence(hub: Hub) -> Iterator[Finding]:
    """Is every Application there, and none that Git does not know?"""
    check, kubectl = "argocd.applications", _KUBECTL.format(namespace=hub.namespace)
    missing = sorted(hub.wanted.keys() - hub.lives.keys())
    sets = sorted({hub.wanted[name].set_name for name in missing})
    if missing:
        told = f"{len(missing)} of {count(len(hub.wanted), 'Application')} not there"
        wake = "argocd.argoproj.io/application-set-refresh=$(date +%s) --overwrite"
        fix = f"{kubectl} annotate applicationset {few(sets)} {wake}, then look at its conditions"
        yield failed(check, "", f"{told}: {few(missing)}", fix)
    strange = sorted(
        name for name, one in hub.lives.items() if one.environment and name not in hub.wanted
    )
    if strange:
        text = f"{count(len(strange), 'Application')} in Argo CD that Git does not want"
        fix = f"{kubectl} delete application NAME, once nothing of it is needed on its site"
        yield warned(check, "", f"{text}: {few(strange)}", fix)
    if hub.wanted and not missing:
        told = f"{count(len(hub.wanted), 'Application')}, as Git wants"
        yield passed(check, "", told)


@dataclass(frozen=True, slots=True)
class _Rule:
    check: str
    is_ill: Callable[[Hub, Live], bool]
    text: str
    fix: str
    state: Callable[[str, str, str, str], Finding] = failed


def _is_off(_: Hub, one: Live) -> bool:
    automated = one.policy.get("automated")
    return not isinstance(automated, Mapping) or automated.get("enabled") is False


def _heals_not(hub: Hub, one: Live) -> bool:
    automated = mapping(one.policy, "automated")
    return not _is_off(hub, one) and automated.get("selfHeal") is not True


def _retries_otherwise(hub: Hub, one: Live) -> bool:
    policy = hub.policies.get(hub.wanted[one.name].set_name)
    return policy is not None and one.policy.get("retry") != policy.get("retry")


def _goes_elsewhere(hub: Hub, one: Live) -> bool:
    wanted = hub.wanted[one.name]
    cluster = hub.clusters.get((wanted.environment, wanted.site))
    project = f"{wanted.environment}.{wanted.shard}"
    return (cluster is not None and one.cluster != cluster) or one.project != project


def _is_away(_: Hub, one: Live) -> bool:
    """Say whether Argo CD cannot read the site; what it could not render is another matter."""
    told = [
        _UNREAD.search(message) if kind == "ComparisonError" else None
        for kind, message in one.conditions
    ]
    return one.sync == "Unknown" and all(told)


_SET = "let its ApplicationSet write it anew: annotate the set with application-set-refresh"
_RULES = (
    _Rule(
        "argocd.autosync",
        _is_off,
        "automated sync is switched off: neither a step nor a revert arrives",
        f"argocd app set NAME --sync-policy automated --auto-prune --self-heal; or {_SET}",
    ),
    _Rule(
        "argocd.selfheal",
        _heals_not,
        "selfHeal is off: what is changed by hand on the site stays",
        f"argocd app set NAME --self-heal; or {_SET}",
        warned,
    ),
    _Rule(
        "argocd.retry",
        _retries_otherwise,
        "retry is not what Git says (limit -1, refresh, back-off up to 1m): a sync that fails "
        "may never see the revert",
        _SET,
    ),
    _Rule(
        "argocd.skipped",
        lambda _, one: one.is_skipped,
        "the annotation argocd.argoproj.io/skip-reconcile keeps Argo CD from looking",
        "kubectl -n {namespace} annotate application NAME argocd.argoproj.io/skip-reconcile-",
    ),
    _Rule(
        "argocd.differences",
        lambda _, one: one.is_ignoring,
        "ignoreDifferences hides changes: a flip that touches only those is never applied",
        _SET,
        warned,
    ),
    _Rule(
        "argocd.deleting",
        lambda _, one: one.is_deleting,
        "somebody has deleted it, and it waits for its finalizer",
        "see that its cluster answers; if the site is gone: tidegate site remove SITE",
    ),
    _Rule(
        "argocd.elsewhere",
        _goes_elsewhere,
        "project or cluster is another one than in Git",
        _SET,
    ),
    _Rule(
        "argocd.byhand",
        lambda _, one: bool(one.by_hand),
        "a sync that somebody started by hand runs or waits, maybe of another commit",
        "argocd app terminate-op NAME, if it is in the way",
        warned,
    ),
    _Rule(
        "argocd.unread",
        _is_away,
        "Argo CD cannot read the state of the site now (Unknown): it is away, or refuses",
        "argocd cluster list; a site that is back is read again within minutes",
        warned,
    ),
)


def blocks(hub: Hub, now: datetime) -> Iterator[Finding]:
    """Name what keeps Applications from being synced as Git says."""
    calm = True
    for rule in _RULES:
        ill = [one.name for one in hub.ours if rule.is_ill(hub, one)]
        if ill:
            calm = False
            fix = rule.fix.replace("NAME", ill[0]).replace("{namespace}", hub.namespace)
            text = f"{count(len(ill), 'Application')}: {rule.text}: {few(ill)}"
            yield rule.state(rule.check, "", text, fix)
    slow = [one.name for one in hub.ours if _is_long(one, now)]
    if slow:
        calm = False
        minutes = LONG_SYNC // timedelta(minutes=1)
        text = f"{count(len(slow), 'sync')} running for over {minutes} min: {few(slow)}"
        fix = f"argocd app terminate-op {slow[0]}; a reconciler at the hub does it by itself"
        yield warned("argocd.hanging", "", text, fix)
    if calm and hub.ours:
        yield passed("argocd.autosync", "", "every Application syncs by itself, as Git says")


def _is_long(one: Live, now: datetime) -> bool:
    return one.running_since is not None and now - one.running_since > LONG_SYNC


def conditions(hub: Hub) -> Iterator[Finding]:
    """Name what Argo CD itself complains about, by type, with one of the messages."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in hub.ours:
        # A site that is away is no error of anybody's: fleets always have some.
        for kind, message in () if _is_away(hub, one) else one.conditions:
            found.setdefault(kind, []).append((one.name, message))
    for kind, listed in sorted(found.items()):
        names = few(sorted({name for name, _ in listed}))
        text = f"{count(len(listed), 'Application')} with {kind}: {names}: {listed[0][1]}"
        fix = f"argocd app get {listed[0][0]}, and mend what it says"
        yield failed("argocd.conditions", "", text, fix)
    if hub.ours and not found:
        yield passed("argocd.conditions", "", "no Application has an error condition")


def unknown_clusters(messages: Collection[str]) -> Sequence[str]:
    """Read the names of clusters that Argo CD says it does not know."""
    return sorted({name for one in messages for name in _NO_CLUSTER.findall(one)})


def clusters_of(sites: Mapping[str, Sequence[Site]]) -> Mapping[tuple[str, str], str]:
    """Give the cluster of each (environment, site)."""
    return {(name, one.id): one.cluster for name, listed in sites.items() for one in listed}
