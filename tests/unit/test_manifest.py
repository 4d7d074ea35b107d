import hashlib

import pytest

from generator.model.manifest import Artifact, check_artifact_path, manifest, manifest_digest

EMPTY = hashlib.sha256(b"").hexdigest()
MODEL = Artifact("MLmodel", 3, hashlib.sha256(b"a: ").hexdigest())
WEIGHTS = Artifact("data/weights.bin", 0, EMPTY)


def test_the_recipe_is_one_json_object_a_line_sorted_by_path():
    assert manifest([WEIGHTS, MODEL]) == (
        f'{{"path":"MLmodel","sha256":"{MODEL.sha256}","size":3}}\n'
        f'{{"path":"data/weights.bin","sha256":"{EMPTY}","size":0}}\n'
    ).encode("ascii")


def test_the_digest_is_the_sha256_of_the_manifest_bytes():
    expected = hashlib.sha256(manifest([MODEL])).hexdigest()
    assert manifest_digest([MODEL]) == f"sha256:{expected}"


def test_the_digest_stays_the_same_for_ever():
    assert manifest_digest([Artifact("w", 0, EMPTY)]) == (
        "sha256:7be8fefb1dffb3033441f2fe4b43b84a13db71e9e628658d1dfc632ead5e4925"
    )


def test_the_order_of_listing_does_not_matter():
    assert manifest_digest([MODEL, WEIGHTS]) == manifest_digest([WEIGHTS, MODEL])


@pytest.mark.parametrize(
    "other",
    [
        Artifact("MLmodel2", 3, MODEL.sha256),
        Artifact("MLmodel", 4, MODEL.sha256),
        Artifact("MLmodel", 3, EMPTY),
    ],
)
def test_path_size_and_content_all_count(other):
    assert manifest_digest([other]) != manifest_digest([MODEL])


def test_paths_are_sorted_by_code_point_and_written_in_ascii():
    lines = manifest([Artifact(path, 0, EMPTY) for path in ("ä", "b", "Z", "a/b", "a-b")])
    paths = [line.split(b'"')[3] for line in lines.splitlines()]
    assert paths == [b"Z", b"a-b", b"a/b", b"b", b"\\u00e4"]


def test_no_file_is_no_model():
    with pytest.raises(ValueError, match="no artifact file"):
        manifest([])


def test_two_files_under_one_path_are_refused():
    with pytest.raises(ValueError, match="appears twice"):
        manifest([MODEL, WEIGHTS, Artifact("MLmodel", 0, EMPTY)])


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\nb", "a\x00", "a\\b", "\udcff"],
)
def test_a_path_that_could_mean_another_file_is_refused(path):
    with pytest.raises(ValueError, match="artifact path"):
        check_artifact_path(path)


def test_a_path_has_a_longest_length():
    assert check_artifact_path("a" * 1024) == "a" * 1024
    with pytest.raises(ValueError, match="more than 1024"):
        check_artifact_path("a" * 1025)


@pytest.mark.parametrize("sha256", ["", "A" * 64, "0" * 63, "sha256:" + "0" * 64])
def test_a_file_has_64_hex_digits(sha256):
    with pytest.raises(ValueError, match="64 hex"):
        Artifact("a", 0, sha256)


def test_a_file_has_no_negative_size():
    with pytest.raises(ValueError, match="negative"):
        Artifact("a", -1, EMPTY)
