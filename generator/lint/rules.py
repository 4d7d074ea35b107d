"""The table of rules: id, how bad it is, and why it is one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from generator.errors import Problem
from generator.lint import (
    api,
    bases,
    charts,
    cohorts,
    delivery,
    evidence,
    floating,
    flux,
    kinds,
    lock,
    markers,
    objectives,
    objects,
    papers,
    places,
    pods,
    pointers,
    pull,
    quotas,
    releases,
    rendered,
    rollouts,
    running,
    scaling,
    schema,
    secrets,
    serving,
    settings,
    sites,
    steering,
    syntax,
    traps,
    twins,
)
from generator.lint.finding import Severity
from generator.lint.view import View


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that holds in every repository that may be merged.

    Attributes:
        id: The word that a waiver names.
        check: Finds what breaks it.
        reason: One sentence: what happens otherwise.
        severity: Of every finding.
        is_last: It runs after all others, and sees which files have an error.
    """

    id: str
    check: Callable[[View], Iterable[Problem]]
    reason: str
    severity: Severity = Severity.ERROR
    is_last: bool = False


WAIVERS = "waivers"  # not in the table: no waiver can set it aside
RULES: tuple[Rule, ...] = (
    Rule("schema", schema.schema, "A misspelt key would be ignored, and its default would hold."),
    Rule("yaml", syntax.syntax, "Kustomize, Helm and Argo CD would read different values."),
    Rule("paths", places.paths, "Some checkouts could not hold the tree, or would mix two files."),
    Rule("names", places.names, "Names become paths, labels and Kubernetes objects."),
    Rule("undeclared", places.undeclared, "What nothing explains is stale, or was put there."),
    Rule("rollout", rollouts.rollout, "A rollout file would ask for what is not there."),
    Rule("rejected", rollouts.rejected, "A release that was proved bad could come back."),
    Rule("cohort", cohorts.cohort, "A canary would run on other sites than those that were drawn."),
    Rule("sites", sites.sites, "Argo CD would make Applications for other sites, or none."),
    Rule("applications", sites.applications, "Two sites would share an Application, or get none."),
    Rule("profiles", sites.profiles, "A site would get no manifest when its turn comes."),
    Rule("environment", settings.environment, "A promotion could never start, or draw unevenly."),
    Rule("release", releases.release, "Argo CD does not see such an edit, and no digest holds."),
    Rule("overwritten", releases.overwritten, "Two releases would have one name, and other bytes."),
    Rule("floating", floating.floating, "The same commit would run something else tomorrow."),
    Rule("images", settings.images, "An image from anywhere would run on every site."),
    Rule("secrets", secrets.secrets, "What once stood in Git is known to all who ever read it."),
    Rule("base", bases.base, "The next release would not build, or would run another image."),
    Rule("objects", objects.objects, "Kustomize ignores a key that it does not know."),
    Rule("api", api.api, "No site would take the object, and the release would stand still."),
    Rule("kinds", kinds.kinds, "Argo CD would apply nothing of the model, not even the rest."),
    Rule("chart", charts.chart, "Stable and canary would differ, or a revert would have to wait."),
    Rule("twins", twins.twins, "Stable and canary would be one, or none could be reached."),
    Rule("steering", steering.steering, "A revert would have to wait, or be passed over."),
    Rule("running", running.running, "A release that every page calls fine would run nothing."),
    Rule("pods", pods.pods, "Sites refuse such pods, and say so only after two minutes."),
    Rule("serving", serving.serving, "Pods would never get ready, or nobody would find them."),
    Rule("accelerators", serving.accelerators, "A pod would wait for a card, or start without it."),
    Rule("scaling", scaling.scaling, "Two hands on one number, or a node that nobody can drain."),
    Rule("k3s", quotas.hosts, "K3s would not apply the file, or would limit something else."),
    Rule("quota", quotas.quota, "The new pod of a release would be refused beside the old one."),
    Rule("argocd-project", traps.project, "A wider project lets a path apply anything anywhere."),
    Rule("argocd-set", traps.application_set, "One bad site file would delete or reroute sites."),
    Rule("argocd-sync", traps.sync, "A site in trouble would never get the revert."),
    Rule("argocd-root", traps.root, "A missing file would delete the sets of a whole fleet."),
    Rule("argocd", delivery.hub, "Argo CD would apply something else than sites and pins say."),
    Rule("pull-application", pull.application, "A site would apply something else than its own."),
    Rule("pull-sync", pull.sync, "A site in trouble would never get the revert."),
    Rule("pull-root", pull.root, "A missing file would delete the models of a site."),
    Rule("argocd-pull", delivery.on_site, "A site would apply something else than its pins say."),
    Rule("flux-source", flux.flux_source, "A site would pull something else, late, or nothing."),
    Rule("flux-sync", flux.flux_sync, "A site in trouble would never get the revert."),
    Rule("flux", delivery.fluxes, "A site would apply something else than its pins say."),
    Rule("objectives", objectives.objectives, "A rollout would hold for ever, or never."),
    Rule("monitoring", delivery.watching, "An alert would look at something else, or at nothing."),
    Rule("lock", lock.lock, "An update could not tell your edits from the blueprint."),
    Rule("conflict", markers.markers, "People and tools would read both sides of a merge."),
    Rule("evidence", evidence.evidence, "A decision could no longer be proved or replayed."),
    Rule("pointers", pointers.pointers, "Sites run what their pointer says.", is_last=True),
    Rule("rendered", rendered.rendered, "Every file right, and the sum wrong.", is_last=True),
    Rule("unrendered", rendered.unrendered, "Nobody looked.", Severity.WARNING, is_last=True),
    Rule("clusters", sites.clusters, "Two sites would overwrite each other.", Severity.WARNING),
    Rule("hardening", pods.hardening, "A broken-in server could do more.", Severity.WARNING),
    Rule("owners", papers.owners, "A change would land without whom it needs.", Severity.WARNING),
    Rule("links", papers.links, "People in a hurry would look in vain.", Severity.WARNING),
    Rule("spans", objectives.spans, "A step would end unheard.", Severity.WARNING),
    Rule("remote", settings.remote, "Argo CD is told nothing.", Severity.WARNING),
    Rule("prometheus", rollouts.prometheus, "A rollout would never advance.", Severity.WARNING),
    Rule("lock-missing", lock.missing, "What was deleted by mistake stays away.", Severity.WARNING),
)
