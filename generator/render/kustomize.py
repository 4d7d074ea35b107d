"""Edge manifests: the machine's part of a release, and the pointer of one site.

A pointer names one release and one hardware profile; a flip changes that one line. All pins
stand on the pod template, so they change together with it or not at all (ADR 0003).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from generator import layout
from generator.layout import RepoPath
from generator.model.release import Release
from generator.model.site import Site
from generator.render.images import image_list, untagged
from generator.yamltext import dump

HEADER = b"# Written by tidegate; tidegate verify compares these bytes.\n"
PLACEHOLDER = "model-server"
KIND = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_ANY = "any-site"
RELEASE_URL = "https://tidegate.dev/releases"
IMAGES = "images.txt"
IMAGES_SINCE = 2  # format of the release


def release_files(release: Release, copied: Mapping[str, bytes]) -> Mapping[RepoPath, bytes]:
    """Freeze a base with its profiles: byte copies, and the machine's part beside them.

    Args:
        release: The pins.
        copied: The files of `models/<model>/base` and `profiles`, under `base/`, `components/`.

    Returns:
        Path inside the repository to bytes; release.yaml is not among them.

    Raises:
        InputError: A manifest cannot be read.
    """
    folder = layout.release(release.environment, release.model, release.id)
    files = {f"{folder}/{path}": data for path, data in copied.items()}
    parts = (path.split("/") for path in copied)
    profiles = {part[1] for part in parts if part[0] == "components" and len(part) > 2}
    for name in sorted(profiles):
        files.update(profile(release, name))
    if release.format >= IMAGES_SINCE:
        files[f"{folder}/{IMAGES}"] = image_list(release, copied)
    return files


def profile(release: Release, name: str) -> Mapping[RepoPath, bytes]:
    """Write the kustomization of one hardware profile of a release.

    Args:
        release: The pins.
        name: Hardware profile, a folder under `components/`.

    Returns:
        Two files under `<release>/<profile>/`.
    """
    folder = f"{layout.release(release.environment, release.model, release.id)}/{name}"
    image, _, digest = untagged(release.image).partition("@")
    kustomization = {
        **KIND,
        "resources": ["../base"],
        "components": [f"../components/{name}"],
        "labels": [{"pairs": {"tidegate.dev/release": release.id}, "includeTemplates": True}],
        "images": [{"name": PLACEHOLDER, "newName": image, "digest": digest}],
        "patches": [{"path": "pins.yaml", "target": {"kind": "Deployment"}}],
    }
    return {
        f"{folder}/kustomization.yaml": HEADER + dump(kustomization),
        f"{folder}/pins.yaml": HEADER + dump(_patch(release)),
    }


def pins(release: Release) -> Mapping[str, str]:
    """Give the pod-template annotations that a release stands for."""
    version = release.version
    return {
        "link.argocd.argoproj.io/release": f"{RELEASE_URL}/{release.id}",
        "tidegate.dev/model-digest": version.digest,
        "tidegate.dev/model-name": version.registry_name,
        "tidegate.dev/model-uri": version.uri,
        "tidegate.dev/model-version": version.version,
        "tidegate.dev/release": release.id,
    }


def _patch(release: Release) -> Mapping[str, object]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": release.model},
        "spec": {
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 120,
            "template": {"metadata": {"annotations": dict(pins(release))}},
        },
    }


def pointer(
    environment: str, model: str, site: Site, release_id: str, settings: Sequence[str]
) -> Mapping[RepoPath, bytes]:
    """Write what Argo CD applies for one model on one edge site.

    Args:
        environment: Name of the environment.
        model: Name of the model.
        site: The site; its hardware chooses the profile.
        release_id: The release it runs.
        settings: Columns of the site file that become pod-template annotations.

    Returns:
        One file.
    """
    path = _file(environment, model, site.id)
    return {path: _pointer(environment, model, site, release_id, settings)}


def pointers(
    environment: str,
    model: str,
    sites: Mapping[str, Site],
    releases: Mapping[str, str],
    settings: Sequence[str],
) -> Mapping[RepoPath, bytes]:
    """Write the pointers of many sites, the same bytes as `pointer`.

    What sites with the same release, hardware and settings share is written once for all of
    them; the id of a site needs no escape anywhere.

    Args:
        environment: Name of the environment.
        model: Name of the model.
        sites: By id.
        releases: Site id to the release it runs.
        settings: Columns that become annotations.

    Returns:
        One file for each of `releases`.
    """
    own = [name for name in settings if name != "id"]
    written: dict[tuple[str, ...], list[bytes]] = {}
    found: dict[RepoPath, bytes] = {}
    for site_id, release_id in releases.items():
        site = sites[site_id]
        alike = (release_id, site.hardware, *[site.column(name) for name in own])
        parts = written.get(alike)
        if parts is None:
            shared = replace(site, id=_ANY)
            data = _pointer(environment, model, shared, release_id, settings)
            parts = written[alike] = data.split(_ANY.encode())
        if len(parts) == len(settings) - len(own) + 2:
            data = site_id.encode().join(parts)
        else:  # the stand-in also stands in a value
            data = _pointer(environment, model, site, release_id, settings)
        found[_file(environment, model, site_id)] = data
    return found


def _file(environment: str, model: str, site_id: str) -> RepoPath:
    return f"{layout.pointer(environment, site_id, model)}/kustomization.yaml"


def _pointer(
    environment: str, model: str, site: Site, release_id: str, settings: Sequence[str]
) -> bytes:
    folder = layout.pointer(environment, site.id, model)
    target = layout.release(environment, model, release_id)
    up = "/".join([".."] * (folder.count("/") + 1))
    kustomization: dict[str, object] = {
        **KIND,
        "resources": [f"{up}/{target}/{site.hardware}"],
        "labels": [{"pairs": {"tidegate.dev/site": site.id}, "includeTemplates": True}],
    }
    if settings:
        patch = json.dumps([_setting(name, site.column(name)) for name in settings])
        kustomization["patches"] = [{"patch": patch, "target": {"kind": "Deployment"}}]
    return HEADER + dump(kustomization)


def _setting(name: str, value: str) -> Mapping[str, str]:
    path = f"/spec/template/metadata/annotations/tidegate.dev~1setting-{name}"
    return {"op": "add", "path": path, "value": value}
