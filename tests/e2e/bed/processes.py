"""Processes of the bed: each with its log, its readiness and its own end.

All are started from the main thread: the kernel kills them when the thread that started them ends
without having done so (`PR_SET_PDEATHSIG`). Each leads a process group, so its children go too.
"""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.bed.waiting import Patience

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
GRACE_S = 5.0
GOGC = "100"  # as usual: with more, two beds side by side need more memory than they may


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    """One engine that runs, or has run.

    Attributes:
        name: Of its log file.
        log: Where it writes.
        peak_mib: Most resident memory that was seen.
        ended_s: Processor time of earlier starts.
    """

    name: str
    log: Path
    argv: Sequence[str]
    env: Mapping[str, str]
    peak_mib: float = 0.0
    ended_s: float = 0.0
    _popen: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Give its id."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Say whether it lives."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it, for the first time or again."""
        assert not self.is_running, f"{self.name} runs already"
        assert threading.current_thread() is threading.main_thread()
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.env),
                cwd=self.log.parent,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def look(self) -> float:
        """Read its peak of resident memory, in MiB, from the kernel."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_mib = max(self.peak_mib, int(line.split()[1]) / 1024)
        return self.peak_mib

    def cpu_s(self) -> float:
        """Read the processor time that it and its ended children have used, in seconds."""
        return self.ended_s + (cpu_s(self.pid) if self.is_running else 0.0)

    def pause(self) -> None:
        """Freeze it; `resume` lets it go on."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it without a warning, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it politely, and after the grace period in any way."""
        self._end(signal.SIGTERM)

    def _end(self, first: signal.Signals) -> None:
        if self._popen is None:
            return
        self.look()
        spent_s = self.cpu_s()
        self._signal(first)
        self._signal(signal.SIGCONT)  # a frozen one would not see that it shall end
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(GRACE_S)
        self._signal(signal.SIGKILL)  # whatever is left of its group
        self._popen.wait()
        self.ended_s = spent_s

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def tail(self, lines: int = 15) -> str:
        """Give the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Processes:
    """All processes of one bed.

    Attributes:
        logs: Folder of the logs.
        patience: Scales the deadlines.
    """

    logs: Path
    patience: Patience
    all: dict[str, Process] = field(default_factory=dict)
    boot_s: dict[str, float] = field(default_factory=dict)

    def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Process:
        """Start one; `wait` says when it is ready."""
        self.logs.mkdir(parents=True, exist_ok=True)
        process = Process(name, self.logs / f"{name}.log", argv, plain(env or {}))
        self.all[name] = process
        process.start()
        return process

    def wait(self, name: str, is_ready: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until one is ready; fail at once when it has ended.

        Raises:
            AssertionError: It ended; the message has the end of its log.
            TooLate: It lives, and is not ready.
        """
        process, started = self.all[name], time.monotonic()

        def look() -> bool:
            return not process.is_running or is_ready()

        self.patience.until(look, seconds, f"{name} is ready, see {process.log}")
        assert process.is_running, f"{name} ended: {process.log}\n{process.tail()}"
        self.boot_s[name] = time.monotonic() - started

    def restart(self, name: str) -> Process:
        """Start one again that was killed or stopped; the caller waits for what it needs."""
        process = self.all[name]
        process.stop()
        process.start()
        return process

    def stop(self, *names: str) -> None:
        """End some, or all, the youngest first."""
        for name in names or tuple(reversed(self.all)):
            self.all[name].stop()

    def memory(self) -> Mapping[str, float]:
        """Read the peak of every process, in MiB."""
        return {name: round(process.look(), 1) for name, process in self.all.items()}

    def cpu(self) -> Mapping[str, float]:
        """Read the processor time of every process, in seconds."""
        return {name: round(process.cpu_s(), 1) for name, process in self.all.items()}


def cpu_s(pid: int) -> float:
    """Read the processor time of any process and of its ended children, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def plain(env: Mapping[str, str]) -> Mapping[str, str]:
    """Give an environment with nothing of the person or the machine in it."""
    own = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "GOGC": GOGC}
    return {**own, **env}
