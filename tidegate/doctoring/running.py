"""Run checks one by one: what one of them runs into is its own finding, and time is bounded."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Thread

from generator.changes import one_line
from generator.errors import InputError, RemoteError, TidegateError
from reconciler.checkup import Finding, failed, unknown
from reconciler.cluster import Forbidden

Work = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Step:
    """One check.

    Attributes:
        check: Its id, for what it runs into.
        where: The place that it looks at.
        work: Looks.
    """

    check: str
    where: str
    work: Work


@dataclass
class Area:
    """Checks that ask the same system, one after the other.

    Attributes:
        name: Of the system.
        steps: The checks.
        is_gated: Where the first one gets no answer, nothing else is asked.
        found: What they found so far.
    """

    name: str
    steps: Sequence[Step]
    is_gated: bool = False
    found: list[Finding] = field(default_factory=list)
    _done: int = 0
    _told: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Take every step; what cannot be looked at is said once."""
        is_shut = False
        for step in self.steps:
            if is_shut:
                self.found.append(unknown(step.check, step.where, "see above: not asked"))
            else:
                self.found.extend(self._take(step))
            self._done += 1
            is_shut = is_shut or (self.is_gated and self._done == 1 and bool(self._told))

    def late(self, seconds: float) -> Iterable[Finding]:
        """Name what has not ended in time."""
        for step in self.steps[self._done :]:
            text = f"it did not end within {seconds:g} s"
            yield failed(step.check, step.where, text, "look whether that system hangs")

    def _take(self, step: Step) -> Sequence[Finding]:
        try:
            return tuple(step.work())
        except TidegateError as error:
            return (self._explain(step, error),)
        except Exception as error:  # noqa: BLE001 (a bug in one check must not hide the others)
            text = f"this check broke: {type(error).__name__}: {one_line(str(error))}"
            return (failed(step.check, step.where, text, "this is a bug in tidegate: report it"),)

    def _explain(self, step: Step, error: TidegateError) -> Finding:
        text = str(error)
        if text in self._told:
            return unknown(step.check, step.where, "see above: the same trouble")
        if isinstance(error, Forbidden):
            return unknown(step.check, step.where, text, "allow it, or ask as somebody who may")
        self._told.add(text)
        fix = _way_out(error)
        return failed(step.check, step.where, _without(text, fix), fix)


def _way_out(error: TidegateError) -> str:
    match error:
        case InputError():
            return error.problems[0].hint or "correct it as it says"
        case RemoteError():
            return f"see that {error.system} runs and can be reached from here, and ask again"
        case _:
            return "ask again"


def _without(text: str, fix: str) -> str:
    return text.removesuffix(f"; {fix}")


def run_together(areas: Sequence[Area], seconds: float) -> tuple[Finding, ...]:
    """Run areas at the same time; what is late is named and left behind.

    Args:
        areas: None of them may wait for another one.
        seconds: The most that all of them may take.
    """
    threads = [Thread(target=area.run, name=area.name, daemon=True) for area in areas]
    for thread in threads:
        thread.start()
    _join(threads, seconds)
    found: list[Finding] = []
    for area, thread in zip(areas, threads, strict=True):
        is_late = thread.is_alive()
        found.extend(tuple(area.found))
        found.extend(area.late(seconds) if is_late else ())
    return tuple(found)


def _join(threads: Sequence[Thread], seconds: float) -> None:
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
