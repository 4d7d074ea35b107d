"""`tidegate doctor`."""

import sys
from datetime import UTC, datetime

import click

from generator.errors import ExitCode, InputError
from generator.gitrepo.probing import origin_of
from generator.http import Limits
from reconciler.checkup import State, failed, unknown
from reconciler.wiring import Origins, hub_api
from tidegate.commands.reconcile import allowed_origins
from tidegate.doctoring import report
from tidegate.doctoring.fleet import Fleet, read_fleet
from tidegate.doctoring.hub import Examined
from tidegate.doctoring.machine import machine
from tidegate.doctoring.metrics import metrics
from tidegate.doctoring.registry import registry
from tidegate.doctoring.running import Area, Step, run_together
from tidegate.doctoring.source import Source
from tidegate.engines import Engines, with_engines
from tidegate.place import Place, bare_clone, is_local, looking

_LIMITS = Limits(connect_s=5.0, total_s=20.0, body_bytes=64 * 2**20, attempts=1)


_AREAS = ("metrics", "registry", "hub", "installation")


@click.command
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A metrics API that Git may name; loopback ones are allowed for local remotes.",
)
@click.option(
    "--token-file",
    "tokens",
    multiple=True,
    metavar="ORIGIN=FILE",
    help="Bearer token for one origin.",
)
@click.option("--registry", "told", default="", metavar="URI", help="MLflow, if not that of Git.")
@click.option(
    "--kubeconfig",
    default="",
    metavar="FILE",
    help="The hub's API server, to look at Argo CD; in-cluster for a pod's own.",
)
@click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--argocd-namespace",
    default="argocd",
    show_default=True,
    metavar="NAME",
    help="Where Argo CD lives.",
)
@click.option(
    "--lease", default="", metavar="NAMESPACE/NAME", help="The Lease of the reconcilers, if any."
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_AREAS),
    help="Besides Git look at this only; may be given more than once.",
)
@click.option("--all", "whole", is_flag=True, help="Also say what is well.")
@click.option(
    "--seconds", default=120.0, show_default=True, help="The most that all checks may take."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with what is well.")
@with_engines
@looking
def doctor(
    where: Place,
    *,
    origins: tuple[str, ...],
    tokens: tuple[str, ...],
    told: str,
    kubeconfig: str,
    context: str,
    argocd_namespace: str,
    lease: str,
    only: tuple[str, ...],
    whole: bool,
    seconds: float,
    as_json: bool,
    engines: Engines,
) -> None:
    """Look for what would keep a rollout, or its revert, from working; change nothing.

    Asks the Git remote, the Prometheus of every environment, MLflow, Argo CD on the hub, and
    this installation. Each finding says what, where, and what mends it; one system that is down
    hides no other. Exits with 1 when there is an error. A push is tried as a dry run, which asks
    no branch rules and no hooks.

    \b
    tidegate doctor
    tidegate doctor --repo https://git.example/fleet.git --allow-origin http://prometheus:9090
    tidegate doctor --kubeconfig ~/.kube/hub --context hub --all
    """
    url = where.repo or origin_of(where.folder)
    if not url:
        hint = "go into a checkout with a remote 'origin', or name one with --repo URL"
        raise InputError("there is no remote to look at", hint=hint)
    clock = datetime.now(UTC)  # noqa: TID251 (the command line has the clock)
    source = Source(url, bare_clone(url, where.state_dir), where.now, clock)
    found = run_together([source.area()], seconds)
    fleet = read_fleet(source.repository) if source.repository else Fleet()
    allowed = Origins(allowed_origins(origins, tokens), is_local(url))
    areas = [*metrics(fleet, lambda one: allowed.door(one, _LIMITS))]
    areas += [registry(fleet, told)] if fleet.commit else []
    areas.append(machine(engines))
    areas.append(_hub(kubeconfig, context, argocd_namespace, lease, fleet, clock))
    areas = [one for one in areas if one.name in (only or _AREAS)]
    found += run_together(areas, seconds)
    click.echo(report.data(found) if as_json else report.text(found, whole=whole))
    is_ill = any(one.state is State.ERROR for one in found)
    sys.exit(ExitCode.INPUT if is_ill else ExitCode.DONE)


def _hub(
    kubeconfig: str, context: str, namespace: str, lease: str, fleet: Fleet, now: datetime
) -> Area:
    """List the checks of the hub, or the one that says why there are none."""
    check, where = "cluster.answers", kubeconfig
    if not kubeconfig:
        fix = "name the hub's API server: --kubeconfig FILE"
        finding = unknown(check, where, "Argo CD: no cluster was named", fix)
        return Area("hub", [Step(check, where, lambda: (finding,))])

    try:
        api = hub_api(kubeconfig, context)
    except InputError as error:
        one = error.problems[0]
        found = failed(check, where, one.message, one.hint or "name another kubeconfig")
        return Area("hub", [Step(check, where, lambda: (found,))])
    return Examined(api, namespace, lease.partition("/")[0], fleet, now).area()
