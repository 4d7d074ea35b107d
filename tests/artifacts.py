"""Model artifacts as files, and the digest that a release pins of them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from generator.model.manifest import Artifact, manifest_digest

FILES = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"\x00" * 1000}


def digest_of(files: Mapping[str, bytes]) -> str:
    """Digest files as the registry's door does."""
    return manifest_digest(
        Artifact(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()
    )


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder, and give it back."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder
