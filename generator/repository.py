"""A tree of the generated repository, read into the model, one file at a time.

Nothing is read before it is asked for, so an invalid file holds only what it belongs to.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from generator import layout
from generator.changes import Tree
from generator.documents.config import read_config, read_environment, read_rejected
from generator.documents.model import read_model
from generator.documents.release import read_release
from generator.documents.rollout import read_cohort, read_rollout
from generator.documents.sites import read_shard
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.model.cohort import Cohort
from generator.model.config import Config, ModelSpec, Rejection
from generator.model.environment import Environment
from generator.model.names import check_name
from generator.model.release import Release
from generator.model.rollout import Rollout
from generator.model.site import Site

T = TypeVar("T")


class Repository:
    """What Git says, as values; each is read once."""

    def __init__(self, tree: Tree, parsed: dict[Hashable, object] | None = None) -> None:
        """Open a tree.

        Args:
            tree: The files.
            parsed: Values by blob ids, to be shared by repositories that are opened one after
                the other; a blob id stands for its bytes, so this is only a cache.
        """
        self.tree = tree
        self._kept: dict[tuple[str, ...], object] = {}
        self._parsed = {} if parsed is None else parsed

    def beside(self, tree: Tree) -> "Repository":
        """Open another tree; what is the same in both is parsed once."""
        return Repository(tree, self._parsed)

    def config(self) -> Config:
        """Read `tidegate.yaml`.

        Raises:
            InputError: It is missing or invalid.
        """
        return self._once(("config",), lambda: self._read(layout.CONFIG, read_config))

    def environments(self) -> tuple[str, ...]:
        """List the names of the environments."""
        return self._folders(layout.ENVIRONMENTS, "environment.yaml")

    def environment(self, name: str) -> Environment:
        """Read the settings of an environment.

        Raises:
            InputError: It is missing or invalid.
        """
        self._known("environment", name, self.environments())
        path = layout.environment(name)
        return self._once(
            (path,), lambda: self._read(path, lambda f, d: read_environment(f, d, name))
        )

    def models(self) -> tuple[str, ...]:
        """List the names of the models."""
        return self._folders(layout.MODELS, "model.yaml")

    def model(self, name: str) -> ModelSpec:
        """Read the settings of a model.

        Raises:
            InputError: It is missing or invalid.
        """
        self._known("model", name, self.models())
        path = layout.model(name)
        return self._once((path,), lambda: self._read(path, lambda f, d: read_model(f, d, name)))

    def shards(self, environment: str) -> tuple[str, ...]:
        """List the stems of the site files of an environment."""
        under = layout.shards(environment)
        names = (path.removeprefix(f"{under}/") for path in self.tree.ids(under))
        return tuple(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))

    def sites(self, environment: str) -> tuple[Site, ...]:
        """Read all sites of an environment, in id order.

        Raises:
            InputError: A site file is invalid, or two files name the same site.
        """
        return self._once(("sites", environment), lambda: self._sites(environment))

    def _sites(self, environment: str) -> tuple[Site, ...]:
        paths = {stem: layout.shard(environment, stem) for stem in self.shards(environment)}
        data = self.tree.read_many(paths.values())
        found: dict[str, Site] = {}
        problems: list[Problem] = []
        for stem, path in paths.items():
            try:
                _check_stem(path, stem)
                sites = self._shard(path, data[path], stem)
            except InputError as error:
                problems.extend(error.problems)
                continue
            for site in sites:
                if site.id in found:
                    text = f"site {site.id!r} also stands in {found[site.id].shard}.yaml"
                    problems.append(Problem(text, path))
                found[site.id] = site
        if problems:
            raise InputError.many(problems)
        return tuple(found[id_] for id_ in sorted(found))

    def shard(self, environment: str, stem: str) -> tuple[Site, ...]:
        """Read one site file.

        Raises:
            InputError: It is invalid.
        """
        path = layout.shard(environment, stem)
        return self._shard(path, self.tree.read(path) or b"", stem)

    def _shard(self, path: RepoPath, data: bytes, stem: str) -> tuple[Site, ...]:
        return self._remember(path, lambda: read_shard(path, data, stem))

    def _remember(self, path: RepoPath, read: Callable[[], T]) -> T:
        return self.by_content((path, self.tree.id(path) or ""), read)

    def by_content(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Compute a value once for all repositories that share what is parsed.

        Args:
            name: Holds the blob ids of all that the value hangs on.
            compute: A function of those bytes alone.
        """
        if name not in self._parsed:
            self._parsed[name] = compute()
        return cast("T", self._parsed[name])

    def rollouts(self) -> tuple[tuple[str, str], ...]:
        """List (environment, model) of every rollout file."""
        found = []
        for path in self.tree.ids(layout.ROLLOUTS):
            _, _, rest = path.partition("/")
            environment, _, name = rest.partition("/")
            if name.endswith(".yaml") and not name.endswith(".cohort.yaml") and "/" not in name:
                found.append((environment, name.removesuffix(".yaml")))
        return tuple(found)

    def rollout(self, environment: str, model: str) -> Rollout:
        """Read the file a release manager edits.

        Raises:
            InputError: It is missing or invalid.
        """
        path = layout.rollout(environment, model)
        if self.tree.read(path) is None:
            self._known("environment", environment, self.environments())
            self._known("model", model, self.models())
            hint = f"tidegate model add {model} makes it"
            raise InputError("the rollout file is missing", file=path, hint=hint)
        read = self._read
        return self._once(
            (path,), lambda: read(path, lambda f, d: read_rollout(f, d, environment, model))
        )

    def cohort(self, environment: str, model: str) -> Cohort | None:
        """Read the frozen draw of the latest rollout; None where there was none.

        Raises:
            InputError: It is invalid.
        """
        path = layout.cohort(environment, model)
        if self.tree.read(path) is None:
            return None
        return self._once((path,), lambda: self._read(path, read_cohort))

    def releases(self, environment: str, model: str) -> tuple[str, ...]:
        """List the releases that were frozen."""
        under = f"{layout.RELEASES}/{environment}/{model}"
        return self._folders(under, "release.yaml")

    def all_releases(self) -> tuple[tuple[str, str, str], ...]:
        """List (environment, model, id) of every release that was frozen."""
        paths = (path.split("/") for path in self.tree.ids(layout.RELEASES))
        return tuple(
            (parts[1], parts[2], parts[3])
            for parts in paths
            if len(parts) == 5 and parts[4] == "release.yaml"
        )

    def release(self, environment: str, model: str, release: str) -> Release:
        """Read the pins of a release.

        Raises:
            InputError: It is missing or was changed.
        """
        path = layout.release_file(environment, model, release)
        if self.tree.read(path) is None:
            known = ", ".join(self.releases(environment, model)) or "none"
            raise InputError(f"there is no release {release!r}", file=path, hint=f"known: {known}")
        found = self._once((path,), lambda: self._read(path, read_release))
        place = layout.release_file(found.environment, found.model, found.id)
        if place != path:
            hint = "restore the file from the commit that froze it"
            raise InputError(f"this is the release.yaml of {place}", file=path, hint=hint)
        return found

    def rejected(self) -> tuple[Rejection, ...]:
        """Read the ledger; a repository without one has none.

        Raises:
            InputError: It is invalid.
        """
        if self.tree.read(layout.REJECTED) is None:
            return ()
        return self._once(("rejected",), lambda: self._read(layout.REJECTED, read_rejected))

    def _once(self, name: tuple[str, ...], read: Callable[[], T]) -> T:
        if name not in self._kept:
            self._kept[name] = read()
        return cast("T", self._kept[name])

    def _read(self, path: RepoPath, parse: Callable[[str, bytes], T]) -> T:
        data = self.tree.read(path)
        if data is None:
            hint = "is this a repository made by `tidegate init`?"
            raise InputError("the file is missing", file=path, hint=hint)
        return self._remember(path, lambda: parse(path, data))

    def _folders(self, under: RepoPath, file: str) -> tuple[str, ...]:
        tail = f"/{file}"
        names = (path.removeprefix(f"{under}/") for path in self.tree.ids(under))
        stems = (name.removesuffix(tail) for name in names if name.endswith(tail))
        return tuple(stem for stem in stems if "/" not in stem)

    def _known(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        if self.tree.read(layout.CONFIG) is None:
            hint = "run this inside a repository made by `tidegate init`"
            raise InputError("the file is missing", file=layout.CONFIG, hint=hint)
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"there is no {kind} {name!r}", hint=f"known: {listed}")


def _check_stem(path: RepoPath, stem: str) -> None:
    try:
        check_name("site file", stem)
    except ValueError as error:
        hint = "git mv it to another name, such as s001.yaml"
        raise InputError(str(error), file=path, hint=hint) from error
