"""`tidegate plan`."""

import json
from collections.abc import Iterator

import click

from generator.changes import one_line
from generator.errors import InputError
from generator.model.environment import Kind
from generator.model.spans import say_span
from generator.repository import Repository
from reconciler.forecast import Find, Stage
from reconciler.measure import Answer, MetricsUnavailable
from reconciler.outlook import Query
from reconciler.wiring import Origins, origin_of
from tidegate.place import Place, is_local, looking
from tidegate.planning import SPREAD, Plan, Step, data
from tidegate.planning import plan as foresee

MOST_STRATA = 12
MOST_EXCLUDED = 10
MOST_WORDS = 110


@click.command
@click.argument("model")
@click.option("--env", required=True, help="Environment of the rollout.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Predictions a site and hour."
)
@click.option(
    "--spread",
    default=SPREAD,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="How far sites are taken to be from their own history.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A metrics API that Git may name; loopback ones are allowed for local remotes.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@looking
def plan(
    where: Place,
    *,
    model: str,
    env: str,
    rate: float | None,
    spread: float,
    origins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a rollout will do before it does: sites, time, and what could be seen of it.

    Of the rollout that stands, or of the next promotion. How busy sites are, and how often their
    predictions are bad, comes from --rate, else from the metrics API, else from the newest
    evidence in Git. The judge and the policy that will decide go through the steps with these
    counts; sites that behave worse than their history make everything slower. No metrics API is
    needed, and nothing is written.

    \b
    tidegate plan defect-detector --env edge-k3s
    tidegate plan defect-detector --env edge-k3s --rate 240 --json
    """
    allowed = dict.fromkeys((origin_of(text) for text in origins), "")
    connect = Origins(allowed, loopback=not where.repo or is_local(where.repo))
    repository = Repository(where.tree())
    repository.config()
    query = _patient(repository, env, connect)
    found = foresee(repository, env, model, query, where.now, per_hour=rate, spread=spread)
    click.echo(json.dumps(data(found), indent=2) if as_json else "\n".join(text(found, spread)))


def _patient(repository: Repository, environment: str, connect: Origins) -> Query:
    def ask(*words: object) -> Answer:
        try:
            query = connect.connect(repository.environment(environment).prometheus)
        except InputError as error:
            raise MetricsUnavailable("Prometheus", str(error)) from error
        return query(*words)  # type: ignore[arg-type]  # passed through as it came

    return ask


def text(found: Plan, spread: float = SPREAD) -> Iterator[str]:
    """Write a plan for a person."""
    rollout = found.rollout
    name = f"{rollout.environment}/{rollout.model}"
    what = (
        f"{rollout.canary} stands at {rollout.percent}%" if found.stands else "the next promotion"
    )
    yield f"{name}: {what}, {found.total} sites"
    yield f"rates: {found.basis.source}" + (
        f"; sites are taken to be within {spread:.0%} of them" if found.stages else ""
    )
    yield ""
    yield from _table(found)
    yield from _worse(found)
    yield from _excluded(found)
    yield ""
    yield from _end(found)


def _table(found: Plan) -> Iterator[str]:
    yield f"{'step':<6}{'sites':>7}{'joins':>7}  {'takes':<14}{'predictions':>12}  seen by its end"
    walked: tuple[Stage | None, ...] = (*found.stages, *[None] * len(found.steps))
    for step, stage in zip(found.steps, walked, strict=False):
        head = f"{str(step.percent) + '%':<6}{len(step.sites):>7}{len(step.joins):>7}"
        yield f"{head}  {_takes(step, stage):<14}{_served(stage):>12}  {_sees(stage)}".rstrip()
        if stage and stage.waits_for:
            yield f"{'':22}beyond its soak it waits: {one_line(stage.waits_for, MOST_WORDS)}"
    yield ""
    yield from _strata(found)


def _takes(step: Step, stage: Stage | None) -> str:
    if stage is None:
        return f"{say_span(step.soak)} or more"
    return say_span(stage.lasts) if stage.lasts is not None else "never passes"


def _served(stage: Stage | None) -> str:
    return f"{stage.predictions:,}" if stage else "unknown"


def _sees(stage: Stage | None) -> str:
    if stage is None:
        return ""
    ratios = (
        f"{name} x{ratio:.2f}" if ratio is not None else f"{name} nothing under x10"
        for name, ratio in stage.detectable.items()
    )
    return ", ".join(ratios)


def _strata(found: Plan) -> Iterator[str]:
    if found.kind is Kind.CLOUD:
        return
    names = list(found.steps[0].strata)
    wide = max(len(name) for name in names)
    for name in names[:MOST_STRATA]:
        counts = "  ".join(f"{step.strata[name][0]:>5}" for step in found.steps)
        yield f"{name:<{wide}}  {counts}  of {found.steps[0].strata[name][1]}"
    if len(names) > MOST_STRATA:
        yield f"and {len(names) - MOST_STRATA} more strata (--json lists them)"


def _worse(found: Plan) -> Iterator[str]:
    if found.finds:
        yield ""
        yield "a release that is worse from the start would be taken back"
    for one in found.finds:
        yield f"  {one.objective} x{one.times:g}: {_when(one)}"


def _when(one: Find) -> str:
    if one.after is None:
        return f"not at all; it would serve {one.predictions:,} predictions and pass"
    return f"after {say_span(one.after)} at {one.percent}%, {one.predictions:,} predictions"


def _excluded(found: Plan) -> Iterator[str]:
    if found.excluded:
        yield ""
        yield f"{len(found.excluded)} sites take no part before the last step"
    for site, why in list(found.excluded.items())[:MOST_EXCLUDED]:
        yield f"  {site}: {why}"
    if len(found.excluded) > MOST_EXCLUDED:
        yield f"  and {len(found.excluded) - MOST_EXCLUDED} more"


def _end(found: Plan) -> Iterator[str]:
    rollout, joins = found.rollout, [len(step.joins) for step in found.steps]
    if found.lasts is None:
        deadline = say_span(rollout.deadline)
        yield f"100% is never reached: a step waits until its deadline of {deadline}"
    else:
        least = "" if found.stages else "at least "
        yield f"100% and complete after {least}{say_span(found.lasts)}"
    if found.kind is Kind.CLOUD:
        yield f"every step moves traffic on all {found.total} clusters and re-renders each"
    else:
        yield f"re-renders {sum(joins)} Applications, {max(joins)} of them at the largest step"
    words = f"{rollout.model} --env {rollout.environment}"
    yield f'to undo it at any step: tidegate revert {words} --reason "...": one commit, and only'
    yield "the sites on the canary are rendered again, to the very bytes of before"
