"""Whole repositories, one for each way of delivery, and the objects in them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from generator import layout
from tests.builders import CLOUD, EDGE, MODEL, Memory, baseline, fleet, percent, promote

API = ("argocd", "flux", "sites/edge", "releases/edge", "models", "environments", "reconciler")


@cache
def repository(how: str) -> Memory:
    """A repository in the middle of a rollout, on the edge and in the cloud."""
    files = fleet(sites=40, clusters=1)
    for name in (EDGE, CLOUD):
        path = layout.environment(name)
        files[path] = re.sub(rb"delivery: argocd ", f"delivery: {how} ".encode(), files[path])
        files[path] = (
            files[path].replace(b"settings: [] ", b"settings: [line]")
            if name == EDGE
            else files[path]
        )
    path = layout.rollout(EDGE, MODEL)
    files[path] = files[path].replace(b"minSites: 5 ", b"minSites: 2 ")
    have = Memory(files).do(baseline(12)).do(baseline(12, CLOUD))
    return have.do(promote(13)).do(promote(13, CLOUD)).do(percent("5", CLOUD))


def is_yaml(path: str) -> bool:
    """A template is none; and a pristine copy holds what its original holds."""
    copies = path.startswith(".tidegate/pristine/")
    return path.endswith((".yaml", ".yml")) and "/templates/" not in path and not copies


@cache
def different(how: str) -> Mapping[str, bytes]:
    """Give one file of each that differ in more than the name of a site."""
    found: dict[bytes, str] = {}
    for path, data in repository(how).files.items():
        if is_yaml(path):
            found.setdefault(re.sub(rb"plant-[0-9]+|k3s-[0-9]+", b"", data), path)
    return {path: repository(how).files[path] for path in found.values()}


def objects(files: Mapping[str, bytes]) -> Iterator[tuple[str, Any]]:
    """Give the objects that Kubernetes or Kustomize read, with the file of each."""
    for path, data in files.items():
        for one in yaml.load_all(data, Loader=yaml.CSafeLoader):
            api = one.get("apiVersion", "") if isinstance(one, dict) else ""
            if "/pins.yaml" in path or path.endswith("/patch.yaml"):
                continue  # a part of an object, which Kustomize puts in
            if (
                path.startswith(API)
                and api
                and "kind" in one
                and not api.startswith("tidegate.dev/")
            ):
                yield path, one
