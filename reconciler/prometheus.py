"""Read raw series from an API that speaks Prometheus' `query_range`, and from nothing else.

Each request is a POST of one plain selector. A reply is bounded in bytes, series and points; a
long range is read in pieces whose size follows from the number of series in the first one. What
cannot be trusted raises `MetricsUnavailable`; a point that is no finite number is left out and
named. Safe for several threads, as `generator.http` is; it leaves nothing behind.
"""

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import isfinite, nan
from typing import Any

from generator.errors import RemoteError
from generator.http import Http, Reply, clean
from reconciler.measure import Answer, MetricsUnavailable, Series

PATH = "/api/v1/query_range"
MAX_BODY_BYTES = 256 * 2**20
MAX_SERIES = 200_000
MAX_POINTS = 2_000  # per series and request; Prometheus refuses 11,000
FIRST_POINTS = 64
POINTS_PER_REPLY = 400_000
MAX_LABELS = 64
NO_POST = (404, 405, 501)  # some compatible APIs know GET only
MAX_LABEL = 1_024
MAX_REMARKS = 20
Ticks = range  # the method of the same name hides the built-in one


class Prometheus:
    """One metrics API."""

    def __init__(
        self,
        http: Http,
        *,
        server_timeout: timedelta = timedelta(seconds=25),
        body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Speak through a door that knows address and credentials.

        Args:
            http: Its time-out should be longer than the server's.
            server_timeout: Longest evaluation of one query.
            body_bytes: Most bytes of all replies to one `range`.
        """
        self._http = http
        self._timeout = f"{server_timeout.total_seconds():g}s"
        self._body_bytes = body_bytes

    def range(self, promql: str, start: datetime, end: datetime, step: timedelta) -> Answer:
        """Fetch the value of every matching series at every tick.

        Args:
            promql: A plain selector.
            start: First tick.
            end: Last tick, included.
            step: Spacing of the ticks, whole seconds.

        Raises:
            MetricsUnavailable: No answer, an error, or one that cannot be trusted.
            ValueError: The range is not a row of ticks.
        """
        ticks = _ticks(start, end, step)
        try:
            return _join(self._pieces(promql, ticks))
        except RemoteError as error:
            raise MetricsUnavailable.of(error) from None

    def _pieces(self, promql: str, ticks: Ticks) -> Iterator[Answer]:
        left_bytes, points = self._body_bytes, FIRST_POINTS
        while ticks:
            piece, ticks = ticks[:points], ticks[points:]
            reply = self._ask(promql, piece, left_bytes)
            answer = self._answer(reply, piece)
            yield answer
            left_bytes -= len(reply.body)
            points = min(MAX_POINTS, max(1, POINTS_PER_REPLY // max(1, len(answer.series))))

    def _ask(self, promql: str, ticks: Ticks, left_bytes: int) -> Reply:
        if left_bytes <= 0:
            raise self._http.error(f"more than {self._body_bytes} bytes for one query")
        form = {
            "query": promql,
            "start": str(ticks[0]),
            "end": str(ticks[-1]),
            "step": str(ticks.step),
            "timeout": self._timeout,
        }
        reply = self._http.post_form(PATH, form, body_bytes=left_bytes)
        if reply.status in NO_POST:
            return self._http.get(PATH, form, body_bytes=left_bytes)
        return reply

    def _answer(self, reply: Reply, ticks: Ticks) -> Answer:
        document = self._document(reply)
        data = document.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise self._http.error("the answer is not a matrix")
        result = data.get("result")
        if not isinstance(result, list) or len(result) > MAX_SERIES:
            raise self._http.error(f"the answer is not a list of at most {MAX_SERIES} series")
        reader = _Reader(ticks)
        try:
            with _uncollected():
                series = tuple(one for item in result if (one := reader.series(item)))
        except (TypeError, KeyError, ValueError, AttributeError):
            raise self._http.error("a series of the answer has a wrong shape") from None
        remarks = reader.remarks()
        return Answer(series, _texts(document, "warnings"), (*_texts(document, "infos"), *remarks))

    def _document(self, reply: Reply) -> dict[str, Any]:
        try:
            with _uncollected():
                document = json.loads(reply.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._http.error(f"status {reply.status} and no JSON: {reply.excerpt()}")
        if document.get("status") != "success" or not reply.is_ok:
            kind, text = (str(document.get(key, "")) for key in ("errorType", "error"))
            raise self._http.error(f"status {reply.status}, {clean(kind)}: {clean(text)}")
        return document


class _Reader:
    """Reads the series of one reply and remembers what it left out."""

    def __init__(self, ticks: Ticks) -> None:
        # One int object per tick; a time that is not a tick has no entry.
        self._ticks: Mapping[object, int] = {at: at for at in ticks}
        self._lost: dict[str, int] = {}
        self._oversized = 0

    def series(self, item: dict[str, Any]) -> Series | None:
        labels = item["metric"]
        if not _is_bounded(labels):
            self._oversized += 1
            return None
        values = item.get("values", [])
        ticks = self._ticks
        try:
            points = tuple([(ticks[at], float(text)) for at, text in values])
        except (ValueError, KeyError):
            points = ()
        if len(points) < len(values) or not all(map(isfinite, [value for _, value in points])):
            points = tuple(self._usable(values))
            name = f"{labels.get('__name__', 'a metric')} of site {labels.get('site', '(none)')}"
            self._lost[name] = self._lost.get(name, 0) + len(values) - len(points)
        return Series(labels, points)

    def _usable(self, values: Iterable[tuple[object, str]]) -> Iterator[tuple[int, float]]:
        for at, text in values:
            value = _number(text)
            if at in self._ticks and isfinite(value):
                yield self._ticks[at], value

    def remarks(self) -> tuple[str, ...]:
        found = [
            f"{count} points are not finite numbers at ticks: {clean(name)}"
            for name, count in list(self._lost.items())[:MAX_REMARKS]
        ]
        if len(self._lost) > MAX_REMARKS:
            found.append(f"and points of {len(self._lost) - MAX_REMARKS} more series")
        if self._oversized:
            found.append(f"{self._oversized} series with too many or too long labels are left out")
        return tuple(found)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles while many objects are made that have none: it takes half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _is_bounded(labels: Mapping[str, str]) -> bool:
    # Joining is the quick way to see that all values are texts, and short ones.
    if len(labels) <= MAX_LABELS and len("".join([*labels, *labels.values()])) <= MAX_LABEL:
        return True
    lengths = [len(text) for text in (*labels, *labels.values())]
    return len(labels) <= MAX_LABELS and max(lengths) <= MAX_LABEL


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = document.get(key) or []
    if not isinstance(found, list):
        found = [found]
    return tuple(clean(str(text)) for text in found[:MAX_REMARKS])


def _ticks(start: datetime, end: datetime, step: timedelta) -> Ticks:
    first, last, spacing = start.timestamp(), end.timestamp(), step.total_seconds()
    whole = all(number.is_integer() for number in (first, last, spacing))
    if not whole or spacing < 1 or last < first or first % spacing or last % spacing:
        raise ValueError(f"{start.isoformat()}..{end.isoformat()} is not a row of ticks of {step}")
    return Ticks(int(first), int(last) + 1, int(spacing))


def _join(pieces: Iterable[Answer]) -> Answer:
    """Put the pieces of one series together; twins within a piece stay apart."""
    answers = list(pieces)
    if len(answers) == 1:
        return answers[0]
    joined: dict[tuple[frozenset[tuple[str, str]], int], list[Series]] = {}
    for answer in answers:
        twins: dict[frozenset[tuple[str, str]], int] = {}
        for one in answer.series:
            labels = frozenset(one.labels.items())
            twins[labels] = twins.get(labels, 0) + 1
            joined.setdefault((labels, twins[labels]), []).append(one)
    return Answer(
        tuple(
            Series(parts[0].labels, tuple(point for part in parts for point in part.points))
            for parts in joined.values()
        ),
        tuple(dict.fromkeys(text for answer in answers for text in answer.warnings)),
        tuple(dict.fromkeys(text for answer in answers for text in answer.notes)),
    )
