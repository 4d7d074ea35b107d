"""What every forge can do in its own words; `Door` makes it safe to do twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from generator.model.pull import Light, Proposal, PullRequest, Review, Status


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment under a pull request."""

    id: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """It is merged, as this commit; "" where the forge does not tell."""

    commit: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Not merged: the head is another one by now."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not merged, but the forge is still making up its mind."""

    why: str


@dataclass(frozen=True, slots=True)
class Not:
    """Not merged, for this reason."""

    why: str


Merging = Done | Moved | NotYet | Not


class Wire(Protocol):
    """One forge. Every call may raise InputError or RemoteError."""

    @property
    def system(self) -> str:
        """Name the forge for people."""

    def account(self) -> str:
        """Name the account under which we write."""

    def opened(self) -> Iterator[PullRequest]:
        """List the open pull requests from branches of the project itself."""

    def find(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another; there is at most one."""

    def past(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another, also when they or the branch are gone."""

    def read(self, number: int) -> PullRequest:
        """Read one."""

    def create(self, proposal: Proposal) -> PullRequest | None:
        """Open one; None where there is one for this branch already."""

    def edit(self, number: int, title: str, body: str) -> None:
        """Write title and body anew."""

    def label(self, number: int, labels: tuple[str, ...]) -> None:
        """Make these the only labels."""

    def comments(self, number: int) -> Iterator[Comment]:
        """List the comments, oldest first."""

    def add_comment(self, number: int, text: str) -> None:
        """Write a comment."""

    def edit_comment(self, number: int, comment: int, text: str) -> None:
        """Write a comment anew."""

    def statuses(self, head: str) -> Mapping[str, tuple[Light | None, str]]:
        """Give what every context shows last on a commit, and its text."""

    def set_status(self, head: str, status: Status) -> None:
        """Set a status."""

    def reviews(self, pull: PullRequest) -> Iterator[Review]:
        """List what reviewers said, oldest first."""

    def merge(self, pull: PullRequest, message: str) -> Merging:
        """Merge if the head is that of `pull`."""

    def shut(self, number: int) -> None:
        """Close one."""

    def hang_up(self) -> None:
        """Close the connections."""
