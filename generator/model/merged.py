"""What became of three versions of one file."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merged:
    """One file out of three versions.

    Attributes:
        data: All of it, with markers where it is not clean.
        is_clean: Both sides stand in it.
    """

    data: bytes
    is_clean: bool


# yours, then, today
Merge = Callable[[bytes, bytes, bytes], Merged]
