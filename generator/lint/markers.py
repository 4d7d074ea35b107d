"""No half-merged file is committed."""

import re
from collections.abc import Iterator

from generator.errors import Problem
from generator.lint.view import View

_MARKER = re.compile(rb"^(?:<{7} |>{7} |\|{7} )", re.MULTILINE)


def markers(view: View) -> Iterator[Problem]:
    """Name the first conflict marker of each file that came from a blueprint."""
    lock = view.lock()
    files = view.tree.read_many(lock.files) if lock is not None else {}
    for path, data in files.items():
        found = _MARKER.search(data)
        if found:
            line = data.count(b"\n", 0, found.start()) + 1
            hint = "choose between the two sides and take the markers out"
            yield Problem("a conflict of a merge is not resolved", path, line, hint)
