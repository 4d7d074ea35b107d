"""What each example is made from; every input stands here, and nothing comes from outside."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from generator.changes import Committed, Tree
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout, start_bare
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.model.site import Site
from generator.yamltext import Row, dump
from tests.builders import ADA, CLOUD, EDGE, MODEL, NOW, Intent, baseline, opened, percent, promote
from tidegate.starting import start

Files = Mapping[str, bytes]
IMAGE = f"registry.example.com/models/defect-server@sha256:{'5e' * 32}"
REGIONS = ("eu-central", "eu-south", "us-east", "us-west", "ap-south")
# Most plants are small; one in five has a card, one in ten a board at the line.
HARDWARE = ("cpu", "gpu", "cpu", "cpu", "jetson-arm64", "cpu", "gpu", "cpu", "cpu", "cpu")
MANIFEST = "digests.yaml"


@dataclass(frozen=True, slots=True)
class Example:
    """One repository in small.

    Attributes:
        name: Folder under `environments/`.
        kind: Of its one environment.
        sites: All of them.
        steps: What happened there after `tidegate init`.
        is_digests: Only digests are kept: the whole would be too large.
    """

    name: str
    kind: Kind
    sites: tuple[Site, ...]
    steps: tuple[Intent, ...]
    is_digests: bool = False


def plant(number: int) -> Site:
    """Make one factory with its own cluster."""
    name = f"plant-{number:04d}"
    labels = {"line": "AB"[number % 2]}
    region, hardware = REGIONS[number % len(REGIONS)], HARDWARE[number % len(HARDWARE)]
    return Site(name, f"k3s-{name}", region, hardware, labels)


def clusters() -> tuple[Site, ...]:
    """Make three cloud clusters."""
    regions = ("eu-central-1", "us-east-1", "ap-south-1")
    return tuple(Site(region, f"eks-{region}", region) for region in regions)


def _edge(name: str, count: int, *, is_digests: bool) -> Example:
    sites = tuple(plant(number) for number in range(1, count + 1))
    return Example(name, Kind.EDGE, sites, (baseline(12), promote(13)), is_digests)


_CLOUD_STEPS = (baseline(12, CLOUD), promote(13, CLOUD), percent("5", CLOUD))
EXAMPLES: Mapping[str, Callable[[], Example]] = {
    "cloud-eks": lambda: Example("cloud-eks", Kind.CLOUD, clusters(), _CLOUD_STEPS),
    "edge-k3s-500": lambda: _edge("edge-k3s-500", 500, is_digests=False),
    "edge-k3s-10000": lambda: _edge("edge-k3s-10000", 10_000, is_digests=True),
}


def make(name: str) -> Files:
    """Make the files of an example, by real Git, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="tidegate-") as place:
        head = repository(name, Path(place))
        files = head.read_many(head.ids(""))
    return {MANIFEST: digests(files)} if EXAMPLES[name]().is_digests else files


def repository(name: str, folder: Path) -> Tree:
    """Make the repository of an example in a folder, and open its newest commit."""
    example = EXAMPLES[name]()
    environment = EDGE if example.kind is Kind.EDGE else CLOUD
    answers = Answers(
        {environment: example.kind},
        (MODEL,),
        image=IMAGE,
        registry="https://mlflow.example.com",
        prometheus="https://prometheus.example.com",
        remote="https://git.example.com/models/fleet.git",
    )
    start(folder / "fleet", answers, {environment: example.sites}, NOW, ADA)
    start_bare(folder / "origin.git", "main", Checkout(folder / "fleet"))
    bare = Bare(folder / "clone.git", f"file://{folder}/origin.git")
    for number, step in enumerate(example.steps, 1):
        change = step(opened(bare.fetch()))
        assert change is not None
        outcome = bare.land(change, ADA, NOW + timedelta(hours=number))
        assert isinstance(outcome, Committed)
    return bare.fetch()


def digests(files: Files) -> bytes:
    """Write a digest of each file, and one for all below a folder of many."""
    folders: dict[str, list[str]] = {}
    rows = []
    for path, data in sorted(files.items()):
        digest = hashlib.sha256(data).hexdigest()
        parts = path.split("/")
        if parts[0] in ("sites", "flux"):
            folders.setdefault("/".join(parts[:2]), []).append(f"{digest}  {path}\n")
        else:
            rows.append(Row(path=path, sha256=digest))
    trees = [
        Row(path=path, files=len(lines), sha256=hashlib.sha256("".join(lines).encode()).hexdigest())
        for path, lines in folders.items()
    ]
    return dump({"folders": trees, "files": rows})
