"""Repositories in the states that a rollout can be in, one copy a test."""

from functools import cache
from pathlib import Path

import pytest

from tests.builders import Origin, fleet
from tests.states import STATES, At, Quick, Shelf, remembered


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> At:
    """Make each state by real Git, once."""

    @cache
    def make(state: str) -> Origin:
        folder = tmp_path_factory.mktemp(state)
        before, intents = STATES[state]
        found = make(before).copy(folder) if before else Origin.start(folder, fleet())
        for intent in intents:
            found.must(intent)
        return found.packed()

    return make


@pytest.fixture
def at(states: At, tmp_path: Path) -> At:
    """Open a real repository in one of the states."""
    return lambda state: states(state).copy(tmp_path / state)


@pytest.fixture
def quick() -> Quick:
    """Open the same in a dict."""
    return lambda state: Shelf(remembered(state))
