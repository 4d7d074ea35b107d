"""Speak HTTP to one system: bounded in time and size, no redirects, nothing secret in an error.

Every call ends within `Limits.total_s` seconds (servers that trickle their header are cut by
the read time-out only) and holds at most `Limits.body_bytes` bytes of body. Proxies, `.netrc`
and other environment variables are not read. An `Http` may be used by several threads. A call
that failed may have reached the server; nothing is left behind here.
"""

import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from generator.errors import InputError, RemoteError

USER_AGENT = "tidegate"
FIRST_PAUSE_S = 0.5
EXCERPT = 200
_TRANSIENT = (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)
# Nested encodings would multiply the size of a body before it can be counted.
_ENCODINGS = frozenset({"", "identity", "gzip"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost.

    Attributes:
        connect_s: Seconds until the connection stands.
        total_s: Seconds for the whole call, retries and pauses included.
        body_bytes: Most bytes of a decoded body.
        attempts: Most tries, at least 1.
    """

    connect_s: float = 5.0
    total_s: float = 60.0
    body_bytes: int = 256 * 2**20
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a redirect; from `get` and `post_form` no server error either.

    Attributes:
        status: The status code.
        body: Decoded, within the limits.
        media: Content type.
        headers: By lower-case name.
    """

    status: int
    body: bytes
    media: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Say whether the status is 2xx."""
        return 200 <= self.status < 300

    def excerpt(self) -> str:
        """Give the start of the body as one printable line, longer than an error shows.

        So a secret at the end of the cut is still whole when `Http.error` looks for it.
        """
        return clean(self.body[: 8 * EXCERPT].decode("utf-8", "replace"), 4 * EXCERPT)


@dataclass(frozen=True, slots=True)
class _Trouble:
    text: str
    passing: bool


def clean(text: str, longest: int = EXCERPT) -> str:
    """Make foreign text one printable line of at most `longest` characters."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def redact(url: str) -> str:
    """Give scheme, host, port and path of a URL; credentials, query and fragment go."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable address)"
    host = parts.netloc.rpartition("@")[2]
    return clean(f"{parts.scheme}://{host}{parts.path}" if host else parts.path)


class Http:
    """One system under one base address."""

    def __init__(
        self,
        system: str,
        base: str,
        *,
        jitter: Callable[[], float],
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the address and the credentials; connect at the first call.

        Args:
            system: A word for messages, such as "Prometheus".
            base: http or https address; `user:password@` is sent as basic authentication.
            jitter: Gives fractions 0..1, to spread retries.
            token: Bearer token.
            headers: Further headers, such as a tenant's.
            limits: What a call may cost.
            tls: Trust other certificates than the usual ones.
            transport: Answers instead of the network, as in a simulation.
            pause: Waits for seconds.

        Raises:
            InputError: Not an http(s) address, or a header that cannot be sent.
        """
        parts = _address(system, base)
        self.system = system
        self.endpoint = redact(base)
        self._limits = limits or Limits()
        self._jitter, self._pause = jitter, pause
        self._secrets = _secrets(parts, token)
        host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._client = httpx.Client(
            headers=_headers(system, {**(headers or {}), **_authorization(parts, token)}),
            verify=tls or parts.scheme == "https",
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(
        self, path: str, query: Mapping[str, str] | None = None, *, body_bytes: int | None = None
    ) -> Reply:
        """Ask by GET.

        Args:
            path: Below the base address, with its leading slash.
            query: Parameters.
            body_bytes: A smaller cap than the limits' for this body.

        Raises:
            RemoteError: No usable answer: connection, time, size, 3xx, 429 or 5xx.
        """
        return self._send(
            lambda timeout: self._client.stream(
                "GET", self._base + path, params=dict(query or {}), timeout=timeout
            ),
            body_bytes,
        )

    def post_form(
        self, path: str, form: Mapping[str, str], *, body_bytes: int | None = None
    ) -> Reply:
        """Ask by POST with a form; it is repeated as GET is, so it must only ask.

        Args:
            path: Below the base address, with its leading slash.
            form: Fields.
            body_bytes: A smaller cap than the limits' for this body.

        Raises:
            RemoteError: No usable answer: connection, time, size, 3xx, 429 or 5xx.
        """
        return self._send(
            lambda timeout: self._client.stream(
                "POST", self._base + path, data=dict(form), timeout=timeout
            ),
            body_bytes,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: object = None,
        token: str = "",
    ) -> Reply:
        """Say something once, and give whatever status comes back, "too many requests" too.

        Nothing is repeated: after an error the call may have been carried out or not.

        Args:
            method: Such as "POST".
            path: Below the base address, with its leading slash, quoted.
            query: Parameters.
            document: Sent as JSON; None sends no body.
            token: Bearer token of this call, where tokens change; taken out of errors, too.

        Raises:
            RemoteError: No usable answer: connection, time, size or 3xx.
        """
        if token:
            self._secrets = tuple({token: None, **dict.fromkeys(self._secrets)})
        limits = self._limits
        outcome = self._try(
            lambda timeout: self._client.stream(
                method,
                self._base + path,
                params=dict(query) if query else None,
                json=document,
                headers=_headers(
                    self.system, {"Authorization": f"Bearer {token}"} if token else {}
                ),
                timeout=timeout,
            ),
            limits.body_bytes,
            time.monotonic() + limits.total_s,
            judge=_judge_redirect,
        )
        if isinstance(outcome, Reply):
            return outcome
        raise self.error(outcome.text)

    def error(self, text: str) -> RemoteError:
        """Build an error of this system, with every known secret taken out of the text."""
        return RemoteError(self.system, clean(self.hide(text)), endpoint=self.endpoint)

    def hide(self, text: str) -> str:
        """Take every known secret out of a text."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _send(
        self,
        ask: Callable[[httpx.Timeout], AbstractContextManager[httpx.Response]],
        body_bytes: int | None,
    ) -> Reply:
        limits = self._limits
        cap = limits.body_bytes if body_bytes is None else min(body_bytes, limits.body_bytes)
        ends = time.monotonic() + limits.total_s
        for attempt in range(limits.attempts):
            outcome = self._try(ask, cap, ends)
            if isinstance(outcome, Reply):
                return outcome
            wait_s = FIRST_PAUSE_S * 2**attempt * (0.5 + self._jitter() / 2)
            last = attempt + 1 == limits.attempts
            if not outcome.passing or last or time.monotonic() + wait_s >= ends:
                raise self.error(outcome.text)
            self._pause(wait_s)
        raise AssertionError("at least one attempt")

    def _try(
        self,
        ask: Callable[[httpx.Timeout], AbstractContextManager[httpx.Response]],
        cap: int,
        ends: float,
        judge: Callable[[Reply], Reply | _Trouble] | None = None,
    ) -> Reply | _Trouble:
        left_s = max(ends - time.monotonic(), 0.001)
        timeout = httpx.Timeout(left_s, connect=min(left_s, self._limits.connect_s))
        try:
            with ask(timeout) as response:
                return (judge or _judge)(_read(response, cap, ends))
        except _TRANSIENT as error:
            return _Trouble(f"no connection: {str(error) or type(error).__name__}", passing=True)
        except httpx.TimeoutException:
            return _Trouble(f"no answer within {self._limits.total_s:g} s", passing=False)
        except _UnusableError as error:
            return _Trouble(str(error), passing=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _Trouble(f"{type(error).__name__}: {error}", passing=False)


class _UnusableError(Exception):
    """The body cannot be taken; the text says why."""


def _read(response: httpx.Response, cap: int, ends: float) -> Reply:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise _UnusableError(
            f"the body is encoded as {clean(encoding, 40)!r}, which was not asked for"
        )
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > cap:
            raise _UnusableError(f"the body is larger than {cap} bytes")
        if time.monotonic() > ends:
            raise _UnusableError("the body did not arrive in time")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, bytes(body), headers.get("content-type", ""), headers)


def _judge(reply: Reply) -> Reply | _Trouble:
    if reply.status == 429 or reply.status >= 500:
        return _Trouble(f"status {reply.status}: {reply.excerpt()}", passing=True)
    return _judge_redirect(reply)


def _judge_redirect(reply: Reply) -> Reply | _Trouble:
    if not 300 <= reply.status < 400:
        return reply
    target = redact(reply.headers.get("location", ""))
    return _Trouble(
        f"it redirects ({reply.status}) to {target or 'nowhere'}, which is not followed; "
        "configure the final address",
        passing=False,
    )


def _address(system: str, base: str) -> SplitResult:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not base.isprintable() or " " in base:
        raise InputError(
            f"{redact(base)!r} is not an address of {system}",
            hint="write http:// or https://, a host and perhaps a path, nothing after it",
        )
    return parts


def _authorization(parts: SplitResult, token: str | None) -> dict[str, str]:
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")}


def _secrets(parts: SplitResult, token: str | None) -> tuple[str, ...]:
    password = parts.password or ""
    found = {token or "", password, unquote(password)}
    found |= {value.split(" ", 1)[1] for value in _authorization(parts, token).values()}
    # The longest first, so that a secret inside another one leaves no rest behind.
    return tuple(sorted(found - {""}, key=len, reverse=True))


def _headers(system: str, further: Mapping[str, str]) -> dict[str, str]:
    # The libraries below quote a bad header in their message, secret included.
    for name, value in further.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise InputError(f"the header {name!r} for {system} holds characters it must not")
    return {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **further}
