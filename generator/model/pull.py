"""Pull requests as values, and the port through which they are opened and followed.

GitLab calls them merge requests; the words here are those of the two others.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """How a pull request stands."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Opinion(StrEnum):
    """What a reviewer said last."""

    APPROVED = "approved"
    CHANGES = "changes requested"


class Light(StrEnum):
    """What a commit status shows."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request as the forge showed it.

    Attributes:
        number: Its number in the project.
        url: Where people read it.
        branch: The branch that it brings, of the project itself and of no fork.
        base: The branch that it enters.
        head: Commit of the branch.
        title: One line.
        body: Markdown with LF line ends.
        state: Open, closed or merged.
        author: Account that opened it.
        labels: Names.
        merged: Commit that it became on the base; "" before, and where the forge does not tell.
    """

    number: int
    url: str
    branch: str
    base: str
    head: str
    title: str
    body: str
    state: State
    author: str
    labels: tuple[str, ...] = ()
    merged: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request as it should be.

    Attributes:
        branch: Pushed already.
        base: The branch that it enters.
        title: One line without foreign text.
        body: Markdown; what people write around it stays.
        labels: Names that it carries, beside those that people gave it.
    """

    branch: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What one account said last.

    Attributes:
        who: The account.
        opinion: What it said.
        head: The commit it was said of; "" where the forge does not tell.
        is_bot: Whether the forge calls the account a machine.
    """

    who: str
    opinion: Opinion
    head: str
    is_bot: bool = False


# May this be merged; may the next step start.
VERIFY, SLO = "tidegate/verify", "tidegate/slo"


@dataclass(frozen=True, slots=True)
class Status:
    """A mark on a commit.

    Attributes:
        context: A name that branch protection knows, such as `tidegate/verify`.
        light: What it shows.
        text: One line.
        url: Where to read more, or "".
    """

    context: str
    light: Light
    text: str
    url: str = ""


class Forge(Protocol):
    """A place for pull requests. Doing a thing twice does it once.

    Every call may raise RemoteError, where trying again later may help, and InputError, where a
    person has to act first.
    """

    def open_under(self, prefix: str) -> tuple[PullRequest, ...]:
        """List the open pull requests whose branch begins so, oldest first."""

    def past(self, branch: str, base: str) -> tuple[PullRequest, ...]:
        """List those of one branch into another that have ended, the newest first.

        The branch may be gone by now. Where there are many, the oldest are left out.
        """

    def read(self, number: int) -> PullRequest:
        """Read one pull request as it is now."""

    def ensure(self, proposal: Proposal) -> PullRequest:
        """Open a pull request, or bring the open one of that branch up to date."""

    def comment(self, number: int, marker: str, text: str) -> None:
        """Write the one comment of ours that carries a marker, or write it anew in its place."""

    def show(self, head: str, status: Status) -> None:
        """Set a status on a commit, unless it shows that already."""

    def reviews(self, pull: PullRequest) -> tuple[Review, ...]:
        """Give the last opinion of every account, whichever commit it was given for."""

    def merge(self, pull: PullRequest, message: str) -> str:
        """Merge exactly the head that `pull` names; give the commit, "" where it is not told.

        Raises:
            ConflictError: The head is another one by now.
        """

    def close(self, pull: PullRequest, marker: str, text: str) -> None:
        """Say why in a comment, and close it."""


def approvals(pull: PullRequest, reviews: tuple[Review, ...]) -> tuple[str, ...]:
    """Name the people whose approval counts: of this very head, neither author nor machine."""
    return tuple(
        one.who
        for one in reviews
        if one.opinion is Opinion.APPROVED
        and (one.head, one.is_bot) == (pull.head, False)
        and one.who != pull.author
    )


def objections(reviews: tuple[Review, ...]) -> tuple[str, ...]:
    """Name the people who asked for changes and have not taken that back."""
    return tuple(one.who for one in reviews if one.opinion is Opinion.CHANGES)
