"""The port on top of any forge: look first, change only what differs, never do a thing twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from generator.errors import ConflictError, InputError, RemoteError
from generator.forge.wire import Comment, Done, Merging, Moved, Not, NotYet, Wire
from generator.model.pull import Proposal, PullRequest, Review, State, Status
from generator.telling.markdown import is_marked, marked, splice

OURS = ("rollout/", "tidegate/")
MERGE_TRIES = 4
MERGE_PAUSE_S = 1.0
TEXT_LENGTH = 140  # of a status; GitHub takes no more


@dataclass(frozen=True, slots=True)
class Door:
    """A forge as `generator.model.pull.Forge`.

    Attributes:
        wire: The forge.
        pause: Waits for seconds.
    """

    wire: Wire
    pause: Callable[[float], None] = time.sleep

    def open_under(self, prefix: str) -> tuple[PullRequest, ...]:
        """List the open pull requests whose branch begins so, oldest first."""
        found = (one for one in self.wire.opened() if one.branch.startswith(prefix))
        return tuple(sorted(found, key=lambda one: one.number))

    def past(self, branch: str, base: str) -> tuple[PullRequest, ...]:
        """List those of one branch into another that have ended, the newest first."""
        found = {one.number: one for one in self.wire.past(branch, base)}
        ended = (one for one in found.values() if one.state is not State.OPEN)
        return tuple(sorted(ended, key=lambda one: -one.number))

    def read(self, number: int) -> PullRequest:
        """Read one pull request as it is now."""
        return self.wire.read(number)

    def ensure(self, proposal: Proposal) -> PullRequest:
        """Open a pull request, or bring the open one of that branch up to date."""
        found = self._find(proposal) or self.wire.create(proposal) or self._find(proposal)
        if found is None:
            text = f"{self.wire.system}: there is a pull request for {proposal.branch}, not shown"
            raise RemoteError(self.wire.system, text)
        body = splice(found.body, proposal.body)
        if (found.title, found.body) != (proposal.title, body):
            self.wire.edit(found.number, proposal.title, body)
        labels = tuple(sorted({*_foreign(found.labels), *proposal.labels}))
        if labels != tuple(sorted(found.labels)):
            self.wire.label(found.number, labels)
        return replace(found, title=proposal.title, body=body, labels=labels)

    def _find(self, proposal: Proposal) -> PullRequest | None:
        for one in self.wire.find(proposal.branch, proposal.base):
            if (one.branch, one.base, one.state) == (proposal.branch, proposal.base, State.OPEN):
                return one
        return None

    def comment(self, number: int, marker: str, text: str) -> None:
        """Write the one comment of ours that carries a marker, or write it anew in its place."""
        wanted = marked(marker, text)
        before = self._ours(number, marker)
        if before is None:
            self.wire.add_comment(number, wanted)
        elif before.text.replace("\r\n", "\n").strip() != wanted.strip():
            self.wire.edit_comment(number, before.id, wanted)

    def _ours(self, number: int, marker: str) -> Comment | None:
        """Find our comment; a marker in the comment of somebody else means nothing."""
        candidates = [one for one in self.wire.comments(number) if is_marked(one.text, marker)]
        account = self.wire.account() if candidates else ""
        return next((one for one in candidates if one.author == account), None)

    def show(self, head: str, status: Status) -> None:
        """Set a status on a commit, unless it shows that already."""
        short = replace(status, text=status.text[:TEXT_LENGTH])
        if self.wire.statuses(head).get(status.context) != (short.light, short.text):
            self.wire.set_status(head, short)

    def reviews(self, pull: PullRequest) -> tuple[Review, ...]:
        """Give the last opinion of every account, whichever commit it was given for."""
        last: dict[str, Review] = {}
        for one in self.wire.reviews(pull):
            last[one.who] = one
        return tuple(one for _, one in sorted(last.items()))

    def merge(self, pull: PullRequest, message: str) -> str:
        """Merge exactly the head that `pull` names; give the commit, "" where it is not told.

        Raises:
            ConflictError: The head is another one by now.
        """
        now = self.wire.read(pull.number)
        if now.state is State.MERGED and now.head == pull.head:
            return now.merged
        if now.state is not State.OPEN:
            raise InputError(f"{pull.url} is {now.state.value}", hint="open it again, or a new one")
        if now.head != pull.head:
            raise _moved(pull)
        for number in range(MERGE_TRIES):
            outcome = self.wire.merge(pull, message)
            if not isinstance(outcome, NotYet) or number + 1 == MERGE_TRIES:
                return self._merged(pull, outcome)
            self.pause(MERGE_PAUSE_S * 2**number)
        raise AssertionError("at least one try")

    def _merged(self, pull: PullRequest, outcome: Merging) -> str:
        match outcome:
            case Done(commit):
                return commit
            case Moved():
                raise _moved(pull)
            case NotYet(why):
                raise RemoteError(self.wire.system, f"{pull.url} cannot be merged yet: {why}")
            case Not(why):
                hint = "see its checks and approvals"
                raise InputError(f"{self.wire.system} does not merge {pull.url}: {why}", hint=hint)
            case _:
                assert_never(outcome)

    def close(self, pull: PullRequest, marker: str, text: str) -> None:
        """Say why in a comment, and close it."""
        self.comment(pull.number, marker, text)
        if self.wire.read(pull.number).state is State.OPEN:
            self.wire.shut(pull.number)

    def hang_up(self) -> None:
        """Close the connections."""
        self.wire.hang_up()


def _foreign(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in labels if not label.startswith(OURS))


def _moved(pull: PullRequest) -> ConflictError:
    return ConflictError(f"{pull.url} is no longer at {pull.head[:12]}: read it again first")
