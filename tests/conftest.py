"""Keep tests apart from the machine: rooms stay pure, Git sees no settings, engines are found."""

import os
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings

from tests.engines import find

# A run started in the background ignores interrupts, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Speed is what `make bench` measures; a busy machine must not fail a property.
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "tests" / "unit"
ENGINES = (
    *("actionlint", "helm", "kubeconform", "kustomize"),
    *("prometheus", "prometheus3", "promtool", "promtool3", "zizmor"),
)
UNIT_CPU_S = 6.0

# ------------------------------------------------------------------ rooms stay pure


def _doors() -> frozenset[str]:
    """Read which modules may touch the outside; the import contract is where that is decided."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (rooms,) = (each for each in contracts if each["name"].startswith("rooms do no I/O"))
    return frozenset(line.split(" -> ")[0].removesuffix(".**") for line in rooms["ignore_imports"])


DOORS = _doors()
HOUSE = tuple(f"{ROOT / package}{os.sep}" for package in ("generator", "reconciler"))
TOUCHES = ("open", "os.", "shutil.", "socket.", "subprocess.", "tempfile.", "urllib.")
_watch = {"on": False}


def _is_room(filename: str) -> bool:
    parts = Path(filename).relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:2]) not in DOORS


def _keep_pure(event: str, args: tuple[Any, ...]) -> None:
    """Fail where the innermost frame of our packages is a room; importing a module is no I/O."""
    if not _watch["on"] or not event.startswith(TOUCHES):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return
        if name.startswith(HOUSE):
            if _is_room(name):
                raise AssertionError(f"a room touched the outside: {event} {args!r} in {name}")
            return
        frame = frame.f_back


sys.addaudithook(_keep_pure)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch a unit test, and keep it quick: processor time, so that load cannot fail it."""
    if UNIT not in item.path.parents:
        return (yield)
    marker = item.get_closest_marker("cpu")
    limit_s = marker.args[0] if marker else UNIT_CPU_S
    started = time.process_time()
    _watch["on"] = True
    try:
        result = yield
    finally:
        _watch["on"] = False
    spent_s = time.process_time() - started
    assert sys.gettrace() or spent_s < limit_s, f"took {spent_s:.1f} s, may take {limit_s} s"
    return result


# ------------------------------------------------------------------ nothing of this machine


@pytest.fixture(scope="session", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the settings of the person and the machine; the same commit has the same id anywhere."""
    who = {"NAME": "Test", "EMAIL": "test@example.invalid", "DATE": "2026-01-01T00:00:00Z"}
    settings = {f"GIT_{role}_{key}": who[key] for role in ("AUTHOR", "COMMITTER") for key in who}
    settings |= {
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(tmp_path_factory.mktemp("home")),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TZ": "UTC",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("GIT_", "MLFLOW_", "TIDEGATE_", "XDG_")) and not _is_engine(name):
                patch.delenv(name)
        for name, value in settings.items():
            patch.setenv(name, value)
        yield


# ------------------------------------------------------------------ engines


def _is_engine(variable: str) -> bool:
    return variable.startswith("TIDEGATE_ENGINE")


@pytest.fixture(scope="session")
def engine() -> Callable[[str], str]:
    """Give the path of a real engine by its name, or skip the test and say so."""

    def give(name: str) -> str:
        assert name in ENGINES, f"add {name} to ENGINES, so that the summary names it if absent"
        return find(name) or pytest.skip(f"not run: {name} (not found)")

    return give


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every engine that was not there: a skipped engine is never silent."""
    for name in ENGINES:
        if find(name) is None:
            terminalreporter.write_line(f"not run: {name} (not found)", yellow=True)
