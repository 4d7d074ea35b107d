"""What there is to say of a rollout where people look: comments, a mark on a commit, a next step.

Everything follows from Git and the newest pass; nothing is remembered. Rollouts that ended long
ago are left in peace.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from generator import layout
from generator.changes import ChangeSet
from generator.documents.config import read_time
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.intents.moves import set_percent
from generator.intents.words import Asked
from generator.model.environment import Kind
from generator.model.percent import ZERO
from generator.model.pull import SLO, Light, Proposal, Status
from generator.model.rollout import Advance as AdvanceMode
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from generator.telling import life, stepping
from generator.telling.promotion import prefix
from reconciler.policy import Advance, Decision, Escalate, Hold, Revert
from reconciler.record import numbers
from reconciler.tick import Pass

FRESH = timedelta(days=7)
MOST_PAST = 200
BY_HAND = "by-hand"


@dataclass(frozen=True, slots=True)
class Letter:
    """What one rollout says in the pull request that it came from.

    Attributes:
        rollout: Its id.
        branch: Branch of that pull request.
        comments: Marker and text.
    """

    rollout: str
    branch: str
    comments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """The next step, where it waits for a person's approval."""

    change: ChangeSet
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say of one rollout line.

    Attributes:
        line: Environment and model.
        letters: Of the newest rollout, and of the one that it superseded.
        head: Newest commit of the rollout; "" where it is long over.
        status: Whether the next step may start, shown on that commit.
        steps: How the branches with a step of this line begin.
        following: Branch of the next step while the rollout stands where it does; "" for none.
        step: That step, where the evidence allows it now and a pull request has to ask for it.
    """

    line: tuple[str, str]
    letters: tuple[Letter, ...]
    head: str
    status: Status
    steps: str
    following: str = ""
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class _Version:
    """The rollout file as one commit left it."""

    at: datetime
    rollout: Rollout


def key(repository: Repository, one: Pass, commit: str, away: Sequence[str] | None) -> object:
    """Give what the news follow from: as long as it is the same, there are none.

    Args:
        repository: The newest commit.
        one: What the pass over the line came to.
        commit: The commit that landed in it, or "".
        away: Sites that do not hold what Git says; None where nobody watches.
    """
    tree, line = repository.tree, (one.environment, one.model)
    return (
        tree.id(layout.rollout(*line)),
        tree.id(layout.CONFIG),
        tuple(tree.ids(f"{layout.EVIDENCE}/{line[0]}/{line[1]}").items()),
        tuple(tree.ids(layout.shards(line[0])).items()),
        _kind(None if commit else one.decision),
        away if away is None else tuple(away),
    )


def _kind(decision: Decision | None) -> tuple[str, str]:
    match decision:
        case Hold(code):
            return "holds", code
        case Escalate():
            return "needs a person", ""
        case None | Advance() | Revert():
            return "", ""
        case _:
            assert_never(decision)


def compose(
    repository: Repository,
    one: Pass,
    commit: str,
    away: Sequence[str] | None,
    base: str,
    now: datetime,
) -> News | None:
    """Write what there is to say of one line; None before its first rollout, and long after.

    Args:
        repository: The newest commit.
        one: What the pass over the line came to.
        commit: The commit that landed in it, or "".
        away: Sites that do not hold what Git says; None where nobody watches.
        base: Branch of the repository, which a step enters.
        now: UTC.

    Raises:
        InputError: Something in Git is invalid.
    """
    line = one.environment, one.model
    rollout = repository.rollout(*line)
    if not rollout.id:
        return None
    decision = None if commit else one.decision
    told = _letters(repository, rollout, _waits(decision, now), away, now)
    newest = _newest(repository, rollout)
    return News(
        line,
        told,
        newest if told else "",
        _status(rollout, decision),
        stepping.steps_of(*line),
        _following(rollout),
        _step(repository, one, rollout, base) if decision is not None else None,
    )


def _newest(repository: Repository, rollout: Rollout) -> str:
    """Name the newest commit of a rollout."""
    line = rollout.environment, rollout.model
    paths = (layout.rollout(*line), f"{layout.evidence(*line, rollout.id)}/**")
    commits = repository.tree.log(paths, 1)
    return commits[0].id if commits else ""


def _letters(
    repository: Repository,
    rollout: Rollout,
    waits: str,
    away: Sequence[str] | None,
    now: datetime,
) -> tuple[Letter, ...]:
    versions = _versions(repository, rollout)
    mine = [one for one in versions if one.rollout.id == rollout.id]
    before = next((one for one in versions if one.rollout.id != rollout.id), None)
    found: list[Letter] = []
    started = mine[-1].at if mine else now
    if before and before.rollout.is_climbing and now - started <= FRESH:
        found.append(_superseded(repository, before.rollout, rollout, started))
    if rollout.is_climbing:
        said = life.comment(rollout, _entries(repository, rollout), _n(repository, rollout), waits)
        return (*found, _letter(rollout, said))
    ended = _ended(mine, now)
    return (*found, _ending(repository, rollout, away, ended)) if now - ended <= FRESH else ()


def _versions(repository: Repository, rollout: Rollout) -> list[_Version]:
    """Read the newest versions of the rollout file, newest first; what is invalid is left out."""
    path = layout.rollout(rollout.environment, rollout.model)
    found: list[_Version] = []
    for commit, data in repository.tree.past(path, MOST_PAST):
        try:
            then = read_rollout(path, data, rollout.environment, rollout.model)
        except InputError:
            continue
        found.append(_Version(commit.at, then))
        if then.id != rollout.id:
            break
    return found


def _ended(mine: Sequence[_Version], now: datetime) -> datetime:
    """Give the time of the oldest version since which it does not climb."""
    ended = now
    for one in mine:
        if one.rollout.is_climbing:
            break
        ended = one.at
    return ended


def _superseded(repository: Repository, old: Rollout, new: Rollout, ended: datetime) -> Letter:
    gone = replace(old, canary="", percent=ZERO, phase=Phase.REVERTED)
    entries = _entries(repository, old)
    last = life.final(gone, entries, 0, (), ended, by=new.canary or new.stable)
    return _letter(old, life.comment(gone, entries, 0), last)


def _ending(
    repository: Repository, rollout: Rollout, away: Sequence[str] | None, ended: datetime
) -> Letter:
    # In the cloud the canary goes in a commit of its own, after the end.
    over, n = replace(rollout, canary=""), _n(repository, rollout)
    entries = _entries(repository, rollout)
    last = life.final(over, entries, n, away, ended)
    return _letter(over, life.comment(over, entries, n), last)


def _letter(rollout: Rollout, now: str, last: str = "") -> Letter:
    comments = [(life.marker(rollout.id), now)]
    if last:
        comments.append((life.last_marker(rollout.id), last))
    branch = f"{prefix(rollout.environment, rollout.model)}{rollout.attempt}"
    return Letter(rollout.id, branch, tuple(comments))


def _n(repository: Repository, rollout: Rollout) -> int:
    line = rollout.environment, rollout.model
    if repository.environment(rollout.environment).kind is Kind.CLOUD:
        return 0
    drawn = repository.cohort(*line)
    return drawn.n if drawn else 0


def _entries(repository: Repository, rollout: Rollout) -> list[Mapping[str, Any]]:
    """Read what decisions said of themselves, for people; whether it is true, `audit` tells."""
    tree = repository.tree
    under = layout.evidence(rollout.environment, rollout.model, rollout.id)
    paths = [path for path in tree.ids(under) if path.endswith(".json")]
    data = tree.read_many(paths)
    return [one for path in paths if path in data and (one := _entry(data[path]))]


def _entry(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
        read_time(found["at"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    objectives = found.get("objectives", ())
    objectives = objectives if isinstance(objectives, list) else ()
    return {**found, "objectives": [one for one in objectives if isinstance(one, dict)]}


def _waits(decision: Decision | None, now: datetime) -> str:
    """Say what it waits for, and when that was seen: later only another reason is told."""
    match decision:
        case Hold(code, why, until, command):
            words = f"holds, {code}: {why}"
            words += f" (until {until:%Y-%m-%d %H:%M} UTC)" if until else ""
        case Escalate(why, command):
            words = f"needs a person: {why}"
        case None | Advance() | Revert():
            return ""
        case _:
            assert_never(decision)
    return f"{now:%Y-%m-%d %H:%M} UTC: {words}" + (f"; {command}" if command else "")


def _status(rollout: Rollout, decision: Decision | None) -> Status:
    """Say whether the next step may start."""
    name = f"{rollout.environment}/{rollout.model}"
    if rollout.phase is Phase.COMPLETED:
        return Status(SLO, Light.SUCCESS, f"{name}: completed")
    if rollout.phase is Phase.REVERTED:
        return Status(SLO, Light.FAILURE, f"{name}: taken back")
    word, code = _kind(decision)
    here = f"{name} at {rollout.percent}%"
    if code == BY_HAND:
        return Status(SLO, Light.SUCCESS, f"{here}: the next step may start")
    if word:
        return Status(SLO, Light.PENDING, f"{here}: {word}{', ' if code else ''}{code}")
    return Status(SLO, Light.PENDING, f"{here}: nothing is decided yet")


def worst(statuses: Sequence[Status]) -> Status:
    """Combine what several rollouts say of one commit."""
    order = (Light.FAILURE, Light.PENDING, Light.SUCCESS)
    light = min((one.light for one in statuses), key=order.index)
    return Status(SLO, light, "; ".join(sorted(one.text for one in statuses)))


def _following(rollout: Rollout) -> str:
    to = rollout.step_after(rollout.percent)
    asks = rollout.is_climbing and rollout.advance is AdvanceMode.PULL_REQUEST
    return stepping.branch(rollout, to) if asks and to else ""


def _step(repository: Repository, one: Pass, rollout: Rollout, base: str) -> Step | None:
    """Compute the next step where the evidence allows it and a pull request has to ask for it."""
    decision, seen = one.decision, one.outlook
    waits = isinstance(decision, Hold) and decision.code == BY_HAND
    if not waits or rollout.advance is not AdvanceMode.PULL_REQUEST or seen is None:
        return None
    to = rollout.step_after(rollout.percent)
    if to is None or seen.situation is None:
        return None
    asked = Asked("", f"the evidence allows {to}%")
    change = set_percent(repository, rollout.environment, rollout.model, to, asked)
    if change is None:
        return None
    objectives = [numbers(each) for each in seen.situation.verdicts]
    n = _n(repository, rollout)
    text = stepping.proposal(rollout, to, change.subject, base, n, objectives)
    return Step(change, text)
