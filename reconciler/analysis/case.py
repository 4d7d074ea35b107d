"""Judge one objective of one rollout, tick after tick."""

import math
from collections.abc import Mapping

from reconciler.analysis import reasons
from reconciler.analysis.conclusion import Conclusion
from reconciler.analysis.evidence import Evidence
from reconciler.analysis.ledger import Ledger
from reconciler.analysis.placebo import Placebo
from reconciler.analysis.quorum import Presence, Quorum
from reconciler.analysis.reasons import Scene, Step
from reconciler.analysis.roster import CANARY, STABLE, Roster, columns
from reconciler.analysis.scales import Scales
from reconciler.analysis.verdict import ObjectiveVerdict, Settings
from reconciler.recording import TickLine

ONE_SITE = 0.45  # of what has to be shown: so much can one canary site say at most


class Case(Conclusion):
    """The evidence about one objective; mutable.

    Ticks that could not be judged (stable arm silent, too small or
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
        super().__init__(settings, objective)
        self.ledger = Ledger(roster.step)
        self.ledger.learn(roster.rows(history), *columns(history))
        self._roster = roster
        self._quorum = Quorum(settings)
        self._worse = Evidence(
            Scales.unweighed(settings.restarts), -math.log(weight * settings.alpha)
        )
        self._now: Scales | None = None
        self._log_harmless = 0.0
        self._placebo: Placebo | None = None

    @property
    def log_bound(self) -> float:
        """Give ln of the evidence that proves harm."""
        return self._worse.log_bound

    def add(self, line: TickLine) -> Scene:
        """Count one tick and weigh the evidence that the canary is worse."""
        self._now = None
        first, self._last = self._last is None, line.at
        canary, stable = self._roster.arms(line)
        self.ledger.add(canary, stable, self._roster.width)
        counted = int((canary.events > 0).sum()), int((stable.events > 0).sum())
        scene = self._scene(line.fresh or counted)
        if first and scene.stable < self._settings.sure_stable and self._roster.strata:
            self._placebo = Placebo(line.rollout, self._roster.strata)
        if self._placebo:
            in_canary = self._roster.in_arm(CANARY)
            both = self.ledger.as_one_fleet(canary, stable)
            self._placebo.add(in_canary, *both, self._margin)
        if scene.stable_trouble is None and self._is_comparable(scene):
            self._weigh()
        return scene

    def _is_comparable(self, scene: Scene) -> bool:
        least = 1 if self._placebo else self._settings.least_stable
        return scene.known_stable >= least

    def _weigh(self) -> None:
        bound = self._worse.log_bound
        if self._placebo:
            standing = self._placebo.worse(math.exp(-bound))
            evidence = standing.log_evidence(bound)
            self._worse.put(evidence if self._is_excess() else min(evidence, 0.0))
            beta = self._settings.beta
            found = self._placebo.harmless(beta)
            self._log_harmless = found.log_evidence(-math.log(beta))
            proof = reasons.worse_than_placebo(self.ledger, standing)
        else:
            self._now = self._scales()
            self._worse.take(self._now.worse(self._settings.restarts, ONE_SITE * bound))
            proof = reasons.worse(self.ledger, self._worse.log, bound)
        if self._proof is None and self._worse.is_proof:
            self._proof = proof

    def _is_excess(self) -> bool:
        """Say whether more is bad than one standard error of counting explains.

        Ranks know no size: where sites count almost alike, the rounding of a first count is
        enough to put the real draw before all others.
        """
        expected = self.ledger.expected_bad
        return self.ledger.bad - expected > math.sqrt(expected)

    def begin_step(self) -> None:
        """Mark a step boundary: "not worse than the margin" starts anew."""
        self.ledger.begin_step()
        self._log_harmless = 0.0
        if self._placebo:
            self._placebo.begin_step()

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
            drawn=self._roster.drawn() if self._placebo else (),
            least_chance=math.exp(-self._worse.log_bound),
        )

    def verdict(self, line: TickLine, scene: Scene) -> ObjectiveVerdict:
        """Say what the evidence says after this tick."""
        scales = self._now or self._scales()
        log_harmless = self._log_harmless
        if not self._placebo:
            most = -ONE_SITE * math.log(self._settings.beta)
            log_harmless = scales.log_harmless(self._margin, most)
        newcomers, rare = self._roster.newcomers(), self._negligible
        step = Step.of(self.ledger, newcomers, log_harmless, self._margin, rare)
        worse = self._worse.log, self._worse.most
        found = scales.detectable(self._worse.log_bound)
        return self._conclude(line, self.ledger, scene, step, worse, found)
