"""A move is one that a verb of tidegate would make."""

from collections.abc import Iterator
from datetime import datetime

from generator.errors import Problem
from generator.gate.change import ENTERING, Change, Kind, Move
from generator.intents.promote import unmet
from generator.intents.words import next_id
from generator.model.environment import Environment
from generator.model.environment import Kind as Delivery
from generator.model.percent import FULL, ZERO
from generator.model.rollout import OnNewVersion, Phase, Rollout
from generator.windows import Zones, denied

_AGAIN = "make it with `tidegate promote`"


def promotions(change: Change) -> Iterator[Problem]:
    """Hold every promotion, baseline and bump against what its verb allows."""
    for move in change.moves:
        for key, text, hint in _check(change, move):
            yield Problem(text, move.path, change.view.line(move.path, key), hint)
        if move.kind in ENTERING | {Kind.RESTORE, Kind.UP}:
            yield from _rejected(change, move)


def _check(change: Change, move: Move) -> Iterator[tuple[str, str, str]]:
    before = move.before or Rollout(move.model, move.environment)
    after = move.after
    match move.kind:
        case Kind.PROMOTION:
            assert after is not None  # noqa: S101 (a promotion has an end)
            yield from _promotion(change, before, after)
        case Kind.BASELINE:
            assert after is not None  # noqa: S101 (a baseline has an end)
            everywhere = (before.canary, before.percent) == (after.stable, FULL)
            if before.is_climbing and not everywhere:
                text = f"{before.canary} is at {before.percent}%: that rollout has not ended"
                yield "stable", text, f"tidegate revert {move.model} --env {move.environment}"
        case Kind.UP:
            if not before.is_climbing:
                yield "percent", "no rollout climbs at the base", _AGAIN
        case _:
            return


def _promotion(change: Change, before: Rollout, after: Rollout) -> Iterator[tuple[str, str, str]]:
    environment, model = after.environment, after.model
    if not before.stable or after.stable != before.stable:
        yield "stable", f"a promotion leaves stable at {before.stable or 'a baseline'}", _AGAIN
    is_cloud = change.head.environment(environment).kind is Delivery.CLOUD
    first = ZERO if is_cloud else before.steps[0]
    if after.percent != first:
        yield "percent", f"a promotion begins at {first}%, not at {after.percent}%", _AGAIN
    total = len(change.head.sites(environment))
    if not is_cloud and first.count_of(total) < before.min_sites:
        text = f"the first step is {first.count_of(total)} of {total} sites, under minSites"
        yield "percent", text, "edit steps in a pull request of its own"
    if after.phase is not Phase.PROGRESSING:
        yield "phase", "a promotion begins with phase: Progressing", _AGAIN
    if before.is_climbing and before.on_new_version is OnNewVersion.REFUSE:
        text = f"{before.canary} is at {before.percent}%, and onNewVersion is refuse"
        yield "canary", text, f"tidegate revert {model} --env {environment}, or wait"
    drawn = change.base.cohort(environment, model)
    name = next_id(change.base.tree, environment, model, after.canary, drawn)
    if after.id != name:
        yield "rollout", f"the next rollout of {after.canary} is {name}, not {after.id}", _AGAIN


def windows(change: Change, now: datetime, zones: Zones) -> Iterator[Problem]:
    """Refuse what brings a release to more sites while a window of the base denies it.

    What takes risk away passes, and so does the way back to an earlier release.
    """
    for move in change.moves:
        if move.kind not in ENTERING | {Kind.UP}:
            continue
        denial = denied(_settings(change, move).deny_windows, now, zones)
        if denial is not None:
            ends = f"after {denial.ends:%Y-%m-%d %H:%M} UTC" if denial.ends else "when it is over"
            text = f"no {move.kind} now: {denial.why}"
            hint = f"check it again and merge it {ends}; a revert passes at any time"
            yield Problem(text, move.path, change.view.line(move.path, "percent"), hint)


def required(change: Change) -> Iterator[Problem]:
    """Demand that what comes before, as it is on main now, has completed this very model."""
    for move in change.moves:
        if move.kind in ENTERING:
            release = change.head.release(move.environment, move.model, move.release)
            settings, version = _settings(change, move), release.version
            found = unmet(change.main, settings.requires, move.model, version.digest)
            for upstream, running in found:
                text = (
                    f"{move.environment} requires {upstream} to have completed {move.model} "
                    f"{release.short} ({version.digest[:19]}) first; {upstream} runs {running}"
                )
                hint = f"tidegate promote {version.asked} --env {upstream} --reason ..."
                yield Problem(text, move.path, change.view.line(move.path, "canary"), hint)


def _settings(change: Change, move: Move) -> Environment:
    """Give the settings of the base; an environment that it does not have brings its own."""
    known = move.environment in change.base.environments()
    return (change.base if known else change.head).environment(move.environment)


def _rejected(change: Change, move: Move) -> Iterator[Problem]:
    """Look the release up in the ledgers of the base and of main; its own may say anything."""
    if not move.release:
        return
    key = change.head.release(move.environment, move.model, move.release).key
    for entry in {*change.base.rejected(), *change.main.rejected()}:
        if entry.key == key:
            text = f"{move.release} was rejected in {entry.environment}: {entry.reason}"
            hint = f"register a new version, or tidegate unreject {move.model} {entry.release}"
            yield Problem(text, move.path, change.view.line(move.path, "canary"), hint)
            return
