"""What an engine wrote, as values: the YAML of a Go program, which quotes what is no plain text."""

import re

from generator.build.values import Object, Value, number
from generator.documents.nodes import Node, read_documents
from generator.errors import InputError

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None, "": None, "~": None}


def read_output(engine: str, text: bytes) -> tuple[Object, ...]:
    """Read the objects that an engine wrote.

    Args:
        engine: Its name, for messages.
        text: All that it wrote.

    Raises:
        InputError: It is no YAML, or not a stream of objects.
    """
    found = []
    for node in read_documents(f"output of {engine}", text):
        value = _value(node)
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise InputError(f"{engine} wrote something that is no object")
        found.append(value)
    return tuple(found)


def _value(node: Node) -> Value:
    match node.value:
        case str() as text:
            return _scalar(text) if node.is_plain else text
        case tuple() as items:
            return [_value(one) for one in items]
        case entries:
            return {key: _value(one) for key, one in entries.items()}


def _scalar(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else number(float(text))
