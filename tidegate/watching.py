"""The registry, watched: a moved alias becomes one pull request, a rollout's result becomes tags.

What is kept is a cache. Whether a version was proposed before follows from Git and the forge, so
a watcher that starts anew proposes nothing twice; a person who closed a pull request has decided.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from generator.changes import ChangeSet
from generator.errors import ConflictError, InputError, RemoteError
from generator.forge import Secrets
from generator.gitrepo.commit import BOT
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.model.pull import State
from generator.registry import Registry
from generator.repository import Repository
from generator.telling.promotion import Promotion
from generator.telling.results import Result, results
from tidegate.place import Place
from tidegate.proposing import propose, remote_of, training
from tidegate.registry import Resolver, named

if TYPE_CHECKING:
    from generator.forge.door import Door

FIRST = "-1"
Say = Callable[[str], object]


@dataclass
class Watcher:
    """Looks at some aliases for one environment.

    Attributes:
        where: The repository; a remote, or the checkout of one.
        secrets: For the forge.
        environment: What the versions enter.
        references: `MODEL@ALIAS`, as the repository names the model.
        registry: Another registry than that of the repository, or "".
        say: Takes what a person should know, on one line.
    """

    where: Place
    secrets: Secrets
    environment: str
    references: tuple[str, ...]
    registry: str
    say: Say
    _looked: dict[str, tuple[str, str]] = field(default_factory=dict)
    _resolvers: dict[tuple[str, str], Resolver] = field(default_factory=dict)
    _written: dict[str, object] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    def look(self, now: datetime) -> bool:
        """Make one pass; whatever is in trouble keeps nothing else from being done.

        Returns:
            Whether nothing was in trouble.

        Raises:
            InputError: There is no forge, no registry, or no such model or environment.
        """
        where = self.where
        remote = where.repo or remote_of(where)  # what a checkout holds may be old
        place = replace(where, repo=remote, now=now, person=where.person or BOT)
        try:
            repository = place.repository(place.tree())
        except RemoteError as error:
            return self._told("", str(error))
        self._check(repository)
        well = [self._mind(one, place, repository) for one in self.references]
        return all([*well, self._write_back(repository)])

    def _check(self, repository: Repository) -> None:
        if not repository.config().forge.is_there:
            hint = "name the forge in tidegate.yaml, or use tidegate promote"
            raise InputError("there is no forge to open a pull request on", hint=hint)
        repository.environment(self.environment)

    def _mind(self, reference: str, place: Place, repository: Repository) -> bool:
        """Look at one alias; say once why nothing is proposed, until that is another reason."""
        try:
            text = self._follow(reference, place, repository)
        except (InputError, RemoteError, ConflictError) as error:
            return self._told(reference, str(error))
        self._told(reference, text)
        return True

    def _follow(self, reference: str, place: Place, repository: Repository) -> str:
        model, _, alias = reference.partition("@")
        name = repository.model(model).registry_name
        known = Registry(named(self.registry or repository.config().registry), ()).aliases(name)
        if known is None or alias not in known:
            return f"MLflow has no {name}@{alias}"
        looked = known[alias], repository.tree.commit
        if self._looked.get(reference) == looked:
            return self._said.get(reference, "")
        text = self._propose(reference, model, known[alias], place, repository)
        self._looked[reference] = looked
        return text

    def _propose(
        self, reference: str, model: str, number: str, place: Place, repository: Repository
    ) -> str:
        reason = f"{reference} is version {number}"
        resolver = self._resolvers.setdefault(
            (reference, number), Resolver(reference, self.registry)
        )

        def intent(have: Repository, asked: Asked) -> ChangeSet | None:
            return intents.promote(have, self.environment, model, resolver.resolve(have), asked)

        if resolver.resolve(repository).version != number:
            del self._resolvers[reference, number]
            return "it moves right now"
        if intent(repository, Asked(str(place.person), reason)) is None:
            return ""
        against = ""

        def unless(door: "Door", one: Promotion, base: str) -> str:
            nonlocal against
            against = _settled(door, one, base)
            return against

        line, ask = (self.environment, model), training(self.registry, self.environment, model)
        asked = replace(place, reason=reason)
        propose(asked, intent, line, self.secrets, ask, unless)
        return against

    def _write_back(self, repository: Repository) -> bool:
        """Write the results that have changed to the registry."""
        config = repository.config()
        well = True
        for result in results(repository):
            name = f"{result.version.registry_name}/{result.version.version}"
            if self._written.get(name) != result.key:
                tags = result.tags(config.forge, repository.tree.commit)
                well = self._write(name, result, tags, config.registry) and well
        return well

    def _write(self, name: str, result: Result, tags: Mapping[str, str], uri: str) -> bool:
        try:
            Registry(named(self.registry or uri), ()).write_back(result.version, tags)
        except (InputError, RemoteError) as error:
            return self._told(name, str(error))
        self._written[name] = result.key
        self._told(name, f"{name} has its result: {', '.join(result.results)}")
        return True

    def _told(self, about: str, text: str) -> bool:
        """Say something once, until it has gone or is something else; always False."""
        if text != self._said.get(about, ""):
            self._said[about] = text
            if text:
                self.say(f"{about}: {text}" if about else text)
        return False


def _settled(door: "Door", one: Promotion, base: str) -> str:
    """Say why a promotion is not opened by a machine; "" where nothing speaks against it."""
    again = f"tidegate promote {one.release.version.asked} --env {one.environment} --reason ..."
    if not one.rollout.id.endswith(FIRST):
        return f"{one.release.id} was rolled out before; for once more: {again}"
    for pull in door.past(one.branch, base):
        if pull.state is State.CLOSED:
            return f"{pull.url} was closed; to open it again: {again}"
    return ""
