"""`releases/<env>/<model>/<release>/release.yaml`: the pins, and what they are digested from."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial

from generator.documents.reading import Document, whole
from generator.model.release import FORMAT, ModelVersion, Release
from generator.yamltext import dump


def files_digest(files: Mapping[str, bytes]) -> str:
    """Digest a set of files: sha256 over `<sha256>  <path>` lines in path order."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items()]
    ordered = sorted(lines, key=lambda line: line[66:])
    return f"sha256:{hashlib.sha256(''.join(ordered).encode()).hexdigest()}"


def freeze(
    environment: str,
    model: str,
    version: ModelVersion,
    image: str,
    copied: Mapping[str, bytes],
    source_commit: str,
) -> Release:
    """Name a release after its canonical inputs.

    The digest covers the pins, the copied files and the format; how the version was asked for
    and the commit of `models/` are kept beside it but do not name it, so freezing the same
    thing twice gives the same release.
    """
    config_digest = files_digest(copied)
    digest = _digest(FORMAT, environment, model, version, image, config_digest)
    name = _name(version, digest)
    return Release(name, model, environment, version, image, config_digest, digest, source_commit)


def _name(version: ModelVersion, digest: str) -> str:
    return f"v{version.version}-{digest.removeprefix('sha256:')[:8]}"


def recompute(release: Release) -> str:
    """Digest the pins of a release again."""
    where = release.environment, release.model
    return _digest(release.format, *where, release.version, release.image, release.config_digest)


def _digest(
    number: int, environment: str, model: str, v: ModelVersion, image: str, config_digest: str
) -> str:
    inputs = {
        "format": number,
        "environment": environment,
        "model": model,
        "image": image,
        "config": config_digest,
        "registryName": v.registry_name,
        "version": v.version,
        "modelId": v.model_id,
        "runId": v.run_id,
        "created": v.created_ms,
        "uri": v.uri,
        "digest": v.digest,
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def write_release(release: Release) -> bytes:
    """Write the pins."""
    version = release.version
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Release",
            "id": release.id,
            "model": release.model,
            "environment": release.environment,
            "digest": release.digest,
            "configDigest": release.config_digest,
            "image": release.image,
            "sourceCommit": release.source_commit,
            **({"format": release.format} if release.format > 1 else {}),  # 1 did not say it
            "version": {
                "registryName": version.registry_name,
                "number": version.version,
                "modelId": version.model_id,
                "runId": version.run_id,
                "created": version.created_ms,
                "uri": version.uri,
                "digest": version.digest,
                "files": version.files,
                "bytes": version.size_bytes,
                "asked": version.asked,
            },
        }
    )


def read_release(file: str, data: bytes) -> Release:
    """Read the pins.

    Raises:
        InputError: Every problem with its line, or a digest that its own pins do not give.
    """
    document = Document(file, data)
    top = document.top("Release")
    pins = top.mapping("version", required=True)
    version = partial(
        ModelVersion,
        registry_name=pins.value("registryName", str, "", required=True),
        version=pins.value("number", str, "", required=True),
        model_id=pins.value("modelId", str, ""),
        run_id=pins.value("runId", str, ""),
        created_ms=pins.number("created", whole, 0, required=True),
        uri=pins.value("uri", str, "", required=True),
        digest=pins.value("digest", str, "", required=True),
        files=pins.number("files", whole, 0),
        size_bytes=pins.number("bytes", whole, 0),
        asked=pins.value("asked", str, ""),
    )
    pinned = partial(
        Release,
        id=top.value("id", str, "", required=True),
        model=top.value("model", str, "", required=True),
        environment=top.value("environment", str, "", required=True),
        image=top.value("image", str, "", required=True),
        config_digest=top.value("configDigest", str, "", required=True),
        digest=top.value("digest", str, "", required=True),
        source_commit=top.value("sourceCommit", str, ""),
        format=top.number("format", whole, 1),
    )
    build = partial(_build, pinned, version)
    pins.close()
    top.close()
    return document.finish(build)


def _build(pinned: "partial[Release]", version: "partial[ModelVersion]") -> Release:
    release = pinned(version=version())
    if recompute(release) != release.digest:
        raise ValueError("the digest is not that of the pins: a release never changes")
    name = _name(release.version, release.digest)
    if release.id != name:
        raise ValueError(f"the release id is not {name}, which follows from its pins")
    return release
