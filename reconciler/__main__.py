"""`python -m reconciler`: the loop alone, for a container; it knows no command line library.

Environment: TIDEGATE_REPO (URL), TIDEGATE_STATE_DIR, TIDEGATE_EVERY_SECONDS,
TIDEGATE_ALLOW_ORIGINS (separated by blanks), TIDEGATE_TOKEN_FILES (ORIGIN=FILE, likewise).
"""

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from generator.errors import InputError, TidegateError
from generator.gitrepo.bare import Bare
from reconciler.loop import Loop
from reconciler.wiring import BareRemote, Origins, calm_collector, origin_of


def main() -> int:
    """Run until a signal; 1 when the configuration is wrong."""
    parser = argparse.ArgumentParser(prog="python -m reconciler", description=__doc__)
    parser.add_argument("--repo", default=os.environ.get("TIDEGATE_REPO", ""))
    told = parser.parse_args()
    try:
        loop = _wire(told.repo)
    except TidegateError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 (the only output before the log)
        return 1
    calm_collector()
    loop.run()
    return 0


def _wire(repo: str) -> Loop:
    if not repo:
        raise InputError("no repository is named", hint="--repo URL or TIDEGATE_REPO")
    folder = os.environ.get("TIDEGATE_STATE_DIR") or tempfile.mkdtemp(prefix="tidegate-")
    name = hashlib.sha256(repo.encode()).hexdigest()[:16]
    every_s = float(os.environ.get("TIDEGATE_EVERY_SECONDS", "60"))
    remote = BareRemote(Bare(Path(folder) / f"{name}.git", repo))
    loopback = repo.startswith(("file://", "/"))
    return Loop(remote, Origins(_allowed(), loopback).connect, every_s, _log)


def _allowed() -> dict[str, str]:
    texts = os.environ.get("TIDEGATE_ALLOW_ORIGINS", "").split()
    allowed = dict.fromkeys((origin_of(text) for text in texts), "")
    for pair in os.environ.get("TIDEGATE_TOKEN_FILES", "").split():
        origin, _, file = pair.rpartition("=")
        allowed[origin_of(origin)] = Path(file).read_text().strip()
    return allowed


def _log(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the log is standard output)


if __name__ == "__main__":
    sys.exit(main())
