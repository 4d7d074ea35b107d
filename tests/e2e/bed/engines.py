"""Which engines a part of the bed needs, which are here, and which versions were tried."""

import os
import re
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.engines import find

# A part of the bed, and every engine it needs. `helm`, `kustomize` and the wrapper are found by
# the repo-server on its own PATH, under these very names.
PARTS: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"),
    "argocd": ("argocd", "redis-server", "helm", "kustomize", "git-verify-wrapper.sh"),
    "gateway": (),
    "prometheus": ("prometheus",),
    "mlflow": ("mlflow",),
    "gitea": ("gitea",),
}
TRIED: Mapping[str, tuple[str, ...]] = {
    "etcd": ("3.6.14",),
    "kube-apiserver": ("1.36.1",),
    "kube-controller-manager": ("1.36.1",),
    "kube-scheduler": ("1.36.1",),
    "kwok": ("0.8.0",),
    "argocd": ("3.5.1",),
    "redis-server": ("7.0", "8.0"),
    "helm": ("4.2",),
    "kustomize": ("5.8.1",),
    "prometheus": ("2.42.0", "3.14.0"),
    "mlflow": ("3.17.2",),
    "gitea": ("1.26",),
}
_ASKS: Mapping[str, tuple[str, ...]] = {
    "argocd": ("version", "--client", "--short"),
    "helm": ("version", "--short"),
    "kustomize": ("version",),
}
_NUMBER = re.compile(r"\d+\.\d+(?:\.\d+)?")
_ROLE = "ARGOCD_BINARY_NAME"  # Argo CD's roles are one binary that looks at its own name


def missing(parts: Iterable[str]) -> tuple[str, ...]:
    """Name the engines of some parts that are not here."""
    wanted = (name for part in parts for name in PARTS[part])
    absent = [name for name in wanted if find(name) is None]
    if "argocd" in parts and "argocd" not in absent and crds() is None:
        absent.append("argocd-crds")
    if "gateway" in parts and gateway_crds() is None:
        absent.append("gateway-crds")
    return tuple(dict.fromkeys(absent))


def path(name: str) -> str:
    """Give the path of an engine that `missing` did not name."""
    found = find(name)
    assert found is not None, f"no {name}: say so by the marker `scenario`"
    return found


def crds() -> Path | None:
    """Find the folder of Argo CD's resource definitions: they are no part of its binary."""
    return definitions("argocd/crds", os.environ.get("TIDEGATE_ARGOCD_CRDS", ""))


def gateway_crds() -> Path | None:
    """Find the folder of the Gateway API's resource definitions, which has no binary at all."""
    return definitions("gateway-api", os.environ.get("TIDEGATE_GATEWAY_CRDS", ""))


def gitea_files() -> Path | None:
    """Find templates and options of a Gitea that was built without them, in `share/gitea`."""
    binary = find("gitea")
    told = os.environ.get("TIDEGATE_GITEA_FILES", "")
    beside = Path(binary).parent.parent / "share" / "gitea" if binary else None
    folder = Path(told) if told else beside
    return folder if folder and (folder / "options").is_dir() else None


def definitions(name: str, told: str = "") -> Path | None:
    """Find a folder of resource definitions that lies beside the engines, in `share/`."""
    binary = find("argocd")
    beside = Path(binary).parent.parent / "share" / name if binary else None
    folder = Path(told) if told else beside
    return folder if folder and any(folder.glob("*.yaml")) else None


def version(name: str) -> str:
    """Ask an engine for its version; "" where it has none to tell."""
    if name not in TRIED:
        return ""
    argv = [path(name), *_ASKS.get(name, ("--version",))]
    told = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, _ROLE: ""}
    )
    found = _NUMBER.search(told.stdout + told.stderr)
    return found.group() if found else "unknown"


def versions(parts: Iterable[str]) -> Mapping[str, str]:
    """Ask every engine of some parts, and warn of versions that nobody has tried."""
    found = {name: version(name) for part in parts for name in PARTS[part]}
    for name, number in found.items():
        if number and not number.startswith(TRIED[name]):
            text = f"{name} {number} was never tried with this bed; tried: {', '.join(TRIED[name])}"
            warnings.warn(text, stacklevel=2)
    return {name: number for name, number in found.items() if number}
