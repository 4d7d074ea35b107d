"""Rules as people write them for Argo Rollouts and Flagger, on the same fleets.

Ours, from their documented behaviour: one scalar (the share of bad events of the canary, over a
window) against a fixed bound, and a number of failures that is borne. The bound is set as well
as anybody could: 1.5 times the rate that the whole fleet had in its history.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.bench_judge.fleet import Recorded

BOUND = 1.5


@dataclass(frozen=True)
class Rule:
    """Revert at the first look with more than `borne` failures so far.

    Failures are counted in all, as both do: Argo Rollouts' failureLimit (default 0) and
    Flagger's threshold are totals, not runs.
    """

    window: int
    borne: int


RULES: Mapping[str, Rule] = {
    "Argo-like, 1 look, failureLimit 0": Rule(1, 0),
    "Argo-like, 5 looks, failureLimit 0": Rule(5, 0),
    "Argo-like, 5 looks, failureLimit 3": Rule(5, 3),
    "Flagger-like, 5 looks, threshold 5": Rule(5, 4),
}


def reverted_at(rule: Rule, recorded: Recorded) -> int | None:
    """Give the look at which the rule reverts."""
    events, bad = recorded.canary_sums()
    past_events, past_bad = recorded.history.sum(axis=1)
    kernel = np.ones(rule.window)
    seen = np.convolve(events, kernel)[: len(events)]
    share = np.convolve(bad, kernel)[: len(bad)] / np.maximum(seen, 1)
    full = np.arange(len(events)) >= rule.window - 1
    failed = (share > BOUND * past_bad / past_events) & full
    found = np.flatnonzero(failed.cumsum() > rule.borne)
    return int(found[0]) if found.size else None
