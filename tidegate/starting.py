"""Make the folder of a new repository: whole, or not at all."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from generator import layout
from generator.changes import Committed
from generator.documents.answers import write_answers
from generator.documents.sites import read_csv
from generator.errors import InputError, RemoteError
from generator.gitrepo.checkout import Checkout, start_checkout
from generator.gitrepo.commit import Person
from generator.intents.setup import initial, pieces
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.model.site import Site
from tidegate.scaffolding import scaffold

FIRST_CLUSTER = Site("eu-central-1", "eu-central-1", "eu-central-1")


def kinds(texts: Iterable[str]) -> Mapping[str, Kind]:
    """Read `NAME[=KIND]`.

    Raises:
        InputError: Not a kind, or the same name twice.
    """
    found: dict[str, Kind] = {}
    for text in texts:
        name, _, kind = text.partition("=")
        try:
            value = Kind(kind or name)
        except ValueError:
            known = ", ".join(one.value for one in Kind)
            hint = f"write NAME=KIND with one of {known}"
            raise InputError(f"--environment {text!r} names no kind", hint=hint) from None
        if name in found:
            raise InputError(f"--environment {name!r} stands there twice")
        found[name] = value
    return found


def read_sites(answers: Answers, texts: Sequence[str]) -> Mapping[str, Sequence[Site]]:
    """Read `[ENV=]FILE.csv`.

    Raises:
        InputError: An environment that is not made, a file that is not there, or its problems.
    """
    found: dict[str, Sequence[Site]] = {}
    for text in texts:
        name, file = _place(answers, text)
        if name in found:
            raise InputError(f"--sites is given twice for {name!r}")
        if not file.is_file():
            raise InputError("there is no such file", file=str(file))
        rows = read_csv(
            str(file), file.read_bytes(), needs_hardware=answers.environments[name] is Kind.EDGE
        )
        found[name] = sorted((site for _, site in rows), key=lambda site: site.id)
    for name, kind in answers.environments.items():
        if kind is Kind.CLOUD:
            found.setdefault(name, (FIRST_CLUSTER,))
    return found


def _place(answers: Answers, text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if equals and name in answers.environments:
        return name, Path(file)
    if equals and not Path(text).exists():
        listed = ", ".join(answers.environments)
        raise InputError(f"--sites {text!r}: no environment {name!r}", hint=f"made: {listed}")
    edge = [one for one, kind in answers.environments.items() if kind is Kind.EDGE]
    return (edge or list(answers.environments))[0], Path(text)


def start(
    folder: Path,
    answers: Answers,
    sites: Mapping[str, Sequence[Site]],
    now: datetime,
    person: Person | None = None,
) -> bool:
    """Make the repository beside its place and move it there in one rename.

    Returns:
        False when it is there already, made with the same words.

    Raises:
        InputError: Something else is there.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        return _refuse_other(folder, answers)
    files, blueprints = scaffold(pieces(answers))
    change = initial(answers, files, blueprints, sites)
    beside = _make_beside(folder)
    try:
        checkout = start_checkout(beside, answers.branch, answers.remote)
        outcome = checkout.land(change, person or checkout.person(), now)
        if not isinstance(outcome, Committed):
            raise RemoteError("Git", f"the first commit was not made: {outcome}")
        beside.chmod(0o755)
        beside.rename(folder.resolve())  # also over an empty folder
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return True


def _make_beside(folder: Path) -> Path:
    place = folder.resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from error


def _refuse_other(folder: Path, answers: Answers) -> bool:
    data = None
    with suppress(InputError):
        there = Checkout(folder) if folder.is_dir() else None
        if there and there.folder == folder.resolve():
            data = there.head().read(layout.ANSWERS)
    if data is None:
        raise InputError(f"{folder} is not empty", hint="name a folder that does not exist yet")
    if data != write_answers(answers):
        hint = "tidegate model add, tidegate site import, or edit tidegate.yaml"
        raise InputError(f"{folder} is a fleet repository made with other words", hint=hint)
    return False
