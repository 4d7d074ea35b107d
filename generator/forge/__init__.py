"""The door to GitHub, GitLab, Gitea and Forgejo: pull requests over plain HTTP.

Promises. A token goes to the origin that it was given for and nowhere else: redirects are not
followed, addresses in answers are not either. It stands in no error. Nothing is made twice: what
is there is looked for first, a pull request by its branch, a comment by its first line and its
author. A call that failed may have been carried out; doing the same again finds that out. Limits
are waited for as long as that is short, calls that make something new are counted, and no call is
without an end. A `Door` belongs to one thread.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from generator.errors import InputError
from generator.forge import gitea, github, gitlab
from generator.forge.budget import Budget
from generator.forge.credentials import App, Credential, Token
from generator.forge.door import Door
from generator.forge.hub import Hub
from generator.forge.session import Session
from generator.http import Http, Limits
from generator.model.forge import PUBLIC, ForgePlace

NAMES = {"github": "GitHub", "gitlab": "GitLab", "gitea": "Gitea"}
LIMITS = Limits(total_s=30.0, body_bytes=32 * 2**20, attempts=1)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What somebody gave us to show to one forge.

    Attributes:
        origin: Web address that it is for; "" means the public one of that kind.
        token: A token, or "".
        client: Client id of an App of GitHub, or "".
        key: The App's private key in PEM, or "".
    """

    origin: str = ""
    token: str = field(default="", repr=False)
    client: str = ""
    key: str = field(default="", repr=False)


def connect(
    place: ForgePlace,
    secrets: Secrets,
    clock: Callable[[], datetime],
    *,
    pause: Callable[[float], None] = time.sleep,
    budget: Budget | None = None,
) -> Door:
    """Open one project on one forge; nothing is asked yet.

    Args:
        place: Where Git says that it is.
        secrets: What may be shown, and to whom.
        clock: Gives the time, UTC.
        pause: Waits for seconds.
        budget: Counts what is made new, where several doors share one account.

    Raises:
        InputError: There is no token, or Git names another place than the token is for.
    """
    allowed = secrets.origin.rstrip("/") or PUBLIC.get(place.kind, "")
    if allowed != place.url:
        given = f"is for {allowed}" if allowed else "is for no place yet"
        raise InputError(
            f"tidegate.yaml names the forge {place.url}, but the token {given}",
            hint=f"set TIDEGATE_FORGE_URL={place.url} if the token may go there",
        )
    headers = github.HEADERS if place.kind == "github" else {}
    http = Http(NAMES[place.kind], place.api, jitter=random.random, headers=headers, limits=LIMITS)
    credential = _credential(place, secrets, http, clock)
    needs = {"github": github.NEEDS, "gitlab": gitlab.NEEDS, "gitea": gitea.NEEDS}[place.kind]
    counted = budget or Budget(time.monotonic)
    session = Session(http, credential, counted, needs, pause)
    if place.kind == "gitlab":
        return Door(gitlab.GitLab(session, place.project), pause)
    dialect = github.GitHub() if place.kind == "github" else gitea.Gitea()
    return Door(Hub(session, place.project, dialect), pause)


def _credential(
    place: ForgePlace, secrets: Secrets, http: Http, clock: Callable[[], datetime]
) -> Credential:
    if secrets.token:
        return Token(secrets.token)
    if place.kind == "github" and secrets.client and secrets.key:
        return App(http, place.project, secrets.client, secrets.key, clock)
    hint = "set TIDEGATE_FORGE_TOKEN"
    if place.kind == "github":
        hint += ", or TIDEGATE_FORGE_APP and TIDEGATE_FORGE_APP_KEY"
    raise InputError(f"there is no token for {NAMES[place.kind]}", hint=hint)
