"""What a forge is shown to believe us: a token, or an App of GitHub that makes its own.

Nothing here is ever written down, and nothing is sent anywhere but to the one configured origin.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from generator.errors import InputError
from generator.http import Http

RENEW_BEFORE = timedelta(minutes=5)
# GitHub takes ten minutes at most, and its clock may be behind ours.
_VALID = timedelta(minutes=9)
_SKEW = timedelta(minutes=1)
_NEVER = datetime.min.replace(tzinfo=UTC)
PERMISSIONS = {"contents": "read", "pull_requests": "write", "statuses": "write"}


class Credential(Protocol):
    """Gives the token of the next call."""

    def token(self) -> str:
        """Give a token that is valid now."""

    @property
    def account(self) -> str:
        """Name the account that it stands for; "" where only the forge knows."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that somebody made."""

    text: str = field(repr=False)
    account: str = ""

    def token(self) -> str:
        """Give it."""
        return self.text


@dataclass
class App:
    """An App of GitHub: it signs for itself and gets a token of one hour for one repository.

    Attributes:
        http: The API of GitHub, without a token.
        project: `owner/name`.
        client: Client id or number of the App.
        key: Its private key in PEM.
        clock: Gives the time, UTC.
    """

    http: Http
    project: str
    client: str
    key: str = field(repr=False)
    clock: Callable[[], datetime]
    _token: str = field(default="", repr=False)
    _ends: datetime = _NEVER
    _slug: str = ""

    def token(self) -> str:
        """Give the token, a new one shortly before the old one ends.

        Raises:
            InputError: The key or the App is not accepted, or nothing here can sign.
            RemoteError: GitHub does not answer.
        """
        if self.clock() + RENEW_BEFORE >= self._ends:
            self._renew()
        return self._token

    @property
    def account(self) -> str:
        """Name the account under which an App writes."""
        if not self._slug:
            self._slug = str(self._ask("GET", "/app")["slug"])
        return f"{self._slug}[bot]"

    def _renew(self) -> None:
        owner, _, name = self.project.partition("/")
        found = self._ask("GET", f"/repos/{owner}/{name}/installation")
        wanted = {"repositories": [name], "permissions": PERMISSIONS}
        made = self._ask("POST", f"/app/installations/{int(found['id'])}/access_tokens", wanted)
        self._token = str(made["token"])
        self._ends = datetime.fromisoformat(str(made["expires_at"]))

    def _ask(self, method: str, path: str, document: object = None) -> Mapping[str, Any]:
        signed = sign(self.key, claims(self.client, self.clock()))
        reply = self.http.send(method, path, document=document, token=signed)
        if reply.status >= 500 or reply.status == 429:
            raise self.http.error(f"status {reply.status}: {reply.excerpt()}")
        if not reply.is_ok:
            raise InputError(
                f"GitHub does not accept the App {self.client!r} for {self.project}: "
                + self.http.hide(reply.excerpt()),
                hint="install it on that repository, with the key of that very App",
            )
        try:
            found = json.loads(reply.body)
            return {
                key: found[key] for key in ("id", "slug", "token", "expires_at") if key in found
            }
        except (ValueError, TypeError) as error:
            raise self.http.error("its answer is not understood") from error


def claims(client: str, now: datetime) -> Mapping[str, object]:
    """Say who signs, and until when."""
    begins, ends = int((now - _SKEW).timestamp()), int((now + _VALID).timestamp())
    return {"iat": begins, "exp": ends, "iss": client}


def sign(key: str, said: Mapping[str, object]) -> str:
    """Sign claims as a JSON web token by RS256.

    Raises:
        InputError: The key is no RSA key, or nothing is installed that can sign.
    """
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        hint = "pip install cryptography, or give a token instead"
        raise InputError("nothing here can sign for an App of GitHub", hint=hint) from error
    try:
        opened = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        opened = None
    if not isinstance(opened, rsa.RSAPrivateKey):
        # The library's own message may quote the key.
        hint = "take the .pem file that GitHub made for the App"
        raise InputError("the App's key is not an RSA key in PEM", hint=hint) from None
    parts = ({"alg": "RS256", "typ": "JWT"}, dict(said))
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(opened.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
