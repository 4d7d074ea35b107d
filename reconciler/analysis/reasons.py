"""Put findings into words: what is wrong or missing, with the numbers behind it."""

import math
from dataclasses import dataclass
from typing import Protocol

from reconciler.analysis.ledger import BAD, EVENTS, Ledger, Rows
from reconciler.analysis.placebo import DRAWS, Standing, cohorts, fewest_canary
from reconciler.analysis.verdict import Code, Reason, Settings
from reconciler.statistics import log_under

LARGEST = 1e300
LEAST_FOR_FORECAST = 0.5  # nats; below it a forecast would be a guess


class Totals(Protocol):
    """What the canary did since the rollout began."""

    @property
    def events(self) -> int:
        """Give its events."""

    @property
    def bad(self) -> int:
        """Give the bad ones."""

    @property
    def expected_bad(self) -> float:
        """Give the bad ones that were expected, where it could be compared."""

    @property
    def not_compared(self) -> int:
        """Give the events that could not be compared."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one tick found besides the counts.

    Attributes:
        stable_trouble: Why the stable arm cannot be compared with now, or None.
        canary_trouble: Why the canary arm looks too quiet, or None.
        stable: Sites in the stable arm.
        known_stable: Those of them that ever had stable events.
        drawn: Sites and canary sites of each stratum, where placebo cohorts are compared; else
            empty.
        least_chance: What the chance of a draw that looks as bad must not exceed.
    """

    stable_trouble: str | None
    canary_trouble: str | None
    stable: int
    known_stable: int
    drawn: tuple[tuple[int, int], ...]
    least_chance: float


@dataclass(frozen=True, slots=True)
class Step:
    """What the canary did since the last step boundary.

    Attributes:
        sites: Canary sites with events.
        events: Their events.
        newcomers: Events of the sites that joined with this step; of all where none did.
        log_harmless: ln E_ok.
        margin: The rate ratio that E_ok speaks about.
        log_negligible: ln E that bad events are rarer than `negligible`; 0 without one.
        negligible: The share under which no ratio matters, or 0.
    """

    sites: int
    events: int
    newcomers: int
    log_harmless: float
    margin: float
    log_negligible: float
    negligible: float

    @classmethod
    def of(
        cls, ledger: Ledger, joined: Rows, log_harmless: float, margin: float, negligible: float
    ) -> "Step":
        """Sum up the present step; `joined` are the rows that joined with it."""
        table = ledger.since_step(-1).table
        events, bad = table[EVENTS], int(table[BAD].sum())
        return cls(
            sites=int((events > 0).sum()),
            events=int(events.sum()),
            newcomers=int(events[joined].sum()),
            log_harmless=log_harmless,
            margin=margin,
            log_negligible=log_under(bad, int(events.sum()), negligible) if negligible else 0.0,
            negligible=negligible,
        )


def capped(log: float) -> float:
    """Give exp(log), at most 1e300."""
    return min(LARGEST, math.exp(min(log, 700.0)))


def worse(ledger: Totals, log_worse: float, log_bound: float) -> Reason:
    """Say how a breach was proven."""
    times = ledger.bad / max(ledger.expected_bad, 1e-9)
    return Reason(
        Code.WORSE,
        f"{ledger.bad:,} bad of {ledger.events:,} canary events where "
        f"{ledger.expected_bad:,.1f} were expected (x{times:.2f}): "
        f"E_bad {capped(log_worse):.3g} reached {capped(log_bound):.3g}",
    )


def worse_than_placebo(ledger: Ledger, standing: Standing) -> Reason:
    """Say how a breach was proven where few sites are."""
    return Reason(
        Code.WORSE,
        f"{ledger.bad:,} bad of {ledger.events:,} canary events: of {DRAWS + 1:,} cohorts that "
        f"chance could have drawn {standing.rank:,} look at least as bad, {standing.allowed:,} "
        "may by now",
    )


def no_events() -> Reason:
    """Say that there is nothing to judge."""
    return Reason(Code.NO_CANARY_EVENTS, "no canary events in this step")


def gaps(scene: Scene, step: Step, log_worse: float, settings: Settings) -> tuple[Reason, ...]:
    """Give what keeps the canary from being healthy; empty = nothing."""
    alone = _alone(scene, settings)
    found = [_suspect(log_worse, settings), _silent(scene)]
    if alone is None or (scene.stable and _passes_alone(scene, step, settings)):
        found += [_few_sites(step, settings), _few_events(step, settings), _open(step, settings)]
    else:
        found.insert(0, alone)
    return tuple(reason for reason in found if reason is not None)


def _passes_alone(scene: Scene, step: Step, settings: Settings) -> bool:
    """Say whether health is shown by what needs no spread between sites."""
    shown = max(step.log_harmless, step.log_negligible) if scene.drawn else step.log_negligible
    return shown >= -math.log(settings.beta)


def notes(scene: Scene, ledger: Totals, settings: Settings) -> tuple[Reason, ...]:
    """Give what a reader of the numbers should know besides."""
    found: list[Reason] = []
    if scene.drawn:
        text = f"{scene.stable} stable sites: compared with cohorts that chance could have drawn"
        found += [Reason(Code.PLACEBO, text)] if scene.stable else []
    elif settings.least_stable <= scene.known_stable < settings.sure_stable:
        text = (
            f"only {scene.known_stable} stable sites: the spread between sites is taken at the "
            "upper end of its 95 % interval"
        )
        found.append(Reason(Code.FEW_STABLE, text))
    if ledger.not_compared and scene.stable:
        text = f"{ledger.not_compared:,} canary events had no stable events at the same time"
        found.append(Reason(Code.NOT_COMPARED, text))
    return tuple(found)


def missing(scene: Scene, step: Step, ledger: Totals, settings: Settings) -> int | None:
    """Forecast how many more canary events this step needs; None where nothing can be told.

    By the growth of the evidence so far; before there is any, twice Wald's bound for a canary
    that is like stable, unless sites are missing rather than events.
    """
    needed, is_alone = -math.log(settings.beta), _alone(scene, settings) is not None
    found = max(step.log_harmless, step.log_negligible)
    if is_alone and not scene.drawn:
        found = step.log_negligible
    few = float(settings.min_events - step.newcomers)
    if found >= needed:
        more = 0.0
    elif found >= LEAST_FOR_FORECAST:
        more = step.events * (needed / found - 1)
    elif is_alone:
        return None
    else:
        compared = ledger.events - ledger.not_compared
        rate = ledger.expected_bad / compared if compared else 0.0
        if rate <= 0:
            return None
        nats = rate * (step.margin - 1 - math.log(step.margin))
        more = 2 * needed / nats - step.events
    return math.ceil(max(more, few, 0.0))


def ruled_out(step: Step) -> Reason:
    """Say why the canary is healthy."""
    if step.log_negligible > step.log_harmless:
        text = (
            f"under {step.negligible:.3%} bad in {step.events:,} events of {step.sites} sites in "
            f"this step, whatever stable has: E {capped(step.log_negligible):.3g}"
        )
        return Reason(Code.NEGLIGIBLE, text)
    text = (
        f"x{step.margin:g} is ruled out by {step.events:,} events of {step.sites} sites in this "
        f"step: E_ok {capped(step.log_harmless):.3g}"
    )
    return Reason(Code.MARGIN_CLOSED, text)


def _alone(scene: Scene, settings: Settings) -> Reason | None:
    if scene.stable == 0:
        text = "nothing stable is left to compare with; E_bad stays as it was"
        return Reason(Code.NO_CONCURRENT_STABLE, text)
    if scene.drawn:
        return _few_cohorts(scene)
    if scene.known_stable < settings.least_stable:
        text = (
            f"{scene.known_stable} stable sites with events, {settings.least_stable} needed to "
            "know how far sites differ"
        )
        return Reason(Code.TOO_FEW_STABLE, text)
    return None


def _few_cohorts(scene: Scene) -> Reason | None:
    wanted = math.ceil(2 / scene.least_chance)  # half of alpha is soon spent
    found = cohorts(scene.drawn)
    if found >= wanted:
        return None
    sites, canary = (sum(column) for column in zip(*scene.drawn, strict=True))
    text = (
        f"chance draws {canary} of {sites} sites in {found:,} ways, {wanted:,} are needed to "
        "tell harm from a bad draw; "
    )
    fewest = fewest_canary(scene.drawn, wanted)
    text += f"{fewest} canary sites have them" if fewest else "these sites never have them"
    return Reason(Code.TOO_FEW_COHORTS, text)


def _suspect(log_worse: float, settings: Settings) -> Reason | None:
    if capped(log_worse) < settings.suspicion:
        return None
    text = f"E_bad {capped(log_worse):.3g} is not below {settings.suspicion:g}"
    return Reason(Code.SUSPECT, text)


def _silent(scene: Scene) -> Reason | None:
    if scene.canary_trouble is None:
        return None
    return Reason(Code.CANARY_SILENT, scene.canary_trouble)


def _few_sites(step: Step, settings: Settings) -> Reason | None:
    if step.sites >= settings.min_sites:
        return None
    text = f"{step.sites} canary sites with events in this step, {settings.min_sites} needed"
    return Reason(Code.FEW_SITES, text)


def _few_events(step: Step, settings: Settings) -> Reason | None:
    if step.newcomers >= settings.min_events:
        return None
    who = "" if step.newcomers == step.events else " from the sites that joined"
    text = f"{step.newcomers:,} events{who} in this step, {settings.min_events:,} needed"
    return Reason(Code.FEW_EVENTS, text)


def _open(step: Step, settings: Settings) -> Reason | None:
    needed = -math.log(settings.beta)
    if max(step.log_harmless, step.log_negligible) >= needed:
        return None
    text = (
        f"x{step.margin:g} is not ruled out: E_ok {capped(step.log_harmless):.3g} of "
        f"{capped(needed):.3g} after {step.events:,} events in this step"
    )
    if step.log_harmless >= LEAST_FOR_FORECAST:
        more = step.events * (needed / step.log_harmless - 1)
        text += f"; about {more:,.0f} more like these would do"
    return Reason(Code.MARGIN_OPEN, text)
