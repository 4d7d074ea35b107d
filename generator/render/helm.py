"""Cloud manifests: the frozen chart of a release, and the pointer of one cluster.

A pointer is a small chart around the frozen charts of one or two releases. Every object carries
its release in its name, so a canary that becomes stable keeps its objects; only the alias above
it changes. The route's file never changes: weights stand in the values, keyed by release.

Each frozen chart has a name and a version of its own. Helm takes two folders with the same chart
name and version for one, silently; and an archive, which Flux makes of the pointer, keeps one
folder per chart name, so that stable would be gone as soon as there is a canary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from generator import layout
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.percent import WHOLE, Percent
from generator.model.release import Release
from generator.model.site import Site
from generator.render.images import untagged
from generator.render.kustomize import HEADER, pins
from generator.yamltext import Row, dump, quote, set_scalar

CHART = "chart/"
GATEWAY = "models"
PORT = 80  # of the Service of each release
_ROUTE = """\
# One backend per release; the weights are basis points and sum to 10000.
apiVersion: "gateway.networking.k8s.io/v1"
kind: "HTTPRoute"
metadata:
  name: "{model}"
  labels:
    "app.kubernetes.io/name": "{model}"
spec:
  parentRefs:
  - group: "gateway.networking.k8s.io"
    kind: "Gateway"
    name: "{gateway}"
  rules:
  - matches:
    - path:
        type: "PathPrefix"
        value: "/{model}"
    backendRefs:
    {{{{- range $release, $weight := .Values.weights }}}}
    - group: ""
      kind: "Service"
      name: "{model}-{{{{ $release }}}}"
      port: {port}
      weight: {{{{ $weight | int }}}}
    {{{{- end }}}}
"""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A release as it stands in Git.

    Attributes:
        release: Its pins.
        files: Path below the release's folder to bytes; what is not under `chart/` is ignored.
    """

    release: Release
    files: Mapping[str, bytes]


def chart_name(model: str, release_id: str) -> str:
    """Give the name under which Helm knows the frozen chart of a release."""
    return f"{model}-{release_id}"


def chart_version(release_id: str) -> str:
    """Give the version under which Helm knows the frozen chart of a release."""
    return f"0.0.0-{release_id}"


def release_files(release: Release, copied: Mapping[str, bytes]) -> Mapping[RepoPath, bytes]:
    """Freeze a chart: byte copies, but for the lines `name` and `version` of Chart.yaml.

    Args:
        release: The pins.
        copied: The files of `models/<model>/chart/`, under `chart/`.

    Returns:
        Path inside the repository to bytes; release.yaml is not among them.

    Raises:
        InputError: Chart.yaml is missing, unreadable or not called like the model.
    """
    folder = layout.release(release.environment, release.model, release.id)
    files = {f"{folder}/{path}": data for path, data in copied.items()}
    version = quote(chart_version(release.id))
    text = _checked_chart(release.model, copied)
    try:
        named = set_scalar(text, "name", quote(chart_name(release.model, release.id)))
        spliced = set_scalar(named, "version", version, after="name")
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(str(error), file=_chart_file(release.model)) from error
    return files | {f"{folder}/{CHART}Chart.yaml": spliced.encode("utf-8")}


def _checked_chart(model: str, copied: Mapping[str, bytes]) -> str:
    file = _chart_file(model)
    if f"{CHART}Chart.yaml" not in copied:
        raise InputError("the chart has no Chart.yaml", file=file)
    try:
        text = copied[f"{CHART}Chart.yaml"].decode("utf-8")
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("not YAML", file=file) from error
    if not isinstance(found, dict) or found.get("name") != model:
        raise InputError(f"the chart must have the name of its model, {model!r}", file=file)
    if found.get("dependencies"):
        raise InputError(
            "the chart has dependencies",
            file=file,
            hint="a release is rendered without network: write what it needs as templates",
        )
    return text


def _chart_file(model: str) -> RepoPath:
    return f"{layout.chart(model)}/Chart.yaml"


def pointer(
    site: Site,
    stable: Frozen,
    canary: Frozen | None,
    percent: Percent,
    settings: Sequence[str] = (),
) -> Mapping[RepoPath, bytes]:
    """Write what Argo CD applies for one model on one cluster.

    Args:
        site: The cluster.
        stable: The proven release.
        canary: The release that climbs, or None.
        percent: The canary's share of the traffic, the same on every cluster.
        settings: Columns of the site file that become pod-template annotations.

    Returns:
        Chart.yaml, values.yaml, templates/httproute.yaml and charts/<release>/**.

    Raises:
        ValueError: The two are one release, or there is a percentage without a canary.
    """
    if canary is None and percent.basis_points:
        raise ValueError("a percentage above 0 without a canary")
    if canary is not None and canary.release.id == stable.release.id:
        raise ValueError(f"{stable.release.id} is both stable and canary")
    release = stable.release
    folder = layout.pointer(release.environment, site.id, release.model)
    route = _ROUTE.format(model=release.model, gateway=GATEWAY, port=PORT)
    aliases = {"stable": stable} if canary is None else {"stable": stable, "canary": canary}
    files = {
        "Chart.yaml": HEADER + dump(_chart(aliases)),
        "values.yaml": HEADER + dump(_values(site, aliases, percent, settings)),
        "templates/httproute.yaml": HEADER + route.encode("ascii"),
    }
    for frozen in aliases.values():
        files.update(_vendored(frozen))
    return {f"{folder}/{path}": data for path, data in files.items()}


def _vendored(frozen: Frozen) -> Mapping[str, bytes]:
    target = f"charts/{frozen.release.id}/"
    return {
        target + path.removeprefix(CHART): data
        for path, data in sorted(frozen.files.items())
        if path.startswith(CHART)
    }


def _chart(aliases: Mapping[str, Frozen]) -> Mapping[str, object]:
    return {
        "apiVersion": "v2",
        "name": "site",
        "version": "0.0.0",
        "type": "application",
        "dependencies": [_dependency(alias, one.release) for alias, one in aliases.items()],
    }


def _dependency(alias: str, release: Release) -> Mapping[str, str]:
    found = {
        "name": chart_name(release.model, release.id),
        "version": chart_version(release.id),
        "repository": "",
        "alias": alias,
    }
    return found | ({"condition": "canary.enabled"} if alias == "canary" else {})


def _values(
    site: Site, aliases: Mapping[str, Frozen], percent: Percent, settings: Sequence[str]
) -> Mapping[str, object]:
    shares = {"stable": WHOLE - percent.basis_points, "canary": percent.basis_points}
    weights = {one.release.id: shares[alias] for alias, one in aliases.items()}
    columns = {f"tidegate.dev/setting-{name}": site.column(name) for name in settings}
    found: dict[str, object] = {"weights": Row(weights)}
    for alias, one in aliases.items():
        found[alias] = {
            "enabled": True,
            "release": one.release.id,
            "site": site.id,
            "image": untagged(one.release.image),
            "annotations": {**pins(one.release), **columns},
        }
    return found
