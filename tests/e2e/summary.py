"""Write docs/engines.md from the reports of several runs.

`python -m tests.e2e.summary RUN.json... [--alone RUN.json] [--remark TEXT]`, each from
`make e2e ARGS="--report RUN.json"`; what ran alone, with words of its own, has its own table.
Every number in the page comes from these files; nothing is written by hand but the words.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.bed.argocd import POLL_S

Run = Mapping[str, Any]
HEAD = """\
# What was shown on real engines

Written by `python -m tests.e2e.summary` from the reports of {count} runs in a row of `make e2e`;
do not edit. Each scenario commits with the real command line and the real reconciler, and asserts
on what the API servers hold. Sites are namespaces of one real API server, each behind an address
of its own that can be cut (`tests/e2e/bed/gate.py` says why, and what that leaves out); pods
become ready through KWOK. Argo CD polls every {poll} s here.

Not shown by this: K3s, a gateway that routes, a network with its own faults, EKS, Flux, an
Argo CD on each site.
"""


def main(words: Sequence[str]) -> int:
    """Print the page; 1 when a run was red or the runs are not of the same scenarios."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.summary", description=main.__doc__)
    parser.add_argument("runs", nargs="+", type=_read, help="reports of whole runs in a row")
    parser.add_argument("--alone", type=_read, action="append", default=[], help="of one scenario")
    parser.add_argument("--remark", default="", help="what the figures do not say")
    told = parser.parse_args(words)
    shown = [set(run["shown"]) for run in told.runs]
    every = (*told.runs, *told.alone)
    bad = [key for run in every for key, one in run["shown"].items() if one["outcome"] != "passed"]
    if bad or any(one != shown[0] for one in shown):
        print(f"not the same green runs: {bad or [len(one) for one in shown]}", file=sys.stderr)
        return 1
    print("\n".join(page(told.runs, told.alone, told.remark)))
    return 0


def _read(file: str) -> Run:
    found: Run = json.loads(Path(file).read_text())
    return found


def page(runs: Sequence[Run], alone: Sequence[Run], remark: str) -> Iterator[str]:
    """Write the page, line by line."""
    yield HEAD.format(count=len(runs), poll=POLL_S)
    if remark:
        yield f"{remark}\n"
    yield from _table(("engine", "version"), runs[-1]["versions"].items())
    yield "\n## Scenarios\n"
    head = ("scenario", "test", "assertions", *(f"run {n}, s" for n in range(1, len(runs) + 1)))
    yield from _table(head, _scenarios(runs))
    yield "\n## Measured\n"
    head = ("what", *(f"run {n}" for n in range(1, len(runs) + 1)))
    yield from _table(head, _noted(runs))
    yield "\n## What it takes\n"
    yield from _table(head, _costs(runs))
    for run in alone:
        names = sorted({one["scenario"] for one in run["shown"].values()})
        yield f"\n## Alone: {', '.join(names)}\n"
        yield from _table(("what", "run"), [*_noted([run]), *_costs([run])])
    for name, gone in runs[-1]["absent"].items():
        yield f"\nNot shown: {name} (no {', '.join(gone)})."


def _scenarios(runs: Sequence[Run]) -> Iterator[Sequence[object]]:
    for key, one in runs[0]["shown"].items():
        test = one["test"].removeprefix("test_").replace("_", " ")
        times = [f"{run['shown'][key]['seconds']:.0f}" for run in runs]
        yield one["scenario"], test, one["assertions"], *times
    total = sum(one["assertions"] for one in runs[0]["shown"].values())
    times = [f"{sum(one['seconds'] for one in run['shown'].values()):.0f}" for run in runs]
    yield "together", f"{len(runs[0]['shown'])} tests", total, *times


def _noted(runs: Sequence[Run]) -> Iterator[Sequence[object]]:
    for name in runs[0]["notes"]:
        yield name, *(run["notes"].get(name, "-") for run in runs)


def _costs(runs: Sequence[Run]) -> Iterator[Sequence[object]]:
    yield (
        "the whole run, s",
        *(f"{run['seconds']:.0f}" if run.get("seconds") else "-" for run in runs),
    )
    yield "beds side by side", *(run.get("beds", 1) for run in runs)
    yield (
        "boot factor (1 = the machine that the deadlines are for)",
        *(f"{run['factor']:.2f}" for run in runs),
    )
    for name in runs[0]["spent_s"]:
        yield f"start of {name}, s", *(run["spent_s"].get(name, "-") for run in runs)
    for name in runs[0]["memory_mib"]:
        told = (run["memory_mib"].get(name) for run in runs)
        yield f"peak memory of {name}, MiB", *("-" if one is None else f"{one:.0f}" for one in told)
    yield "peak memory together, MiB", *(f"{sum(run['memory_mib'].values()):.0f}" for run in runs)


def _table(head: Sequence[object], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(map(str, head)) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
