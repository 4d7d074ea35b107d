"""A pinned model: what the registry said once, and the digests that make it a fact."""

import re
from dataclasses import dataclass

from generator.model.names import check_name, check_release

FORMAT = 2  # of what a release directory holds; 2 has a list of images on the edge
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}", re.ASCII)
_URI = re.compile(r"[a-z][a-z0-9+.-]{0,31}:[\x21-\x7e]{1,1024}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def check_digest(text: str) -> str:
    """Give `sha256:<64 hex>` back.

    Raises:
        ValueError: It is not one.
    """
    if not _DIGEST.fullmatch(text):
        raise ValueError(f"{text!r} is not a digest: write sha256: and 64 hex digits")
    return text


def check_image(text: str) -> str:
    """Give an image reference back when it is pinned by digest.

    Raises:
        ValueError: It floats, or it is not an image reference.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"image {text!r} is not pinned: write REFERENCE@sha256:<64 hex digits>")
    return text


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What a registry holds about one version, resolved and hashed once.

    Attributes:
        registry_name: Name in the registry; any text without control characters.
        version: The number as text.
        model_id: `m-...` or "" where the store has none.
        run_id: Training run, or "".
        created_ms: Creation time in ms since the epoch, UTC; with the name and the number it
            is the identity, since numbers start again when a model is made anew.
        uri: Where the artifacts lie, resolved; no credentials.
        digest: sha256 of the canonical manifest (path, size, sha256 of every artifact file).
        files: The number of artifact files.
        size_bytes: Their total size.
        asked: What the person asked for, such as `defect-detector@champion`.
        image: The version's tag `tidegate.image`, unchecked, or "".
    """

    registry_name: str
    version: str
    model_id: str
    run_id: str
    created_ms: int
    uri: str
    digest: str
    files: int
    size_bytes: int
    asked: str
    image: str = ""

    def __post_init__(self) -> None:
        """Refuse registry text that could not be written safely."""
        if not self.registry_name.isprintable() or not 0 < len(self.registry_name) <= 255:
            raise ValueError("the registry's model name holds control characters or is too long")
        if not re.fullmatch(r"[1-9][0-9]{0,8}", self.version, re.ASCII):
            raise ValueError(f"{self.version!r} is not a version number")
        for kind, text in (("model id", self.model_id), ("run id", self.run_id)):
            if text and not _ID.fullmatch(text):
                raise ValueError(f"{kind} {text[:80]!r} holds characters that are not allowed")
        if not _URI.fullmatch(self.uri):
            raise ValueError(f"artifact location {self.uri[:80]!r} is not a plain URI")
        check_digest(self.digest)

    @property
    def entry(self) -> tuple[str, str, int]:
        """Name the entry of the registry, whatever bytes it has now."""
        return self.registry_name, self.version, self.created_ms


@dataclass(frozen=True, slots=True)
class Release:
    """One immutable, content-addressed release of a model in an environment.

    Attributes:
        id: `v<version>-<8 hex>` of `digest`.
        model: Name in this repository.
        environment: Where it was frozen for.
        version: The pinned registry facts.
        image: REFERENCE@sha256:...
        config_digest: sha256 over the copied files of `models/<model>/`.
        digest: sha256 over the canonical inputs; this is what is compared.
        source_commit: The commit of `models/` it was made from.
        format: What the directory holds; those of older ones stay as they were written.
    """

    id: str
    model: str
    environment: str
    version: ModelVersion
    image: str
    config_digest: str
    digest: str
    source_commit: str
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse a release that floats, or that a newer tidegate has written."""
        if not 1 <= self.format <= FORMAT:
            raise ValueError(f"format {self.format} is not known here: update tidegate")
        check_release(self.id)
        check_name("model", self.model)
        check_name("environment", self.environment)
        check_image(self.image)
        check_digest(self.config_digest)
        check_digest(self.digest)

    @property
    def key(self) -> tuple[str, str, str]:
        """Identify the tuple (model, config, runtime) by digests, whatever it is called."""
        return self.version.digest, self.config_digest, self.image.partition("@")[2]

    @property
    def short(self) -> str:
        """Name the version for people: `v13`."""
        return self.id.partition("-")[0]
