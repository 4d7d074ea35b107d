"""GitHub's dialect (REST, version 2022-11-28), also that of GitHub Enterprise Server."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from generator.forge.session import Data, Session
from generator.forge.wire import Done, Merging, Moved, Not, NotYet
from generator.model.pull import Opinion, PullRequest

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
NEEDS = "write pull requests and commit statuses, and read contents"


@dataclass(frozen=True, slots=True)
class GitHub:
    """What GitHub calls things."""

    @property
    def size(self) -> Mapping[str, str]:
        """Ask for the longest pages."""
        return {"per_page": "100"}

    @property
    def opinions(self) -> Mapping[str, Opinion]:
        """Translate the states of reviews."""
        return {"APPROVED": Opinion.APPROVED, "CHANGES_REQUESTED": Opinion.CHANGES}

    @property
    def duplicate(self) -> int:
        """Name the status of a second pull request for one branch."""
        return 422

    def narrow(self, project: str, branch: str, base: str) -> Mapping[str, str]:
        """Ask for the pull requests of one branch."""
        return {"head": f"{project.partition('/')[0]}:{branch}", "base": base}

    def past(self, session: Session, project: str, branch: str, base: str) -> Iterator[Data]:
        """List all that ever came from one branch."""
        query = {"state": "all", **self.narrow(project, branch, base)}
        return session.pages(f"/repos/{project}/pulls", query, self.size)

    def labels(self, session: Session, project: str, labels: tuple[str, ...]) -> None:
        """Make nothing: GitHub makes the labels that it does not know."""

    def merging(self, pull: PullRequest, message: str) -> tuple[str, object]:
        """Give method and document of a merge."""
        title, _, text = message.partition("\n")
        return "PUT", {
            "sha": pull.head,
            "merge_method": "merge",
            "commit_title": title,
            "commit_message": text.strip(),
        }

    def merged(self, status: int, said: str, read: Callable[[], Data]) -> Merging:
        """Read what came of it."""
        if status == 200:
            return Done(str(read()["merge_commit_sha"] or ""))
        if status == 409:
            return Moved()
        # While it is not known whether a pull request can be merged, it is refused likewise.
        undecided = "Base branch was modified" in said or read()["mergeable"] is None
        return NotYet(said) if undecided else Not(said)
