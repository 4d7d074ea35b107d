"""`tidegate audit`."""

import json
import sys
from datetime import UTC, datetime

import click

from generator.changes import one_line
from generator.documents.config import read_time, write_time
from generator.errors import ExitCode, InputError
from reconciler.audit import Audit, Event
from reconciler.audit import audit as look
from tidegate.place import Place, looking


@click.command
@click.option("--since", default="", metavar="DATE", help="Nothing older: 2026-11-01, or RFC 3339.")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@looking
def audit(where: Place, *, since: str, as_json: bool) -> None:
    """Tell who moved what, when and on which evidence, and check that it all agrees.

    Every commit is held against the files that it left behind, its verdict against its evidence,
    its number against its neighbours; all evidence is read through its chain of digests. Nothing
    but Git is read.

    Exits with 1 when something does not agree; each is named.

    \b
    tidegate audit
    tidegate audit --since 2026-11-01
    tidegate audit --repo https://git.example/fleet.git --json
    """
    found = look(where.repository(where.tree()), _since(since))
    click.echo(json.dumps(_data(found), indent=2) if as_json else "\n".join(_text(found)))
    sys.exit(ExitCode.INPUT if found.doubts else ExitCode.DONE)


def _since(text: str) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) == len("2026-11-01"):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return read_time(text)
    except ValueError as error:
        raise InputError(f"--since: {error}", hint="write 2026-11-01") from None


def _text(found: Audit) -> list[str]:
    lines = [line for one in found.events for line in _event(one)]
    lines += [f"DOUBT {one.where}: {one.text}" for one in found.doubts]
    moves = f"{len(found.events)} commit{'' if len(found.events) == 1 else 's'}"
    doubts = f"{len(found.doubts)} do not agree" if found.doubts else "everything agrees"
    return [*lines, f"{moves}: {doubts}"]


def _event(one: Event) -> list[str]:
    told = one.commit.trailers
    how = told.get("Verdict") or ("tidegate" if one.is_ours else "by hand")
    head = f"{write_time(one.commit.at)}  {one.commit.id[:12]}  {how:<9}  "
    lines = [head + one_line(one.commit.subject, 120)]
    parts = [f"by {one_line(one.by, 100)}"]
    parts += [f"evidence {one.evidence}"] if one.evidence else []
    parts += [f"because {one_line(told['Reason'], 200)}"] if told.get("Reason") else []
    return [*lines, f"    {', '.join(parts)}"]


def _data(found: Audit) -> dict[str, object]:
    return {
        "agrees": not found.doubts,
        "commits": [dict(one.data()) for one in found.events],
        "doubts": [{"where": one.where, "text": one.text} for one in found.doubts],
    }
