"""`python tests/bench`: measure the figures of the README."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench.run import main  # noqa: E402 (found only from the root of the project)

main(sys.argv[1:])
