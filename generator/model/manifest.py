"""The canonical list of a model version's artifact files; its digest is what Git pins.

No registry knows a digest of a model, and files of a registered version can be overwritten.
The recipe is small enough to be repeated on a site: one JSON object a line for each file,
keys `path`, `sha256`, `size` in this order, no spaces, ASCII only, sorted by path, each line
ended by a newline; the digest is the sha256 of these bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

LONGEST_PATH = 1024
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact file.

    Attributes:
        path: Below the version's artifact folder, with `/` between folders.
        size_bytes: What was read, not what was declared.
        sha256: 64 hex digits.
    """

    path: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse a path that could mean another file elsewhere."""
        check_artifact_path(self.path)
        if self.size_bytes < 0:
            raise ValueError(f"artifact {self.path!r} has a negative size")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"artifact {self.path!r} has no sha256 of 64 hex digits")


def check_artifact_path(path: str) -> str:
    """Give a relative path back when it stays inside its folder.

    Raises:
        ValueError: It is absolute, climbs, is not printable, or is too long.
    """
    if len(path) > LONGEST_PATH:
        raise ValueError(f"artifact path {path[:40]!a}... has more than {LONGEST_PATH} characters")
    if not path.isprintable() or "\\" in path:
        raise ValueError(f"artifact path {path!a} holds characters that are not allowed")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"artifact path {path!a} is not a path inside the artifact folder")
    return path


def manifest(artifacts: Iterable[Artifact]) -> bytes:
    """Write the canonical manifest.

    Raises:
        ValueError: There is no file, or two have the same path.
    """
    ordered = sorted(artifacts, key=lambda artifact: artifact.path)
    if not ordered:
        raise ValueError("there is no artifact file")
    for before, after in pairwise(ordered):
        if before.path == after.path:
            raise ValueError(f"artifact path {after.path!a} appears twice")
    return "".join(_line(artifact) for artifact in ordered).encode("ascii")


def manifest_digest(artifacts: Iterable[Artifact]) -> str:
    """Give `sha256:<64 hex>` of the canonical manifest.

    Raises:
        ValueError: There is no file, or two have the same path.
    """
    return "sha256:" + hashlib.sha256(manifest(artifacts)).hexdigest()


def _line(artifact: Artifact) -> str:
    fields = {"path": artifact.path, "sha256": artifact.sha256, "size": artifact.size_bytes}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True) + "\n"
