"""Many Applications on one Argo CD: what they cost, what a step among them costs, and who pays.

500 take minutes of two cores to come up, so they are a run of their own: `--applications 500`.
Each of 25 sites runs several models, so the load of the Applications is there, and of as many
ApplicationSets as models; the clusters are 25, since Argo CD keeps a cache and a watch of each kind
for every cluster, which for 500 of them is memory of the bed and of no interest. Argo CD looks by
itself every 3 minutes, which is about its own default: what is quicker is the reconciler's doing.
"""

import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from generator.model import telemetry
from tests.e2e import steps
from tests.e2e.bed import ports
from tests.e2e.bed.argocd import NAMESPACE, POLL_S, added
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO
from tests.e2e.bed.processes import cpu_s
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("many Applications", "argocd")
SITES = 25
USUAL_POLL_S = 180
MOST_MIB = 6 * 1024
ROLES = ("application-controller", "repo-server", "applicationset-controller", "hub-api")
EVERY_S = 5
Note = Callable[[str, object], None]


@contextmanager
def unhurried(bed: Bed) -> Iterator[None]:
    """Let Argo CD look by itself as seldom as it usually does."""
    bed.argocd.poll(USUAL_POLL_S)
    try:
        yield
    finally:
        bed.argocd.poll(POLL_S)


@dataclass(frozen=True)
class Load:
    """What was spent until now.

    Attributes:
        cpu_s: Seconds of processor time by process.
        passes: Of the reconciler.
        wall_s: What its passes took together.
        calls: Requests for Applications at the hub's API server that only read.
    """

    cpu_s: Mapping[str, float]
    passes: float
    wall_s: float
    calls: float

    def since(self, before: "Load") -> "Load":
        """Give what was spent in between."""
        return Load(
            {name: round(spent - before.cpu_s[name], 2) for name, spent in self.cpu_s.items()},
            self.passes - before.passes,
            self.wall_s - before.wall_s,
            self.calls - before.calls,
        )


@dataclass(frozen=True)
class Meter:
    """Reads the load; looks at no Application itself."""

    bed: Bed
    pid: int
    port: int

    def passes(self) -> float:
        """Count the reconciler's passes."""
        return added(self._metrics(), f"{telemetry.DURATION}_count")

    def look(self) -> Load:
        """Read everything."""
        every = self.bed.processes.all
        spent = {name: one.cpu_s() for name, one in every.items() if name in ROLES}
        own, hub = self._metrics(), self.bed.hub.kube.text("/metrics")
        return Load(
            {**spent, "reconciler": cpu_s(self.pid)},
            added(own, f"{telemetry.DURATION}_count"),
            added(own, f"{telemetry.DURATION}_sum"),
            sum(
                added(hub, "apiserver_request_total", verb=verb, resource="applications")
                for verb in ("GET", "LIST")
            ),
        )

    def _metrics(self) -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"
        try:
            return httpx.get(url, timeout=10, trust_env=False).raise_for_status().text
        except httpx.HTTPError as error:
            raise OSError(str(error)) from error


@pytest.fixture
def models(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Name as many models as the asked number of Applications takes."""
    number = max(1, request.config.getoption("--applications") // SITES)
    return (MODEL, *(f"model-{number:02d}" for number in range(2, number + 1)))


def settled(bed: Bed, fleet: Fleet, total: int) -> bool:
    """Look whether every Application is Synced and Healthy."""
    rows = bed.hub.kube.table(ARGO, "Application", NAMESPACE)
    told = [
        (one["Sync Status"], one["Health Status"])
        for one in rows
        if one["Name"].startswith(f"{fleet.name}-")
    ]
    good = told.count(("Synced", "Healthy"))
    assert good == len(told) == total, f"{good} of {len(told)} are Synced and Healthy"
    return True


def desired(fleet: Fleet, commit: str = "refs/heads/main") -> Mapping[tuple[str, str], str]:
    """Say which release Git wants for every (namespace, model)."""
    pattern = "/v[0-9]+-[0-9a-f]{8}/"
    found = fleet.git("grep", "-E", "-o", pattern, commit, "--", "sites/")
    wanted = {}
    for line in found.splitlines():
        _, path, release = line.split(":")
        _, _, site, model, _ = path.split("/")
        wanted[fleet.namespace(site), model] = release.strip("/")
    return wanted


def held(bed: Bed, fleet: Fleet) -> Mapping[tuple[str, str], str]:
    """Say which release every Deployment has, and has ready, on its API server."""
    own = {fleet.namespace(site) for site in fleet.sites}
    return {
        (who["namespace"], who["labels"]["app.kubernetes.io/name"]): who["labels"][
            "tidegate.dev/release"
        ]
        for one in bed.edge.kube.list("apps/v1", "Deployment", labels="tidegate.dev/release")
        if (who := one["metadata"])["namespace"] in own and one["status"].get("readyReplicas")
    }


def test_one_step_among_many_applications(
    argocd_bed: Bed, new_fleet: NewFleet, note: Note, models: tuple[str, ...]
) -> None:
    bed, total = argocd_bed, SITES * len(models)
    with unhurried(bed):
        fleet = new_fleet(SITES, models=models)
        fleet.baseline()
        with bed.alone():
            bed.deliver(fleet)
            took = steps.seconds(
                lambda: settled(bed, fleet, total), bed, 60 + total, f"{total} Applications"
            )
        assert held(bed, fleet) == desired(fleet)
        assert len(desired(fleet)) == total
        note(f"{total} Applications from nothing to Synced and Healthy, seconds", round(took, 1))
        _measure(bed, fleet, note, total)
    memory = {**bed.processes.memory(), "gates": _own_mib()}
    assert sum(memory.values()) < MOST_MIB
    note(f"{total} Applications, peak memory of everything, MiB", round(sum(memory.values())))


def _measure(bed: Bed, fleet: Fleet, note: Note, total: int) -> None:
    port = ports.free()
    words = ("--listen", str(port))
    with steps.reconciling(bed, fleet, *words, every=EVERY_S) as reconciler:
        meter = Meter(bed, reconciler.process.pid, port)

        def wait_passes(number: float) -> None:
            until = meter.passes() + number
            bed.patience.until(lambda: meter.passes() >= until, 60, f"{number} passes")

        bed.patience.until(lambda: meter.passes() >= 1, 60, "the first pass")
        wait_passes(1)
        before = meter.look()
        wait_passes(4)
        idle = meter.look().since(before)
        _note_passes(note, idle, total)

        rendered, start, began = len(bed.argocd.rendered(fleet.name)), fleet.head(), meter.look()
        new = fleet.promote(2)
        moved = set(dict(desired(fleet).items() - desired(fleet, start).items()))

        def applied() -> bool:
            found = held(bed, fleet)
            assert {one for one, release in found.items() if release == new} == moved
            return True

        bed.patience.until(applied, 60, "the step is applied")
        took = steps.since_push(fleet)
        bed.patience.until(lambda: settled(bed, fleet, total), 30, "and Argo CD says so")
        step = meter.look().since(began)
    again = bed.argocd.rendered(fleet.name)[rendered:]
    assert len(moved) == 2
    assert len(again) == len(moved)
    assert held(bed, fleet) == desired(fleet)
    note(f"one step among {total}: rendered per site flipped", len(again) / len(moved))
    note(f"one step among {total}: pushed -> applied, seconds", round(took, 1))
    note(f"one step among {total}: processor seconds", _told(step.cpu_s))


def _note_passes(note: Note, idle: Load, total: int) -> None:
    number = idle.passes
    assert number >= 1
    note(f"reconciler on {total} Applications: seconds a pass", round(idle.wall_s / number, 2))
    spent = idle.cpu_s["reconciler"] / number
    note(f"reconciler on {total} Applications: processor seconds a pass", round(spent, 2))
    note(f"reconciler on {total} Applications: calls a pass", round(idle.calls / number, 1))
    note(f"{total} Applications at rest, {number:g} passes: processor seconds", _told(idle.cpu_s))


def _told(cpu_s: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {spent:g}" for name, spent in cpu_s.items())


def _own_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
