"""What a rollout file names is there and may run; the ledger is what it claims to be."""

from collections.abc import Iterator
from datetime import datetime

from generator import layout
from generator.documents.config import read_time
from generator.errors import Problem
from generator.lint.finding import few
from generator.lint.view import View
from generator.model.config import Rejection
from generator.model.environment import Kind
from generator.model.release import check_digest
from generator.model.rollout import Advance, Phase, Rollout


def rollout(view: View) -> Iterator[Problem]:
    """Check every rollout file against the releases and the ledger."""
    for one in view.rollouts():
        path = layout.rollout(one.environment, one.model)
        for key, text, hint in (
            *_releases(view, one),
            *_names(one),
            *_phase(view, one),
            *_deadline(one),
        ):
            yield Problem(text, path, view.line(path, key), hint)


def _releases(view: View, one: Rollout) -> Iterator[tuple[str, str, str]]:
    known = view.repository.releases(one.environment, one.model)
    for key, name in (("stable", one.stable), ("canary", one.canary)):
        if name and not view.ids(layout.release(one.environment, one.model, name)):
            yield key, f"there is no release {name!r}", f"known: {few(known) or 'none'}"
    release = view.release(one.environment, one.model, one.canary) if one.canary else None
    if release is not None and one.percent.basis_points:
        for entry in view.rejected():
            if entry.key == release.key:
                text = f"the canary {one.canary} was rejected: {entry.reason}"
                yield "canary", text, f"tidegate revert {one.model} --env {one.environment}"


def _names(one: Rollout) -> Iterator[tuple[str, str, str]]:
    if not one.canary:
        return
    if one.canary == one.stable:
        yield "canary", "the canary is the stable release already", "take the line away"
    prefix = f"{one.environment}-{one.model}-{one.canary}-"
    if not one.id.startswith(prefix):
        text = f"a rollout of {one.canary} is called {prefix}1, not {one.id!r}"
        yield "rollout", text, "git revert the edit, or promote the version again"


def _phase(view: View, one: Rollout) -> Iterator[tuple[str, str, str]]:
    if one.canary and one.phase in (None, Phase.COMPLETED):
        said = one.phase.value if one.phase else "not given"
        yield "phase", f"a canary is named, but the phase is {said}", "take the canary away"
    elif one.canary and one.phase is Phase.REVERTED and _kind(view, one) is Kind.EDGE:
        yield "canary", "a reverted rollout still names its canary", "take the line away"
    elif not one.canary and one.phase in (Phase.PROGRESSING, Phase.PAUSED):
        text = f"the phase is {one.phase.value}, but no canary is named"
        yield "phase", text, "write phase: Reverted, or name the canary again"


def _deadline(one: Rollout) -> Iterator[tuple[str, str, str]]:
    late = [step for step in one.steps if one.soak_at(step) > one.deadline]
    if late:
        text = f"the soak at {late[0]}% is not over before the deadline of the step"
        yield "deadline", text, "write a longer deadline, or a shorter soak"


def _kind(view: View, one: Rollout) -> Kind | None:
    settings = view.environment(one.environment)
    return settings.kind if settings is not None else None


def rejected(view: View) -> Iterator[Problem]:
    """Check the entries of the ledger: whole digests, once each, with their evidence."""
    rows = [row for node in view.documents(layout.REJECTED) for row in node.items("rejected")]
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(view.rejected()):
        line = rows[number].line if number < len(rows) else None
        for text in _entry(view, entry):
            yield Problem(text, layout.REJECTED, line, "git restore the entry as it was written")
        if entry.key in seen:
            hint = "take the later one away"
            yield Problem("the same release is rejected twice", layout.REJECTED, line, hint)
        seen.add(entry.key)


def _entry(view: View, entry: Rejection) -> Iterator[str]:
    for part in entry.key:
        try:
            check_digest(part)
        except ValueError as error:
            yield str(error)
    if _time(entry.at) is None:
        yield f"{entry.at!r} is not a time such as 2026-11-20T08:05:00Z"
    if not entry.reason.strip():
        yield "a rejection without a reason"
    if entry.evidence and view.tree.read(entry.evidence) is None:
        yield f"the evidence {entry.evidence} is not there"


def _time(text: str) -> datetime | None:
    try:
        return read_time(text)
    except ValueError:
        return None


def prometheus(view: View) -> Iterator[Problem]:
    """Name rollouts that nobody can see the effect of."""
    for one in view.rollouts():
        settings = view.environment(one.environment)
        if settings is None or settings.prometheus or not one.is_climbing:
            continue
        if one.advance is not Advance.MANUAL:
            path = layout.environment(one.environment)
            text = f"{one.model} climbs, but no Prometheus is named: it will hold at every step"
            hint = 'write prometheus: "https://..."'
            yield Problem(text, path, view.line(path, "prometheus"), hint)
