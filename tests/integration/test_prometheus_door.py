"""The door to Prometheus: real HTTP against a server that misbehaves, and the real engine."""

import gzip
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from generator.errors import InputError, RemoteError
from generator.http import Http, Limits, Reply, redact
from generator.model.objective import Objective, Ratio, Selector, Slower
from reconciler.measure import (
    Answer,
    Assignment,
    Cut,
    MetricsUnavailable,
    Series,
    Sight,
    Window,
    measure,
)
from reconciler.prometheus import Prometheus
from reconciler.queries import questions
from reconciler.recording import TickLine

STEP = timedelta(minutes=5)
T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TOKEN = "s3cr3t-t0ken"
Say = Callable[["Fake", BaseHTTPRequestHandler, Mapping[str, str]], None]


class Fake:
    """Answers every request by the next line of a script; the last line repeats."""

    def __init__(self) -> None:
        self.script: list[Say] = []
        self.asked: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.done = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                form = {key: values[0] for key, values in parse_qs(body).items()}
                fake.asked.append(form)
                fake.headers.append(dict(self.headers))
                say = fake.script.pop(0) if len(fake.script) > 1 else fake.script[0]
                say(fake, self, form)

            do_GET = do_POST  # noqa: N815 (the name that http.server looks for)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.done.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def say(status: int, body: bytes | str, **headers: str) -> Say:
    payload = body.encode() if isinstance(body, str) else body

    def send(_: Fake, handler: BaseHTTPRequestHandler, __: Mapping[str, str]) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    return send


def matrix(*result: dict[str, Any], **more: Any) -> Say:
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return say(200, json.dumps(document))


def hang(fake: Fake, handler: BaseHTTPRequestHandler, _: Mapping[str, str]) -> None:
    handler.close_connection = True
    fake.done.wait(5)


def hang_up(_: Fake, handler: BaseHTTPRequestHandler, __: Mapping[str, str]) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def trickle(fake: Fake, handler: BaseHTTPRequestHandler, _: Mapping[str, str]) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not fake.done.wait(0.05):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def serve(at_most: int | None = None) -> Say:
    """Answer as Prometheus does: one series that counts 20 a tick."""

    def send(fake: Fake, handler: BaseHTTPRequestHandler, form: Mapping[str, str]) -> None:
        start, end, step = (int(form[key]) for key in ("start", "end", "step"))
        ticks = range(start, end + 1, step)
        assert at_most is None or len(ticks) <= at_most
        values = [[t, str((t - int(T0.timestamp())) // step * 20)] for t in ticks]
        matrix({"metric": {"site": "a"}, "values": values})(fake, handler, form)

    return send


def http(url: str, waits: list[float] | None = None, **more: Any) -> Http:
    def pause(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    more.setdefault("limits", Limits(connect_s=2, total_s=5))
    return Http("Prometheus", url, jitter=lambda: 1.0, pause=pause, **more)


def fetch(url: str, ticks: int = 2, body_bytes: int = 2**20, **more: Any) -> Answer:
    with http(url, **more) as door:
        prometheus = Prometheus(door, body_bytes=body_bytes)
        return prometheus.range("up", T0, T0 + (ticks - 1) * STEP, STEP)


def stamp(tick: int) -> int:
    return int((T0 + tick * STEP).timestamp())


def test_a_range_is_one_post_of_aligned_ticks(fake: Fake) -> None:
    fake.script = [serve()]
    answer = fetch(fake.url)
    assert answer == Answer((Series({"site": "a"}, ((stamp(0), 0.0), (stamp(1), 20.0))),))
    assert fake.asked == [
        {
            "query": "up",
            "start": str(stamp(0)),
            "end": str(stamp(1)),
            "step": "300",
            "timeout": "25s",
        }
    ]


def test_the_token_and_the_tenant_are_sent(fake: Fake) -> None:
    fake.script = [serve()]
    fetch(fake.url, token=TOKEN, headers={"X-Scope-OrgID": "plants"})
    assert fake.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert fake.headers[0]["X-Scope-OrgID"] == "plants"


def test_credentials_in_the_address_become_basic_authentication(fake: Fake) -> None:
    fake.script = [serve()]
    fetch(fake.url.replace("//", "//ann:p%40ss@"))
    assert fake.headers[0]["Authorization"] == "Basic YW5uOnBAc3M="


def test_a_long_range_comes_in_pieces_and_is_whole_again(fake: Fake) -> None:
    fake.script = [serve(at_most=2000)]
    (series,) = fetch(fake.url, ticks=5000).series
    assert series.points == tuple((stamp(k), 20.0 * k) for k in range(5000))
    assert len(fake.asked) == 4


def test_many_series_make_the_pieces_smaller(fake: Fake) -> None:
    many = [{"metric": {"site": f"s{k}"}, "values": []} for k in range(4000)]
    fake.script = [matrix(*many)]
    answer = fetch(fake.url, ticks=64 + 250)
    assert (len(fake.asked), len(answer.series)) == (4, 4000)


def test_twins_stay_apart_over_pieces(fake: Fake) -> None:
    fake.script = [matrix({"metric": {"site": "a"}}, {"metric": {"site": "a"}})]
    assert len(fetch(fake.url, ticks=65).series) == 2


@pytest.mark.parametrize("passing", [say(503, "busy"), say(429, "slow down"), hang_up])
def test_passing_trouble_is_asked_again(fake: Fake, passing: Say) -> None:
    fake.script = [passing, passing, serve()]
    waits: list[float] = []
    assert fetch(fake.url, waits=waits).series[0].points[1] == (stamp(1), 20.0)
    assert waits == [0.5, 1.0]


def test_trouble_that_lasts_is_told_after_three_tries(fake: Fake) -> None:
    body = json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"})
    fake.script = [say(503, body)]
    with pytest.raises(MetricsUnavailable, match=r"status 503: .*query timed out") as caught:
        fetch(fake.url)
    assert len(fake.asked) == 3
    assert (caught.value.system, caught.value.endpoint) == ("Prometheus", fake.url)


def test_an_error_is_a_remote_error_of_the_system() -> None:
    error = MetricsUnavailable.of(RemoteError("Prometheus", "down", endpoint="http://p"))
    assert (str(error), error.system) == ("Prometheus at http://p: down", "Prometheus")


def test_nobody_there_is_told(fake: Fake) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(MetricsUnavailable, match="no connection"):
        fetch(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("slow", [hang, trickle])
def test_time_has_an_end(fake: Fake, slow: Say) -> None:
    fake.script = [slow]
    started = time.monotonic()
    with pytest.raises(MetricsUnavailable, match=r"no answer within 0.3 s|arrive in time"):
        fetch(fake.url, limits=Limits(connect_s=0.3, total_s=0.3))
    assert time.monotonic() - started < 3
    assert len(fake.asked) == 1


def test_a_redirect_is_not_followed(fake: Fake) -> None:
    where = f"http://ann:{TOKEN}@elsewhere.example/api?token={TOKEN}"
    fake.script = [say(307, "", Location=where)]
    with pytest.raises(MetricsUnavailable, match=r"http://elsewhere.example/api") as caught:
        fetch(fake.url, token="other")
    assert TOKEN not in str(caught.value)
    assert len(fake.asked) == 1


def test_a_large_body_is_cut_off(fake: Fake) -> None:
    fake.script = [say(200, b"[" * 10_000)]
    with pytest.raises(MetricsUnavailable, match="larger than 9999 bytes"):
        fetch(fake.url, body_bytes=9_999)


def test_a_small_body_that_unpacks_to_a_large_one_is_cut_off(fake: Fake) -> None:
    fake.script = [say(200, gzip.compress(b" " * 10_000_000), Content_Encoding="gzip")]
    with pytest.raises(MetricsUnavailable, match="larger than 1048576 bytes"):
        fetch(fake.url)


def test_a_packed_body_is_read(fake: Fake) -> None:
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})
    fake.script = [say(200, gzip.compress(body.encode()), Content_Encoding="gzip")]
    assert fetch(fake.url) == Answer(())


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "deflate", "x\x01"])
def test_an_encoding_that_was_not_asked_for_is_refused(fake: Fake, encoding: str) -> None:
    fake.script = [say(200, b"{}", Content_Encoding=encoding)]
    with pytest.raises(MetricsUnavailable):
        fetch(fake.url)


def test_a_broken_packing_is_told(fake: Fake) -> None:
    fake.script = [say(200, b"no gzip at all", Content_Encoding="gzip")]
    with pytest.raises(MetricsUnavailable, match="DecodingError"):
        fetch(fake.url)


def test_all_pieces_together_have_a_cap(fake: Fake) -> None:
    fake.script = [serve()]
    with pytest.raises(MetricsUnavailable, match=r"larger than|more than"):
        fetch(fake.url, ticks=3000, body_bytes=60_000)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (say(200, "<html>hello</html>"), "no JSON: <html>hello</html>"),
        (say(200, "[" * 100_000), "no JSON"),
        (say(200, b"\xff\xfe\x00"), "no JSON"),
        (say(200, "[]"), "no JSON"),
        (say(404, "404 page not found"), "status 404 and no JSON: 404 page not found"),
        (say(401, "who are you"), "status 401"),
        (say(200, "{}"), "status 200"),
        (say(200, '{"status":"success"}'), "not a matrix"),
        (
            say(200, '{"status":"success","data":{"resultType":"vector","result":[]}}'),
            "not a matrix",
        ),
        (say(200, '{"status":"success","data":{"resultType":"matrix","result":{}}}'), "list"),
        (
            say(400, '{"status":"error","errorType":"bad_data","error":"parse error"}'),
            "status 400, bad_data: parse error",
        ),
        (
            say(422, '{"status":"error","errorType":"execution","error":"too many samples"}'),
            "too many samples",
        ),
        (matrix({"values": []}), "wrong shape"),
        (matrix({"metric": [], "values": []}), "wrong shape"),
        (matrix({"metric": {"site": 7}}), "wrong shape"),
        (matrix({"metric": {}, "values": 7}), "wrong shape"),
        (matrix({"metric": {}, "values": [[1, 2, 3]]}), "wrong shape"),
        (matrix({"metric": {}, "values": [[{}, "1"]]}), "wrong shape"),
        (matrix({"metric": {}, "values": [[stamp(0), None]]}), "wrong shape"),
        (matrix(None), "wrong shape"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_answer_is_told(fake: Fake, answer: Say, told: str) -> None:
    fake.script = [answer]
    with pytest.raises(MetricsUnavailable) as caught:
        fetch(fake.url)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_warnings_stay_warnings_and_infos_become_notes(fake: Fake) -> None:
    fake.script = [matrix(warnings=["no store\nfor plants"], infos="not a counter")]
    assert fetch(fake.url) == Answer((), ("no store for plants",), ("not a counter",))


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e999", "seven", "", 10**400])
def test_a_point_that_is_no_finite_number_is_left_out_and_named(fake: Fake, value: object) -> None:
    labels = {"__name__": "events_total", "site": "a"}
    fake.script = [matrix({"metric": labels, "values": [[stamp(0), value], [stamp(1), "7"]]})]
    assert fetch(fake.url) == Answer(
        (Series(labels, ((stamp(1), 7.0),)),),
        notes=("1 points are not finite numbers at ticks: events_total of site a",),
    )


def test_what_is_left_out_has_an_end(fake: Fake) -> None:
    lost = [
        {"metric": {"site": f"s{k}"}, "values": [[stamp(0), "NaN"], [stamp(1), "x"]]}
        for k in range(30)
    ]
    fake.script = [matrix(*lost)]
    notes = fetch(fake.url).notes
    assert notes[0] == "2 points are not finite numbers at ticks: a metric of site s0"
    assert notes[20:] == ("and points of 10 more series",)


@pytest.mark.parametrize("moment", ["1", "1e400", "NaN", str(stamp(2)), f"{stamp(0)}.5"])
def test_a_point_beside_the_ticks_is_left_out(fake: Fake, moment: str) -> None:
    body = '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":['
    fake.script = [say(200, f'{body}[{moment},"5"],[{stamp(1)}.0,"6"]]}}]}}}}')]
    (series,) = fetch(fake.url).series
    assert series.points == ((stamp(1), 6.0),)


def test_a_label_may_be_called_metric(fake: Fake) -> None:
    fake.script = [matrix({"metric": {"metric": "a", "site": "b"}, "values": [[stamp(0), "1"]]})]
    assert fetch(fake.url) == Answer((Series({"metric": "a", "site": "b"}, ((stamp(0), 1.0),)),))


def test_a_series_that_does_not_stand_in_the_result_is_refused(fake: Fake) -> None:
    series = {"metric": {"site": "a"}, "values": [[stamp(0), "1"]]}
    fake.script = [matrix(series, infos=[series])]
    with pytest.raises(MetricsUnavailable, match="wrong shape"):
        fetch(fake.url)


def test_a_native_histogram_is_a_series_without_points(fake: Fake) -> None:
    fake.script = [matrix({"metric": {"site": "a"}, "histograms": [[stamp(0), {}]]})]
    assert fetch(fake.url).series == (Series({"site": "a"}, ()),)


@pytest.mark.parametrize(
    "labels",
    [
        {"site": "x" * 1025},
        {"x" * 1025: "site"},
        {f"l{k}": "" for k in range(65)},
    ],
)
def test_labels_without_bound_are_left_out_and_counted(fake: Fake, labels: dict[str, str]) -> None:
    fake.script = [matrix({"metric": labels, "values": []}, {"metric": {"site": "a"}})]
    answer = fetch(fake.url)
    assert [series.labels for series in answer.series] == [{"site": "a"}]
    assert answer.notes == ("1 series with too many or too long labels are left out",)


def test_an_explosion_of_series_is_refused(fake: Fake) -> None:
    fake.script = [say(200, '{"status":"success","data":{"resultType":"matrix","result":['
                       + "{}," * 200_000 + "{}]}}")]  # fmt: skip
    with pytest.raises(MetricsUnavailable, match="at most 200000 series"):
        fetch(fake.url)


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [
        (T0 + timedelta(seconds=1), T0 + STEP, STEP),
        (T0 + STEP, T0, STEP),
        (T0, T0 + timedelta(seconds=1), STEP),
        (T0, T0 + STEP, timedelta(seconds=0.5)),
    ],
)
def test_only_rows_of_ticks_are_asked_for(
    fake: Fake, start: datetime, end: datetime, step: timedelta
) -> None:
    with http(fake.url) as door, pytest.raises(ValueError, match="not a row of ticks"):
        Prometheus(door).range("up", start, end, step)


def test_no_secret_comes_back_in_an_error(fake: Fake) -> None:
    fake.script = [say(500, f"you sent Bearer {TOKEN} and p@ss or p%40ss")]
    for url, token in ((fake.url, TOKEN), (fake.url.replace("//", "//ann:p%40ss@"), None)):
        with pytest.raises(MetricsUnavailable) as caught:
            fetch(url, token=token)
        text = f"{caught.value!r} {caught.value} {caught.value.endpoint}"
        assert (TOKEN if token else "p@ss") not in text
        assert "p%40ss" not in caught.value.endpoint


@pytest.mark.parametrize(
    "address",
    ["", "prometheus:9090", "ftp://p", "http://", "http://p:x", "http://p?a=b", "http://p#a",
     "http://p/\n", "http://[::1", "http://p /", "file:///etc/passwd"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="not an address of Prometheus"):
        http(address)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\nHost: x", f"{TOKEN}é", f"{TOKEN}\0"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(InputError, match="'Authorization'") as caught:
        http("http://p", token=token)
    assert TOKEN not in str(caught.value)


def test_an_address_is_shown_without_what_is_secret() -> None:
    assert redact("https://a:b@host:9/p?token=x#y") == "https://host:9/p"
    assert redact("https://[::1") == "(unreadable address)"


def test_get_asks_with_parameters(fake: Fake) -> None:
    fake.script = [say(200, "ready", Content_Type="text/plain")]
    with http(f"{fake.url}/prefix/") as door:
        reply = door.get("/-/ready", {"a": "b"})
    assert reply == Reply(200, b"ready", "text/plain", reply.headers)
    assert reply.headers["content-type"] == "text/plain"


# ------------------------------------------------------------------ the real engine

STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
EXPOSITION = "\n".join(
    [
        "# TYPE events counter",
        *(
            f'events_total{{site="{site}",model="m",release="{release}",outcome="{outcome}"}}'
            f" {first + k * grown} {stamp(k) - 30}"
            for site, release, outcome, first, grown in (
                ("a", CANARY, "ok", 0, 19),
                ("a", CANARY, "error", 0, 1),
                ("b", STABLE, "ok", 500, 20),
                ("b", STABLE, "error", 5, 0),
                ("b", "v11-00000000", "error", 5, 9),
            )
            for k in range(4)
        ),
        "# TYPE seconds histogram",
        *(
            line
            for k in range(4)
            for line in (
                f'seconds_bucket{{site="b",model="m",release="{STABLE}",le="1.0"}} '
                f"{90 + 18 * k} {stamp(k) - 30}",
                f'seconds_bucket{{site="b",model="m",release="{STABLE}",le="+Inf"}} '
                f"{100 + 20 * k} {stamp(k) - 30}",
                f'seconds_count{{site="b",model="m",release="{STABLE}"}} '
                f"{100 + 20 * k} {stamp(k) - 30}",
            )
        ),
        "# TYPE model_release_info gauge",
        *(
            f'model_release_info{{site="{site}",model="m",release="{release}"}} 1 {stamp(k) - 30}'
            for site, release in (("a", CANARY), ("b", STABLE))
            for k in range(4)
        ),
        "# EOF\n",
    ]
)


@pytest.fixture(scope="module")
def real(engine: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that holds EXPOSITION."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "data.om").write_text(EXPOSITION)
    (folder / "prometheus.yml").write_text("{}\n")
    blocks = ["tsdb", "create-blocks-from", "openmetrics", "data.om", "data"]
    subprocess.run([engine("promtool"), *blocks], cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    flags = ["--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y", "--log.level=error"]
    running = subprocess.Popen(
        [engine("prometheus"), *flags, f"--web.listen-address=127.0.0.1:{port}"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    limits = Limits(total_s=30, attempts=60)
    with Http("Prometheus", url, jitter=lambda: 1.0, limits=limits, pause=_short) as door:
        door.get("/-/ready")
    yield url
    running.terminate()
    running.wait(10)


def _short(_: float) -> None:
    time.sleep(0.1)


def test_the_real_prometheus_is_measured(real: str) -> None:
    objectives = (
        Objective(
            "errors",
            Ratio(Selector.parse('events_total{outcome="error"}'), Selector.parse("events_total")),
            Fraction(99),
        ),
        Objective("latency", Slower(Fraction(1), Selector.parse("seconds")), Fraction(99)),
    )
    asked = questions("edge-k3s", "m", (STABLE, CANARY), objectives)
    with http(real) as door:
        api = Prometheus(door)
        found = {text: api.range(text, T0, T0 + 3 * STEP, STEP) for text in asked.texts}
    cuts = (Cut(T0 - STEP, frozenset("a")),)
    who = Assignment("r1", STABLE, CANARY, dict.fromkeys("ab", "eu"), cuts)
    measured = measure(asked, found, who, Window(T0, T0 + 3 * STEP, STEP))
    assert measured.ticks == tuple(
        line
        for k in (1, 2, 3)
        for line in (
            TickLine("r1", "errors", T0 + k * STEP, {"a": (20, 1)}, {"b": (20, 0)}, (1, 1)),
            TickLine("r1", "latency", T0 + k * STEP, {}, {"b": (20, 2)}, (0, 1), ("a",)),
        )
    )
    assert measured.sights["a"] == Sight(CANARY, T0 + 3 * STEP, True, T0)
    assert (measured.warnings, measured.notes) == ((), ())


def test_the_real_prometheus_refuses_what_is_no_selector(real: str) -> None:
    with http(real) as door, pytest.raises(MetricsUnavailable, match=r"bad_data: .*parse error"):
        Prometheus(door).range("up{", T0, T0, STEP)


def test_the_real_prometheus_ends_what_takes_too_long(real: str) -> None:
    with http(real) as door:
        hurried = Prometheus(door, server_timeout=timedelta(microseconds=1))
        with pytest.raises(MetricsUnavailable, match=r"timed out|timeout"):
            hurried.range("events_total", T0, T0 + STEP, STEP)
