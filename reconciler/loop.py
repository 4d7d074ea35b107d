"""The loop around the tick: clock, sleep, signals, and what became of every pass.

One pass fetches the branch, looks at every rollout, and lands at most one commit per rollout.
A push that lost the race is decided again from the start on the new head; the old decision is
never pushed again. A kill at any moment leaves the remote at one commit or the next one.

A signal ends the pass where it stands, also in the middle of a question that nobody answers; only
a landing that has begun is finished and logged first.
"""

import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from generator.changes import Committed, Refused, Stale
from generator.errors import ExitCode, InputError, RemoteError, TidegateError
from generator.repository import Repository
from reconciler.applied import Agreement
from reconciler.asking import asking
from reconciler.following import View
from reconciler.guard import Guard, Remote, Stopped
from reconciler.journal import entry
from reconciler.outlook import Memory
from reconciler.policy import Advance, Decision, Escalate, Hold, Revert
from reconciler.ports import Connect, Follower, Sleep, Teller, Turns, Watch
from reconciler.telemetry import say_decision as name_decision
from reconciler.tick import Pass, run

TRIES = 5
GLANCE_S = 1.0
SETTLE_S = TELL_S = 30.0
"""So long one pass alone (`--once`) helps Argo CD along after its commit, and then tells of it."""
LONGEST_JITTER_S = 1.0


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
            return f"{name}: {self.trouble}{self._also()}"
        return f"{name}: {say_decision(self.passed.decision)}"

    def _also(self) -> str:
        """Say what it waits for beside its trouble, where the one does not say the other."""
        waits = self.passed.decision
        if not isinstance(waits, Hold) or self.passed.trouble or self.trouble in waits.why:
            return ""
        return f"; {say_decision(waits)}"


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
    remote: Remote,
    connect: Connect,
    now: datetime,
    memory: Memory,
    sleep: Sleep = time.sleep,
    follower: Follower | None = None,
) -> tuple[Done, ...]:
    """Make one pass over every rollout of the repository.

    Args:
        remote: The branch.
        connect: Opens the metrics API that an environment names, or refuses.
        now: UTC.
        memory: Cache from earlier passes.
        sleep: For the jitter after a lost race.
        follower: Watches Argo CD; None where nobody does.

    Raises:
        RemoteError: The remote does not answer.
        InputError: The remote is no fleet repository.
    """
    return tuple(each(remote, connect, now, memory, sleep, follower))


def each(
    remote: Remote,
    connect: Connect,
    now: datetime,
    memory: Memory,
    sleep: Sleep,
    follower: Follower | None = None,
) -> Iterator[Done]:
    """Make one pass as `once` does, and tell what became of a rollout before the next one."""
    repository = remote.repository()
    if follower:
        follower.look(repository, now)
    for environment, model in repository.rollouts():
        try:
            line = environment, model
            one = _line(remote, repository, line, connect, now, memory, sleep, follower)
        except TidegateError:
            raise
        except Exception as error:  # noqa: BLE001 (a bug in one line must not stop a revert in another)
            text = f"this is a bug in tidegate: {type(error).__name__}: {error}"
            one = Done(Pass(environment, model), trouble=text, bug=error)
        yield one
        if one.commit or one.lost:
            repository = remote.repository()
            # At once: a revert should not wait for the metrics of the next rollout.
            if follower:
                follower.look(repository, now)


def _line(
    remote: Remote,
    repository: Repository,
    line: tuple[str, str],
    connect: Connect,
    now: datetime,
    memory: Memory,
    sleep: Sleep,
    follower: Follower | None,
) -> Done:
    environment, model = line
    passed = Pass(environment, model)
    for _ in range(TRIES):
        query, closed = asking(repository, environment, connect)
        seen = follower.line(repository, environment, model, now) if follower else {}
        passed = run(repository, environment, model, query, now, memory, seen)
        if passed.change is None:
            return Done(passed, trouble=passed.trouble or "".join(closed[:1]))
        match remote.land(passed.change, now):
            case Committed(commit):
                return Done(passed, commit)
            case Refused(why):
                return Done(passed, trouble=f"decided, but the push was refused: {why}")
            case Stale():
                sleep(random.uniform(0, LONGEST_JITTER_S))  # noqa: S311 (jitter, not a secret)
                repository = remote.repository()
    return Done(passed, trouble="somebody else was faster every time", lost=True)


def settle(follower: Follower, wait: Sleep, most_s: float, say: Callable[[View], object]) -> None:
    """Look every second while Argo CD moves, for so long at most.

    Args:
        follower: Looks, and nudges.
        wait: Waits for seconds; gives True when it should end.
        most_s: Seconds.
        say: Is told what was seen each time.
    """
    stop = time.monotonic() + most_s
    while follower.is_busy(datetime.now(UTC)) and time.monotonic() < stop:
        if wait(min(GLANCE_S, max(0.0, stop - time.monotonic()))):
            return
        say(follower.glance(datetime.now(UTC)))


def exit_code(done: Sequence[Done]) -> ExitCode:
    """Give the code of the worst trouble; a bug in one rollout spared the others."""
    if any(one.bug for one in done):
        return ExitCode.BUG
    if any(one.lost for one in done):
        return ExitCode.LOST_RACE
    return ExitCode.INPUT if any(one.trouble for one in done) else ExitCode.DONE


@dataclass
class Loop:
    """Pass after pass until a signal; one JSON line on the log for each outcome.

    Attributes:
        remote: The branch.
        connect: Opens the metrics API that an environment names, or refuses.
        every_s: Seconds from the start of a pass to the start of the next.
        log: Takes one line.
        memory: Cache from earlier passes.
        stopped: Set when no further pass should begin.
        watch: Is told how it goes.
        follower: Watches Argo CD; None where nobody does.
        lease: Says who of several works; None where each does.
        secrets: What must never reach the log.
        teller: Tells people where they look; None where nobody does.
    """

    remote: Remote
    connect: Connect
    every_s: float
    log: Callable[[str], None]
    memory: Memory = field(default_factory=Memory)
    stopped: threading.Event = field(default_factory=threading.Event)
    watch: Watch | None = None
    follower: Follower | None = None
    lease: Turns | None = None
    secrets: Sequence[str] = ()
    teller: Teller | None = None
    _guard: Guard = field(init=False)
    _began: float = field(default_factory=time.monotonic, init=False)
    _code: int = field(default=ExitCode.DONE, init=False)
    _said: tuple[str, ...] = field(default=(), init=False)
    _holder: str = field(default="", init=False)
    _agreement: Agreement = field(default_factory=Agreement, init=False)

    def __post_init__(self) -> None:
        """Stand between the signals and the remote."""
        self._guard = Guard(self.remote)

    def run(self, *, once: bool = False) -> int:
        """Run until SIGTERM or SIGINT, or for one pass; a landing that has begun is finished.

        Returns:
            The exit code: 0 after a signal, else that of the one pass.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, self._guard.caught)
        try:
            while not self.stopped.is_set():
                code = self._turn() if self._is_mine() else ExitCode.DONE
                if once:
                    self._settle(SETTLE_S)
                    self._warn(self.teller.finish(TELL_S) if self.teller else ())
                    # The next one has another name, and would wait for this one to run out.
                    self._let_go()
                    return code
                self._wait()
        except Stopped:
            self.stopped.set()
        self._let_go()
        self.say("stopped by a signal")
        return ExitCode.DONE

    def say(self, text: str) -> None:
        """Write a line about the loop itself."""
        self.log(self._entry(datetime.now(UTC), "info", text=text))

    def _is_mine(self) -> bool:
        """Say whether it is this process's turn; trouble with the lease keeps nobody from work."""
        if self.lease is None:
            return True
        try:
            mine, holder = self.lease.is_mine(datetime.now(UTC))
        except RemoteError as error:
            self.log(self._entry(datetime.now(UTC), "error", trouble=str(error)))
            return True
        if holder != self._holder:
            self._holder = holder
            self.say("works" if mine else f"waits: {holder} holds the lease")
        if self.watch:
            self.watch.alive()
        return mine

    def _let_go(self) -> None:
        if self.lease is not None:
            with suppress(RemoteError):  # it runs out by itself
                self.lease.release()

    def _turn(self) -> int:
        self._began, self._code = time.monotonic(), ExitCode.INPUT
        for line in self._pass(datetime.now(UTC)):
            self._guard.hold()
            self.log(line)
            self._guard.let_go()
        return self._code

    def _wait(self) -> None:
        spent = time.monotonic() - self._began
        left = max(1.0, self.every_s - spent) * random.uniform(0.9, 1.1)  # noqa: S311 (jitter, not a secret)
        self.stopped.wait(left - self._settle(left))

    def _settle(self, most_s: float) -> float:
        """Help Argo CD along for so long at most; give the time spent."""
        began = time.monotonic()
        if self.follower:
            settle(self.follower, self.stopped.wait, most_s, self._say_view)
        return min(most_s, time.monotonic() - began)

    def _say_view(self, view: View) -> None:
        """Log how the sites stand, where that has changed."""
        said = (*view.say(), *view.troubles)
        if said == self._said:
            return
        self._said = said
        now = datetime.now(UTC)
        for text in view.say():
            self.log(self._entry(now, "info", text=text))
        for text in view.troubles:
            self.log(self._entry(now, "error", trouble=text))

    def _say_disagreements(self, done: Sequence[Done], view: View) -> None:
        now = datetime.now(UTC)
        for one in done:
            outlook, line = one.passed.outlook, (one.passed.environment, one.passed.model)
            if outlook is None or outlook.through is None:
                continue
            serving = {site: sight.serving for site, sight in outlook.sights.items()}
            for text in self._agreement.news(line, view.line(*line), serving, outlook.through, now):
                words = {"environment": line[0], "model": line[1], "text": text}
                self.log(self._entry(now, "warning", **words))

    def _pass(self, now: datetime) -> Iterator[str]:
        done: list[Done] = []
        try:
            wait = self.stopped.wait
            for one in each(self._guard, self.connect, now, self.memory, wait, self.follower):
                done.append(one)
                if self.watch:
                    self.watch.alive()
                yield self._say(one, now)
            self._code = exit_code(done)
            if self.follower:
                self._say_view(self.follower.view)
                self._say_disagreements(done, self.follower.view)
            self._observe(done)
            if self.teller and self._guard.newest:
                view = self.follower.view if self.follower else None
                self._warn(self.teller.tell(self._guard.newest, done, now, view))
        except Exception as error:  # noqa: BLE001 (the next pass may go well again)
            if self.watch:
                with suppress(Exception):  # what watches must never keep a revert back
                    self.watch.failed(error, time.monotonic() - self._began)
            yield self._failed(error, now)

    def _warn(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.log(self._entry(datetime.now(UTC), "warning", text=text))

    def _observe(self, done: Sequence[Done]) -> None:
        if self.watch and self._guard.newest:
            spent_s = time.monotonic() - self._began
            applied = self.follower.view.applied if self.follower else {}
            self.watch.observe(self._guard.newest, done, datetime.now(UTC), spent_s, applied)

    def _failed(self, error: Exception, now: datetime) -> str:
        if isinstance(error, RemoteError | InputError):
            return self._entry(now, "error", trouble=str(error))
        self._code = ExitCode.BUG
        text = f"this is a bug in tidegate: {type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        return self._entry(now, "error", trouble=text, trace=trace)

    def _say(self, one: Done, now: datetime) -> str:
        decision, code = name_decision(one.passed.decision) if one.passed.decision else ("", "")
        trace = "".join(traceback.format_exception(one.bug)) if one.bug else ""
        return self._entry(
            now,
            "error" if one.trouble else "info",
            environment=one.passed.environment,
            model=one.passed.model,
            text=one.say(),
            commit=one.commit,
            trouble=one.trouble,
            decision=decision,
            code=code,
            trace=trace,
        )

    def _entry(self, now: datetime, level: str, **words: str) -> str:
        return entry(now, level, words, self.secrets)
