"""A release is named after its content: each pin counts, what was asked for does not."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.documents.release import (
    files_digest,
    freeze,
    read_release,
    recompute,
    write_release,
)
from generator.errors import InputError
from generator.model.release import ModelVersion, Release, check_image

FILE = "releases/edge-k3s/defect-detector/x/release.yaml"
IMAGE = f"registry.example.com/server@sha256:{'ab' * 32}"
COPIED = {"base/deployment.yaml": b"kind: Deployment\n", "components/gpu/patch.yaml": b""}
VERSION = ModelVersion(
    registry_name="defect-detector",
    version="13",
    model_id="m-1",
    run_id="r-1",
    created_ms=1_700_000_000_000,
    uri="s3://models/13",
    digest=f"sha256:{'cd' * 32}",
    files=3,
    size_bytes=12_345_678_901,
    asked="defect-detector@champion",
)


def frozen(version: ModelVersion = VERSION, **changed: Any) -> Release:
    inputs = {
        "environment": "edge-k3s",
        "model": "defect-detector",
        "image": IMAGE,
        "copied": COPIED,
        "source_commit": "1" * 40,
        **changed,
    }
    return freeze(version=version, **inputs)


def test_the_digest_is_the_one_that_can_be_computed_by_hand() -> None:
    lines = "".join(
        f"{hashlib.sha256(COPIED[path]).hexdigest()}  {path}\n" for path in sorted(COPIED)
    )
    config = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    inputs = {
        "config": config,
        "created": 1_700_000_000_000,
        "digest": VERSION.digest,
        "environment": "edge-k3s",
        "format": 2,
        "image": IMAGE,
        "model": "defect-detector",
        "modelId": "m-1",
        "registryName": "defect-detector",
        "runId": "r-1",
        "uri": "s3://models/13",
        "version": "13",
    }
    text = json.dumps(inputs, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    release = frozen()
    assert (release.config_digest, release.digest) == (config, f"sha256:{digest}")
    assert release.id == f"v13-{digest[:8]}"
    assert release.short == "v13"


@pytest.mark.parametrize(
    "other",
    [
        frozen(environment="edge-2"),
        frozen(model="weld-check"),
        frozen(image=IMAGE.replace("ab", "ba")),
        frozen(image=IMAGE.replace("registry.", "mirror.")),
        frozen(copied={**COPIED, "base/deployment.yaml": b"kind: Deployment\n\n"}),
        frozen(copied={"base/deployment.yml": COPIED["base/deployment.yaml"]}),
        frozen(copied={**COPIED, "base/empty": b""}),
        frozen(replace(VERSION, registry_name="defect")),
        frozen(replace(VERSION, version="14")),
        frozen(replace(VERSION, model_id="")),
        frozen(replace(VERSION, run_id="r-2")),
        frozen(replace(VERSION, created_ms=1_700_000_000_001)),
        frozen(replace(VERSION, uri="s3://models/14")),
        frozen(replace(VERSION, digest=f"sha256:{'dc' * 32}")),
    ],
)
def test_every_pin_and_every_copied_byte_makes_another_release(other: Release) -> None:
    assert other.digest != frozen().digest


@pytest.mark.parametrize(
    "same",
    [
        frozen(source_commit="2" * 40),
        frozen(replace(VERSION, asked="defect-detector/13")),
        frozen(replace(VERSION, image="registry.example.com/else@sha256:0")),
        frozen(copied=dict(reversed(COPIED.items()))),
    ],
)
def test_freezing_the_same_thing_twice_gives_the_same_release(same: Release) -> None:
    assert (same.id, same.digest) == (frozen().id, frozen().digest)


def test_the_key_of_the_ledger_is_three_digests() -> None:
    release = frozen()
    assert release.key == (VERSION.digest, release.config_digest, f"sha256:{'ab' * 32}")
    assert frozen(environment="edge-2").key == release.key


@given(
    st.dictionaries(st.text("ab/.", min_size=1, max_size=4), st.binary(max_size=3), max_size=4),
    st.dictionaries(st.text("ab/.", min_size=1, max_size=4), st.binary(max_size=3), max_size=4),
)
def test_two_sets_of_files_have_one_digest_only_when_they_are_the_same(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (files_digest(one) == files_digest(other)) == (one == other)


def test_a_release_reads_back_as_it_was_written() -> None:
    release = frozen()
    assert read_release(FILE, write_release(release)) == release
    assert recompute(release) == release.digest


hostile = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(str.isprintable)


@given(hostile)
def test_any_registry_name_survives_the_file(name: str) -> None:
    release = frozen(replace(VERSION, registry_name=name, asked=name))
    assert read_release(FILE, write_release(release)) == release


def edit(old: str, new: str) -> bytes:
    text = write_release(frozen()).decode()
    assert len(re.findall(old, text)) == 1
    return re.sub(old, new, text).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("abab", "baab"),
        ('number: "13"', 'number: "14"'),
        ("s3://models/13", "s3://models/31"),
        ("created: 1700000000000", "created: 1700000000001"),
        ('modelId: "m-1"', 'modelId: "m-2"'),
        ('environment: "edge-k3s"', 'environment: "edge-k3t"'),
    ],
)
def test_a_pin_changed_by_hand_is_found(old: str, new: str) -> None:
    data = write_release(frozen()).decode()
    with pytest.raises(InputError, match="the digest is not that of the pins: a release never"):
        read_release(FILE, data.replace(old, new, 1).encode())


def test_an_id_that_is_not_of_the_digest_is_found() -> None:
    data = edit(r'id: "v13-[0-9a-f]{8}"', 'id: "v13-00000000"')
    with pytest.raises(InputError, match="the release id is not v13-"):
        read_release(FILE, data)


def test_an_id_of_another_version_is_found() -> None:
    data = edit(r'id: "v13-', 'id: "v14-')
    with pytest.raises(InputError, match="the release id is not v13-"):
        read_release(FILE, data)


@pytest.mark.parametrize(
    "text", ["1_700_000_000_000", "+1700000000000", "-1", "1.7e12", "\u0665", "01"]
)
def test_a_number_that_two_readers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"created: '{re.escape(text)}' is not a whole number"):
        read_release(FILE, edit("created: 1700000000000", f"created: {text}"))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(InputError, match=r":8: unknown key 'imag'; did you mean 'image'\?"):
        read_release(FILE, edit("\nimage:", "\nimag:"))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "server",
            "server:latest",
            "registry.example.com/server:1.2",
            f"{IMAGE}0",
            "@sha256:",
        ),
        *(IMAGE.replace("sha256", "sha512"), IMAGE.upper(), f" {IMAGE}", f"{IMAGE}\n", "x" * 400),
        *(IMAGE.replace("server", "ser ver"), IMAGE.replace("server", "sérver"), f"-{IMAGE}"),
    ],
)
def test_an_image_without_a_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not pinned: write REFERENCE@sha256:"):
        check_image(text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("registry_name", ""),
        ("registry_name", "a\nRollout-Id: x"),
        ("registry_name", "x" * 256),
        ("version", "0"),
        ("version", "13 "),
        ("version", "v13"),
        ("version", "1" * 10),
        ("model_id", "../m"),
        ("run_id", "a b"),
        ("uri", "models/13"),
        ("uri", "s3://a b"),
        ("uri", "s3://a\nb"),
        ("uri", "s3://" + "x" * 1100),
        ("digest", "sha256:abc"),
        ("digest", f"md5:{'ab' * 32}"),
        ("digest", f"sha256:{'AB' * 32}"),
    ],
)
def test_registry_text_that_could_not_be_written_safely_is_refused(field: str, text: str) -> None:
    changed: dict[str, Any] = {field: text}
    with pytest.raises(ValueError, match=r"\S"):
        replace(VERSION, **changed)
