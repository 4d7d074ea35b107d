"""Readers of YAML 1.1 and 1.2, and text that they like to take for something else."""

import io
from collections.abc import Iterator
from typing import Any

import yaml
from ruamel.yaml import YAML

HOSTILE = (
    *("no", "on", "y", "N", "Yes", "true", "null", "~", "", "=", "<<"),
    *(
        "1e3",
        "1E3",
        "12e03",
        "0755",
        "012",
        "0o14",
        "0x1f",
        "1_000",
        "1.10",
        "1.0",
        ".5",
        "+1",
        "-0",
    ),
    *(".inf", ".NaN", "22:22", "1:30:59", "2001-12-14", "2001-12-14t21:59:43.10-05:00"),
    *("- a", "? a", ": a", "a: b", "# a", "a # b", "{a: b}", "[a]", "&a", "*a", "!!int 1", "!a"),
    *(
        "%a",
        "@a",
        "`a",
        "|",
        ">",
        "---",
        "...",
        "'",
        '"',
        "\\",
        "\\n",
        "it's",
        'say "a"',
        " a",
        "a ",
    ),
    *("{{ .Values.x }}", "${x}", "$(x)", "[= x =]", "{% x %}"),
    *(
        "a\nb",
        "\n",
        "a\tb",
        "a\r\nb",
        "\x00",
        "\x07",
        "\x1b[0m",
        "\x85",
        "\u2028",
        "\ufeff",
        "\xa0",
    ),
    *("détecteur", "\u65e5\u672c\u8a9e", "\U0001f600", "e\u0301", "\u202e", "\ue000", "\U0010ffff"),
    "x" * 65_536,
    "\U0001f600" * 16_384,  # the last: slow to read
)
PRINTABLE = tuple(one for one in HOSTILE if one.isascii() and one.isprintable() and len(one) < 200)


def read_alike(data: bytes) -> list[Any]:
    """Read a file with every reader, and fail where two of them differ.

    Returns:
        Its documents.
    """
    text = data.decode("utf-8")
    found = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    assert list(yaml.load_all(text, Loader=yaml.SafeLoader)) == found, "PyYAML and libyaml differ"
    for version in ((1, 1), (1, 2)):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        assert list(reader.load_all(io.StringIO(text))) == found, f"YAML {version} differs"
    assert repr(found) == repr([_same(one) for one in found])
    return found


def _same(value: Any) -> Any:
    """Copy a value, refusing what JSON has no word for: a date, a set, a key that is no text."""
    match value:
        case dict():
            assert all(isinstance(key, str) for key in value), value
            return {key: _same(one) for key, one in value.items()}
        case list():
            return [_same(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
    raise AssertionError(f"{value!r} is nothing that JSON could hold")


def texts(value: Any) -> Iterator[str]:
    """Give every text of a document, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield key
                yield from texts(one)
        case list():
            for one in value:
                yield from texts(one)
        case _:
            pass
