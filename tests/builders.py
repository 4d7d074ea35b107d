"""Fleets for tests: a repository as a dict, a tree in memory, and a real bare repository.

`fleet()` is what `tidegate init` writes; `Memory` and `Origin` land the change sets of intents on
it, the one in a dict, the other by real Git. The verbs below make intents that both take:

    have = Memory(fleet()).do(baseline(12)).do(promote(13)).do(percent("10"))
"""

import functools
import re
import shutil
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from generator import layout
from generator.changes import ChangeSet, CommitInfo, Committed, Tree, blob_id
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import Person, build
from generator.gitrepo.process import Git
from generator.gitrepo.snapshot import Snapshot
from generator.intents import fleet as fleets
from generator.intents import ledger, moves
from generator.intents import promote as promotions
from generator.intents.moves import NOTHING, Attached, expand_pointers
from generator.intents.setup import initial, pieces
from generator.intents.words import Asked
from generator.model.answers import Answers
from generator.model.blueprint import Stamp
from generator.model.cohort import Cohort
from generator.model.environment import Kind
from generator.model.percent import Percent
from generator.model.release import ModelVersion
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.repository import Repository
from tidegate.scaffolding import scaffold

EDGE, CLOUD, MODEL = "edge-k3s", "cloud-eks", "defect-detector"
REGIONS = ("eu-north", "eu-south", "us-east", "us-west", "asia")
HARDWARE = ("cpu", "gpu", "jetson-arm64")
IMAGE = f"registry.example.com/models/server@sha256:{'5e' * 32}"
REMOTE = "https://git.example.com/fleet.git"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ADA = Person("Ada", "ada@example.com")
ASKED = Asked(str(ADA), "a good reason")

_TARGET = re.compile(r'^resources:\n- "[./]+/releases/[^/]+/[^/]+/([^/]+)/[^/]+"$', re.MULTILINE)

_PARSED: dict[Hashable, object] = {}
Files = dict[str, bytes]
Intent = Callable[[Repository], ChangeSet | None]


def plant(number: int) -> Site:
    """Make one edge site."""
    region, hardware = REGIONS[number % len(REGIONS)], HARDWARE[number % len(HARDWARE)]
    return Site(f"plant-{number:04d}", f"k3s-{number:04d}", region, hardware, {"line": "a"})


def cluster(number: int) -> Site:
    """Make one cloud cluster."""
    return Site(f"cluster-{number}", f"eks-{number}", REGIONS[number])


def version(number: int, digest: str = "", image: str = "") -> ModelVersion:
    """Make what a registry would say about one version; the digest follows from the number."""
    return ModelVersion(
        registry_name=MODEL,
        version=str(number),
        model_id=f"m-{number}",
        run_id=f"r-{number}",
        created_ms=1_700_000_000_000 + number,
        uri=f"s3://models/{MODEL}/{number}",
        digest=digest or f"sha256:{number:064x}",
        files=2,
        size_bytes=1000,
        asked=f"{MODEL}@champion",
        image=image,
    )


@functools.cache
def _scaffolded(
    models: tuple[str, ...],
) -> tuple[Answers, Mapping[str, bytes], Mapping[str, Stamp]]:
    kinds = {EDGE: Kind.EDGE, CLOUD: Kind.CLOUD}
    answers = Answers(kinds, models, image=IMAGE, remote=REMOTE)
    return answers, *scaffold(pieces(answers))


@functools.cache
def _fleet(sites: int, clusters: int, models: tuple[str, ...]) -> Mapping[str, bytes]:
    answers, files, blueprints = _scaffolded(models)
    edge = [plant(number) for number in range(1, sites + 1)]
    cloud = [cluster(number) for number in range(1, clusters + 1)]
    found = initial(answers, files, blueprints, {EDGE: edge, CLOUD: cloud}).files
    return {path: data for path, data in found.items() if data is not None}


def fleet(sites: int = 100, clusters: int = 2, models: tuple[str, ...] = (MODEL,)) -> Files:
    """Give the first commit of `tidegate init` as a dict; scaffolded once a session.

    With 100 sites the first step of 5 % is the 5 sites that `minSites` asks for.
    """
    return dict(_fleet(sites, clusters, models))


def replaced(files: Mapping[str, bytes], path: str, old: str, new: str) -> Files:
    """Edit one place of one file, as a person would."""
    text = files[path].decode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    return {**files, path: text.replace(old, new).encode()}


# ------------------------------------------------------------------ what a tree says


@dataclass(frozen=True)
class View:
    """One commit, read for assertions."""

    files: Mapping[str, bytes]
    repository: Repository

    def rollout(self, env: str = EDGE) -> Rollout:
        """Read the rollout file."""
        return self.repository.rollout(env, MODEL)

    def cohort(self) -> Cohort:
        """Read the draw."""
        found = self.repository.cohort(EDGE, MODEL)
        assert found is not None
        return found

    def under(self, folder: str) -> Files:
        """Give the files below a folder."""
        return {p: data for p, data in self.files.items() if p.startswith(f"{folder}/")}

    def runs(self, env: str = EDGE, model: str = MODEL) -> dict[str, str]:
        """Say which release the pointer of every edge site names."""
        found = {}
        for path, data in self.under(f"{layout.SITES}/{env}").items():
            _, _, site, owner, _ = path.split("/")
            if owner == model:
                (found[site],) = _TARGET.findall(data.decode())
        return found

    def on(self, release: str) -> list[str]:
        """List the edge sites that run a release."""
        return sorted(site for site, found in self.runs().items() if found == release)

    def values(self, site: str = "cluster-1") -> Any:
        """Read the values of one cloud pointer."""
        return yaml.safe_load(self.files[f"{layout.pointer(CLOUD, site, MODEL)}/values.yaml"])

    def charts(self, site: str = "cluster-1") -> list[str]:
        """List the releases whose charts a cloud pointer holds."""
        under = f"{layout.pointer(CLOUD, site, MODEL)}/charts/"
        return sorted({p.removeprefix(under).split("/")[0] for p in self.under(under[:-1])})


# ------------------------------------------------------------------ where changes land


def opened(tree: Tree) -> Repository:
    """Open a tree; what tests have parsed before, in any tree, is not parsed again."""
    return Repository(tree, _PARSED)


class Memory:
    """Commits in a dict: a `Tree` that lands change sets, for laws over many fleets."""

    def __init__(
        self, files: Mapping[str, bytes], past: "tuple[Memory, ...]" = (), change: Any = None
    ) -> None:
        """Start a history with these files."""
        self.files = dict(sorted(files.items()))
        self.change: ChangeSet | None = change
        self.commit = f"{len(past) + 1:040x}"
        self._past = past

    def do(self, intent: Intent) -> "Memory":
        """Land what an intent gives; the same tree when there is nothing to do."""
        change = intent(Repository(self))
        return self.land(change) if change else self

    def land(self, change: ChangeSet) -> "Memory":
        """Land a change set that was made on this very commit."""
        assert change.base == self.commit
        files = {**self.files, **change.files}
        kept = {path: data for path, data in files.items() if data is not None}
        return Memory(kept, (*self._past, self), change)

    def edit(self, path: str, old: str, new: str) -> "Memory":
        """Land a person's edit of one place of one file."""
        data = replaced(self.files, path, old, new)[path]
        return self.land(ChangeSet(self.commit, {path: data}, f"edit {path}"))

    def put(self, path: str, data: bytes | None) -> "Memory":
        """Land a person's edit of a whole file; None deletes it."""
        return self.land(ChangeSet(self.commit, {path: data}, f"put {path}"))

    @property
    def view(self) -> View:
        """Read this commit."""
        return View(self.files, Repository(self))

    def read(self, path: str) -> bytes | None:
        """As `Tree.read`."""
        return self.files.get(path)

    def id(self, path: str) -> str | None:
        """As `Tree.id`."""
        return blob_id(self.files[path], self.commit) if path in self.files else None

    def read_many(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """As `Tree.read_many`."""
        return {path: self.files[path] for path in paths if path in self.files}

    def ids(self, under: str) -> Mapping[str, str]:
        """As `Tree.ids`."""
        within = f"{under}/" if under else ""
        found = {p: data for p, data in self.files.items() if p.startswith(within)}
        return {path: blob_id(data, self.commit) for path, data in found.items()}

    def log(
        self, paths: Iterable[str], most: int, *, every_parent: bool = False
    ) -> tuple[CommitInfo, ...]:
        """As `Tree.log`; there are no merges here."""
        wanted = [_pattern(path) for path in paths]
        found = [
            _info(one.commit, number, one.change)
            for number, one in enumerate((*self._past, self))
            if one.change and any(p.match(path) for p in wanted for path in one.change.files)
        ]
        return tuple(reversed(found))[:most]

    def past(self, path: str, most: int) -> tuple[tuple[CommitInfo, bytes], ...]:
        """As `Tree.past`."""
        found = ((one, self.at(one.id).read(path)) for one in self.log((path,), most))
        return tuple((one, data) for one, data in found if data is not None)

    def at(self, commit: str) -> "Memory":
        """As `Tree.at`."""
        return next(one for one in (*self._past, self) if one.commit == commit)


def _pattern(path: str) -> "re.Pattern[str]":
    folders = re.escape(path).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
    return re.compile(folders + r"(?:/|\Z)" if "*" not in path else folders)


def _info(commit: str, number: int, change: ChangeSet) -> CommitInfo:
    at = NOW + timedelta(minutes=number)
    return CommitInfo(commit, at, str(ADA), change.subject, dict(change.trailers))


class Origin:
    """A bare repository on disk and a bare clone of it: what really happens to a change set."""

    def __init__(self, folder: Path) -> None:
        """Open what stands in a folder; `start` makes it."""
        self.folder = folder
        self.git = Git(folder / "origin.git")
        self.clone = Bare(folder / "clone.git", f"file://{folder}/origin.git", "main")
        self.commit = ""
        self._head: Snapshot | None = None
        self._view: View | None = None

    @classmethod
    def start(cls, folder: Path, files: Mapping[str, bytes]) -> "Origin":
        """Make both, with one commit."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        made.git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        commit = build(made.git, ChangeSet("", files, "start"), ADA, NOW)
        made.git.run("update-ref", "refs/heads/main", commit)
        return made

    def packed(self) -> "Origin":
        """Put all objects into one file, so that copies are quick."""
        self.fetch()
        for git in (self.git, self.clone.git):
            git.run("repack", "-a", "-d", "-q")
        return self

    def copy(self, folder: Path) -> "Origin":
        """Copy both, to go on from the same commit elsewhere."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Origin(folder)

    def fetch(self) -> Snapshot:
        """Open the newest commit; nobody else writes, so once after each landing is enough."""
        if self._head is None:
            self._head, self._view = self.clone.fetch(), None
            self._head.read_many(self._head.ids(""))  # one process instead of one a file
        return self._head

    def refresh(self) -> None:
        """Look again: somebody else has pushed."""
        self._head = None

    def do(self, intent: Intent) -> ChangeSet | None:
        """Land what an intent gives on the newest commit; None when there is nothing to do."""
        change = intent(Repository(self.fetch()))
        return self.land(change) if change else None

    def must(self, intent: Intent) -> ChangeSet:
        """Land what an intent gives; there has to be something."""
        change = self.do(intent)
        assert change is not None
        return change

    def land(self, change: ChangeSet) -> ChangeSet:
        """Land a change set."""
        outcome = self.clone.land(change, ADA, NOW)
        assert isinstance(outcome, Committed)
        self.commit, self._head = outcome.id, None
        return change

    def edit(self, path: str, old: str, new: str) -> None:
        """Land a person's edit of one place of one file."""
        tree = self.fetch()
        data = replaced(tree.read_many((path,)), path, old, new)[path]
        self.land(ChangeSet(tree.commit, {path: data}, f"edit {path}"))

    def put(self, path: str, data: bytes | None) -> None:
        """Land a person's edit of a whole file; None deletes it."""
        self.land(ChangeSet(self.fetch().commit, {path: data}, f"put {path}"))

    @property
    def view(self) -> View:
        """Read the newest commit."""
        tree = self.fetch()
        if self._view is None:
            self._view = View(tree.read_many(tree.ids("")), Repository(tree))
        return self._view

    def message(self) -> str:
        """Give the message of the newest commit, by plain Git."""
        return self.git.run("log", "-1", "--format=%B", "main").decode().strip("\n")

    def trailers(self) -> list[str]:
        """List the trailers of the newest commit, as Git itself reads them."""
        out = self.git.run("log", "-1", "--format=%(trailers:only,unfold)", "main")
        return [line for line in out.decode().split("\n") if line]

    def touched(self) -> list[str]:
        """List what the newest commit changed, by plain Git."""
        out = self.git.run("diff-tree", "-r", "--name-only", "--no-commit-id", "main^", "main")
        return out.decode().split()


# ------------------------------------------------------------------ the verbs


def freeze(number: int, env: str = EDGE) -> Intent:
    """`tidegate release`."""
    return lambda have: promotions.release(have, env, MODEL, version(number), ASKED)[1]


def baseline(number: int, env: str = EDGE, model: str = MODEL) -> Intent:
    """`tidegate promote --baseline`."""
    return lambda have: promotions.baseline(have, env, model, version(number), ASKED)


def promote(number: int, env: str = EDGE, model: str = MODEL) -> Intent:
    """`tidegate promote`."""
    return lambda have: promotions.promote(have, env, model, version(number), ASKED)


def percent(text: str, env: str = EDGE, attached: Attached = NOTHING) -> Intent:
    """`tidegate set-percent`, or a step of the reconciler."""
    target = Percent.parse(text)
    return lambda have: moves.set_percent(have, env, MODEL, target, ASKED, attached)


def pause(env: str = EDGE) -> Intent:
    """`tidegate pause`."""
    return lambda have: moves.pause(have, env, MODEL, ASKED)


def resume(env: str = EDGE) -> Intent:
    """`tidegate resume`."""
    return lambda have: moves.resume(have, env, MODEL, ASKED)


def complete(env: str = EDGE) -> Intent:
    """What the reconciler does when the last step has soaked."""
    return lambda have: moves.complete(have, env, MODEL, Asked())


def revert(env: str = EDGE) -> Intent:
    """`tidegate revert`."""
    return lambda have: moves.revert(have, env, MODEL, ASKED)


def revert_to(name: str, env: str = EDGE) -> Intent:
    """`tidegate revert --to`."""
    return lambda have: moves.revert_to(
        have, env, MODEL, ledger.find_release(have, env, MODEL, name).id, ASKED
    )


def reject(name: str, env: str = EDGE, asked: Asked = ASKED) -> Intent:
    """`tidegate reject`."""
    return lambda have: ledger.reject(have, ledger.find_release(have, env, MODEL, name), asked, NOW)


def unreject(name: str, env: str = EDGE, asked: Asked = ASKED) -> Intent:
    """`tidegate unreject`."""
    return lambda have: ledger.unreject(have, ledger.find_release(have, env, MODEL, name), asked)


def expand(before: Rollout, env: str = EDGE) -> Intent:
    """`tidegate expand`; `before` is the rollout as the pointers still show it."""
    return lambda have: expand_pointers(have, env, MODEL, ASKED, before)


def add_sites(*sites: Site, env: str = EDGE) -> Intent:
    """`tidegate site add`."""
    rows: Sequence[tuple[int | None, Site]] = [(None, site) for site in sites]
    return lambda have: fleets.add_sites(have, env, rows, None, ASKED)


def remove_sites(*ids: str, env: str = EDGE) -> Intent:
    """`tidegate site remove`."""
    return lambda have: fleets.remove_sites(have, env, ids, ASKED)
