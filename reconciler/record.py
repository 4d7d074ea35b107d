"""The record of a decision: evidence files, trailers, one sentence a person understands.

Evidence is append-only and forms a chain: each file names the digest of the one before and of
its own recording, taken over the uncompressed bytes. The recordings of a rollout, one after the
other, are everything the judge has seen, so every past decision can be replayed from Git alone.
"""

import gzip
import hashlib
import io
import itertools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from generator import layout
from generator.changes import Tree, one_line
from generator.documents.config import read_time, write_time
from generator.errors import InputError
from generator.intents.moves import Attached
from generator.layout import RepoPath
from generator.model.percent import Percent
from generator.model.rollout import Rollout
from reconciler import recording
from reconciler.analysis import Code, ObjectiveVerdict, overall
from reconciler.basis import adoption_data
from reconciler.policy import Advance, Decision, Escalate, Hold, Revert, Situation

HISTORY = "history"
SEEN = "seen"
UNCOMPARED = {Code.NO_CONCURRENT_STABLE, Code.TOO_FEW_STABLE, Code.NOT_COMPARED}
MOST_RECORDING_BYTES = 2**30
MOST_COMMITS = 500
RESTORE = "evidence is append-only: restore the file from the commit that wrote it"


@dataclass(frozen=True, slots=True)
class Chain:
    """The evidence of one rollout that stands in Git.

    Attributes:
        entries: The JSON documents, in order.
        paths: Their paths.
        pieces: Their recordings.
        digest: Digest of the newest document; "" before the first.
    """

    entries: tuple[Mapping[str, Any], ...] = ()
    paths: tuple[RepoPath, ...] = ()
    pieces: tuple[tuple[recording.Line, ...], ...] = ()
    digest: str = ""

    @property
    def lines(self) -> tuple[recording.Line, ...]:
        """Give all recordings, one after the other."""
        return tuple(itertools.chain.from_iterable(self.pieces))

    @property
    def through(self) -> datetime | None:
        """Give the newest tick that stands in Git; None before the history."""
        return read_time(self.entries[-1]["through"]) if self.entries else None

    @property
    def seen(self) -> Mapping[str, datetime]:
        """Say when the reconciler first saw a person's step, by commit."""
        told = [(one["step"], read_time(one["at"])) for one in self.entries if one.get("step")]
        return dict(reversed(told))

    @property
    def asked(self) -> Mapping[str, Sequence[str]] | None:
        """Give what is asked of the metrics API, by objective; None where that is not told."""
        return self.entries[0].get("asked") if self.entries else None

    @property
    def share(self) -> tuple[float, float] | None:
        """Give the share of (canary, stable) sites that reported before; None if none did."""
        share = float(self.entries[0]["reportingShare"]) if self.entries else 0.0
        return (share, share) if share > 0 else None


def read_chain(tree: Tree, rollout: Rollout) -> Chain:
    """Read the evidence of a rollout and check the chain.

    Raises:
        InputError: A file is missing or was changed.
    """
    under = layout.evidence(rollout.environment, rollout.model, rollout.id)
    paths = tuple(path for path in tree.ids(under) if path.endswith(".json"))
    data = tree.read_many([*paths, *(layout.recording(path) for path in paths)])
    entries: list[Mapping[str, Any]] = []
    pieces: list[tuple[recording.Line, ...]] = []
    digest = ""
    for number, path in enumerate(paths):
        entry = _read_entry(path, data[path], number)
        if (entry["number"], entry["previous"]) != (number, digest):
            odd = _not_as_written(tree, under, {one: _sha256(data[one]) for one in paths})
            text = "the chain of evidence is broken here"
            raise InputError(text, file=next(iter(odd), path), hint=RESTORE)
        pieces.append(tuple(_read_recording(layout.recording(path), data, entry)))
        entries.append(entry)
        digest = _sha256(data[path])
    return Chain(tuple(entries), paths, tuple(pieces), digest)


def _read_entry(path: RepoPath, data: bytes, number: int) -> Mapping[str, Any]:
    try:
        entry = dict(json.loads(data))
        _check_entry(entry, number)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("not a piece of evidence", file=path, hint=RESTORE) from error
    return entry


def _check_entry(entry: Mapping[str, Any], number: int) -> None:
    for key in ("through", "at"):
        read_time(entry[key])
    for key, kind in (("number", int), ("previous", str), ("recording", str)):
        if type(entry[key]) is not kind:
            raise TypeError(f"{key} is of another type")
    if number == 0 and not 0 <= entry["reportingShare"] <= 1:
        raise ValueError("a share lies between 0 and 1")


def check_newest(tree: Tree, chain: Chain) -> None:
    """Compare the newest document, which no later one vouches for, with its commit's trailer.

    Raises:
        InputError: No commit wrote it just so.
    """
    if not chain.paths:
        return
    path = chain.paths[-1]
    if _not_as_written(tree, path, {path: chain.digest}):
        raise InputError("no commit wrote this evidence as it stands", file=path, hint=RESTORE)


def _not_as_written(
    tree: Tree, under: RepoPath, digests: Mapping[RepoPath, str]
) -> Sequence[RepoPath]:
    """List the documents that differ from what the trailers of their commits say."""
    commits = tree.log((under,), MOST_COMMITS, every_parent=True)
    told = {one.trailers.get("Evidence") for one in commits}
    return [path for path, digest in digests.items() if f"{path}@{digest}" not in told]


def _read_recording(
    path: RepoPath, data: Mapping[RepoPath, bytes], entry: Mapping[str, Any]
) -> Iterable[recording.Line]:
    try:
        text = _gunzip(data[path])
    except (KeyError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError("the recording is missing or damaged", file=path, hint=RESTORE) from error
    if _sha256(text) != entry["recording"]:
        raise InputError("the recording is not the one that was judged", file=path, hint=RESTORE)
    for number, line in enumerate(text.splitlines(), 1):
        yield recording.parse(line, path, number)


def _gunzip(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        text = packed.read(MOST_RECORDING_BYTES + 1)
    if len(text) > MOST_RECORDING_BYTES:
        raise ValueError("too large")
    return text


def history(
    rollout: Rollout,
    lines: Sequence[recording.Line],
    share: float,
    through: datetime,
    now: datetime,
    *,
    step: str = "",
    asked: Mapping[str, Sequence[str]] | None = None,
) -> Attached:
    """Freeze what sites did before a rollout as evidence 0000.

    Args:
        rollout: The rollout that starts.
        lines: Objectives and history lines.
        share: Share of sites that reported, 0..1.
        through: End of the history, the last tick before the promotion.
        now: UTC.
        step: Commit of the present step, which is seen herewith.
        asked: What is asked of the metrics API, by objective.
    """
    document: dict[str, Any] = {
        "decision": HISTORY,
        "at": write_time(now),
        "through": write_time(through),
        "reportingShare": round(share, 6),
        "step": step,
    }
    if asked is not None:
        document["asked"] = {name: list(texts) for name, texts in asked.items()}
    return _attach(rollout, Chain(), HISTORY, document, lines, "")


def seen(rollout: Rollout, chain: Chain, step: str, now: datetime) -> Attached:
    """Write down when a person's step was seen: from then on its time counts.

    Args:
        rollout: The rollout at that step.
        chain: The evidence so far, not empty.
        step: Commit of the step.
        now: UTC.
    """
    document = {
        "decision": SEEN,
        "at": write_time(now),
        "through": chain.entries[-1]["through"],
        "step": step,
        "percent": str(rollout.percent),
    }
    return _attach(rollout, chain, SEEN, document, (), "")


def decided(
    situation: Situation,
    decision: Decision,
    chain: Chain,
    lines: Sequence[recording.Line],
    through: datetime,
    policy: Mapping[str, Any],
) -> Attached:
    """Write the evidence of a decision that moves the rollout.

    Args:
        situation: What was decided on; `basis.situation_of` reads it back.
        decision: Advance or Revert.
        chain: The evidence so far.
        lines: The recording since then.
        through: The newest tick judged.
        policy: The settings used, as `basis.policy_data` writes them.
    """
    rollout, verdict = situation.rollout, overall(situation.verdicts)
    name, to = name_of(decision)
    document = {
        "decision": name,
        "at": write_time(situation.now),
        "through": write_time(through),
        "fromPercent": str(rollout.percent),
        "toPercent": str(to) if to is not None else "0",
        "code": decision.code if isinstance(decision, Revert) else "",
        "why": say(decision),
        "verdict": verdict.value,
        "objectives": [numbers(one) for one in situation.verdicts],
        "adoption": dict(adoption_data(situation.adoption)),
        "soakedSeconds": int(situation.soaked.total_seconds()),
        "since": write_time(situation.since),
        "policy": dict(policy),
    }
    return _attach(rollout, chain, name, document, lines, verdict.value)


def name_of(decision: Decision) -> tuple[str, Percent | None]:
    """Give the word of a decision in Git, and where it leads.

    Raises:
        ValueError: A hold; it is never committed.
    """
    match decision:
        case Advance(None):
            return "complete", None
        case Advance(to):
            return "advance", to
        case Revert():
            return "revert", None
        case Hold() | Escalate():
            raise ValueError("a hold is never committed")


def _attach(
    rollout: Rollout,
    chain: Chain,
    name: str,
    document: Mapping[str, Any],
    lines: Sequence[recording.Line],
    verdict: str,
) -> Attached:
    number = len(chain.entries)
    path = layout.evidence_file(rollout.environment, rollout.model, rollout.id, number, name)
    text = "".join(f"{recording.dump(line)}\n" for line in lines).encode()
    head = {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Evidence",
        "rollout": rollout.id,
        "number": number,
        "previous": chain.digest,
        "recording": _sha256(text),
    }
    data = json.dumps(head | dict(document), indent=2, ensure_ascii=True).encode() + b"\n"
    # mtime=0: the same evidence gives the same bytes whenever it is written.
    files = {path: data, layout.recording(path): gzip.compress(text, 9, mtime=0)}
    words = (("Verdict", verdict),) if verdict else ()
    return Attached(files, (*words, ("Evidence", f"{path}@{_sha256(data)}")))


def numbers(verdict: ObjectiveVerdict) -> Mapping[str, Any]:
    """Write the numbers of one objective for JSON, rounded to what they are worth."""
    ratio = verdict.bad / verdict.expected_bad if is_compared(verdict) else None
    detectable = verdict.detectable_ratio
    return {
        "objective": verdict.objective,
        "verdict": verdict.verdict.value,
        "at": write_time(verdict.at),
        "eBad": _round(verdict.e_bad),
        "eBadMax": _round(verdict.e_bad_max),
        "eOk": _round(verdict.e_ok),
        "events": verdict.events,
        "bad": verdict.bad,
        "expectedBad": round(verdict.expected_bad, 2),
        "ratio": round(ratio, 3) if ratio is not None else None,
        "detectableRatio": round(detectable, 3) if detectable is not None else None,
        "reasons": [{"code": one.code.value, "text": one.text} for one in verdict.reasons],
    }


def is_compared(verdict: ObjectiveVerdict) -> bool:
    """Say whether bad and expected bad events are of the same ticks.

    At 100 percent bad events go on while nothing is expected any more.
    """
    codes = {reason.code for reason in verdict.reasons}
    return verdict.expected_bad > 0 and not codes & UNCOMPARED


def _round(number: float) -> float:
    return float(f"{number:.6g}")


def say(decision: Decision) -> str:
    """Give the reason of a decision on one line."""
    match decision:
        case Hold(_, why, _, _) | Revert(_, why) | Advance(_, why) | Escalate(why, _):
            return one_line(why)


def body(situation: Situation) -> str:
    """Write the numbers under the subject of a commit, one objective a line."""
    lines = []
    for one in situation.verdicts:
        expected = f", {one.expected_bad:.1f} expected" if is_compared(one) else ""
        lines.append(f"{one.objective}: {one.bad} bad of {one.events} predictions{expected}")
    adoption = situation.adoption
    lines.append(f"serving: {adoption.serving} of {adoption.reachable} reachable canary sites")
    return "\n".join(lines)


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
