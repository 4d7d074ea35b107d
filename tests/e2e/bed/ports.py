"""Free ports of the loopback addresses.

They lie below those that kernels give to outgoing connections, and those of each bed in a row of
its own: what was found free would otherwise sometimes be taken before its server starts.
"""

import itertools
import os
import random
import socket
import threading
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_FIRST, _PER_BED = 12_000, 2_000
_lock = threading.Lock()


def _candidates() -> Iterator[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = _FIRST + int(worker) * _PER_BED
    start = random.SystemRandom().randrange(_PER_BED // 2)  # another run may be under way
    return itertools.islice(itertools.count(first), start, _PER_BED)


_left = _candidates()


def free() -> int:
    """Find a port that nobody listens on, and that was not given out before."""
    with _lock:
        for port in _left:
            with socket.socket() as probe:
                try:
                    probe.bind((LOOPBACK, port))
                except OSError:
                    continue
            return port
    raise OSError("no port is left for this bed")


def is_open(port: int, host: str = LOOPBACK) -> bool:
    """Say whether somebody listens."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
