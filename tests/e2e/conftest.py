"""The bed for all scenarios: started when first needed, with what is here, ended by itself.

Scenarios wait most of the time, for ticks, polls and back-offs, so `make e2e` runs them in two
processes with a bed each. The first process gathers what the others have seen.

A scenario says what it is and what it needs: `@pytest.mark.scenario("a name", "argocd")`; the
parts are those of `bed/engines.py`. A missing engine skips it and is named at the end; with
`--require argocd,prometheus` it fails instead.
"""

import json
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bed import engines
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.fleet import Fleet, NewFleet
from tests.e2e.bed.processes import cpu_s
from tests.e2e.bed.report import Report, Shown
from tests.e2e.bed.turns import Turns

HERE = Path(__file__).parent
LONGEST_S = 900
LONGEST_FIRST = (
    "test_doctor",
    "test_drift",
    "test_rollout",
    "test_gitea",
    "test_cloud",
    "test_away",
    "test_kill",
    "test_broken",
    "test_disagree",
)
"""Modules in the order in which they are given to beds; the shorter ones come last."""
ASKED_FOR = {"test_scale": "--applications 500", "test_gitea": "--forge"}
"""Modules that take a run of their own, and what asks for them."""
REPORT = pytest.StashKey[Report]()
STARTED = pytest.StashKey[float]()
TURNS = pytest.StashKey[Turns]()
BUILT_ON = {"argocd": ("kubernetes", "argocd")}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require", default="", help="parts of the bed that must be there")
    parser.addoption("--applications", type=int, default=0, help="of the scenario with many")
    parser.addoption("--forge", action="store_true", help="run the scenarios on Gitea, too")
    parser.addoption("--report", default="", help="file for what was shown, as JSON")


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[STARTED] = time.monotonic()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scenario(name, *parts): what is shown, and its engines")
    config.stash[REPORT] = Report()
    assert config.cache is not None, "beds meet in the cache of pytest"
    config.stash[TURNS] = Turns(config.cache.mkdir("turns"))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Teller(config), "teller")


def _parts(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("scenario")
    assert marker is not None, f"{item.nodeid} has no marker `scenario`"
    told = (BUILT_ON.get(part, (part,)) for part in marker.args[1:])
    return tuple(dict.fromkeys(part for parts in told for part in parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what lacks an engine, and remember it for the end."""
    report = config.stash[REPORT]
    required = {one.strip() for one in config.getoption("--require").split(",") if one.strip()}
    unknown = required - engines.PARTS.keys()
    if unknown:
        raise pytest.UsageError(f"--require {', '.join(sorted(unknown))}: no such part")
    for item in items:
        if HERE not in item.path.parents:
            continue
        parts = _parts(item)
        scenario = item.get_closest_marker("scenario").args[0]  # type: ignore[union-attr]
        report.shown[item.nodeid] = Shown(scenario, item.name)
        item.add_marker(pytest.mark.timeout(LONGEST_S))
        absent = engines.missing(parts)
        words = ASKED_FOR.get(item.path.stem, "")
        is_left_out = bool(words) and not config.getoption(words.split()[0])
        if is_left_out:
            absent = (words,)
        if absent and (is_left_out or not required & set(parts)):
            report.shown.pop(item.nodeid)
            report.absent[scenario] = absent
            item.add_marker(pytest.mark.skip(reason=f"no {', '.join(absent)}"))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.path.stem
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[object]:
    """Take part, with all that the test sets up and takes down."""
    with item.config.stash[TURNS].test():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    absent = engines.missing(_parts(item))
    if absent and not item.get_closest_marker("skip"):
        pytest.fail(f"required, but there is no {', '.join(absent)}", pytrace=False)


# ------------------------------------------------------------------ the bed


@pytest.fixture(scope="session")
def bed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Give the bed; nothing of it runs before it is asked for."""
    made = Bed(tmp_path_factory.mktemp("bed"), request.config.stash[TURNS])
    report = request.config.stash[REPORT]
    try:
        yield made
    finally:
        if "place" in made.__dict__:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            report.memory_mib = {**made.place.processes.memory(), "tests and gates": round(own, 1)}
            report.cpu_s = {**made.place.processes.cpu(), **_own_cpu_s()}
            report.beds = 1
        report.spent_s, report.factor = made.spent_s, made.patience.factor
        made.close()
        if not request.session.testsfailed:
            shutil.rmtree(made.folder, ignore_errors=True)


def _own_cpu_s() -> Mapping[str, float]:
    """Give the processor time of tests, of the reconcilers, and of commands, in seconds."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    commands = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return {
        "tests and gates": round(own.ru_utime + own.ru_stime, 1),
        "commands": round(cpu_s(commands), 1) if commands else 0.0,
    }


@pytest.fixture(scope="session")
def argocd_bed(bed: Bed) -> Bed:
    """Give the bed with Argo CD, hub and edge running."""
    assert bed.argocd
    return bed


def _fleets(bed: Bed) -> Iterator[NewFleet]:
    """Make fleets, see `Bed.fleet`; in the end each is taken away, and every way is open."""
    made: list[Fleet] = []

    def make(*words: object, **named: object) -> Fleet:
        made.append(bed.fleet(*words, **named))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for proxy in bed.proxies():
        proxy.pass_()
    for fleet in made:
        bed.drop(fleet)


@pytest.fixture
def new_fleet(argocd_bed: Bed) -> Iterator[NewFleet]:
    """Make fleets for one test."""
    yield from _fleets(argocd_bed)


@pytest.fixture(scope="module")
def lasting_fleet(argocd_bed: Bed) -> Iterator[NewFleet]:
    """Make fleets that all tests of a module go on with."""
    yield from _fleets(argocd_bed)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Put a measured value into the summary."""
    report = request.config.stash[REPORT]

    def put(name: str, value: object) -> None:
        report.notes[name] = value

    return put


# ------------------------------------------------------------------ the summary


def pytest_assertion_pass(item: pytest.Item, lineno: int, orig: str, expl: str) -> None:
    """Count: a scenario that asserts nothing would show nothing."""
    shown = item.config.stash[REPORT].shown.get(item.nodeid)
    if shown is not None:
        shown.assertions += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    told = yield
    shown = item.config.stash[REPORT].shown.get(item.nodeid)
    if shown is not None:
        shown.seconds += told.duration
        if told.failed or (told.when == "call" and not shown.outcome):
            shown.outcome = told.outcome
        told.user_properties.append(("shown", f"{shown.seconds:.1f} s  {shown.scenario}"))
    if told.failed and isinstance(bed := getattr(item, "funcargs", {}).get("bed"), Bed):
        told.sections.append(("bed", f"logs: {bed.folder / 'logs'}"))
    return told


class Teller:
    """Says at once how a scenario went: the whole run takes minutes, and may be cut short."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        shown = dict(report.user_properties).get("shown")
        if shown is None or not (report.when == "call" or report.failed):
            return
        out = self._config.get_terminal_writer()
        out.line(f"\n{report.outcome} {shown}: {report.nodeid.rpartition('::')[2]}")
        if report.failed:
            out.line(report.longreprtext)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        told = getattr(node, "workeroutput", {}).get("report")
        if told is not None:
            self._config.stash[REPORT].take(json.loads(told))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what this process has seen to the one that gathers."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["report"] = json.dumps(asdict(config.stash[REPORT]))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    if not report.shown and not report.absent:
        return
    if any(one.outcome for one in report.shown.values()):
        parts = [part for part in engines.PARTS if not engines.missing([part])]
        report.versions = engines.versions(parts)
    report.seconds = round(time.monotonic() - config.stash[STARTED], 1)
    terminalreporter.section("what was shown")
    for line in report.lines():
        terminalreporter.write_line(line, yellow=line.startswith("not shown"))
    if config.getoption("--report"):
        report.write(Path(config.getoption("--report")))
