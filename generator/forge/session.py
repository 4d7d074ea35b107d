"""Talk to one forge: limits honoured, new things counted, a refusal told apart from "later"."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from generator.errors import InputError, RemoteError
from generator.forge.budget import Budget
from generator.forge.credentials import Credential
from generator.http import Http, Reply, clean

T = TypeVar("T")
MOST_PAGES = 50
READS = 3
PATIENCE_S = 90.0
UNSAID_S = 60.0  # where a limit does not say when it ends
FIRST_PAUSE_S = 0.5
_LIMITS = ("rate limit", "abuse detection")
Answer = Any  # what json.loads gives; `Session.reading` guards every look into it
Data = Mapping[str, Any]


@dataclass
class Session:
    """One forge under one credential.

    Attributes:
        http: Its API, without a token of its own.
        credential: Gives the token.
        budget: Counts what makes something new.
        needs: What the token must be allowed, for people.
        pause: Waits for seconds.
        patience_s: Longest wait for a limit to end, before it is "again later".
    """

    http: Http
    credential: Credential
    budget: Budget
    needs: str
    pause: Callable[[float], None] = time.sleep
    patience_s: float = PATIENCE_S

    @property
    def system(self) -> str:
        """Name the forge."""
        return self.http.system

    def get(self, path: str, query: Mapping[str, str] | None = None, what: str = "") -> Answer:
        """Read one document.

        Raises:
            InputError: It is refused.
            RemoteError: Later it may be given.
        """
        return self.document(self.ask("GET", path, what or f"reading {path}", query=query))

    def pages(self, path: str, query: Mapping[str, str], size: Mapping[str, str]) -> Iterator[Any]:
        """Read the entries of a list, page after page, from the configured address only.

        Raises:
            InputError: It is refused.
            RemoteError: Later it may be given, or it has no end.
        """
        for page in range(1, MOST_PAGES + 1):
            asked = {**query, **size, "page": str(page)}
            reply = self.ask("GET", path, f"listing {path}", query=asked)
            found = self.document(reply)
            if not isinstance(found, list):
                raise self.http.error("its answer is not a list")
            yield from found
            if not _has_next(reply):
                return
        raise self.http.error(f"{path} has more than {MOST_PAGES} pages")

    def write(
        self, method: str, path: str, document: object, what: str, takes: Collection[int] = ()
    ) -> Reply:
        """Make or change something, once.

        Args:
            method: POST, PUT, PATCH or DELETE.
            path: Below the API.
            document: What to send.
            what: For people, such as "opening a pull request".
            takes: Further status codes that the caller understands.

        Raises:
            InputError: It is refused.
            RemoteError: Later it may be taken; whether it was, nobody knows.
        """
        return self.ask(method, path, what, document=document, takes=takes)

    def ask(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        document: object = None,
        takes: Collection[int] = (),
    ) -> Reply:
        """Call once; wait where a limit ends soon, and read again where the network failed.

        Raises:
            InputError: It is refused.
            RemoteError: Later it may work.
        """
        left_s = self.patience_s
        while True:
            if method != "GET":
                left_s = self._wait(self.budget.wait_s(), left_s, "too much was made new already")
                self.budget.spend()
            reply = self._call(method, path, query, document)
            wait_s = limited_s(reply)
            if wait_s is None:
                break
            left_s = self._wait(wait_s, left_s, "it limits how often it may be asked")
        if reply.is_ok or reply.status in takes:
            return reply
        raise self.refusal(reply, what)

    def _call(
        self, method: str, path: str, query: Mapping[str, str] | None, document: object
    ) -> Reply:
        """Call once; what only reads may be repeated."""
        tries = READS if method == "GET" else 1
        for number in range(tries):
            token = self.credential.token()
            try:
                reply = self.http.send(method, path, query=query, document=document, token=token)
                if reply.status < 500:
                    return reply
                raise self.http.error(f"status {reply.status}: {reply.excerpt()}")
            except RemoteError:
                if number + 1 == tries:
                    raise
            self.pause(FIRST_PAUSE_S * 2**number)
        raise AssertionError("at least one try")

    def _wait(self, wait_s: float, left_s: float, why: str) -> float:
        """Wait, if there is so much patience left; give what is left then."""
        if wait_s > left_s:
            raise self.http.error(f"{why}; again in {round(wait_s)} s")
        if wait_s > 0:
            self.pause(wait_s)
        return left_s - wait_s

    def reading(self, read: Callable[[Answer], T], found: Answer) -> T:
        """Turn a foreign document into a value.

        Raises:
            RemoteError: It has another form than the forge's own description says.
        """
        try:
            return read(found)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise self.http.error("its answer is not understood") from error

    def document(self, reply: Reply) -> Answer:
        """Read the document of a reply.

        Raises:
            RemoteError: It is none.
        """
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise self.http.error("its answer is not JSON") from error

    def refusal(self, reply: Reply, what: str) -> InputError:
        """Say why something is refused, and what a person can do."""
        said = self.http.hide(message(reply))
        match reply.status:
            case 401:
                hint = f"set TIDEGATE_FORGE_TOKEN to a valid token that may {self.needs}"
                return InputError(f"{self.system} does not accept the token: {said}", hint=hint)
            case 403:
                asked = clean(reply.headers.get("x-accepted-github-permissions", ""))
                hint = f"the token must be allowed to {asked or self.needs}"
                return InputError(f"{self.system} refuses {what}: {said}", hint=hint)
            case 404:
                hint = f"correct forge: in tidegate.yaml, or give a token that may {self.needs}"
                text = f"{self.system} shows nothing for {what}: it is not there, or is hidden"
                return InputError(text, hint=hint)
            case _:
                return InputError(f"{self.system} refuses {what}: {said} ({reply.status})")


def limited_s(reply: Reply) -> float | None:
    """Say how long a limit wants us to wait; None where no limit was met."""
    if reply.status not in (403, 429):
        return None
    headers = reply.headers
    after = headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    used_up = "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining"))
    if used_up:
        reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset", "")
        return _until(reset, headers.get("date", ""))
    if reply.status == 429 or any(word in message(reply).lower() for word in _LIMITS):
        return UNSAID_S
    return None


def _until(reset: str, date: str) -> float:
    """Count from the forge's own clock, which need not be ours."""
    try:
        return max(1.0, float(reset) - parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError):
        return UNSAID_S


def message(reply: Reply) -> str:
    """Give the forge's own words for an error as one line."""
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return reply.excerpt()
    if not isinstance(found, dict):
        return reply.excerpt()
    said = [found.get("message") or found.get("error") or ""]
    errors = found.get("errors")
    said += errors if isinstance(errors, list) else []
    texts = (one.get("message", "") if isinstance(one, dict) else one for one in said)
    return clean(": ".join(str(text) for text in texts if text)) or f"status {reply.status}"


def _has_next(reply: Reply) -> bool:
    following = reply.headers.get("x-next-page")
    if following is not None:
        return following != ""
    return 'rel="next"' in reply.headers.get("link", "")
