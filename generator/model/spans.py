"""Spans of time as people write them: `250ms`, `90s`, `5m`, `2h`, `3d`."""

import re
from datetime import timedelta

_SPAN = re.compile(r"(0|[1-9][0-9]{0,5})(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_span(text: str) -> timedelta:
    """Read one number and one unit.

    Raises:
        ValueError: Not in the grammar.
    """
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a span of time: write 250ms, 90s, 5m, 2h or 3d")
    return int(found.group(1)) * _UNITS[found.group(2)]


def write_span(span: timedelta) -> str:
    """Write the span in the largest unit that holds it exactly; `0s` for nothing."""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(span, _UNITS[unit])
        if count and not rest:
            return f"{count}{unit}"
    return "0s"


def say_span(span: timedelta) -> str:
    """Write a span for a person: the two largest units, as in `1 h 20 min`."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 min"
