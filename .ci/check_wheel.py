"""Compare a wheel's blueprints with the tracked files, byte for byte."""

import subprocess
import sys
import zipfile
from pathlib import Path

GIT = ["git", "ls-files", "-z", "--cached", "--", "blueprints"]


def main(wheel: str) -> str | None:
    tracked = {name for name in subprocess.check_output(GIT, text=True).split("\0") if name}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("blueprints/")}
        wrong = sorted(tracked ^ packed)
        wrong += [
            name
            for name in sorted(tracked & packed)
            if archive.read(name) != Path(name).read_bytes()
        ]
    if wrong or not tracked:
        return f"{wheel}: not as tracked in Git: {', '.join(wrong) or 'no blueprints at all'}"
    print(f"{wheel}: all {len(tracked)} files of blueprints/")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
