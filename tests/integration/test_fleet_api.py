"""The demo's metrics API speaks Prometheus, and what is measured over it is what happened."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import httpx
import numpy as np
import pytest

from generator.http import Http
from generator.model.objective import Below, Objective, Ratio, Selector, Slower
from generator.model.site import Site
from reconciler.measure import Assignment, Cut, Measurement, Window, history, measure
from reconciler.prometheus import Prometheus
from reconciler.queries import questions
from tidegate.demo.api import Api
from tidegate.demo.fleet import Behaviour, Fleet
from tidegate.demo.plants import CONFIDENCE, ERROR, LATENCY, NOTHING, Counts

T0 = datetime(2026, 11, 20, tzinfo=UTC)
STEP = timedelta(minutes=5)
OLD, NEW = "v12-9be07d11", "v13-3f9a1c2b"
OBJECTIVES = (
    Objective(
        "errors",
        Ratio(
            Selector.parse('model_predictions_total{outcome="error"}'),
            Selector.parse("model_predictions_total"),
        ),
        Fraction(99),
    ),
    Objective(
        "latency",
        Slower(Fraction(1, 4), Selector.parse("model_prediction_latency_seconds")),
        Fraction(99),
    ),
    Objective(
        "confidence",
        Below(Fraction(3, 5), Selector.parse("model_prediction_confidence")),
        Fraction(95),
    ),
)
OURS = {"environment": "edge-k3s", "model": "defect-detector"}
ASKED = questions("edge-k3s", "defect-detector", (OLD, NEW), OBJECTIVES)


def fleet(sites: int, **more: Any) -> Fleet:
    regions = ("eu-west", "us-east")
    plants = [
        Site(f"plant-{k:04d}", f"edge-{k}", regions[k % 2], "gpu" if k % 3 else "cpu")
        for k in range(sites)
    ]
    made = Fleet(plants, **{**OURS, "seed": 3, "start": T0, **more})
    made.apply(T0, {site.id: OLD for site in plants})
    return made


def bad_columns(counters: Counts) -> tuple[Any, ...]:
    """Bad events of the objectives, in their order, straight from the processes."""
    slow = counters[:, LATENCY.stop - 1] - counters[:, LATENCY.start + 1]
    return counters[:, ERROR], slow, counters[:, CONFIDENCE.start + 4]


def sums(measured: Measurement, arm: str, objective: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for line in measured.ticks:
        if line.objective == objective:
            for site, (events, bad) in getattr(line, arm).items():
                known = found.get(site, (0, 0))
                found[site] = (known[0] + events, known[1] + bad)
    return found


def truth(made: Fleet, release: str, since: datetime, first: datetime) -> list[dict[str, Any]]:
    """What the processes of a release counted after `since`, as far as it can be seen.

    A process that started after `first`, the beginning of what is fetched, counts from 0.
    """
    samples = made.samples(first.timestamp(), np.inf)
    index = made.releases.index(release)
    found: list[dict[str, Any]] = [{}, {}, {}]
    for row, site in enumerate(made.sites):
        seen = [one for one in samples if one.release[row] == index]
        late = [one for one in seen if one.at > since.timestamp()]
        early = [one for one in seen if one.at <= since.timestamp()]
        fresh = bool(late) and late[-1].started[row] >= max(first, since).timestamp()
        if not late or (len(seen) == 1 and not fresh):
            continue
        base = None if fresh else (early[-1] if early else late[0])
        for place, one in enumerate(found):
            ends = [late[-1]] if base is None else [late[-1], base]
            totals = [int(end.counters[row, LATENCY.stop - 1]) for end in ends]
            bads = [int(bad_columns(end.counters)[place][row]) for end in ends]
            one[site.id] = (totals[0] - sum(totals[1:]), bads[0] - sum(bads[1:]))
    return found


@pytest.mark.parametrize("flaky", [0.0, 0.5])
def test_what_is_measured_is_what_happened(flaky: float) -> None:
    bad = Behaviour(errors=2.0, slow=3.0, unsure=1.5)
    made = fleet(80, flaky=flaky, behaviours={NEW: bad})
    made.advance(T0 + timedelta(hours=3))
    flip = made.now
    canary = frozenset(f"plant-{k:04d}" for k in range(20))
    made.apply(flip, dict.fromkeys(canary, NEW))
    made.advance(flip + timedelta(hours=4))
    first = flip - timedelta(hours=1)
    window = Window(flip, made.now, STEP, timedelta(hours=1))
    who = Assignment("r1", OLD, NEW, {s.id: "x" for s in made.sites}, (Cut(flip, canary),))
    with Api(made) as api, Http("Prometheus", api.url, jitter=random.random) as door:
        prometheus = Prometheus(door)
        found = {text: prometheus.range(text, first, made.now, STEP) for text in ASKED.texts}
    measured = measure(ASKED, found, who, window)
    assert (measured.warnings, measured.notes) == ((), ())
    for place, objective in enumerate(OBJECTIVES):
        new = truth(made, NEW, flip, first)[place]
        assert sums(measured, "canary", objective.name) == new
        old = {s: v for s, v in truth(made, OLD, flip, first)[place].items() if s not in canary}
        assert sums(measured, "stable", objective.name) == old
    if not flaky:
        counted = sum(events for events, _ in sums(measured, "canary", "errors").values())
        assert counted == made.ledger()[NEW].predictions > 10_000
        assert measured.ticks[-1].fresh == (20, 60)
        assert {measured.sights[site].serving for site in canary} == {NEW}


def test_history_is_what_the_stable_release_did() -> None:
    made = fleet(40, flaky=0.5)
    made.advance(T0 + timedelta(hours=24))
    first = T0 + STEP
    with Api(made) as api, Http("Prometheus", api.url, jitter=random.random) as door:
        prometheus = Prometheus(door)
        found = {text: prometheus.range(text, first, made.now, STEP) for text in ASKED.texts}
    who = Assignment("r1", OLD, NEW, {site.id: "x" for site in made.sites})
    past = history(ASKED, found, who, Window(first, made.now, STEP))
    assert [dict(line.sites) for line in past.lines] == truth(made, OLD, first, first)
    shown = np.array(
        [one.release != NOTHING for one in made.samples(first.timestamp() + 1, np.inf)]
    )
    assert list(past.reporting.values()) == shown.mean(axis=0).tolist()


# ------------------------------------------------------------------ the API itself


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    made = fleet(6, flaky=0.0, pins={OLD: {"model_digest": "sha256:ab"}})
    made.advance(T0 + 4 * STEP)
    with Api(made) as running:
        yield running.url


def ask(api: str, path: str, method: str = "POST", **form: str) -> tuple[int, Any]:
    with httpx.Client(trust_env=False) as client:
        key = "data" if method == "POST" else "params"
        reply = client.request(method, f"{api}/api/v1/{path}", **{key: form})  # type: ignore[arg-type]
    return reply.status_code, reply.json()


def result(api: str, query: str, **form: str) -> list[dict[str, Any]]:
    status, document = ask(api, "query", query=query, **form)
    assert (status, document["status"]) == (200, "success")
    found: list[dict[str, Any]] = document["data"]["result"]
    return found


def stamp(tick: float) -> str:
    return str(int((T0 + tick * STEP).timestamp()))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_instant_query_gives_a_vector(api: str, method: str) -> None:
    status, document = ask(api, "query", method, query='model_release_info{site="plant-0001"}')
    assert status == 200
    assert document["data"] == {
        "resultType": "vector",
        "result": [
            {
                "metric": {
                    "__name__": "model_release_info",
                    "model_digest": "sha256:ab",
                    **OURS,
                    "release": OLD,
                    "hardware": "gpu",
                    "region": "us-east",
                    "site": "plant-0001",
                },
                "value": [int(stamp(4)), "1"],
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "series"),
    [
        ("model_predictions_total", 12),
        ('model_predictions_total{outcome="error",region=~"eu.*"}', 3),
        ('model_predictions_total{outcome!="error",hardware!~"gpu"}', 2),
        ('model_prediction_latency_seconds_bucket{le="1"}', 6),
        ('model_prediction_latency_seconds_bucket{le="1.0"}', 0),
        ('model_prediction_confidence_bucket{le=~"0[.]60*",site="plant-0000"}', 1),
        ('{__name__=~"model_prediction_.*_count",site="plant-0000"}', 2),
        ("model_prediction_latency_seconds_sum", 6),
        ("model_process_start_time_seconds", 6),
        ("model_last_prediction_timestamp_seconds", 6),
        (f'model_release_info{{release="{OLD}"}}', 6),
        (f'model_release_info{{release!="{OLD}"}}', 0),
        ('model_release_info{model="another"}', 0),
        ('model_release_info{environment=~"edge-k3s|"}', 6),
        ('model_release_info{environment=~"another|"}', 0),
        ("nothing", 0),
    ],
)
def test_matchers_choose_series(api: str, query: str, series: int) -> None:
    assert len(result(api, query)) == series


def test_a_range_selector_gives_raw_samples(api: str) -> None:
    (one,) = result(api, 'model_process_start_time_seconds{site="plant-0001"}[10m]')
    assert [at for at, _ in one["values"]] == [int(stamp(3)), int(stamp(4))]


def test_a_value_is_there_for_less_than_five_minutes(api: str) -> None:
    ends = {tick: len(result(api, "model_release_info", time=stamp(tick))) for tick in (4.9, 5, 0)}
    assert ends == {4.9: 6, 5: 0, 0: 0}


def test_times_may_be_written_as_dates(api: str) -> None:
    (one,) = result(api, 'model_release_info{site="plant-0001"}', time="2026-11-20T00:20:00Z")
    assert one["value"][0] == int(stamp(4))


def test_a_range_holds_a_point_for_every_step(api: str) -> None:
    form = {"query": 'model_release_info{site="plant-0001"}', "step": "150", "end": stamp(5)}
    status, document = ask(api, "query_range", start=stamp(3), **form)
    (one,) = document["data"]["result"]
    assert (status, document["data"]["resultType"]) == (200, "matrix")
    assert [at for at, _ in one["values"]] == [int(stamp(3)) + 150 * k for k in range(4)]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("query", {}),
        ("query", {"query": "rate(x[5m])"}),
        ("query", {"query": "x", "time": "yesterday"}),
        ("query", {"query": "x", "time": "2026-11-20T00:20:00"}),
        ("query_range", {"query": "x"}),
        ("query_range", {"query": "x", "start": "9", "end": "1", "step": "1"}),
        ("query_range", {"query": "x", "start": "1", "end": "9", "step": "0"}),
        ("query_range", {"query": "x", "start": "1", "end": "9", "step": "nan"}),
        ("query_range", {"query": "x", "start": "0", "end": "12000", "step": "1"}),
        ("query_range", {"query": "x[5m]", "start": "1", "end": "9", "step": "1"}),
    ],
)
def test_what_cannot_be_understood_is_bad_data(api: str, path: str, form: dict[str, str]) -> None:
    status, document = ask(api, path, **form)
    assert (status, document["status"], document["errorType"]) == (400, "error", "bad_data")
    assert document["error"]


def test_everything_else(api: str) -> None:
    with httpx.Client(trust_env=False, base_url=api) as client:
        assert client.get("/-/ready").text == "The fleet is ready.\n"
        assert client.get("/api/v1/status/buildinfo").json()["data"]["version"]
        assert client.get("/api/v1/unknown").status_code == 404
        assert client.post("/api/v1/query", content=b"x" * (2**20 + 1)).status_code == 413
        assert client.put("/api/v1/query").status_code == 501


def test_an_api_is_open_only_inside_its_block() -> None:
    with Api(fleet(1)) as running:
        url = running.url
        assert httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/-/ready", trust_env=False)


def test_a_whole_reply_is_json_whatever_the_names_are() -> None:
    made = Fleet([Site("a", "x")], model='m"\\', seed=1, start=T0, pins={"r": {"p": "\u00e9\n"}})
    made.apply(T0, {"a": "r"})
    made.advance(T0 + 4 * STEP)
    with Api(made) as running:
        text = httpx.get(
            f"{running.url}/api/v1/query", params={"query": '{model!=""}'}, trust_env=False
        ).text
    assert len(json.loads(text)["data"]["result"]) == 2 + 6 + 10 + 2 * 2 + 3
