"""Real Kustomize and Helm, where this machine has them.

Each call runs one process without a shell, in a private folder that holds only the files it is
given, with an environment of its own: no credentials, no Git, no way to the network. It may be
called from several threads. Nothing is left behind, not even after a failure.
"""

import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from generator.build.output import read_output
from generator.build.values import Object
from generator.changes import one_line
from generator.errors import InputError
from generator.layout import RepoPath

TIMEOUT_S = 60.0
MOST_BYTES = 4 * 1024 * 1024
_LOOK_S = 0.02
_ASKS = {"kustomize": ("version",), "helm": ("version", "--short")}
_OLDEST = {"kustomize": (5, 4), "helm": (3, 14)}
_NOWHERE = "http://127.0.0.1:9"  # the port that discards


@dataclass(frozen=True, slots=True)
class Engine:
    """One binary.

    Attributes:
        name: `kustomize` or `helm`.
        path: Where it lies.
    """

    name: str
    path: str

    def run(self, files: Mapping[RepoPath, bytes], *words: str) -> bytes:
        """Run it on files and give back what it wrote.

        Raises:
            InputError: It refused, took too long or wrote too much.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-") as name:
            root = Path(name).resolve()
            for path, data in files.items():
                place = root / "tree" / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
            (root / "tree").mkdir(exist_ok=True)
            code, out, err = self._start(root, words)
        if code != 0:
            told = err.decode("utf-8", "replace").replace(f"{root}/tree/", "")
            raise InputError(f"{self.name}: {one_line(told.replace(str(root), ''), 400)}")
        return out

    def _start(self, root: Path, words: Sequence[str]) -> tuple[int, bytes, bytes]:
        home = root / "home"
        home.mkdir()
        with (root / "out").open("w+b") as out, (root / "err").open("w+b") as err:
            process = subprocess.Popen(
                [self.path, *words],
                cwd=root / "tree",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=_environment(home),
                start_new_session=True,
            )
            try:
                self._wait(process, root)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            return process.returncode, _read(root / "out"), _read(root / "err")

    def _wait(self, process: "subprocess.Popen[bytes]", root: Path) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None:
            if max((root / name).stat().st_size for name in ("out", "err")) > MOST_BYTES:
                raise InputError(f"{self.name} wrote more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise InputError(f"{self.name} took over {TIMEOUT_S:g} s")
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_S)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)[:MOST_BYTES]


def _environment(home: Path) -> Mapping[str, str]:
    folders = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "XDG_CONFIG_HOME", "HOME")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy")
    fixed = {"PATH": str(home), "TMPDIR": str(home), "LC_ALL": "C", "TZ": "UTC"}
    return {**dict.fromkeys(folders, str(home)), **dict.fromkeys(proxies, _NOWHERE), **fixed}


@dataclass(frozen=True, slots=True)
class Engines:
    """What was found.

    Attributes:
        versions: Version of each that runs.
        missing: Why each other one does not.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    _found: Mapping[str, Engine] = field(default_factory=dict)

    def build(self, files: Mapping[RepoPath, bytes], folder: RepoPath) -> tuple[Object, ...]:
        """Build a folder with real Kustomize.

        Raises:
            InputError: It refused; the message is its own.
            KeyError: There is none.
        """
        return self._objects("kustomize", files, folder, "build", folder)

    def template(self, files: Mapping[RepoPath, bytes], folder: RepoPath) -> tuple[Object, ...]:
        """Render a chart with real Helm, without a cluster.

        Raises:
            InputError: It refused; the message is its own.
            KeyError: There is none.
        """
        return self._objects("helm", files, folder, "template", "site", folder)

    def lint(self, files: Mapping[RepoPath, bytes], folder: RepoPath) -> None:
        """Let Helm look at a chart.

        Raises:
            InputError: It found an error.
            KeyError: There is none.
        """
        self._run("helm", files, folder, "lint", folder)

    def _objects(
        self, name: str, files: Mapping[RepoPath, bytes], folder: RepoPath, *words: str
    ) -> tuple[Object, ...]:
        return read_output(name, self._run(name, files, folder, *words))

    def _run(
        self, name: str, files: Mapping[RepoPath, bytes], folder: RepoPath, *words: str
    ) -> bytes:
        try:
            return self._found[name].run(files, *words)
        except InputError as error:
            raise InputError(error.problems[0].message, file=folder) from error

    def has(self, name: str) -> bool:
        """Say whether an engine runs."""
        return name in self._found

    def told(self) -> tuple[str, ...]:
        """Say in one line each what runs and what does not."""
        ran = (f"{name} {version}" for name, version in self.versions.items())
        return (*ran, *(f"not run: {name} ({why})" for name, why in self.missing.items()))


def find(
    folder: str = "", named: Mapping[str, str] | None = None, *, none: bool = False
) -> Engines:
    """Look for every engine: by its own name, then in a folder, then on PATH.

    Raises:
        InputError: One that was named is not there.
    """
    versions, missing, found = {}, {}, {}
    for name in _ASKS:
        path = None if none else _locate(name, folder, (named or {}).get(name, ""))
        if path is None:
            missing[name] = "not asked for" if none else "not found"
            continue
        engine = Engine(name, path)
        try:
            version = engine.run({}, *_ASKS[name]).decode("utf-8", "replace")
        except (InputError, OSError):
            missing[name] = "found, but it does not run"
            continue
        version = one_line(version, 40).removeprefix("v").partition("+")[0]
        if _numbers(version) < _OLDEST[name]:
            oldest = ".".join(str(part) for part in _OLDEST[name])
            missing[name] = f"found {version}, {oldest} or newer is needed"
            continue
        versions[name], found[name] = version, engine
    return Engines(versions, missing, found)


def _locate(name: str, folder: str, named: str) -> str | None:
    if named:
        path = shutil.which(named)
        if path is None:
            hint = f"TIDEGATE_ENGINE_{name.upper()} names it"
            raise InputError(f"there is no {name} at {named!r}", hint=hint)
        return str(Path(path).resolve())
    path = (shutil.which(name, path=folder) if folder else None) or shutil.which(name)
    return str(Path(path).resolve()) if path else None


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (0,)


def with_engines(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options that say where engines are; it takes `engines`."""

    @functools.wraps(verb)
    def run(*, folder_of: str, kustomize: str, helm: str, no_engines: bool, **told: Any) -> None:  # noqa: ANN401 (click's words)
        named = {"kustomize": kustomize, "helm": helm}
        verb(engines=find(folder_of, named, none=no_engines), **told)

    found: Callable[..., None] = run
    for option in _OPTIONS:
        found = option(found)
    return found


_OPTIONS = (
    *(
        click.option(
            f"--{name}",
            envvar=f"TIDEGATE_ENGINE_{name.upper()}",
            default="",
            metavar="FILE",
            help=f"The {name} to run.",
        )
        for name in sorted(_ASKS)
    ),
    click.option("--no-engines", is_flag=True, help="Do without Kustomize and Helm."),
    click.option(
        "--engines",
        "folder_of",
        envvar="TIDEGATE_ENGINES",
        default="",
        metavar="FOLDER",
        help="Where kustomize and helm lie, if not on PATH.",
    ),
)
