"""A real Gitea: people with tokens, and projects whose main branch is protected."""

import configparser
import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.bed import engines, ports
from tests.e2e.bed.cluster import Place
from tests.e2e.bed.fleet import Origin
from tests.e2e.bed.ports import LOOPBACK
from tests.e2e.bed.processes import plain

OWNER = "plants"
NAME = "gitea"
SCOPES = "write:issue,write:repository,read:user"
"""What docs say that a token of tidegate needs; nobody but the owner has more."""
_AS_ROOT = "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\n" if os.geteuid() == 0 else ""


@dataclass(frozen=True)
class Person:
    """An account."""

    name: str
    token: str = field(repr=False)


@dataclass
class Gitea:
    """The process, and who is known to it."""

    place: Place
    folder: Path
    port: int
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Give its web address."""
        return f"http://{LOOPBACK}:{self.port}"

    @classmethod
    def start(cls, place: Place) -> "Gitea":
        """Start one with nobody in it but the owner of the projects."""
        made = cls(place, place.folder / NAME, ports.free())
        made.folder.mkdir()
        made._configure()
        argv = [engines.path(NAME), "web", "--config", str(made._settings)]
        place.processes.start(NAME, argv, made._env)
        place.processes.wait(NAME, made.is_ready, 60)
        made.join(OWNER, "--admin", scopes="all")
        return made

    def is_ready(self) -> bool:
        """Say whether its API answers."""
        try:
            return httpx.get(f"{self.url}/api/v1/version", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def join(self, name: str, *words: str, scopes: str = SCOPES) -> Person:
        """Make an account with a token."""
        user = ("--username", name)
        mail = ("--email", f"{name}@example.com", "--must-change-password=false")
        self._admin("create", *user, *mail, "--password", secrets.token_hex(12), *words)
        token = self._admin("generate-access-token", *user, "--scopes", scopes, "--raw")
        self.people[name] = Person(name, token.split()[-1])  # warnings stand before it
        return self.people[name]

    def env(self, name: str) -> Mapping[str, str]:
        """Give what somebody has in the environment: for Git, and for the forge."""
        person, folder = self.people[name], self.folder / "people" / name
        config = folder / "gitconfig"
        if not config.exists():
            folder.mkdir(parents=True)
            kept = folder / "credentials"
            address = f"{LOOPBACK}:{self.port}"
            kept.write_text(f"http://{name}:{person.token}@{address}\n")
            kept.chmod(0o600)
            config.write_text(
                f"[user]\n  name = {name}\n  email = {name}@example.com\n"
                f'[credential "{self.url}"]\n  helper = store --file={kept}\n'
                "[safe]\n  directory = *\n"
            )
        return {
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_ALLOW_PROTOCOL": "file:http",
            "TIDEGATE_FORGE_TOKEN": person.token,
            "TIDEGATE_FORGE_URL": self.url,
        }

    def project(self, name: str, *writers: str) -> "Project":
        """Make an empty project that everybody can read."""
        self.ask(OWNER, "POST", "/user/repos", {"name": name, "private": False})
        made = Project(self, f"{OWNER}/{name}")
        for one in writers:
            document = {"permission": "write"}
            self.ask(OWNER, "PUT", f"{made.path}/collaborators/{one}", document)
        return made

    def ask(self, who: str, method: str, path: str, document: object = None) -> Any:
        """Call the API as somebody.

        Raises:
            httpx.HTTPStatusError: It is refused; the text has what Gitea says.
        """
        headers = {"Authorization": f"token {self.people[who].token}"}
        url = f"{self.url}/api/v1{path}"
        reply = httpx.request(
            method, url, json=document, headers=headers, timeout=30, trust_env=False
        )
        if not reply.is_success:
            text = f"{method} {path} as {who}: {reply.status_code} {reply.text}"
            raise httpx.HTTPStatusError(text, request=reply.request, response=reply)
        return reply.json() if reply.content else None

    @property
    def _settings(self) -> Path:
        return self.folder / "app.ini"

    @property
    def _env(self) -> Mapping[str, str]:
        return {"HOME": str(self.folder), "GITEA_WORK_DIR": str(self.folder)}

    def _admin(self, verb: str, *words: str) -> str:
        argv = [engines.path(NAME), "--config", str(self._settings), "admin", "user", verb]
        done = subprocess.run(
            [*argv, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=plain(self._env),
        )
        assert done.returncode == 0, f"gitea admin user {verb}: {done.stdout}{done.stderr}"
        return done.stdout

    def _configure(self) -> None:
        ini = configparser.ConfigParser(interpolation=None)
        ini.optionxform = str  # type: ignore[assignment, method-assign]
        files = engines.gitea_files()
        ini.read_dict(
            {
                "server": {
                    "PROTOCOL": "http",
                    "HTTP_ADDR": LOOPBACK,
                    "HTTP_PORT": str(self.port),
                    "ROOT_URL": f"{self.url}/",
                    "OFFLINE_MODE": "true",
                    "DISABLE_SSH": "true",
                    **({"STATIC_ROOT_PATH": str(files)} if files else {}),
                },
                "database": {"DB_TYPE": "sqlite3", "PATH": str(self.folder / "gitea.db")},
                "repository": {"ROOT": str(self.folder / "repositories")},
                "security": {"INSTALL_LOCK": "true"},
                "service": {"DISABLE_REGISTRATION": "true"},
                "actions": {"ENABLED": "false"},
                "webhook": {"ALLOWED_HOST_LIST": "loopback"},
                "log": {"LEVEL": "Warn", "MODE": "console"},
            }
        )
        with self._settings.open("w") as file:
            file.write(_AS_ROOT)
            ini.write(file)


@dataclass(frozen=True)
class Project:
    """One repository of the forge, and its pull requests."""

    gitea: Gitea
    name: str

    @property
    def path(self) -> str:
        """Give its path in the API."""
        return f"/repos/{self.name}"

    @property
    def url(self) -> str:
        """Give its address for Git."""
        return f"{self.gitea.url}/{self.name}.git"

    def origin(self, person: str) -> Origin:
        """Give it as somebody finds it."""
        bare = self.gitea.folder / "repositories" / f"{self.name}.git"
        return Origin(self.url, bare, self.gitea.env(person))

    def protect(self, pushers: tuple[str, ...], contexts: tuple[str, ...]) -> None:
        """Let main be entered by approved and checked pull requests, and by pushes of a few."""
        document = {
            "rule_name": "main",
            "enable_push": True,
            "enable_push_whitelist": True,
            "push_whitelist_usernames": list(pushers),
            "required_approvals": 1,
            "dismiss_stale_approvals": True,
            "enable_status_check": True,
            "status_check_contexts": list(contexts),
        }
        self.gitea.ask(OWNER, "POST", f"{self.path}/branch_protections", document)

    def pull(self, number: int) -> Mapping[str, Any]:
        """Read a pull request."""
        found: Mapping[str, Any] = self.gitea.ask(OWNER, "GET", f"{self.path}/pulls/{number}")
        return found

    def pulls(self, state: str = "open") -> list[Mapping[str, Any]]:
        """List pull requests, the newest first."""
        path = f"{self.path}/pulls?state={state}&limit=50"
        found: list[Mapping[str, Any]] = self.gitea.ask(OWNER, "GET", path)
        return found

    def open(self, who: str, branch: str, title: str) -> int:
        """Open a pull request by hand."""
        document = {"head": branch, "base": "main", "title": title}
        return int(self.gitea.ask(who, "POST", f"{self.path}/pulls", document)["number"])

    def approve(self, who: str, number: int) -> None:
        """Approve the newest commit."""
        head = self.pull(number)["head"]["sha"]
        document = {"event": "APPROVED", "commit_id": head, "body": "fine"}
        self.gitea.ask(who, "POST", f"{self.path}/pulls/{number}/reviews", document)

    def merge(self, who: str, number: int) -> str:
        """Merge the newest commit; "" is done, else what Gitea says against it."""
        head = self.pull(number)["head"]["sha"]
        document = {"Do": "merge", "head_commit_id": head}
        try:
            self.gitea.ask(who, "POST", f"{self.path}/pulls/{number}/merge", document)
        except httpx.HTTPStatusError as error:
            return str(json.loads(error.response.text)["message"])
        return ""

    def comments(self, number: int) -> list[Mapping[str, Any]]:
        """List the comments of a pull request, oldest first."""
        path = f"{self.path}/issues/{number}/comments"
        found: list[Mapping[str, Any]] = self.gitea.ask(OWNER, "GET", path)
        return found

    def marks(self, commit: str) -> Mapping[str, str]:
        """Read the newest status of each context of a commit."""
        path = f"{self.path}/commits/{commit}/status"
        found = self.gitea.ask(OWNER, "GET", path)["statuses"] or ()
        return {one["context"]: one["status"] for one in found}
