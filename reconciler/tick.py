"""One pass over one rollout: look, decide, change. Doors and clock are arguments.

The order of what may be done in one pass: harm first; then what a person asked for and the
pointers do not show yet; then the history that has to be frozen; then the next step. At most
one commit a pass, computed on one commit and landed only on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from generator import layout
from generator.changes import ChangeSet
from generator.errors import InputError, RemoteError
from generator.expand import differences
from generator.intents.ledger import entry, with_entry
from generator.intents.moves import Attached, complete, expand_pointers, revert, set_percent
from generator.intents.words import Asked
from generator.model.spans import write_span
from generator.repository import Repository
from reconciler import record
from reconciler.outlook import Memory, Outlook, Query, look
from reconciler.policy import Advance, Decision, Hold, Revert

BOT = Asked()


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
) -> Pass:
    """Look at one rollout and say what to commit.

    An invalid file holds this line and no other one.
    """
    try:
        return _run(repository, environment, model, query, now, memory)
    except InputError as error:
        problem = str(error).replace("\n", " | ")
        return Pass(environment, model, None, Hold("invalid", problem), None, problem)
    except RemoteError as error:
        return Pass(environment, model, None, Hold("remote", str(error)))


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
        return _follow(repository, done)
    if outlook.opening is not None:
        return replace(done, change=_freeze(repository, outlook, now))
    if isinstance(outlook.decision, Advance):
        return replace(done, change=_advance(repository, outlook))
    return done


def _is_expanded(repository: Repository, environment: str, model: str, memory: Memory) -> bool:
    folders = (layout.ENVIRONMENTS, layout.ROLLOUTS, layout.RELEASES, layout.SITES)
    found = tuple(repository.tree.ids(f"{folder}/{environment}") for folder in folders)
    ids = (*found, {"": repository.tree.id(layout.REJECTED) or ""})
    if memory.clean.get((environment, model)) != ids:
        if differences(repository, environment, model):
            return False
        memory.clean[environment, model] = ids
    return True


def _follow(repository: Repository, done: Pass) -> Pass:
    """Expand what a changed percent, shard or rollout explains; hold on anything else."""
    environment, model, tree = done.environment, done.model, repository.tree
    pointers = f"{layout.SITES}/{environment}/*/{model}/**"
    touched = tree.log((pointers,), 1)
    then = Repository(tree.at(touched[0].id)) if touched else None
    if then is None or differences(then, environment, model):
        name = touched[0].id[:12] if touched else "no commit"
        why = f"the pointers were changed by hand in {name}"
        command = f"tidegate expand {model} --env {environment}, or git revert {name}"
        hold = Hold("hand-edit", why, None, command)
        return replace(done, decision=hold, trouble=f"{why}: {command}")
    paths = (layout.rollout(environment, model), layout.shards(environment) + "/**")
    author = tree.log(paths, 1)
    asked = Asked(by=author[0].author if author else "")
    before = then.rollout(environment, model)
    change = expand_pointers(repository, environment, model, asked, before)
    return replace(done, change=change)


def _freeze(repository: Repository, outlook: Outlook, now: datetime) -> ChangeSet:
    opening, rollout = outlook.opening, outlook.rollout
    assert opening is not None  # noqa: S101 (narrowed by the caller)
    attached = record.history(rollout, opening.lines, opening.share, opening.through, now)
    sites = max(len(getattr(one, "sites", ())) for one in opening.lines)
    what = f"froze the history of {sites} sites" if sites else "no history: the fleet is new"
    subject = f"{rollout.model} {rollout.environment}: {what}"
    return only_files(repository, outlook, attached, subject)


def only_files(
    repository: Repository, outlook: Outlook, attached: Attached, subject: str
) -> ChangeSet:
    """Make a change set that moves nothing."""
    from_words = _words(repository, outlook)
    return ChangeSet(
        repository.tree.commit, attached.files, subject, "", (*from_words, *attached.trailers)
    )


def _words(repository: Repository, outlook: Outlook) -> tuple[tuple[str, str], ...]:
    from generator.intents.words import trailers  # placed here until the sketch settles

    rollout = outlook.rollout
    release = repository.release(rollout.environment, rollout.model, rollout.canary)
    return trailers(repository.tree, rollout, rollout, release)


def _advance(repository: Repository, outlook: Outlook) -> ChangeSet | None:
    decision, rollout = outlook.decision, outlook.rollout
    assert isinstance(decision, Advance)  # noqa: S101 (narrowed by the caller)
    attached = _decided(outlook)
    if decision.to is None:
        return complete(repository, rollout.environment, rollout.model, BOT, attached)
    return set_percent(repository, rollout.environment, rollout.model, decision.to, BOT, attached)


def _revert(repository: Repository, outlook: Outlook, now: datetime) -> ChangeSet | None:
    decision, rollout = outlook.decision, outlook.rollout
    assert isinstance(decision, Revert)  # noqa: S101 (narrowed by the caller)
    attached = _decided(outlook)
    evidence = next(path for path in attached.files if path.endswith(".json"))
    release = repository.release(rollout.environment, rollout.model, rollout.canary)
    added = entry(release, rollout.id, decision.why, evidence, now)
    ledger = {layout.REJECTED: with_entry(repository, added)}
    if decision.code != "deadline":
        attached = replace(attached, files={**attached.files, **ledger})
    why = _short(outlook, decision)
    return revert(repository, rollout.environment, rollout.model, BOT, attached, why)


def _short(outlook: Outlook, decision: Revert) -> str:
    if outlook.situation is None:
        return decision.code
    if decision.code == "adoption":
        adoption = outlook.situation.adoption
        return f"{adoption.late} of {adoption.due} sites never started it"
    if decision.code != "breach":
        return decision.code
    worst = max(outlook.situation.verdicts, key=lambda one: one.e_bad_max)
    return f"{worst.objective} {worst.bad / max(worst.expected_bad, 0.1):.1f}x stable"


def _decided(outlook: Outlook) -> Attached:
    situation, decision = outlook.situation, outlook.decision
    assert situation is not None and decision is not None and outlook.through is not None  # noqa: S101, PT018
    attached = record.decided(
        situation, decision, outlook.chain, outlook.lines, outlook.through, _policy(outlook)
    )
    return replace(attached, body=record.body(situation))


def _policy(outlook: Outlook) -> Mapping[str, Any]:
    used, rollout = outlook.used, outlook.rollout
    return {
        "alpha": used.alpha,
        "beta": used.beta,
        "margins": dict(used.margins),
        "negligible": dict(used.negligible),
        "minSites": used.min_sites,
        "minEvents": used.min_events,
        "soak": write_span(rollout.soak_at(rollout.percent)),
        "deadline": write_span(rollout.deadline),
        "onDeadline": rollout.on_deadline.value,
    }
