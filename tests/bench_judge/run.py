"""Let the judge and its rivals decide the same simulated rollouts, and write the tables.

Nothing here fails because a figure is poor: tests/unit holds what must hold.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.bench_judge.cases import all_cases
from tests.bench_judge.tables import END, START, show
from tests.bench_judge.trial import Case, Outcome, run

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = 25  # rollouts a worker takes at once
QUICK = 0.05

Outcomes = dict[str, list[Outcome]]


def main(words: Sequence[str]) -> None:
    """Simulate, print the tables, and keep them where that is asked for."""
    options = _options(words)
    cases = [case for case in all_cases(options.scale) if case.name.startswith(options.only)]
    outcomes = simulate(cases, options.cores)
    text = show(cases, outcomes)
    print(text, end="")
    if options.json:
        data = {name: [asdict(one) for one in found] for name, found in outcomes.items()}
        options.json.write_text(json.dumps(data) + "\n")
    if options.write:
        options.page.write_text(write_block(options.page.read_text(), text))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-judge ARGS=...", description=main.__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual rollouts")
    parser.add_argument("--quick", action="store_true", help=f"the same as --scale {QUICK}")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write every outcome to this file too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/judge.md")
    page = ROOT / "docs" / "judge.md"
    parser.add_argument("--page", type=Path, default=page, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.quick:
        options.scale = QUICK
    return options


def simulate(cases: Sequence[Case], cores: int) -> Outcomes:
    """Run all cases, on some cores, telling on stderr how far they are."""
    outcomes: Outcomes = {case.name: [] for case in cases}
    parts = [(case, first) for case in cases for first in range(0, case.runs, TOGETHER)]
    began = time.monotonic()
    with ProcessPoolExecutor(cores) as pool:
        for done, ((case, _), found) in enumerate(
            zip(parts, pool.map(_part, parts), strict=True), 1
        ):
            outcomes[case.name] += found
            _tell(case.name, done / len(parts), time.monotonic() - began)
    return outcomes


def _tell(name: str, done: float, spent_s: float) -> None:
    left_s = spent_s * (1 / done - 1)
    text = f"\r{done:4.0%}  {name:32.32}  {spent_s:4.0f} s, {left_s:4.0f} s to go"
    print(text, end="\n" if done == 1 else "", file=sys.stderr, flush=True)


def _part(part: tuple[Case, int]) -> list[Outcome]:
    case, first = part
    return [run(case, number) for number in range(first, min(first + TOGETHER, case.runs))]


def write_block(text: str, tables: str) -> str:
    """Put the tables between the markers of the page.

    Raises:
        ValueError: The markers are not there, once each.
    """
    parts = text.split(START), text.split(END)
    if len(parts[0]) != 2 or len(parts[1]) != 2:
        raise ValueError(f"the page needs one {START.strip()} and one {END.strip()}")
    return f"{parts[0][0]}{START}\n{tables}\n{END}{parts[1][1]}"
