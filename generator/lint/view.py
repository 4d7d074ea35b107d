"""A repository as the rules see it: what is invalid reads as absent, and is named once.

A rule never stops at a file that another rule has to complain about, so one invalid file hides
nothing elsewhere. What several rules ask is computed once.
"""

import shlex
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar, cast

from generator import layout
from generator.documents.lock import Lock, read_lock
from generator.documents.nodes import Node, read_documents
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.model.cohort import Cohort
from generator.model.config import Config, ModelSpec, Rejection
from generator.model.environment import Environment
from generator.model.release import Release
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.repository import Repository

T = TypeVar("T")


class View:
    """One repository, as far as it can be read.

    Attributes:
        repository: What is checked.
        tree: Its files.
        blamed: Files that have an error, for rules that run after all others.
    """

    def __init__(self, repository: Repository) -> None:
        """Open a repository."""
        self.repository = repository
        self.tree = repository.tree
        self.blamed: frozenset[RepoPath] = frozenset()
        self._kept: dict[Hashable, object] = {}
        self._problems: dict[RepoPath, tuple[Problem, ...]] = {}

    def once(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Compute a value the first time it is asked for."""
        if name not in self._kept:
            self._kept[name] = compute()
        return cast("T", self._kept[name])

    def by_content(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Compute a value once for the bytes that its name holds the ids of."""
        return self.repository.by_content(name, compute)

    def attempt(self, path: RepoPath, read: Callable[[], T | None]) -> T | None:
        """Read a file once; where it is invalid, keep why."""

        def attempt() -> T | None:
            try:
                return read()
            except InputError as error:
                self._problems[path] = error.problems
                return None

        return self.once(("value", path), attempt)

    def problems(self, path: RepoPath) -> tuple[Problem, ...]:
        """Say why a file that was read is invalid."""
        return self._problems.get(path, ())

    # What stands in the tree

    def ids(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List the files below a folder with their blob ids."""
        return self.once(("ids", under), lambda: self.tree.ids(under))

    def committed(self, under: RepoPath) -> Mapping[RepoPath, str]:
        """List the files below a folder as they stand in the commit."""
        head = self.once("head", lambda: self.tree.at(self.tree.commit))
        return self.once(("committed", under), lambda: head.ids(under))

    def restore(self, path: RepoPath) -> str:
        """Give the command that undoes an edit that is not committed; "" where it is."""
        top = path.partition("/")[0]
        if "/" not in path or not self.tree.commit:
            return ""
        before, now = self.committed(top).get(path), self.ids(top).get(path)
        if before == now:
            return ""
        name = shlex.quote(path)
        return f"git restore {name}" if before else f"rm {name}"

    def read(self, path: RepoPath) -> bytes:
        """Read a file; b"" where it is absent."""
        return self.tree.read(path) or b""

    def documents(self, path: RepoPath) -> tuple[Node, ...]:
        """Read a YAML file of any schema; nothing where it cannot be read."""

        def read() -> tuple[Node, ...]:
            try:
                return read_documents(path, self.read(path))
            except InputError:
                return ()

        return self.by_content(("documents", self.id_of(path)), read)

    def line(self, path: RepoPath, *keys: str) -> int | None:
        """Find the line of a key in the first document of a file."""
        documents = self.documents(path)
        return documents[0].line_of(*keys) if documents else None

    def id_of(self, path: RepoPath) -> str:
        """Give what stands for the bytes of a file."""
        return self.tree.id(path) or path

    # What it means

    def config(self) -> Config | None:
        """Read `tidegate.yaml`."""
        return self.attempt(layout.CONFIG, self.repository.config)

    def rejected(self) -> tuple[Rejection, ...]:
        """Read the ledger."""
        return self.attempt(layout.REJECTED, self.repository.rejected) or ()

    def lock(self) -> Lock | None:
        """Read the digests of what cannot be computed again."""
        data = self.read(layout.LOCK)
        return self.attempt(layout.LOCK, lambda: read_lock(layout.LOCK, data))

    def environments(self) -> tuple[str, ...]:
        """List the environments."""
        return self.once("environments", self.repository.environments)

    def environment(self, name: str) -> Environment | None:
        """Read the settings of an environment."""
        path = layout.environment(name)
        return self.attempt(path, lambda: self.repository.environment(name))

    def models(self) -> tuple[str, ...]:
        """List the models."""
        return self.once("models", self.repository.models)

    def model(self, name: str) -> ModelSpec | None:
        """Read the settings of a model."""
        return self.attempt(layout.model(name), lambda: self.repository.model(name))

    def lines(self) -> tuple[tuple[str, str], ...]:
        """List (environment, model) of every rollout file that belongs to both."""

        def known() -> tuple[tuple[str, str], ...]:
            environments, models = self.environments(), self.models()
            pairs = self.repository.rollouts()
            return tuple(pair for pair in pairs if pair[0] in environments and pair[1] in models)

        return self.once("lines", known)

    def rollouts(self) -> tuple[Rollout, ...]:
        """Read every rollout that can be read."""
        found = (self.rollout(*line) for line in self.lines())
        return tuple(one for one in found if one is not None)

    def rollout(self, environment: str, model: str) -> Rollout | None:
        """Read one rollout."""
        path = layout.rollout(environment, model)
        return self.attempt(path, lambda: self.repository.rollout(environment, model))

    def cohort(self, environment: str, model: str) -> Cohort | None:
        """Read one draw."""
        path = layout.cohort(environment, model)
        return self.attempt(path, lambda: self.repository.cohort(environment, model))

    def release(self, environment: str, model: str, release: str) -> Release | None:
        """Read one release."""
        path = layout.release_file(environment, model, release)
        return self.attempt(path, lambda: self.repository.release(environment, model, release))

    def shards(self, environment: str) -> tuple[str, ...]:
        """List the stems of the site files of an environment."""
        return self.once(("shards", environment), lambda: self.repository.shards(environment))

    def shard(self, environment: str, stem: str) -> tuple[Site, ...] | None:
        """Read one site file."""
        path = layout.shard(environment, stem)
        return self.attempt(path, lambda: self.repository.shard(environment, stem))

    def sites(self, environment: str) -> tuple[Site, ...]:
        """Read the sites of every site file that can be read."""
        shards = (self.shard(environment, stem) for stem in self.shards(environment))
        return tuple(site for sites in shards for site in sites or ())

    def site_line(self, environment: str, site: Site) -> int | None:
        """Find the line on which a site stands."""
        documents = self.documents(layout.shard(environment, site.shard))
        rows = documents[0].items() if documents else ()
        return next((row.line for row in rows if row.text("id") == site.id), None)
