"""Every command that the generated README, runbooks and Makefile tell people to type exists."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from tidegate.cli import COMMANDS
from tidegate.cli import tidegate as program

ROOT = Path(__file__).resolve().parents[2] / "blueprints/repository/template"
PAGES = (ROOT / "README.md", ROOT / "Makefile", *sorted(ROOT.glob("docs/runbooks/*.md")))
MAKE = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
# Words in a runbook may go on in the next line.
CODE = re.compile(r"^```\n(.*?)^```|`([^`]+)`", re.MULTILINE | re.DOTALL)


def spoken(path: Path) -> list[str]:
    """List the pieces of code of a page, each as one line."""
    text = path.read_text()
    if path.name == "Makefile":
        return [line.strip().replace("$(TIDEGATE)", "tidegate") for line in text.split("\n")]
    found: list[str] = []
    for block, word in CODE.findall(text):
        found += block.split("\n") if block else [" ".join(word.split())]
    return found


def commands() -> Iterator[Any]:
    for path in PAGES:
        for text in spoken(path):
            if text.startswith("tidegate "):
                yield pytest.param(text, id=f"{path.name}: {text[:60]}")


@cache
def context() -> click.Context:
    return click.Context(program, info_name="tidegate")


def parse(text: str) -> click.Command:
    """Walk down to the command that a line names, and hold its words against its options."""
    words = shlex.split(text)[1:]
    command: click.Command = program
    ctx = context()
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(ctx, words)
        assert found is not None, text
        command, ctx = found, click.Context(found, info_name=name, parent=ctx)
    if any("<" in word or "..." in word for word in words) or words or "=" in text:
        _check_options(command, words)
    return command


def _check_options(command: click.Command, words: list[str]) -> None:
    """A placeholder such as <env> is no value that a type takes; its option must be there."""
    known = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    unknown = [word for word in given if word not in known]
    assert unknown == [], f"{command.name} has no {unknown}"
    values = 0
    for number, word in enumerate(words):
        option = known.get(word)
        if isinstance(option, click.Option) and not option.is_flag and not option.count:
            assert number + 1 < len(words), f"{word} of {command.name} needs a value"
            values += 1
    arguments = len(words) - len(given) - values
    wanted = [one for one in command.params if isinstance(one, click.Argument)]
    most = sum(one.nargs for one in wanted) if all(one.nargs > 0 for one in wanted) else 99
    assert arguments <= most, f"{command.name} takes {most} arguments, not {arguments}"


@pytest.mark.parametrize("text", tuple(commands()))
def test_a_command_exists_with_its_options(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "tidegate plan-everything",
        "tidegate status --wait",
        "tidegate site drop plant-1",
        "tidegate site add <site> --hardwre gpu",
        "tidegate site add <site> another --env <env>",
        "tidegate pause <model> --env",
    ],
)
def test_a_command_that_is_not_there_would_be_found(text: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(text)


def test_the_pages_name_what_people_need() -> None:
    named = {text.split()[1] for path in PAGES for text in spoken(path) if "tidegate " in text[:9]}
    verbs = {"status", "promote", "set-percent", "pause", "resume", "revert", "verify", "expand"}
    assert verbs | {"site", "update"} <= named <= {*COMMANDS}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_target_of_make_exists(path: Path) -> None:
    asked = (text.split()[1] for text in spoken(path) if text.startswith("make "))
    assert set(asked) <= set(MAKE)


def test_every_runbook_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\(docs/runbooks/([a-z-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {path.name for path in PAGES if path.parent.name == "runbooks"}


def test_a_runbook_names_files_that_the_blueprints_write() -> None:
    """The table of the host's files is complete, and the script's settings are its own."""
    k3s = next(ROOT.parent.parent.glob("environment-edge-k3s/template/environments/*/k3s"))
    page = (ROOT / "docs/runbooks/set-up-site.md").read_text()
    rows = [row for row in page.split("\n") if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert named == {f"{p.name}/" if p.is_dir() else p.name for p in k3s.iterdir()}
    script = (k3s / "prepull.sh").read_text()
    assert set(re.findall(r"TIDEGATE_[A-Z]+", page)) <= set(re.findall(r"TIDEGATE_[A-Z]+", script))
    service = (k3s / "tidegate-prepull.service").read_text()
    for place in ("/usr/local/lib/tidegate/prepull.sh", "/etc/tidegate/prepull.env"):
        assert place in page
        assert place in service
