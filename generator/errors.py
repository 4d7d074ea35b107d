"""Say who has to act: the exception tree and the exit codes of the command line."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

# User and password end at the last "@" of the host; a password may hold a bare slash.
_USER = re.compile(r"(?<=://)(?:[^\s/'\"]*|[^\s/'\"]*:[^\s'\"]*)@")


class ExitCode(IntEnum):
    """Tell a pipeline whose turn it is."""

    DONE = 0
    INPUT = 1
    USAGE = 2
    NOTHING_CHANGED = 3
    HELD = 4
    REVERTED = 5
    LOST_RACE = 6
    BUG = 70
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person has to mend.

    `file` is a path inside the repository or of the input file, `line` counts from 1.
    """

    message: str
    file: str | None = None
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """Write `file:line: message; hint` on one line."""
        where = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class TidegateError(Exception):
    """Something a person or another system can mend; anything else is a bug."""


class InputError(TidegateError):
    """The person acts: one or more problems, found in one pass."""

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        """Take one problem; `InputError.many` takes several."""
        self.problems: tuple[Problem, ...] = (Problem(message, file, line, hint),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def many(cls, problems: Iterable[Problem]) -> "InputError":
        """Gather problems into one error.

        Raises:
            ValueError: There is no problem.
        """
        found = tuple(problems)
        if not found:
            raise ValueError("an error without a problem")
        error = cls(found[0].message)
        error.problems = found
        error.args = ("\n".join(str(problem) for problem in found),)
        return error


class RemoteError(TidegateError):
    """Another system is in trouble; trying again later may help.

    `system` is a word such as "Prometheus"; `endpoint` never holds credentials.
    """

    def __init__(self, system: str, message: str, *, endpoint: str = "") -> None:
        """Name the system, what went wrong, and where."""
        self.system = system
        self.endpoint = endpoint
        at = f" at {endpoint}" if endpoint else ""
        super().__init__(f"{system}{at}: {message}")


class ConflictError(TidegateError):
    """Somebody else acted first; decide again from the start."""


def redact(text: str) -> str:
    """Take the credentials out of every URL of a text."""
    return _USER.sub("", text)
