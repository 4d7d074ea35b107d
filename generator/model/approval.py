"""Who has to approve a change before it may be merged: the part of `tidegate.yaml` that says so."""

import re
from dataclasses import dataclass

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Approval:
    """One demand.

    Attributes:
        environment: A move in it needs the approval; "" where a path is named.
        path: A change of this file, or below this folder; "" where an environment is named.
        count: How many have to approve.
        of: The accounts whose word counts.
    """

    environment: str
    path: str
    count: int
    of: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a demand that names no place, or that nobody could meet."""
        if bool(self.environment) == bool(self.path):
            raise ValueError("an approval names either environment or path")
        if len({name.lower() for name in self.of}) != len(self.of):
            raise ValueError("of names an account twice")
        if not 1 <= self.count <= len(self.of):
            raise ValueError(f"count lies between 1 and {len(self.of) or 'the length of of'}")

    def __str__(self) -> str:
        """Say what is demanded."""
        noun = "approval" if self.count == 1 else "approvals"
        return f"{self.environment or self.path} needs {self.count} {noun} of {', '.join(self.of)}"

    def covers(self, path: str) -> bool:
        """Say whether a file is the one that is named, or lies in the folder."""
        named = self.path.removeprefix("/")
        if self.path.endswith("/"):
            return path.startswith(named)
        return bool(named) and path == named


def check_account(text: str) -> str:
    """Give the name of an account back.

    Raises:
        ValueError: It could not be one.
    """
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of an account")
    return text


def check_path(text: str) -> str:
    """Give a path back that begins at the root, as in CODEOWNERS.

    Raises:
        ValueError: It does not, or it has a pattern.
    """
    if not _PATH.fullmatch(text) or "/../" in f"{text}/" or "/./" in f"{text}/":
        raise ValueError(f"{text!r} is not a path such as /models/ or /tidegate.yaml")
    return text
