"""Absolute guards: is the error budget at stake, and is it the release that puts it there?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from reconciler.analysis.burn import Fuel, Share, log_above
from reconciler.analysis.ledger import BAD, EXPECTED, Rows, Sums
from reconciler.analysis.reasons import capped
from reconciler.analysis.roster import CANARY, STABLE, Roster, columns
from reconciler.analysis.verdict import Code, ObjectiveVerdict, Reason, Verdict
from reconciler.recording import TickLine

LEAST_EVENTS = 100
LEAST_BAD = 10
LEAST_BAD_SHORT = 3
PLANT_SHARE = 0.5  # the control burns this much of it, too: then it is not the release
CEILING = 14.4
CEILING_LOG_BOUND = 4.605  # ln 100
EXPOSURE = 0.05
MONTH = timedelta(days=30)
LEAST_ELAPSED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """One burn-rate alert of two windows, in bins of five minutes.

    Source: SRE workbook, chapter 5; sloth's windows of 30 days.
    """

    factor: float
    long: int
    short: int
    text: str


PAIRS = (Pair(14.4, 12, 1, "1 h and 5 min"), Pair(6.0, 72, 6, "6 h and 30 min"))


@dataclass(frozen=True, slots=True)
class Sides:
    """Whom a guard looks at, and whom it compares them with.

    At 100 percent the sites that joined last are compared with those that had it before.
    """

    subject: Rows
    control: Rows
    names: tuple[str, str]

    @classmethod
    def of(cls, roster: Roster) -> "Sides":
        """Take canary and stable, or the newest and the earlier canary sites."""
        canary, stable = roster.in_arm(CANARY), roster.in_arm(STABLE)
        if stable.size:
            return cls(canary, stable, ("the canary", "stable"))
        newcomers = roster.newcomers()
        earlier = np.setdiff1d(canary, newcomers)
        if not earlier.size:
            return cls(canary, earlier, ("the canary", "nobody"))
        return cls(newcomers, earlier, ("the sites that joined last", "those before them"))


class Summed(Protocol):
    """What was counted since the rollout began, and what was expected."""

    @property
    def sums(self) -> Sums:
        """Give the sums, a column per row of the roster."""


class Guards:
    """The guards of one objective of one rollout; mutable, no clock, no I/O.

    Attributes:
        proof: Why the canary has to go, once a guard said so.
        trouble: Why it must not advance now: something burns, and it may not be the release.
    """

    def __init__(
        self, budget: float | None, roster: Roster, history: Mapping[str, tuple[int, int]]
    ) -> None:
        """Start before the first tick.

        Args:
            budget: The share of events that may be bad; None = not known, nothing to guard.
            roster: Sites and arms.
            history: Events and bad ones of each site before the rollout.
        """
        self.proof: Reason | None = None
        self.trouble: Reason | None = None
        self._is_off = budget is None
        self._budget = budget or 1.0
        self._roster = roster
        rows = roster.rows(history)
        told = np.zeros((2, roster.width))
        told[:, rows] = columns(history)
        self._fuel = Fuel(told)
        self._arms: Rows = np.zeros(0, np.intp)
        self._began: datetime | None = None

    def add(self, line: TickLine, ledger: Summed, *, comparable: bool) -> None:
        """Count one tick and look.

        Args:
            line: The tick.
            ledger: The sums of this objective.
            comparable: False while the stable arm is silent: then nobody can tell what burns.
        """
        if self._is_off:
            return
        canary, stable = self._roster.arms(line)
        self._fuel.grow(self._roster.width)
        self._fuel.turn(line.at)
        self._fuel.forget(self._moved())
        self._fuel.add(canary)
        self._fuel.add(stable)
        self._began = self._began or line.at
        self.trouble = None
        if self.proof is not None or not comparable:
            return
        for found in self._look(ledger, line.at):
            if found.code is not Code.BURNS_ALIKE:
                self.proof = found
                return
            self.trouble = self.trouble or found

    def _moved(self) -> Rows:
        now = np.zeros(self._roster.width, np.intp)
        for arm in (STABLE, CANARY):
            now[self._roster.in_arm(arm)] = arm
        before = np.pad(self._arms, (0, len(now) - len(self._arms)))
        self._arms = now
        return np.flatnonzero((now != before) & (before > 0))

    def _look(self, ledger: Summed, at: datetime) -> Iterator[Reason]:
        sides = Sides.of(self._roster)
        if not sides.subject.size:
            return
        for pair in PAIRS:
            found = self._burning(sides, pair)
            if found:
                yield found
        for found in (self._ceiling(sides), self._exposed(ledger, at)):
            if found:
                yield found

    def _burning(self, sides: Sides, pair: Pair) -> Reason | None:
        least = pair.factor * self._budget
        whole = self._fuel.over(pair.short, sides.subject).sites < 2
        near = self._fuel.over(pair.short, sides.subject, whole=whole)
        if least >= 1 or near.bad < LEAST_BAD_SHORT or near.value < least:
            return None
        far = self._fuel.over(pair.long, sides.subject, whole=whole)
        if far.events < LEAST_EVENTS or far.bad < LEAST_BAD or far.value < least:
            return None
        burn = f"{far.value / self._budget:.3g} and {near.value / self._budget:.3g} times"
        text = f"the error budget of {sides.names[0]} burns {burn} too fast over {pair.text}"
        shares = {pair.long: far, pair.short: near}
        return self._told(Code.BURNING, text, shares, sides, whole=whole)

    def _ceiling(self, sides: Sides) -> Reason | None:
        least = CEILING * self._budget
        share = self._fuel.ever(sides.subject)
        log = log_above(share, least) if least < 1 else 0.0
        if log < CEILING_LOG_BOUND or share.events < LEAST_EVENTS:
            return None
        text = (
            f"{share.value:.1%} of {share.events:,.0f} events of {sides.names[0]} are bad, "
            f"certainly above {least:.1%}, {CEILING} error budgets: E {capped(log):.3g}"
        )
        shares = {pair.long: self._fuel.over(pair.long, sides.subject) for pair in PAIRS}
        return self._told(Code.CEILING, text, shares, sides, whole=False)

    def _told(
        self,
        code: Code,
        text: str,
        shares: Mapping[int, Share],
        sides: Sides,
        *,
        whole: bool,
    ) -> Reason:
        """Say whether it is the release, or may be what all plants have in common.

        Args:
            code: What it is if it is the release.
            text: What burns.
            shares: What the subject did over some numbers of bins.
            sides: Who is who.
            whole: Only one site burns.
        """
        if whole:
            return Reason(Code.BURNS_ALIKE, f"{text}; one site alone proves nothing")
        controls = {bins: self._fuel.over(bins, sides.control) for bins in shares}
        longest = controls[max(controls)]
        if longest.events < LEAST_EVENTS:
            return Reason(Code.BURNS_ALIKE, f"{text}; nobody is left to compare with")
        text += f", {sides.names[1]} {longest.value / self._budget:.3g} times"
        found = [share.expects(controls[bins]) for bins, share in shares.items()]
        if any(expected >= PLANT_SHARE * bad for bad, expected in found):
            return Reason(Code.BURNS_ALIKE, f"{text}: it may be what all plants share")
        return Reason(code, text)

    def _exposed(self, ledger: Summed, at: datetime) -> Reason | None:
        elapsed = at - (self._began or at)
        table = ledger.sums.table
        if elapsed < LEAST_ELAPSED or table.shape[1] < 2:
            return None
        excess = np.sort(table[BAD] - table[EXPECTED])
        harm = float(excess[:-1].sum())
        served = self._fuel.served[self._fuel.served > 0]
        events = float(np.minimum(served, 4 * np.median(served)).sum()) if served.size else 0.0
        month = self._budget * events * (MONTH / elapsed)
        if harm < LEAST_BAD or harm <= EXPOSURE * month:
            return None
        text = (
            f"the canary has cost {harm:,.0f} bad events more than expected, over "
            f"{EXPOSURE:.0%} of the fleet's error budget of a month ({month:,.0f})"
        )
        return Reason(Code.EXPOSED, text)


class Watch(Protocol):
    """What stands beside the comparison."""

    @property
    def proof(self) -> Reason | None:
        """Give why the canary has to go."""

    @property
    def trouble(self) -> Reason | None:
        """Give why it must not advance now."""


def beside(verdict: ObjectiveVerdict, watches: Sequence[Watch]) -> ObjectiveVerdict:
    """Let those who stand beside the comparison have their say in its verdict."""
    proofs = tuple(one.proof for one in watches if one.proof)
    if proofs:
        told = verdict.verdict is Verdict.BREACHED
        reasons = (*verdict.reasons, *proofs) if told else (*proofs, *verdict.reasons)
        return replace(verdict, verdict=Verdict.BREACHED, reasons=reasons)
    troubles = tuple(one.trouble for one in watches if one.trouble)
    measured = verdict.verdict in (Verdict.HEALTHY, Verdict.UNDECIDED)
    if not troubles or not measured:
        return verdict
    return replace(verdict, verdict=Verdict.UNDECIDED, reasons=(*troubles, *verdict.reasons))
