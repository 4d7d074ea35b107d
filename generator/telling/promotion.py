"""What a promotion says of itself before anybody approves it: one pull request for one plan."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.cohort import select
from generator.intents.words import Asked
from generator.model.cohort import Cohort
from generator.model.environment import Environment, Kind
from generator.model.objective import Below, Objective, Ratio, Slower
from generator.model.percent import Percent
from generator.model.pull import Proposal
from generator.model.release import Release
from generator.model.rollout import Rollout
from generator.model.spans import say_span
from generator.repository import Repository
from generator.telling.markdown import code, fenced, section, table

MOST_ROWS = 30
WIDTH = 40
LABEL_LENGTH = 50
BASELINE = "baseline"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_402_300_799_000  # the last second that can be written


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the training runs of two versions measured; empty where nobody knows.

    Attributes:
        canary: Name to value.
        stable: The same of the release that is stable now.
    """

    canary: Mapping[str, float] = field(default_factory=dict)
    stable: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One promotion before it is merged.

    Attributes:
        before: The repository as it stands.
        after: The repository as it would be.
        change: The way from one to the other.
        environment: Where the release enters.
        model: Name in the repository.
        asked: Who and why.
        metrics: Of the training runs.
    """

    before: Repository
    after: Repository
    change: ChangeSet
    environment: str
    model: str
    asked: Asked
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def rollout(self) -> Rollout:
        """Give the rollout as it would be."""
        return self.after.rollout(self.environment, self.model)

    @property
    def release(self) -> Release:
        """Give the release that enters."""
        name = self.rollout.canary or self.rollout.stable
        return self.after.release(self.environment, self.model, name)

    @property
    def settings(self) -> Environment:
        """Give the settings of the environment."""
        return self.after.environment(self.environment)

    @property
    def branch(self) -> str:
        """Name the branch: the same for the same promotion, another one for every other."""
        rollout = self.rollout
        name = rollout.attempt if rollout.canary else f"{rollout.stable}-{BASELINE}"
        return f"{prefix(self.environment, self.model)}{name}"

    @property
    def pointers(self) -> int:
        """Count the Applications that get other bytes."""
        sites = (path.split("/") for path in self.change.files)
        return len({path[2] for path in sites if path[0] == layout.SITES and len(path) > 3})


def prefix(environment: str, model: str) -> str:
    """Begin the names of all branches that promote one model into one environment."""
    return f"promote/{environment}/{model}/"


def promotion(
    before: Repository,
    change: ChangeSet,
    environment: str,
    model: str,
    asked: Asked,
    metrics: Metrics | None = None,
) -> Promotion:
    """Look at a change as the promotion that it is."""
    draft = Draft(before.tree)
    draft.apply(change.files)
    after = before.beside(draft)
    return Promotion(before, after, change, environment, model, asked, metrics or Metrics())


def proposal(one: Promotion, base: str) -> Proposal:
    """Write the pull request of a promotion."""
    labels = ("tidegate/promotion", f"rollout/{one.model}"[:LABEL_LENGTH].rstrip("-"))
    return Proposal(one.branch, base, title(one), section(body(one)), labels)


def title(one: Promotion) -> str:
    """Say in one line what enters where; no foreign text."""
    head = f"promote {one.model} {one.release.short} to {one.environment}"
    if not one.rollout.canary:
        return f"{head} (baseline, every site at once)"
    plan = "/".join(str(step) for step in one.rollout.steps)
    return f"{head} (plan {plan} %, at least {say_span(least(one.rollout))})"


def least(rollout: Rollout) -> timedelta:
    """Add up the soaks: no rollout can be done earlier."""
    return sum((rollout.soak_at(step) for step in rollout.steps), timedelta())


def body(one: Promotion) -> str:
    """Write the whole text in Markdown."""
    parts = [machine(one), _lead(one), _facts(one), _metrics(one.metrics)]
    if one.rollout.canary:
        parts += [_plan(one), _objectives(one), _cohort(one), _excluded(one)]
    parts += [_effect(one), _undo(one)]
    return "\n\n".join(part for part in parts if part)


def machine(one: Promotion) -> str:
    """Write what programs read, in a comment that no text can end."""
    data = {
        "format": 1,
        "environment": one.environment,
        "model": one.model,
        "release": one.release.id,
        "rollout": one.rollout.id if one.rollout.canary else "",
        "modelDigest": one.release.version.digest,
    }
    text = json.dumps(data, sort_keys=True)
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("--", "-\\u002d")):
        text = text.replace(char, escaped)
    return f"<!-- tidegate:promotion {text} -->"


def _sites(one: Promotion) -> int:
    return len(one.after.sites(one.environment))


def _lead(one: Promotion) -> str:
    name, total = f"**{one.model} {one.release.short}**", _sites(one)
    if not one.rollout.canary:
        return (
            f"{name} becomes the baseline of all {total:,} sites of `{one.environment}` "
            "at once. No judge looks at it."
        )
    if one.settings.kind is Kind.CLOUD:
        return (
            f"{name} enters `{one.environment}` beside {_short(one.rollout.stable)} on {total:,} "
            "clusters, at first without traffic."
        )
    first = one.rollout.percent
    return (
        f"{name} goes to {first.count_of(total):,} of {total:,} sites of `{one.environment}` "
        f"({first}%) first; {_short(one.rollout.stable)} stays stable. This one approval is for "
        "the whole plan: each further step is taken only when the sites' own metrics allow it."
    )


def _short(release: str) -> str:
    return release.partition("-")[0]


def _facts(one: Promotion) -> str:
    version, release = one.release.version, one.release
    made = _EPOCH + timedelta(milliseconds=min(version.created_ms, _LATEST_MS))
    rows = [
        ("version", f"{code(version.registry_name)} {version.version}"),
        ("registered", f"{made:%Y-%m-%d %H:%M} UTC"),
        ("asked for as", code(version.asked)),
        ("training run", code(version.run_id)),
        ("model digest", code(version.digest)),
        ("image", code(release.image)),
        ("configuration", code(release.config_digest)),
        ("release", code(release.id)),
        ("replaces", code(one.before.rollout(one.environment, one.model).stable)),
        ("asked by", code(one.asked.by)),
        ("reason", code(one.asked.reason, 500)),
    ]
    return table(("", ""), rows)


def _metrics(metrics: Metrics) -> str:
    names = sorted(metrics.canary.keys() | metrics.stable.keys())
    if not names:
        return "### Training metrics\n\nNone are known: the registry has none, or was not asked."
    rows = [
        (code(name, 60), *_compared(metrics.canary.get(name), metrics.stable.get(name)))
        for name in names[:MOST_ROWS]
    ]
    left = _left(len(names), "metrics")
    return f"### Training metrics\n\n{table(('', 'new', 'stable', 'change'), rows)}{left}"


def _compared(new: float | None, old: float | None) -> tuple[str, str, str]:
    shown, before = ("-" if one is None else f"{one:.4g}" for one in (new, old))
    if new is None or old is None or not math.isfinite(new - old):
        return shown, before, "-"
    return shown, before, f"{new - old:+.4g}"


def _left(count: int, what: str) -> str:
    return f"\n\nand {count - MOST_ROWS:,} more {what}" if count > MOST_ROWS else ""


def _plan(one: Promotion) -> str:
    rollout = one.rollout
    drawn = one.after.cohort(one.environment, one.model)
    n = drawn.n if drawn and one.settings.kind is Kind.EDGE else 0
    lines = staircase(rollout, n)
    return (
        f"### Plan\n\n{fenced(lines)}\n\n"
        f"Steps are taken {_ADVANCE[rollout.advance.value]}. Done after at least "
        f"{say_span(least(rollout))} of good measurements; a step that waits longer than "
        f"{say_span(rollout.deadline)} is {_DEADLINE[rollout.on_deadline.value]}."
    )


_ADVANCE = {
    "automatic": "by the reconciler",
    "pull-request": "by a pull request each",
    "manual": "by a person",
}
_DEADLINE = {
    "hold": "held until a person decides",
    "revert": "taken back",
    "ask": "brought before a person",
}


def staircase(rollout: Rollout, n: int) -> str:
    """Draw the steps of a rollout as text, the present one marked.

    Args:
        rollout: The plan.
        n: Sites of the cohort; 0 where percentages are of traffic.
    """
    lines = []
    for step in reversed(rollout.steps):
        bar = "█" * max(1, math.ceil(step.basis_points * WIDTH / 10_000))
        count = f"{step.count_of(n):,} sites, " if n else "traffic, "
        here = "  <- here first" if step == rollout.percent else ""
        lines.append(
            f"{f'{step}%':>6} {bar:<{WIDTH}} {count}soak {say_span(rollout.soak_at(step))}{here}"
        )
    return "\n".join(lines)


def _objectives(one: Promotion) -> str:
    rows = [
        (
            code(each.name),
            _bad(each),
            f"{float(each.target):g}%",
            f"{each.margin:g} times worse than {_short(one.rollout.stable)}",
        )
        for each in one.after.model(one.model).objectives
    ]
    head = ("objective", "bad is", "target", "advances only when ruled out")
    return f"### Objectives\n\n{table(head, rows)}"


def _bad(objective: Objective) -> str:
    match objective.indicator:
        case Ratio(bad, total):
            return f"{code(str(bad))} of {code(str(total))}"
        case Slower(bound_s, histogram):
            return f"slower than {float(bound_s):g} s in {code(str(histogram))}"
        case Below(floor, histogram):
            return f"below {float(floor):g} in {code(str(histogram))}"
        case _:
            assert_never(objective.indicator)


def _drawn(one: Promotion) -> Cohort | None:
    is_edge = one.settings.kind is Kind.EDGE
    return one.after.cohort(one.environment, one.model) if is_edge else None


def _cohort(one: Promotion) -> str:
    drawn = _drawn(one)
    if drawn is None:
        return ""
    first = _by_stratum(drawn, one.rollout.percent)
    every = _by_stratum(drawn, Percent.of(100))
    rows = [(code(name), f"{first[name]:,}", f"{count:,}") for name, count in sorted(every.items())]
    head = (code(" / ".join(one.settings.strata)), f"first step ({one.rollout.percent}%)", "all")
    return f"### Sites\n\n{table(head, rows[:MOST_ROWS])}{_left(len(rows), 'strata')}"


def _by_stratum(drawn: Cohort, percent: Percent) -> Counter[str]:
    chosen = set(select(drawn, percent))
    return Counter(member.stratum for member in drawn.members if member.id in chosen)


def _excluded(one: Promotion) -> str:
    drawn = _drawn(one)
    if drawn is None or not drawn.excluded:
        return ""
    rows = [(code(each.id), code(each.why)) for each in drawn.excluded[:MOST_ROWS]]
    left = _left(len(drawn.excluded), "sites")
    return f"Left out until the last step:\n\n{table(('site', 'why'), rows)}{left}"


def _effect(one: Promotion) -> str:
    count = one.pointers
    noun = "Application" if count == 1 else "Applications"
    folders = Counter(path.partition("/")[0] for path in one.change.files)
    files = ", ".join(f"{number:,} in {code(name)}" for name, number in sorted(folders.items()))
    return (
        f"### What merging does\n\nRe-renders {count:,} {noun}. Files: {files}. Nothing else moves."
    )


def _undo(one: Promotion) -> str:
    where = f"--env {one.environment} --reason ..."
    verb = f"tidegate revert {one.model} {where}"
    if not one.rollout.canary:
        before = one.before.rollout(one.environment, one.model).stable
        verb = f"tidegate revert {one.model} --to {before} {where}" if before else ""
    after = f"After the merge: {code(verb)}, one commit." if verb else ""
    return f"### What undoes it\n\nBefore the merge: close this. {after}".rstrip()


def superseded(url: str) -> str:
    """Say in a closed pull request which one came after it."""
    if not url.isprintable() or any(char in url for char in " <>()[]`\\"):
        raise ValueError("not an address")
    return f"Superseded by <{url}>: one promotion at a time enters an environment."
