"""What GitHub and Gitea show alike."""

from typing import Any

from tests.forges.project import Mark, Person, Project, Pull, Remark, Said
from tests.forges.server import Answer, Forge, Request, page

HREF = "<https://elsewhere.invalid/next>"


class HubForge(Forge):
    """Routes and documents that the two have in common; the rest is each one's own."""

    size = "per_page"
    usual, most = 30, 100
    missing = 404

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.repo = f"/repos/{project.name}"

    def routes(self) -> list[Any]:
        repo = self.repo.replace(".", r"\.")
        return [
            ("GET", "/user", self.user),
            ("GET", f"{repo}/pulls", self.may("read", self.list_pulls)),
            ("POST", f"{repo}/pulls", self.may("write", self.create)),
            ("GET", f"{repo}/pulls/([0-9]+)", self.may("read", self.read)),
            ("PATCH", f"{repo}/pulls/([0-9]+)", self.may("write", self.edit)),
            ("GET", f"{repo}/pulls/([0-9]+)/reviews", self.may("read", self.reviews)),
            (self.merge_method, f"{repo}/pulls/([0-9]+)/merge", self.may("merge", self.merge)),
            ("GET", f"{repo}/issues/([0-9]+)/comments", self.may("read", self.comments)),
            ("POST", f"{repo}/issues/([0-9]+)/comments", self.may("write", self.comment)),
            ("PATCH", f"{repo}/issues/comments/([0-9]+)", self.may("write", self.edit_comment)),
            ("PUT", f"{repo}/issues/([0-9]+)/labels", self.may("write", self.label)),
            ("GET", f"{repo}/commits/([0-9a-f]+)/status", self.may("read", self.lights)),
            ("POST", f"{repo}/statuses/([0-9a-f]+)", self.may("status", self.set_light)),
        ]

    merge_method = "PUT"

    def may(self, right: str, act: Any) -> Any:
        """Hide the project from strangers; refuse those who may only look."""

        def checked(request: Request) -> Answer:
            if "read" not in request.person.may:
                return self.problem(404, "Not Found")
            if right not in request.person.may:
                return self.forbidden(right)
            return act(request)

        return checked

    def forbidden(self, right: str) -> Answer:
        return self.problem(403, "forbidden")

    def user(self, request: Request) -> Answer:
        if request.person.is_anonymous:
            return self.problem(403, "Resource not accessible by integration")
        return Answer(200, person(request.person))

    def paged(self, items: list[Any], request: Request) -> Answer:
        found, more = page(items, request, self.size, self.usual, self.most)
        # Links lead to another host, which no caller may believe.
        return Answer(200, found, {"Link": f'{HREF}; rel="next"'} if more else {})

    def list_pulls(self, request: Request) -> Answer:
        wanted = request.query.get("state", "open")
        pulls = [one for one in self.project.pulls if wanted in ("all", state(one))]
        pulls = [one for one in pulls if self.narrow(one, request)]
        return self.paged([self.show(one) for one in reversed(pulls)], request)

    def narrow(self, pull: Pull, request: Request) -> bool:
        return True

    def read(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        return Answer(200, self.show(pull)) if pull else self.problem(404, "Not Found")

    def edit(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        if pull is None:
            return self.problem(404, "Not Found")
        pull.title = request.data.get("title", pull.title)
        pull.body = request.data.get("body", pull.body)
        if "state" in request.data and pull.state != "merged":
            pull.last_head = self.project.head_of(pull)
            pull.state = request.data["state"]
        return Answer(201 if self.missing == 404 else 200, self.show(pull))

    def comments(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        assert pull
        return self.paged([remark(one) for one in pull.comments], request)

    def comment(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        assert pull
        made = Remark(self.project.next_id(), request.person, request.data["body"])
        pull.comments.append(made)
        return Answer(201, remark(made))

    def edit_comment(self, request: Request) -> Answer:
        every = (one for pull in self.project.pulls for one in pull.comments)
        found = next((one for one in every if one.id == request.number()), None)
        if found is None:
            return self.problem(404, "Not Found")
        found.text = request.data["body"]
        return Answer(200, remark(found))

    def label(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        assert pull
        pull.labels = list(self.known(request.data["labels"]))
        return Answer(200, [{"name": name} for name in pull.labels])

    def known(self, labels: list[str]) -> list[str]:
        return labels

    def set_light(self, request: Request) -> Answer:
        data = request.data
        if len(data.get("description", "")) > 140:
            return self.problem(422, "description is too long (maximum is 140 characters)")
        made = Mark(
            self.project.next_id(),
            request.found[0],
            data["context"],
            data["state"],
            data.get("description", ""),
            data.get("target_url", ""),
            self.project.clock(),
        )
        self.project.marks.append(made)
        return Answer(201, self.light(made))

    def lights(self, request: Request) -> Answer:
        found = self.project.lights(request.found[0])
        return Answer(
            200, {"state": "pending", "statuses": [self.light(o) for o in found.values()]}
        )

    def reviews(self, request: Request) -> Answer:
        pull = self.project.numbered(request.number())
        assert pull
        return self.paged([self.review(one, pull) for one in pull.reviews], request)

    # -------------------------------------------------- documents

    def show(self, pull: Pull) -> dict[str, Any]:
        is_merged = pull.state == "merged"
        repo = {"full_name": pull.fork or self.project.name}
        return {
            "number": pull.number,
            "html_url": f"{self.url}/{self.project.name}/pull/{pull.number}",
            "state": state(pull),
            "title": pull.title,
            "body": pull.body or None,
            "user": person(pull.author),
            "labels": [{"name": name} for name in pull.labels],
            "head": {"ref": pull.branch, "sha": self.project.head_of(pull), "repo": repo},
            "base": {"ref": pull.base, "sha": self.project.branches.head(pull.base)},
            "merged_at": "2026-11-20T08:00:00Z" if is_merged else None,
            "merge_commit_sha": pull.merged or None,
            "mergeable": True,
        }

    def light(self, mark: Mark) -> dict[str, Any]:
        return {"context": mark.context, "description": mark.text, "target_url": mark.url or None}

    def review(self, said: Said, pull: Pull) -> dict[str, Any]:
        return {"user": person(said.who), "state": said.word, "commit_id": said.head}


def state(pull: Pull) -> str:
    return "open" if pull.state == "open" else "closed"


def person(who: Person) -> dict[str, str]:
    return {"login": who.name, "type": "Bot" if who.is_bot else "User"}


def remark(one: Remark) -> dict[str, Any]:
    return {"id": one.id, "user": person(one.author), "body": one.text}
