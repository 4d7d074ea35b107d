"""Look at the Git remote, and open the repository for the checks that need it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from generator.errors import InputError, redact
from generator.gitrepo.bare import Bare
from generator.gitrepo.probing import Heads, heads, is_shallow, try_push
from generator.lint import Severity, lint
from generator.repository import Repository
from reconciler.checkup import Finding, passed
from reconciler.checkup.clock import commits
from reconciler.checkup.source import Remote, branch, history, push, same, tree
from tidegate.doctoring.running import Area, Step
from tidegate.place import is_local


@dataclass
class Source:
    """One remote and its bare clone; each question is asked once.

    Attributes:
        url: The remote.
        bare: Its clone.
        now: UTC, for the rules of `verify`.
        clock: UTC, of this machine.
        repository: What stands at the head; None until it was read.
    """

    url: str
    bare: Bare
    now: datetime
    clock: datetime
    repository: Repository | None = None
    _heads: list[Heads] = field(default_factory=list)

    def area(self) -> Area:
        """List the checks."""
        shown = redact(self.url)
        steps = {
            "git.remote": self._answers,
            "git.fetch": self._fetches,
            "git.branch": self._branch,
            "git.push": self._push,
            "git.history": lambda: history(shown, is_shallow=is_shallow(self.bare.git)),
            "git.clock": self._clock,
            "git.tree": self._tree,
        }
        return Area(
            "git", [Step(check, shown, work) for check, work in steps.items()], is_gated=True
        )

    def _answers(self) -> Iterator[Finding]:
        self._heads.append(heads(self.url))
        yield passed("git.remote", redact(self.url), "it answers")

    def _fetches(self) -> Iterator[Finding]:
        self.repository = Repository(self.bare.fetch())
        commit = self.repository.tree.commit
        text = f"read without a work tree, {commit[:12]} of {self.bare.branch}"
        yield passed("git.fetch", redact(self.url), text)

    def _branch(self) -> Iterator[Finding]:
        config = self._opened().config()
        yield from branch(self._remote(), config)
        yield from same(self._remote(), config, is_local=is_local(self.url))

    def _push(self) -> Iterator[Finding]:
        head, name = self._opened().tree.commit, self.bare.branch
        refusal = try_push(self.bare.git, self.url, head, name)
        yield from push(self._remote(), name, refusal)

    def _clock(self) -> Iterator[Finding]:
        newest = self._opened().tree.log(("",), 1, every_parent=True)
        yield from commits(redact(self.url), newest[0].at if newest else None, self.clock)

    def _tree(self) -> Iterator[Finding]:
        found = lint(self._opened(), self.now)
        counts = {one.value: sum(f.severity is one for f in found) for one in Severity}
        yield from tree(redact(self.url), counts)

    def _opened(self) -> Repository:
        if self.repository is None:
            raise InputError("the repository could not be read", hint="mend that first")
        return self.repository

    def _remote(self) -> Remote:
        if not self._heads:
            raise InputError("the remote did not answer", hint="mend that first")
        return Remote(redact(self.url), self._heads[0].default, self._heads[0].branches)
