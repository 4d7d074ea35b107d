"""Alerts with words that a tired person can act on.

The words are templates of Prometheus, built from names that are ours and from labels; the sites
are named by a query inside the template, five at most, so one alert stands for a whole fleet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from generator.model.config import ModelSpec
from generator.model.environment import Environment
from generator.model.objective import Objective
from generator.model.spans import say_span
from generator.model.telemetry import ROLLOUT_DEADLINE, ROLLOUT_INFO, TICK
from generator.render.monitoring import promql
from generator.render.monitoring.burn import FAST, FEWEST_BAD, SLOW, Burn, number
from generator.render.monitoring.promql import select

RUNBOOK = "docs/runbooks/monitoring.md"
SILENT_SHARE = 30  # percent; the judge goes on with this many away
MOST_NAMED = 5
RELEASE, CANARY, ROLLOUT = (
    f"{{{{ $labels.{name} }}}}" for name in ("release", "canary", "rollout")
)
VALUE, SHARE, TIME = (
    f"{{{{ $value{filter_} }}}}" for filter_ in ("", " | humanizePercentage", " | humanizeDuration")
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule.

    Attributes:
        name: `alertname`.
        expr: PromQL.
        wait: How long it has to hold, as `for`.
        severity: `page` wakes a person, `ticket` waits for the morning.
        summary: What is wrong, in one sentence.
        description: What it means and what to type.
        labels: Further labels.
    """

    name: str
    expr: str
    wait: str
    severity: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Give the words as Prometheus takes them."""
        section = f"{RUNBOOK}#{self.name.lower()}"
        return {"summary": self.summary, "description": self.description, "runbook": section}


def model_alerts(settings: Environment, model: ModelSpec) -> Iterator[Alert]:
    """List the alerts of one model in one environment."""
    for one in model.objectives:
        yield burning(settings, model.name, one, FAST)
        yield burning(settings, model.name, one, SLOW)
        yield sites_burning(settings, model.name, one)
        yield unmeasured(settings, model.name, one)
    yield no_data(settings, model.name)
    yield many_silent(settings, model.name)
    yield lost(settings, model.name)
    yield not_applied(settings, model.name)
    yield not_serving(settings, model.name)
    yield stuck(settings, model.name)


def reconciler_alerts(settings: Environment) -> Iterator[Alert]:
    """List the alerts about tidegate itself in one environment."""
    yield silent_reconciler(settings)


def sites(metric: str, environment: str, model: str, objective: str = "") -> str:
    """Write a template that names at most five sites of one release, in the order of their ids."""
    known = {"environment": environment, "model": model, "objective": objective}
    inner = ",".join(f"{name}='{value}'" for name, value in known.items() if value)
    query = f"topk({MOST_NAMED}, {metric}{{{inner},release=%q}})"
    found = f'printf "{query}" $labels.release | query | sortByLabel "site"'
    return f"{{{{ range {found} }}}}{{{{ .Labels.site }}}} {{{{ end }}}}"


def any_sites(metric: str, environment: str, model: str) -> str:
    """Write a template that names at most five sites, whatever they should run."""
    query = f"topk({MOST_NAMED}, {metric}{{environment='{environment}',model='{model}'}})"
    found = f'query "{query}" | sortByLabel "site"'
    return f"{{{{ range {found} }}}}{{{{ .Labels.site }}}} {{{{ end }}}}"


def _status(settings: Environment) -> str:
    return f"Type: tidegate status (look at {settings.name})"


def _verb(verb: str, settings: Environment, model: str) -> str:
    return f'tidegate {verb} {model} --env {settings.name} --reason "..."'


def burning(settings: Environment, model: str, one: Objective, burn: Burn) -> Alert:
    """Alert when a release burns its error budget."""
    mine = promql.labels(settings.name, model, one.name)
    limit = number(burn.threshold(one))
    long, short = (select(promql.ratio(window), mine) for window in (burn.long, burn.short))
    bad = select(promql.bad_events(burn.long), mine)
    return Alert(
        f"TidegateErrorBudget{burn.name}",
        f"{long} > {limit} and {short} > {limit} and {bad} >= {FEWEST_BAD}",
        burn.wait,
        burn.severity,
        f"{model} {RELEASE} in {settings.name}: {SHARE} bad {one.name} over {burn.long}",
        f"The target of {one.name} is {number(one.target)} percent good. Release {RELEASE} has "
        f"{SHARE} bad events over {burn.long} and still has them over {burn.short}. If it is a "
        f"canary: {_verb('revert', settings, model)}. If it is stable: "
        f"tidegate revert {model} --env {settings.name} --to <release> "
        f'--reason "...". {_status(settings)}.',
        {"objective": one.name},
    )


def sites_burning(settings: Environment, model: str, one: Objective) -> Alert:
    """Alert when single sites burn, which the sum of all sites would hide."""
    mine = promql.labels(settings.name, model, one.name)
    by = "environment, model, objective, release"
    named = sites(promql.SITE_BURN, settings.name, model, one.name)
    return Alert(
        "TidegateSitesBurning",
        f"count by ({by}) ({select(promql.SITE_BURN, mine)})",
        "15m",
        "ticket",
        f"{model} {RELEASE} in {settings.name}: {VALUE} sites have too many bad {one.name}",
        f"Over {SLOW.long} more than {number(100 * SLOW.threshold(one))} percent of the events are "
        f"bad on each, and at least {FEWEST_BAD}. Sites: {named}. Look at the site first (camera, "
        f"light, load): one bad site says little about a release. {_status(settings)}.",
        {"objective": one.name},
    )


def unmeasured(settings: Environment, model: str, one: Objective) -> Alert:
    """Alert when a release serves, but one of its objectives cannot be measured."""
    serving = select(promql.SERVING_SITES, promql.labels(settings.name, model))
    known = select(promql.ratio(FAST.long), promql.labels(settings.name, model, one.name))
    return Alert(
        "TidegateObjectiveUnmeasured",
        f"{serving} unless on (environment, model, release) {known}",
        "30m",
        "ticket",
        f"{model} {RELEASE} in {settings.name}: {one.name} cannot be measured",
        f"{VALUE} sites serve {RELEASE}, but a counter of {one.name} is missing: a wrong selector "
        f"in models/{model}/model.yaml, an edge that the histogram does not have, or a server "
        f"that does not export it. Until then the rollout holds. To stop it: "
        f"{_verb('pause', settings, model)}.",
        {"objective": one.name},
    )


def no_data(settings: Environment, model: str) -> Alert:
    """Alert when no site at all reports."""
    known = promql.labels(settings.name, model)
    desired, serving = (select(n, known) for n in (promql.DESIRED_SITES, promql.SERVING_SITES))
    on = "on (environment, model)"
    return Alert(
        "TidegateNoData",
        f"sum by (environment, model) ({desired}) unless {on} {serving}",
        "15m",
        "page",
        f"{model} in {settings.name}: none of {VALUE} sites reports",
        "No series of any site arrives: look at remote-write and at the central Prometheus "
        "before the model. Nothing is judged meanwhile, and nothing advances. "
        f"{_status(settings)}.",
    )


def many_silent(settings: Environment, model: str) -> Alert:
    """Alert when many sites are away, but not all."""
    share = select(promql.SILENT_SHARE, promql.labels(settings.name, model))
    named = any_sites(promql.SILENT, settings.name, model)
    return Alert(
        "TidegateManySitesSilent",
        f"({share} > 0.{SILENT_SHARE}) < 1",
        "30m",
        "ticket",
        f"{model} in {settings.name}: {SHARE} of the sites are silent",
        f"More than {SILENT_SHARE} percent send nothing. Among them: {named}. They keep what they "
        f"run. See docs/runbooks/site-offline.md. {_status(settings)}.",
    )


def lost(settings: Environment, model: str) -> Alert:
    """Alert when sites are away for longer than their measurements are kept."""
    budget = say_span(settings.offline_budget)
    series = select(promql.LOST, promql.labels(settings.name, model))
    named = any_sites(promql.LOST, settings.name, model)
    return Alert(
        "TidegateSitesLost",
        f"count by (environment, model) ({series})",
        "15m",
        "ticket",
        f"{model} in {settings.name}: {VALUE} sites are away for more than {budget}",
        f"That is their offline budget: what they measured before is going. Among them: {named}. "
        f"See docs/runbooks/site-offline.md. A site that is gone for good: tidegate site remove "
        f'<site> --env {settings.name} --reason "...".',
    )


def _disagreeing(metric: str, settings: Environment, model: str) -> str:
    series = select(metric, promql.labels(settings.name, model))
    # Both times the same release was wanted, so a step that goes on is no disagreement.
    held = f"{series} and {series} offset {promql.span(settings.adopt_within)}"
    return f"count by (environment, model, release) ({held})"


def not_applied(settings: Environment, model: str) -> Alert:
    """Alert when Argo CD does not apply what Git wants."""
    named = sites(promql.NOT_APPLIED, settings.name, model)
    return Alert(
        "TidegateNotApplied",
        _disagreeing(promql.NOT_APPLIED, settings, model),
        "5m",
        "ticket",
        f"{model} {RELEASE} in {settings.name}: not applied on {VALUE} sites",
        f"Git wants {RELEASE} there since {say_span(settings.adopt_within)} or more, Argo CD has "
        f"applied another release: {named}. Look at the Application {settings.name}-{model}-<site> "
        f"in Argo CD for the sync error. {_status(settings)}.",
    )


def not_serving(settings: Environment, model: str) -> Alert:
    """Alert when sites serve something else than Git wants."""
    named = sites(promql.NOT_SERVING, settings.name, model)
    return Alert(
        "TidegateNotServing",
        _disagreeing(promql.NOT_SERVING, settings, model),
        "5m",
        "ticket",
        f"{model} {RELEASE} in {settings.name}: not serving on {VALUE} sites",
        f"Git wants {RELEASE} there since {say_span(settings.adopt_within)} or more, the sites "
        f"report another release: {named}. The new pod does not start: kubectl --context <cluster> "
        f"-n {settings.namespace} describe pods. {_status(settings)}.",
    )


def stuck(settings: Environment, model: str) -> Alert:
    """Alert when a step waits for longer than its deadline."""
    known = promql.labels(settings.name, model)
    late = f"time() - max by (environment, model) ({select(ROLLOUT_DEADLINE, known)}) > 0"
    info = f"max by (environment, model, rollout, canary) ({select(ROLLOUT_INFO, known)})"
    return Alert(
        "TidegateRolloutStuck",
        f"({late}) * on (environment, model) group_left (rollout, canary) {info}",
        "15m",
        "ticket",
        f"{model} in {settings.name}: {CANARY} is stuck, {TIME} past its deadline",
        f"The rollout {ROLLOUT} waits for evidence that does not come. {_status(settings)}: it "
        f"says what it waits for. Then wait, or {_verb('revert', settings, model)}.",
    )


def silent_reconciler(settings: Environment) -> Alert:
    """Alert when no tick ends: nothing advances, and nothing is taken back."""
    limit = max(3 * settings.interval, timedelta(minutes=5))
    ours = {"environment": settings.name}
    late = f"time() - max by (environment) ({select(TICK, ours)}) > {limit // timedelta(seconds=1)}"
    return Alert(
        "TidegateReconcilerSilent",
        f"({late}) or absent({select(TICK, ours)})",
        "5m",
        "page",
        f"tidegate does not look after {settings.name}",
        f"No tick has ended for {say_span(limit)}: no rollout advances, and a breach is not taken "
        f"back. Look at the process (python -m reconciler) and its log; until it runs again, "
        f'revert by hand: tidegate revert <model> --env {settings.name} --reason "...".',
    )
