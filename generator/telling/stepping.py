"""What the next step of a rollout says of itself where each step is a pull request of its own."""

from collections.abc import Sequence

from generator.model.percent import Percent
from generator.model.pull import Proposal
from generator.model.rollout import Rollout
from generator.telling.life import Entry, numbers
from generator.telling.markdown import code, fenced, section
from generator.telling.promotion import LABEL_LENGTH, staircase

SUPERSEDED = "superseded"


def steps_of(environment: str, model: str) -> str:
    """Begin the names of all branches with a step of one model in one environment."""
    return f"step/{environment}/{model}/"


def branch(rollout: Rollout, to: Percent) -> str:
    """Name the branch of a step: the same for the same step."""
    return f"{steps_of(rollout.environment, rollout.model)}{rollout.attempt}/{to}"


def proposal(
    rollout: Rollout,
    to: Percent,
    subject: str,
    base: str,
    n: int,
    objectives: Sequence[Entry],
) -> Proposal:
    """Write the pull request of a step.

    Args:
        rollout: As it stands.
        to: Where the step leads.
        subject: Of its commit.
        base: Branch that it enters.
        n: Sites of the cohort; 0 where percentages are of traffic.
        objectives: What allows it, as evidence writes it.
    """
    undo = f"tidegate revert {rollout.model} --env {rollout.environment} --reason ..."
    parts = [
        f"The evidence allows {to}% of {code(rollout.id)}. Merging this takes the step; it is "
        "closed when the rollout moves otherwise, and a breach takes the canary back without it.",
        fenced(staircase(rollout, n).replace("<- here first", "<- here")),
        numbers(objectives),
        f"Undo: {code(undo)}",
    ]
    labels = ("tidegate/step", f"rollout/{rollout.model}"[:LABEL_LENGTH].rstrip("-"))
    body = section("\n\n".join(part for part in parts if part))
    return Proposal(branch(rollout, to), base, subject, body, labels)


def superseded(why: str) -> str:
    """Say in a pull request why it was closed; `why` is our own words."""
    return f"Closed: {why}. Nothing was lost: its branch is still there."
