"""Where artifacts lie: a URI without credentials, compared with the allow-list.

An entry of the allow-list is a scheme (`mlflow-artifacts:`), an origin (`s3://models`) or a
prefix (`s3://models/vision`). A scheme alone covers only URIs that name no host, so that
it never lets a registry choose where credentials are sent.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}", re.ASCII)
_USER = re.compile(r"//[^/?#\s]*@")
_QUERY = re.compile(r"(://[^\s?#]*)\?[^\s#]*")


def mask(text: str) -> str:
    """Hide user names, passwords and queries of every URI in a text."""
    return _QUERY.sub(r"\1?***", _USER.sub("//***@", text))


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed artifact URI.

    Attributes:
        scheme: Lower case, without the colon.
        host: Host and port, bucket, or container; "" where the URI names none.
        path: Percent-encoded, without the trailing slash.
    """

    scheme: str
    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Read a URI; a bare absolute path is a `file:` URI.

        Raises:
            ValueError: It has no scheme, or holds credentials, a query, a climb or control
                characters.
        """
        shown = mask(text)[:200]
        if not text.isprintable():
            raise ValueError(f"location {shown!a} holds control characters")
        if text.startswith("/"):
            return cls("file", "", _inside(quote(text), shown))
        parts = urlsplit(text)
        if not _SCHEME.fullmatch(parts.scheme):
            raise ValueError(f"location {shown!a} is not a URI with a scheme")
        if parts.query or parts.fragment or _holds_credentials(parts.scheme, parts.netloc):
            raise ValueError(f"location {shown!a} holds credentials or a query")
        return cls(parts.scheme, parts.netloc.lower(), _inside(parts.path, shown))

    def __str__(self) -> str:
        """Write the URI."""
        return f"{self.origin}{self.path}"

    @property
    def origin(self) -> str:
        """Write scheme and host: what the allow-list has to name."""
        return f"{self.scheme}://{self.host}" if self.host else f"{self.scheme}:"

    def is_allowed(self, entries: Iterable["Location"]) -> bool:
        """Tell whether one entry covers this location."""
        return any(self._is_under(entry) for entry in entries)

    def _is_under(self, entry: "Location") -> bool:
        same = (self.scheme, self.host) == (entry.scheme, entry.host)
        return same and f"{self.path}/".startswith(f"{entry.path}/")


def parse_allowed(entries: Iterable[str]) -> tuple[Location, ...]:
    """Read an allow-list; a bare word is a scheme.

    Raises:
        ValueError: An entry is not a scheme, origin or prefix.
    """
    return tuple(Location.parse(f"{text}:" if ":" not in text else text) for text in entries)


def _inside(path: str, shown: str) -> str:
    if ".." in unquote(path).replace("\\", "/").split("/"):
        raise ValueError(f"location {shown!a} climbs with ..")
    return path.rstrip("/")


def _holds_credentials(scheme: str, netloc: str) -> bool:
    # Azure and others write CONTAINER@ACCOUNT; a colon before the @ is a password everywhere.
    user, at, _ = netloc.rpartition("@")
    return bool(at) and (":" in user or scheme in ("http", "https", "mlflow-artifacts", "ftp"))
