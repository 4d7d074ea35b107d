"""`tidegate` as a process of its own, forked from one that has loaded its libraries already.

A person's command loads them itself. Here MLflow alone would take 7 s of processor time for each
of some hundred commands: more than a third of what a whole run has.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

TIMEOUT_S = 300
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.e2e.bed.loaded"])


@dataclass(frozen=True)
class Ran:
    """What one command said."""

    code: int
    out: str
    err: str


def run(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> Ran:
    """Run one command in a folder, with exactly this environment.

    Raises:
        TimeoutError: It took longer than TIMEOUT_S.
    """
    with TemporaryDirectory() as kept:
        files = [Path(kept, name) for name in ("out", "err")]
        asked = (tuple(words), str(folder), dict(env), [str(file) for file in files])
        process = _CONTEXT.Process(target=_work, args=asked)
        process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"tidegate {' '.join(words)} took longer than {TIMEOUT_S} s")
        out, err = (file.read_text() if file.exists() else "" for file in files)
        return Ran(process.exitcode, out, err)


def _work(
    words: Sequence[str], folder: str, env: Mapping[str, str], files: Sequence[str]
) -> NoReturn:
    from tidegate.cli import main

    for number, file in enumerate(files, 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["tidegate", *words]
    main()
    sys.exit(0)
