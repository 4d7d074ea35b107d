"""Three versions of one file become one, line by line, as Git merges."""

import tempfile
from pathlib import Path

from generator.gitrepo.process import Git
from generator.model.merged import Merged

MOST_CONFLICTS = 127  # above it Git says that the merge itself failed
_LABELS = ("-L", "yours", "-L", "as the blueprint wrote it then", "-L", "as it writes it today")


def merge(yours: bytes, then: bytes, today: bytes) -> Merged:
    """Merge a person's edits and a blueprint's.

    Args:
        yours: The file as it stands.
        then: As the blueprint wrote it; b"" where it did not.
        today: As the blueprint writes it now.

    Returns:
        The file, with markers where both changed the same lines. A file that is not text is
        yours, and a conflict.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-") as name:
        folder = Path(name)
        for file, data in (("yours", yours), ("then", then), ("today", today)):
            (folder / file).write_bytes(data)
        files = [str(folder / file) for file in ("yours", "then", "today")]
        git = Git(folder)
        code, out, _ = git.call("merge-file", "-p", "--zdiff3", *_LABELS, *files, bare=True)
    if code > MOST_CONFLICTS:
        return Merged(yours, is_clean=False)
    return Merged(out, is_clean=code == 0)
