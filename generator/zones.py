"""The door to the time zones of this machine: a table, only ever read, and safe in any thread."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo


def zone(name: str) -> tzinfo | None:
    """Give the rules of a time zone; None where this machine does not know it.

    A container without `tzdata` knows UTC only.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
