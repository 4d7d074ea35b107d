"""Move a cloud rollout past the points where objects and weights wait for each other.

Objects and weights move in separate commits, and the second one only after the clusters have the
first: traffic must never go to what is not there. Which of the clusters have it nobody can say
but Argo CD, so without a view of it these commits are a person's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from generator.changes import ChangeSet
from generator.intents.moves import revert, set_percent
from generator.intents.traffic import had_traffic
from generator.intents.words import Asked
from generator.model.percent import FULL, ZERO
from generator.model.rollout import Phase, Rollout
from generator.repository import Repository
from reconciler.applied import Standing, State
from reconciler.policy import Advance, Decision, Hold, Revert, bump, past_the_top

NAMED = 5


@dataclass(frozen=True, slots=True)
class Move:
    """What to do about a cloud rollout, and the commit that does it, if any."""

    decision: Decision
    change: ChangeSet | None = None


def next_move(
    repository: Repository, rollout: Rollout, standings: Mapping[str, Standing]
) -> Move | None:
    """Say what is due between objects and weights; None where neither waits.

    Args:
        repository: What stands in Git.
        rollout: A rollout of a cloud environment.
        standings: How each cluster stands to this very commit; empty where nobody looked.
    """
    if not rollout.canary:
        return None
    if rollout.phase is Phase.REVERTED:
        return _drop(repository, rollout, standings)
    if rollout.phase is Phase.PROGRESSING and rollout.percent == ZERO:
        return _start(repository, rollout, standings)
    if rollout.percent == FULL and any(not one.is_settled for one in standings.values()):
        hold = unready(rollout, standings)
        return Move(hold) if hold else None
    return None


def unready(rollout: Rollout, standings: Mapping[str, Standing]) -> Hold | None:
    """Say why a rollout that may complete must not drop stable's objects yet; None = it may."""
    waiting = [site for site, one in standings.items() if not one.is_settled]
    if standings and not waiting:
        return None
    return Hold(
        "weights",
        f"{rollout.stable} is needed until {_who(waiting)} without its traffic",
        None,
        past_the_top(rollout),
    )


def _drop(
    repository: Repository, rollout: Rollout, standings: Mapping[str, Standing]
) -> Move | None:
    """Take the canary's objects away once no cluster sends it traffic."""
    command = f'tidegate revert {rollout.model} --env {rollout.environment} --reason "..."'
    waiting = [site for site, one in standings.items() if not one.is_settled]
    if not standings or waiting:
        what = f"the canary's objects stay until {_who(waiting)} without its traffic"
        return Move(Hold("weights", what, None, command))
    why = f"no cluster sends traffic to {rollout.canary} any more, its objects go"
    change = revert(repository, rollout.environment, rollout.model, Asked(), why="objects")
    return Move(Revert("objects", why), change)


def _start(
    repository: Repository, rollout: Rollout, standings: Mapping[str, Standing]
) -> Move | None:
    """Send the first traffic once the canary is up on every cluster."""
    first = rollout.step_after(ZERO)
    if first is None or not standings or had_traffic(repository, rollout):
        # A person who took the traffic away again is the one to give it.
        return None
    waiting = [site for site, one in standings.items() if one.state is not State.APPLIED]
    if waiting:
        what = f"no traffic to the canary before {_who(waiting)} healthy with its objects"
        return Move(Hold("objects", what, None, bump(rollout)))
    change = set_percent(repository, rollout.environment, rollout.model, first, Asked())
    return Move(Advance(first, f"the canary is up on {len(standings)} clusters"), change)


def _who(waiting: list[str]) -> str:
    if not waiting:
        return "somebody can see that every cluster is"
    more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
    verb = "is" if len(waiting) == 1 else "are"
    return f"{', '.join(sorted(waiting)[:NAMED])}{more} {verb}"
