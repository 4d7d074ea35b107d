"""The objects that a site gets, after every patch: they build, hold their pins, and are let in.

Files may each be right and the sum wrong: a profile that weakens the pods of the base, an image
that a Component has replaced before the release could, a selector that no pod matches.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from generator import layout
from generator.build import OutsideSubsetError, build
from generator.build.values import Object, Value
from generator.documents.nodes import Node
from generator.errors import InputError, Problem
from generator.expand import profiles_of
from generator.layout import RepoPath
from generator.lint.manifests import containers, pod_spec
from generator.lint.pods import weaknesses
from generator.lint.view import View
from generator.model.environment import Kind
from generator.model.release import Release
from generator.render.images import untagged
from generator.render.kustomize import PLACEHOLDER, pins

_LABEL = "tidegate.dev/release"


@dataclass(frozen=True, slots=True)
class Rendering:
    """One hardware profile of a release, as far as it can be built here.

    Attributes:
        folder: `<release>/<profile>`.
        release: The pins.
        files: What it is built from.
        name: Stands for those bytes.
        objects: What comes out; none where there are problems.
        problems: Why nothing comes out.
        is_outside: It may well build, but only real Kustomize can tell.
    """

    folder: RepoPath
    release: Release
    files: Mapping[RepoPath, bytes]
    name: Hashable
    objects: tuple[Object, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_outside: bool = False


def renderings(view: View) -> tuple[Rendering, ...]:
    """Build every profile of every edge release that a rollout refers to, once."""
    return view.once("renderings", lambda: tuple(_renderings(view)))


def _renderings(view: View) -> Iterator[Rendering]:
    for rollout in view.rollouts():
        environment = view.environment(rollout.environment)
        if environment is None or environment.kind is not Kind.EDGE:
            continue
        for name in sorted({rollout.stable, rollout.canary} - {""}):
            release = view.release(rollout.environment, rollout.model, name)
            if release is None:
                continue  # the rules `rollout` and `release` tell
            folder = layout.release(rollout.environment, rollout.model, name)
            ids = view.ids(folder)
            files = view.tree.read_many(ids)
            for profile in sorted(profiles_of(view.tree, rollout.environment, rollout.model, name)):
                content = ("rendering", f"{folder}/{profile}", frozenset(ids.items()))
                one = Rendering(f"{folder}/{profile}", release, files, content)
                yield view.by_content(content, partial(_build, one))


def _build(one: Rendering) -> Rendering:
    try:
        return replace(one, objects=build(one.files, one.folder))
    except OutsideSubsetError as error:
        return replace(one, problems=error.problems, is_outside=True)
    except InputError as error:
        return replace(one, problems=error.problems)


def unrendered(view: View) -> Iterator[Problem]:
    """Name what only real Kustomize can build."""
    for one in sound(view):
        if one.is_outside:
            yield from _once(one.problems)


def sound(view: View) -> Iterator[Rendering]:
    """Give the releases of which no rule has found a file to be wrong."""
    for one in renderings(view):
        above = f"{one.folder.rpartition('/')[0]}/"
        if not any(path.startswith(above) for path in view.blamed):
            yield one


def rendered(view: View) -> Iterator[Problem]:
    """Look at every object that a site gets."""
    for one in sound(view):
        if not one.is_outside:
            yield from one.problems
        if one.objects:
            yield from view.by_content(("looked at", one.name), lambda one=one: tuple(look(one)))  # type: ignore[misc]


def look(one: Rendering) -> Iterator[Problem]:
    """Look at the objects of one profile."""
    for each in one.objects:
        for problem in (*look_at_pods(each), *_pins(each, one.release)):
            yield replace(problem, file=_file(one))
    yield from _image(one)


def look_at_pods(each: Object) -> Iterator[Problem]:
    """Demand pods that the namespace lets in and that their own workload finds."""
    for problem in (*weaknesses(as_node(each)), *_selectors(each)):
        where = f"{each['kind']} {each['metadata']['name']}: {problem.message}"
        yield replace(problem, message=where, line=None)


def _once(problems: Sequence[Problem]) -> Iterator[Problem]:
    hint = "put kustomize 5 on PATH, so that verify can build it"
    yield from (replace(one, hint=hint) for one in problems)


def _file(one: Rendering) -> RepoPath:
    return f"{one.folder}/kustomization.yaml"


def as_node(value: Value) -> Node:
    """Give a value as the rules look at it; it stands on no line."""
    match value:
        case dict():
            return Node(0, {key: as_node(one) for key, one in value.items()})
        case list():
            return Node(0, tuple(as_node(one) for one in value))
        case bool():
            return Node(0, "true" if value else "false", is_plain=True)
        case None:
            return Node(0, "", is_plain=True)
        case _:
            return Node(0, str(value))


def _template(each: Object) -> Value:
    """Find the pod template of a workload that stays; None where it is none."""
    spec = each.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    return template if isinstance(template, dict) else None


def _metadata(value: Value, key: str) -> Mapping[str, Value]:
    found = as_node(value).entries("metadata", key)
    return {name: node.text() for name, node in found.items()}


def _selectors(each: Object) -> Iterator[Problem]:
    """Demand that a workload finds its own pods."""
    template = _template(each)
    wanted = as_node(each).entries("spec", "selector", "matchLabels")
    if template is None or not wanted:
        return
    labels = _metadata(template, "labels")
    lost = [name for name, node in wanted.items() if labels.get(name) != node.text()]
    if lost:
        text = f"its selector asks for {lost[0]}, which its own pods have otherwise or not at all"
        yield Problem(text, hint="give selector and template the same labels in models/")


def _pins(each: Object, release: Release) -> Iterator[Problem]:
    """Demand the mark of the release everywhere, and the pins on the pods of a Deployment."""
    template = _template(each)
    places = [each] if template is None or each["kind"] != "Deployment" else [each, template]
    for place in places:
        if _metadata(place, "labels").get(_LABEL) != release.id:
            name = f"{each['kind']} {each['metadata']['name']}"
            yield Problem(f"{name}: the label {_LABEL} is not {release.id}", hint=_UNPINNED)
    if each["kind"] != "Deployment":
        return
    have = _metadata(template, "annotations")
    wrong = [name for name, text in pins(release).items() if have.get(name) != text]
    if wrong:
        yield Problem(f"the pods do not have the pin {wrong[0]}", hint=_UNPINNED)


_UNPINNED = "mend the base or profile in models/, and freeze a new release"


def _image(one: Rendering) -> Iterator[Problem]:
    """Demand the pinned image where the placeholder was, and nowhere the placeholder."""
    nodes = (as_node(each) for each in one.objects)
    specs = [spec for spec in map(pod_spec, nodes) if spec is not None]
    images = [container.text("image") for spec in specs for container in containers(spec)]
    if untagged(one.release.image) not in images:
        text = f"no container runs the pinned image {one.release.image}"
        yield Problem(text, _file(one), hint=_UNPINNED)
    elif any(image.partition(":")[0] == PLACEHOLDER for image in images):
        text = f"a container still has the image {PLACEHOLDER!r}"
        yield Problem(text, _file(one), hint=_UNPINNED)
