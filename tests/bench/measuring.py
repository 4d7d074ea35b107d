"""What one process cost, its children included."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and the most memory of any one process, in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """One after the other."""
        peak = max(self.peak_mb, other.peak_mb)
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, peak)


class Clock:
    """Wall and processor time of this process and its ended children since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), sum(os.times()[:4])

    def cost(self) -> Cost:
        """Say what was spent."""
        return Cost(time.perf_counter() - self._wall, sum(os.times()[:4]) - self._cpu)


def run(*command: str, inside: Path = ROOT) -> Cost:
    """Run a command to its end; what it says is shown only when it fails."""
    return _run(*command, inside=inside)[0]


def _run(*command: str, inside: Path) -> tuple[Cost, bytes]:
    wall = time.perf_counter()
    with subprocess.Popen(
        command, cwd=inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(time.perf_counter() - wall, used.ru_utime + used.ru_stime, _mb(used.ru_maxrss))
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{said.decode('utf-8', 'replace')}")
    return cost, said


def worker(name: str, *words: str) -> Cost:
    """Run one task of `tests.bench.worker`, which measures the part that counts."""
    whole, said = _run(sys.executable, "-m", "tests.bench.worker", name, *words, inside=ROOT)
    told = json.loads(said.splitlines()[-1])
    return Cost(told["wall"], told["cpu"], whole.peak_mb)


def _mb(maxrss: int) -> float:
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)
