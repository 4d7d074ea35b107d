"""What two beds side by side do one after the other.

Who measures how long something takes must not do so while the other bed brings dozens of sites up:
that takes both processors for a minute.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for the turn, and keep it; `folder` is common to all beds of a run. Not reentrant."""
    with (folder / "turn.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
