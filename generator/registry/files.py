"""Artifact files on this machine: read once, hashed, never loaded.

Files are opened for reading only, without following a link, and only when they are
regular; nothing outside the given folder is opened. Files, bytes and seconds are capped while
reading, whatever was declared. One file is read at a time; nothing is left behind.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from generator.errors import InputError, RemoteError
from generator.model.manifest import Artifact

DESCRIPTION = "MLmodel"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that resolving one version may cost.

    Attributes:
        files: Artifact files and folders.
        size_bytes: All artifact files together.
        seconds: The whole call.
    """

    files: int = 2000
    size_bytes: int = 20 << 30
    seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One file as it was read; `head` holds its first MiB when it is the file `MLmodel`."""

    artifact: Artifact
    head: bytes = b""


class Meter:
    """Counts what one call has read; `until` is a reading of the monotonic clock, in s."""

    def __init__(self, limits: Limits) -> None:
        """Start counting, and the time, now."""
        self.limits = limits
        self.until = time.monotonic() + limits.seconds
        self._entries = 0
        self._bytes = 0

    def left_s(self) -> float:
        """Give the seconds that are left.

        Raises:
            RemoteError: None are.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise RemoteError("MLflow", f"not done within {self.limits.seconds:g} s")
        return left

    def count(self) -> None:
        """Take one more file or folder.

        Raises:
            InputError: That is one too many.
        """
        self._entries += 1
        if self._entries > self.limits.files:
            raise InputError(f"more than {self.limits.files} artifact files and folders")

    def expect(self, size_bytes: int) -> None:
        """Look ahead: refuse so many more bytes.

        Raises:
            InputError: They would be too many.
        """
        if self._bytes + size_bytes > self.limits.size_bytes:
            raise InputError(f"the artifacts hold more than {self.limits.size_bytes} bytes")

    def take(self, size_bytes: int) -> None:
        """Take bytes that were read.

        Raises:
            InputError: They are too many.
            RemoteError: No time is left.
        """
        self.expect(size_bytes)
        self._bytes += size_bytes
        self.left_s()


def read_folder(folder: Path, meter: Meter) -> Iterator[Reading]:
    """Hash every file below a folder, in no particular order.

    Raises:
        InputError: A link, a special file, an unreadable file, a name that is not allowed, or
            more than the limits.
        RemoteError: No time is left.
    """
    for directory, folders, names in os.walk(folder, onerror=_unreadable):
        for name in (*folders, *names):
            meter.count()
            if Path(directory, name).is_symlink():
                raise InputError(
                    f"artifact {name!a} is a symbolic link", hint="store the file itself"
                )
        for name in names:
            file = Path(directory, name)
            yield read_file(file, file.relative_to(folder).as_posix(), meter)


def read_file(file: Path, path: str, meter: Meter) -> Reading:
    """Hash one file that is known under `path` in the manifest.

    Raises:
        InputError: As `read_folder`.
        RemoteError: No time is left.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for its writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"artifact {path!a} is not a regular file")
            meter.expect(status.st_size)
            return _hash(iter(lambda: stream.read(_CHUNK_BYTES), b""), path, meter)
    except OSError as error:
        _unreadable(error)
    except ValueError as error:
        raise InputError(str(error)) from None


def _hash(chunks: Iterator[bytes], path: str, meter: Meter) -> Reading:
    digest, size_bytes, head = hashlib.sha256(), 0, b""
    for chunk in chunks:
        meter.take(len(chunk))
        digest.update(chunk)
        head = head or (chunk if path == DESCRIPTION else b"")
        size_bytes += len(chunk)
    return Reading(Artifact(path, size_bytes, digest.hexdigest()), head)


def _unreadable(error: OSError) -> NoReturn:
    name = Path(str(error.filename)).name
    raise InputError(f"cannot read artifact {name!a}: {error.strerror}") from None
