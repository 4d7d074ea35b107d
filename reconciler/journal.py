"""The log: one JSON object a line, without credentials."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from generator.errors import redact

_AUTHORIZATION = re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9+/._~=-]{16,}")


def entry(now: datetime, level: str, words: Mapping[str, str], secrets: Sequence[str] = ()) -> str:
    """Write one line of the log.

    Args:
        now: UTC.
        level: `info` or `error`.
        words: What is said, by name; what is empty is left out.
        secrets: What is starred out, wherever it stands.
    """
    kept = {key: _clean(value, secrets) for key, value in words.items() if value}
    return json.dumps({"at": now.isoformat(), "level": level} | kept)


def _clean(text: str, secrets: Sequence[str]) -> str:
    """Take credentials out; the doors did that already, for all but bugs."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return _AUTHORIZATION.sub(r"\1 ***", redact(text))
