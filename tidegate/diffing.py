"""`diff`: two trees to a page of text, with one rendered sample for each group of sites."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from generator import layout
from generator.build import build
from generator.build.values import Object
from generator.changes import Tree, one_line
from generator.compare import Comparison, Group, Side, explain
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.release import Release
from tidegate.engines import Engines

MOST_LINES = 400  # of one sample


@dataclass(frozen=True, slots=True)
class Sample:
    """What changes on one site of a group.

    Attributes:
        lines: A unified diff of the objects, sorted and printable.
        renderer: What rendered them, or why nothing did.
    """

    lines: tuple[str, ...]
    renderer: str


class Differ:
    """Renders the samples of one comparison."""

    def __init__(self, old: Tree, new: Tree, engines: Engines) -> None:
        """Take both trees and what can render them."""
        self._old = old
        self._new = new
        self.engines = engines

    def sample(self, group: Group) -> Sample:
        """Render the first site of a group on both sides."""
        folder = layout.pointer(group.environment, group.sites[0], group.model)
        sides = (self._old, group.old), (self._new, group.new)
        try:
            pages = [self._pages(tree, folder, group, side) for tree, side in sides]
        except InputError as error:
            return Sample((), f"not rendered: {one_line(str(error))}")
        lines = tuple(_unified(*(page for page, _ in pages)))
        if len(lines) > MOST_LINES:
            more = f"... and {len(lines) - MOST_LINES} more lines"
            lines = (*lines[:MOST_LINES], more)
        return Sample(lines, next(told for _, told in reversed(pages) if told))

    def _pages(
        self, tree: Tree, folder: RepoPath, group: Group, side: Side | None
    ) -> tuple[Mapping[str, str], str]:
        """Give the text of each object, and what rendered it."""
        if side is None:
            return {}, ""
        files = dict(tree.read_many(tree.ids(folder)))
        if f"{folder}/kustomization.yaml" not in files:
            return self._chart(files, folder)
        for name in side.releases.values():
            release = layout.release(group.environment, group.model, name)
            files.update(tree.read_many(tree.ids(release)))
        if self.engines.has("kustomize"):
            told = f"kustomize {self.engines.versions['kustomize']}"
            return _named(self.engines.build(files, folder)), told
        return _named(build(files, folder)), "Python"

    def _chart(
        self, files: Mapping[RepoPath, bytes], folder: RepoPath
    ) -> tuple[Mapping[str, str], str]:
        if self.engines.has("helm"):
            told = f"helm {self.engines.versions['helm']}"
            return _named(self.engines.template(files, folder)), told
        own = {path[len(folder) + 1 :]: data for path, data in files.items()}
        texts = {p: d.decode("utf-8", "replace") for p, d in own.items() if "charts/" not in p}
        why = self.engines.missing.get("helm", "not found")
        return texts, f"the files themselves; not run: helm ({why})"


def _named(objects: Iterable[Object]) -> Mapping[str, str]:
    return {f"{one['kind']} {one['metadata']['name']}": _page(one) for one in objects}


def _page(one: Object) -> str:
    text: str = yaml.dump(one, Dumper=yaml.CSafeDumper, width=10_000, allow_unicode=False)
    return text


def _unified(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in {**old, **new}:
        before, after = old.get(name, ""), new.get(name, "")
        if before == after:
            continue
        label = one_line(name, 200)
        labels = (label if before else "nothing", label if after else "nothing")
        pages = (before.splitlines(), after.splitlines())
        for line in difflib.unified_diff(*pages, *labels, n=2, lineterm=""):
            yield line[:1] + one_line_kept(line[1:])


def one_line_kept(text: str, longest: int = 500) -> str:
    """Make foreign text printable, and keep the spaces at its beginning."""
    bare = text.lstrip(" ")
    return text[: len(text) - len(bare)] + one_line(bare, longest)


# ------------------------------------------------------------------ words


def text(found: Comparison, differ: Differ, notes: Sequence[str]) -> str:
    """Write everything for a person."""
    lines = [f"note: {note}" for note in notes]
    if found.is_empty:
        return "\n".join([*lines, "nothing differs"])
    heads: dict[tuple[str, str], list[Group]] = {}
    for group in found.groups:
        heads.setdefault((group.environment, group.model), []).append(group)
    for (environment, model), groups in heads.items():
        moved = sum(len(group.sites) for group in groups)
        stay = found.unchanged.get((environment, model), 0)
        verb = "changes" if moved == 1 else "change"
        head = f"{model} on {environment}: {_sites(moved)} {verb}, {stay} stay as they are"
        lines += [one_line(head), *_release_lines(found, groups)]
        for group in groups:
            lines += ["", *_group_lines(group, differ.sample(group))]
        lines.append("")
    for folder, count in found.folders.items():
        told = explain(folder)
        many = "1 file differs" if count == 1 else f"{count} files differ"
        lines.append(f"{one_line(folder)}: {many}" + (f" ({told})" if told else ""))
    if not found.groups:
        lines.append("no site changes")
    return "\n".join(lines)


def _release_lines(found: Comparison, groups: Sequence[Group]) -> Iterator[str]:
    names: dict[str, tuple[str, str, str]] = {}
    for group in groups:
        for side in (group.old, group.new):
            for name in side.releases.values() if side else ():
                names[name] = (group.environment, group.model, name)
    for name, key in names.items():
        release = found.releases.get(key)
        if release is None:
            yield f"  {one_line(name)}: its release.yaml cannot be read"
            continue
        version = release.version
        asked = f", asked for as {one_line(version.asked, 80)}" if version.asked else ""
        yield (
            f"  {name}: {one_line(version.registry_name, 80)} version {version.version}, "
            f"model {version.digest[:19]}, image {one_line(release.image, 400)}{asked}"
        )


def _group_lines(group: Group, sample: Sample) -> Iterator[str]:
    yield f"  {describe(group)}"
    yield f"  sample: {one_line(group.sites[0])} ({sample.renderer})"
    yield from (f"    {line}" for line in sample.lines)
    if len(group.sites) > 1:
        own = " and ".join(["its name", *(f"its setting {name}" for name in group.columns)])
        yield "  " + one_line(f"x {len(group.sites)} identical, but that each has {own}")


def describe(group: Group) -> str:
    """Say in one line what happens to how many sites."""
    who = f"{_sites(len(group.sites))}"
    profile = (group.new or group.old or _NOTHING).profile
    cohort = f" [{group.cohort}]" if group.cohort else ""
    kind = f" with profile {one_line(profile, 80)}" if profile else ""
    if group.old is None:
        return f"{who}{kind} joined{cohort}: {_say(group.new)}"
    if group.new is None:
        return f"{who}{kind} left: {_say(group.old)}"
    if group.old == group.new:
        return f"{who}{kind} with other settings ({', '.join(group.edited)}){cohort}"
    return f"{who}{kind}{cohort}: {_say(group.old)} -> {_say(group.new)}"


_NOTHING = Side({}, "", {}, "")


def _say(side: Side | None) -> str:
    if side is None:
        return "nothing"
    names = " + ".join(
        f"{alias} {name}" if alias else name for alias, name in side.releases.items()
    )
    weights = "/".join(str(side.weights.get(name, 0)) for name in side.releases.values())
    return one_line(f"{names or 'no release'}" + (f" at {weights}" if side.weights else ""))


def _sites(number: int) -> str:
    return f"{number} site" if number == 1 else f"{number} sites"


def _group_data(group: Group, sample: Sample) -> Mapping[str, object]:
    return {
        "environment": group.environment,
        "model": group.model,
        "cohort": group.cohort or None,
        "old": _side_data(group.old),
        "new": _side_data(group.new),
        "count": len(group.sites),
        "sites": list(group.sites),
        "differingSettings": list(group.columns),
        "changedSettings": list(group.edited),
        "sample": {
            "site": group.sites[0],
            "renderer": sample.renderer,
            "diff": list(sample.lines),
        },
    }


def _side_data(side: Side | None) -> Mapping[str, object] | None:
    if side is None:
        return None
    named = {alias: name for alias, name in side.releases.items() if alias}
    return {
        "release": side.releases.get(""),
        "releases": named or None,
        "profile": side.profile or None,
        "weights": dict(side.weights) or None,
    }


def _pins(release: Release) -> Mapping[str, object]:
    version = release.version
    return {
        "registryName": version.registry_name,
        "version": version.version,
        "digest": version.digest,
        "image": release.image,
        "asked": version.asked or None,
        "configDigest": release.config_digest,
    }


def data(found: Comparison, differ: Differ, notes: Sequence[str], ends: Sequence[str]) -> str:
    """Write everything as one JSON document."""
    document = {
        "from": ends[0],
        "to": ends[1],
        "groups": [_group_data(group, differ.sample(group)) for group in found.groups],
        "unchanged": [
            {"environment": environment, "model": model, "sites": number}
            for (environment, model), number in found.unchanged.items()
        ],
        "releases": {"/".join(key): _pins(one) for key, one in found.releases.items()},
        "files": dict(found.folders),
        "notes": list(notes),
        "engines": dict(differ.engines.versions),
        "notRun": dict(differ.engines.missing),
    }
    return json.dumps(document, indent=2)
