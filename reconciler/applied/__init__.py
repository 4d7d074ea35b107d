"""What Argo CD has made of what Git wants, site by site, and what would help it along.

Nothing here decides about a rollout: a release is judged by what it predicts, never by what
Argo CD says of it.
"""

from reconciler.applied.agreement import Agreement
from reconciler.applied.application import Application, Operation, read_application
from reconciler.applied.nudges import Nudges, nudge
from reconciler.applied.standing import Contents, Standing, State, stand
from reconciler.applied.wanted import Wanted, wanted

__all__ = [
    "Agreement",
    "Application",
    "Contents",
    "Nudges",
    "Operation",
    "Standing",
    "State",
    "Wanted",
    "nudge",
    "read_application",
    "stand",
    "wanted",
]
