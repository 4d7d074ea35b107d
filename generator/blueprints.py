"""The door to the packaged blueprints: found, read and digested, never rendered here.

Promises. Only the installed package `blueprints` is read, through importlib.resources, so it
works from a checkout, a wheel or a zip. Nothing is written. Concurrent calls share nothing.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from generator.documents.reading import Document, Fields, whole
from generator.documents.release import files_digest
from generator.documents.rollout import choice
from generator.errors import InputError
from generator.model.blueprint import Answer, Blueprint, Input, Type, check_input

_PACKAGE = "blueprints"
_DESCRIPTION = "blueprint.yaml"
_TEMPLATE = "template/"


def names() -> tuple[str, ...]:
    """List the packaged blueprints."""
    folders = (one for one in files(_PACKAGE).iterdir() if one.is_dir())
    return tuple(sorted(one.name for one in folders if one.joinpath(_DESCRIPTION).is_file()))


def load(name: str, folder: Traversable | None = None) -> Blueprint:
    """Read one packaged blueprint, or the one in a folder.

    Raises:
        InputError: There is none of this name, its description is invalid, or it brings more
            than a description and templates: hooks, extensions, links.
    """
    if folder is None:
        folder = _packaged(name)
    found = dict(_walk(folder, ""))
    _refuse_more(name, found)
    template = {
        path.removeprefix(_TEMPLATE): data
        for path, data in found.items()
        if path.startswith(_TEMPLATE)
    }
    document = Document(f"{_PACKAGE}/{name}/{_DESCRIPTION}", found[_DESCRIPTION])
    top = document.top("Blueprint")
    top.constant("name", name)
    build = partial(
        Blueprint,
        name=name,
        version=top.number("version", whole, 0, required=True),
        inputs=tuple(_input(row) for row in top.mappings("inputs")),
        outputs=top.texts("outputs", str),
        template=template,
        digest=files_digest(found),
    )
    top.close()
    return document.finish(build)


def _packaged(name: str) -> Traversable:
    known = names()
    if name not in known:
        raise InputError(f"no blueprint is called {name!r}", hint=f"known: {', '.join(known)}")
    return files(_PACKAGE).joinpath(name)


def _refuse_more(name: str, found: Mapping[str, bytes]) -> None:
    if _DESCRIPTION not in found:
        raise InputError(f"the blueprint {name} has no {_DESCRIPTION}")
    more = [path for path in found if path != _DESCRIPTION and not path.startswith(_TEMPLATE)]
    if more:
        hint = "it holds blueprint.yaml and template/; hooks and extensions are never run"
        raise InputError(f"the blueprint {name} holds {', '.join(sorted(more))}", hint=hint)


def _input(row: Fields) -> Input:
    kind = row.value("type", choice(Type), Type.TEXT, required=True)
    found = Input(
        name=row.value("name", check_input, "x", required=True),
        type=kind,
        pattern=row.value("pattern", str, ""),
        longest=row.number("longest", whole, 200),
        default=_default(row, kind) if row.has("default") else None,
    )
    row.close()
    return found


def _default(row: Fields, kind: Type) -> Answer:
    match kind:
        case Type.WORD | Type.TEXT:
            return row.value("default", str, "")
        case Type.TEXTS:
            return row.texts("default", str)
        case Type.INTEGER:
            return row.number("default", whole, 0)


def _walk(folder: Traversable, under: str) -> Iterator[tuple[str, bytes]]:
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{under}{one.name}"
        if isinstance(one, Path) and one.is_symlink():
            raise InputError("a blueprint holds no links", file=path)
        if one.is_dir():
            yield from _walk(one, f"{path}/")
        else:
            yield path, one.read_bytes()
