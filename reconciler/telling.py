"""Tell the news on a forge: comments in place, one mark on a commit, one pull request a step.

Every call looks first at what is there, so that the whole may be done again after any failure.
"""

from dataclasses import dataclass

from generator.model.pull import Forge, Proposal, PullRequest, State, Status
from generator.telling import stepping
from reconciler.news import Letter


@dataclass(frozen=True, slots=True)
class Offer:
    """A step whose branch stands on the remote.

    Attributes:
        proposal: Its pull request.
        head: Commit of the branch.
        is_ours: Whether the branch ends with the step; otherwise people have added to it.
    """

    proposal: Proposal
    head: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be told of one rollout line.

    Attributes:
        letters: For the pull requests that rollouts came from.
        base: Branch that they entered.
        head: Commit to mark; "" for none.
        status: The mark.
        light: The same for the head of a step, which holds for this line alone.
        steps: How the branches with a step of this line begin.
        following: Branch of the one step that may be open; "" for none.
        offer: That step, where the evidence allows it now.
    """

    letters: tuple[Letter, ...]
    base: str
    head: str
    status: Status
    light: Status
    steps: str
    following: str = ""
    offer: Offer | None = None


def tell(forge: Forge, errand: Errand) -> None:
    """Bring a forge up to date with one rollout line.

    Raises:
        InputError: The forge refuses something.
        RemoteError: It does not answer; doing it again goes on from here.
    """
    if errand.head:
        forge.show(errand.head, errand.status)
    for letter in errand.letters:
        _write(forge, letter, errand.base)
    _steps(forge, errand)


def _write(forge: Forge, letter: Letter, base: str) -> None:
    """Write into the pull request whose merge began the rollout; one begun otherwise has none."""
    merged = [one for one in forge.past(letter.branch, base) if one.state is State.MERGED]
    for marker, text in letter.comments if merged else ():
        forge.comment(merged[0].number, marker, text)


def _steps(forge: Forge, errand: Errand) -> None:
    """Keep at most one step open, and show on it whether it may be taken now."""
    standing = forge.open_under(errand.steps)
    mine = next((one for one in standing if one.branch == errand.following), None)
    if errand.offer is not None:
        mine = _open(forge, errand.offer, mine)
    if mine is not None:
        forge.show(errand.offer.head if errand.offer else mine.head, errand.light)
    for other in standing:
        if other.branch != errand.following:
            why = f"superseded by <{mine.url}>" if mine else "the rollout has moved on"
            forge.close(other, stepping.SUPERSEDED, stepping.superseded(why))


def _open(forge: Forge, offer: Offer, standing: PullRequest | None) -> PullRequest | None:
    """Open the pull request of a step, unless that very one has ended before."""
    wanted = offer.proposal
    if standing is None:
        past = forge.past(wanted.branch, wanted.base)
        if any(one.head == offer.head for one in past):
            return None  # a person closed it, or it was merged a moment ago
    elif not offer.is_ours:
        return standing  # what is said must be what would be merged
    return forge.ensure(wanted)
