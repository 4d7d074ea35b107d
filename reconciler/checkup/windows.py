"""Sync windows: while one of them denies, no revert reaches the sites that it names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from generator.lint.finding import few
from reconciler.checkup.finding import Finding, failed, passed
from reconciler.checkup.lives import mapping

CHECK = "argocd.windows"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one Application lives.

    Attributes:
        name: Its name.
        project: Its AppProject.
        namespace: Namespace of the model.
        cluster: Cluster of the site.
    """

    name: str
    project: str
    namespace: str
    cluster: str


def windows(projects: Sequence[Mapping[str, Any]], spots: Sequence[Spot]) -> Iterator[Finding]:
    """Find the windows that can keep any of our Applications from being synced.

    Args:
        projects: AppProjects, ours and the global ones that ours take windows from.
        spots: Our Applications.
    """
    here: dict[str, list[Spot]] = {}
    for spot in spots:
        here.setdefault(spot.project, []).append(spot)
    calm = True
    for project in projects:
        name = str(mapping(project, "metadata").get("name", ""))
        for window in _list(mapping(project, "spec").get("syncWindows")):
            caught = [spot.name for spot in here.get(name, ()) if _catches(window, spot)]
            if caught:
                calm = False
                yield _finding(name, window, sorted(caught))
    if calm:
        yield passed(CHECK, "", "no sync window stands in the way of a revert")


def _finding(project: str, window: Mapping[str, Any], caught: Sequence[str]) -> Finding:
    kind = str(window.get("kind", ""))
    zone = window.get("timeZone") or "UTC"
    when = f"{window.get('schedule', '?')} for {window.get('duration', '?')} ({zone})"
    what = (
        f"denies every sync, a revert too, at {when}"
        if kind == "deny"
        else f"allows a sync, and so a revert, only at {when}"
    )
    text = f"a window {what} to {len(caught)} of our Applications: {few(caught)}"
    fix = (
        f"kubectl -n argocd edit appproject {project}: take it out of syncWindows; write "
        "denyWindows into environment.yaml instead: they stop steps and let a revert pass"
    )
    return failed(CHECK, f"AppProject {project}", text, fix)


def _catches(window: Mapping[str, Any], spot: Spot) -> bool:
    """Say whether a window is about an Application: any list that names it, or all of them."""
    told = [
        any(fnmatchcase(value, str(glob)) for glob in globs)
        for key, value in (
            ("applications", spot.name),
            ("namespaces", spot.namespace),
            ("clusters", spot.cluster),
        )
        if (globs := window.get(key)) and isinstance(globs, list)
    ]
    return bool(told) and (all(told) if window.get("andOperator") is True else any(told))


def _list(value: object) -> Sequence[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else []
    return [one for one in listed if isinstance(one, Mapping)]
