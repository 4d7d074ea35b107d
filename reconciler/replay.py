"""Every decision of a rollout made again from its evidence alone, and compared with what stands.

Nothing but the chain is looked at: its recordings go through a fresh judge with the settings that
each decision was made with, and the verdicts through the rules of the policy.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isclose
from typing import Any

from generator import layout
from generator.changes import Tree
from generator.documents.config import read_time
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.rollout import Rollout
from generator.model.spans import parse_span
from reconciler import basis
from reconciler.analysis import Judge, ObjectiveVerdict, Settings, overall
from reconciler.policy import Escalate, Hold, Revert, decide
from reconciler.record import Chain, name_of, numbers, say
from reconciler.recording import ObjectivesLine

MOST_COMMITS = 1_000_000
EXACT = ("verdict", "at", "events", "bad")
# Numbers stand rounded, and the last digit may fall otherwise on another processor.
ROUNDED: Mapping[str, float] = {
    "eBad": 0.0,
    "eBadMax": 0.0,
    "eOk": 0.0,
    "expectedBad": 0.011,
    "ratio": 0.0011,
    "detectableRatio": 0.06,  # a step of the grid that it is searched on
}
CLOSE = 1e-4
_WRITTEN = re.compile(r"(evidence/([^/@\s]+)/([^/@\s]+)/([^/@\s]+)/[^/@\s]+\.json)@\S+", re.ASCII)
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that stands otherwise in the evidence than it comes out now.

    Attributes:
        what: `verdict`, `decision`, `soakedSeconds`, or `<objective> <number>`.
        stored: As it stands.
        replayed: As it comes out.
    """

    what: str
    stored: object
    replayed: object


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision, made again.

    Attributes:
        path: Its evidence.
        decision: The word that stands there.
        at: When it was made.
        from_percent: Where the rollout stood, as text.
        to_percent: Where it went, as text.
        verdict: As it comes out now.
        objectives: The numbers as they come out now, as `record.numbers` writes them.
        differences: Empty when it is the same.
        left_out: What could not be made again, since the evidence is older than that, or "".
    """

    path: RepoPath
    decision: str
    at: datetime
    from_percent: str
    to_percent: str
    verdict: str
    objectives: tuple[Mapping[str, Any], ...]
    differences: tuple[Difference, ...]
    left_out: str = ""


def rollouts(tree: Tree) -> Mapping[str, tuple[Rollout, tuple[RepoPath, ...]]]:
    """List every rollout that ever had evidence, by id, with the documents that commits wrote.

    Those whose files are gone are there, too: the commits still tell of them.
    """
    found: dict[str, tuple[Rollout, dict[RepoPath, None]]] = {}
    for path in sorted({*tree.ids(layout.EVIDENCE), *_written(tree)}):
        parts = path.split("/")
        if len(parts) == 5:
            _, environment, model, name, _ = parts
            entry = found.setdefault(name, (Rollout(model, environment, id=name), {}))
            entry[1].update(dict.fromkeys([path] if path.endswith(".json") else []))
    return {name: (rollout, tuple(paths)) for name, (rollout, paths) in found.items()}


def _written(tree: Tree) -> Iterator[RepoPath]:
    for commit in tree.log((layout.EVIDENCE,), MOST_COMMITS, every_parent=True):
        told = _WRITTEN.fullmatch(commit.trailers.get("Evidence", ""))
        if told:
            yield told[1]


def replay(chain: Chain) -> Iterator[Replayed]:
    """Make every decision of a rollout again, one after the other.

    Args:
        chain: Its evidence, whole and undamaged.

    Raises:
        InputError: A document does not hold what a decision holds, or a recording contradicts
            itself.
    """
    heard: _Heard | None = None
    for number, entry in enumerate(chain.entries):
        if "policy" not in entry:
            continue
        path = chain.paths[number]
        try:
            settings = basis.settings_of(entry["policy"], chain.share)
            # A person may edit the margins meanwhile; the judge then weighs everything anew.
            if heard is None or heard.settings != settings:
                heard = _Heard(settings)
            yield _again(path, entry, chain, heard.hear(chain, number))
        except InputError as error:
            raise InputError(error.problems[0].message, file=path) from error
        except _DAMAGE as error:
            text = f"this cannot be made again: {type(error).__name__}: {error}"
            raise InputError(text, file=path) from error


class _Heard:
    """A judge and how many pieces it has heard; mutable."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._judge = Judge(settings)
        self._pieces = 0

    def hear(self, chain: Chain, number: int) -> list[basis.Heard]:
        """Hear everything up to a piece, and give what its own lines led to."""
        for piece in chain.pieces[self._pieces : number]:
            for line in piece:
                self._judge.feed(line, decide=False)
        self._pieces = number + 1
        return [(line, self._judge.feed(line)) for line in chain.pieces[number]]


def _again(
    path: RepoPath, entry: Mapping[str, Any], chain: Chain, heard: list[basis.Heard]
) -> Replayed:
    verdicts = tuple({one.objective: one for _, one in heard if one}.values())
    lacks = basis.missing(entry)
    decided = () if lacks else tuple(_decision(path, entry, chain, heard, verdicts))
    return Replayed(
        path=path,
        decision=str(entry["decision"]),
        at=read_time(entry["at"]),
        from_percent=str(entry["fromPercent"]),
        to_percent=str(entry["toPercent"]),
        verdict=overall(verdicts).value,
        objectives=tuple(numbers(one) for one in verdicts),
        differences=(*_numbers(entry, verdicts), *decided),
        left_out=f"only the verdict: this evidence does not hold {lacks[0]}" if lacks else "",
    )


def _numbers(
    entry: Mapping[str, Any], verdicts: tuple[ObjectiveVerdict, ...]
) -> Iterator[Difference]:
    verdict = overall(verdicts).value
    if verdict != entry["verdict"]:
        yield Difference("verdict", entry["verdict"], verdict)
    stored = {one["objective"]: one for one in entry["objectives"]}
    replayed = {one.objective: numbers(one) for one in verdicts}
    for name in [*stored, *(name for name in replayed if name not in stored)]:
        if name not in stored or name not in replayed:
            yield Difference(f"{name} objective", name in stored, name in replayed)
            continue
        yield from _objective(name, stored[name], replayed[name])


def _objective(
    name: str, stored: Mapping[str, Any], replayed: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in EXACT:
        if stored[key] != replayed[key]:
            yield Difference(f"{name} {key}", stored[key], replayed[key])
    for key, step in ROUNDED.items():
        if not _is_close(stored[key], replayed[key], step):
            yield Difference(f"{name} {key}", stored[key], replayed[key])
    codes = [[one["code"] for one in each["reasons"]] for each in (stored, replayed)]
    if codes[0] != codes[1]:
        yield Difference(f"{name} reasons", *codes)


def _is_close(stored: float | None, replayed: float | None, step: float) -> bool:
    if stored is None or replayed is None:
        return stored is replayed
    return isclose(stored, replayed, rel_tol=CLOSE, abs_tol=step)


def _decision(
    path: RepoPath,
    entry: Mapping[str, Any],
    chain: Chain,
    heard: list[basis.Heard],
    verdicts: tuple[ObjectiveVerdict, ...],
) -> Iterator[Difference]:
    interval = parse_span(entry["policy"]["interval"])
    soaked = basis.soaked(heard, read_time(entry["since"]), interval, _objectives(chain))
    if (stored := timedelta(seconds=entry["soakedSeconds"])) != soaked:
        yield Difference("soakedSeconds", int(stored.total_seconds()), int(soaked.total_seconds()))
    _, environment, model, name, _ = path.split("/")
    rollout = Rollout(model, environment, id=name)
    decision = decide(basis.situation_of(entry, rollout, verdicts, soaked))
    code = decision.code if isinstance(decision, Revert) else ""
    told = (entry["decision"], entry["toPercent"], entry["code"])
    if isinstance(decision, Hold | Escalate):
        kind = f"hold [{decision.code}]" if isinstance(decision, Hold) else "escalate"
        yield Difference("decision", _say(*told), f"{kind}: {say(decision)}")
        return
    word, to = name_of(decision)
    found = (word, str(to) if to is not None else "0", code)
    if told != found:
        yield Difference("decision", _say(*told), _say(*found))


def _say(word: str, to: str, code: str) -> str:
    return f"{word} to {to}%" + (f" [{code}]" if code else "")


def _objectives(chain: Chain) -> int:
    lines = (line for piece in chain.pieces[:1] for line in piece)
    return sum(len(line.weights) for line in lines if isinstance(line, ObjectivesLine))
