"""GitLab's words; what others call a pull request is a merge request there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from generator.forge.session import Data, Session, message
from generator.forge.wire import Comment, Done, Merging, Moved, Not, NotYet
from generator.model.pull import Light, Opinion, Proposal, PullRequest, Review, State, Status

NEEDS = "use the API as a Developer of the project (scope api)"
_STATES = {"opened": State.OPEN, "locked": State.OPEN, "merged": State.MERGED}
_LIGHTS = {
    "pending": Light.PENDING,
    "running": Light.PENDING,
    "created": Light.PENDING,
    "success": Light.SUCCESS,
    "failed": Light.FAILURE,
    "canceled": Light.FAILURE,
}
_WORDS = {Light.PENDING: "pending", Light.SUCCESS: "success", Light.FAILURE: "failed"}
_SIZE = {"per_page": "100"}
# Mergeability is computed in the background.
_UNDECIDED = ("unchecked", "checking", "preparing", "approvals_syncing", "ci_still_running")


@dataclass
class GitLab:
    """One project on GitLab."""

    session: Session
    project: str
    _account: str = field(default="", init=False)

    @property
    def system(self) -> str:
        """Name the forge for people."""
        return self.session.system

    def path(self, rest: str) -> str:
        """Give a path below the project."""
        return f"/projects/{quote(self.project, safe='')}{rest}"

    def _mr(self, number: int, rest: str = "") -> str:
        return self.path(f"/merge_requests/{number}{rest}")

    def account(self) -> str:
        """Name the account under which we write."""
        if not self._account:
            found = self.session.get("/user", what="the own account")
            self._account = self.session.reading(lambda data: str(data["username"]), found)
        return self._account

    def _pulls(self, query: Mapping[str, str]) -> Iterator[PullRequest]:
        path = self.path("/merge_requests")
        for data in self.session.pages(path, {"state": "opened", **query}, _SIZE):
            # The branch of a fork may have any name.
            own = self.session.reading(
                lambda one: one["source_project_id"] == one["target_project_id"], data
            )
            if own:
                yield self.session.reading(_pull, data)

    def opened(self) -> Iterator[PullRequest]:
        """List the open merge requests from branches of the project itself."""
        return self._pulls({})

    def find(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another; there is at most one."""
        return self._pulls({"source_branch": branch, "target_branch": base})

    def past(self, branch: str, base: str) -> Iterator[PullRequest]:
        """List those of one branch into another, whatever became of them."""
        return self._pulls({"state": "all", "source_branch": branch, "target_branch": base})

    def read(self, number: int) -> PullRequest:
        """Read one."""
        return self.session.reading(_pull, self._raw(number))

    def _raw(self, number: int) -> Data:
        found: Data = self.session.get(self._mr(number), what=f"merge request {number}")
        return found

    def create(self, proposal: Proposal) -> PullRequest | None:
        """Open one; None where there is one for this branch already."""
        document = {
            "source_branch": proposal.branch,
            "target_branch": proposal.base,
            "title": proposal.title,
            "description": proposal.body,
            "labels": ",".join(proposal.labels),
        }
        what = f"opening a merge request for {proposal.branch}"
        reply = self.session.write("POST", self.path("/merge_requests"), document, what, (409,))
        if reply.status == 409:
            return None
        return self.session.reading(_pull, self.session.document(reply))

    def edit(self, number: int, title: str, body: str) -> None:
        """Write title and description anew."""
        document = {"title": title, "description": body}
        self.session.write("PUT", self._mr(number), document, f"writing merge request {number}")

    def label(self, number: int, labels: tuple[str, ...]) -> None:
        """Make these the only labels."""
        document = {"labels": ",".join(labels)}
        self.session.write("PUT", self._mr(number), document, f"labelling merge request {number}")

    def comments(self, number: int) -> Iterator[Comment]:
        """List the notes of people and machines, oldest first; not those of GitLab itself."""
        query = {"sort": "asc", "order_by": "created_at"}
        for data in self.session.pages(self._mr(number, "/notes"), query, _SIZE):
            if not self.session.reading(lambda one: bool(one["system"]), data):
                yield self.session.reading(_comment, data)

    def add_comment(self, number: int, text: str) -> None:
        """Write a note."""
        what = f"commenting merge request {number}"
        self.session.write("POST", self._mr(number, "/notes"), {"body": text}, what)

    def edit_comment(self, number: int, comment: int, text: str) -> None:
        """Write a note anew."""
        what = f"writing our note under merge request {number}"
        self.session.write("PUT", self._mr(number, f"/notes/{comment}"), {"body": text}, what)

    def statuses(self, head: str) -> Mapping[str, tuple[Light | None, str]]:
        """Give what every context shows last on a commit, and its text."""
        path = self.path(f"/repository/commits/{quote(head, safe='')}/statuses")
        found = list(self.session.pages(path, {}, _SIZE))
        return self.session.reading(_statuses, found)

    def set_status(self, head: str, status: Status) -> None:
        """Set a status."""
        document = {
            "state": _WORDS[status.light],
            "name": status.context,
            "description": status.text,
            **({"target_url": status.url} if status.url else {}),
        }
        what = f"setting {status.context} on {head[:12]}"
        path = self.path(f"/statuses/{quote(head, safe='')}")
        reply = self.session.write("POST", path, document, what, (400,))
        # GitLab refuses to set what is set already; another one may have been faster.
        if reply.status == 400 and "Cannot transition status" not in message(reply):
            raise self.session.refusal(reply, what)

    def reviews(self, pull: PullRequest) -> Iterator[Review]:
        """List the approvals; GitLab does not say of which commit, but when.

        An approval is of the head when it came after the push of it; where GitLab does not say
        when (before 18.5), it is of no known commit.
        """
        path = self._mr(pull.number, "/versions")
        pushed = list(self.session.pages(path, {}, _SIZE))
        found = self.session.get(self._mr(pull.number, "/approvals"), what="the approvals")
        yield from self.session.reading(lambda data: _reviews(pull, pushed, data), found)

    def merge(self, pull: PullRequest, message_text: str) -> Merging:
        """Merge if the head is that of `pull`."""
        document = {"sha": pull.head, "squash": False, "merge_commit_message": message_text}
        what = f"merging {pull.url}"
        takes = (401, 405, 406, 409, 422)
        reply = self.session.write("PUT", self._mr(pull.number, "/merge"), document, what, takes)
        if reply.is_ok:
            found = self.session.document(reply)
            return Done(self.session.reading(_pull, found).merged)
        if reply.status == 409:
            return Moved()
        said = self.session.http.hide(message(reply))
        if reply.status == 401:
            return Not(f"{said}: the token may not merge into {pull.base}")
        raw = self._raw(pull.number)
        state = self.session.reading(lambda data: str(data.get("detailed_merge_status")), raw)
        why = f"{said} ({state})"
        return NotYet(why) if state in _UNDECIDED else Not(why)

    def shut(self, number: int) -> None:
        """Close one."""
        document = {"state_event": "close"}
        self.session.write("PUT", self._mr(number), document, f"closing merge request {number}")

    def hang_up(self) -> None:
        """Close the connections."""
        self.session.http.close()


def _pull(data: Data) -> PullRequest:
    return PullRequest(
        number=int(data["iid"]),
        url=str(data["web_url"]),
        branch=str(data["source_branch"]),
        base=str(data["target_branch"]),
        head=str(data["sha"] or ""),
        title=str(data["title"]),
        body=str(data["description"] or "").replace("\r\n", "\n"),
        state=_STATES.get(str(data["state"]), State.CLOSED),
        author=str(data["author"]["username"]),
        labels=tuple(str(one) for one in data["labels"]),
        merged=str(data.get("merge_commit_sha") or ""),
    )


def _comment(data: Data) -> Comment:
    return Comment(int(data["id"]), str(data["author"]["username"]), str(data["body"]))


def _statuses(data: list[Data]) -> Mapping[str, tuple[Light | None, str]]:
    # The newest has the highest number, in whichever order they are listed.
    ordered = sorted(data, key=lambda one: int(one["id"]))
    return {
        str(one["name"]): (_LIGHTS.get(str(one["status"])), str(one["description"] or ""))
        for one in ordered
    }


def _reviews(pull: PullRequest, pushed: list[Data], data: Data) -> list[Review]:
    of_head = [one["created_at"] for one in pushed if one["head_commit_sha"] == pull.head]
    since = max(map(_time, of_head), default=None)
    found = []
    for one in data["approved_by"]:
        at = one.get("approved_at")
        counts = bool(at) and since is not None and _time(at) > since
        user, head = one["user"], pull.head if counts else ""
        is_bot = bool(user.get("bot"))
        found.append(Review(str(user["username"]), Opinion.APPROVED, head, is_bot))
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(str(text))
