"""The HTTP side of a scripted forge, and the ways in which it lets its callers down."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.forges.project import Person, Project


@dataclass
class Request:
    """What a caller wants."""

    method: str
    path: str
    query: Mapping[str, str]
    data: Any
    headers: Mapping[str, str]
    person: Person
    found: tuple[str, ...] = ()

    def number(self, place: int = 0) -> int:
        return int(self.found[place])


@dataclass
class Answer:
    """What it gets."""

    status: int
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Route = tuple[str, str, Callable[[Request], Answer]]


@dataclass
class Trouble:
    """When the forge lets its caller down.

    Attributes:
        at: Number of the call, from 1; 0 for never.
        how: "before" hangs up before the call is carried out, "after" once it was, "dark" once it
            was and at every call from then on, as when the caller died; or a status code.
    """

    at: int = 0
    how: str = "after"
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1

    def strikes(self, number: int) -> str:
        """Say how it strikes the call of this number; "" where it does not."""
        if not self.at or number < self.at:
            return ""
        if self.how == "dark":
            return "after" if number == self.at else "before"
        return self.how if number < self.at + self.times else ""


class Forge:
    """A server on loopback; a kind of forge gives its routes and its words for trouble."""

    prefix = ""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.calls: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self.trouble = Trouble()
        self.refused = 0
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or the other side acknowledges late
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                forge._serve(self)

            do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 (the names that http.server wants)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    # -------------------------------------------------- what a kind of forge says

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def token(self, headers: Mapping[str, str]) -> str:
        return headers.get("authorization", "").partition(" ")[2]

    def problem(self, status: int, text: str) -> Answer:
        return Answer(status, {"message": text})

    def limited(self) -> Answer:
        return Answer(429, {"message": "Too many requests"}, {"Retry-After": "60"})

    # -------------------------------------------------- plumbing

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        self.calls.append((handler.command, parts.path.removeprefix(self.prefix)))
        how = self.trouble.strikes(len(self.calls))
        if how == "before":
            return _hang_up(handler)
        if how.isdecimal():
            answer = Answer(int(how), {"message": "trouble"}, dict(self.trouble.headers))
            return self._reply(handler, answer)
        answer = self._answer(handler, parts.path, parts.query, body)
        return _hang_up(handler) if how == "after" else self._reply(handler, answer)

    def _answer(
        self, handler: BaseHTTPRequestHandler, path: str, query: str, body: bytes
    ) -> Answer:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        token = self.token(headers)
        self.shown.append(token)
        person = self.project.people.get(token)
        if person is None:
            return self.problem(401, "401 Unauthorized")
        if not path.startswith(self.prefix):
            return self.problem(404, "404 page not found")
        if handler.command != "GET" and self.project.too_much():
            self.refused += 1
            return self.limited()
        flat = {key: values[0] for key, values in parse_qs(query).items()}
        data = json.loads(body) if body else {}
        request = Request(
            handler.command, path.removeprefix(self.prefix), flat, data, headers, person
        )
        for method, pattern, act in self.routes():
            found = re.fullmatch(pattern, request.path)
            if method == request.method and found:
                request.found = found.groups()
                return act(request)
        return self.problem(404, "404 Not Found")

    def _reply(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = b"" if answer.data is None else json.dumps(answer.data).encode()
        handler.send_response_only(answer.status)
        handler.send_header("Date", formatdate(self.project.clock(), usegmt=True))
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    @contextmanager
    def running(self) -> Iterator["Forge"]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()


def page(
    items: list[Any], request: Request, size: str, usual: int, most: int
) -> tuple[list[Any], bool]:
    """Cut one page out of a list; say whether there is another one."""
    number = int(request.query.get("page", "1"))
    count = min(int(request.query.get(size, str(usual))), most)
    first = (number - 1) * count
    return items[first : first + count], len(items) > first + count


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
