"""The post: what there is to say goes out on a thread of its own, and the loop never waits for it.

What is kept is a cache. What could not be told is composed again in a later pass, from Git as it
stands then. A kill at any moment leaves nothing behind that the next pass does not bring in order.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from generator.changes import ChangeSet
from generator.errors import InputError, RemoteError, TidegateError
from generator.model.forge import ForgePlace
from generator.model.pull import Forge, Status
from generator.repository import Repository
from reconciler.applied import State
from reconciler.following import View
from reconciler.news import News, compose, key, worst
from reconciler.telemetry import Outcome
from reconciler.telling import Errand, Offer, tell

HAND_OVER_S = 10.0
"""So long one pass composes and pushes steps at most; what is left is for the next one."""
Line = tuple[str, str]
FORGE = ("", "")
Offering = Callable[[ChangeSet, datetime, str], tuple[str, bool]]


@dataclass
class Post:
    """Hands the news of each pass to a thread.

    Attributes:
        connect: Opens the forge that Git names; asks nothing yet.
        offer: Pushes a change to a branch; gives its head, and whether it ends with the change.
        branch: Gives the branch of the repository that the reconciler works on.
    """

    connect: Callable[[ForgePlace], Forge]
    offer: Offering
    branch: Callable[[], str]
    _place: ForgePlace | None = None
    _forge: Forge | None = None
    _known: dict[Line, object] = field(default_factory=dict)
    _waiting: dict[Line, tuple[object, Errand]] = field(default_factory=dict)
    _marks: dict[Line, tuple[str, Status]] = field(default_factory=dict)
    _tried: dict[Line, int] = field(default_factory=dict)
    _said: dict[Line, str] = field(default_factory=dict)
    _troubles: list[str] = field(default_factory=list)
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _busy: Line | None = None

    def tell(
        self, repository: Repository, done: Sequence[Outcome], now: datetime, view: View | None
    ) -> tuple[str, ...]:
        """Take in a pass; never raises.

        Args:
            repository: The newest commit.
            done: What became of each rollout.
            now: UTC.
            view: What Argo CD makes of it; None where nobody watches.

        Returns:
            What a person should know: why nothing can be told, each reason once.
        """
        if self._open(repository):
            stop = time.monotonic() + HAND_OVER_S
            for one in sorted(done, key=self._turns):
                if time.monotonic() > stop:
                    break
                self._hand_over(repository, one, now, view)
        with self._turn:
            said, self._troubles = tuple(self._troubles), []
        return said

    def finish(self, most_s: float) -> tuple[str, ...]:
        """Wait for what is under way, for so long at most; give what went wrong."""
        with self._turn:
            idle = self._turn.wait_for(lambda: not self._waiting and not self._busy, most_s)
            said, self._troubles = tuple(self._troubles), []
        return said if idle else (*said, "the forge is slow: the rest is told in a later pass")

    def _turns(self, one: Outcome) -> int:
        return self._tried.get((one.passed.environment, one.passed.model), 0)

    def _open(self, repository: Repository) -> bool:
        """Open the forge that Git names now; say once why that cannot be."""
        try:
            place = repository.config().forge
            if place != self._place:
                self._place, self._forge = place, None
                with self._turn:
                    self._known.clear()
                    self._waiting.clear()
                if not place.is_there:
                    return False  # a choice, and no trouble
                self._forge = self.connect(place)
        except TidegateError as error:
            self._complain(FORGE, f"no pull request is told of rollouts: {_line(error)}")
        return self._forge is not None

    def _complain(self, about: Line, text: str) -> None:
        """Say a trouble once, until it has gone or is another one."""
        with self._turn:
            if text != self._said.get(about):
                self._said[about] = text
                self._troubles.append(text)

    def _hand_over(
        self, repository: Repository, one: Outcome, now: datetime, view: View | None
    ) -> None:
        line = one.passed.environment, one.passed.model
        self._tried[line] = self._tried.get(line, 0) + 1
        try:
            away = _away(repository, line, view)
            what = key(repository, one.passed, one.commit, away)
            with self._turn:
                waits = self._waiting.get(line)
                if self._known.get(line) == what or (waits and waits[0] == what):
                    return
            news = compose(repository, one.passed, one.commit, away, self.branch(), now)
            if news is None:
                self._known[line] = what
                return
            errand = self._errand(news, now)
        except TidegateError as error:
            self._complain(line, f"{line[0]}/{line[1]} cannot be told of: {_line(error)}")
        except Exception as error:  # noqa: BLE001 (telling must never keep a revert back)
            self._complain(line, f"this is a bug in tidegate: {type(error).__name__}: {error}")
        else:
            self._give(line, what, errand)

    def _errand(self, news: News, now: datetime) -> Errand:
        offer = None
        if news.step is not None:
            proposal = news.step.proposal
            head, is_ours = self.offer(news.step.change, now, proposal.branch)
            offer = Offer(proposal, head, is_ours)
        self._marks[news.line] = news.head, news.status
        # Several rollouts may have begun in one commit, which has one mark.
        same = [status for head, status in self._marks.values() if head == news.head]
        return Errand(
            news.letters,
            self.branch(),
            news.head,
            worst(same),
            news.status,
            news.steps,
            news.following,
            offer,
        )

    def _give(self, line: Line, what: object, errand: Errand) -> None:
        with self._turn:
            self._waiting[line] = what, errand
            self._turn.notify_all()
            if self._thread is None or not self._thread.is_alive():
                # A daemon: it ends with the process, wherever it is.
                self._thread = threading.Thread(target=self._work, name="post", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._turn:
                self._busy = None
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._waiting)
                self._busy = line = next(iter(self._waiting))
                what, errand = self._waiting.pop(line)
                forge = self._forge
            if forge is not None:
                self._send(forge, line, what, errand)

    def _send(self, forge: Forge, line: Line, what: object, errand: Errand) -> None:
        try:
            tell(forge, errand)
        except RemoteError as error:
            # Later, all of it: the next pass hands over again what was not told.
            with self._turn:
                self._waiting.clear()
            self._complain(FORGE, f"the forge cannot be told now: {_line(error)}")
        except InputError as error:
            text = f"the forge refuses to be told of {line[0]}/{line[1]}: {_line(error)}"
            self._complain(line, text)
        except Exception as error:  # noqa: BLE001 (the thread goes on with the others)
            self._complain(line, f"this is a bug in tidegate: {type(error).__name__}: {error}")
        else:
            with self._turn:
                self._known[line] = what
                self._said.pop(line, None)
                self._said.pop(FORGE, None)


def _away(repository: Repository, line: Line, view: View | None) -> tuple[str, ...] | None:
    """Name the sites that do not hold what Git says, once the rollout is over."""
    if view is None or repository.rollout(*line).is_climbing:
        return None
    standings = view.line(*line).items()
    return tuple(sorted(site for site, one in standings if one.state is not State.APPLIED))


def _line(error: TidegateError) -> str:
    return str(error).replace("\n", " | ")
