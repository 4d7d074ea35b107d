"""The part of an API server's schema that Argo CD needs, cut out of the whole.

Argo CD keeps the parsed schema of every cluster, about 30 MB each, and reads it again for every
sync. With 500 sites that would be 15 GB. So the gates hand out the same text without the kinds
that Argo CD is told not to watch: the definitions of OpenAPI v2 (in protobuf) and the schemas and
paths of OpenAPI v3 (in JSON) that its kinds refer to.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

V2 = "/openapi/v2"
V3 = "/openapi/v3/"
_PATHS, _DEFINITIONS, _NAME = 8, 9, 1
_BYTES = 2  # wire type: length, then that many bytes
_REFERENCE = re.compile(rb"#/(?:definitions|components/schemas)/([\w.-]+)")
_KIND = "x-kubernetes-group-version-kind"


@functools.lru_cache(maxsize=64)
def cut(path: str, accepted: str, document: bytes, kinds: frozenset[str]) -> bytes:
    """Cut what is asked for at a path; other paths and forms stay as they are."""
    if path == V2 and "protobuf" in accepted:
        return cut_v2(document, kinds)
    if path.startswith(V3) and "protobuf" not in accepted:
        return cut_v3(document, kinds)
    return document


def cut_v3(document: bytes, kinds: Iterable[str]) -> bytes:
    """Keep the paths of some kinds, and the schemas they refer to."""
    whole: dict[str, Any] = json.loads(document)
    wanted = set(kinds)
    paths = {name: path for name, path in whole["paths"].items() if _kinds(path) & wanted}
    schemas = whole["components"]["schemas"]
    entries = {name: json.dumps(one).encode() for name, one in schemas.items()}
    first = {_known(one, entries) for one in _REFERENCE.findall(json.dumps(paths).encode())}
    kept = _closure(entries, wanted, first)
    inner = {**whole["components"], "schemas": {name: schemas[name] for name in kept}}
    return json.dumps({**whole, "paths": paths, "components": inner}).encode()


def _kinds(path: Mapping[str, Any]) -> set[str]:
    told = (one.get(_KIND, {}) for one in path.values() if isinstance(one, dict))
    return {one["kind"] for one in told if one}


def cut_v2(document: bytes, kinds: Iterable[str]) -> bytes:
    """Keep the definitions of some kinds and of all they refer to.

    Raises:
        ValueError: It is not such a document.
    """
    parts = list(_fields(document))
    (inner,) = (value for number, _, value in parts if number == _DEFINITIONS)
    entries = {_name(value): raw for _, raw, value in _fields(inner)}
    kept = _closure(entries, set(kinds))
    body = b"".join(raw for name, raw in entries.items() if name in kept)
    head = b"".join(raw for number, raw, _ in parts if number not in (_PATHS, _DEFINITIONS))
    return head + _tag(_DEFINITIONS, body)


def _closure(entries: dict[str, bytes], kinds: set[str], first: Iterable[str] = ()) -> set[str]:
    todo = [*first, *(name for name in entries if name.rpartition(".")[2] in kinds)]
    kept: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += (_known(one, entries) for one in _REFERENCE.findall(entries[name]))
    return kept


def _known(text: bytes, entries: dict[str, bytes]) -> str:
    """Find the name: the byte after it is a tag of the format, and may look like a letter."""
    name = text.decode("ascii")
    while name not in entries:
        name = name[:-1]
        if not name:
            raise ValueError(f"{text!r} is defined nowhere")
    return name


def _name(entry: bytes) -> str:
    return next(value for number, _, value in _fields(entry) if number == _NAME).decode("ascii")


def _fields(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Walk the fields of a message: number, the whole field, its value."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        size, begin = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            at = begin + size
        elif wire == 0:
            at = begin
        else:
            raise ValueError(f"field {number} has the wire type {wire}")
        yield number, data[start:at], data[begin:at] if wire == _BYTES else b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _tag(number: int, body: bytes) -> bytes:
    return _written(number << 3 | _BYTES) + _written(len(body)) + body


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))
