"""Clusters that Argo CD knows, by the names and labels of their Secrets, never by their data."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from generator.lint.finding import count, few
from generator.render.argocd import IN_CLUSTER
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned
from reconciler.checkup.lives import SKIP, mapping, text

LABEL = "argocd.argoproj.io/secret-type=cluster"
_ADD = "argocd cluster add <context> --name {name}"


def clusters(
    wanted: Collection[str], secrets: Sequence[Mapping[str, Any]] | None, denied: Sequence[str]
) -> Iterator[Finding]:
    """Does Argo CD know every cluster that a site row names?

    Args:
        wanted: Clusters of all sites.
        secrets: Metadata of the Secrets of clusters; None where it may not be read.
        denied: Clusters of which Argo CD itself says that it does not know them.
    """
    check = "argocd.clusters"
    lost = sorted(set(denied) & set(wanted)) or sorted(denied)
    if lost:
        text_ = f"Argo CD does not know {count(len(lost), 'cluster')} of site rows: {few(lost)}"
        fix = f"{_ADD.format(name=lost[0])}, or correct cluster: in the site file"
        yield failed(check, "", text_, fix)
    if secrets is None:
        told = "which clusters are registered: their Secrets may not be listed"
        fix = f"allow list on secrets there, or look yourself: argocd cluster list ({LABEL})"
        yield unknown(check, "", told, fix)
        return
    needed = set(wanted) - {IN_CLUSTER}
    if len(secrets) < len(needed) and not lost:
        short = len(needed) - len(secrets)
        told = (
            f"site rows name {count(len(needed), 'cluster')}, and {len(secrets)} are registered: "
            f"at least {short} will be missing"
        )
        fix = f"argocd cluster list, then {_ADD.format(name='<cluster>')}"
        yield failed(check, "", told, fix)
    elif not lost:
        told = f"{len(secrets)} registered, and {len(needed)} named by site rows; names not read"
        yield passed(check, "", told)
    yield from _skipped(secrets)


def _skipped(secrets: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    skipped = sorted(
        text(one, "name") for one in secrets if text(mapping(one, "annotations"), SKIP) == "true"
    )
    if skipped:
        told = f"{count(len(skipped), 'cluster')} with skip-reconcile: nothing is synced there"
        fix = f"kubectl annotate secret {skipped[0]} {SKIP}- in the namespace of Argo CD"
        yield warned("argocd.clusterskip", "", f"{told}: {few(skipped)}", fix)
