"""Between signals and the remote: a signal ends what is in progress, but never a landing."""

import signal
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Protocol

from generator.changes import ChangeSet, Outcome
from generator.repository import Repository


class Remote(Protocol):
    """The branch on the remote."""

    def repository(self) -> Repository:
        """Fetch the branch and open its head."""

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Push one commit as a fast-forward and read the branch back."""


AGAIN_S = 0.05


class Stopped(BaseException):
    """A signal ends the pass in progress."""


@dataclass
class Guard:
    """A remote whose landings no signal breaks.

    Attributes:
        remote: The branch.
        newest: The head that was opened last.
    """

    remote: Remote
    newest: Repository | None = None
    _asked: bool = False
    _held: bool = False

    def caught(self, number: int, frame: FrameType | None) -> None:
        """Stop, as the handler of a signal; SIGALRM brings it again.

        Raises:
            Stopped: As `stop` does.
        """
        del number
        if _is_starting(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            self.stop()

    def stop(self) -> None:
        """End the work in progress, at once or after what is held. Called by a signal.

        Raises:
            Stopped: Nothing is held; raised once.
        """
        asked, self._asked = self._asked, True
        if not asked and not self._held:
            raise Stopped

    def hold(self) -> None:
        """Let no signal break what follows."""
        self._held = True

    def let_go(self) -> None:
        """Let signals through again, and the one that came meanwhile.

        Raises:
            Stopped: One came.
        """
        self._held = False
        if self._asked:
            raise Stopped

    def repository(self) -> Repository:
        """Fetch the branch and open its head."""
        self.let_go()
        self.newest = self.remote.repository()
        return self.newest

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Push one commit; held until it is logged, or decided anew."""
        self.hold()
        return self.remote.land(change, now)


def _is_starting(frame: FrameType | None) -> bool:
    """Say whether a process is being started: nobody would know of it, and none would end it."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "subprocess" and frame.f_code.co_name == "__init__":
            return True
        frame = frame.f_back
    return False
