"""Every scenario of this folder: what is expected comes true, and what must always hold, holds.

Their numbers are rows of a catalogue of faults: what a metrics API, the network, sites or chance
can do to a rollout. No file here may end in a verdict on a model that the fault alone brought.
"""

from itertools import pairwise
from pathlib import Path

import pytest

from generator.repository import Repository
from reconciler.record import check_newest, read_chain
from reconciler.replay import replay, rollouts
from reconciler.simulate import Told, read_scenario, simulate
from reconciler.simulate.reading import MODEL
from tidegate.simulating import connect

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
ROWS = set(range(26, 44))


def test_every_row_of_the_catalogue_has_a_file() -> None:
    numbered = [file.name[:2] for file in FILES if not file.name.startswith("cloud-")]
    assert {int(number) for number in numbered} == ROWS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_comes_as_expected(file: Path) -> None:
    for told in simulate(read_scenario(file.name, file.read_bytes()), connect):
        assert [f"{one.line} {one.since} {one}" for one in told.missed] == []
        check_commits(told)
        check_evidence(told)


def check_commits(told: Told) -> None:
    """Percentages rise until one revert, each step stands once, and nothing moves afterwards."""
    moves = [one for one in told.passes if one.decision in ("Advance", "Complete", "Revert")]
    # What waits between objects and weights is decided by who has them, not by evidence.
    moves = [one for one in moves if one.commit and one.code != "objects"]
    moves = [one for one in moves if "the canary is up on" not in one.why]
    percents = [float(one.percent) for one in moves]
    ends = [one.decision in ("Complete", "Revert") for one in moves]
    assert all(one < other for one, other in pairwise(percents[: -1 if any(ends) else None]))
    assert ends == sorted(ends), "nothing moves after the end"
    assert sum(ends) <= 1
    for one in moves:
        # At the top there is nobody to compare with; on the way nothing goes on unproven.
        assert one.verdict == "Healthy" or one.decision != "Advance"
    assert not told.passes[-1].commit or told.passes[-1] in moves
    assert all(one.code or one.why for one in told.passes if one.decision == "Hold")


def check_evidence(told: Told) -> None:
    """What stands in Git is whole, and every decision comes out again from it alone."""
    for rollout, _ in rollouts(told.tree).values():
        chain = read_chain(told.tree, rollout)
        check_newest(told.tree, chain)
        again = list(replay(chain))
        assert [one.differences for one in again] == [()] * len(again)
        assert Repository(told.tree).rollout(rollout.environment, MODEL).stable
