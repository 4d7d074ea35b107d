"""`python tests/bench_judge`: measure what the judge's verdicts are worth."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench_judge.run import main  # noqa: E402 (found only from the root of the project)

if __name__ == "__main__":
    main(sys.argv[1:])
