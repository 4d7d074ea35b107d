"""A lock between processes on this machine; it ends with the process that holds it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.errors import RemoteError

PATIENCE_S = 150.0  # longer than the time-out of one Git command
_LOOK_S = 0.05


@contextmanager
def alone(file: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file, which stays there.

    Raises:
        RemoteError: Somebody else holds it all the time.
    """
    with file.open("ab") as held:
        deadline = time.monotonic() + patience_s
        while not _is_mine(held.fileno()):
            if time.monotonic() > deadline:
                raise RemoteError("Git", f"another tidegate has held {file} for {patience_s:.0f} s")
            time.sleep(_LOOK_S)
        yield


def _is_mine(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
