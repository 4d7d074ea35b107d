"""One pass over one rollout: look, decide, change. Doors and clock are arguments.

The order of what may be done in one pass: harm first; then what a person asked for and the
pointers do not show yet; then the history that has to be frozen; then that a person's step was
seen; then the next step. At most one commit a pass, computed on one commit and landed only on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from generator import layout
from generator.changes import ChangeSet
from generator.errors import InputError, RemoteError
from generator.expand import differences, pointers
from generator.intents.ledger import entry, with_entry
from generator.intents.moves import Attached, complete, expand_pointers, revert, set_percent
from generator.intents.words import Asked, title, trailers
from generator.model.config import Rejection
from generator.model.environment import Kind
from generator.model.rollout import Rollout
from generator.repository import Repository
from generator.windows import denied
from reconciler import cloud, record
from reconciler.analysis import Code
from reconciler.applied import Standing
from reconciler.basis import policy_data
from reconciler.outlook import Memory, Outlook, Query, look
from reconciler.policy import Advance, Decision, Hold, Revert
from reconciler.waits import explain

BOT = Asked()
MOST_EDITS = 50
GUARDED = {
    Code.BURNING: "burns its error budget",
    Code.CEILING: "is above its ceiling",
    Code.EXPOSED: "has spent its part of the month's error budget",
}
MEND = "tidegate verify"
NOBODY_LOOKED: Mapping[str, Standing] = {}


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over one rollout came to.

    Attributes:
        environment: Environment of the line.
        model: Model of the line.
        outlook: How it stands; None when Git could not be read.
        decision: What follows; None when nothing climbs.
        change: The commit to land, or None.
        trouble: What a person has to mend, or "".
    """

    environment: str
    model: str
    outlook: Outlook | None = None
    decision: Decision | None = None
    change: ChangeSet | None = None
    trouble: str = ""


def run(
    repository: Repository,
    environment: str,
    model: str,
    query: Query,
    now: datetime,
    memory: Memory,
    standings: Mapping[str, Standing] = NOBODY_LOOKED,
) -> Pass:
    """Look at one rollout and say what to commit.

    An invalid file holds this line and no other one.

    Args:
        repository: What stands in Git.
        environment: Environment of the line.
        model: Model of the line.
        query: The metrics.
        now: UTC.
        memory: Cache from earlier passes.
        standings: How each site stands to this very commit; empty where nobody looked. Only a
            cloud rollout waits for it.
    """
    try:
        found = _run(repository, environment, model, query, now, memory)
        return _told(_between(repository, found, standings, now, memory))
    except InputError as error:
        problem = str(error).replace("\n", " | ")
        return Pass(environment, model, None, Hold("invalid", problem, command=MEND), None, problem)
    except RemoteError as error:
        return Pass(environment, model, None, Hold("remote", str(error), command="tidegate doctor"))


def _told(done: Pass) -> Pass:
    """Say since when it waits, where another wait took the place of the judged one."""
    outlook = done.outlook
    if outlook is None or done.decision is None or done.decision is outlook.decision:
        return done
    told = explain(done.decision, outlook.rollout, outlook.since)
    return replace(done, decision=told)


def _run(
    repository: Repository,
    environment: str,
    model: str,
    query: Query,
    now: datetime,
    memory: Memory,
) -> Pass:
    outlook = look(repository, environment, model, query, now, memory)
    done = Pass(environment, model, outlook, outlook.decision)
    if isinstance(outlook.decision, Revert):
        return replace(done, change=_revert(repository, outlook, now))
    if not _is_expanded(repository, environment, model, memory):
        return _follow(repository, done, now)
    if outlook.opening is not None:
        return replace(done, change=_freeze(repository, outlook, now))
    if outlook.unseen and outlook.chain.entries:
        return replace(done, change=_see(repository, outlook, now))
    if isinstance(outlook.decision, Advance):
        return replace(done, change=_advance(repository, outlook))
    return done


def _between(
    repository: Repository,
    done: Pass,
    standings: Mapping[str, Standing],
    now: datetime,
    memory: Memory,
) -> Pass:
    """Let a cloud rollout go on where objects and weights wait for each other."""
    rollout = repository.rollout(done.environment, done.model)
    settings = repository.environment(done.environment)
    if not rollout.canary or settings.kind is not Kind.CLOUD:
        return done
    if isinstance(done.decision, Advance) and done.decision.to is None:
        hold = cloud.unready(rollout, standings)
        return replace(done, decision=hold, change=None) if hold else done
    if done.change is not None or done.trouble:
        return done
    move = cloud.next_move(repository, rollout, standings)
    if move and isinstance(move.decision, Advance):
        denial = denied(settings.deny_windows, now, memory.zones)
        if denial:
            return replace(done, decision=Hold("deny-window", denial.why, denial.ends))
    return replace(done, decision=move.decision, change=move.change) if move else done


def _is_expanded(repository: Repository, environment: str, model: str, memory: Memory) -> bool:
    folders = (layout.ENVIRONMENTS, layout.ROLLOUTS, layout.RELEASES, layout.SITES)
    found = tuple(repository.tree.ids(f"{folder}/{environment}") for folder in folders)
    ids = (*found, {"": repository.tree.id(layout.REJECTED) or ""})
    if memory.clean.get((environment, model)) != ids:
        if differences(repository, environment, model):
            return False
        memory.clean[environment, model] = ids
    return True


def _follow(repository: Repository, done: Pass, now: datetime) -> Pass:
    """Expand what a changed percent, shard or rollout explains; hold on anything else."""
    environment, model, outlook = done.environment, done.model, done.outlook
    before = _last_expanded(repository, environment, model)
    by_hand = _by_hand(repository, before, environment, model)
    if by_hand is not None:
        return replace(done, decision=by_hand, trouble=f"{by_hand.why}: {by_hand.command}")
    assert before is not None and outlook is not None  # noqa: S101, PT018 (by hand otherwise)
    then = before.rollout(environment, model)
    asked = _asked(repository, then)
    change = expand_pointers(repository, environment, model, asked, then)
    if change is not None and outlook.unseen and outlook.chain.entries:
        change = _with(change, record.seen(outlook.rollout, outlook.chain, outlook.unseen, now))
    return replace(done, change=change)


def _last_expanded(repository: Repository, environment: str, model: str) -> Repository | None:
    """Find the newest commit at which the pointers were what the files asked for."""
    paths = (
        layout.rollout(environment, model),
        layout.cohort(environment, model),
        layout.environment(environment),
        f"{layout.shards(environment)}/**",
        f"{layout.RELEASES}/{environment}/{model}/**",
        _pointers(environment, model),
    )
    for commit in repository.tree.log(paths, MOST_EDITS):
        then = Repository(repository.tree.at(commit.id))
        try:
            if not differences(then, environment, model):
                return then
        except InputError:
            continue
    return None


def _pointers(environment: str, model: str) -> str:
    return f"{layout.SITES}/{environment}/*/{model}/**"


def _by_hand(
    repository: Repository, before: Repository | None, environment: str, model: str
) -> Hold | None:
    """Say which edit since then only tidegate may make; None when there is none."""
    found = None if before is None else _machine(before, environment, model)
    for what, path, value in _machine(repository, environment, model):
        if found is None or (what, path, value) not in found:
            commits = repository.tree.log((path,), 1)
            name = commits[0].id[:12] if commits else "no commit"
            command = f"tidegate expand {model} --env {environment}, or git revert {name}"
            return Hold("hand-edit", f"{what} changed by hand in {name}", None, command)
    return None


def _machine(
    repository: Repository, environment: str, model: str
) -> tuple[tuple[str, str, object], ...]:
    """Give all but percent and sites that pointers follow from, and what it is called."""
    tree, rollout = repository.tree, repository.rollout(environment, model)
    files, draw = layout.rollout(environment, model), layout.cohort(environment, model)
    folders = tuple(
        layout.release(environment, model, name)
        for name in (rollout.stable, rollout.canary)
        if name
    )
    lines = (rollout.stable, rollout.canary, rollout.id)
    settings = repository.environment(environment).settings
    return (
        ("the pointers were", _pointers(environment, model), pointers(tree, environment, model)),
        ("stable, canary or rollout were", files, lines),
        ("the draw was", draw, tree.id(draw)),
        ("the columns under settings were", layout.environment(environment), settings),
        *((f"the release {name} was", f"{name}/**", tree.ids(name)) for name in folders),
    )


def _asked(repository: Repository, before: Rollout) -> Asked:
    """Name the person whose edit is followed, and the commit."""
    environment, model = before.environment, before.model
    is_step = repository.rollout(environment, model).percent != before.percent
    shards = f"{layout.shards(environment)}/**"
    path = layout.rollout(environment, model) if is_step else shards
    commits = repository.tree.log((path,), 1)
    if not commits:
        return BOT
    return Asked(commits[0].author, f"follows {commits[0].id[:12]}")


def _freeze(repository: Repository, outlook: Outlook, now: datetime) -> ChangeSet:
    opening, rollout = outlook.opening, outlook.rollout
    assert opening is not None  # noqa: S101 (narrowed by the caller)
    attached = record.history(
        rollout,
        opening.lines,
        opening.share,
        opening.through,
        now,
        step=outlook.unseen,
        asked=opening.asked,
    )
    sites = max(len(getattr(one, "sites", ())) for one in opening.lines)
    what = f"froze the history of {sites} sites" if sites else "no history: the fleet is new"
    return _only_files(repository, outlook, attached, what)


def _see(repository: Repository, outlook: Outlook, now: datetime) -> ChangeSet:
    attached = record.seen(outlook.rollout, outlook.chain, outlook.unseen, now)
    what = f"the time at {outlook.rollout.percent}% counts from now"
    return _only_files(repository, outlook, attached, what)


def _only_files(
    repository: Repository, outlook: Outlook, attached: Attached, what: str
) -> ChangeSet:
    """Make a change set that moves nothing."""
    rollout, tree = outlook.rollout, repository.tree
    release = repository.release(rollout.environment, rollout.model, rollout.canary)
    words = trailers(tree, rollout, rollout, release)
    return _with(ChangeSet(tree.commit, {}, f"{title(rollout)}: {what}", "", words), attached)


def _with(change: ChangeSet, attached: Attached) -> ChangeSet:
    return replace(
        change,
        files={**change.files, **attached.files},
        trailers=(*change.trailers, *attached.trailers),
    )


def _advance(repository: Repository, outlook: Outlook) -> ChangeSet | None:
    decision, rollout = outlook.decision, outlook.rollout
    assert isinstance(decision, Advance)  # noqa: S101 (narrowed by the caller)
    attached = _decided(repository, outlook)
    if decision.to is None:
        return complete(repository, rollout.environment, rollout.model, BOT, attached)
    return set_percent(repository, rollout.environment, rollout.model, decision.to, BOT, attached)


def _revert(repository: Repository, outlook: Outlook, now: datetime) -> ChangeSet | None:
    decision, rollout = outlook.decision, outlook.rollout
    assert isinstance(decision, Revert)  # noqa: S101 (narrowed by the caller)
    attached = _decided(repository, outlook)
    evidence = next(path for path in attached.files if path.endswith(".json"))
    release = repository.release(rollout.environment, rollout.model, rollout.canary)
    added = entry(release, rollout.id, decision.why, evidence, now)
    if decision.code != "deadline":
        attached = _reject(repository, attached, added)
    why = _short(outlook, decision)
    return revert(repository, rollout.environment, rollout.model, BOT, attached, why)


def _reject(repository: Repository, attached: Attached, added: Rejection) -> Attached:
    try:
        ledger = {layout.REJECTED: with_entry(repository, added)}
    except InputError as error:
        # The ledger belongs to all rollouts; damaged, it must not keep this one from its revert.
        body = f"{attached.body}\nnot on the ledger, which cannot be read: {error.problems[0]}"
        return replace(attached, body=body)
    return replace(attached, files={**attached.files, **ledger})


def _short(outlook: Outlook, decision: Revert) -> str:
    if outlook.situation is None:
        return decision.code
    if decision.code == "adoption":
        adoption = outlook.situation.adoption
        return f"{adoption.late} of {adoption.due} sites never started it"
    if decision.code != "breach":
        return decision.code
    for one in outlook.situation.verdicts:
        code = one.reasons[0].code
        if code is Code.REPORTING_LOST:
            adoption = outlook.situation.adoption
            return f"{adoption.canary - adoption.reachable} sites no longer report"
        if code in GUARDED:
            return f"{one.objective} {GUARDED[code]}"
    worst = max(outlook.situation.verdicts, key=lambda one: one.e_bad_max)
    return f"{worst.objective} {worst.bad / max(worst.expected_bad, 0.1):.1f}x stable"


def _decided(repository: Repository, outlook: Outlook) -> Attached:
    situation, decision = outlook.situation, outlook.decision
    assert situation is not None and decision is not None and outlook.through is not None  # noqa: S101, PT018
    interval = repository.environment(outlook.rollout.environment).interval
    used = policy_data(outlook.used, outlook.rollout, interval)
    attached = record.decided(
        situation, decision, outlook.chain, outlook.lines, outlook.through, used
    )
    return replace(attached, body=record.body(situation))
