"""Write the examples again, or compare them: `python -m tests.golden [--check] [NAME...]`."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.golden.examples import EXAMPLES, make

FOLDER = Path(__file__).resolve().parents[2] / "environments"


def read(name: str) -> Mapping[str, bytes]:
    """Read an example as it is kept."""
    folder = FOLDER / name
    found = sorted(one for one in folder.rglob("*") if one.is_file())
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in found}


def differences(name: str) -> Iterator[str]:
    """Name every file that would be written, changed or taken away."""
    kept, made = read(name), make(name)
    for path in sorted({*kept, *made}):
        if path not in made:
            yield f"{name}/{path}: nothing makes this file"
        elif path not in kept:
            yield f"{name}/{path}: missing"
        elif kept[path] != made[path]:
            yield f"{name}/{path}: other bytes"


def write(name: str) -> int:
    """Make an example what it should be; say how many files changed."""
    kept, made = read(name), make(name)
    for path in kept.keys() - made.keys():
        (FOLDER / name / path).unlink()
    fresh = [path for path, data in made.items() if kept.get(path) != data]
    for path in fresh:
        place = FOLDER / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(made[path])
    return len(fresh) + len(kept.keys() - made.keys())


def main(words: list[str]) -> int:
    """Run the command line."""
    names = [word for word in words if word != "--check"] or list(EXAMPLES)
    unknown = [name for name in names if name not in EXAMPLES]
    if unknown:
        print(f"no example is called {unknown[0]!r}; known: {', '.join(EXAMPLES)}", file=sys.stderr)
        return 2
    if "--check" not in words:
        for name in names:
            print(f"{name}: {write(name)} files changed")
        return 0
    wrong = [line for name in names for line in differences(name)]
    for line in wrong:
        print(line)
    print(
        f"{len(wrong)} files differ; make golden writes them" if wrong else "all as they are kept"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
