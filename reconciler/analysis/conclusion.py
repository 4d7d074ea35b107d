"""What is said of one objective once its evidence is weighed, whatever its unit is."""

from datetime import datetime

from generator.errors import InputError
from reconciler.analysis import reasons
from reconciler.analysis.reasons import Scene, Step, Totals, capped
from reconciler.analysis.verdict import Code, ObjectiveVerdict, Reason, Settings, Verdict
from reconciler.recording import TickLine


class Conclusion:
    """One objective of one rollout; mutable. A breach once proven stays."""

    def __init__(self, settings: Settings, objective: str) -> None:
        """Start before the first tick."""
        self._settings = settings
        self._margin = settings.margin_of(objective)
        self._negligible = settings.negligible.get(objective, 0.0)
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

    def _conclude(
        self,
        line: TickLine,
        ledger: Totals,
        scene: Scene,
        step: Step,
        worse: tuple[float, float],
        detectable: float | None,
    ) -> ObjectiveVerdict:
        """Give the verdict; `worse` is ln E_bad now and at its largest."""
        verdict, why = self._judge(ledger, scene, step, worse[0])
        return ObjectiveVerdict(
            rollout=line.rollout,
            objective=line.objective,
            at=line.at,
            verdict=verdict,
            e_bad=capped(worse[0]),
            e_bad_max=capped(worse[1]),
            e_ok=capped(step.log_harmless),
            events=ledger.events,
            bad=ledger.bad,
            expected_bad=ledger.expected_bad,
            detectable_ratio=detectable,
            reasons=why,
            needs=reasons.missing(scene, step, ledger, self._settings),
        )

    def _judge(
        self, ledger: Totals, scene: Scene, step: Step, log_worse: float
    ) -> tuple[Verdict, tuple[Reason, ...]]:
        if self._proof is not None:
            return Verdict.BREACHED, (self._proof,)
        if scene.stable_trouble is not None:
            return Verdict.STALE, (Reason(Code.STABLE_SILENT, scene.stable_trouble),)
        if step.events == 0:
            return Verdict.NO_DATA, (reasons.no_events(),)
        found = reasons.gaps(scene, step, log_worse, self._settings)
        notes = reasons.notes(scene, ledger, self._settings)
        if found:
            return Verdict.UNDECIDED, found + notes
        return Verdict.HEALTHY, (reasons.ruled_out(step), *notes)
