"""What a run has shown: scenarios with times and assertions, engines with versions and memory."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Shown:
    """One test of a scenario."""

    scenario: str
    test: str
    outcome: str = ""
    seconds: float = 0.0
    assertions: int = 0


@dataclass
class Report:
    """One run.

    Attributes:
        absent: Scenario to the engines that it lacks.
        memory_mib: Peak by process, added up over the beds.
        cpu_s: Processor seconds by process, added up over the beds.
        spent_s: Of the slowest bed.
        notes: What scenarios measured: name to value.
        beds: How many worked side by side.
        seconds: The whole run.
    """

    shown: dict[str, Shown] = field(default_factory=dict)
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    factor: float = 1.0
    beds: int = 0
    seconds: float = 0.0

    def take(self, told: Mapping[str, Any]) -> None:
        """Add what another process has seen with a bed of its own, see `asdict`."""
        for key, one in told["shown"].items():
            if one["outcome"]:
                self.shown[key] = Shown(**one)
        self.absent |= {name: tuple(gone) for name, gone in told["absent"].items()}
        self.notes |= told["notes"]
        self.factor = max(self.factor, told["factor"])
        self.beds += told["beds"]
        for own, theirs in ((self.memory_mib, told["memory_mib"]), (self.cpu_s, told["cpu_s"])):
            for name, number in theirs.items():
                own[name] = round(own.get(name, 0.0) + number, 1)
        for name, spent in told["spent_s"].items():
            self.spent_s[name] = max(self.spent_s.get(name, 0.0), spent)

    def lines(self) -> list[str]:
        """Say it for people."""
        found = [
            f"{one.outcome:8} {one.seconds:6.1f} s  {one.assertions:3} assertions  "
            f"{one.scenario}: {one.test}"
            for one in self.shown.values()
        ]
        found += [f"{name} = {value}" for name, value in self.notes.items()]
        if self.memory_mib:
            told = ", ".join(f"{name} {mib:.0f}" for name, mib in self.memory_mib.items())
            total = sum(self.memory_mib.values())
            found.append(f"peak memory of {self.beds} beds in MiB: {told}; together {total:.0f}")
        if self.cpu_s:
            told = ", ".join(f"{name} {spent:.0f}" for name, spent in self.cpu_s.items())
            found.append(f"processor seconds: {told}; together {sum(self.cpu_s.values()):.0f}")
        if self.spent_s:
            told = ", ".join(f"{name} {spent:g}" for name, spent in self.spent_s.items())
            found.append(f"seconds to start: {told}; boot factor {self.factor:.2f}")
        if self.versions:
            found.append(", ".join(f"{name} {number}" for name, number in self.versions.items()))
        found.append(f"the whole run: {self.seconds:.0f} s")
        return found + [
            f"not shown: {name} (no {_and(gone)})" for name, gone in self.absent.items()
        ]

    def write(self, path: Path) -> None:
        """Write it for programs."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def _and(names: tuple[str, ...]) -> str:
    return ", ".join(names)
