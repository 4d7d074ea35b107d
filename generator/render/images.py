"""The images that a site of an edge release pulls, for it to fetch before its turn comes."""

import re
from collections.abc import Iterator, Mapping

import yaml

from generator.errors import InputError
from generator.model.release import Release

_PINNED = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}(?![0-9a-f])", re.ASCII
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_MANIFESTS = (".yaml", ".yml", ".json", "/Kustomization")


def untagged(image: str) -> str:
    """Take the tag out of REFERENCE@DIGEST: what is pulled is the digest."""
    reference, _, digest = image.partition("@")
    path, slash, last = reference.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}@{digest}"


def image_list(release: Release, copied: Mapping[str, bytes]) -> bytes:
    """Write `images.txt`: one image a line, in order, each by digest.

    Those are the pinned server image, and every pinned image in a value of the base and its
    profiles, wherever it stands: in a container, a volume, a patch, a replacement. The list is
    the same for every hardware profile.

    Args:
        release: The pins.
        copied: The files of `models/<model>/base` and `profiles`.

    Raises:
        InputError: A manifest cannot be read.
    """
    found = {untagged(release.image)}
    for path, data in copied.items():
        if path.endswith(_MANIFESTS):
            found.update(_images(path, data))
    return "".join(f"{image}\n" for image in sorted(found)).encode("ascii")


def _images(path: str, data: bytes) -> Iterator[str]:
    """Look at scalars only: comments name no image, and depth cannot hurt."""
    row: dict[str, str] = {}
    key = ""
    try:
        # JSON may be indented with tabs, YAML may not.
        for event in yaml.parse(data.decode().replace("\t", "  "), Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.ScalarEvent):
                yield from _PINNED.findall(event.value)
                key, row = ("", {**row, key: event.value}) if key else (event.value, row)
            else:
                yield from _replacement(row)
                key, row = "", {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("not YAML", file=path, hint="mend it, then freeze again") from error


def _replacement(row: Mapping[str, str]) -> Iterator[str]:
    """Read an entry of a kustomization's `images`, which holds nothing but texts."""
    digest, name = row.get("digest", ""), row.get("newName") or row.get("name", "")
    if _DIGEST.fullmatch(digest) and _PINNED.fullmatch(f"{name}@{digest}"):
        yield f"{name}@{digest}"  # as Kustomize writes it: a tag in newName stays
