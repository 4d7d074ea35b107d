"""The dialect of Gitea and Forgejo."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from generator.forge.session import Data, Session
from generator.forge.wire import Done, Merging, Moved, Not, NotYet
from generator.model.pull import Opinion, PullRequest

NEEDS = "write issues and the repository (write:issue, write:repository), and read:user"
COLOUR = "#0e7490"
MOST_PAST = 200
# Words of a refusal that passes: mergeability is computed in the background, or a push raced.
_PASSING = ("try again later", "merge push out of date")


@dataclass(frozen=True, slots=True)
class Gitea:
    """What Gitea calls things."""

    @property
    def size(self) -> Mapping[str, str]:
        """Ask for the longest pages."""
        return {"limit": "50"}

    @property
    def opinions(self) -> Mapping[str, Opinion]:
        """Translate the states of reviews."""
        return {"APPROVED": Opinion.APPROVED, "REQUEST_CHANGES": Opinion.CHANGES}

    @property
    def duplicate(self) -> int:
        """Name the status of a second pull request for one branch."""
        return 409

    def narrow(self, project: str, branch: str, base: str) -> Mapping[str, str]:  # noqa: ARG002 (the port's words)
        """Ask for all of them: Gitea cannot look for a branch."""
        return {}

    def past(self, session: Session, project: str, branch: str, base: str) -> Iterator[Data]:
        """List what came from one branch: the oldest by its name, others if it is asked for more.

        A branch that is gone stands in `label` only, and no list can be narrowed to it.
        """
        path = f"/repos/{project}/pulls"
        name = f"{path}/{quote(base, safe='')}/{quote(branch)}"
        reply = session.ask("GET", name, f"the pull request of {branch}", takes=(404,))
        if reply.is_ok:
            yield session.document(reply)
            query = {"state": "closed", "sort": "recentupdate", "base_branch": base}
            for data in islice(session.pages(path, query, self.size), MOST_PAST):
                if session.reading(lambda one: str(one["head"]["label"]) == branch, data):
                    yield data

    def labels(self, session: Session, project: str, labels: tuple[str, ...]) -> None:
        """Make the labels that are not there: Gitea leaves unknown ones out without a word."""
        path = f"/repos/{project}/labels"
        listed = session.pages(path, {}, self.size)
        known = {session.reading(lambda data: str(data["name"]), one) for one in listed}
        for name in labels:
            if name not in known:
                document = {"name": name, "color": COLOUR}
                session.write("POST", path, document, f"making the label {name}")

    def merging(self, pull: PullRequest, message: str) -> tuple[str, object]:
        """Give method and document of a merge."""
        title, _, text = message.partition("\n")
        return "POST", {
            "Do": "merge",
            "head_commit_id": pull.head,
            "MergeTitleField": title,
            "MergeMessageField": text.strip(),
        }

    def merged(self, status: int, said: str, read: Callable[[], Data]) -> Merging:
        """Read what came of it."""
        if status == 200:
            return Done(str(read()["merge_commit_sha"] or ""))
        words = said.lower()
        if status == 409 and "head out of date" in words:
            return Moved()
        return NotYet(said) if any(one in words for one in _PASSING) else Not(said)
