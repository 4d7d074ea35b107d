"""Write files that others read meanwhile: they see the old one or the new one, whole."""

import os
import tempfile
from pathlib import Path


def write_whole(folder: Path, name: str, data: bytes) -> Path:
    """Write one file, and nothing outside its folder, which is made where it is missing.

    The bytes lie in a new file of their own before it takes the name, so a link that stands
    there is replaced and never followed. A run that is killed can leave that file behind, with
    a dot before its name.

    Returns:
        Where it stands.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    place = folder / name
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(beside).chmod(0o644)
        Path(beside).replace(place)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return place
