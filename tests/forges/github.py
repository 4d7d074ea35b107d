"""GitHub, as its REST description and its habits go."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.forges.hub import HubForge
from tests.forges.project import Mark, Person, Pull
from tests.forges.server import Answer, Request

RIGHTS = {"write": "pull_requests=write", "merge": "contents=write", "status": "statuses=write"}


class GitHub(HubForge):
    """The API of GitHub Enterprise Server, which lies below /api/v3."""

    prefix = "/api/v3"
    app: Any = None

    def problem(self, status: int, text: str) -> Answer:
        if status == 401:
            text = "Bad credentials"
        return Answer(
            status, {"message": text, "documentation_url": "https://docs.github.com/rest"}
        )

    def forbidden(self, right: str) -> Answer:
        answer = self.problem(403, "Resource not accessible by personal access token")
        answer.headers["X-Accepted-GitHub-Permissions"] = RIGHTS[right]
        return answer

    def limited(self) -> Answer:
        answer = self.problem(403, "You have exceeded a secondary rate limit. Please wait.")
        answer.headers["Retry-After"] = "60"
        return answer

    def routes(self) -> list[Any]:
        more = [
            ("GET", "/app", lambda _: Answer(200, {"slug": "fleet-gate"})),
            ("GET", f"{self.repo}/installation", lambda _: Answer(200, {"id": 77})),
            ("POST", "/app/installations/77/access_tokens", self.token_for_app),
        ]
        return [*super().routes(), *more]

    def narrow(self, pull: Pull, request: Request) -> bool:
        owner, _, branch = request.query.get("head", "").partition(":")
        mine = (pull.fork or self.project.name).partition("/")[0]
        return (not owner or (owner, branch) == (mine, pull.branch)) and (
            request.query.get("base", pull.base) == pull.base
        )

    def create(self, request: Request) -> Answer:
        data, project = request.data, self.project
        if project.branches.head(data["head"]) is None:
            return self.invalid({"resource": "PullRequest", "field": "head", "code": "invalid"})
        if project.branches.head(data["head"]) == project.branches.head(data["base"]):
            return self.invalid(
                {"message": f"No commits between {data['base']} and {data['head']}"}
            )
        if project.twin(data["head"], data["base"]):
            owner = project.name.partition("/")[0]
            text = f"A pull request already exists for {owner}:{data['head']}."
            return self.invalid({"resource": "PullRequest", "code": "custom", "message": text})
        pull = project.open_pull(request.person, data["head"], data["title"], body=data["body"])
        return Answer(201, self.show(pull))

    def invalid(self, error: dict[str, str]) -> Answer:
        return Answer(422, {"message": "Validation Failed", "errors": [error]})

    def merge(self, request: Request) -> Answer:
        pull, project = self.project.numbered(request.number()), self.project
        assert pull
        if project.undecided > 0:
            return self.problem(405, "Pull Request is not mergeable")
        if pull.state != "open" or project.missing(project.head_of(pull), "success"):
            return self.problem(405, "Required status check is expected.")
        if request.data.get("sha") != project.head_of(pull):
            text = "Head branch was modified. Review and try the merge again."
            return self.problem(409, text)
        text = f"{request.data['commit_title']}\n\n{request.data['commit_message']}"
        return Answer(200, {"merged": True, "sha": project.merge(pull, text)})

    def show(self, pull: Pull) -> dict[str, Any]:
        # Whether it can be merged is found out when somebody asks.
        unknown = self.project.undecided > 0
        self.project.undecided = max(0, self.project.undecided - 1)
        return {**super().show(pull), "mergeable": None if unknown else True}

    def light(self, mark: Mark) -> dict[str, Any]:
        return {**super().light(mark), "state": mark.light}

    # -------------------------------------------------- an App

    def install(self) -> str:
        """Make an App with a key of its own; give the key."""
        self.app = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.app.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()

    def token(self, headers: Any) -> str:
        token = super().token(headers)
        return "jwt" if self.app and self.is_signed(token) else token

    def is_signed(self, token: str) -> bool:
        """Check a web token as GitHub does: signature, issuer, times."""
        if token.count(".") != 2:
            return False
        text, _, signature = token.rpartition(".")
        self.app.public_key().verify(
            decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        head, said = (json.loads(decoded(part)) for part in text.split("."))
        now = self.project.clock()
        assert head == {"alg": "RS256", "typ": "JWT"}
        return said["iss"] == "Iv1.fleet" and said["iat"] <= now < said["exp"] <= now + 600

    def token_for_app(self, request: Request) -> Answer:
        assert request.data["repositories"] == [self.project.name.partition("/")[2]]
        text = f"ghs_{self.project.next_id()}"
        self.project.people[text] = Person("fleet-gate[bot]", is_bot=True, is_anonymous=True)
        return Answer(201, {"token": text, "expires_at": "2026-11-20T09:00:00Z"})


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
