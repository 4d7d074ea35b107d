"""What a blueprint asks for, and which answers may enter its templates.

A template engine escapes nothing, so what gets there must be inert: a `word` is inserted as it
stands and holds no character that means anything in YAML, Markdown or a path; a `text` or the
`texts` are inserted as quoted YAML, whatever they hold.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from generator.errors import InputError, Problem

Answer = str | int | Sequence[str]
_WORD = re.compile(r"[A-Za-z0-9@._/:+-]*", re.ASCII)
_PLACEHOLDER = re.compile(r"\[=cookiecutter\.([a-z_]+)=\]")
_NAME = re.compile(r"[a-z]+(?:_[a-z]+)*", re.ASCII)
MOST_TEXTS = 200
LARGEST = 1_000_000


class Type(StrEnum):
    """How an answer enters a template."""

    WORD = "word"
    TEXT = "text"
    TEXTS = "texts"
    INTEGER = "integer"


def check_input(name: str) -> str:
    """Give the name of an input back when templates can use it.

    Raises:
        ValueError: It is no identifier, or templates would find the method of a dict under it.
    """
    if not _NAME.fullmatch(name) or hasattr(dict, name) or name in ("root", "dot"):
        raise ValueError(f"{name!r} cannot be the name of an input")
    return name


@dataclass(frozen=True, slots=True)
class Input:
    """One question of a blueprint.

    Attributes:
        name: As templates and answers call it.
        type: How the answer enters a template.
        pattern: Regular expression for the whole text, or for each of the texts; "" for any.
        longest: Most characters, of each of the texts.
        default: None where an answer is required.
    """

    name: str
    type: Type
    pattern: str = ""
    longest: int = 200
    default: Answer | None = None

    def check(self, answer: Answer) -> Answer:
        """Give an answer back when it fits.

        Raises:
            ValueError: It does not.
        """
        match self.type, answer:
            case Type.WORD, str():
                return self._word(answer)
            case Type.TEXT, str():
                return self._text(answer)
            case Type.INTEGER, int() if not isinstance(answer, bool):
                return _integer(answer)
            case Type.TEXTS, Sequence() if not isinstance(answer, str):
                return self._texts(answer)
            case _:
                raise ValueError(f"expected {self.type}, not {type(answer).__name__}")

    def _word(self, answer: str) -> str:
        if not _WORD.fullmatch(answer) or ".." in answer:
            raise ValueError(f"{answer[:80]!a} holds characters that are not allowed")
        return self._text(answer)

    def _text(self, answer: str) -> str:
        if len(answer) > self.longest:
            raise ValueError(f"{len(answer)} characters, {self.longest} at most")
        if not answer.isprintable():
            raise ValueError(f"{answer[:80]!a} holds control characters")
        if self.pattern and not re.fullmatch(self.pattern, answer, re.ASCII):
            raise ValueError(f"{answer[:80]!a} does not match {self.pattern}")
        return answer

    def _texts(self, answer: Sequence[str]) -> tuple[str, ...]:
        if len(answer) > MOST_TEXTS or not all(isinstance(one, str) for one in answer):
            raise ValueError(f"expected at most {MOST_TEXTS} texts")
        return tuple(self._text(one) for one in answer)


def _integer(answer: int) -> int:
    if not 0 <= answer <= LARGEST:
        raise ValueError(f"{answer} does not lie between 0 and {LARGEST}")
    return answer


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which blueprint wrote something.

    Attributes:
        version: Rises with every change that reaches the output.
        digest: sha256 over all its files.
    """

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A versioned set of templates with a closed input schema.

    Attributes:
        name: RFC 1123 label.
        version: Rises with every change that reaches the output.
        inputs: What may and must be answered.
        outputs: Every path it writes, with `[=cookiecutter.<input>=]` in it.
        template: Path below `template/` to bytes.
        digest: sha256 over all its files, blueprint.yaml included.
    """

    name: str
    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    template: Mapping[str, bytes]
    digest: str

    @property
    def stamp(self) -> Stamp:
        """Give what a lock remembers of it."""
        return Stamp(self.version, self.digest)

    def complete(self, answers: Mapping[str, Answer]) -> Mapping[str, Answer]:
        """Check answers and fill in the defaults.

        Returns:
            Every input by name.

        Raises:
            InputError: Every answer that is unknown, missing or does not fit.
        """
        problems = [*self._unknown(answers)]
        found: dict[str, Answer] = {}
        for one in self.inputs:
            answer = answers.get(one.name, one.default)
            if answer is None:
                problems.append(Problem(f"{self.name}: the answer {one.name!r} is missing"))
                continue
            try:
                found[one.name] = one.check(answer)
            except ValueError as error:
                problems.append(Problem(f"{self.name}: {one.name}: {error}"))
        if problems:
            raise InputError.many(problems)
        return found

    def _unknown(self, answers: Mapping[str, Answer]) -> Iterator[Problem]:
        known = [one.name for one in self.inputs]
        for name in sorted(set(answers) - set(known)):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known answers: {', '.join(known)}"
            yield Problem(f"{self.name}: unknown answer {name[:80]!a}", hint=hint)


def fill(path: str, words: Mapping[str, str]) -> str:
    """Put words into a path.

    Raises:
        ValueError: It holds another expression than the name of a word, or it climbs.
    """
    filled = _PLACEHOLDER.sub(lambda found: words.get(found.group(1), found.group()), path)
    if "[" in filled or any(part in ("", ".", "..") for part in filled.split("/")):
        raise ValueError(f"{path!a} cannot be the path of an output")
    return filled
