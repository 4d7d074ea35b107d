"""The loop around the tick: clock, sleep, signals, and what became of every pass.

One pass fetches the branch, looks at every rollout, and lands at most one commit per rollout.
A push that lost the race is decided again from the start on the new head; the old decision is
never pushed again. A kill at any moment leaves the remote at one commit or the next one.
"""

import json
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from generator.changes import ChangeSet, Committed, Outcome, Refused, Stale
from generator.errors import InputError, RemoteError, TidegateError
from generator.repository import Repository
from reconciler.outlook import Memory, Query
from reconciler.policy import Advance, Decision, Escalate, Hold, Revert
from reconciler.tick import Pass, run

TRIES = 5
LONGEST_JITTER_S = 1.0


class Remote(Protocol):
    """The branch on the remote."""

    def repository(self) -> Repository:
        """Fetch the branch and open its head."""

    def land(self, change: ChangeSet, now: datetime) -> Outcome:
        """Push one commit as a fast-forward and read the branch back."""


Connect = Callable[[str], Query]
Sleep = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one rollout in one pass.

    Attributes:
        passed: The pass.
        commit: The commit that landed, or "".
        trouble: Why none did although one should have, or "".
        lost: Somebody else was faster every time.
        bug: What should not have happened; other rollouts went on.
    """

    passed: Pass
    commit: str = ""
    trouble: str = ""
    lost: bool = False
    bug: Exception | None = None

    def say(self) -> str:
        """Write one line for a person."""
        name = f"{self.passed.environment}/{self.passed.model}"
        change = self.passed.change
        if self.commit and change is not None:
            return f"{name}: {change.subject} [{self.commit[:12]}]"
        if self.trouble:
            return f"{name}: {self.trouble}"
        return f"{name}: {say_decision(self.passed.decision)}"


def say_decision(decision: Decision | None) -> str:
    """Write a decision on one line, with the command that would change it."""
    match decision:
        case None:
            return "nothing climbs"
        case Hold(code, why, until, command):
            when = f" (until {until:%Y-%m-%d %H:%M}Z)" if until else ""
            return f"holds [{code}]: {why}{when}" + (f"; {command}" if command else "")
        case Advance(to, why):
            return f"{'advances to ' + str(to) + '%' if to else 'completes'}: {why}"
        case Revert(code, why):
            return f"reverts [{code}]: {why}"
        case Escalate(why, command):
            return f"needs a person: {why}; {command}"


def once(
    remote: Remote, connect: Connect, now: datetime, memory: Memory, sleep: Sleep = time.sleep
) -> tuple[Done, ...]:
    """Make one pass over every rollout of the repository.

    Args:
        remote: The branch.
        connect: Opens the metrics API that an environment names, or refuses.
        now: UTC.
        memory: Cache from earlier passes.
        sleep: For the jitter after a lost race.

    Raises:
        RemoteError: The remote does not answer.
        InputError: The remote is no fleet repository.
    """
    repository = remote.repository()
    done: list[Done] = []
    for environment, model in repository.rollouts():
        try:
            one = _line(remote, repository, (environment, model), connect, now, memory, sleep)
        except TidegateError:
            raise
        except Exception as error:  # noqa: BLE001 (a bug in one line must not stop a revert in another)
            text = f"this is a bug in tidegate: {type(error).__name__}: {error}"
            one = Done(Pass(environment, model), trouble=text, bug=error)
        done.append(one)
        if one.commit or one.lost:
            repository = remote.repository()
    return tuple(done)


def _line(
    remote: Remote,
    repository: Repository,
    line: tuple[str, str],
    connect: Connect,
    now: datetime,
    memory: Memory,
    sleep: Sleep,
) -> Done:
    environment, model = line
    passed = Pass(environment, model)
    for _ in range(TRIES):
        query = _query(repository, environment, connect)
        passed = run(repository, environment, model, query, now, memory)
        if passed.change is None:
            return Done(passed, trouble=passed.trouble)
        match remote.land(passed.change, now):
            case Committed(commit):
                return Done(passed, commit)
            case Refused(why):
                return Done(passed, trouble=f"decided, but the push was refused: {why}")
            case Stale():
                sleep(random.uniform(0, LONGEST_JITTER_S))  # noqa: S311 (jitter, not a secret)
                repository = remote.repository()
    return Done(passed, trouble="somebody else was faster every time", lost=True)


def _query(repository: Repository, environment: str, connect: Connect) -> Query:
    """Open the metrics lazily, so that a wrong address holds only what needs it."""
    opened: list[Query] = []

    def ask(*words: object) -> object:
        if not opened:
            opened.append(connect(repository.environment(environment).prometheus))
        return opened[0](*words)  # type: ignore[arg-type]  # passed through as it came

    return ask  # type: ignore[return-value]  # the same signature


@dataclass
class Loop:
    """Pass after pass until a signal; one JSON line on the log for each outcome."""

    remote: Remote
    connect: Connect
    every_s: float
    log: Callable[[str], None]
    memory: Memory = field(default_factory=Memory)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a pass that has begun is finished."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopped.set())
        while not self.stopped.is_set():
            began = time.monotonic()
            for entry in self._pass(datetime.now(UTC)):
                self.log(entry)
            spent = time.monotonic() - began
            self.stopped.wait(max(1.0, self.every_s - spent) * random.uniform(0.9, 1.1))  # noqa: S311 (jitter, not a secret)

    def _pass(self, now: datetime) -> Iterator[str]:
        try:
            done = once(self.remote, self.connect, now, self.memory, self.stopped.wait)
        except (RemoteError, InputError) as error:
            yield _entry(now, "error", trouble=str(error))
            return
        for one in done:
            level = "error" if one.trouble else "info"
            trace = "".join(traceback.format_exception(one.bug)) if one.bug else ""
            yield _entry(
                now, level, text=one.say(), commit=one.commit, trouble=one.trouble, trace=trace
            )


def _entry(now: datetime, level: str, **words: str) -> str:
    kept = {key: value for key, value in words.items() if value}
    return json.dumps({"at": now.isoformat(), "level": level} | kept)
