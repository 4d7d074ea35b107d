"""Look at this installation: packages of our names, versions of what is run."""

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

import tidegate
from generator.gitrepo.probing import git_version
from reconciler.checkup import Finding, unknown
from reconciler.checkup.installation import PACKAGES, Installation, names
from reconciler.checkup.versions import version
from tidegate.doctoring.running import Area, Step
from tidegate.engines import Engines

PROGRAMS = {"kustomize": "Kustomize", "helm": "Helm"}


def machine(engines: Engines) -> Area:
    """List the checks of this installation."""
    home = str(Path(tidegate.__file__).resolve().parent.parent)
    python = platform.python_version()

    def packages() -> Iterator[Finding]:
        yield from names(look(home, tuple(sys.path), Path.cwd()))

    def programs() -> Iterator[Finding]:
        for name, system in PROGRAMS.items():
            if engines.has(name):
                yield from version("installation.engines", "", system, engines.versions[name])
            else:
                why = engines.missing.get(name, "not found")
                text = f"{system}: {why}; verify and diff render without it"
                yield unknown("installation.engines", "", text)

    return Area(
        "installation",
        (
            Step("installation.names", home, packages),
            Step(
                "installation.python",
                sys.executable,
                lambda: version("installation.python", sys.executable, "Python", python),
            ),
            Step(
                "installation.git",
                "",
                lambda: version("installation.git", "", "Git", git_version()),
            ),
            Step("installation.engines", "", programs),
        ),
    )


def look(home: str, paths: Sequence[str], here: Path) -> Installation:
    """Look for packages of our names along a search path.

    Args:
        home: The folder that the running packages were loaded from.
        paths: The search path, in order.
        here: The working directory.
    """
    places = [str(Path(path or ".").resolve()) for path in paths]
    folders = {
        name: tuple(dict.fromkeys(one for one in places if _has(Path(one), name)))
        for name in PACKAGES
    }
    loaded = {name: _loaded(name, paths) for name in PACKAGES}
    owners: Mapping[str, Sequence[str]] = packages_distributions()
    mine = here.resolve()
    near = [name for name in PACKAGES if _has(mine, name)] if str(mine) != home else []
    return Installation(home, loaded, folders, owners, near)


def _has(folder: Path, name: str) -> bool:
    return (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()


def _loaded(name: str, paths: Sequence[str]) -> str:
    """Give the folder that a fresh import would take a package from."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        spec = PathFinder.find_spec(name, list(paths))
        file = spec.origin if spec else None
    if not file:
        return ""
    path = Path(file).resolve()
    return str(path.parent.parent if path.name == "__init__.py" else path.parent)
