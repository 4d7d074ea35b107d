"""The tables of docs/judge.md."""

from collections.abc import Iterator, Mapping, Sequence

from tests.bench_judge.rivals import RULES
from tests.bench_judge.shares import mean, share, wald_bound
from tests.bench_judge.trial import Case, Outcome

START = "<!-- figures: make bench-judge ARGS=--write -->\n"
END = "<!-- end of figures -->\n"

Found = Mapping[str, Sequence[Outcome]]
Row = tuple[str, ...]


def show(cases: Sequence[Case], outcomes: Found) -> str:
    """Write all tables whose cases were run."""
    known = {case.name: case for case in cases}
    parts = (_harmless, _harmful, _healthy, _late, _rivals)
    return "\n".join(text for part in parts if (text := part(known, outcomes)))


def _table(title: str, head: Row, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return f"**{title}**\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in lines)


def reverted(found: Sequence[Outcome], rule: str = "judge") -> str:
    """Give the share that was reverted."""
    return share(sum(one.looks[rule] is not None for one in found), len(found))


def _harmless(cases: Mapping[str, Case], outcomes: Found) -> str:
    rows = [
        (name.removesuffix(" x1"), f"{len(found):,}", reverted(found), _cannot(found))
        for name, found in outcomes.items()
        if cases[name].rollout.times == 1
    ]
    title = "Harmless rollouts that were reverted (alpha 0.01)"
    return _table(title, ("fleet", "rollouts", "reverted", "cannot judge"), rows)


def _cannot(found: Sequence[Outcome]) -> str:
    return f"{sum(one.cannot for one in found) / len(found):.0%}".replace("%", " %")


def _harmful(cases: Mapping[str, Case], outcomes: Found) -> str:
    rows = []
    for name, found in outcomes.items():
        case = cases[name]
        if case.rollout.times > 1 and not case.rollout.since and case.fleet.rate:
            bound = wald_bound(case.fleet.rate, case.rollout.times, case.settings.alpha)
            served = [one.served["judge"] for one in found]
            efficiency = bound * len(served) / sum(served)
            rows.append((name, reverted(found), mean(served), f"{bound:,.0f}", f"{efficiency:.2f}"))
    title = "Harmful rollouts: found, and canary requests served until then"
    return _table(title, ("harm", "found", "requests", "bound", "efficiency"), rows)


def _healthy(cases: Mapping[str, Case], outcomes: Found) -> str:
    rows = [row for name, found in outcomes.items() for row in _steps(cases[name], found)]
    head = ("rollout", "step", "looks", "E_ok reached 1/beta", "Healthy", "looks until then")
    return _table("Steps that pass (margin 1.5, beta 0.05)", head, rows)


def _steps(case: Case, found: Sequence[Outcome]) -> Iterator[Row]:
    if not case.passes:
        return
    starts = [since for since, _ in case.rollout.steps] + [case.rollout.looks]
    for step, (_, sites) in enumerate(case.rollout.steps):
        shown = [one.open[step] is not None for one in found]
        when = [look + 1 for one in found if (look := one.healthy[step]) is not None]
        yield (
            case.name,
            f"{sites} sites",
            str(starts[step + 1] - starts[step]),
            share(sum(shown), len(found)),
            share(len(when), len(found)),
            f"{sum(when) / len(when):.1f}" if when else "-",
        )


def _late(cases: Mapping[str, Case], outcomes: Found) -> str:
    rows = []
    for name, found in outcomes.items():
        if cases[name].rollout.looks > 60:
            after = [one for one in found if one.late["judge"] > 0]
            row = (name, reverted(found), mean([one.late["judge"] for one in after]))
            rows.append(row)
    title = "Harm from look 30 on (late) and from the start (early), of 120 looks"
    return _table(title, ("harm", "found", "requests since the harm began"), rows)


def _rivals(cases: Mapping[str, Case], outcomes: Found) -> str:
    names = [
        name
        for name in outcomes
        if name.startswith(("one step", "ramp", "a day's surge", "sites very unlike"))
    ]
    rows = []
    for rule in ("judge", *RULES):
        cells = []
        for name in names:
            found = outcomes[name]
            hit = sum(one.looks[rule] is not None for one in found) / len(found)
            served = sum(one.served[rule] for one in found) / len(found)
            cells.append(f"{hit:.1%} / {served:,.0f}".replace("%", " %"))
        rows.append((rule if rule != "judge" else "tidegate", *cells))
    title = "Beside rules on a fixed bound: reverted / mean canary requests served"
    return _table(title, ("rule", *names), rows if names else [])
