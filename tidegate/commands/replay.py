"""`tidegate replay`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import click

from generator.changes import Tree
from generator.documents.config import write_time
from generator.errors import ExitCode, InputError
from generator.layout import RepoPath
from generator.model.rollout import Rollout
from reconciler.record import check_newest, read_chain
from reconciler.replay import Difference, Replayed, rollouts
from reconciler.replay import replay as decisions_of
from tidegate.place import Place, looking

GONE = "the evidence that a commit wrote is gone"
RESTORE = "restore the file from the commit that wrote it"


@dataclass(frozen=True, slots=True)
class _Told:
    """One rollout: its decisions as they come out now, and what is damaged."""

    rollout: Rollout
    decisions: tuple[Replayed, ...]
    trouble: str = ""

    @property
    def is_same(self) -> bool:
        """Say whether everything came out as it stands."""
        return not self.trouble and not any(one.differences for one in self.decisions)


@click.command
@click.argument("rollout", default="")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@looking
def replay(where: Place, *, rollout: str, as_json: bool) -> None:
    """Make every decision in Git again from its evidence alone, and compare.

    Each recording is judged anew with the settings that stand beside it, and the policy decides
    anew on the verdict. ROLLOUT is an id such as edge-k3s-defect-detector-v13-3f9a1c2b-1; without
    it every rollout is looked at, ended ones too. Nothing but Git is read.

    Exits with 1 when something comes out otherwise than it stands, is damaged or is gone; each is
    named: which decision, which number, what stands there and what comes out.

    \b
    tidegate replay
    tidegate replay edge-k3s-defect-detector-v13-3f9a1c2b-1 --json
    tidegate replay --repo https://git.example/fleet.git
    """
    tree = where.tree()
    found = rollouts(tree)
    if rollout and rollout not in found:
        near = get_close_matches(rollout, found, 1, 0.0)
        hint = f"did you mean {near[0]}?" if near else "no rollout has any evidence yet"
        raise InputError(f"no evidence of a rollout {rollout!r}", hint=hint)
    names = [rollout] if rollout else list(found)
    told = []
    for number, name in enumerate(names, 1):
        click.echo(f"replays {name} ({number} of {len(names)})", err=True)
        told.append(_one(tree, *found[name]))
        if not as_json:
            click.echo("\n".join(_text(told[-1])))
    click.echo(json.dumps([_data(one) for one in told], indent=2) if as_json else _sum(told))
    sys.exit(ExitCode.DONE if all(one.is_same for one in told) else ExitCode.INPUT)


def _one(tree: Tree, rollout: Rollout, written: Sequence[RepoPath]) -> _Told:
    decisions: list[Replayed] = []
    try:
        chain = read_chain(tree, rollout)
        check_newest(tree, chain)
        gone = [path for path in written if path not in chain.paths]
        if gone:
            raise InputError(GONE, file=gone[0], hint=RESTORE)
        for one in decisions_of(chain):
            decisions.append(one)
            click.echo(f"  {_name(one.path)}", err=True)
    except InputError as error:
        return _Told(rollout, tuple(decisions), str(error).replace("\n", " | "))
    return _Told(rollout, tuple(decisions))


def _text(told: _Told) -> Iterator[str]:
    yield f"{told.rollout.id}   {_summary(told)}"
    for one in told.decisions:
        outcome = "DIFFERS" if one.differences else "same"
        words = f"{one.from_percent}% -> {one.to_percent}%"
        yield (
            f"  {_name(one.path):<14} {words:<13} {write_time(one.at)}  {one.verdict:<9}  {outcome}"
        )
        yield from (f"    {_say(each)}" for each in one.differences)
        if one.left_out:
            yield f"    {one.left_out}"
    if told.trouble:
        yield f"  error: {told.trouble}"


def _summary(told: _Told) -> str:
    plural = _count(len(told.decisions), "decision")
    if told.trouble:
        return f"{plural}, then damaged"
    differ = sum(bool(one.differences) for one in told.decisions)
    return f"{plural}, {differ} differ" if differ else f"{plural}, all the same"


def _say(one: Difference) -> str:
    return f"{one.what}: {one.stored} stands there, {one.replayed} comes out"


def _name(path: RepoPath) -> str:
    return path.rpartition("/")[2].removesuffix(".json")


def _sum(told: Sequence[_Told]) -> str:
    decisions = sum(len(one.decisions) for one in told)
    other = sum(not one.is_same for one in told)
    text = f"{_count(len(told), 'rollout')}, {_count(decisions, 'decision')}"
    return (
        f"{text}: {_count(other, 'rollout')} not as it stands" if other else f"{text}: all the same"
    )


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"


def _data(told: _Told) -> Mapping[str, Any]:
    return {
        "rollout": told.rollout.id,
        "environment": told.rollout.environment,
        "model": told.rollout.model,
        "same": told.is_same,
        "trouble": told.trouble or None,
        "decisions": [
            {
                "path": one.path,
                "decision": one.decision,
                "at": write_time(one.at),
                "fromPercent": one.from_percent,
                "toPercent": one.to_percent,
                "verdict": one.verdict,
                "same": not one.differences,
                "differences": [
                    {"what": each.what, "stored": each.stored, "replayed": each.replayed}
                    for each in one.differences
                ],
                "leftOut": one.left_out or None,
                "objectives": [dict(each) for each in one.objectives],
            }
            for one in told.decisions
        ],
    }
