"""Update a repository from the blueprints of this tidegate."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from generator.changes import ChangeSet, Draft, Tree, one_line
from generator.errors import InputError
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.merging import merge
from generator.intents.setup import pieces
from generator.intents.update import REASONS, Plan, plan
from generator.intents.words import Asked
from generator.lint import Finding, Severity, lint
from generator.model.answers import Answers
from generator.model.blueprint import Stamp
from generator.repository import Repository
from tidegate.place import Place
from tidegate.scaffolding import scaffold
from tidegate.starting import kinds

MOST_SHOWN = 20


class Updater:
    """Plan an update, show it, or make it."""

    def __init__(self, place: Place, adapt: Callable[[Answers], Answers]) -> None:
        """Take the place, and what becomes of its answers."""
        self._place = place
        self._adapt = adapt

    def plan(self, repository: Repository, asked: Asked) -> Plan:
        """Work out what would change."""
        return plan(repository, self._adapt, _scaffold, merge, asked)

    def show(self, *, as_json: bool) -> bool:
        """Print plan and diff, and write nothing.

        Returns:
            Whether anything would change.
        """
        tree = self._place.tree()
        found = self.plan(Repository(tree), Asked())
        if as_json:
            click.echo(json.dumps(_as_data(found), indent=2))
        else:
            click.echo(
                "".join(f"{line}\n" for line in (*_told(found), *_diff(tree, found))), nl=False
            )
        return found.change is not None

    def commit(self) -> str | None:
        """Make the update: one commit, or files with conflicts for a person to finish.

        Raises:
            InputError: There are conflicts, or `verify` would find new errors.
        """
        self._finish_conflicts()

        def intent(have: Repository, asked: Asked) -> ChangeSet | None:
            found = self.plan(have, asked)
            if found.change is not None:
                _refuse_broken(found.change, have.tree, self._place.now)
            return found.change

        return self._place.change(intent)

    def _finish_conflicts(self) -> None:
        opened = self._place.open()
        tree = self._place.tree()
        found = self.plan(Repository(tree), Asked())
        for line in _told(found):
            click.echo(line, err=True)
        if not found.conflicts or found.change is None:
            return
        named = ", ".join(found.conflicts)
        if not isinstance(opened, Checkout):
            raise InputError(f"conflicts in {named}", hint="run it in a checkout, without --repo")
        opened.spread(found.change)
        hint = "mend the lines between the markers, tidegate verify, git add -A, git commit"
        raise InputError(f"written, but not committed, for conflicts in {named}", hint=hint)


def _scaffold(answers: Answers) -> tuple[Mapping[str, bytes], Mapping[str, Stamp]]:
    return scaffold(pieces(answers))


def adapted(answers: Answers, texts: Mapping[str, Any], environments: tuple[str, ...]) -> Answers:
    """Put new answers in the place of old ones.

    Args:
        answers: As they stand.
        texts: Name of an answer to its text; those that were not given are left out.
        environments: `NAME[=KIND]` to add.

    Raises:
        InputError: Not a kind or not a name.
    """
    more = kinds(environments)
    changed = replace(answers, environments={**answers.environments, **more}, **texts)
    changed.check()
    return changed


def _told(found: Plan) -> Iterator[str]:
    for one in found.blueprints:
        yield f"blueprint {one}"
    for step in found.steps:
        yield f"{step.fate:<10} {one_line(step.path)}  ({REASONS[step.fate]})"


def _diff(tree: Tree, found: Plan) -> Iterator[str]:
    """Show what people will see; the copies and the lock follow from it."""
    for step in found.steps:
        before = tree.read(step.path)
        if step.data == before:
            continue
        old, new = (_lines(before), _lines(step.data))
        names = (
            f"a/{step.path}" if before is not None else "/dev/null",
            (f"b/{step.path}" if step.data is not None else "/dev/null"),
        )
        yield from difflib.unified_diff(old, new, *names, lineterm="")


def _lines(data: bytes | None) -> list[str]:
    return [_shown(line) for line in (data or b"").decode("utf-8", "replace").split("\n")]


def _shown(line: str) -> str:
    # A file is foreign text: it must not speak to the terminal.
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in line)


def _as_data(found: Plan) -> Mapping[str, object]:
    steps = [{"path": one.path, "fate": one.fate.value} for one in found.steps]
    return {
        "changes": found.change is not None,
        "blueprints": list(found.blueprints),
        "files": steps,
    }


def _refuse_broken(change: ChangeSet, tree: Tree, now: datetime) -> None:
    """A merge can be clean line by line, and still no longer mean anything."""
    draft = Draft(tree)
    draft.apply(change.files)
    after = _errors(lint(Repository(draft), now))
    new = after - _errors(lint(Repository(tree), now)) if after else after
    if new:
        listed = "; ".join(sorted(new)[:MOST_SHOWN])
        hint = "tidegate update --dry-run shows the change"
        raise InputError(f"verify would refuse the result: {listed}", hint=hint)


def _errors(findings: tuple[Finding, ...]) -> frozenset[str]:
    return frozenset(
        f"{one.file}: [{one.rule}] {one.message}"
        for one in findings
        if one.severity is Severity.ERROR
    )
