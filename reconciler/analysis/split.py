"""Judge one objective of one rollout where traffic is split: the unit is the request.

Stable and canary pods of the same clusters are compared at the same time, block after block
(`traffic`). No pod decides alone: whatever the evidence says has to be said without the pod that
says it loudest, and a pod that drowns it out can be left out, at a price.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from reconciler import statistics
from reconciler.analysis import reasons, traffic
from reconciler.analysis.blocks import CANARY, FEWEST_TO_DOUBT, STABLE, Pods
from reconciler.analysis.conclusion import Conclusion
from reconciler.analysis.ledger import BOUNDARY_WEIGHTS, POWER_WEIGHTS
from reconciler.analysis.quorum import Presence, Quorum
from reconciler.analysis.reasons import Scene, Step
from reconciler.analysis.roster import Roster
from reconciler.analysis.scales import WORSE
from reconciler.analysis.verdict import ObjectiveVerdict, Settings
from reconciler.recording import TickLine
from reconciler.statistics import Array, log_sum

DOUBTED = 0.05  # weight of "one of the pods lies"
ENOUGH = 10**9  # no number of stable sites is too small here

Rows = tuple[int, ...]


def site_of(name: str) -> str:
    """Give the cluster of a `site/release/pod`."""
    return name.partition("/")[0]


class SplitCase(Conclusion):
    """The evidence about one objective; mutable.

    Where one arm served nothing there is nothing to compare.
    """

    def __init__(self, settings: Settings, objective: str, weight: float, roster: Roster) -> None:
        """Start before the first tick; `weight` is the share of alpha."""
        # How many clusters there are says nothing: a request is the unit.
        super().__init__(replace(settings, min_sites=1), objective)
        self.ledger = Pods(steps=[0] * (roster.step + 1))
        self._roster = roster
        self._quorum = Quorum(settings)
        self.log_bound = -math.log(weight * settings.alpha)
        self._log, self._most = 0.0, 0.0
        self._variances: list[float] = []
        self._closed: dict[tuple[int, int, Rows], Array] = {}

    def begin_step(self) -> None:
        """Mark a step boundary: "not worse than the margin" starts anew."""
        self.ledger.begin_step()

    def add(self, line: TickLine) -> Scene:
        """Count one tick and weigh the evidence that the canary is worse."""
        self._last = line.at
        canary, stable = self._roster.arms(line)
        names = (*line.canary, *line.stable)
        clusters = {int(self._roster.rows((name,))[0]): site_of(name) for name in names}
        if self.ledger.add(line.at, canary, stable, clusters):
            past = self.ledger.cells().blocks(slice(-1))
            self._variances.append(traffic.variance_between(past))
            self._closed.clear()
        self._log = self._worse()
        self._most = max(self._most, self._log)
        if self._proof is None and self._log >= self.log_bound:
            self._proof = reasons.worse(self.ledger, self._log, self.log_bound)
        return self._scene(line)

    def _scene(self, line: TickLine) -> Scene:
        total = self._roster.clusters
        seen = tuple(
            len({site_of(name) for name, (events, _) in arm.items() if events})
            for arm in (line.canary, line.stable)
        )
        fresh = line.fresh or (seen[0], seen[1])
        present = Presence(fresh[0], total, fresh[1], total)
        return Scene(
            stable_trouble=self._quorum.stable_trouble(present),
            canary_trouble=self._quorum.canary_trouble(present),
            stable=total if self.ledger.has_stable else 0,
            known_stable=ENOUGH,
            drawn=(),
            least_chance=0.0,
        )

    # -------------------------------------------------------------- evidence

    def _worse(self) -> float:
        """Give ln E_bad: since the start, or since some restart."""
        canary, stable = (self._loud(arm, 0) for arm in (CANARY, STABLE))
        loud = self._pods((canary[1], stable[0]))
        return self._fair(self._log_worse, loud, self._pods((canary[0], stable[1])))

    def _log_worse(self, without: Rows) -> float:
        ratios = self._ratios(0, WORSE.deltas, without)
        sums = np.concatenate([ratios[:, ::-1].cumsum(axis=1)[:, ::-1], 0 * ratios[:, :1]], axis=1)
        later, idle = self._settings.restarts, self._settings.restarts
        logs = [math.log1p(-later) + statistics.log_mixture(WORSE, sums[:, 0])]
        for weight, start in self._restarts() if later else ():
            idle -= later * weight
            logs.append(math.log(later * weight) + statistics.log_mixture(WORSE, sums[:, start]))
        logs.append(math.log(max(idle, 1e-12)))
        return log_sum(np.array(logs))

    def _restarts(self) -> Iterator[tuple[float, int]]:
        """Give weight and first block of every restart: step boundaries, powers of two."""
        yield from zip(BOUNDARY_WEIGHTS.tolist(), self.ledger.steps[1:], strict=False)
        for power, weight in enumerate(POWER_WEIGHTS.tolist(), start=1):
            if 1 << power < self.ledger.count:
                yield weight, 1 << power

    def _log_harmless(self) -> float:
        """Give ln E_ok: since the step began, the canary is not `margin` times worse."""
        start = self.ledger.steps[-1]
        if start >= self.ledger.count:
            return 0.0
        canary, stable = (self._loud(arm, start) for arm in (CANARY, STABLE))
        loud = self._pods((canary[0], stable[1]))
        return self._fair(self._log_ok, loud, self._pods((canary[1], stable[0])))

    def _log_ok(self, without: Rows) -> float:
        start = self.ledger.steps[-1]
        grid = statistics.harmless_grid(self._margin)
        deltas = np.append(grid.deltas, math.log(self._margin))
        ratios = self._ratios(start, deltas, without).sum(axis=1)
        return statistics.log_mixture(grid, ratios[:-1] - ratios[-1])

    def _ratios(self, start: int, deltas: Array, without: Rows) -> Array:
        """Weigh every block from one on; only the newest still grows."""
        cells, variances = self.ledger.cells(start, without), np.array(self._variances[start:])
        key = (start, len(deltas), without)
        closed = self._closed.get(key)
        if closed is None:
            closed = traffic.log_ratios(deltas, cells.blocks(slice(-1)), variances[:-1])
            self._closed[key] = closed
        newest = traffic.log_ratios(deltas, cells.blocks(slice(-1, None)), variances[-1:])
        return np.concatenate([closed, newest], axis=1)

    def _loud(self, arm: int, start: int) -> tuple[int, int]:
        """Find the pods with the fewest and with the most bad events beyond their share."""
        rows = self.ledger.in_arm(arm)
        if len(rows) < FEWEST_TO_DOUBT:
            return -1, -1
        excess = self.ledger.excess(start)[rows]
        return int(rows[np.argmin(excess)]), int(rows[np.argmax(excess)])

    @staticmethod
    def _pods(rows: Rows) -> tuple[Rows, ...]:
        return tuple((row,) for row in rows if row >= 0)

    def _fair(
        self, weigh: Callable[[Rows], float], loud: tuple[Rows, ...], quiet: tuple[Rows, ...]
    ) -> float:
        """Weigh evidence so that no pod decides alone.

        Args:
            weigh: Gives the logarithm of the evidence without some pods.
            loud: Pods that might force it: it must hold without each of them.
            quiet: Pods that might drown it: a little weight lies on leaving out one of all.
        """
        rows = sum(len(self.ledger.in_arm(arm)) for arm in (CANARY, STABLE))
        found = []
        for left_out in ((), *loud):
            logs = [weigh(left_out)]
            if quiet:
                logs[0] += math.log1p(-DOUBTED)
                price = math.log(DOUBTED / rows)
                logs += [price + weigh((*left_out, *one)) for one in quiet]
            found.append(log_sum(np.array(logs)))
        return min(found)

    # -------------------------------------------------------------- verdict

    def verdict(self, line: TickLine, scene: Scene) -> ObjectiveVerdict:
        """Say what the evidence says after this tick."""
        step = self._step()
        blocks = self.ledger.cells().blocks()
        found = traffic.detectable(WORSE, blocks, np.array(self._variances), self.log_bound)
        return self._conclude(line, self.ledger, scene, step, (self._log, self._most), found)

    def _step(self) -> Step:
        events, bad = (one for one in self.ledger.since_step())
        total, rare = int(events.sum()), self._negligible
        return Step(
            sites=int((events > 0).sum()),
            events=total,
            newcomers=total,
            log_harmless=self._log_harmless(),
            margin=self._margin,
            log_negligible=statistics.log_under(int(bad.sum()), total, rare) if rare else 0.0,
            negligible=rare,
        )
