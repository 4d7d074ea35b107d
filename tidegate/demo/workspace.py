"""The folder of a demo: what was asked for, the virtual clock, and where things lie."""

import json
import shutil
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from generator.documents.config import read_time, write_time
from generator.errors import InputError
from generator.model.site import Site
from tidegate.demo.fleet import Behaviour

STORY = "story.json"
BEFORE_NOW = timedelta(hours=54)
REGIONS = ("east", "islands", "north", "ridge", "south", "west")
HARDWARE = ("cpu", "gpu", "jetson-arm64")
LEAST_SITES = 100
MOST_SITES = 10_000
FAULTS: Mapping[str, Behaviour] = {
    "errors": Behaviour(errors=2.0),
    "latency": Behaviour(slow=3.0),
    "confidence": Behaviour(unsure=2.0),
    "crash": Behaviour(starts=False),
    "silent": Behaviour(reports=False),
}


@dataclass(frozen=True, slots=True)
class Story:
    """What a demo was asked for, and how far its clock is.

    Attributes:
        seed: Of everything that is by chance.
        sites: N edge sites.
        fault: What is wrong with version 3; a key of `FAULTS`.
        port: Of the metrics API on the loopback address.
        start: First moment of virtual time.
        clock: Last moment that was lived through.
    """

    seed: int
    sites: int
    fault: str
    port: int
    start: datetime
    clock: datetime

    def __post_init__(self) -> None:
        """Refuse fleets that the story does not fit."""
        if not LEAST_SITES <= self.sites <= MOST_SITES:
            raise ValueError(f"the demo takes {LEAST_SITES} to {MOST_SITES} sites")
        if self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is none of {', '.join(FAULTS)}")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a demo lies."""

    folder: Path

    @property
    def origin(self) -> str:
        """Give the URL of the bare repository."""
        return (self.folder / "origin.git").resolve().as_uri()

    @property
    def checkout(self) -> Path:
        """Locate the checkout for the person who watches."""
        return self.folder / "fleet"

    @property
    def registry(self) -> Path:
        """Locate the model registry."""
        return self.folder / "mlflow"

    @property
    def state(self) -> Path:
        """Locate the bare clones."""
        return self.folder / "state"

    def exists(self) -> bool:
        """Say whether a demo was begun here."""
        return (self.folder / STORY).is_file()

    def load(self) -> Story:
        """Read the story.

        Raises:
            InputError: It is damaged.
        """
        try:
            told = json.loads((self.folder / STORY).read_text())
            told |= {key: read_time(told[key]) for key in ("start", "clock")}
            return Story(**told)
        except (ValueError, KeyError, TypeError, OSError) as error:
            hint = "tidegate demo --fresh starts over"
            raise InputError(
                "the story is damaged", file=str(self.folder / STORY), hint=hint
            ) from error

    def save(self, story: Story) -> None:
        """Write the story atomically."""
        told = asdict(story) | {"start": write_time(story.start), "clock": write_time(story.clock)}
        beside = self.folder / f".{STORY}"
        beside.write_text(json.dumps(told, indent=2) + "\n")
        beside.replace(self.folder / STORY)

    def begin(self, seed: int, sites: int, fault: str, now: datetime) -> Story:
        """Make the folder of a new demo.

        Raises:
            InputError: The folder holds something else, or the words do not fit.
        """
        if self.folder.exists() and any(self.folder.iterdir()):
            raise InputError(f"{self.folder} is not empty and holds no demo", hint="--dir DIR")
        start = (now - BEFORE_NOW).replace(minute=0, second=0, microsecond=0)
        try:
            story = Story(seed, sites, fault, free_port(), start, start)
        except ValueError as error:
            raise InputError(str(error)) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save(story)
        return story

    def remove(self) -> None:
        """Delete a demo, and nothing that is not one."""
        if self.exists():
            shutil.rmtree(self.folder)


def at(story: Story, clock: datetime) -> Story:
    """Move the clock."""
    return replace(story, clock=clock)


def free_port() -> int:
    """Find a free port on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plants(count: int) -> tuple[Site, ...]:
    """Make up the edge sites of the story: 6 regions, 3 hardware classes."""
    names = (f"plant-{number:04d}" for number in range(1, count + 1))
    return tuple(
        Site(name, name, REGIONS[number % len(REGIONS)], HARDWARE[number % 7 % len(HARDWARE)])
        for number, name in enumerate(names)
    )
