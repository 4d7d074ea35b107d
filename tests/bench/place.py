"""The private folder of one round: a fleet, its remotes, clones and checkouts."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from generator.gitrepo.process import Git
from generator.gitrepo.snapshot import Snapshot
from tests.builders import EDGE, HARDWARE, IMAGE, MODEL, REGIONS

ELSEWHERE = "https://git.example.com/fleet.git"
TIDEGATE = str(Path(sys.executable).with_name("tidegate"))


class Place:
    """A folder that is made and removed; no step of it is measured but what `run` is given."""

    def __init__(self, folder: Path, sites: int) -> None:
        self.folder = folder
        self.model = MODEL
        self.files: Mapping[str, bytes] = {}
        self.changed = 0
        self._sites = sites

    @property
    def url(self) -> str:
        """The remote that the rollout starts on."""
        return self.forked("origin")

    @property
    def clone(self) -> str:
        """The bare clone of it."""
        return str(self.folder / "clone.git")

    def start(self) -> None:
        """Write the list of sites."""
        self.folder.mkdir()
        rows = ["id,region,hardware,cluster,line"]
        for number in range(1, self._sites + 1):
            region, hardware = REGIONS[number % len(REGIONS)], HARDWARE[number % len(HARDWARE)]
            rows.append(f"plant-{number:05d},{region},{hardware},k3s-{number:05d},a")
        self.csv.write_text("\n".join(rows) + "\n")

    @property
    def csv(self) -> Path:
        """The list of sites."""
        return self.folder / "sites.csv"

    def init(self) -> tuple[str, ...]:
        """Say how the repository is made."""
        told = ("--environment", EDGE, "--model", MODEL, "--sites", str(self.csv))
        # Nobody answers there: what a pass costs without the metrics.
        where = ("--image", IMAGE, "--prometheus", "http://127.0.0.1:9", "--remote", ELSEWHERE)
        return (TIDEGATE, "init", str(self.folder / "fleet"), *told, *where)

    def publish(self) -> None:
        """Push the first commit to a new bare remote."""
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self._remote("origin")))
        self.git("-C", str(self.folder / "fleet"), "push", "--quiet", self.url, "main")

    def fork(self, *names: str) -> None:
        """Copy the remote as it is now."""
        for name in names:
            shutil.copytree(self._remote("origin"), self._remote(name))

    def forked(self, name: str) -> str:
        """Give the URL of a copy."""
        return f"file://{self._remote(name)}"

    def _remote(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def tidegate(self, name: str) -> Callable[..., tuple[str, ...]]:
        """Make command lines that work on a copy."""
        where = ("--repo", self.forked(name), "--state-dir", str(self.folder / "state"))
        line = ("--env", EDGE)

        def command(verb: str, *words: str) -> tuple[str, ...]:
            return (TIDEGATE, verb, *words, *(line if verb == "set-percent" else ()), *where)

        return command

    def learn(self, name: str) -> None:
        """Read the files of the newest commit of a copy, for the rival to write."""
        git = Git(self._remote(name))
        options = ("--name-only", "-r", "-z", "--no-commit-id")
        listed = git.run("diff-tree", *options, "main").decode().split("\0")
        self.files = Snapshot(git, "main").read_many(path for path in listed if path)
        self.changed = sum(path.startswith("sites/") for path in self.files)

    def check_equal(self, *names: str) -> None:
        """Make sure that all came to the same files."""
        trees = {self.git("-C", str(self._remote(name)), "rev-parse", "main:") for name in names}
        assert len(trees) == 1, f"{names} differ"

    def git(self, *words: str) -> bytes:
        """Run a command that is not measured."""
        return subprocess.run(["git", *words], check=True, capture_output=True).stdout

    def remove(self) -> None:
        """Take everything away."""
        shutil.rmtree(self.folder)
