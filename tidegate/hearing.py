"""The forge of a change: its pull request, and what people said of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from generator.errors import InputError
from generator.forge import Secrets
from generator.forge.door import Door
from generator.gate.approvals import Voices
from generator.gate.change import Change
from generator.gate.origin import Origin
from generator.model.forge import NO_FORGE, ForgePlace
from generator.model.pull import PullRequest
from tidegate import forges


@contextmanager
def opened(change: Change, secrets: Secrets) -> "Iterator[Door | None]":
    """Open the forge that the base names; None where it names none, or there is no token."""
    place = _place(change)
    if not place.is_there or not (secrets.token or secrets.key):
        yield None
        return
    with forges.opened(place, secrets) as door:
        yield door


def _place(change: Change) -> ForgePlace:
    try:
        return change.base.config().forge
    except InputError:
        return NO_FORGE


def find(door: Door, change: Change, origin: Origin) -> PullRequest | None:
    """Read the pull request: the one that CI names, or the open one that is at this commit."""
    if origin.is_told:
        return door.read(origin.number)
    head = change.head.tree.commit
    return next((one for one in door.open_under("") if one.head == head), None)


def hear(door: Door, pull: PullRequest) -> Voices:
    """Read what was said of it."""
    return Voices(pull, door.reviews(pull))
