"""Where a rollout can stand, ready made: by real Git (`Origin`) or in a dict (`Shelf`)."""

from collections.abc import Callable, Iterable
from functools import cache

import pytest

from generator import layout
from generator.changes import ChangeSet
from generator.errors import InputError
from generator.intents.ledger import find_release
from generator.repository import Repository
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    Intent,
    Memory,
    Origin,
    View,
    baseline,
    complete,
    fleet,
    percent,
    promote,
    revert,
)

ROLLOUT = layout.rollout(EDGE, MODEL)
COHORT = layout.cohort(EDGE, MODEL)
BY_ADA = ["Requested-By: Ada <ada@example.com>", "Reason: a good reason"]
# Each goes on from the one that it names.
STATES: dict[str, tuple[str, tuple[Intent, ...]]] = {
    "new": ("", ()),
    "stable": ("new", (baseline(12), baseline(12, CLOUD))),
    "climbing": ("stable", (promote(13), promote(13, CLOUD), percent("5", CLOUD))),
    "full": ("climbing", (percent("100"), percent("100", CLOUD))),
    "completed": ("full", (complete(), complete(CLOUD))),
    "reverted": ("climbing", (revert(), revert(CLOUD), revert(CLOUD))),
}


@cache
def remembered(state: str) -> Memory:
    """Give a state without Git."""
    before, intents = STATES[state]
    found = remembered(before) if before else Memory(fleet())
    for intent in intents:
        found = found.do(intent)
    return found


class Shelf:
    """A `Memory` that moves along, with the words of `Origin`: for tests that need no Git."""

    def __init__(self, memory: Memory) -> None:
        """Start from a commit."""
        self.memory = memory

    @property
    def commit(self) -> str:
        """Name the newest commit."""
        return self.memory.commit

    @property
    def view(self) -> View:
        """Read the newest commit."""
        return self.memory.view

    def fetch(self) -> Memory:
        """Open the newest commit."""
        return self.memory

    def do(self, intent: Intent) -> ChangeSet | None:
        """Land what an intent gives; None when there is nothing to do."""
        before, self.memory = self.memory, self.memory.do(intent)
        return None if self.memory is before else self.memory.change

    def must(self, intent: Intent) -> ChangeSet:
        """Land what an intent gives; there has to be something."""
        change = self.do(intent)
        assert change is not None
        return change

    def edit(self, path: str, old: str, new: str) -> None:
        """Land a person's edit of one place of one file."""
        self.memory = self.memory.edit(path, old, new)

    def put(self, path: str, data: bytes | None) -> None:
        """Land a person's edit of a whole file; None deletes it."""
        self.memory = self.memory.put(path, data)

    def message(self) -> str:
        """Give the message of the newest commit."""
        assert self.memory.change is not None
        return self.memory.change.message().strip("\n")

    def trailers(self) -> list[str]:
        """List the trailers of the newest commit."""
        assert self.memory.change is not None
        return [f"{key}: {value}" for key, value in self.memory.change.trailers]

    def touched(self) -> list[str]:
        """List what the newest commit changed."""
        assert self.memory.change is not None
        return sorted(self.memory.change.files)


Place = Origin | Shelf
At = Callable[[str], Origin]
Quick = Callable[[str], Shelf]


# ------------------------------------------------------------------ what tests ask of them


def release(place: Place, number: int, env: str = EDGE) -> str:
    """Find the release of a version."""
    return find_release(Repository(place.fetch()), env, MODEL, f"v{number}").id


def refusal(intent: Intent, memory: Memory) -> str:
    """Give the lines that a person reads."""
    with pytest.raises(InputError) as told:
        memory.do(intent)
    return str(told.value)


def refused(place: Place, intent: Intent) -> str:
    """Give the lines that a person reads, and see that nothing has landed."""
    before = place.fetch().commit
    with pytest.raises(InputError) as told:
        place.do(intent)
    assert place.fetch().commit == before
    return str(told.value)


def pins(number: int) -> list[str]:
    """Give the trailers of a version."""
    return [f"Model-Version: {number}", f"Model-Digest: sha256:{number:064x}"]


def pointer(site: str) -> str:
    """Locate the pointer of an edge site."""
    return f"{layout.pointer(EDGE, site, MODEL)}/kustomization.yaml"


def pointers_of(paths: Iterable[str]) -> list[str]:
    """Keep the pointers among paths."""
    return sorted(path for path in paths if path.startswith("sites/"))


def canary_of(view: View) -> list[str]:
    """List the edge sites on the canary."""
    return view.on(view.rollout().canary)
