"""Against real Prometheus servers: late, lost, restarted or mixed up, the judge reads the same."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from generator import layout
from generator.changes import Committed
from generator.intents.setup import initial, pieces
from generator.model.answers import Answers
from generator.model.environment import Environment, Kind
from generator.model.objective import Objective, Ratio, Selector, Slower
from generator.model.rollout import Phase, Rollout
from generator.render.monitoring import agent, central
from generator.repository import Repository
from generator.yamltext import dump
from reconciler.measure import Assignment, Cut, Series, Window, measure
from reconciler.queries import questions
from tests.builders import (
    ADA,
    EDGE,
    IMAGE,
    MODEL,
    REMOTE,
    Intent,
    Memory,
    Origin,
    baseline,
    fleet,
    plant,
    promote,
    replaced,
)
from tests.metrics import Bad, Plants
from tests.prometheus import ENGINES, Central, back_fill
from tests.servers import Relay, free_port, running
from tests.shell import tidegate
from tidegate.scaffolding import scaffold

pytestmark = pytest.mark.timeout(300)  # real servers, on a busy machine

STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
T0 = datetime(2026, 1, 10, 8, tzinfo=UTC)  # a server refuses what lies in its own future
STEP, HOUR = timedelta(minutes=5), timedelta(hours=1)
FLIP = T0 + HOUR
SITES = tuple(f"plant-{number:04d}" for number in range(40))
OURS = SITES[:10]
OBJECTIVES = Memory(fleet()).view.repository.model(MODEL).objectives
ASKED = questions(EDGE, MODEL, (STABLE, CANARY), OBJECTIVES)
WHO = Assignment("r1", STABLE, CANARY, dict.fromkeys(SITES, "eu"), (Cut(FLIP, frozenset(OURS)),))
EVERY = f'{{model="{MODEL}"}}'
BUDGET = timedelta(hours=24)


@dataclass(frozen=True)
class Version:
    """One version of Prometheus on this machine; both read the blocks that `promtool` writes."""

    server: str
    promtool: str

    @property
    def is_third(self) -> bool:
        return self.server.endswith("3")


@pytest.fixture(scope="module", params=ENGINES)
def version(request: pytest.FixtureRequest, engine: Callable[[str], str]) -> Version:
    return Version(engine(request.param), engine("promtool"))


@pytest.fixture
def watching(tmp_path: Path) -> Path:
    """Make the folder of a central server with the generated settings, rules left out."""
    return _settings(tmp_path / "central", lambda config: config.pop("rule_files"))


def _settings(folder: Path, edit: Callable[[Any], Any]) -> Path:
    folder.mkdir()
    edge = Environment(EDGE, Kind.EDGE, offline_budget=BUDGET, prometheus="http://p")
    (text,) = (data for path, data in central([edge]).items() if path.endswith(".yaml"))
    config = yaml.safe_load(text)
    edit(config)
    (folder / "prometheus.yaml").write_bytes(dump(config))
    return folder


def flags() -> tuple[str, ...]:
    """The generated flags, with another place for the data."""
    edge = Environment(EDGE, Kind.EDGE, offline_budget=BUDGET, prometheus="http://p")
    (text,) = (data for path, data in central([edge]).items() if path.endswith(".args"))
    lines = (line for line in text.decode().splitlines() if line.startswith("--"))
    return tuple(line for line in lines if "storage.tsdb.path" not in line)


def plants(until: datetime) -> tuple[Series, ...]:
    """Forty sites of which ten flip; every counter from an hour before."""
    made = Plants()
    for site in SITES:
        made.serve(site, STABLE, T0 - 30 * HOUR)
    for site in OURS:
        made.serve(site, CANARY, FLIP + timedelta(minutes=3))
    return made.query(EVERY, T0, until, STEP).series


def part(series: tuple[Series, ...], sites: tuple[str, ...], first: datetime, last: datetime):
    """Cut series to sites and times."""
    low, high = first.timestamp(), last.timestamp()
    cut = (
        replace(one, points=tuple(point for point in one.points if low < point[0] <= high))
        for one in series
        if one.labels["site"] in sites
    )
    return [one for one in cut if one.points]


# ------------------------------------------------------------------ late, refused, restarted


def test_what_arrives_late_counts_as_if_it_had_been_on_time_and_outlives_a_crash(
    version: Version, watching: Path
) -> None:
    end = T0 + 4 * HOUR
    series, window = plants(end), Window(FLIP, end, STEP, HOUR)
    away, there = SITES[5:15], SITES[:5] + SITES[15:]  # five canary sites and five others
    lost = FLIP + 30 * timedelta(minutes=1)
    begin = T0 - STEP
    whole = measure(ASKED, _straight(series), WHO, window)
    with Central(version.server, watching, flags()) as server:
        assert server.write(part(series, there, begin, end)).is_success
        assert server.write(part(series, away, begin, lost)).is_success
        partly = server.measured(ASKED, WHO, window)
        assert (partly.ticks[-1].fresh, whole.ticks[-1].fresh) == ((5, 25), (10, 30))
        assert partly != whole

        assert server.write(part(series, away, lost, end)).is_success  # 2.5 h late, in order
        assert server.measured(ASKED, WHO, window) == whole
        server.crash()
        assert server.measured(ASKED, WHO, window) == whole


def _straight(series: tuple[Series, ...]) -> Mapping[str, Any]:
    """Answer the questions without a server in between."""
    from reconciler.measure import Answer
    from tidegate.demo.selector import parse

    return {
        text: Answer(tuple(one for one in series if parse(text).accepts(one.labels)))
        for text in ASKED.texts
    }


def test_samples_within_the_offline_budget_are_taken_and_older_ones_refused(
    version: Version, watching: Path
) -> None:
    def at(hours: float) -> Series:
        labels = {"__name__": "model_predictions_total", "site": "a", "model": MODEL}
        when = int((T0 - hours * HOUR).timestamp())
        return Series({**labels, "environment": EDGE, "release": STABLE}, ((when, 100.0 - hours),))

    with Central(version.server, watching, flags()) as server:
        answered = [server.write([at(hours)]) for hours in (0, 3, 26, 26.9, 28, 72)]
        seen = {
            hours: server.raw("model_predictions_total", (T0 - hours * HOUR).timestamp())
            for hours in (0, 3, 26, 26.9, 28, 72)
        }
    assert [reply.is_success for reply in answered] == [True, True, True, True, False, False]
    # 2.42 answers 500 to a sample that is too old, so its agents need `sample_age_limit`.
    assert {reply.status_code for reply in answered[4:]} == {400 if version.is_third else 500}
    assert {re.sub(r"[^a-z ]", "", reply.text).strip() for reply in answered[4:]} <= {
        "out of bounds",
        "too old sample",
    }
    assert {hours: len(found) for hours, found in seen.items()} == {
        0: 1,
        3: 1,
        26: 1,
        26.9: 1,
        28: 0,
        72: 0,
    }


def test_without_the_generated_window_late_samples_would_be_lost(
    version: Version, tmp_path: Path
) -> None:
    folder = _settings(
        tmp_path / "central", lambda config: (config.pop("rule_files"), config.pop("storage"))
    )
    series = plants(T0 + 4 * HOUR)
    with Central(version.server, folder, flags()) as server:
        assert server.write(part(series, SITES[:1], T0 + 3 * HOUR, T0 + 4 * HOUR)).is_success
        late = server.write(part(series, SITES[1:2], T0, T0 + HOUR))
    assert not late.is_success


# ------------------------------------------------------------------ an agent on a site


@dataclass
class Exporter:
    """Model servers on one port; each counts how often it was looked at.

    Every scrape of a site is one bad and three good predictions, one of them slow.
    """

    seen: dict[str, "count[int]"]
    port: int = 0
    last: "dict[str, int] | None" = None

    def __enter__(self) -> "Exporter":
        outer, self.last = self, {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site = self.path.strip("/")
                number = next(outer.seen[site])
                body = _exposition(number).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                assert outer.last is not None
                outer.last[site] = number

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _exposition(number: int) -> str:
    """What a careless server says: its own `site`, and edges without a point."""
    who = 'site="liar",release="v1-00000000"'
    return f"""\
# TYPE model_predictions_total counter
model_predictions_total{{outcome="ok",{who}}} {3 * number}
model_predictions_total{{outcome="error",{who}}} {number}
# TYPE seconds histogram
seconds_bucket{{le="1",{who}}} {3 * number}
seconds_bucket{{le="+Inf",{who}}} {4 * number}
seconds_sum{{{who}}} {number}
seconds_count{{{who}}} {4 * number}
# TYPE model_release_info gauge
model_release_info{{{who}}} 1
"""


PODS = {"plant-0001": CANARY, "plant-0002": STABLE}
SCRAPED = (
    Objective(
        "errors",
        Ratio(
            Selector.parse('model_predictions_total{outcome="error"}'),
            Selector.parse("model_predictions_total"),
        ),
        OBJECTIVES[0].target,
    ),
    Objective("latency", Slower(1, Selector.parse("seconds")), OBJECTIVES[0].target),
)


def agent_settings(version: Version, exporter: Exporter, to: str, folder: Path) -> list[str]:
    """The generated settings of an agent, whose pods are told instead of asked of Kubernetes."""
    edge = Environment(EDGE, Kind.EDGE, offline_budget=BUDGET, prometheus=to)
    files = {Path(path).name: data for path, data in agent(edge).items()}
    config = yaml.safe_load(files["agent.yaml"])
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    (models,) = config["scrape_configs"]
    del models["kubernetes_sd_configs"]
    pod = "__meta_kubernetes_pod_"
    models["static_configs"] = [
        {
            "targets": [f"127.0.0.1:{exporter.port}"],
            "labels": {
                "__metrics_path__": f"/{site}",
                f"{pod}label_app_kubernetes_io_component": component,
                f"{pod}label_app_kubernetes_io_name": MODEL,
                f"{pod}label_tidegate_dev_release": release,
                f"{pod}label_tidegate_dev_site": site,
                f"{pod}name": f"{site}-pod",
                f"{pod}container_port_name": "metrics",
            },
        }
        for site, release, component in (
            *((site, release, "model-server") for site, release in PODS.items()),
            ("plant-0003", STABLE, "database"),
        )
    ]
    queue = config["remote_write"][0]["queue_config"]
    queue["max_backoff"] = "1s"  # a second for what is half a minute on a site
    if not version.is_third:
        del queue["sample_age_limit"]  # from 2.50 on
    (folder / "agent.yaml").write_bytes(dump(config))
    words = [line for line in files["agent.args"].decode().splitlines() if line.startswith("--")]
    ours = ("--config.file", "--storage.agent.path", "--web.listen-address")
    kept = [word for word in words if not word.startswith(ours)]
    if version.is_third:
        kept = ["--agent" if word == "--enable-feature=agent" else word for word in kept]
    return [*kept, "--config.file=agent.yaml", "--storage.agent.path=wal"]


def eventually(look: Callable[[], Any], within_s: float = 80) -> Any:
    """Look again and again until there is something to see."""
    until = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.1)
    return found


def test_what_an_agent_saw_while_it_was_cut_off_arrives_and_is_measured(
    version: Version, watching: Path, tmp_path: Path
) -> None:
    """Scrape, remote-write, cut, restore: nothing is lost, and every label is the pod's."""
    folder = tmp_path / "agent"
    folder.mkdir()
    port = free_port()
    seen = {site: count(1) for site in (*PODS, "plant-0003")}
    with (
        Exporter(seen) as exporter,
        Central(version.server, watching, flags()) as server,
        Relay(server.url) as relay,
    ):
        words = agent_settings(version, exporter, relay.url, folder)
        address = f"--web.listen-address=127.0.0.1:{port}"
        ready = f"http://127.0.0.1:{port}/-/ready"
        with running([version.server, *words, address], folder, ready, 60):
            eventually(lambda: len(_values(server)) == len(PODS))
            before = int(time.time())
            relay.cut()
            last = exporter.last
            assert last is not None
            cut_at = dict(last)
            eventually(lambda: all(last[site] >= cut_at[site] + 5 for site in PODS))
            stuck = {site: max(values) for site, values in _values(server).items()}
            assert all(stuck[site] < last[site] for site in PODS)
            relay.mend()
            back = dict(last)
            eventually(lambda: all(max(v) >= back[s] + 2 for s, v in _values(server).items()))
            found = _values(server)
            end = int(time.time()) - 1
    assert before < end
    assert "plant-0003" not in last
    for site in PODS:
        first, newest = min(found[site]), max(found[site])
        assert sorted(found[site]) == list(range(first, newest + 1))  # every single scrape


def _values(server: Central) -> dict[str, list[int]]:
    """Give what the central server holds of every site's scrapes, however late they came."""
    found = server.raw('model_predictions_total{outcome="error"}[10m]', time.time())
    for one in found:
        assert one["metric"] == {
            "__name__": "model_predictions_total",
            "environment": EDGE,
            "instance": f"{one['metric']['site']}-pod",
            "job": "models",
            "model": MODEL,
            "outcome": "error",
            "release": PODS[one["metric"]["site"]],
            "site": one["metric"]["site"],
        }
    return {one["metric"]["site"]: [int(value) for _, value in one["values"]] for one in found}


# ------------------------------------------------------------------ two versions, two environments


def test_every_version_gives_the_same_increments_however_it_writes_an_edge(
    version: Version, watching: Path
) -> None:
    """Debian's 2.42 keeps `le="1"` as it was scraped, 3.x writes `le="1.0"`."""
    end, asked = T0 + 2 * HOUR, questions(EDGE, MODEL, (STABLE, CANARY), SCRAPED)
    with Exporter({site: count(1) for site in PODS}) as exporter:
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {
                    "job_name": "sites",
                    "honor_labels": False,
                    "metric_relabel_configs": [{"action": "labeldrop", "regex": "exported_.*"}],
                    "static_configs": [
                        {
                            "targets": [f"127.0.0.1:{exporter.port}"],
                            "labels": {
                                "__metrics_path__": f"/{site}",
                                "environment": EDGE,
                                "model": MODEL,
                                "site": site,
                                "release": release,
                            },
                        }
                        for site, release in PODS.items()
                    ],
                }
            ],
        }
        (watching / "prometheus.yaml").write_bytes(dump(config))
        with Central(version.server, watching) as server:
            eventually(lambda: len(_scraped(server)) == len(PODS) and min(_scraped(server)) >= 4)
            now = datetime.fromtimestamp(int(time.time()), UTC)
            second = timedelta(seconds=1)
            window = Window(now - 60 * second, now, second)
            cuts = (Cut(now - HOUR, frozenset({"plant-0001"})),)
            who = Assignment("r1", STABLE, CANARY, dict.fromkeys(PODS, "eu"), cuts)
            found = server.answers(asked, window)
            edges = {one["metric"]["le"] for one in server.raw("seconds_bucket", now.timestamp())}
    assert edges == ({"1.0", "+Inf"} if version.is_third else {"1", "+Inf"})
    assert end < now
    measured = measure(asked, found, who, window)
    assert (measured.warnings, measured.notes) == ((), ())
    for objective, arm, site in (
        (objective, arm, site)
        for objective in ("errors", "latency")
        for arm, site in (("canary", "plant-0001"), ("stable", "plant-0002"))
    ):
        grown = [
            getattr(line, arm)[site]
            for line in measured.ticks
            if line.objective == objective and site in getattr(line, arm)
        ]
        events, bad = (sum(column) for column in zip(*grown, strict=True))
        assert events >= 8
        assert (bad, events % 4) == (events // 4, 0)


def _scraped(server: Central) -> list[int]:
    found = server.raw("count_over_time(model_release_info[5m])", time.time())
    return [int(one["value"][1]) for one in found]


def test_two_environments_with_the_same_names_are_told_apart(
    version: Version, watching: Path
) -> None:
    """Same site ids, model and releases in one server: each is judged by its own series."""
    end = T0 + 3 * HOUR
    series = part(plants(end), SITES, T0 - STEP, end)
    other = [
        replace(
            one,
            labels={**one.labels, "environment": "edge-other"},
            points=tuple((at, 3 * value) for at, value in one.points),
        )
        for one in series
    ]
    nameless = [
        replace(one, labels={k: v for k, v in one.labels.items() if k != "environment"})
        for one in series
    ]
    window = Window(FLIP, end, STEP, HOUR)
    alone = measure(ASKED, _straight(tuple(series)), WHO, window)
    back_fill(version.promtool, watching, (*series, *other))
    with Central(version.server, watching, flags()) as server:
        assert server.measured(ASKED, WHO, window) == alone
        theirs = questions("edge-other", MODEL, (STABLE, CANARY), OBJECTIVES)
        assert server.measured(theirs, WHO, window) not in (alone, None)
    (alone_folder := watching.parent / "nameless").mkdir()
    (alone_folder / "prometheus.yaml").write_bytes((watching / "prometheus.yaml").read_bytes())
    back_fill(version.promtool, alone_folder, nameless)
    with Central(version.server, alone_folder, flags()) as server:
        assert server.measured(ASKED, WHO, window) == alone


# ------------------------------------------------------------------ the whole reconciler

GOOD, BAD = "edge-good", "edge-bad"
PROMOTED = T0 + timedelta(hours=25)


def test_the_reconciler_advances_a_good_canary_and_reverts_a_bad_one(
    version: Version, watching: Path, tmp_path: Path
) -> None:
    """A day of history and a rollout of 40 sites in two environments with the same names."""
    port = free_port()
    origin = _fleet_of_two(tmp_path, f"http://127.0.0.1:{port}")
    rollouts = {env: origin.view.rollout(env) for env in (GOOD, BAD)}
    end = PROMOTED + 4 * HOUR
    series = [
        one
        for env, bad in ((GOOD, Bad()), (BAD, Bad(errors=0.3)))
        for one in _exported(origin, env, rollouts[env], bad, end)
    ]
    assert len({one.labels["site"] for one in series}) == 40
    back_fill(version.promtool, watching, series)
    landed: dict[str, dict[str, Any]] = {}
    with Central(version.server, watching, flags(), port):
        for minutes in (5, 30, 60, 125, 130, 180):
            for one in _reconcile(origin, tmp_path, PROMOTED + timedelta(minutes=minutes)):
                assert one["trouble"] is None
                if one["decision"] in ("Advance", "Revert") and one["commit"]:
                    landed.setdefault(one["environment"], one | {"after": minutes})
    assert {env: one["decision"] for env, one in landed.items()} == {GOOD: "Advance", BAD: "Revert"}
    origin.refresh()
    good, bad = origin.view.rollout(GOOD), origin.view.rollout(BAD)
    assert (str(good.percent), good.canary) == ("50", rollouts[GOOD].canary)
    assert (str(bad.percent), bad.canary, bad.phase) == ("0", "", Phase.REVERTED)
    assert landed[GOOD]["after"] >= 120 > landed[BAD]["after"]
    subjects = origin.git.run("log", "--format=%s", "main").decode()
    assert f"{MODEL} {GOOD}: 25% -> 50% (10 -> 20 of 40 sites)" in subjects


def _fleet_of_two(folder: Path, prometheus: str) -> Origin:
    """Forty sites in each of two environments, with 25 % on a canary since `PROMOTED`."""
    answers = Answers({GOOD: Kind.EDGE, BAD: Kind.EDGE}, (MODEL,), image=IMAGE, remote=REMOTE)
    files, blueprints = scaffold(pieces(answers))
    sites = [plant(number) for number in range(1, 41)]
    given = initial(answers, files, blueprints, {GOOD: sites, BAD: sites}).files
    made = {path: data for path, data in given.items() if data is not None}
    for env in (GOOD, BAD):
        named = f'prometheus: "{prometheus}"'
        made = replaced(made, layout.environment(env), 'prometheus: ""', named)
        made = replaced(made, layout.rollout(env, MODEL), "[5, 10, 25, 50, 100]", "[25, 50, 100]")
    origin = Origin.start(folder, made)
    for env in (GOOD, BAD):
        _land(origin, baseline(12, env), T0 - 100 * HOUR)
    for number, env in ((13, GOOD), (14, BAD)):  # what one rejects, the other may not run either
        _land(origin, promote(number, env), PROMOTED)
    return origin


def _land(origin: Origin, intent: Intent, at: datetime) -> None:
    change = intent(Repository(origin.clone.fetch()))
    assert change is not None
    assert isinstance(origin.clone.land(change, ADA, at), Committed)
    origin.refresh()


def _exported(origin: Origin, env: str, rollout: Rollout, bad: Bad, end: datetime) -> list[Series]:
    """What the model servers of one environment say, scraped every five minutes."""
    made = Plants(bad={"v13": bad, "v14": bad})
    cohort = origin.view.repository.cohort(env, MODEL)
    assert cohort is not None
    sites = [member.id for member in cohort.members]
    for site in sites:
        made.serve(site, rollout.stable, T0 - 30 * HOUR)
    for site in sites[: rollout.percent.count_of(len(sites))]:
        made.serve(site, rollout.canary, PROMOTED + timedelta(minutes=3))
    found = made.query(EVERY, T0, end, STEP).series
    return [replace(one, labels={**one.labels, "environment": env}) for one in found]


def _reconcile(origin: Origin, folder: Path, now: datetime) -> Any:
    """Run `tidegate reconcile --once` with nothing but Git and Prometheus."""
    code, out, err = tidegate(
        *("reconcile", "--once", "--json", "--repo", f"file://{origin.folder}/origin.git"),
        *("--now", now.isoformat().replace("+00:00", "Z"), "--state-dir", folder / "state"),
    )
    assert (code, err) == (0, ""), out
    return json.loads(out)
