"""Cloud pointers: what is frozen, what moves with a percentage, what a completion changes."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InputError
from generator.model.percent import FULL, ZERO, Percent
from generator.model.release import ModelVersion, Release
from generator.model.site import Site
from generator.render import helm
from generator.render.helm import Frozen

CHART = b"""\
# Ours.
apiVersion: v2
name: "defect-detector"   # fixed
version: 0.0.0   # the machine's
description: 'It''s ours'
"""
COPIED = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": b"resources: {}\n",
    "chart/templates/deployment.yaml": b"name: {{ .Values.release }}\r\n\xff",
}
SITE = Site("eu-central-1", "eks-eu-central-1", labels={"zone": "a"})
FOLDER = "sites/cloud-eks/eu-central-1/defect-detector"


def a_release(number: int, image: str = "registry.example.com:5000/models/server:3") -> Release:
    digest = f"sha256:{number:064x}"
    version = ModelVersion(
        registry_name="defect-detector",
        version=str(number),
        model_id="m-1",
        run_id="r-1",
        created_ms=0,
        uri=f"s3://models/{number}",
        digest=digest,
        files=1,
        size_bytes=1,
        asked="defect-detector@champion",
    )
    return Release(
        id=f"v{number}-{number:08x}",
        model="defect-detector",
        environment="cloud-eks",
        version=version,
        image=f"{image}@{digest}",
        config_digest=digest,
        digest=digest,
        source_commit="0" * 40,
    )


def frozen(number: int) -> Frozen:
    release = a_release(number)
    prefix = f"releases/cloud-eks/defect-detector/{release.id}/"
    files = helm.release_files(release, COPIED)
    return Frozen(release, {path.removeprefix(prefix): data for path, data in files.items()})


STABLE, CANARY = frozen(12), frozen(13)


def read(files: Any, name: str) -> Any:
    return yaml.safe_load(files[f"{FOLDER}/{name}"])


def test_freezing_changes_two_lines_of_the_chart() -> None:
    files = helm.release_files(a_release(13), COPIED)
    folder = "releases/cloud-eks/defect-detector/v13-0000000d"
    changed = CHART.replace(b"version: 0.0.0 ", b'version: "0.0.0-v13-0000000d" ')
    changed = changed.replace(b'"defect-detector" ', b'"defect-detector-v13-0000000d" ')
    assert files == {
        f"{folder}/chart/Chart.yaml": changed,
        f"{folder}/chart/values.yaml": COPIED["chart/values.yaml"],
        f"{folder}/chart/templates/deployment.yaml": COPIED["chart/templates/deployment.yaml"],
    }


def test_a_chart_without_version_gets_one() -> None:
    copied = {"chart/Chart.yaml": b"apiVersion: v2\nname: defect-detector\n"}
    (data,) = helm.release_files(a_release(13), copied).values()
    assert data == (
        b'apiVersion: v2\nname: "defect-detector-v13-0000000d"\nversion: "0.0.0-v13-0000000d"\n'
    )


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        (b"name: other\nversion: 1\n", "the name of its model"),
        (b"- name\n", "the name of its model"),
        (b"name: defect-detector\ndependencies: [{name: x}]\n", "dependencies"),
        (b"name: defect-detector\nversion: {a: 1}\n", "not a plain or quoted scalar"),
        (b"{name: defect-detector}\n", "block mapping"),
        (b"name: [\n", "not YAML"),
        (b"\xff", "not YAML"),
    ],
)
def test_a_chart_that_cannot_be_frozen_is_refused(chart: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        helm.release_files(a_release(13), {"chart/Chart.yaml": chart})
    assert caught.value.problems[0].file == "models/defect-detector/chart/Chart.yaml"


def test_a_chart_without_chart_yaml_is_refused() -> None:
    with pytest.raises(InputError, match=r"no Chart\.yaml"):
        helm.release_files(a_release(13), {"chart/values.yaml": b""})


def test_a_pointer_without_canary_holds_stable_only() -> None:
    files = helm.pointer(SITE, STABLE, None, ZERO)
    assert read(files, "Chart.yaml") == {
        "apiVersion": "v2",
        "name": "site",
        "version": "0.0.0",
        "type": "application",
        "dependencies": [
            {
                "name": "defect-detector-v12-0000000c",
                "version": "0.0.0-v12-0000000c",
                "repository": "",
                "alias": "stable",
            }
        ],
    }
    assert read(files, "values.yaml") == {
        "weights": {"v12-0000000c": 10000},
        "stable": {
            "enabled": True,
            "release": "v12-0000000c",
            "site": "eu-central-1",
            "image": f"registry.example.com:5000/models/server@sha256:{12:064x}",
            "annotations": {
                "link.argocd.argoproj.io/release": "https://tidegate.dev/releases/v12-0000000c",
                "tidegate.dev/model-digest": f"sha256:{12:064x}",
                "tidegate.dev/model-name": "defect-detector",
                "tidegate.dev/model-uri": "s3://models/12",
                "tidegate.dev/model-version": "12",
                "tidegate.dev/release": "v12-0000000c",
            },
        },
    }
    assert sorted(files) == [
        f"{FOLDER}/Chart.yaml",
        f"{FOLDER}/charts/v12-0000000c/Chart.yaml",
        f"{FOLDER}/charts/v12-0000000c/templates/deployment.yaml",
        f"{FOLDER}/charts/v12-0000000c/values.yaml",
        f"{FOLDER}/templates/httproute.yaml",
        f"{FOLDER}/values.yaml",
    ]


def test_a_canary_is_a_second_alias_of_its_own_version() -> None:
    files = helm.pointer(SITE, STABLE, CANARY, Percent.of(5))
    dependencies = read(files, "Chart.yaml")["dependencies"]
    assert [(one["alias"], one["version"]) for one in dependencies] == [
        ("stable", "0.0.0-v12-0000000c"),
        ("canary", "0.0.0-v13-0000000d"),
    ]
    assert dependencies[1]["condition"] == "canary.enabled"
    assert read(files, "values.yaml")["weights"] == {"v12-0000000c": 9500, "v13-0000000d": 500}


def test_vendored_charts_are_the_frozen_bytes() -> None:
    files = helm.pointer(SITE, STABLE, CANARY, ZERO)
    for one in (STABLE, CANARY):
        for path, data in one.files.items():
            name = path.removeprefix("chart/")
            assert files[f"{FOLDER}/charts/{one.release.id}/{name}"] == data


def test_a_step_changes_one_line_of_one_file() -> None:
    before = helm.pointer(SITE, STABLE, CANARY, Percent.of(5))
    after = helm.pointer(SITE, STABLE, CANARY, Percent.of(10))
    changed = [path for path in before if before[path] != after[path]]
    assert changed == [f"{FOLDER}/values.yaml"]
    pairs = zip(before[changed[0]].split(b"\n"), after[changed[0]].split(b"\n"), strict=True)
    assert [new for old, new in pairs if old != new] == [
        b'weights: {"v12-0000000c": 9000, "v13-0000000d": 1000}'
    ]


def test_completion_changes_the_alias_and_nothing_of_the_release() -> None:
    before = helm.pointer(SITE, STABLE, CANARY, FULL)
    after = helm.pointer(SITE, CANARY, None, ZERO)
    assert read(before, "values.yaml")["canary"] == read(after, "values.yaml")["stable"]
    gone = [path for path in before if "/charts/v12-" in path]
    edited = [f"{FOLDER}/Chart.yaml", f"{FOLDER}/values.yaml"]
    assert sorted(after) == sorted(set(before) - set(gone))
    assert [path for path in after if after[path] != before[path]] == edited
    assert read(after, "values.yaml")["weights"] == {"v13-0000000d": 10000}


@given(st.integers(0, 10_000))
def test_weights_always_sum_to_the_whole(basis_points: int) -> None:
    files = helm.pointer(SITE, STABLE, CANARY, Percent(basis_points))
    weights = read(files, "values.yaml")["weights"]
    assert weights["v13-0000000d"] == basis_points
    assert sum(weights.values()) == 10_000


def test_columns_become_annotations_of_both_releases() -> None:
    values = read(helm.pointer(SITE, STABLE, CANARY, ZERO, ["zone"]), "values.yaml")
    for alias in ("stable", "canary"):
        assert values[alias]["annotations"]["tidegate.dev/setting-zone"] == "a"


def test_an_image_without_registry_or_tag_is_kept() -> None:
    release = a_release(13, image="server")
    values = read(helm.pointer(SITE, Frozen(release, {}), None, ZERO), "values.yaml")
    assert values["stable"]["image"] == f"server@sha256:{13:064x}"


def test_a_percentage_without_canary_is_refused() -> None:
    with pytest.raises(ValueError, match="without a canary"):
        helm.pointer(SITE, STABLE, None, Percent.of(5))


def test_one_release_cannot_be_both() -> None:
    with pytest.raises(ValueError, match="both stable and canary"):
        helm.pointer(SITE, STABLE, STABLE, ZERO)
