"""What a person asks a registry for: `defect-detector@champion` or `defect-detector/13`."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_NAME = 255
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_GRAMMAR = "write NAME@ALIAS or NAME/VERSION, such as defect-detector@champion"
_TWINS = frozenset({"LATIN", "GREEK", "CYRILLIC", "CHEROKEE", "ARMENIAN"})


@dataclass(frozen=True, slots=True)
class Reference:
    """One version of a registered model, by alias or by number.

    Attributes:
        name: Name in the registry.
        alias: "" when `version` is given.
        version: The number as text, "" when `alias` is given.
    """

    name: str
    alias: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        """Refuse what floats, or reads like another name."""
        _check_name(self.name)
        if bool(self.alias) == bool(self.version):
            raise ValueError(_GRAMMAR)
        if self.version and not _NUMBER.fullmatch(self.version):
            raise ValueError(f"{self.version[:40]!a} is not a version number; {_GRAMMAR}")
        if self.alias and not _ALIAS.fullmatch(self.alias):
            raise ValueError(f"{self.alias[:40]!a} is not an alias; {_GRAMMAR}")
        if self.alias.lower() == "latest":
            raise ValueError("'latest' is whatever was registered last; name an alias or a number")

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `NAME@ALIAS` or `NAME/VERSION`.

        Raises:
            ValueError: It is neither, or the name could be mistaken for another one.
        """
        name, slash, version = text.partition("/")
        if slash:
            return cls(name, version=version)
        name, _, alias = text.rpartition("@")
        return cls(name, alias=alias)

    def __str__(self) -> str:
        """Write it as it was asked for."""
        return f"{self.name}@{self.alias}" if self.alias else f"{self.name}/{self.version}"


def _check_name(name: str) -> None:
    shown = f"{name[:40]!a}"
    if not name:
        raise ValueError(_GRAMMAR)
    if len(name) > LONGEST_NAME:
        raise ValueError(f"model name {shown}... has more than {LONGEST_NAME} characters")
    if not name.isprintable() or set(name) & set('/:\\"') or name in (".", ".."):
        raise ValueError(f"model name {shown} holds characters that are not allowed")
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError(f"model name {shown} looks like another name: it is not in NFKC form")
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in name if letter.isalpha()}
    if len(scripts & _TWINS) > 1:
        raise ValueError(f"model name {shown} mixes alphabets that look alike")
