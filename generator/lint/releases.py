"""A release directory is what its pins and its copied files make it, and never changes.

Nearly everything in it is under the digest in its name; history guards the rest, which is what
`release.yaml` says beside the pins.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator import layout
from generator.documents.release import files_digest, read_release, write_release
from generator.errors import InputError, Problem, RemoteError
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.lint.view import View
from generator.model.release import Release
from generator.render import helm, kustomize

MOST_COMMITS = 20
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_RELEASE = re.compile(r"v[0-9]{1,9}-[0-9a-f]{8}", re.ASCII)
_COPIED = ("base", "components", "chart")


@dataclass(frozen=True, slots=True)
class Folder:
    """One release directory.

    Attributes:
        path: `releases/<env>/<model>/<release>`.
        files: Path below it to bytes.
    """

    path: RepoPath
    files: Mapping[str, bytes]

    @property
    def copied(self) -> Mapping[str, bytes]:
        """Give the files that came from `models/`."""
        return {path: data for path, data in self.files.items() if path.split("/")[0] in _COPIED}


def folders(view: View) -> tuple[Folder, ...]:
    """Read every release directory of a known environment and model."""
    return view.once("folders", lambda: tuple(_folders(view)))


def _folders(view: View) -> Iterator[Folder]:
    data = view.tree.read_many(view.ids(layout.RELEASES))
    for folder, paths in _grouped(view).items():
        if is_release(view, folder.partition("/")[2]):
            yield Folder(folder, {path[len(folder) + 1 :]: data[path] for path in paths})


def is_release(view: View, name: str) -> bool:
    """Say whether `<env>/<model>/<release>` can be one; another rule names those that cannot."""
    environment, _, rest = name.partition("/")
    model, _, release_id = rest.partition("/")
    known = environment in view.environments() and model in view.models()
    return known and bool(_RELEASE.fullmatch(release_id))


def release(view: View) -> Iterator[Problem]:
    """Compare every release with its digests, its own rendering, and its past."""
    for folder in folders(view):
        yield from _check(view, folder) or _changes(view, folder)


def overwritten(view: View) -> Iterator[Problem]:
    """Compare the digests of all releases that pin one version of the registry."""
    first: dict[tuple[str, str, int], Release] = {}
    for folder in folders(view):
        file = f"{folder.path}/release.yaml"
        try:
            pins = read_release(file, folder.files.get("release.yaml", b""))
        except InputError:
            continue  # the rule `release` says why
        known = first.setdefault(pins.version.entry, pins)
        if known.version.digest != pins.version.digest:
            other = layout.release_file(known.environment, known.model, known.id)
            yield Problem(
                f"version {pins.version.version} of {pins.version.registry_name!a} has other "
                f"artifacts here ({pins.version.digest[:19]}) than in {other} "
                f"({known.version.digest[:19]})",
                file,
                view.line(file, "version", "digest"),
                "register one of the two as a new version, promote that, and delete this directory",
            )


def _check(view: View, folder: Folder) -> list[Problem]:
    file = f"{folder.path}/release.yaml"
    if "release.yaml" not in folder.files:
        hint = view.restore(file) or _undo(view, folder)
        return [Problem("the release has no release.yaml", folder.path, hint=hint)]
    try:
        pins = read_release(file, folder.files["release.yaml"])
    except InputError as error:
        return [*error.problems]
    _, environment, model, name = folder.path.split("/")
    if (pins.environment, pins.model, pins.id) != (environment, model, name):
        text = f"these are the pins of {pins.environment}/{pins.model}/{pins.id}"
        return [Problem(text, file, hint=_undo(view, folder))]
    return [*_copied(view, folder, pins), *_rendered(view, folder, pins)]


def _copied(view: View, folder: Folder, pins: Release) -> Iterator[Problem]:
    if any(files_digest(files) == pins.config_digest for files in _originals(view, folder, pins)):
        return
    file = f"{folder.path}/release.yaml"
    changed = _edited(view, folder)
    text = "the copied files are not those of configDigest"
    if changed:
        text += f": {few(changed)}"
    line = None if changed else view.line(file, "configDigest")
    yield Problem(text, changed[0] if changed else file, line, _undo(view, folder))


def _originals(view: View, folder: Folder, pins: Release) -> Iterator[Mapping[str, bytes]]:
    """Give what may have been digested; a chart had another name and version before."""
    chart = f"{helm.CHART}Chart.yaml"
    if chart not in folder.copied:
        yield folder.copied
        return
    for original in _charts(view, pins):
        copied = {**folder.copied, chart: original}
        try:
            frozen = helm.release_files(pins, copied)
        except InputError:
            continue
        if frozen[f"{folder.path}/{chart}"] == folder.files[chart]:
            yield copied


def _charts(view: View, pins: Release) -> Iterator[bytes]:
    path = f"{layout.chart(pins.model)}/Chart.yaml"
    try:
        if _COMMIT.fullmatch(pins.source_commit):
            yield view.tree.at(pins.source_commit).read(path) or b""
    except RemoteError:
        pass  # a clone without that part of the past
    yield view.read(path)
    frozen = view.read(f"{layout.release(pins.environment, pins.model, pins.id)}/chart/Chart.yaml")
    version = b'"%s"' % helm.chart_version(pins.id).encode()
    name = b'"%s"' % helm.chart_name(pins.model, pins.id).encode()
    for number, word in itertools.product((b"%s", b'"%s"'), repeat=2):
        was = frozen.replace(name, word % pins.model.encode())
        yield was.replace(version, number % b"0.0.0")


def _rendered(view: View, folder: Folder, pins: Release) -> Iterator[Problem]:
    expected = {f"{folder.path}/release.yaml": write_release(pins)}
    if f"{helm.CHART}Chart.yaml" in folder.files:
        expected |= {f"{folder.path}/{path}": data for path, data in folder.copied.items()}
    else:
        try:
            expected |= kustomize.release_files(pins, folder.copied)
        except InputError:
            return  # the rule `yaml` names the file that cannot be read
    have = {f"{folder.path}/{path}": data for path, data in folder.files.items()}
    copied = {f"{folder.path}/{path}" for path in folder.copied}
    wrong = sorted(path for path, data in expected.items() if have.get(path) != data)
    extra = sorted(have.keys() - expected.keys() - copied)
    if wrong:
        text = f"{count(len(wrong), 'file')} of the release differ from what its pins give: "
        short = [path[len(folder.path) + 1 :] for path in wrong]
        yield Problem(text + few(short), wrong[0], hint=_undo(view, folder))
    if extra:
        short = [path[len(folder.path) + 1 :] for path in extra]
        text = f"{count(len(extra), 'file')} of no part of the release: {few(short)}"
        yield Problem(text, extra[0], hint=_undo(view, folder))


def _undo(view: View, folder: Folder) -> str:
    """Give the command that brings back what was there first."""
    if any(view.restore(f"{folder.path}/{path}") for path in folder.files):
        return f"git restore {folder.path}"
    commits = _commits(view, folder)
    if len(commits) < 2:
        return "freeze it again with `tidegate release`, and delete this directory"
    return f"git checkout {commits[-1][:12]} -- {folder.path}"


def _commits(view: View, folder: Folder) -> tuple[str, ...]:
    def found() -> tuple[str, ...]:
        return tuple(one.id for one in view.tree.log((folder.path,), MOST_COMMITS))

    return view.once(("commits", folder.path), found)


def _states(view: View, folder: Folder) -> Iterator[tuple[str, Mapping[RepoPath, str]]]:
    """Give the files of a release after each commit that touched it, oldest first."""
    commits = _commits(view, folder)
    if len(commits) > 1:
        for commit in reversed(commits):
            yield commit, view.tree.at(commit).ids(folder.path)
    else:
        before = view.once("releases before", lambda: _group(view.committed(layout.RELEASES)))
        yield "", before.get(folder.path, {})
    yield "", _now(view, folder)


def _now(view: View, folder: Folder) -> Mapping[RepoPath, str]:
    return _grouped(view)[folder.path]


def _grouped(view: View) -> Mapping[RepoPath, Mapping[RepoPath, str]]:
    return view.once("releases now", lambda: _group(view.ids(layout.RELEASES)))


def _group(ids: Mapping[RepoPath, str]) -> Mapping[RepoPath, Mapping[RepoPath, str]]:
    found: dict[RepoPath, dict[RepoPath, str]] = {}
    for path, id_ in ids.items():
        if path.count("/") > 3:
            found.setdefault("/".join(path.split("/")[:4]), {})[path] = id_
    return found


def _edited(view: View, folder: Folder) -> list[RepoPath]:
    """Name the files that are not as they were first."""
    if not view.tree.commit:
        return []
    _, first = next(_states(view, folder))
    return _differences(first, _now(view, folder))


def _differences(old: Mapping[RepoPath, str], new: Mapping[RepoPath, str]) -> list[RepoPath]:
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _changes(view: View, folder: Folder) -> Iterator[Problem]:
    if not view.tree.commit:
        return
    before: Mapping[RepoPath, str] = {}
    for commit, now in _states(view, folder):
        if before and now and (changed := _differences(before, now)):
            where = f"in {commit[:12]}" if commit else "since the last commit"
            text = f"a release never changes, but this one did {where}: {few(changed)}"
            yield Problem(text, changed[0], hint=_undo(view, folder))
            return
        before = now
