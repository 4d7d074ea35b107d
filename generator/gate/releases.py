"""A new release is what `models/` gives at the commit that it names, and what the base allows."""

import re
from collections.abc import Iterator, Mapping

from generator import layout
from generator.documents.release import freeze
from generator.errors import InputError, Problem, RemoteError
from generator.gate.change import Change
from generator.intents.freezing import copied_files, frozen_files
from generator.lint.finding import count, few
from generator.lint.settings import is_below
from generator.model.config import Config
from generator.model.location import Location, parse_allowed
from generator.model.release import Release
from generator.repository import Repository

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


def releases(change: Change) -> Iterator[Problem]:
    """Make every new release again and compare it byte for byte."""
    for name in sorted({*change.head.all_releases()} - {*change.base.all_releases()}):
        try:
            found = change.head.release(*name)
        except InputError as error:
            yield from error.problems
            continue
        yield from _origin(change, found)


def _origin(change: Change, found: Release) -> Iterator[Problem]:
    path = layout.release_file(found.environment, found.model, found.id)
    commit, line = found.source_commit, change.view.line(path, "sourceCommit")
    if not (_COMMIT.fullmatch(commit) and change.reaches(commit)):
        text = f"it was frozen from {commit[:12] or 'no commit'}, which main does not have"
        hint = "merge the change of models/ first, then promote again"
        yield Problem(text, path, line, hint)
        return
    try:
        source = change.base.beside(change.base.tree.at(commit))
        problems = tuple(_follows(change, found, source))
    except (InputError, RemoteError) as error:
        problems = (Problem(f"it cannot be made again from {commit[:12]}: {error}", path, line),)
    yield from problems


def _follows(change: Change, found: Release, source: Repository) -> Iterator[Problem]:
    path = layout.release_file(found.environment, found.model, found.id)
    spec = source.model(found.model)
    hint = f"freeze it with `tidegate release`, or see models/{found.model} at that commit"
    if found.version.registry_name != spec.registry_name:
        text = f"it pins {found.version.registry_name!a}, but the model is {spec.registry_name!a}"
        yield Problem(text, path, change.view.line(path, "version", "registryName"), hint)
    if not spec.image_from_tag and found.image != spec.image:
        text = f"its image is not that of model.yaml at {found.source_commit[:12]}"
        yield Problem(text, path, change.view.line(path, "image"), hint)
    yield from _bytes(change, found, _made(found, source), hint)


def _made(found: Release, source: Repository) -> Mapping[str, bytes]:
    kind = source.environment(found.environment).kind
    copied = copied_files(source, kind, found.model)
    where = found.environment, found.model
    again = freeze(*where, found.version, found.image, copied, found.source_commit)
    return frozen_files(again, copied)


def _bytes(
    change: Change, found: Release, made: Mapping[str, bytes], hint: str
) -> Iterator[Problem]:
    folder = layout.release(found.environment, found.model, found.id)
    tree = change.head.tree
    have = tree.read_many(tree.ids(folder))
    wrong = sorted(p for p in have.keys() | made.keys() if have.get(p) != made.get(p))
    if wrong:
        short = [path.removeprefix(f"{folder}/") for path in wrong]
        text = (
            f"{count(len(wrong), 'file')} of {found.id} do not follow from models/ at "
            f"{found.source_commit[:12]} and its pins: {few(short)}"
        )
        yield Problem(text, wrong[0], hint=hint)


def allowed(change: Change) -> Iterator[Problem]:
    """Demand that images and artifacts of new and of moving releases are allowed at the base."""
    fresh = {*change.head.all_releases()} - {*change.base.all_releases()}
    moving = {(one.environment, one.model, one.release) for one in change.moves if one.release}
    for name in sorted(fresh | moving):
        try:
            found = change.head.release(*name)
        except InputError:
            continue  # named by another rule
        yield from _allowed(change, change.base.config(), found)


def _allowed(change: Change, config: Config, found: Release) -> Iterator[Problem]:
    path = layout.release_file(found.environment, found.model, found.id)
    is_from_tag = _is_from_tag(change, found.model)
    if (config.images or is_from_tag) and not any(
        is_below(found.image, one) for one in config.images
    ):
        text = f"the image {found.image.partition('@')[0]} is not allowed at the base"
        hint = f"images.allow in {layout.CONFIG} holds there: {few(config.images) or 'nothing'}"
        yield Problem(text, path, change.view.line(path, "image"), hint)
    if not _is_at_home(found.version.uri, config.artifacts):
        text = f"artifacts at {found.version.uri[:120]!a} are not allowed at the base"
        hint = (
            f"artifacts.allow in {layout.CONFIG} holds there: {few(config.artifacts) or 'nothing'}"
        )
        yield Problem(text, path, change.view.line(path, "version", "uri"), hint)


def _is_from_tag(change: Change, model: str) -> bool:
    try:
        return change.base.model(model).image_from_tag
    except InputError:
        return True  # a model that the base does not have: nobody has looked at its image


def _is_at_home(uri: str, entries: tuple[str, ...]) -> bool:
    try:
        return Location.parse(uri).is_allowed(parse_allowed(entries))
    except ValueError:
        return False
