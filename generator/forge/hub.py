"""The words that GitHub, Gitea and Forgejo have in common; what differs is a `Dialect`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from generator.errors import InputError
from generator.forge.session import Data, Session
from generator.forge.session import message as told
from generator.forge.wire import Comment, Merging
from generator.model.pull import (
    Light,
    Opinion,
    Proposal,
    PullRequest,
    Review,
    State,
    Status,
)

ACTIONS = "github-actions[bot]"
_LIGHTS = {"error": Light.FAILURE, **{light.value: light for light in Light}}


class Dialect(Protocol):
    """What differs between the forges that speak alike."""

    @property
    def size(self) -> Mapping[str, str]:
        """Ask for the longest pages."""

    @property
    def opinions(self) -> Mapping[str, Opinion]:
        """Translate the states of reviews."""

    @property
    def duplicate(self) -> int:
        """Name the status of a second pull request for one branch."""

    def narrow(self, project: str, branch: str, base: str) -> Mapping[str, str]:
        """Ask for the pull requests of one branch, as far as the forge can."""

    def past(self, session: Session, project: str, branch: str, base: str) -> Iterator[Data]:
        """List all that ever came from one branch."""

    def labels(self, session: Session, project: str, labels: tuple[str, ...]) -> None:
        """Make the labels that are not there, where the forge does not."""

    def merging(self, pull: PullRequest, message: str) -> tuple[str, object]:
        """Give method and document of a merge."""

    def merged(self, status: int, said: str, read: Callable[[], Data]) -> Merging:
        """Read what came of it; `read` gives the pull request as it is now."""


@dataclass
class Hub:
    """One repository."""

    session: Session
    project: str
    dialect: Dialect
    _account: str = field(default="", init=False)

    @property
    def system(self) -> str:
        """Name the forge for people."""
        return self.session.system

    def account(self) -> str:
        """Name the account under which we write; a workflow's own token cannot ask."""
        self._account = self._account or self.session.credential.account
        if not self._account:
            reply = self.session.ask("GET", "/user", "asking for the own account", takes=(403,))
            found = self.session.document(reply) if reply.is_ok else {"login": ACTIONS}
            self._account = self.session.reading(lambda data: str(data["login"]), found)
        return self._account

    def path(self, rest: str) -> str:
        """Give a path below the repository."""
        return f"/repos/{self.project}{rest}"

    def _pulls(self, query: Mapping[str, str]) -> Iterator[PullRequest]:
        for data in self.session.pages(self.path("/pulls"), query, self.dialect.size):
            if self.session.reading(self._is_own, data):
                yield self.session.reading(self.pull, data)

    def _is_own(self, data: Data) -> bool:
        # The repository of a fork that was deleted is null.
        repo = data["head"]["repo"]
        return repo is not None and str(repo["full_name"]).lower() == self.project.lower()

    def opened(self) -> Iterator[PullRequest]:
        """List the open pull requests from branches of the project itself."""
        return self._pulls({"state": "open"})

    def find(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another; there is at most one."""
        query = self.dialect.narrow(self.project, branch, base)
        return self._pulls({"state": "open", **query})

    def past(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another, whatever became of them."""
        for data in self.dialect.past(self.session, self.project, branch, base):
            if self.session.reading(self._is_own, data):
                yield self.session.reading(self.pull, data)

    def read(self, number: int) -> PullRequest:
        """Read one."""
        return self.session.reading(self.pull, self._raw(number))

    def _raw(self, number: int) -> Data:
        path, what = self.path(f"/pulls/{number}"), f"pull request {number}"
        found: Data = self.session.get(path, what=what)
        return found

    def create(self, proposal: Proposal) -> PullRequest | None:
        """Open one; None where there is one for this branch already."""
        document = {
            "title": proposal.title,
            "head": proposal.branch,
            "base": proposal.base,
            "body": proposal.body,
        }
        what = f"opening a pull request for {proposal.branch}"
        takes = (self.dialect.duplicate,)
        reply = self.session.write("POST", self.path("/pulls"), document, what, takes)
        if reply.is_ok:
            return self.session.reading(self.pull, self.session.document(reply))
        said = told(reply)
        if "already exists" in said:
            return None
        raise InputError(f"{self.system} refuses {what}: {self.session.http.hide(said)}")

    def edit(self, number: int, title: str, body: str) -> None:
        """Write title and body anew."""
        document = {"title": title, "body": body}
        what = f"writing pull request {number}"
        self.session.write("PATCH", self.path(f"/pulls/{number}"), document, what)

    def label(self, number: int, labels: tuple[str, ...]) -> None:
        """Make these the only labels."""
        self.dialect.labels(self.session, self.project, labels)
        path = self.path(f"/issues/{number}/labels")
        what = f"labelling pull request {number}"
        self.session.write("PUT", path, {"labels": list(labels)}, what)

    def comments(self, number: int) -> Iterator[Comment]:
        """List the comments, oldest first."""
        for data in self.session.pages(
            self.path(f"/issues/{number}/comments"), {}, self.dialect.size
        ):
            yield self.session.reading(_comment, data)

    def add_comment(self, number: int, text: str) -> None:
        """Write a comment."""
        path = self.path(f"/issues/{number}/comments")
        self.session.write("POST", path, {"body": text}, f"commenting pull request {number}")

    def edit_comment(self, number: int, comment: int, text: str) -> None:
        """Write a comment anew."""
        path = self.path(f"/issues/comments/{comment}")
        what = f"writing our comment under pull request {number}"
        self.session.write("PATCH", path, {"body": text}, what)

    def statuses(self, head: str) -> Mapping[str, tuple[Light | None, str]]:
        """Give what every context shows last on a commit, and its text."""
        path = self.path(f"/commits/{quote(head, safe='')}/status")
        found = self.session.get(path, self.dialect.size, f"the statuses of {head[:12]}")
        return self.session.reading(_statuses, found)

    def set_status(self, head: str, status: Status) -> None:
        """Set a status."""
        document = {
            "state": status.light.value,
            "context": status.context,
            "description": status.text,
            **({"target_url": status.url} if status.url else {}),
        }
        what = f"setting {status.context} on {head[:12]}"
        path = self.path(f"/statuses/{quote(head, safe='')}")
        self.session.write("POST", path, document, what)

    def reviews(self, pull: PullRequest) -> Iterator[Review]:
        """List what reviewers said, oldest first; a remark changes no opinion."""
        path = self.path(f"/pulls/{pull.number}/reviews")
        for data in self.session.pages(path, {}, self.dialect.size):
            found = self.session.reading(self.review, data)
            if found is not None:
                yield found

    def review(self, data: Data) -> Review | None:
        """Read one review; None for a remark, or for one that was dismissed."""
        opinion = self.dialect.opinions.get(str(data["state"]))
        if opinion is None or data.get("dismissed") or data["user"] is None:
            return None
        is_bot = data["user"].get("type") == "Bot"
        return Review(str(data["user"]["login"]), opinion, str(data["commit_id"] or ""), is_bot)

    def merge(self, pull: PullRequest, message: str) -> Merging:
        """Merge if the head is that of `pull`."""
        method, document = self.dialect.merging(pull, message)
        path, what = self.path(f"/pulls/{pull.number}/merge"), f"merging {pull.url}"
        reply = self.session.write(method, path, document, what, (405, 409))
        said = self.session.http.hide(told(reply))
        return self.session.reading(
            lambda read: self.dialect.merged(reply.status, said, read),
            lambda: self._raw(pull.number),
        )

    def shut(self, number: int) -> None:
        """Close one."""
        path = self.path(f"/pulls/{number}")
        self.session.write("PATCH", path, {"state": "closed"}, f"closing pull request {number}")

    def hang_up(self) -> None:
        """Close the connections."""
        self.session.http.close()

    def pull(self, data: Data) -> PullRequest:
        """Read one pull request."""
        is_merged = bool(data.get("merged_at"))
        return PullRequest(
            number=int(data["number"]),
            url=str(data["html_url"]),
            branch=str(data["head"]["ref"]),
            base=str(data["base"]["ref"]),
            head=str(data["head"]["sha"]),
            title=str(data["title"]),
            body=str(data["body"] or "").replace("\r\n", "\n"),
            state=State.MERGED if is_merged else State(data["state"]),
            author=str(data["user"]["login"]),
            labels=tuple(str(one["name"]) for one in data["labels"] or ()),
            merged=str(data.get("merge_commit_sha") or "") if is_merged else "",
        )


def _comment(data: Data) -> Comment:
    author = data["user"]["login"] if data["user"] else ""
    return Comment(int(data["id"]), str(author), str(data["body"] or ""))


def _statuses(data: Data) -> Mapping[str, tuple[Light | None, str]]:
    return {
        str(one["context"]): (
            # Gitea calls the same thing `status`.
            _LIGHTS.get(str(one.get("state") or one.get("status"))),
            str(one["description"] or ""),
        )
        for one in data["statuses"] or ()
    }
