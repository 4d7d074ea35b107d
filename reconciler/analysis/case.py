"""Judge one objective of one rollout, tick after tick."""

import math
from collections.abc import Mapping
from datetime import datetime

from generator.errors import InputError
from reconciler.analysis import reasons
from reconciler.analysis.ledger import Ledger
from reconciler.analysis.quorum import Presence, Quorum
from reconciler.analysis.reasons import Scene, Step, capped
from reconciler.analysis.roster import CANARY, STABLE, Roster, columns
from reconciler.analysis.scales import Scales
from reconciler.analysis.verdict import Code, ObjectiveVerdict, Reason, Settings, Verdict
from reconciler.recording import TickLine


class Case:
    """The evidence about one objective; mutable.

    A breach once proven stays. Ticks that could not be judged (stable arm silent, too small or
    gone) prove nothing: E_bad stays as it was.
    """

    def __init__(
        self,
        settings: Settings,
        objective: str,
        weight: float,
        roster: Roster,
        history: Mapping[str, tuple[int, int]],
    ) -> None:
        """Start before the first tick; `weight` is the share of alpha."""
        self.ledger = Ledger(roster.step)
        self.ledger.learn(roster.rows(history), *columns(history))
        self._settings = settings
        self._roster = roster
        self._quorum = Quorum(settings)
        self._margin = settings.margin_of(objective)
        self._negligible = settings.negligible.get(objective, 0.0)
        self._log_bound = -math.log(weight * settings.alpha)
        self._log_worse = 0.0
        self._log_worst = 0.0
        self._last: datetime | None = None
        self._proof: Reason | None = None

    @property
    def is_breached(self) -> bool:
        """Say whether the canary is proven worse."""
        return self._proof is not None

    def check(self, line: TickLine) -> None:
        """Refuse a tick that was counted already, or comes too late.

        Raises:
            InputError: It is not later than the one before.
        """
        if self._last is not None and line.at <= self._last:
            raise InputError(
                f"the tick of {line.at.isoformat()} does not come after {self._last.isoformat()}"
            )

    def add(self, line: TickLine) -> Scene:
        """Count one tick and weigh the evidence that the canary is worse."""
        self._last = line.at
        canary, stable = self._roster.arms(line)
        self.ledger.add(canary, stable, self._roster.width)
        counted = int((canary.events > 0).sum()), int((stable.events > 0).sum())
        scene = self._scene(line.fresh or counted)
        if scene.stable_trouble is None and scene.known_stable >= self._settings.least_stable:
            self._log_worse = self._scales().log_worse()
            self._log_worst = max(self._log_worst, self._log_worse)
            if self._proof is None and self._log_worse >= self._log_bound:
                self._proof = reasons.worse(self.ledger, self._log_worse, self._log_bound)
        return scene

    def _scales(self) -> Scales:
        return Scales(self.ledger, self._roster.joined, self._settings.sure_stable)

    def _scene(self, fresh: tuple[int, int]) -> Scene:
        stable_rows = self._roster.in_arm(STABLE)
        stable = len(stable_rows)
        present = Presence(fresh[0], len(self._roster.in_arm(CANARY)), fresh[1], stable)
        return Scene(
            stable_trouble=self._quorum.stable_trouble(present),
            canary_trouble=self._quorum.canary_trouble(present),
            stable=stable,
            known_stable=self.ledger.stable_sites(stable_rows),
        )

    def verdict(self, line: TickLine, scene: Scene) -> ObjectiveVerdict:
        """Say what the evidence says after this tick."""
        scales = self._scales()
        log_harmless = scales.log_harmless(self._margin)
        newcomers, rare = self._roster.newcomers(), self._negligible
        step = Step.of(self.ledger, newcomers, log_harmless, self._margin, rare)
        verdict, why = self._judge(scene, step)
        return ObjectiveVerdict(
            rollout=line.rollout,
            objective=line.objective,
            at=line.at,
            verdict=verdict,
            e_bad=capped(self._log_worse),
            e_bad_max=capped(self._log_worst),
            e_ok=capped(step.log_harmless),
            events=self.ledger.events,
            bad=self.ledger.bad,
            expected_bad=self.ledger.expected_bad,
            detectable_ratio=scales.detectable(self._log_bound),
            reasons=why,
        )

    def _judge(self, scene: Scene, step: Step) -> tuple[Verdict, tuple[Reason, ...]]:
        if self._proof is not None:
            return Verdict.BREACHED, (self._proof,)
        if scene.stable_trouble is not None:
            return Verdict.STALE, (Reason(Code.STABLE_SILENT, scene.stable_trouble),)
        if step.events == 0:
            return Verdict.NO_DATA, (reasons.no_events(),)
        found = reasons.gaps(scene, step, self._log_worse, self._settings)
        notes = reasons.notes(scene, self.ledger, self._settings)
        if found:
            return Verdict.UNDECIDED, found + notes
        return Verdict.HEALTHY, (reasons.ruled_out(step), *notes)
