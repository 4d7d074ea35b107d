"""The Prometheus HTTP API over a fleet: plain selectors, instant and over a range.

It listens on 127.0.0.1 only and answers from the fleet's virtual time. Several threads may ask
at once; nothing is left behind when it is closed.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tidegate.demo.exposition import Exposition, Moment
from tidegate.demo.fleet import Fleet
from tidegate.demo.selector import Selector, duration_s, parse

LOOK_BACK_S = 300
MAX_POINTS = 11_000
MAX_FORM_BYTES = 2**20
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)
_BUILD = {"version": "0.0.0-demo", "revision": "", "branch": "", "goVersion": ""}

Params = Mapping[str, str]


class Api:
    """Answers while it is open."""

    def __init__(self, fleet: Fleet, port: int = 0) -> None:
        """Bind to a port of 127.0.0.1; 0 takes a free one.

        Raises:
            OSError: The port is taken.
        """
        answers = _Answers(fleet)

        class Handler(_Handler):
            asked = answers

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Give the base address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _BadDataError(ValueError):
    """The request cannot be understood."""


class _Answers:
    """Path and parameters to JSON text."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._exposition = Exposition(fleet)

    def answer(self, path: str, params: Params) -> str | None:
        """Answer, or None where there is nothing."""
        match path:
            case "/api/v1/query":
                return self._instant(params)
            case "/api/v1/query_range":
                return self._range(params)
            case "/api/v1/status/buildinfo":
                return json.dumps({"status": "success", "data": _BUILD})
            case "/-/ready" | "/-/healthy":
                return "The fleet is ready.\n"
            case _:
                return None

    def _instant(self, params: Params) -> str:
        selector = _selector(params)
        at = _time(params, "time", self._fleet.now.timestamp())
        if selector.span_s is None:
            moments = self._moments([at])
            kind, key = "vector", '"value": '
        else:
            found = self._fleet.samples(at - selector.span_s + 1e-3, at)
            moments = [(str(sample.at), sample) for sample in found]
            kind, key = "matrix", '"values": ['
        end = "]}" if kind == "matrix" else "}"
        series = self._exposition.series(selector, moments)
        return _document(kind, (f'{{"metric": {who}, {key}{points}{end}' for who, points in series))

    def _range(self, params: Params) -> str:
        selector = _selector(params)
        if selector.span_s is not None:
            raise _BadDataError("invalid expression type for a range query: a range vector")
        start, end = _time(params, "start"), _time(params, "end")
        step = _step(params)
        if end < start:
            raise _BadDataError("end timestamp must not be before start time")
        if (end - start) / step > MAX_POINTS:
            raise _BadDataError("exceeded maximum resolution of 11,000 points per timeseries")
        times = [start + place * step for place in range(int((end - start) // step) + 1)]
        series = self._exposition.series(selector, self._moments(times))
        return _document(
            "matrix", (f'{{"metric": {who}, "values": [{points}]}}' for who, points in series)
        )

    def _moments(self, times: list[float]) -> list[Moment]:
        """Find the newest sample of each time, within the look-back."""
        samples = self._fleet.samples(times[0] - LOOK_BACK_S, times[-1])
        moments, newest, place = list[Moment](), None, 0
        for at in times:
            while place < len(samples) and samples[place].at <= at:
                newest, place = samples[place], place + 1
            if newest is not None and at - newest.at < LOOK_BACK_S:
                moments.append((_written(at), newest))
        return moments


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    asked: _Answers

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Answer a request with parameters in its address."""
        self._respond({})

    def do_POST(self) -> None:
        """Answer a form."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_FORM_BYTES:
            self.close_connection = True
            self._send(413, "", "text/plain")
            return
        form = self.rfile.read(int(length)).decode("utf-8", "replace")
        self._respond(dict(reversed(parse_qsl(form, keep_blank_values=True))))

    def _respond(self, form: Params) -> None:
        target = urlsplit(self.path)
        params = {**dict(reversed(parse_qsl(target.query, keep_blank_values=True))), **form}
        try:
            body = self.asked.answer(target.path, params)
        except ValueError as error:
            problem = {"status": "error", "errorType": "bad_data", "error": str(error)}
            self._send(400, json.dumps(problem), "application/json")
            return
        if body is None:
            self._send(404, "404 page not found\n", "text/plain")
        else:
            kind = "application/json" if body.startswith("{") else "text/plain"
            self._send(200, body, kind)

    def _send(self, status: int, body: str, kind: str) -> None:
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _document(kind: str, results: Iterable[str]) -> str:
    listed = ",".join(results)
    return f'{{"status": "success", "data": {{"resultType": "{kind}", "result": [{listed}]}}}}'


def _selector(params: Params) -> Selector:
    try:
        return parse(params.get("query", ""))
    except ValueError as error:
        raise _BadDataError(f'invalid parameter "query": {error}') from None


def _time(params: Params, name: str, otherwise: float | None = None) -> float:
    text = params.get(name, "")
    if not text and otherwise is not None:
        return otherwise
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _BadDataError(f'invalid parameter "{name}": cannot parse {text[:40]!r} to a time')
    return moment.timestamp()


def _step(params: Params) -> float:
    text = params.get("step", "")
    step = float(text) if _NUMBER.fullmatch(text) else float(duration_s(text))
    if step <= 0:
        raise _BadDataError('invalid parameter "step": zero or negative')
    return step


def _written(at: float) -> str:
    return str(int(at)) if at.is_integer() else f"{at:.3f}"
