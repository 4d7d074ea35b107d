"""Where the real engines of this machine lie."""

import os
import shutil


def find(name: str) -> str | None:
    """Look at TIDEGATE_ENGINE_<NAME>, then in TIDEGATE_ENGINES, then on PATH."""
    named = os.environ.get(f"TIDEGATE_ENGINE_{variable(name)}")
    if named:
        return shutil.which(named)
    return shutil.which(name, path=os.environ.get("TIDEGATE_ENGINES", "")) or shutil.which(name)


def variable(name: str) -> str:
    """Write a name as the end of an environment variable."""
    return name.upper().replace("-", "_").replace(".", "_")
