"""Put the reconciler's own reader of Prometheus before the metrics of a simulation."""

from urllib.parse import parse_qsl

import httpx

from generator.http import Http
from reconciler.outlook import Query
from reconciler.prometheus import Prometheus
from reconciler.simulate import Broken, Metrics


def connect(metrics: Metrics) -> Query:
    """Read simulated metrics as real ones are read, HTTP and JSON included."""

    def answer(request: httpx.Request) -> httpx.Response:
        try:
            reply = metrics.answer(dict(parse_qsl(request.content.decode())))
        except Broken as error:
            if str(error) == "timeout":
                raise httpx.ReadTimeout("timed out", request=request) from None
            raise httpx.ReadError("connection reset by peer", request=request) from None
        return httpx.Response(reply.status, content=reply.body)

    door = Http(
        "Prometheus",
        "http://simulated",
        jitter=lambda: 0.0,
        transport=httpx.MockTransport(answer),
        pause=lambda _: None,
    )
    return Prometheus(door).range
