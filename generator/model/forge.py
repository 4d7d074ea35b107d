"""Where pull requests are opened: the part of `tidegate.yaml` that says so."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

KINDS = ("none", "github", "gitlab", "gitea")
PUBLIC = {"github": "https://github.com", "gitlab": "https://gitlab.com"}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ForgePlace:
    """One project on one forge.

    Attributes:
        kind: "none", "github", "gitlab" or "gitea" (Forgejo, too).
        url: Web address of the forge, without a slash at its end.
        project: `owner/name`; on GitLab groups may lie in between.
    """

    kind: str = "none"
    url: str = ""
    project: str = ""

    def __post_init__(self) -> None:
        """Refuse a place that cannot be asked.

        Raises:
            ValueError: A part is missing or could mean another address.
        """
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(KINDS)}")
        if not self.is_there:
            return
        parts = self.project.split("/")
        if not all(_PART.fullmatch(part) and not part.endswith((".git", ".")) for part in parts):
            raise ValueError(f"forge.project {self.project!r} is not a project such as acme/fleet")
        if len(parts) < 2 or (len(parts) > 2 and self.kind != "gitlab"):
            raise ValueError(f"forge.project {self.project!r}: write owner/name")
        where = urlsplit(self.url)
        if where.scheme not in ("http", "https") or not where.hostname:
            raise ValueError("forge.url is missing: write the web address of the forge")
        if where.query or where.fragment or self.url.endswith("/"):
            raise ValueError("forge.url ends after the host, or a path, without a slash")

    @property
    def is_there(self) -> bool:
        """Say whether there is a forge at all."""
        return self.kind != "none"

    @property
    def page(self) -> str:
        """Give the web address of the project."""
        return f"{self.url}/{self.project}"

    def file(self, commit: str, path: str) -> str:
        """Give the web address of a file as it is at a commit."""
        words = {"github": "blob", "gitlab": "-/blob"}
        return f"{self.page}/{words.get(self.kind, 'src/commit')}/{commit}/{quote(path)}"

    @property
    def api(self) -> str:
        """Give the base address of the API."""
        match self.kind:
            case "github":
                public = self.url == PUBLIC["github"]
                return "https://api.github.com" if public else f"{self.url}/api/v3"
            case "gitlab":
                return f"{self.url}/api/v4"
            case _:
                return f"{self.url}/api/v1"


NO_FORGE = ForgePlace()
