"""Strategic merge: a patch of the same form as the object, with lists that are merged by key.

Which lists are merged, and by what, is what Kustomize 5.8.1 knows from the API of Kubernetes
1.21. An item that a patch names goes to the front, as Kustomize puts it there.
"""

from collections.abc import Mapping, Sequence

from generator.build.values import (
    BLANK,
    Object,
    OutsideSubsetError,
    Quoted,
    Rewritten,
    Value,
    copied,
    is_null,
)
from generator.errors import InputError

# Form to field to the form of its value. A tuple is a list that is merged: its keys, and the form
# of its items. A field that is not here has no lists that are merged, at any depth.
Form = Mapping[str, "str | tuple[tuple[str, ...], str]"]
_VOLUMES = ("volumeMounts", (("mountPath",), "")), ("volumeDevices", (("devicePath",), ""))
FORMS: Mapping[str, Form] = {
    "": {},
    "workload": {"spec": "replicas"},
    "replicas": {"template": "template"},
    "cronjob": {"spec": "schedule"},
    "schedule": {"jobTemplate": "workload"},
    "template": {"spec": "pod"},
    "podTemplate": {"template": "template"},
    "pod": {
        "containers": (("name",), "container"),
        "initContainers": (("name",), "container"),
        "ephemeralContainers": (("name",), "guest"),
        "hostAliases": (("ip",), ""),
        "imagePullSecrets": (("name",), ""),
        "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), ""),
        "volumes": (("name",), ""),
    },
    "container": {
        "env": (("name",), ""),
        "ports": (("containerPort", "protocol"), ""),
        **dict(_VOLUMES),
    },
    "guest": {"env": (("name",), ""), **dict(_VOLUMES)},
    "service": {"spec": "serviceSpec"},
    "serviceSpec": {"ports": (("port", "protocol"), "")},
    "serviceAccount": {"secrets": (("name",), "")},
}
_KINDS: Mapping[tuple[str, str], str] = {
    **{("apps/v1", kind): "workload" for kind in ("DaemonSet", "Deployment", "ReplicaSet")},
    ("apps/v1", "StatefulSet"): "workload",
    ("batch/v1", "CronJob"): "cronjob",
    ("batch/v1", "Job"): "workload",
    ("batch/v1beta1", "CronJob"): "cronjob",
    ("v1", "Pod"): "template",
    ("v1", "PodTemplate"): "podTemplate",
    ("v1", "ReplicationController"): "workload",
    ("v1", "Service"): "service",
    ("v1", "ServiceAccount"): "serviceAccount",
}
# Kinds with lists that are merged and that no model server needs.
_FOREIGN = ("APIService", "CSINode", "ComponentStatus", "Node")
# Lists that are merged wherever they stand.
_ANYWHERE = ("finalizers", "ownerReferences", "status")


class StrangeError(Exception):
    """Real Kustomize may do anything here; the caller knows the file."""


def merge(target: Object, patch: Object, file: str, line: int | None) -> Object:
    """Put a patch into an object; name, kind and version stay those of the object.

    Raises:
        InputError: The two have different forms.
        OutsideSubsetError: Only real Kustomize knows what comes out.
    """
    kind = str(target["kind"])
    form = _KINDS.get((str(target["apiVersion"]), kind), "")
    if kind in _FOREIGN or kind.endswith("WebhookConfiguration"):
        raise OutsideSubsetError(f"a patch of a {kind}", file=file, line=line)
    for key in ("labels", "annotations"):
        words = patch["metadata"].get(key, {})
        if not isinstance(words, dict) or None in words.values():
            # With a target Kustomize writes the text "null" there, or does nothing.
            raise OutsideSubsetError(f"a patch that takes {key} away", file=file, line=line)
    same = {"apiVersion": target["apiVersion"], "kind": kind}
    metadata = {**patch["metadata"], "name": target["metadata"]["name"]}
    try:
        found = _merge(target, {**patch, **same, "metadata": metadata}, form, "")
    except StrangeError as error:
        raise OutsideSubsetError(str(error), file=file, line=line) from error
    except ValueError as error:
        raise InputError(str(error), file=file, line=line) from error
    if not isinstance(found, dict):
        raise OutsideSubsetError("a patch that takes everything away", file=file, line=line)
    return found


def _merge(have: Value, patch: Value, form: str, path: str) -> Value:
    """Merge two values; BLANK stands for nothing, on both sides and as the result."""
    first = patch if is_null(have) else have
    if is_null(first):
        return have if patch is BLANK else BLANK
    if patch is None:
        return BLANK
    if patch is not BLANK and _shape(patch) != _shape(first):
        raise ValueError(f"{path or 'the patch'} is a {_shape(first)}, and not a {_shape(patch)}")
    if isinstance(first, dict):
        return _merge_maps(first, patch, form, path)
    return have if patch is BLANK else _restyled(have, patch, path)


def _restyled(have: Value, patch: Value, path: str) -> Value:
    """Put a scalar in the place of another: it takes over the quotes, or that there are none."""
    if isinstance(patch, list) or is_null(have):
        return patch
    if isinstance(patch, str):
        return Quoted(patch) if isinstance(have, Quoted) else Rewritten(patch)
    if not isinstance(have, Quoted | Rewritten):
        return patch
    if isinstance(have, Rewritten) or type(patch) is not int:
        raise StrangeError(f"{path} that is text, and no text in the patch")
    return Quoted(patch)


def _shape(value: Value) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "list" if isinstance(value, list) else "scalar"


def _merge_maps(have: Object, patch: Value, form: str, path: str) -> Value:
    patch = {} if patch is BLANK else patch
    found: Object = {}
    for key in {**have, **patch}:
        where = f"{path}.{key}" if path else key
        if key.startswith("$") or key in _ANYWHERE:
            raise StrangeError(f"a patch of an object with {where}")
        inner = FORMS[form].get(key, "")
        pair = have.get(key, BLANK), patch.get(key, BLANK)
        if isinstance(inner, tuple) and any(isinstance(one, list) for one in pair):
            value = _merge_lists(*pair, inner, where)
        else:
            value = _merge(*pair, inner if isinstance(inner, str) else "", where)
        if value is not BLANK:
            found[key] = value
    return found


def _merge_lists(have: Value, patch: Value, inner: tuple[tuple[str, ...], str], path: str) -> Value:
    if patch is None:
        return BLANK
    keys, form = inner
    old, new = ([] if is_null(one) else one for one in (have, patch))
    if not isinstance(old, list) or not isinstance(new, list):
        raise ValueError(f"{path} is a list on one side only")
    known = _valid_keys(keys, [*old, *new], path)
    before, after = (_by_key(known, items, path) for items in (old, new))
    # With one key the items of the patch come first; with two only the new ones do.
    names = [*{**after, **before}]
    if len(known) > 1:
        names = [*(name for name in after if name not in before), *before]
    found = []
    for name in names:
        item = _merge(before.get(name, BLANK), after.get(name, BLANK), form, path)
        if is_null(item) or item == {}:
            raise StrangeError(f"an item of {path} that is taken away")
        found.append(item)
    return found


def _valid_keys(keys: Sequence[str], items: Sequence[Value], path: str) -> Sequence[str]:
    """Give the keys that all items have; Kustomize guesses where some have them and some not."""
    if not all(isinstance(item, dict) for item in items):
        raise StrangeError(f"an item of {path} that is no mapping")
    for key in keys:
        have = [not is_null(item.get(key)) and item[key] != "" for item in items]
        if any(have) and not all(have):
            raise StrangeError(f"some items of {path} without {key}")
    found = [key for key in keys if items and not is_null(items[0].get(key))]
    if items and not found:
        raise StrangeError(f"items of {path} without {keys[0]}")
    return found


def _by_key(
    keys: Sequence[str], items: Sequence[Value], path: str
) -> Mapping[tuple[str, ...], Value]:
    found: dict[tuple[str, ...], Value] = {}
    for item in items:
        name = tuple(str(item[key]) for key in keys)
        if name in found:
            raise StrangeError(f"two items of {path} with the same {' and '.join(keys)}")
        found[name] = copied(item)
    return found
