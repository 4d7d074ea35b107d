"""What a kustomization does to every object: labels, images, and the order at the end."""

import re
from collections.abc import Iterable, Mapping, Sequence

from generator.build.kustomization import Image, Labels, Target
from generator.build.values import Object, OutsideSubsetError, Value, copied
from generator.layout import RepoPath

# Where the labels of the pods stand, by kind; "" is any group.
_TEMPLATE = ("spec", "template", "metadata", "labels")
_TEMPLATES: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "CronJob": (
        "batch",
        (("spec", "jobTemplate", "metadata", "labels"), ("spec", "jobTemplate", *_TEMPLATE)),
    ),
    "DaemonSet": ("", (_TEMPLATE,)),
    "Deployment": ("", (_TEMPLATE,)),
    "Job": ("batch", (_TEMPLATE,)),
    "ReplicaSet": ("", (_TEMPLATE,)),
    "ReplicationController": ("", (_TEMPLATE,)),
    "StatefulSet": ("apps", (_TEMPLATE,)),
}
_CONTAINERS = ("containers", "initContainers")
_FIRST = (
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def group_version(one: Object) -> tuple[str, str]:
    """Take the API version of an object apart."""
    group, slash, version = str(one["apiVersion"]).rpartition("/")
    return (group, version) if slash else ("", version)


def order(objects: Iterable[Object]) -> list[Object]:
    """Sort objects by kind as Kustomize does, then by group, version and name."""
    return sorted(objects, key=_rank)


def _rank(one: Object) -> tuple[int, str, str]:
    group, version = group_version(one)
    kind = one["kind"]
    rank = _FIRST.index(kind) - len(_FIRST) if kind in _FIRST else 0
    if kind in _LAST:
        rank = _LAST.index(kind) + 1
    return rank, f"{group or '~G'}_{version}_{kind}", one["metadata"]["name"]


def is_target(one: Object, target: Target) -> bool:
    """Say whether a patch is for an object; a dot in a name is any character, as in Kustomize."""
    group, version = group_version(one)
    pairs = (
        (target.group, group),
        (target.version, version),
        (target.kind, one["kind"]),
        (target.name, one["metadata"]["name"]),
    )
    return all(not wanted or re.fullmatch(wanted, found) for wanted, found in pairs)


def add_labels(one: Object, labels: Labels, file: RepoPath) -> Object:
    """Put labels on an object, and on the pods it makes.

    Raises:
        OutsideSubsetError: There is something else in their place.
    """
    paths: list[tuple[str, ...]] = [("metadata", "labels")]
    group, found = _TEMPLATES.get(one["kind"], ("", ()))
    if labels.in_templates and group in ("", group_version(one)[0]):
        paths.extend(found)
    result: Object = copied(one)
    for path in paths:
        place: Value = result
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise OutsideSubsetError(f"{'.'.join(path)} that is no mapping", file=file)
        place.update(labels.pairs)
    return result


def set_images(one: Object, image: Image, file: RepoPath) -> Object:
    """Put an image in the place of another, in every container.

    Raises:
        OutsideSubsetError: An image that is no text.
    """
    if one["kind"] == "CustomResourceDefinition":
        return one
    result: Object = copied(one)
    name = image.name
    pattern = re.compile(rf"{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?", re.ASCII)
    for place, key in _images(result):
        have = place[key]
        if not isinstance(have, str):
            raise OutsideSubsetError("an image that is no text", file=file)
        if pattern.fullmatch(have):
            place[key] = _image(have, image)
    return result


def _images(value: Value) -> Iterable[tuple[Object, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _images(one)
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        yield from _images(one)
        rows: Sequence[Value] = one if isinstance(one, list) else ()
        for row in rows if key in _CONTAINERS else ():
            if isinstance(row, dict) and "image" in row:
                yield row, "image"


def _image(have: str, image: Image) -> str:
    bare, _, digest = have.partition("@")
    path, slash, last = bare.rpartition("/")
    name, _, tag = last.partition(":")
    if image.new_tag or image.digest:
        tag, digest = image.new_tag, image.digest
    found = image.new_name or f"{path}{slash}{name}"
    return found + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
