"""What Git says, commit by commit, as Argo CD would read it: the pointers and nothing else."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from generator import layout
from generator.gitrepo.bare import Bare
from generator.gitrepo.snapshot import Snapshot

_TARGET = re.compile(rb'/(v[0-9]+-[0-9a-f]{8})/[a-z0-9-]+"')
_MOST_COMMITS = 10_000


class Origin:
    """Follows the branch and tells what every new commit wants of every site."""

    def __init__(self, bare: Bare, environment: str, model: str) -> None:
        """Start before the first commit."""
        self._bare = bare
        self._under = f"{layout.SITES}/{environment}"
        self._tail = f"/{model}/kustomization.yaml"
        self._seen: str = ""
        self._ids: Mapping[str, str] = {}

    def news(self) -> Iterator[tuple[datetime, Mapping[str, str]]]:
        """Tell the changed pointers of every commit since the last time, oldest first."""
        head = self._bare.fetch()
        fresh = []
        for commit in head.log(("**",), _MOST_COMMITS):
            if commit.id == self._seen:
                break
            fresh.append(commit)
        for commit in reversed(fresh):
            desired = self._changed(head.at(commit.id))
            self._seen = commit.id
            if desired:
                yield commit.at, desired

    def _changed(self, tree: Snapshot) -> Mapping[str, str]:
        ids = {
            path: id_ for path, id_ in tree.ids(self._under).items() if path.endswith(self._tail)
        }
        changed = [path for path, id_ in ids.items() if self._ids.get(path) != id_]
        self._ids = ids
        read = tree.read_many(changed)
        found = ((path, _TARGET.search(data)) for path, data in read.items())
        names = {
            path[len(self._under) + 1 : -len(self._tail)]: target.group(1).decode()
            for path, target in found
            if target is not None
        }
        return names
