"""What tidegate itself runs on: its packages, its Python, and the programs beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.checkup.finding import Finding, failed, passed, warned

PACKAGES = ("blueprints", "generator", "reconciler", "tidegate")
CHECK = "installation.names"
_FIX = "install it alone: pipx install tidegate, or uv tool install tidegate"


@dataclass(frozen=True, slots=True)
class Installation:
    """What the running interpreter says.

    Attributes:
        home: The folder that the running packages were loaded from.
        loaded: Folder that each of our packages would be loaded from next.
        folders: Every folder of the search path that holds a package of that name, in order.
        owners: Distributions that say they bring it.
        here: Names of ours that lie in the working directory, which is not `home`.
    """

    home: str
    loaded: Mapping[str, str]
    folders: Mapping[str, Sequence[str]]
    owners: Mapping[str, Sequence[str]]
    here: Sequence[str] = ()


def names(found: Installation) -> Iterator[Finding]:
    """Does anybody else bring a package of one of our names, which are generic?"""
    clean = True
    for name in PACKAGES:
        for one in _troubles(found, name):
            clean = False
            yield one
    if found.here:
        clean = False
        text = f"this folder holds {', '.join(found.here)}: python -m started here would run those"
        yield warned(CHECK, found.home, text, "start it in another folder, or with python -P -m")
    if clean:
        yield passed(CHECK, found.home, "nobody else brings a package of our names")


def _troubles(found: Installation, name: str) -> Iterator[Finding]:
    others = sorted(set(found.owners.get(name, ())) - {"tidegate"})
    if others:
        text = f"{', '.join(others)} also brings a package {name!r}: one overwrites the other"
        yield failed(CHECK, found.home, text, _FIX)
    loaded = found.loaded.get(name, "")
    if loaded != found.home:
        text = f"{name!r} is loaded from {loaded or 'nowhere'}, not from {found.home}"
        yield failed(CHECK, found.home, text, _FIX)
    further = [one for one in found.folders.get(name, ()) if one not in (found.home, loaded)]
    if further:
        text = f"another {name!r} lies in {further[0]}; another search path would take that one"
        yield warned(CHECK, found.home, text, _FIX)
