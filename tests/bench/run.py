"""Run tidegate and its rivals by turns, on the same files, remote and filesystem.

Nothing here fails because it was slow: figures are for people, and a machine is what it is.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import rivals
from tests.bench.measuring import Cost, run, worker
from tests.bench.place import Place
from tests.bench.table import Figures, show, write_block

ROOT = Path(__file__).resolve().parents[2]


def main(words: Sequence[str]) -> None:
    """Measure, print the table, and keep the figures where that is asked for."""
    options = _options(words)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, _apart(Path(folder)):
        figures = measure(Path(folder), options.sites, options.rivals, options.times)
    table = show(figures)
    print(table, end="")
    if options.json:
        options.json.write_text(json.dumps(figures.as_data(), indent=2) + "\n")
    if options.write:
        readme = options.readme
        readme.write_text(write_block(readme.read_text(), table))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=main.__doc__)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--rivals", type=int, default=100, help="sites that cookiecutter writes")
    parser.add_argument("--times", type=int, default=5, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="1,000 sites, twice")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.quick:
        options.sites, options.rivals, options.times = 1_000, 20, 2
    return options


@contextmanager
def _apart(folder: Path) -> Iterator[None]:
    """Let no setting of the person or the machine take part."""
    told = {
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.invalid",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.invalid",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(folder),
    }
    before = dict(os.environ)
    os.environ.update(told)
    # Installed Python has its byte code; a bench that compiles each time measures the compiler.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure(folder: Path, sites: int, others: int, times: int) -> Figures:
    """Take every figure `times` times, tidegate and rival by turns."""
    load = os.getloadavg()[0]
    warm_up = Place(folder / "warm-up", 100)
    list(_round(warm_up, 1, 100))
    warm_up.remove()
    taken: dict[str, list[Cost]] = {}
    for number in range(times):
        place = Place(folder / str(number), sites)
        for name, cost in _round(place, others, sites):
            taken.setdefault(name, []).append(cost)
        place.remove()
    return Figures(sites, others, place.changed, os.cpu_count() or 1, load, taken)


def _round(place: Place, others: int, sites: int) -> Iterator[tuple[str, Cost]]:
    place.start()
    yield "init", run(*place.init())
    place.publish()
    yield "baseline", worker("baseline", place.url, place.clone)
    yield "files", worker("files", str(place.csv))
    yield "cookiecutter", worker("cookiecutter", str(place.folder), str(others))
    yield "promote", worker("promote", place.url, place.clone)
    replies = str(place.folder / "replies")
    make = f"from tests.bench.reading import make; make({replies!r}, {sites})"
    run(sys.executable, "-c", make)
    yield "tick", worker("tick", replies, str(sites))
    place.fork("warm", "cold", "plain")
    # A clone of its own for each, as people and reconcilers have it.
    yield "warm step", worker("step", place.forked("warm"), f"{place.clone}-warm")
    place.learn("warm")
    yield "plain step", rivals.step(place)
    tidegate = place.tidegate("cold")
    run(*tidegate("status"))
    yield "cold step", run(*tidegate("set-percent", place.model, "25", "--reason", "speed"))
    place.check_equal("warm", "plain", "cold")
    yield "verify", run(*tidegate("verify"))
    yield "expand", run(*tidegate("expand", "--reason", "speed"))
    yield "pass", run(*tidegate("reconcile", "--once"))
