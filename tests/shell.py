"""The command line, run in this process."""

import io
from contextlib import redirect_stderr, redirect_stdout

from tidegate import cli


def tidegate(*words: object) -> tuple[int, str, str]:
    """Run one command line here; give exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = cli.run([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()
