"""Reporting loss: do canary sites that served go silent more than stable ones do?

Theory. Who is canary was drawn at random within a stratum. If the release has nothing to do with
silence, then of the k sites of a stratum that are found silent at a tick, the canary ones are a
random draw from the n at risk: hypergeometric, whatever took the sites away, one switch for
twenty of them or the whole network. A silence that meets both arms alike therefore proves
nothing, however sudden. Against "the odds of a canary site are theta times as high" the likelihood
ratio of a tick is closed; its expectation is 1, and so is that of any mixture over theta whose
weights were fixed before the tick. The product over ticks is an e-process: it may be read at
every tick.

Each site is counted once: a line that drops its site every night says so on the first one.

Source: ter Schure, Perez-Ortiz, Ly & Gruenwald, "The safe logrank test" (arXiv 2011.06931), for
the product; Herbster & Warmuth, "Tracking the best expert" (1998), for weights that forget.
"""

import math
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from reconciler.analysis.ledger import Rows
from reconciler.analysis.reasons import capped
from reconciler.analysis.roster import CANARY, STABLE, Roster
from reconciler.analysis.verdict import Code, Reason, Settings
from reconciler.recording import AssignedLine, TickLine
from reconciler.statistics import Array, log_sum

Flags = npt.NDArray[np.bool_]

LEAST_SILENCE = timedelta(minutes=15)
LEAST_TICKS = 3
LEAST_SILENT_SITES = 3
LEAST_SILENT_SHARE = 0.2
LEAST_STABLE_SHARE = 0.5
LEAST_CHANCE = 0.001
THETAS = np.array([1.0, 3.0, 30.0, 300.0])
"""1 = as quiet as stable: what keeps the evidence alive through a long time of equal losses."""
PRIOR = np.array([0.2, 0.8 / 3, 0.8 / 3, 0.8 / 3])
FORGOTTEN = 0.01  # weight that returns to the prior at each tick with a loss


def log_loss_ratios(canary: int, stable: int, lost: int, lost_canary: int) -> Array:
    """Give the log likelihood ratio of every theta against 1, for one stratum and tick.

    Args:
        canary: Canary sites at risk.
        stable: Stable sites at risk.
        lost: Sites of both arms found silent, of those.
        lost_canary: Canary sites among them.
    """
    could = range(max(0, lost - stable), min(lost, canary) + 1)
    logs = [_log_choose(canary, one) + _log_choose(stable, lost - one) for one in could]
    usual = np.array(logs) - _log_choose(canary + stable, lost)
    growth = np.log(THETAS)[:, None] * np.array(could)
    return np.array(
        [
            lost_canary * math.log(theta) - log_sum(usual + grown)
            for theta, grown in zip(THETAS, growth, strict=True)
        ]
    )


def chance_of_ratio(canary: int, stable: int, canary_seen: int, stable_seen: int) -> float:
    """Give the two-sided chance of so uneven a share, were the canary drawn at random.

    Args:
        canary: Canary sites assigned.
        stable: Stable sites assigned.
        canary_seen: Canary sites that report.
        stable_seen: Stable sites that report.
    """
    seen = canary_seen + stable_seen
    could = range(max(0, seen - stable), min(seen, canary) + 1)
    whole = _log_choose(canary + stable, seen)
    chances = np.exp(
        np.array([_log_choose(canary, one) + _log_choose(stable, seen - one) for one in could])
        - whole
    )
    at = canary_seen - could[0]
    return min(1.0, 2 * float(min(chances[: at + 1].sum(), chances[at:].sum())))


def _log_choose(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


class Reporting:
    """Who was seen at which tick, over all objectives of one rollout; mutable.

    A site that a tick line of any objective names was seen. It is at risk from its first events
    in its arm on, and silent after 3 ticks and 15 minutes without a sight. A tick is closed when
    a later one begins, so its objectives may come one after the other.

    Attributes:
        proof: Why canary sites are lost to the release, once that is proven.
        trouble: Why the sites that report are not those that were drawn, at the last closed tick.
        log_lost: ln E, the evidence for it.
    """

    def __init__(self, settings: Settings, roster: Roster) -> None:
        """Start before the first tick."""
        self.proof: Reason | None = None
        self.trouble: Reason | None = None
        self.log_lost = 0.0
        self._log_bound = -math.log(settings.alpha * settings.reporting)
        self._usual = settings.reporting_share or (1.0, 1.0)
        self._weights = PRIOR
        self._roster = roster
        self._strata: dict[str, int] = {}
        self._at: datetime | None = None
        self._is_sure = True
        self._table = _Table()

    def assign(self, line: AssignedLine) -> None:
        """Learn the strata of the draw."""
        rows = self._roster.rows(line.sites)
        self._table.grow(self._roster.width)
        names = [stratum for _, stratum in line.sites.values()]
        found = [self._strata.setdefault(one, len(self._strata)) for one in names]
        self._table.stratum[rows] = found

    def hear(self, line: TickLine) -> None:
        """Note whom a tick line names; the first line of a later tick closes the one before."""
        if self._at is not None and line.at > self._at:
            self._close(self._at)
        if self._at is not None and line.at < self._at:
            return
        self._at = line.at
        canary, stable = self._roster.arms(line)
        besides = self._roster.rows(line.seen)
        self._table.grow(self._roster.width)
        self._table.seen[besides] = True
        for arm in (canary, stable):
            self._table.seen[arm.rows] = True
            self._table.served[arm.rows[arm.events > 0]] = True
        if line.fresh is not None and line.fresh[0] > len(line.canary) + len(line.seen):
            self._is_sure = False

    def _close(self, at: datetime) -> None:
        table = self._table
        table.grow(self._roster.width)  # the line that closes this tick may have brought sites
        seen = table.turn(self._roster)
        if not self._is_sure:
            # More canary sites are fresh than named, so an unnamed one may be among them.
            seen |= table.arm == CANARY
            self._is_sure = True
        stable = (table.arm == STABLE) & (table.age >= 0)
        if seen[stable].sum() < LEAST_STABLE_SHARE * stable.sum():
            self.trouble = None
            return  # Prometheus or the network: nobody's silence begins here
        silent = table.silent(seen, at)
        known = (table.age >= LEAST_TICKS) & (table.arm > 0)
        at_risk = known & ~table.counted
        lost = at_risk & silent
        if lost.any():
            self._weigh(at_risk, lost)
            table.counted |= lost
        self._prove(known & silent, known)
        self.trouble = self._mixed()

    def _mixed(self) -> Reason | None:
        """Test whether canary and stable sites report in the shares in which they were drawn."""
        table = self._table
        there = (table.missed < LEAST_TICKS) & np.isfinite(table.last)
        canary, stable = table.arm == CANARY, table.arm == STABLE
        arms = int(canary.sum()), int(stable.sum())
        seen = int((there & canary).sum()), int((there & stable).sum())
        if table.settled < LEAST_TICKS or 0 in arms:
            return None
        # Sites that did not report before the rollout either are missing in nobody's draw.
        usual = [
            max(now, math.ceil(arm * share))
            for arm, share, now in zip(arms, self._usual, seen, strict=True)
        ]
        chance = chance_of_ratio(usual[0], usual[1], *seen)
        if chance >= LEAST_CHANCE:
            return None
        text = (
            f"{seen[0]} of {arms[0]} canary and {seen[1]} of {arms[1]} stable sites report, which "
            f"chance does in {chance:.1g} of draws: a selector, a label or a site pinned by hand?"
        )
        return Reason(Code.SAMPLE_RATIO, text)

    def _weigh(self, at_risk: Flags, lost: Flags) -> None:
        ratios = np.zeros(len(THETAS))
        canary = self._table.arm == CANARY
        for stratum in np.unique(self._table.stratum[lost]):
            here = at_risk & (self._table.stratum == stratum)
            canaries, stable = int((here & canary).sum()), int((here & ~canary).sum())
            found, gone = int((here & lost).sum()), int((here & lost & canary).sum())
            ratios += log_loss_ratios(canaries, stable, found, gone)
        logs = np.log(self._weights) + ratios
        growth = log_sum(logs)
        self.log_lost += growth
        self._weights = (1 - FORGOTTEN) * np.exp(logs - growth) + FORGOTTEN * PRIOR

    def _prove(self, silent: Flags, known: Flags) -> None:
        if self.proof is not None or self.log_lost < self._log_bound:
            return
        canary, stable = self._table.arm == CANARY, self._table.arm == STABLE
        gone, served = int((silent & canary).sum()), int((known & canary).sum())
        if gone < max(LEAST_SILENT_SITES, LEAST_SILENT_SHARE * served):
            return
        there, all_stable = int((~silent & known & stable).sum()), int((known & stable).sum())
        text = (
            f"{gone} of {served} canary sites went silent after they had served it, while {there} "
            f"of {all_stable} stable sites report: E {capped(self.log_lost):.3g} reached "
            f"{capped(self._log_bound):.3g}"
        )
        self.proof = Reason(Code.REPORTING_LOST, text)


class _Table:
    """What is known of each site, one entry per row of the roster; mutable.

    Attributes:
        arm: In which it is.
        stratum: Number of the stratum that it was drawn in.
        age: Ticks since its first events in this arm; -1 = none yet.
        missed: Ticks without a sight since the last one.
        last: Last sight in this arm, in seconds since the epoch.
        counted: It was found silent once.
        seen: A line of the open tick names it.
        served: A line of the open tick has events of it.
        settled: Ticks since a site changed arms.
    """

    def __init__(self) -> None:
        self.arm: Rows = np.zeros(0, np.intp)
        self.stratum: Rows = np.zeros(0, np.intp)
        self.age: Rows = np.zeros(0, np.intp)
        self.missed: Rows = np.zeros(0, np.intp)
        self.last: Array = np.zeros(0)
        self.counted: Flags = np.zeros(0, np.bool_)
        self.seen: Flags = np.zeros(0, np.bool_)
        self.served: Flags = np.zeros(0, np.bool_)
        self.settled = 0

    def grow(self, width: int) -> None:
        """Make room for sites never seen before."""
        more = (0, width - len(self.arm))
        if more[1] <= 0:
            return
        self.arm, self.stratum, self.missed = (
            np.pad(one, more) for one in (self.arm, self.stratum, self.missed)
        )
        self.counted, self.seen, self.served = (
            np.pad(one, more) for one in (self.counted, self.seen, self.served)
        )
        self.age = np.pad(self.age, more, constant_values=-1)
        self.last = np.pad(self.last, more, constant_values=-math.inf)

    def turn(self, roster: Roster) -> Flags:
        """Close a tick: age every site, and give those that were seen."""
        now = np.zeros(len(self.arm), np.intp)
        for arm in (STABLE, CANARY):
            now[roster.in_arm(arm)] = arm
        moved = now != self.arm
        self.settled = 0 if moved.any() else self.settled + 1
        # What a site showed in the arm that it left says nothing about this one.
        self.age[moved], self.missed[moved], self.last[moved] = -1, 0, -math.inf
        self.arm = now
        self.age[self.age >= 0] += 1
        self.age[self.served & (self.age < 0)] = 0
        seen = self.seen
        self.seen, self.served = np.zeros_like(seen), np.zeros_like(seen)
        return seen

    def silent(self, seen: Flags, at: datetime) -> Flags:
        """Count the ticks that each site missed, and say who was silent for long enough."""
        self.last[seen] = at.timestamp()
        self.missed = np.where(seen, 0, self.missed + 1)
        long_ago = at.timestamp() - self.last >= LEAST_SILENCE.total_seconds()
        found: Flags = (self.missed >= LEAST_TICKS) & long_ago
        return found
