"""What lies behind every scripted forge: one project with branches, pull requests and people."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

PER_MINUTE, PER_HOUR = 80, 500
BASE = "main"


class Branches(Protocol):
    """The Git side of a project."""

    def head(self, name: str) -> str | None: ...

    def merge(self, base: str, head: str, message: str) -> str: ...


class Shelf:
    """Branches that are only names of commits."""

    def __init__(self, **heads: str) -> None:
        self.heads = {BASE: sha("main"), **heads}

    def head(self, name: str) -> str | None:
        return self.heads.get(name)

    def merge(self, base: str, head: str, message: str) -> str:
        self.heads[base] = sha(f"{self.heads[base]}{head}{message}")
        return self.heads[base]


class Bare:
    """Branches of a real bare repository; a merge is a real merge commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def head(self, name: str) -> str | None:
        listed = self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{name}")
        return listed or None

    def merge(self, base: str, head: str, message: str) -> str:
        before = self._git("rev-parse", f"refs/heads/{base}")
        tree = self._git("merge-tree", "--write-tree", before, head)
        parents = ("-p", before, "-p", head)
        made = self._git("commit-tree", tree, *parents, "-m", message)
        self._git("update-ref", f"refs/heads/{base}", made, before)
        return made


def sha(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


@dataclass
class Person:
    """Who stands behind a token.

    Attributes:
        name: The account.
        may: Of read, write, merge, status; nothing at all hides the project.
        is_bot: Whether it is a machine.
        is_anonymous: Whether it may not ask who it is, as the token of a workflow.
    """

    name: str
    may: frozenset[str] = frozenset({"read", "write", "merge", "status"})
    is_bot: bool = False
    is_anonymous: bool = False


@dataclass
class Remark:
    """A comment."""

    id: int
    author: Person
    text: str


@dataclass
class Said:
    """A review."""

    who: Person
    word: str
    head: str
    at: float


@dataclass
class Pull:
    """A pull request."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    author: Person
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    comments: list[Remark] = field(default_factory=list)
    reviews: list[Said] = field(default_factory=list)
    merged: str = ""
    last_head: str = ""
    fork: str = ""
    merges: int = 0
    pushed_at: float = 0.0


@dataclass
class Mark:
    """A status of a commit."""

    id: int
    head: str
    context: str
    light: str
    text: str
    url: str
    at: float


@dataclass
class Project:
    """One project on one forge."""

    name: str
    branches: Branches
    clock: Callable[[], float]
    people: dict[str, Person] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    undecided: int = 0
    made: list[float] = field(default_factory=list)
    ids: int = 100

    def next_id(self) -> int:
        self.ids += 1
        return self.ids

    def open_pull(self, author: Person, branch: str, title: str = "t", **more: str) -> Pull:
        """Open a pull request behind everybody's back."""
        pull = Pull(len(self.pulls) + 1, branch, BASE, title, more.pop("body", ""), author, **more)
        pull.pushed_at = self.clock()
        self.pulls.append(pull)
        return pull

    def head_of(self, pull: Pull) -> str:
        if pull.fork:
            return sha(pull.fork + pull.branch)
        return (pull.state == "open" and self.branches.head(pull.branch)) or pull.last_head

    def numbered(self, number: int) -> Pull | None:
        return next((one for one in self.pulls if one.number == number), None)

    def twin(self, branch: str, base: str) -> Pull | None:
        """Find the open pull request of the same branches."""
        same = (one for one in self.pulls if (one.branch, one.base) == (branch, base))
        return next((one for one in same if one.state == "open" and not one.fork), None)

    def lights(self, head: str) -> dict[str, Mark]:
        """Give the newest status of every context."""
        return {one.context: one for one in self.marks if one.head == head}

    def missing(self, head: str, good: str) -> list[str]:
        """Name the required statuses that are not good."""
        lights = self.lights(head)
        return [one for one in self.required if one not in lights or lights[one].light != good]

    def merge(self, pull: Pull, message: str) -> str:
        pull.last_head = self.head_of(pull)
        pull.merged = self.branches.merge(pull.base, pull.last_head, message)
        pull.state, pull.merges = "merged", pull.merges + 1
        return pull.merged

    def too_much(self) -> bool:
        """Count a call that makes something; say whether there were too many."""
        now = self.clock()
        self.made = [at for at in self.made if at > now - 3600]
        last = [at for at in self.made if at > now - 60]
        if len(last) >= PER_MINUTE or len(self.made) >= PER_HOUR:
            return True
        self.made.append(now)
        return False
