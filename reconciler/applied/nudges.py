"""What would help Argo CD along: look again, end a sync, start one anew, make Applications.

Everything follows from how things stand, so a reconciler that was killed between its push and
its nudge, or another one, does the same at its next look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.applied.application import Application, Operation
from reconciler.applied.standing import Standing, State

STUCK_FOR = timedelta(seconds=15)
"""A sync of another commit may run that long before it is in the way."""
GAVE_UP_FOR = timedelta(seconds=60)
"""So long Argo CD's own longest back-off would have waited."""
ENDED = "Operation terminated"
"""What Argo CD says of a sync that somebody has ended."""
LONGEST_SYNC = timedelta(minutes=15)
"""A sync that hangs for so long will not end by itself: Argo CD has no time-out of its own."""
MOST = 2_500
"""Most Applications to touch in one look: a quarter of 10,000 sites, the largest usual step."""


@dataclass(frozen=True, slots=True)
class Nudges:
    """Names of what to touch, in this order.

    Attributes:
        end: Applications whose sync is to be ended, with the version of which that is true: one
            that has changed since may have turned to the new commit by itself.
        refresh: Applications that are to look at Git now.
        kick: Applications whose failed sync is to be started anew.
        wake: ApplicationSets that have not made all of theirs.
    """

    end: Mapping[str, str] = field(default_factory=dict)
    refresh: tuple[str, ...] = ()
    kick: tuple[str, ...] = ()
    wake: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.end or self.refresh or self.kick or self.wake)


def nudge(standings: Mapping[str, Standing], now: datetime) -> Nudges:
    """Choose what to touch, by the name of the Application or set."""
    end: dict[str, str] = {}
    refresh: list[str] = []
    kick: list[str] = []
    wake: set[str] = set()
    for name, one in sorted(standings.items()):
        if one.application is None:
            wake.add(one.wanted.set_name)
        elif _is_to_end(one, now) and len(end) < MOST:
            end[name] = one.application.version
        elif one.state is State.GAVE_UP and _is_over(one.application, now):
            kick.append(name)
        if one.state is State.BEHIND and one.application and not one.application.is_asked:
            refresh.append(name)
    asked = [*end, *refresh][:MOST]
    return Nudges(end, tuple(asked), tuple(kick[:MOST]), tuple(sorted(wake)))


def _is_to_end(one: Standing, now: datetime) -> bool:
    operation = one.application.operation if one.application else None
    if operation is None or operation.phase != "Running":
        return False
    if one.state is State.STUCK:
        # No revert interrupts a back-off, or a sync that waits: that takes this hand.
        is_urgent = one.wanted.is_taken_back or operation.retries > 0
        return is_urgent or _age(operation, now) > STUCK_FOR
    return _age(operation, now) > LONGEST_SYNC


def _is_over(application: Application, now: datetime) -> bool:
    operation = application.operation
    if operation is None or application.is_asked:
        return False
    # Argo CD may have turned to the new commit just before we ended its sync of the old one. Then
    # it takes the new commit for one that failed, and nobody would come back to it.
    was_ended = operation.message.startswith(ENDED)
    return was_ended or operation.finished is None or now - operation.finished > GAVE_UP_FOR


def _age(operation: Operation, now: datetime) -> timedelta:
    return now - operation.started if operation.started else timedelta(0)
