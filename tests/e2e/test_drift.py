"""What somebody changes on a site by hand is put right, and is no release to anybody."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e import steps
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import location
from tests.e2e.bed.nodes import NEVER_READY
from tidegate.demo.registry import MODEL

pytestmark = pytest.mark.scenario("drift is healed", "argocd", "prometheus")
SITES = 12
TICKS = timedelta(seconds=20)
SETTINGS = {"steps: [5, 10, 25, 50, 100]": "steps: [25, 50, 100]"}
RELEASE, MARK = "tidegate.dev~1release", "link.argocd.argoproj.io~1release"
Note = Callable[[str, object], None]


def edits(other: str) -> Mapping[str, tuple[str, object]]:
    """List what a person might change in a Deployment, and to what."""
    template = "/spec/template"
    return {
        "replicas": ("/spec/replicas", 3),
        "image": (f"{template}/spec/containers/0/image", NEVER_READY),
        "label": (f"/metadata/labels/{RELEASE}", other),
        "mark": (
            f"{template}/metadata/annotations/{MARK}",
            f"https://tidegate.dev/releases/{other}",
        ),
    }


def where(fleet: Fleet, site: str) -> str:
    """Locate the Deployment of a site."""
    return location("apps/v1", "Deployment", fleet.namespace(site), MODEL)


def told(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what a person wants of a Deployment."""
    return {"labels": deployment["metadata"]["labels"], "spec": deployment["spec"]}


def healed(
    bed: Bed, fleet: Fleet, sites: Mapping[str, str], good: Mapping[str, object]
) -> Callable[[], bool]:
    """Look whether every Deployment is what it was."""

    def look() -> bool:
        now = {site: told(bed.edge.kube.request("GET", where(fleet, site))) for site in sites}
        late = [what for site, what in sites.items() if now[site] != good[site]]
        assert not late, late
        return True

    return look


def row_of(fleet: Fleet) -> Mapping[str, Any]:
    """Give all that `status` says."""
    (row,) = json.loads(fleet.do("status", "--json").out)
    found: Mapping[str, Any] = row
    return found


def judged(fleet: Fleet) -> Mapping[str, Any]:
    """Say what the judge knows of the sites, without what time alone changes."""
    row = row_of(fleet)
    return {key: row[key] for key in ("canary", "stable", "percent", "phase", "sites", "notes")}


def see_again(bed: Bed, fleet: Fleet, status: Mapping[str, Any]) -> None:
    """Wait until the judge sees all as before.

    The newest ticks may lie before the edits, or within, when a pod had to come up again.
    """
    after = datetime.now(UTC) + TICKS

    def looked() -> bool:
        return datetime.fromisoformat(row_of(fleet)["judgedThrough"]) > after

    bed.patience.until(looked, 90, "the judge has looked at what came after")
    bed.patience.until(lambda: judged(fleet) == status, 60, "the judge sees all as before")


def test_edits_on_sites_are_healed_and_are_no_release(
    argocd_bed: Bed, new_fleet: NewFleet, note: Note
) -> None:
    bed, kube = argocd_bed, argocd_bed.edge.kube
    fleet, old = steps.baseline(bed, new_fleet, SITES, SETTINGS)
    before = fleet.head()
    new = fleet.promote(2)
    moved = sorted(steps.flipped(fleet, before))
    calm = [site for site in fleet.sites if site not in moved]
    with steps.reconciling(bed, fleet) as reconciler:
        bed.settle(fleet, 60)
        bed.patience.until(
            lambda: judged(fleet)["sites"].get("canaryServing") == len(moved), 60, "all serve"
        )
        status, head = judged(fleet), fleet.head()
        # On stable sites as if it were the new release, on canary sites as if it were the old.
        sites = dict(zip((*calm[:2], *moved[:2]), edits(""), strict=True))
        good = {site: told(kube.request("GET", where(fleet, site))) for site in sites}
        said = len(reconciler.log())
        for site, what in sites.items():
            path, value = edits(old if site in moved else new)[what]
            edit = {"op": "replace", "path": path, "value": value}
            assert told(kube.patch(where(fleet, site), [edit])) != good[site], what

        took = steps.seconds(healed(bed, fleet, sites, good), bed, 30, "every edit is undone")
        note("drift: edited -> undone, s", round(took, 1))
        bed.settle(fleet, 60)
        see_again(bed, fleet, status)
        passes = len(reconciler.log()) + 3
        bed.patience.until(lambda: len(reconciler.log()) >= passes, 60, "it has looked again")
        log = reconciler.log()[said:]
    assert bed.held(fleet) == bed.running(fleet) == fleet.desired()
    assert fleet.head() == head
    assert judged(fleet) == status
    assert [one for one in log if one["level"] != "info"] == []
    views = [one["text"] for one in log if "applied" in one.get("text", "")]
    assert [text for text in views if "not in Git" in text] == []
    assert marks(bed, fleet) == {site: (release,) for site, release in fleet.desired().items()}


def marks(bed: Bed, fleet: Fleet) -> Mapping[str, tuple[str, ...]]:
    """Say which releases Argo CD sees live, by site."""
    return {
        site: tuple(url.rpartition("/")[2] for url in one["status"]["summary"]["externalURLs"])
        for site, one in bed.argocd.applications(fleet.name).items()
    }
