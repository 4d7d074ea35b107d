"""GitLab 18, as its description and its habits go."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.forges.project import Mark, Person, Project, Pull, Remark
from tests.forges.server import Answer, Forge, Request, page

GOOD = ("success",)
STATES = {"open": "opened", "closed": "closed", "merged": "merged"}


class GitLab(Forge):
    """The API below /api/v4."""

    prefix = "/api/v4"
    most = 100

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.base = f"/projects/{quote(project.name, safe='')}"

    def limited(self) -> Answer:
        reset = str(int(self.project.clock()) + 60)
        headers = {"Retry-After": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
        return Answer(429, {"message": {"error": "Too many requests"}}, headers)

    def routes(self) -> list[Any]:
        mr = f"{self.base}/merge_requests"
        one = f"{mr}/([0-9]+)"
        return [
            ("GET", "/user", lambda request: Answer(200, person(request.person))),
            ("GET", mr, self.may("read", self.list_pulls)),
            ("POST", mr, self.may("write", self.create)),
            ("GET", one, self.may("read", self.read)),
            ("PUT", one, self.may("write", self.edit)),
            ("GET", f"{one}/notes", self.may("read", self.notes)),
            ("POST", f"{one}/notes", self.may("write", self.note)),
            ("PUT", f"{one}/notes/([0-9]+)", self.may("write", self.edit_note)),
            ("GET", f"{one}/approvals", self.may("read", self.approvals)),
            ("GET", f"{one}/versions", self.may("read", self.versions)),
            ("PUT", f"{one}/merge", self.may("read", self.merge)),
            ("GET", f"{self.base}/repository/commits/([0-9a-f]+)/statuses", self.lights),
            ("POST", f"{self.base}/statuses/([0-9a-f]+)", self.may("status", self.set_light)),
        ]

    def may(self, right: str, act: Any) -> Any:
        def checked(request: Request) -> Answer:
            if "read" not in request.person.may:
                return self.problem(404, "404 Project Not Found")
            if right not in request.person.may:
                return self.problem(403, "403 Forbidden")
            return act(request)

        return checked

    def paged(self, items: list[Any], request: Request) -> Answer:
        found, more = page(items, request, "per_page", 20, self.most)
        following = str(int(request.query.get("page", "1")) + 1) if more else ""
        return Answer(200, found, {"X-Next-Page": following})

    def list_pulls(self, request: Request) -> Answer:
        query = request.query
        pulls = [
            one
            for one in reversed(self.project.pulls)
            if query.get("state", "all") in ("all", STATES[one.state])
            and query.get("source_branch", one.branch) == one.branch
            and query.get("target_branch", one.base) == one.base
        ]
        return self.paged([self.show(one) for one in pulls], request)

    def create(self, request: Request) -> Answer:
        data, project = request.data, self.project
        branch, base = data["source_branch"], data["target_branch"]
        if project.branches.head(branch) is None:
            return Answer(400, {"message": {"source_branch": ["does not exist"]}})
        twin = project.twin(branch, base)
        if twin:
            text = (
                f"Another open merge request already exists for this source branch: !{twin.number}"
            )
            return Answer(409, {"message": [text]})
        pull = project.open_pull(request.person, branch, data["title"], body=data["description"])
        pull.labels = [one for one in data.get("labels", "").split(",") if one]
        return Answer(201, self.show(pull))

    def found(self, request: Request) -> Pull | None:
        return self.project.numbered(request.number())

    def read(self, request: Request) -> Answer:
        pull = self.found(request)
        return Answer(200, self.show(pull)) if pull else self.problem(404, "404 Not found")

    def edit(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        pull.title = request.data.get("title", pull.title)
        pull.body = request.data.get("description", pull.body)
        if "labels" in request.data:
            pull.labels = [one for one in request.data["labels"].split(",") if one]
        if request.data.get("state_event") == "close":
            pull.last_head = self.project.head_of(pull)
            pull.state = "closed"
        return Answer(200, self.show(pull))

    def notes(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        system = {"id": 1, "author": person(pull.author), "body": "added 1 commit", "system": True}
        return self.paged([system, *(note(one) for one in pull.comments)], request)

    def note(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        made = Remark(self.project.next_id(), request.person, request.data["body"])
        pull.comments.append(made)
        return Answer(201, note(made))

    def edit_note(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        one = next((one for one in pull.comments if one.id == request.number(1)), None)
        if one is None:
            return self.problem(404, "404 Not found")
        one.text = request.data["body"]
        return Answer(200, note(one))

    def approvals(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        by = [
            {"user": {**person(one.who), "bot": one.who.is_bot}, "approved_at": time(one.at)}
            for one in pull.reviews
            if one.word == "APPROVED"
        ]
        return Answer(200, {"iid": pull.number, "approved_by": by})

    def versions(self, request: Request) -> Answer:
        pull = self.found(request)
        assert pull
        head = self.project.head_of(pull)
        newest = {"id": 2, "head_commit_sha": head, "created_at": time(pull.pushed_at)}
        oldest = {"id": 1, "head_commit_sha": "0" * 40, "created_at": time(0)}
        return self.paged([newest, oldest], request)

    def lights(self, request: Request) -> Answer:
        marks = [one for one in self.project.marks if one.head == request.found[0]]
        return self.paged([light(one) for one in marks], request)

    def set_light(self, request: Request) -> Answer:
        data, head = request.data, request.found[0]
        before = self.project.lights(head).get(data["name"])
        if before and before.light == data["state"]:
            word = {"pending": "enqueue", "running": "run"}.get(data["state"], data["state"])
            text = f"Cannot transition status via :{word} from :{before.light}"
            return self.problem(400, f'{text} (Reason(s): Status cannot transition via "{word}")')
        made = Mark(
            self.project.next_id(),
            head,
            data["name"],
            data["state"],
            data.get("description", ""),
            data.get("target_url", ""),
            self.project.clock(),
        )
        self.project.marks.append(made)
        return Answer(201, light(made))

    def merge(self, request: Request) -> Answer:
        pull, project = self.found(request), self.project
        assert pull
        if "merge" not in request.person.may:
            return self.problem(401, "401 Unauthorized")
        if request.data.get("sha") != project.head_of(pull):
            return self.problem(409, "SHA does not match HEAD of source branch")
        if pull.state != "open" or project.undecided > 0:
            return self.problem(405, "405 Method Not Allowed")
        if project.missing(project.head_of(pull), "success"):
            return self.problem(405, "405 Method Not Allowed")
        project.merge(pull, request.data["merge_commit_message"])
        return Answer(200, self.show(pull))

    def show(self, pull: Pull) -> dict[str, Any]:
        status = "checking" if self.project.undecided > 0 else "ci_must_pass"
        self.project.undecided = max(0, self.project.undecided - 1)
        return {
            "iid": pull.number,
            "web_url": f"{self.url}/{self.project.name}/-/merge_requests/{pull.number}",
            "state": STATES[pull.state],
            "title": pull.title,
            "description": pull.body,
            "author": person(pull.author),
            "labels": pull.labels,
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "sha": self.project.head_of(pull),
            "merge_commit_sha": pull.merged or None,
            "source_project_id": 8 if pull.fork else 7,
            "target_project_id": 7,
            "detailed_merge_status": status,
        }


def person(who: Person) -> dict[str, Any]:
    return {"username": who.name, "name": who.name.title()}


def note(one: Remark) -> dict[str, Any]:
    return {"id": one.id, "author": person(one.author), "body": one.text, "system": False}


def light(one: Mark) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.context,
        "status": one.light,
        "description": one.text,
        "target_url": one.url or None,
    }


def time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
