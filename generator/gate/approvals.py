"""Whether those have approved who have to: people, on this very commit, and not its author."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from generator import layout
from generator.errors import InputError, Problem
from generator.gate.change import CALMING, Change
from generator.gate.origin import Origin
from generator.model.approval import Approval
from generator.model.pull import Opinion, PullRequest, Review, approvals, objections


@dataclass(frozen=True, slots=True)
class Voices:
    """What was said of a pull request.

    Attributes:
        pull: As the forge shows it now.
        reviews: The last word of every account, of whichever commit.
    """

    pull: PullRequest
    reviews: tuple[Review, ...]


def needed(change: Change) -> tuple[Approval, ...]:
    """List what the base demands of this change."""
    try:
        demands = change.base.config().approvals
    except InputError:
        return ()  # whoever moves something is told why it cannot be read
    moving = {move.environment for move in change.moves if move.kind not in CALMING}
    return tuple(
        one
        for one in demands
        if one.environment in moving or any(one.covers(path) for path in change.paths)
    )


def missing(change: Change, origin: Origin, voices: Voices | None) -> Iterator[Problem]:
    """Say which approvals are missing, where it can be known or has to be."""
    demands = needed(change)
    if voices is None:
        if demands and origin.is_told:
            text = f"{demands[0]}, and nobody can be asked: there is no token for the forge"
            hint = "let CI set TIDEGATE_FORGE_TOKEN, and name the forge in tidegate.yaml"
            yield Problem(text, layout.CONFIG, hint=hint)
        return
    if voices.pull.head != change.head.tree.commit:
        text = f"{voices.pull.url} is at {voices.pull.head[:12]} by now"
        yield Problem(text, hint="git pull, and judge that commit")
        return
    for one in demands:
        yield from _missing(one, voices)


def _missing(one: Approval, voices: Voices) -> Iterator[Problem]:
    pull, hint = voices.pull, f"ask them at {voices.pull.url}"
    allowed = {name.lower() for name in one.of}
    given = [who for who in approvals(pull, voices.reviews) if who.lower() in allowed]
    against = [who for who in objections(voices.reviews) if who.lower() in allowed]
    if against:
        yield Problem(f"{', '.join(against)} asked for changes", layout.CONFIG, hint=hint)
    if len(given) < one.count:
        has = f"has {len(given)}" + (f" ({', '.join(given)})" if given else "")
        why = "; ".join(_uncounted(pull, voices.reviews, allowed))
        text = f"{one} on {pull.head[:12]}, {has}{'; ' if why else ''}{why}"
        yield Problem(text, layout.CONFIG, hint=hint)


def _uncounted(pull: PullRequest, reviews: Sequence[Review], allowed: set[str]) -> Iterator[str]:
    """Say of each approval that does not count why."""
    for one in reviews:
        if one.opinion is not Opinion.APPROVED or one.who.lower() not in allowed:
            continue
        if one.who == pull.author:
            yield f"{one.who} is its author"
        elif one.is_bot:
            yield f"{one.who} is a machine"
        elif one.head != pull.head:
            yield f"{one.who} approved {f'the older {one.head[:12]}' if one.head else 'earlier'}"


def unasked(change: Change, origin: Origin, voices: Voices | None) -> Iterator[Problem]:
    """Say at a desk what will be asked in CI."""
    if voices is None and not origin.is_told:
        for one in needed(change):
            hint = "with TIDEGATE_FORGE_TOKEN the reviews are read"
            yield Problem(f"{one}; nobody was asked here", layout.CONFIG, hint=hint)
