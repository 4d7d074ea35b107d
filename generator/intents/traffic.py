"""Whether a cloud canary has had traffic: then its objects wait for the weights, once more."""

from generator import layout
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.model.percent import ZERO
from generator.model.rollout import Rollout
from generator.repository import Repository

MOST_PAST = 50


def had_traffic(repository: Repository, rollout: Rollout) -> bool:
    """Say whether the canary of this rollout had a share of the traffic at an earlier commit."""
    path = layout.rollout(rollout.environment, rollout.model)
    for _, data in repository.tree.past(path, MOST_PAST):
        try:
            then = read_rollout(path, data, rollout.environment, rollout.model)
        except InputError:
            continue
        if then.id != rollout.id:
            return False
        if then.percent != ZERO:
            return True
    return False
