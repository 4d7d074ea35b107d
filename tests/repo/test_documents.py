"""Whole files: each API takes what we write, and every reader reads the same."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from generator.cohort import draw
from generator.documents.config import write_rejected
from generator.documents.release import freeze, read_release, write_release
from generator.documents.rollout import write_cohort
from generator.documents.sites import read_shard, write_shard
from generator.model.config import Config, Rejection
from generator.model.environment import Delivery, Environment, Kind
from generator.model.percent import ZERO
from generator.model.site import Site
from generator.render import delivery, helm, kustomize
from generator.yamltext import dump
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    version,
)
from tests.readers import HOSTILE, PRINTABLE, read_alike, texts
from tests.schemas import check_document, ours
from tests.wholes import different, objects

# ------------------------------------------------------------------ the API


@pytest.mark.cpu(20)  # the first one makes the repository
@pytest.mark.parametrize("how", list(Delivery))
def test_the_api_takes_every_object(how: Delivery) -> None:
    found = list(objects(different(how.value)))
    for path, one in found:
        try:
            check_document(one)
        except AssertionError as error:
            raise AssertionError(f"{path}: {error}") from error
    kinds = {one["kind"] for _, one in found}
    assert kinds >= {"Deployment", "Kustomization", "Component", "NetworkPolicy", "Service"}
    assert (
        kinds
        >= {
            Delivery.ARGOCD: {"AppProject", "Application", "ApplicationSet"},
            Delivery.ARGOCD_PULL: {"AppProject", "Application"},
            Delivery.FLUX: {"GitRepository", "HelmRelease", "Namespace"},
        }[how]
    )


def closed(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            more = schema.get("additionalProperties")
            if more is not False and not (more and "propertyNames" in schema):
                yield str(schema)[:80]
        for one in schema.values():
            yield from closed(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from closed(one)


def test_a_schema_of_ours_is_closed_at_every_level() -> None:
    assert {name: [*closed(schema)] for name, schema in ours().items()} == {
        name: [] for name in ours()
    }


def places(value: Any) -> Iterator[Any]:
    """Give every mapping of a document."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from places(one)
    elif isinstance(value, list):
        for one in value:
            yield from places(one)


@pytest.mark.cpu(20)  # the first one makes the repository
@pytest.mark.parametrize("how", list(Delivery))
def test_the_api_refuses_a_key_that_it_does_not_know(how: Delivery) -> None:
    seen: set[str] = set()
    for _, one in objects(different(how.value)):
        if one["kind"] in seen or (one["apiVersion"], one["kind"]) not in ours():
            continue
        seen.add(one["kind"])
        for number, place in enumerate(places(one)):
            if any("/" in key or (key == "name" and len(place) == 1) for key in place):
                continue  # labels and annotations hold any key
            other = copy.deepcopy(one)
            list(places(other))[number]["surprise!"] = "a"
            with pytest.raises(AssertionError, match="surprise"):
                check_document(other)
    assert seen


def test_a_kind_without_a_schema_is_named() -> None:
    with pytest.raises(AssertionError, match="no schema for"):
        check_document({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}})


def test_the_core_schemas_are_strict() -> None:
    spec = {"containers": [{"name": "a", "imge": "b"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    with pytest.raises(AssertionError, match="imge"):
        check_document(pod)


# ------------------------------------------------------------------ the readers


@pytest.mark.cpu(20)  # the first one makes the repository
@pytest.mark.parametrize("how", list(Delivery))
def test_every_file_reads_the_same_everywhere(how: Delivery) -> None:
    for path, data in different(how.value).items():
        try:
            assert read_alike(data)
        except AssertionError as error:
            raise AssertionError(f"{path}: {error}") from error


def held(data: bytes, text: str) -> bool:
    return any(text in texts(one) for one in read_alike(data))


@pytest.mark.parametrize("text", HOSTILE[:-1], ids=lambda text: ascii(text[:20]))
def test_text_from_a_registry_survives(text: str) -> None:
    named = text if text.isprintable() and 0 < len(text) <= 255 else MODEL
    moving = replace(version(12), registry_name=named, asked=text)
    release = freeze(EDGE, MODEL, moving, f"a/b@{version(12).digest}", {}, "0" * 40)
    data = write_release(release)
    assert held(data, text)
    assert read_release("release.yaml", data) == release
    assert any(held(one, named) for one in kustomize.profile(release, "cpu").values())
    chart = {"chart/Chart.yaml": f"name: {MODEL}\n".encode()}
    frozen = freeze(CLOUD, MODEL, moving, f"a/b@{version(12).digest}", chart, "0" * 40)
    pointer = helm.pointer(Site("c", "c"), helm.Frozen(frozen, chart), None, ZERO)
    assert held(next(data for path, data in pointer.items() if path.endswith("values.yaml")), named)
    row = Rejection(*("sha256:a",) * 3, "v1-0", MODEL, EDGE, "", text, text, text)
    assert held(write_rejected([row]), text)


@pytest.mark.parametrize("text", PRINTABLE, ids=lambda text: ascii(text[:20]))
def test_text_from_a_site_file_survives(text: str) -> None:
    site = Site("plant-1", "c", labels={"line": text, "no": text, "y": text})
    data = write_shard([site])
    assert held(data, text)
    assert read_shard("s000.yaml", data, "s000") == (site,)
    (pointer,) = kustomize.pointer(EDGE, MODEL, site, "v1-00000000", ("line", "no")).values()
    ((patch,),) = ([one["patch"] for one in doc["patches"]] for doc in read_alike(pointer))
    assert [one["value"] for one in yaml.safe_load(patch)] == [text, text]
    drawn = draw("r-1", [site], ("line",))
    assert held(write_cohort(drawn), drawn.members[0].stratum)


@pytest.mark.parametrize("how", list(Delivery))
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("text", ["1e3", "0755", "012", "22", "no", "y", "1", "2001-12-14", "null"])
def test_names_that_look_like_numbers_stay_names(how: Delivery, kind: Kind, text: str) -> None:
    settings = Environment(text[:30], kind, delivery=how, namespace=text)
    config = Config(remote=f"https://git.example.com/{text}?a=%20#~'", branch=text)
    sites = [Site(text, text, shard=text)]
    files = delivery.environment(config, settings, sites, [text])
    assert files
    for data in files.values():
        for one in read_alike(data):
            check_document(one)
            assert config.remote in texts(one) or one["kind"] in (
                "Kustomization",
                "HelmRelease",
                "Namespace",
            )


def test_every_text_survives_in_one_document() -> None:
    value = {"texts": list(HOSTILE), **{text: text for text in HOSTILE if len(text) < 100}}
    assert read_alike(dump(value)) == [value]
