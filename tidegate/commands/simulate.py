"""`tidegate simulate`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from reconciler.simulate import Missed, Scenario, Seen, Told

WIDEST = 100


@click.command
@click.argument("scenario", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--all", "shows_all", is_flag=True, help="Every pass, not only where it changes.")
@click.option("--json", "as_json", is_flag=True, help="The same as data, every pass.")
def simulate(scenario: Path, *, shows_all: bool, as_json: bool) -> None:
    """Go through a scenario on virtual time, with the reconciler's own judge and policy.

    SCENARIO is a YAML file: a fleet, the series of its processes in promtool's notation, the
    rollout and the objectives in the words of the repository, what goes wrong when, and what
    should come of it. Nothing leaves this machine, and nothing is written. Exits with 1 when
    something came otherwise than `expect` says.

    \b
    tidegate simulate two-times-the-errors.yaml
    tidegate simulate --json two-times-the-errors.yaml

    \b
    apiVersion: tidegate.dev/v1alpha1
    kind: Scenario
    about: "twice the errors from the start"
    fleet: {sites: {north: 60, south: 40}}
    environment: {interval: 10m}            # keys of environment.yaml
    rollout: {steps: [5, 25, 100], soak: 1h}   # keys of the rollout file
    series:     # a point an interval, from the start of each process (or `clock: fleet`: of all)
    - {series: 'model_predictions_total{outcome="ok"}', values: '0+98x400'}
    - {series: 'model_predictions_total{outcome="error"}', values: '0+4x400', runs: canary}
    - {series: 'model_predictions_total{outcome="error"}', values: '0+2x400'}
    faults:
    - {fault: api, with: "503", at: 30m, for: 20m}
    expect:                                 # times count from the promotion
    - {at: 40m, decision: Hold, code: metrics}
    - {at: 10m, until: 6h, not: {decision: Advance}}

    \b
    faults: api (500, 503, timeout, reset, garbage, empty), warnings, explode, stuck, absent, late,
    frozen, value (NaN, +Inf, 1e999), reset, restart, ahead, twice, relabel; for `sites:` a group,
    `first:` and `skip:` so many in the order of the draw, `runs:` canary or stable, `metric:` one
    """
    from reconciler.simulate import read_scenario
    from reconciler.simulate import simulate as go_through
    from tidegate.simulating import connect

    read = read_scenario(str(scenario), scenario.read_bytes())
    told = []
    for one in go_through(read, connect):
        told.append(one)
        if not as_json:
            click.echo("\n".join(_text(read, one, shows_all=shows_all)))
        click.echo(f"went through it {one.seed} of {read.seeds} times", err=True)
    failed = sum(bool(one.missed) for one in told)
    click.echo(_json(read, told) if as_json else _sum(read, told, failed, scenario))
    sys.exit(1 if failed else 0)


def _text(scenario: "Scenario", told: "Told", *, shows_all: bool) -> Iterator[str]:
    if scenario.seeds > 1:
        yield f"seed {told.seed}"
    before: tuple[str, ...] = ()
    for seen in told.passes:
        now = (seen.percent, seen.verdict, seen.decision, seen.code)
        if shows_all or now != before or seen.commit:
            yield _line(seen)
            yield from ((f"{'':8}commit: {seen.commit}",) if seen.commit else ())
        before = now
    for one in told.missed:
        yield from _diff(one)


def _line(seen: "Seen") -> str:
    decision = seen.decision + (f" [{seen.code}]" if seen.code else "")
    why = seen.why if len(seen.why) <= WIDEST else seen.why[: WIDEST - 3] + "..."
    head = f"{show(seen.since):<8}{seen.percent + '%':<5}{seen.verdict:<10}{decision:<18}"
    return f"{head}{why}".rstrip()


def _diff(one: "Missed") -> Iterator[str]:
    yield f"line {one.line}, at {show(one.since)}: {one.key}"
    yield f"  - {one.expected}"
    yield f"  + {one.found}" + (f" ({one.why})" if one.why else "")


def show(since: timedelta) -> str:
    """Write a time since the promotion, as `+1:30`."""
    minutes, seconds = divmod(int(since.total_seconds()), 60)
    return f"+{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def _sum(scenario: "Scenario", told: Sequence["Told"], failed: int, file: Path) -> str:
    count = len(scenario.expected)
    if failed:
        times = f" in {failed} of {len(told)} times" if len(told) > 1 else ""
        return f"{file}: not as expected{times}: {scenario.about}"
    what = f"as expected ({count})" if count else "nothing was expected"
    return f"{file}: {what}: {scenario.about}"


def _json(scenario: "Scenario", told: Sequence["Told"]) -> str:
    times = [_data(one) for one in told]
    return json.dumps({"about": scenario.about, "times": times}, indent=2)


def _data(told: "Told") -> Mapping[str, Any]:
    from generator.documents.config import write_time

    return {
        "seed": told.seed,
        "asExpected": not told.missed,
        "passes": [
            {
                "at": write_time(one.at),
                "since": show(one.since),
                "percent": one.percent,
                "phase": one.phase,
                "verdict": one.verdict,
                "decision": one.decision,
                "code": one.code or None,
                "why": one.why or None,
                "commit": one.commit or None,
                "notes": list(one.notes),
            }
            for one in told.passes
        ],
        "missed": [
            {
                "line": one.line,
                "since": show(one.since),
                "key": one.key,
                "expected": one.expected,
                "found": one.found,
            }
            for one in told.missed
        ],
    }
