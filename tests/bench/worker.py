"""What is measured inside a process that is already warm: `python -m tests.bench.worker TASK`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from generator.changes import Committed
from generator.gitrepo.bare import Bare
from reconciler.wiring import BareRemote
from tests.bench.measuring import Clock, Cost
from tests.bench.rivals import scaffold_sites
from tests.builders import ADA, NOW, Intent, baseline, percent, promote


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


TASKS: dict[str, Callable[..., Cost]] = {
    "baseline": lambda url, clone: _land(url, clone, baseline(12), warm=False),
    "promote": lambda url, clone: _land(url, clone, promote(13), warm=False),
    "step": lambda url, clone: _land(url, clone, percent("25"), warm=True),
    "cookiecutter": lambda folder, count: scaffold_sites(Path(folder), int(count)),
}

if __name__ == "__main__":
    cost = TASKS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"wall": cost.wall_s, "cpu": cost.cpu_s}))
