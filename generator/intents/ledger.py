"""The ledger of rejected releases: what was proved bad is not offered again."""

from datetime import datetime

from generator import layout
from generator.changes import ChangeSet, Draft, one_line
from generator.documents.config import write_rejected, write_time
from generator.errors import InputError
from generator.intents.moves import Attached, revert
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.config import Rejection
from generator.model.release import Release
from generator.repository import Repository


def entry(
    release: Release, rollout: str, reason: str, evidence: RepoPath, now: datetime
) -> Rejection:
    """Write one ledger entry."""
    return Rejection(
        *release.key,
        release=release.id,
        model=release.model,
        environment=release.environment,
        rollout=rollout,
        reason=one_line(reason),
        evidence=evidence,
        at=write_time(now),
    )


def with_entry(repository: Repository, added: Rejection) -> bytes:
    """Write the ledger with one entry more; an entry of the same key stays as it was."""
    entries = repository.rejected()
    if any(one.key == added.key for one in entries):
        return write_rejected(entries)
    return write_rejected((*entries, added))


def find_release(repository: Repository, environment: str, model: str, name: str) -> Release:
    """Find a release by its id, or by `v13` when only one has that number.

    Raises:
        InputError: None or several match.
    """
    known = repository.releases(environment, model)
    found = [one for one in known if one == name or one.partition("-")[0] == name]
    if len(found) != 1:
        listed = ", ".join(known) or "none"
        text = f"{len(found)} releases match {name!r}" if found else f"there is no release {name!r}"
        raise InputError(text, hint=f"known: {listed}")
    return repository.release(environment, model, found[0])


def reject(
    repository: Repository, release: Release, asked: Asked, now: datetime
) -> ChangeSet | None:
    """Put a release on the ledger; where it climbs, it is also reverted in the same commit.

    Raises:
        InputError: No reason was given.
    """
    if not asked.reason.strip():
        raise InputError("a rejection needs a reason", hint='--reason "..."')
    rollout = repository.rollout(release.environment, release.model)
    climbs = rollout.canary == release.id and rollout.is_climbing
    if not climbs and any(one.key == release.key for one in repository.rejected()):
        return None
    added = entry(release, rollout.id if rollout.canary else "", asked.reason, "", now)
    files = {layout.REJECTED: with_entry(repository, added)}
    if climbs:
        attached = Attached(files)
        return revert(
            repository, release.environment, release.model, asked, attached, "rejected by hand"
        )
    return _ledger_change(repository, files, f"rejected {release.id}", release, asked)


def unreject(repository: Repository, release: Release, asked: Asked) -> ChangeSet | None:
    """Take a release off the ledger.

    Raises:
        InputError: No reason was given.
    """
    if not asked.reason.strip():
        raise InputError("taking a rejection back needs a reason", hint='--reason "..."')
    kept = [one for one in repository.rejected() if one.key != release.key]
    if len(kept) == len(repository.rejected()):
        return None
    files = {layout.REJECTED: write_rejected(kept)}
    return _ledger_change(repository, files, f"{release.id} may be tried again", release, asked)


def _ledger_change(
    repository: Repository,
    files: dict[RepoPath, bytes],
    what: str,
    release: Release,
    asked: Asked,
) -> ChangeSet | None:
    draft = Draft(repository.tree)
    draft.write(files)
    subject = f"{release.model} {release.environment}: {what}"
    pins = (("Model-Version", release.version.version), ("Model-Digest", release.version.digest))
    changed = draft.changes()
    words = (*pins, *asked.trailers())
    return ChangeSet(draft.commit, changed, subject, "", words) if changed else None
