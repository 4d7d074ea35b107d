"""Who moved what, when, and on which evidence: told by Git, and checked against itself.

Every statement of a commit is held against the files: its percentage against the rollout file it
left behind, its digest against the release, its verdict against the evidence it names, its number
against those of its neighbours. Evidence is read through the chain, so one changed byte breaks it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from generator import layout
from generator.changes import CommitInfo, Tree
from generator.documents.config import write_time
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.intents.words import history
from generator.layout import RepoPath
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler.record import Chain, check_newest, read_chain
from reconciler.replay import rollouts

MOST_VERSIONS = 100_000
SEQUENCE = "Rollout-Sequence"
REPLACES = "Replaces"
GONE = "the evidence that a commit wrote is gone"
RESTORE = "restore the file from the commit that wrote it"


@dataclass(frozen=True, slots=True)
class Event:
    """One commit that moved something.

    Attributes:
        commit: The commit.
        environment: Environment of the line.
        model: Model of the line.
        percent: `5->10`, or "" where no percentage moved.
        is_ours: Whether tidegate wrote it; otherwise a person edited or merged by hand.
    """

    commit: CommitInfo
    environment: str
    model: str
    percent: str
    is_ours: bool

    @property
    def by(self) -> str:
        """Say who asked for it: a person, or the reconciler."""
        return self.commit.trailers.get("Requested-By", "") or self.commit.author

    @property
    def evidence(self) -> RepoPath:
        """Name the evidence it stands on, or ""."""
        return self.commit.trailers.get("Evidence", "").rpartition("@")[0]

    def data(self) -> Mapping[str, Any]:
        """Write it for JSON."""
        told = self.commit.trailers
        return {
            "commit": self.commit.id,
            "at": write_time(self.commit.at),
            "environment": self.environment,
            "model": self.model,
            "subject": self.commit.subject,
            "author": self.commit.author,
            "requestedBy": told.get("Requested-By"),
            "reason": told.get("Reason"),
            "rollout": told.get("Rollout-Id"),
            "percent": self.percent or None,
            "sequence": int(told[SEQUENCE]) if told.get(SEQUENCE, "").isdecimal() else None,
            "modelVersion": told.get("Model-Version"),
            "modelDigest": told.get("Model-Digest"),
            "verdict": told.get("Verdict"),
            "evidence": told.get("Evidence"),
            "byHand": not self.is_ours,
        }


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that does not agree.

    Attributes:
        where: Commit or path.
        text: What, and what to do.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What Git tells, newest first, and what of it does not agree."""

    events: tuple[Event, ...]
    doubts: tuple[Doubt, ...]


def audit(repository: Repository, since: datetime | None = None) -> Audit:
    """Go through every rollout line and all evidence.

    Args:
        repository: The newest commit.
        since: Tell of nothing older; evidence is checked whole all the same.
    """
    tree = repository.tree
    chains, doubts = _evidence(tree)
    events: list[Event] = []
    for environment, model in repository.rollouts():
        line = _Line(repository, environment, model)
        events.extend(line.events())
        doubts.extend(line.doubts(chains))
    recent = [one for one in events if since is None or one.commit.at >= since]
    known = {one.commit.id for one in events} - {one.commit.id for one in recent}
    kept = [one for one in doubts if one.where not in known]
    newest = sorted(recent, key=lambda one: one.commit.at, reverse=True)
    return Audit(tuple(newest), tuple(kept))


def _evidence(tree: Tree) -> tuple[Mapping[RepoPath, Mapping[str, Any]], list[Doubt]]:
    """Read every chain; give the documents by path."""
    found: dict[RepoPath, Mapping[str, Any]] = {}
    doubts: list[Doubt] = []
    for rollout, written in rollouts(tree).values():
        try:
            chain = _whole(tree, rollout, written)
        except InputError as error:
            for problem in error.problems:
                hint = f"; {problem.hint}" if problem.hint else ""
                doubts.append(Doubt(problem.file or rollout.id, f"{problem.message}{hint}"))
            continue
        found.update(zip(chain.paths, chain.entries, strict=True))
    return found, doubts


def _whole(tree: Tree, rollout: Rollout, written: Sequence[RepoPath]) -> Chain:
    chain = read_chain(tree, rollout)
    check_newest(tree, chain)
    gone = [path for path in written if path not in chain.paths]
    if gone:
        raise InputError(GONE, file=gone[0], hint=RESTORE)
    return chain


class _Line:
    """One rollout line and its history."""

    def __init__(self, repository: Repository, environment: str, model: str) -> None:
        self._repository = repository
        self._names = environment, model
        tree, path = repository.tree, layout.rollout(environment, model)
        ours = history(tree, environment, model)
        replaced = {one.trailers.get(REPLACES, "") for one in ours}
        self._ours = tuple(one for one in ours if one.id not in replaced)
        self._replaced = replaced
        self._versions = tuple(reversed(tree.past(path, MOST_VERSIONS)))
        self._path = path

    def events(self) -> Iterator[Event]:
        """List what moved the line."""
        for one in self._ours:
            yield Event(one, *self._names, one.trailers.get("Rollout-Percent", ""), is_ours=True)
        ours = {one.id for one in self._ours}
        for before, info, after in self._steps():
            if info.id not in ours and before is not None and after is not None:
                moved = before.percent != after.percent
                percent = f"{before.percent}->{after.percent}" if moved else ""
                yield Event(info, *self._names, percent, is_ours=False)

    def _steps(self) -> Iterator[tuple[Rollout | None, CommitInfo, Rollout | None]]:
        before: Rollout | None = None
        for info, data in self._versions:
            after = self._read(data)
            yield before, info, after
            before = after or before

    def _read(self, data: bytes) -> Rollout | None:
        try:
            return read_rollout(self._path, data, *self._names)
        except InputError:
            return None  # a person's slip that somebody mended; `verify` looks at the newest

    def doubts(self, chains: Mapping[RepoPath, Mapping[str, Any]]) -> Iterator[Doubt]:
        """List what does not agree."""
        yield from self._numbers()
        for before, info, after in self._steps():
            if SEQUENCE in info.trailers and after is not None:
                yield from self._against_file(info, before, after)
        for one in self._ours:
            yield from _against_evidence(one, chains)

    def _numbers(self) -> Iterator[Doubt]:
        """Check that the commits are numbered without a gap and without a twin."""
        seen: dict[int, str] = {}
        for one in reversed(self._ours):
            text = one.trailers[SEQUENCE]
            if not text.isdecimal() or len(text) > 9:
                yield Doubt(one.id, f"{SEQUENCE}: {text!r} is not a number")
                continue
            number = int(text)
            if number in seen:
                yield Doubt(one.id, f"{SEQUENCE} {number} is also that of {seen[number][:12]}")
            seen[number] = one.id
        missing = sorted(set(range(1, max(seen, default=0) + 1)) - seen.keys())
        if missing:
            listed = ", ".join(map(str, missing[:5]))
            name = "/".join(self._names)
            text = f"{name}: no commit with {SEQUENCE} {listed}: history was rewritten or cut"
            yield Doubt(self._path, text)

    def _against_file(
        self, info: CommitInfo, before: Rollout | None, after: Rollout
    ) -> Iterator[Doubt]:
        told = info.trailers
        percent = told.get("Rollout-Percent", "").partition("->")[2]
        if percent and percent != str(after.percent):
            yield Doubt(info.id, f"it says {percent}%, but left {after.percent}% in {self._path}")
        name = told.get("Rollout-Id", "")
        if name and name != after.id:
            yield Doubt(info.id, f"it says {name}, but left {after.id!r} in {self._path}")
        digest = told.get("Model-Digest", "")
        names = {after.canary, after.stable, before.canary if before else ""} - {""}
        known = set(self._digests(names))
        if digest and known and digest not in known:
            text = f"its Model-Digest {digest[:19]} is of none of the releases {sorted(names)}"
            yield Doubt(info.id, text)

    def _digests(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            try:
                yield self._repository.release(*self._names, name).version.digest
            except InputError:
                continue  # `verify` names a release that is missing or was changed


def _against_evidence(
    info: CommitInfo, chains: Mapping[RepoPath, Mapping[str, Any]]
) -> Iterator[Doubt]:
    path = info.trailers.get("Evidence", "").rpartition("@")[0]
    entry = chains.get(path)
    if entry is None:
        return  # a broken chain is a doubt of its own
    verdict = info.trailers.get("Verdict", "")
    if verdict and verdict != entry.get("verdict"):
        yield Doubt(info.id, f"it says {verdict}, but {path} says {entry.get('verdict')}")
    percent = info.trailers.get("Rollout-Percent", "").partition("->")[2]
    to = entry.get("toPercent")
    if percent and to is not None and percent != to:
        yield Doubt(info.id, f"it went to {percent}%, but {path} says {to}%")
