"""What is measured inside a process that is already warm: `python -m tests.bench.worker TASK`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from generator.changes import Committed
from generator.gitrepo.bare import Bare
from generator.intents.setup import initial, pieces
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.repository import Repository
from reconciler.wiring import BareRemote
from tests.bench.measuring import Clock, Cost
from tests.bench.reading import tick
from tests.bench.rivals import scaffold_sites
from tests.builders import (
    ADA,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    REMOTE,
    Intent,
    Memory,
    baseline,
    percent,
    promote,
)
from tidegate.scaffolding import scaffold
from tidegate.starting import read_sites


def _land(url: str, clone: str, intent: Intent, *, warm: bool) -> Cost:
    remote = BareRemote(Bare(Path(clone), url), ADA)
    if warm:
        # As the reconciler has it after a pass in which nothing happened.
        intent(remote.repository())
    clock = Clock()
    change = intent(remote.repository())
    assert change is not None
    outcome = remote.land(change, NOW)
    assert isinstance(outcome, Committed), outcome
    return clock.cost()


def _files(listed: str) -> Cost:
    """Make all files of a fleet with its baseline, and give them to nobody."""
    clock = Clock()
    answers = Answers({EDGE: Kind.EDGE}, (MODEL,), image=IMAGE, remote=REMOTE)
    sites = read_sites(answers, (listed,))
    first = initial(answers, *scaffold(pieces(answers)), sites)
    have = Memory({path: data for path, data in first.files.items() if data is not None})
    change = baseline(12)(Repository(have))
    cost = clock.cost()
    assert change is not None
    assert sum(path.startswith("sites/") for path in change.files) == len(sites[EDGE])
    return cost


TASKS: dict[str, Callable[..., Cost]] = {
    "baseline": lambda url, clone: _land(url, clone, baseline(12), warm=False),
    "promote": lambda url, clone: _land(url, clone, promote(13), warm=False),
    "step": lambda url, clone: _land(url, clone, percent("25"), warm=True),
    "files": _files,
    "tick": lambda folder, sites: tick(folder, int(sites)),
    "cookiecutter": lambda folder, count: scaffold_sites(Path(folder), int(count)),
}

if __name__ == "__main__":
    cost = TASKS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"wall": cost.wall_s, "cpu": cost.cpu_s}))
