"""What scenarios do and look at again and again."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.bed.argocd import NAMESPACE
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.command import Ran
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.kube import ARGO
from tidegate.demo.registry import MODEL

_MAIN = "import sys; from tidegate.cli import main; sys.argv[0] = 'tidegate'; main()"


@dataclass
class Reconciler:
    """One `tidegate reconcile` as a process, and the lines of its log."""

    process: subprocess.Popen[bytes]
    file: Path
    _read: list[Mapping[str, str]] = field(default_factory=list)

    def log(self) -> Sequence[Mapping[str, str]]:
        """Give every whole line of the log."""
        lines = self.file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def texts(self) -> str:
        """Give all that it said, for a failure."""
        return "\n".join(one.get("trouble") or one.get("text", "") for one in self.log())

    def commits(self) -> Sequence[Mapping[str, str]]:
        """Give what it landed."""
        return [one for one in self.log() if one.get("commit")]


@contextmanager
def reconciling(
    bed: Bed, fleet: Fleet, *words: str, every: float = 2, env: Mapping[str, str] | None = None
) -> Iterator[Reconciler]:
    """Let a reconciler run, with the hub's API server at hand unless `words` say otherwise."""
    number = len(list(fleet.folder.glob("reconcile-*.log"))) + 1
    file, errors = (fleet.folder / f"reconcile-{number}.{end}" for end in ("log", "err"))
    hub = () if "--no-hub" in words else ("--kubeconfig", str(bed.hub.kubeconfig))
    more = [word for word in words if word != "--no-hub"]
    argv = [sys.executable, "-c", _MAIN, "reconcile", "--repo", fleet.remote]
    argv += ["--every", str(every), "--state-dir", str(fleet.folder / f"state-{number}")]
    with file.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [*argv, *hub, *more],
            stdout=out,
            stderr=err,
            cwd=fleet.folder,
            env={**os.environ, **(env or fleet.env)},
        )
    try:
        yield Reconciler(process, file)
        # 0: the test has told it to stop.
        assert process.poll() in (None, 0), f"it ended by itself: {errors.read_text()}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def once(bed: Bed, fleet: Fleet, *words: str) -> Ran:
    """Let a reconciler make one pass; give what it said, and how it ended."""
    hub = ("--kubeconfig", str(bed.hub.kubeconfig))
    state = ("--state-dir", str(fleet.folder / "state-once"))
    asked = ("reconcile", "--repo", fleet.remote, "--once", *state, *hub, *words)
    return fleet.run(*asked, code=None)


def baseline(
    bed: Bed, new_fleet: NewFleet, sites: int, settings: Mapping[str, str]
) -> tuple[Fleet, str]:
    """Make a fleet whose sites all run version 1, and are all seen by Prometheus."""
    fleet = new_fleet(sites, settings, is_measured=True)
    release = fleet.promote(1, "--baseline")
    bed.bring_up(fleet)
    asked = f'count(model_release_info{{environment="{fleet.name}",release="{release}"}})'

    def seen() -> bool:
        return [one["value"][1] for one in bed.prometheus.ask(asked)] == [str(sites)]

    bed.patience.until(seen, 60, "every site has metrics")
    return fleet, release


def flipped(fleet: Fleet, before: str, after: str = "refs/heads/main") -> frozenset[str]:
    """Name the sites whose pointer a commit, or several, changed."""
    old, new = fleet.desired(before), fleet.desired(after)
    return frozenset(site for site in fleet.sites if old[site] != new[site])


def poke(bed: Bed, fleet: Fleet, sites: Iterator[str] | frozenset[str]) -> None:
    """Ask Argo CD to look at some sites, as a person without a reconciler would."""
    for site in sites:
        bed.argocd.refresh("Application", fleet.application(site))


def seconds(look: Callable[[], object], bed: Bed, within: float, what: str) -> float:
    """Wait until something is true; give how long that took, in seconds."""
    started = time.monotonic()
    bed.patience.until(look, within, what, is_timed=True)
    return time.monotonic() - started


def all_on(bed: Bed, fleet: Fleet, release: str, sites: frozenset[str]) -> Callable[[], bool]:
    """Look whether these sites hold a release on their API server, and run it."""

    def look() -> bool:
        held, running = bed.held(fleet), bed.running(fleet)
        late = {site: (held.get(site), running.get(site)) for site in sites}
        late = {site: told for site, told in late.items() if told != (release, release)}
        assert not late, f"{len(late)} of {len(sites)} are not on {release}: {late}"
        return True

    return look


def pods(bed: Bed, fleet: Fleet) -> Mapping[str, frozenset[str]]:
    """Give the uids of all pods by site."""
    named = {fleet.namespace(site): site for site in fleet.sites}
    found: dict[str, set[str]] = {site: set() for site in fleet.sites}
    for pod in bed.edge.kube.list("v1", "Pod", labels="tidegate.dev/site"):
        who = pod["metadata"]
        if who["namespace"] in named:
            found[named[who["namespace"]]].add(who["uid"])
    return {site: frozenset(uids) for site, uids in found.items()}


def good_pods(bed: Bed, fleet: Fleet, release: str) -> Mapping[str, frozenset[str]]:
    """Give the uids of the pods that serve a release, by site; a site without any is not there."""
    named = {fleet.namespace(site): site for site in fleet.sites}
    found: dict[str, set[str]] = {}
    for pod in bed.edge.kube.list("v1", "Pod", labels=f"tidegate.dev/release={release}"):
        who, told = pod["metadata"], pod["status"].get("conditions", ())
        ready = any((one["type"], one["status"]) == ("Ready", "True") for one in told)
        if who["namespace"] in named and ready and "deletionTimestamp" not in who:
            found.setdefault(named[who["namespace"]], set()).add(who["uid"])
    return {site: frozenset(uids) for site, uids in found.items()}


def operation(bed: Bed, fleet: Fleet, site: str) -> Mapping[str, Any]:
    """Read the sync of a site that runs, or the last one."""
    name = fleet.application(site)
    application = bed.hub.kube.get(ARGO, "Application", name, NAMESPACE) or {}
    found: Mapping[str, Any] = application.get("status", {}).get("operationState", {})
    return found


def since_push(fleet: Fleet) -> float:
    """Give the seconds since the newest push arrived in the remote."""
    return time.time() - (fleet.folder / "origin.git/refs/heads/main").stat().st_mtime


def reverted(fleet: Fleet, reconciler: Reconciler) -> Callable[[], bool]:
    """Look whether the rollout was taken back."""

    def look() -> bool:
        assert rollout_line(fleet, "phase") == "Reverted", reconciler.texts()[-1500:]
        return True

    return look


def recording(fleet: Fleet, path: str) -> Sequence[Mapping[str, Any]]:
    """Read the recording that belongs to a piece of evidence."""
    argv = ["git", "-C", str(fleet.folder / "origin.git"), "show"]
    packed = path.removesuffix(".json") + ".ndjson.gz"
    done = subprocess.run([*argv, f"main:{packed}"], capture_output=True, check=True, timeout=60)
    return [json.loads(line) for line in gzip.decompress(done.stdout).splitlines()]


def evidence(fleet: Fleet) -> Mapping[str, Mapping[str, object]]:
    """Read every piece of evidence in Git, by its path."""
    listed = fleet.git("ls-tree", "-r", "--name-only", "refs/heads/main", "evidence/")
    paths = [path for path in listed.splitlines() if path.endswith(".json")]
    return {path: json.loads(fleet.read(path)) for path in paths}


def rollout_line(fleet: Fleet, key: str) -> str:
    """Read one line of the rollout file as text, without its comment."""
    text = fleet.read(f"rollouts/{fleet.name}/{MODEL}.yaml")
    (line,) = (one for one in text.splitlines() if one.startswith(f"{key}:"))
    return line.partition(":")[2].partition("#")[0].strip().strip('"')
