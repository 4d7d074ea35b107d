"""Read raw series from an API that speaks Prometheus' `query_range`, and from nothing else.

Each request is a POST of one plain selector. A reply is bounded in bytes, series and points; a
long range is read in pieces whose size follows from the number of series in the first one. What
cannot be trusted raises `MetricsUnavailable`; a point that is no finite number is left out and
named. Safe for several threads, as `generator.http` is; it leaves nothing behind.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite, nan
from typing import Any, cast

from generator.errors import RemoteError
from generator.http import Http, Reply, clean
from reconciler.measure import Answer, Lines, MetricsUnavailable, Texts, join

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
TAKEN = object()  # stands in the document for a series that was read
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
            return _join(list(self._pieces(promql, ticks)), ticks)
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
        reader = _Reader(ticks)
        document = self._document(reply, reader)
        data = document.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise self._http.error("the answer is not a matrix")
        result = data.get("result")
        if not isinstance(result, list) or len(result) > MAX_SERIES:
            raise self._http.error(f"the answer is not a list of at most {MAX_SERIES} series")
        if not reader.has_read(result):
            raise self._http.error("a series of the answer has a wrong shape")
        notes = (*_texts(document, "infos"), *reader.remarks())
        return Answer(reader.lines.table(), _texts(document, "warnings"), notes)

    def _document(self, reply: Reply, reader: "_Reader") -> dict[str, Any]:
        try:
            document = json.loads(reply.body, object_hook=reader.take)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._http.error(f"status {reply.status} and no JSON: {reply.excerpt()}")
        if document.get("status") != "success" or not reply.is_ok:
            kind, text = (str(document.get(key, "")) for key in ("errorType", "error"))
            raise self._http.error(f"status {reply.status}, {clean(kind)}: {clean(text)}")
        return document


class _Reader:
    """Takes each series out of a reply while it is parsed, and remembers what it left out.

    So the objects of one series are gone before those of the next one are made: that halves the
    time, and the whole document never stands in memory.
    """

    def __init__(self, ticks: Ticks) -> None:
        self.lines = Lines(ticks)
        self._ticks = tuple(ticks)
        self._columns = array("i", range(len(ticks)))
        # A time that is not a tick has no entry.
        self._column_of: Mapping[object, int] = dict(zip(ticks, self._columns, strict=True))
        self._names: dict[Texts, Texts] = {}
        self._known: dict[str, str] = {}
        self._lost: dict[str, int] = {}
        self._oversized = 0
        self._taken = 0
        self._is_wrong = False

    def take(self, item: dict[str, Any]) -> object:
        """Read any object of the document if it is a series, and leave nothing of it there."""
        labels = item.get("metric")
        if not isinstance(labels, dict):
            return item
        self._taken += 1
        if self._taken <= MAX_SERIES:
            try:
                self._series(labels, item.get("values", ()))
            except (TypeError, KeyError, ValueError, AttributeError):
                self._is_wrong = True
        return TAKEN

    def has_read(self, result: Sequence[object]) -> bool:
        """Say whether every item is a series, they were all fit to read, and no other was."""
        here = sum(item is TAKEN for item in result)
        return here == len(result) == self._taken and not self._is_wrong

    def _series(self, labels: Mapping[str, str], values: Sequence[Any]) -> None:
        names, texts = self._line(labels)
        if names is None:
            self._oversized += 1
            return
        columns, numbers = self._points(values)
        self.lines.add(names, texts, columns, numbers)
        if len(columns) < len(values):
            name = f"{labels.get('__name__', 'a metric')} of site {labels.get('site', '(none)')}"
            self._lost[name] = self._lost.get(name, 0) + len(values) - len(columns)

    def _line(self, labels: Mapping[str, str]) -> tuple[Texts | None, Texts]:
        """Give names and values of labels, equal texts as one object; no names if too large."""
        names = self._names.get(tuple(labels))
        if names is None:
            if not _is_bounded(labels):
                return None, ()
            names = self._names.setdefault(tuple(labels), tuple(labels))
        texts = tuple(map(self._known.get, labels.values()))
        if None not in texts:
            return names, cast(Texts, texts)
        # Joining is the quick way to see that all values are texts, and short ones.
        if len("".join(labels.values())) > MAX_LABEL and not _is_bounded(labels):
            return None, ()
        return names, tuple([self._known.setdefault(text, text) for text in labels.values()])

    def _points(self, values: Sequence[Any]) -> tuple[Sequence[int], list[float]]:
        if len(values) <= len(self._ticks):
            try:
                times, texts = zip(*values, strict=True)
                numbers = list(map(float, texts))
                if isfinite(sum(numbers)):
                    return self._columns_of(times), numbers
            except (ValueError, KeyError, OverflowError):
                pass  # some point is wrong: look at each
        usable = list(self._usable(values))
        return [column for column, _ in usable], [value for _, value in usable]

    def _columns_of(self, times: tuple[object, ...]) -> Sequence[int]:
        if times == self._ticks:
            return self._columns
        return [self._column_of[at] for at in times]

    def _usable(self, values: Iterable[tuple[object, str]]) -> Iterator[tuple[int, float]]:
        for at, text in values:
            value = _number(text)
            if at in self._column_of and isfinite(value):
                yield self._column_of[at], value

    def remarks(self) -> tuple[str, ...]:
        """Name what was left out."""
        found = [
            f"{count} points are not finite numbers at ticks: {clean(name)}"
            for name, count in list(self._lost.items())[:MAX_REMARKS]
        ]
        if len(self._lost) > MAX_REMARKS:
            found.append(f"and points of {len(self._lost) - MAX_REMARKS} more series")
        if self._oversized:
            found.append(f"{self._oversized} series with too many or too long labels are left out")
        return tuple(found)


def _number(text: str) -> float:
    try:
        return float(text)
    except (ValueError, OverflowError):
        return nan


def _is_bounded(labels: Mapping[str, str]) -> bool:
    lengths = [len(text) for text in (*labels, *labels.values())]
    return len(labels) <= MAX_LABELS and max(lengths, default=0) <= MAX_LABEL


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


def _join(answers: Sequence[Answer], ticks: Ticks) -> Answer:
    if len(answers) == 1:
        return answers[0]
    return Answer(
        join([answer.series for answer in answers], ticks),
        tuple(dict.fromkeys(text for answer in answers for text in answer.warnings)),
        tuple(dict.fromkeys(text for answer in answers for text in answer.notes)),
    )
