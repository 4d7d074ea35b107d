"""What one check found, in words that a person can act on at three in the morning."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from generator.changes import one_line

LONGEST = 600


class State(StrEnum):
    """How a check ended; only an error keeps a rollout or its revert from working."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check at one place.

    Attributes:
        check: What was looked at, as `git.push`.
        state: How it ended.
        where: The place: an address, an object, an environment.
        message: What was found.
        fix: The command or the edit that mends it, or "".
    """

    check: str
    state: State
    where: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """Write one or two lines."""
        where = f" {one_line(self.where, LONGEST)}:" if self.where else ""
        text = f"{self.state:<11} {self.check}:{where} {one_line(self.message, LONGEST)}"
        return f"{text}\n{'':11} -> {one_line(self.fix, LONGEST)}" if self.fix else text

    def as_data(self) -> Mapping[str, str | None]:
        """Give the values for JSON."""
        return {
            "check": self.check,
            "state": self.state.value,
            "where": one_line(self.where, LONGEST) or None,
            "message": one_line(self.message, LONGEST),
            "fix": one_line(self.fix, LONGEST) or None,
        }


def passed(check: str, where: str, message: str) -> Finding:
    """Say that all is well."""
    return Finding(check, State.OK, where, message)


def unknown(check: str, where: str, message: str, fix: str = "") -> Finding:
    """Say what could not be looked at, and why."""
    return Finding(check, State.NOT_CHECKED, where, message, fix)


def warned(check: str, where: str, message: str, fix: str) -> Finding:
    """Say what will hurt some day."""
    return Finding(check, State.WARNING, where, message, fix)


def failed(check: str, where: str, message: str, fix: str) -> Finding:
    """Say what does not work now."""
    return Finding(check, State.ERROR, where, message, fix)
