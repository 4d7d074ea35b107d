"""A change with all that is known about where it comes from."""

from dataclasses import dataclass, field
from datetime import datetime

from generator.gate.approvals import Voices
from generator.gate.change import Change
from generator.gate.origin import Origin
from generator.windows import Zones, utc_only


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged.

    Attributes:
        change: The three commits.
        now: UTC.
        origin: What the CI of a forge says of the pull request.
        voices: What was said of it; None where nobody was asked.
        zones: Gives the rules of time zones.
    """

    change: Change
    now: datetime
    origin: Origin = field(default_factory=Origin)
    voices: Voices | None = None
    zones: Zones = utc_only
