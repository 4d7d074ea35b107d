"""What a rule finds, in words a person can act on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from generator.changes import one_line

MOST_NAMED = 5


class Severity(StrEnum):
    """How bad a finding is; an error must not be merged."""

    ERROR = "error"
    WARNING = "warning"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that a person has to mend.

    Attributes:
        file: Path in the repository, "" for the whole of it.
        line: From 1, 0 for the whole file.
        rule: Id of the rule.
        severity: Error, warning, or waived by `tidegate.yaml`.
        message: What is wrong.
        fix: The command or the edit that mends it, or "".
    """

    file: str
    line: int
    rule: str
    severity: Severity
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """Write `file:line: severity [rule] message; fix: command`."""
        where = ":".join(str(part) for part in (_escaped(self.file), self.line) if part)
        fix = f"; fix: {one_line(self.fix)}" if self.fix else ""
        return f"{where or '.'}: {self.severity} [{self.rule}] {one_line(self.message)}{fix}"

    def as_data(self) -> Mapping[str, str | int | None]:
        """Give the values for JSON."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "file": self.file or None,
            "line": self.line or None,
            "message": self.message,
            "fix": self.fix or None,
        }


def _escaped(path: str) -> str:
    # A path is foreign text: it must not forge a line, nor speak to the terminal.
    if path.isprintable():
        return path
    return path.encode("unicode_escape", "surrogatepass").decode("ascii")


def few(names: Sequence[str]) -> str:
    """Name the first five, and say how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def count(number: int, noun: str) -> str:
    """Write `1 site`, `2 sites`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
