"""A newer blueprint, or other answers, meet what people have edited since.

Three versions of each file: as the blueprint wrote it then (the pristine tree), as it stands, and
as the blueprint writes it today. No edit is ever lost, and no file is ever brought back.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from generator import layout
from generator.changes import ChangeSet, Draft, Tree
from generator.documents.answers import write_answers
from generator.documents.lock import EMPTY, Lock
from generator.errors import InputError, Problem
from generator.intents.delivery import write_delivery
from generator.intents.setup import answers_of, lock_of, remember
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.answers import Answers
from generator.model.blueprint import Stamp
from generator.model.environment import Kind
from generator.model.merged import Merge
from generator.repository import Repository


class Fate(StrEnum):
    """What an update makes of one file."""

    ADD = "add"
    REPLACE = "replace"
    MERGE = "merge"
    DELETE = "delete"
    CONFLICT = "conflict"
    KEEP = "keep"
    AWAY = "stays away"


REASONS = {
    Fate.ADD: "the blueprint has it now",
    Fate.REPLACE: "nobody edited it",
    Fate.MERGE: "your edits and the blueprint's",
    Fate.DELETE: "the blueprint no longer writes it, and nobody edited it",
    Fate.CONFLICT: "you and the blueprint changed the same lines",
    Fate.KEEP: "the blueprint no longer writes it, but you edited it",
    Fate.AWAY: "the blueprint changed it, but you deleted it",
}
DONE = {
    Fate.ADD: "added",
    Fate.REPLACE: "replaced",
    Fate.MERGE: "merged",
    Fate.DELETE: "deleted",
    Fate.CONFLICT: "in conflict",
    Fate.KEEP: "kept",
    Fate.AWAY: "left away",
}
_NEW = (Fate.ADD, Fate.REPLACE)
Versions = tuple[bytes | None, bytes | None, bytes | None]  # yours, then, today


@dataclass(frozen=True, slots=True)
class Step:
    """One file of a plan.

    Attributes:
        path: Where it stands.
        fate: What becomes of it.
        data: Its bytes afterwards; None where it is not there.
    """

    path: RepoPath
    fate: Fate
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Plan:
    """An update before it is made.

    Attributes:
        steps: Files that change, or that a person should know about, in path order.
        blueprints: Those that have changed, as `name 1 -> 2`.
        change: Everything to write, copies and lock included; None when nothing differs.
    """

    steps: tuple[Step, ...]
    blueprints: tuple[str, ...]
    change: ChangeSet | None

    @property
    def conflicts(self) -> tuple[RepoPath, ...]:
        """List the files that a person has to mend."""
        return tuple(one.path for one in self.steps if one.fate is Fate.CONFLICT)


Scaffold = Callable[[Answers], tuple[Mapping[RepoPath, bytes], Mapping[str, Stamp]]]


def plan(
    repository: Repository,
    adapt: Callable[[Answers], Answers],
    scaffold: Scaffold,
    merge: Merge,
    asked: Asked,
) -> Plan:
    """Work out what an update does.

    Args:
        repository: What stands there.
        adapt: Gives the answers as they should be from now on.
        scaffold: Renders the blueprints of today.
        merge: Merges three versions of one file.
        asked: Who asks.

    Raises:
        InputError: The answers or the lock cannot be read; the answers no longer name what is
            there; the lock is of a newer blueprint; or today's blueprints do not take the answers.
    """
    tree = repository.tree
    lock = lock_of(tree)
    answers = adapt(answers_of(tree))
    _refuse_gone(repository, lock, answers)
    files, blueprints = scaffold(answers)
    _refuse_newer(lock, blueprints)
    steps = tuple(_steps(tree, lock, files, merge))
    draft = Draft(tree)
    draft.apply({one.path: one.data for one in steps})
    copies = dict(remember(EMPTY, files, blueprints))
    draft.write({layout.LOCK: copies.pop(layout.LOCK), layout.ANSWERS: write_answers(answers)})
    draft.replace(layout.PRISTINE, copies)
    with suppress(InputError):  # what cannot be read now stays as it is; verify names it
        write_delivery(draft)
    changed = draft.changes()
    moved = _moved(lock, blueprints)
    trailers = (*(("Blueprint", one) for one in moved), *asked.trailers())
    change = ChangeSet(tree.commit, changed, _subject(steps), _body(steps), trailers)
    return Plan(steps, moved, change if changed else None)


def _refuse_gone(repository: Repository, lock: Lock, answers: Answers) -> None:
    """An update never takes a model or an environment away, nor makes it another one."""
    problems = []
    for name in repository.environments():
        kind = answers.environments.get(name)
        if kind is None and layout.environment(name) in lock.files:
            problems.append(f"the environment {name!r} is there, but not in the answers")
        elif kind is not None and _kind(repository, name) not in (kind, None):
            problems.append(f"the environment {name!r} is no {kind} and cannot become one")
    for name in repository.models():
        if name not in answers.models and layout.model(name) in lock.files:
            problems.append(f"the model {name!r} is there, but not in the answers")
    if problems:
        hint = "put it back: an update takes nothing away"
        raise InputError.many([Problem(one, layout.ANSWERS, hint=hint) for one in problems])


def _kind(repository: Repository, environment: str) -> Kind | None:
    try:
        return repository.environment(environment).kind
    except InputError:
        return None


def _refuse_newer(lock: Lock, blueprints: Mapping[str, Stamp]) -> None:
    for name, stamp in blueprints.items():
        then = lock.blueprints.get(name, stamp)
        if then.version > stamp.version:
            text = f"blueprint {name} was version {then.version} here, this tidegate has version"
            hint = "use the tidegate that wrote the lock, or a newer one"
            raise InputError(f"{text} {stamp.version}", file=layout.LOCK, hint=hint)


def _moved(lock: Lock, blueprints: Mapping[str, Stamp]) -> tuple[str, ...]:
    found = []
    for name, stamp in sorted(blueprints.items()):
        then = lock.blueprints.get(name)
        if then != stamp:
            start = f"{then.version} -> " if then is not None else ""
            found.append(f"{name} {start}{stamp.version}")
    return tuple(found)


def _steps(tree: Tree, lock: Lock, files: Mapping[RepoPath, bytes], merge: Merge) -> Iterator[Step]:
    paths = sorted({*lock.files, *files})
    here = tree.read_many(paths)
    copies = tree.read_many(map(layout.pristine, lock.files))
    for path in paths:
        then, today = copies.get(layout.pristine(path)), files.get(path)
        one = _step(path, (here.get(path), then, today), merge)
        if one is not None:
            yield one


def _step(path: RepoPath, versions: Versions, merge: Merge) -> Step | None:
    yours, then, today = versions
    if today == yours or (today == then and today is not None):
        return None
    fate = _fate(yours, then, today)
    if fate is Fate.MERGE:
        merged = merge(yours or b"", then or b"", today or b"")
        return Step(path, fate if merged.is_clean else Fate.CONFLICT, merged.data)
    return Step(path, fate, yours if fate is Fate.KEEP else today if fate in _NEW else None)


def _fate(yours: bytes | None, then: bytes | None, today: bytes | None) -> Fate:
    if yours is None:
        return Fate.ADD if then is None else Fate.AWAY
    if yours == then:
        return Fate.REPLACE if today is not None else Fate.DELETE
    return Fate.MERGE if today is not None else Fate.KEEP


def _subject(steps: Sequence[Step]) -> str:
    counts = Counter(one.fate for one in steps)
    told = [f"{counts[fate]} {DONE[fate]}" for fate in DONE if counts[fate]]
    return f"update from the blueprints: {', '.join(told) or 'only the copies'}"


def _body(steps: Sequence[Step]) -> str:
    return "".join(f"{one.fate}: {one.path}\n" for one in steps)
