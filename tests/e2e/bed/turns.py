"""What beds side by side do one after the other.

Two beds take both processors whole. So who measures how long something takes first lets the other
bed end its test, and keeps it from beginning the next one; and sites are brought up by one bed at a
time. Between processes this goes by locks on files, which the end of a process opens.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Turns:
    """The locks of one process that runs tests; `folder` is common to all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room: IO[str] | None = None

    def _open(self, name: str) -> IO[str]:
        return (self._folder / f"{name}.lock").open("a")

    @contextmanager
    def test(self) -> Iterator[None]:
        """Run a test beside those of others."""
        with self._open("room") as room:
            # Who waits to be alone holds the door, or the others' next tests would overtake it.
            with self._open("door") as door:
                fcntl.flock(door, fcntl.LOCK_EX)
                fcntl.flock(room, fcntl.LOCK_SH)
            self._room = room
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait within a test until no other one runs, and keep others out. Not reentrant."""
        room = self._room
        assert room is not None, "only within a test"
        fcntl.flock(room, fcntl.LOCK_UN)
        with self._open("door") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(room, fcntl.LOCK_SH)

    @contextmanager
    def bringing_up(self) -> Iterator[None]:
        """Wait until no other bed brings sites up. Not reentrant."""
        with self._open("sites") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
