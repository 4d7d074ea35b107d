"""A fleet repository made by the real command line, and the sites that belong to it."""

import csv
import io
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.e2e.bed import command
from tests.e2e.bed.command import Ran
from tests.e2e.bed.nodes import IMAGE
from tidegate.demo import registry
from tidegate.demo.registry import MODEL

REGIONS = ("eu-central", "us-east")
HARDWARE = ("cpu", "gpu", "cpu", "jetson-arm64", "cpu")
CLOUD = "cloud-eks"


@dataclass(frozen=True)
class Registry:
    """A real MLflow store with versions 1 to 4 of one model."""

    folder: Path

    @property
    def uri(self) -> str:
        """Give the address of the store."""
        return registry.store_uri(self.folder)

    @classmethod
    def make(cls, folder: Path, images: Mapping[int, str]) -> "Registry":
        """Register four versions; each may have an image of its own, see `nodes`."""
        registry.seed(folder, IMAGE)
        made = cls(folder)
        for number, image in images.items():
            made.put_image(number, image)
        return made

    def add(self, names: Iterable[str]) -> None:
        """Register further models: each has the files of versions 1 and 2 of the first one."""
        from mlflow import MlflowClient

        with registry.quiet():
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            found = client.search_model_versions(f"name='{MODEL}'")
            seeds = sorted(found, key=lambda one: int(one.version))[:2]
            for name in names:
                client.create_registered_model(name)
                for one in seeds:
                    words = {"run_id": one.run_id, "model_id": one.model_id, "tags": one.tags}
                    client.create_model_version(name, one.source, await_creation_for=0, **words)

    def put_image(self, number: int, image: str) -> None:
        """Give a version another image; a release is frozen with the one it has then."""
        from mlflow import MlflowClient

        with registry.quiet():
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.set_model_version_tag(MODEL, str(number), registry.IMAGE_TAG, image)

    def tags(self, number: int) -> Mapping[str, str]:
        """Read the tags of a version."""
        from mlflow import MlflowClient

        with registry.quiet():
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            found: Mapping[str, str] = client.get_model_version(MODEL, str(number)).tags
            return found


@dataclass(frozen=True)
class Origin:
    """A repository that a forge keeps, and somebody who may push to it.

    Attributes:
        url: For Git.
        folder: Where the forge keeps it, bare.
        env: What the person has in the environment to be believed.
    """

    url: str
    folder: Path
    env: Mapping[str, str]


@dataclass
class Fleet:
    """One environment in one repository; its name is in everything that the bed makes for it.

    Attributes:
        name: Of the environment; short.
        folder: Holds checkout, remote and the state of commands.
        sites: Ids, in the order of the site file.
    """

    name: str
    folder: Path
    registry: Registry
    sites: tuple[str, ...]
    prometheus: str = ""
    kind: str = "edge-k3s"
    models: tuple[str, ...] = (MODEL,)
    origin: "Origin | None" = None
    commands: list[Sequence[str]] = field(default_factory=list)

    @property
    def remote(self) -> str:
        """Give the URL that Argo CD and the reconciler read."""
        return self.origin.url if self.origin else (self.folder / "origin.git").as_uri()

    @property
    def env(self) -> Mapping[str, str]:
        """Give what the person at the desk has in the environment, beside what everybody has."""
        return self.origin.env if self.origin else {}

    @property
    def checkout(self) -> Path:
        """Locate a person's checkout."""
        return self.folder / "checkout"

    def cluster(self, site: str) -> str:
        """Name the cluster of a site, as Argo CD knows it."""
        return f"{self.name}-{site}"

    def namespace(self, site: str) -> str:
        """Name the namespace that stands for a site's cluster; see `gate`."""
        return f"{self.name}-{site}"

    def application(self, site: str, model: str = MODEL) -> str:
        """Name the Application of a site."""
        return f"{self.name}-{model}-{site}"

    # -------------------------------------------------------------- commands

    def run(self, *words: str, code: int | None = 0, **env: str) -> Ran:
        """Run `tidegate` as a process of its own, as a person would.

        Raises:
            AssertionError: It ended with another code.
        """
        told = command.run(words, self.folder, {**os.environ, **self.env, **env})
        self.commands.append(words)
        assert code is None or told.code == code, (
            f"tidegate {' '.join(words)}: {told.code}\n{told.out}{told.err}"
        )
        return told

    def do(self, *words: str, code: int | None = 0) -> Ran:
        """Run a verb on the remote, without a checkout; its commit is pushed."""
        place = ("--repo", self.remote, "--state-dir", str(self.folder / "state"))
        return self.run(*words, *place, code=code)

    def baseline(self) -> None:
        """Give every model its version 1, one command after the other."""
        words = ("--env", self.name, "--baseline", "--reason", "a scenario")
        for model in self.models:
            self.do("promote", f"{model}/1", *words)

    def promote(self, number: int, *words: str, reason: str = "a scenario") -> str:
        """Promote a version and give the id of its release."""
        known = set(self.releases())
        asked = f"{MODEL}/{number}"
        self.do("promote", asked, "--env", self.name, "--reason", reason, *words)
        fresh = set(self.releases()) - known
        return fresh.pop() if fresh else self.release(number)

    def git(self, *words: str, folder: Path | None = None) -> str:
        """Run Git, in the remote unless told otherwise."""
        where = folder or self.folder / "origin.git"
        argv, env = ["git", "-C", str(where), *words], {**os.environ, **self.env}
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=60, check=False, env=env
        )
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stderr}"
        return done.stdout

    # -------------------------------------------------------------- what Git says

    def head(self) -> str:
        """Name the newest commit."""
        return self.git("rev-parse", "refs/heads/main").strip()

    def read(self, path: str, commit: str = "refs/heads/main") -> str:
        """Read one file."""
        return self.git("show", f"{commit}:{path}")

    def releases(self) -> tuple[str, ...]:
        """List the frozen releases."""
        folder = f"releases/{self.name}/{MODEL}/"
        return tuple(Path(line).name for line in self._names("-d", folder))

    def release(self, number: int) -> str:
        """Name the release of a version."""
        (found,) = (one for one in self.releases() if one.startswith(f"v{number}-"))
        return found

    def rollout(self) -> Mapping[str, object]:
        """Read the file that a release manager edits."""
        found: Mapping[str, object] = yaml.safe_load(
            self.read(f"rollouts/{self.name}/{MODEL}.yaml")
        )
        return found

    def desired(self, commit: str = "refs/heads/main") -> Mapping[str, str]:
        """Say which release the pointer of every site names."""
        text = self.git("grep", "-h", "-o", "-E", "/v[0-9]+-[0-9a-f]{8}/", commit, "--", "sites/")
        paths = self.git("grep", "-l", "-E", "/v[0-9]+-[0-9a-f]{8}/", commit, "--", "sites/")
        sites = (line.partition(":")[2].split("/")[2] for line in paths.splitlines())
        return dict(zip(sites, (line.strip("/") for line in text.splitlines()), strict=True))

    def _names(self, *words: str) -> list[str]:
        return self.git("ls-tree", "--name-only", "refs/heads/main", *words[1:]).splitlines()

    # -------------------------------------------------------------- edits of people

    def edit(self, path: str, old: str, new: str, message: str = "edit") -> None:
        """Edit one place of one file in the checkout, commit and push, as a person would."""
        self.git("pull", "--quiet", "--ff-only", folder=self.checkout)
        file = self.checkout / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new))
        self.git("commit", "--quiet", "-am", message, folder=self.checkout)
        self.git("push", "--quiet", "origin", "HEAD:main", folder=self.checkout)


NewFleet = Callable[..., Fleet]
"""What the fixture `new_fleet` is: `Bed.fleet`, and the fleet goes after the test."""


def make(
    name: str,
    folder: Path,
    registry_: Registry,
    count: int,
    prometheus: str = "",
    kind: str = "edge-k3s",
    settings: Mapping[str, str] | None = None,
    models: tuple[str, ...] = (MODEL,),
    origin: Origin | None = None,
) -> Fleet:
    """Make a fleet with the real `tidegate init` and push it to a bare repository.

    Args:
        name: Of its environment.
        count: Of sites.
        settings: Text to replace in environment.yaml and the rollout file, before the push.
        models: All that run on every site; what scenarios move is the first one.
        origin: An empty repository of a forge; None makes one in the folder.
    """
    folder.mkdir(parents=True)
    sites = tuple(f"plant-{number:04d}" for number in range(1, count + 1))
    fleet = Fleet(name, folder, registry_, sites, prometheus, kind, models, origin)
    (folder / "sites.csv").write_text(_csv(fleet))
    fleet.run(
        *("init", str(fleet.checkout), "--environment", f"{name}={kind}"),
        *(word for model in models for word in ("--model", model)),
        *("--sites", f"{name}={folder / 'sites.csv'}", "--registry", registry_.uri),
        *("--remote", fleet.remote, "--image", IMAGE, "--prometheus", prometheus),
        *("--interval", "10s"),
    )
    _settle(fleet, settings or {})
    if origin:
        (folder / "origin.git").symlink_to(origin.folder)
    else:
        fleet.git("init", "--quiet", "--bare", "-b", "main", "origin.git", folder=folder)
    fleet.git("push", "--quiet", "-u", "origin", "HEAD:main", folder=fleet.checkout)
    return fleet


def _settle(fleet: Fleet, settings: Mapping[str, str]) -> None:
    """Let a person edit what `init` wrote: an image for each version, and what the test wants."""
    edits = {"minSites: 5 ": "minSites: 1 ", f'image: "{IMAGE}"': "imageFrom: tag", **settings}
    if fleet.kind == CLOUD:
        edits["enabled: true       # needs a metrics server"] = (
            "enabled: false      # there is none"
        )
    paths = [
        fleet.checkout / "models" / MODEL / "model.yaml",
        fleet.checkout / "environments" / fleet.name / "environment.yaml",
        fleet.checkout / "rollouts" / fleet.name / f"{MODEL}.yaml",
        fleet.checkout / "tidegate.yaml",
        fleet.checkout / "models" / MODEL / "chart" / "values.yaml",
    ]
    for old, new in edits.items():
        (path,) = (one for one in paths if one.exists() and old in one.read_text())
        path.write_text(path.read_text().replace(old, new))
    fleet.git("commit", "--quiet", "-am", "settle", folder=fleet.checkout)


def _csv(fleet: Fleet) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(("id", "region", "hardware", "cluster"))
    out.writerows(_rows(fleet))
    return text.getvalue()


def _rows(fleet: Fleet) -> Iterator[tuple[str, ...]]:
    for number, site in enumerate(fleet.sites):
        region, hardware = REGIONS[number % len(REGIONS)], HARDWARE[number % len(HARDWARE)]
        yield site, region, hardware, fleet.cluster(site)
