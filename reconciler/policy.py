"""What a verdict leads to: rollout + evidence + now -> decision.

The rules below are asked in order and the first that answers decides. Harm comes before every
pause and every trouble, because a revert must never wait for a person; nothing that was not
measured ever advances.

    harm       proved worse, burning alone, gone silent, never starting -> Revert
    stopped    paused, or at 0 percent               -> Hold, until a person moves it
    burning    burns, and it may be what all plants share -> Escalate
    too small  too few stable sites to compare with  -> Hold until soaked, then Escalate
    overdue    waited longer than the deadline       -> onDeadline: Hold, Revert or Escalate
    unproven   stale, no data, undecided             -> Hold
    adopted    healthy, but too few sites adopted it -> Hold
    soaking    healthy, soak not over                -> Hold until it is
    denied     healthy, but a deny window is open    -> Hold until it closes
    by hand    healthy, a person takes the steps     -> Hold, until a person moves it
    climb      healthy                               -> Advance, or complete at the top

At 100 percent nobody is left to compare with: there the soak and the absolute guards decide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from generator.model.percent import FULL, ZERO, Percent
from generator.model.rollout import Advance as AdvanceMode
from generator.model.rollout import OnDeadline, Phase, Rollout
from generator.model.spans import say_span
from generator.windows import Denial
from reconciler.analysis import Code, ObjectiveVerdict, Verdict, overall

ALONE = {Code.NO_CONCURRENT_STABLE, Code.TOO_FEW_STABLE}
SMALL = {*ALONE, Code.FEW_STABLE, Code.NOT_COMPARED}
LEAST_ADOPTED = 0.8
LEAST_LATE_SITES = 3
LEAST_LATE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Advance:
    """Take the next step; `to` is None when the rollout is complete."""

    to: Percent | None
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait: why, until when where that is known, what a person could do, and since when."""

    code: str
    why: str
    until: datetime | None = None
    command: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Revert:
    """Take the canary back now."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Wait, and ask a person: the deadline has passed."""

    why: str
    command: str = ""
    since: datetime | None = None


Decision = Advance | Hold | Revert | Escalate


@dataclass(frozen=True, slots=True)
class Adoption:
    """How far the canary sites have taken the release up.

    Attributes:
        canary: Canary sites now.
        serving: Those of them that name the canary release themselves.
        reachable: Those with any fresh series.
        late: Reachable at or after their flip, not serving for longer than `adoptWithin`, and
            never seen to serve.
        due: Sites that could be late: reachable at or after their flip, flipped long enough ago.
        stable_fresh: Whether the stable sites report as they used to.
    """

    canary: int
    serving: int
    reachable: int
    late: int
    due: int
    stable_fresh: bool

    @property
    def is_breached(self) -> bool:
        """Say whether the release does not start where it should."""
        enough = self.late >= LEAST_LATE_SITES and self.late >= LEAST_LATE_SHARE * self.due
        return enough and self.stable_fresh


@dataclass(frozen=True, slots=True)
class Situation:
    """All that policy looks at.

    Attributes:
        rollout: What Git says.
        verdicts: What the evidence says, one per objective; empty when nothing was judged.
        adoption: How far the canary sites are.
        since: When the present step was taken, or seen by the reconciler.
        soaked: Time with data since then.
        now: UTC.
        pace: Canary events per hour lately, by objective; only a forecast is made of it.
        denied: The deny window that is open now; only a step waits for it.
    """

    rollout: Rollout
    verdicts: tuple[ObjectiveVerdict, ...]
    adoption: Adoption
    since: datetime
    soaked: timedelta
    now: datetime
    pace: Mapping[str, float] = field(default_factory=dict)
    denied: Denial | None = None

    @property
    def verdict(self) -> Verdict:
        """Combine the objectives."""
        return overall(self.verdicts)

    @property
    def codes(self) -> frozenset[Code]:
        """Give the codes of all reasons of all objectives."""
        return frozenset(reason.code for one in self.verdicts for reason in one.reasons)

    def say(self) -> str:
        """Give the decisive reason of every objective that has the combined verdict."""
        worst = (one for one in self.verdicts if one.verdict is self.verdict)
        said = "; ".join(f"{one.objective}: {one.reasons[0].text}" for one in worst)
        return said or "nothing was measured yet"


Rule = Callable[[Situation], Decision | None]


def decide(situation: Situation) -> Decision:
    """Ask the rules in order; the last one always answers."""
    for rule in RULES:
        decision = rule(situation)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always answers")


def _harm(situation: Situation) -> Decision | None:
    if situation.verdict is Verdict.BREACHED:
        return Revert("breach", situation.say())
    adoption = situation.adoption
    if not adoption.is_breached:
        return None
    text = (
        f"{adoption.late} of {adoption.due} canary sites that were reachable do not serve it, "
        "while the stable sites report as usual"
    )
    return Revert("adoption", text)


def _stopped(situation: Situation) -> Decision | None:
    rollout = situation.rollout
    if rollout.phase is Phase.PAUSED:
        return Hold("paused", "a person paused it", None, command(rollout, "resume"))
    if rollout.percent == ZERO:
        text = "percent is 0, so no site runs the canary"
        return Hold("at-zero", text, None, bump(rollout, rollout.steps[0]))
    return None


def _burning(situation: Situation) -> Decision | None:
    found = (
        f"{one.objective}: {reason.text}"
        for one in situation.verdicts
        for reason in one.reasons
        if reason.code is Code.BURNS_ALIKE
    )
    why = next(found, None)
    return Escalate(why, command(situation.rollout, "revert")) if why else None


def _overdue(situation: Situation) -> Decision | None:
    rollout = situation.rollout
    waited = situation.now - situation.since
    # What waits for nothing but time, or for a person, is not overdue.
    missing = _unproven(situation) or _adopted(situation)
    if waited <= rollout.deadline or missing is None:
        return None
    why = f"{late(rollout, waited)}; {missing.why}"
    match rollout.on_deadline:
        case OnDeadline.REVERT:
            return Revert("deadline", why)
        case OnDeadline.ASK:
            return Escalate(why, command(rollout, "revert"))
        case OnDeadline.HOLD:
            return Hold("deadline", why, None, command(rollout, "revert"))


def late(rollout: Rollout, waited: timedelta) -> str:
    """Say how long it has waited past its deadline."""
    return f"{say_span(waited)} at {rollout.percent}%, deadline {say_span(rollout.deadline)}"


def _unproven(situation: Situation) -> Hold | None:
    if _passes(situation):
        return None
    until = situation.since + situation.rollout.deadline
    return Hold(situation.verdict.value.lower(), situation.say(), until)


def _passes(situation: Situation) -> bool:
    # Without enough concurrent stable sites nothing can be compared: at the top the last soak
    # and the absolute guards decide (design.md section 5).
    return situation.verdict is Verdict.HEALTHY or _is_alone_at_top(situation)


def _is_alone_at_top(situation: Situation) -> bool:
    codes = situation.codes - {Code.PLACEBO}  # says only what it would be compared with
    return situation.rollout.percent == FULL and bool(codes) and codes <= ALONE


def _too_small(situation: Situation) -> Decision | None:
    """Ask a person where a fleet is too small to be compared, once all the rest is well."""
    codes, rollout = situation.codes, situation.rollout
    if rollout.percent == FULL or Code.TOO_FEW_STABLE not in codes or not codes <= SMALL:
        return None
    waits = _adopted(situation) or _soaking(situation)
    if waits is not None:
        return waits
    text = (
        f"{situation.say()}; the soak is over and no absolute guard objects, so a person may "
        "take the next step"
    )
    return Escalate(text, bump(rollout))


def _adopted(situation: Situation) -> Hold | None:
    adoption = situation.adoption
    if adoption.reachable and adoption.serving >= LEAST_ADOPTED * adoption.reachable:
        return None
    text = f"{adoption.serving} of {adoption.reachable} reachable canary sites serve it"
    return Hold("adoption", text, situation.since + situation.rollout.deadline)


def _soaking(situation: Situation) -> Decision | None:
    rest = situation.rollout.soak_at(situation.rollout.percent) - situation.soaked
    if rest <= timedelta(0):
        return None
    text = f"{say_span(situation.soaked)} of healthy time so far, {say_span(rest)} to go"
    return Hold("soak", text, situation.now + rest)


def _denied(situation: Situation) -> Decision | None:
    denial = situation.denied
    return Hold("deny-window", denial.why, denial.ends) if denial else None


def _by_hand(situation: Situation) -> Decision | None:
    rollout = situation.rollout
    if rollout.advance is AdvanceMode.AUTOMATIC:
        return None
    following = rollout.step_after(rollout.percent)
    if following is None:
        return None
    text = f"advance is {rollout.advance}; the evidence allows {following}%"
    return Hold("by-hand", text, None, bump(rollout, following))


def _climb(situation: Situation) -> Decision:
    rollout = situation.rollout
    why = situation.say()
    if _is_alone_at_top(situation):
        soak = say_span(rollout.soak_at(rollout.percent))
        why += f"; {soak} of soak are over and no absolute guard objects"
    return Advance(rollout.step_after(rollout.percent), why)


RULES: tuple[Rule, ...] = (
    _harm,
    _stopped,
    _burning,
    _too_small,
    _overdue,
    _unproven,
    _adopted,
    _soaking,
    _denied,
    _by_hand,
    _climb,
)


def command(rollout: Rollout, verb: str) -> str:
    """Write a command about a rollout that needs no more than a reason."""
    return f'tidegate {verb} {rollout.model} --env {rollout.environment} --reason "..."'


def bump(rollout: Rollout, percent: Percent | None = None) -> str:
    """Write the command that moves a rollout by hand, to the next step unless told."""
    percent = percent or rollout.step_after(rollout.percent) or FULL
    return (
        f'tidegate set-percent {rollout.model} --env {rollout.environment} {percent} --reason "..."'
    )


def past_the_top(rollout: Rollout) -> str:
    """Write the command that completes a rollout by hand."""
    version = f"{rollout.model}/{rollout.canary[1:].partition('-')[0]}"
    return f'tidegate promote {version} --env {rollout.environment} --baseline --reason "..."'
