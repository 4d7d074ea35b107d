"""Gitea 1.26, as it was seen and as its description goes."""

from typing import Any

from tests.forges.hub import HubForge, person
from tests.forges.project import Mark, Pull, Said
from tests.forges.server import Answer, Request


class Gitea(HubForge):
    """The API below /api/v1."""

    prefix = "/api/v1"
    size = "limit"
    usual, most = 30, 50
    merge_method = "POST"

    def problem(self, status: int, text: str) -> Answer:
        return Answer(status, {"message": text, "url": f"{self.url}/api/swagger"})

    def forbidden(self, right: str) -> Answer:
        return self.problem(403, "user should have a permission to write to a repo")

    def routes(self) -> list[Any]:
        more = [
            ("GET", f"{self.repo}/labels", self.may("read", self.list_labels)),
            ("POST", f"{self.repo}/labels", self.may("write", self.make_label)),
            ("GET", f"{self.repo}/pulls/([^/]+)/(.+)", self.may("read", self.by_branches)),
        ]
        return [*super().routes(), *more]

    def by_branches(self, request: Request) -> Answer:
        """Give the oldest one of these branches, whatever became of it and of the branch."""
        for pull in self.project.pulls:
            if (pull.base, pull.branch) == request.found and not pull.fork:
                return Answer(200, self.show(pull))
        return self.problem(404, "The target couldn't be found.")

    def list_labels(self, request: Request) -> Answer:
        named = [{"id": n, "name": one} for n, one in enumerate(self.project.labels, 1)]
        return self.paged(named, request)

    def make_label(self, request: Request) -> Answer:
        self.project.labels.append(request.data["name"])
        return Answer(201, {"id": len(self.project.labels), "name": request.data["name"]})

    def known(self, labels: list[str]) -> list[str]:
        return [one for one in labels if one in self.project.labels]

    def create(self, request: Request) -> Answer:
        data, project = request.data, self.project
        if project.branches.head(data["head"]) is None:
            return self.problem(404, "The target couldn't be found.")
        twin = project.twin(data["head"], data["base"])
        if twin:
            text = f"pull request already exists for these targets [id: {twin.number}]"
            return self.problem(409, text)
        pull = project.open_pull(request.person, data["head"], data["title"], body=data["body"])
        return Answer(201, self.show(pull))

    def merge(self, request: Request) -> Answer:
        pull, project = self.project.numbered(request.number()), self.project
        assert pull
        if project.undecided > 0:
            project.undecided -= 1
            return self.problem(405, "Please try again later")
        if pull.state != "open":
            return self.problem(404, "The target couldn't be found.")
        if project.missing(project.head_of(pull), "success"):
            return self.problem(405, "Not all required status checks successful")
        if request.data.get("head_commit_id") != project.head_of(pull):
            return self.problem(409, "head out of date")
        text = f"{request.data['MergeTitleField']}\n\n{request.data['MergeMessageField']}"
        project.merge(pull, text)
        return Answer(200)

    def show(self, pull: Pull) -> dict[str, Any]:
        shown = super().show(pull)
        head = {**shown["head"], "label": pull.branch}
        if self.project.branches.head(pull.branch) is None:
            head["ref"] = f"refs/pull/{pull.number}/head"
        return {**shown, "head": head, "body": pull.body, "mergeable": True}

    def light(self, mark: Mark) -> dict[str, Any]:
        # The field has another name than in a request, and than on GitHub.
        return {**super().light(mark), "status": mark.light}

    def review(self, said: Said, pull: Pull) -> dict[str, Any]:
        words = {"CHANGES_REQUESTED": "REQUEST_CHANGES", "COMMENTED": "COMMENT"}
        return {
            "user": {"login": person(said.who)["login"]},
            "state": words.get(said.word, said.word),
            "commit_id": said.head,
            "stale": said.head != self.project.head_of(pull),
            "dismissed": False,
        }
