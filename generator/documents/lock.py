"""`.tidegate/lock.yaml`: digests of what cannot be computed again."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from generator.documents.reading import Document, whole
from generator.layout import RepoPath
from generator.model.blueprint import Stamp
from generator.yamltext import Row, dump

_SHA256 = re.compile(r"(?:sha256:)?[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Lock:
    """Which blueprints a repository was made with, and what they wrote.

    Attributes:
        blueprints: Name to version and digest.
        files: Path to sha256 of what a blueprint wrote there, before any edit.
    """

    blueprints: Mapping[str, Stamp]
    files: Mapping[RepoPath, str]

    def extend(self, blueprints: Mapping[str, Stamp], files: Mapping[RepoPath, bytes]) -> "Lock":
        """Add blueprints and what they wrote."""
        digests = {path: sha256(data) for path, data in files.items()}
        return Lock({**self.blueprints, **blueprints}, {**self.files, **digests})


EMPTY = Lock({}, {})


def write_lock(lock: Lock) -> bytes:
    """Write a lock in the order of its names."""
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Lock",
            "blueprints": [
                Row(name=name, version=stamp.version, digest=stamp.digest)
                for name, stamp in sorted(lock.blueprints.items())
            ],
            "files": [Row(path=path, sha256=one) for path, one in sorted(lock.files.items())],
        }
    )


def read_lock(file: str, data: bytes) -> Lock:
    """Read a lock.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Lock")
    blueprints: dict[str, Stamp] = {}
    files: dict[RepoPath, str] = {}
    for row in top.mappings("blueprints"):
        name = row.value("name", str, "", required=True)
        version = row.number("version", whole, 0, required=True)
        blueprints[name] = Stamp(version, row.value("digest", _digest, "", required=True))
        row.close()
    for row in top.mappings("files"):
        path = row.value("path", _inside, "", required=True)
        if path in files:
            row.report(f"the file {path!r} stands here twice", "path")
        files[path] = row.value("sha256", _digest, "", required=True)
        row.close()
    top.close()
    return document.finish(lambda: Lock(blueprints, files))


def sha256(data: bytes) -> str:
    """Give the digest of one file."""
    return hashlib.sha256(data).hexdigest()


def _digest(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError(f"{text[:80]!a} is not a sha256 digest")
    return text


def _inside(text: str) -> RepoPath:
    if any(part in ("", ".", "..", ".git") for part in text.split("/")) or "\\" in text:
        raise ValueError(f"{text[:80]!a} does not lie in the repository")
    return text
