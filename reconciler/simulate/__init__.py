"""A whole rollout on virtual time: the reconciler's own rooms, a branch and metrics in memory.

Nothing here decides anything: verdicts, decisions and commits are those of `reconciler.tick`,
which is asked at every pass as the loop would ask it.
"""

from reconciler.simulate.metrics import Broken, Metrics, Reply
from reconciler.simulate.notation import Notation
from reconciler.simulate.reading import read_scenario
from reconciler.simulate.run import Missed, Seen, Told, simulate
from reconciler.simulate.scenario import Scenario

__all__ = [
    "Broken",
    "Metrics",
    "Missed",
    "Notation",
    "Reply",
    "Scenario",
    "Seen",
    "Told",
    "read_scenario",
    "simulate",
]
