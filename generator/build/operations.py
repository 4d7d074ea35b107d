"""JSON patches: operations at paths, one after the other (RFC 6902: add, replace, remove)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from generator.build.values import Object, OutsideSubsetError, Value, copied, rewritten
from generator.errors import InputError

_INDEX = re.compile(r"0|[1-9][0-9]{0,6}", re.ASCII)
# What these change makes another object of it, and Kustomize then follows references to it.
_IDENTITY = ("apiVersion", "kind")


@dataclass(frozen=True, slots=True)
class Operation:
    """One change.

    Attributes:
        op: `add`, `replace` or `remove`.
        path: The keys and places down to what changes.
        value: What comes there.
    """

    op: str
    path: tuple[str, ...]
    value: Value = None


def read_operation(row: Value, file: str, line: int | None) -> Operation:
    """Read one operation.

    Raises:
        InputError: It is none.
        OutsideSubsetError: It is one that only real Kustomize does.
    """
    if not isinstance(row, dict) or not isinstance(row.get("op"), str):
        raise InputError("an operation without op", file=file, line=line)
    op, path = row["op"], row.get("path")
    if op not in ("add", "replace", "remove") or row.keys() - {"op", "path", "value"}:
        raise OutsideSubsetError(f"the operation {op[:40]!r}", file=file, line=line)
    if not isinstance(path, str) or not path.startswith("/"):
        raise OutsideSubsetError("an operation without a path", file=file, line=line)
    if op != "remove" and "value" not in row:
        raise InputError(f"{op} {path} without a value", file=file, line=line)
    parts = tuple(one.replace("~1", "/").replace("~0", "~") for one in path[1:].split("/"))
    if parts[0] in _IDENTITY or parts in (("metadata",), ("metadata", "name")):
        raise OutsideSubsetError(f"{op} {path}", file=file, line=line)
    return Operation(op, parts, row.get("value"))


def apply(target: Object, operations: Sequence[Operation], file: str, line: int | None) -> Object:
    """Do the operations on a copy of an object.

    Raises:
        InputError: A path does not exist.
    """
    found: Object = rewritten(target)
    # Kustomize keeps marks of its own among the annotations while it is at work.
    found["metadata"].setdefault("annotations", {})
    for one in operations:
        try:
            _apply(found, one)
        except (LookupError, TypeError) as error:
            text = f"{one.op} /{'/'.join(one.path)}: there is no such place in {target['kind']}"
            hint = "a missing mapping has to be added first"
            raise InputError(text, file=file, line=line, hint=hint) from error
    if found["metadata"].get("annotations") == {}:
        del found["metadata"]["annotations"]
    return found


def _apply(target: Value, one: Operation) -> None:
    place = target
    for step in one.path[:-1]:
        place = place[_index(step)] if isinstance(place, list) else place[step]
    last, value = one.path[-1], copied(one.value)
    match place, one.op:
        case dict(), "remove":
            del place[last]
        case dict(), _:
            place[last] = value  # Kustomize replaces what is not there, too
        case list(), "add":
            place.insert(_gap(place, last), value)
        case list(), "replace":
            place[_index(last)] = value
        case list(), _:
            del place[_index(last)]
        case _:
            raise TypeError


def _index(step: str) -> int:
    if not _INDEX.fullmatch(step):
        raise LookupError
    return int(step)


def _gap(place: list[Value], step: str) -> int:
    index = len(place) if step == "-" else _index(step)
    if index > len(place):
        raise LookupError
    return index
