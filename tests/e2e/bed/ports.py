"""Free ports of the loopback addresses."""

import socket
import threading

LOOPBACK = "127.0.0.1"
_taken: set[int] = set()
_lock = threading.Lock()


def free() -> int:
    """Find a port that nobody listens on, and that was not given out before."""
    with _lock:
        while True:
            with socket.socket() as probe:
                probe.bind((LOOPBACK, 0))
                port = int(probe.getsockname()[1])
            if port not in _taken:
                _taken.add(port)
                return port


def is_open(port: int, host: str = LOOPBACK) -> bool:
    """Say whether somebody listens."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
