"""Judge one rollout: lines of its recording in, one verdict per tick out."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import assert_never

import numpy as np

from generator.errors import InputError
from reconciler.analysis.case import Case
from reconciler.analysis.guards import Guards, Watch, beside
from reconciler.analysis.ledger import EVENTS
from reconciler.analysis.reporting import Reporting
from reconciler.analysis.roster import Roster
from reconciler.analysis.split import SplitCase, site_of
from reconciler.analysis.verdict import ObjectiveVerdict, Settings
from reconciler.recording import AssignedLine, HistoryLine, Line, ObjectivesLine, TickLine


class Judge:
    """The evidence about one rollout, line after line; mutable, no clock, no I/O.

    The verdicts are a pure function of the settings and the lines fed so far. A line that is
    refused leaves nothing behind.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._rollout: str | None = None
        self._weights: ObjectivesLine | None = None
        self._history: dict[str | None, dict[str, tuple[int, int]]] = {}
        self._roster = Roster()
        self._cases: dict[str, Case | SplitCase] = {}
        self._guards: dict[str, Guards] = {}
        self.reporting = Reporting(self.settings, self._roster)

    @property
    def served(self) -> frozenset[str]:
        """Give the sites that ever had canary events."""
        rows = [np.flatnonzero(case.ledger.sums.table[EVENTS]) for case in self._cases.values()]
        names = self._roster.names(np.concatenate(rows)) if rows else frozenset()
        return frozenset(map(site_of, names)) if self._roster.clusters else names

    @property
    def breached(self) -> frozenset[str]:
        """Give the objectives that a verdict would call breached."""
        lost = self.reporting.proof is not None
        return frozenset(name for name, case in self._cases.items() if lost or case.is_breached)

    @property
    def spends(self) -> Mapping[str, float]:
        """Give the chance of a false revert that each test may spend, "" for reporting loss."""
        found = {name: math.exp(-case.log_bound) for name, case in self._cases.items()}
        if not self._roster.clusters:
            found[""] = self.settings.alpha * self.settings.reporting
        return found

    def feed(self, line: Line, *, decide: bool = True) -> ObjectiveVerdict | None:
        """Take the next line.

        Args:
            line: Of this rollout; a tick is later than all of its objective before.
            decide: False where nobody reads the verdict: cheaper, same evidence.

        Returns:
            The verdict of a tick line; None for other lines, and without `decide`.

        Raises:
            InputError: The line does not go with the lines before.
        """
        if self._rollout not in (None, line.rollout):
            raise InputError(f"rollout {line.rollout!r} in the recording of {self._rollout!r}")
        self._rollout = line.rollout
        match line:
            case TickLine():
                return self._tick(line, decide=decide)
            case AssignedLine():
                self._assign(line)
            case ObjectivesLine():
                self._split(line)
            case HistoryLine():
                self._learn(line)
            case _:
                assert_never(line)
        return None

    def _split(self, line: ObjectivesLine) -> None:
        if self._weights is None and self._cases:
            raise InputError("the objectives line comes after a tick", hint="put it first")
        if self._weights not in (None, line):
            raise InputError("the weights of the objectives changed during the rollout")
        self._weights = line

    def _learn(self, line: HistoryLine) -> None:
        if self._cases if line.objective is None else line.objective in self._cases:
            raise InputError("a history line comes after a tick", hint="put it before the ticks")
        known = self._history.setdefault(line.objective, {})
        twice = known.keys() & line.sites.keys()
        if twice:
            raise InputError(f"site {min(twice)!r} has two histories")
        known.update(line.sites)

    def _assign(self, line: AssignedLine) -> None:
        was_split = self._roster.clusters > 0
        begins = self._roster.assign(line)
        if self._cases and was_split != (self._roster.clusters > 0):
            raise InputError("traffic is split from the first tick on, or never")
        if begins:
            for case in self._cases.values():
                case.begin_step()
        if not self._roster.clusters:
            self.reporting.assign(line)

    def _tick(self, line: TickLine, *, decide: bool) -> ObjectiveVerdict | None:
        case = self._cases.get(line.objective) or self._open(line.objective)
        case.check(line)
        self._cases[line.objective] = case
        scene = case.add(line)
        guards = self._guards[line.objective]
        guards.add(line, case.ledger, comparable=scene.stable_trouble is None)
        # Whoever serves both releases falls silent with both: that tells nothing of one of them.
        watches: tuple[Watch, ...] = (guards,)
        if not self._roster.clusters:
            self.reporting.hear(line)
            watches = (self.reporting, guards)
        return beside(case.verdict(line, scene), watches) if decide else None

    def _open(self, objective: str) -> Case | SplitCase:
        weight = self._weight(objective)
        budget = self.settings.budgets.get(objective)
        if self._roster.clusters:
            self._guards[objective] = Guards(budget, self._roster, {})
            return SplitCase(self.settings, objective, weight, self._roster)
        history = self._history.get(None, {}) | self._history.get(objective, {})
        self._guards[objective] = Guards(budget, self._roster, history)
        return Case(self.settings, objective, weight, self._roster, history)

    def _weight(self, objective: str) -> float:
        if self._weights is None:
            return 1.0
        weights = self._weights.weights
        if objective not in weights:
            near = get_close_matches(objective, weights, n=1)
            hint = f"did you mean {near[0]!r}?" if near else None
            raise InputError(f"the objectives line has no weight for {objective!r}", hint=hint)
        return weights[objective]
