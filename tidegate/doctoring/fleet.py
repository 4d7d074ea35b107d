"""What Git says about the fleet, read once for all checks; what cannot be read is left out."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from generator import layout
from generator.errors import InputError
from generator.model.config import Config
from generator.model.environment import Delivery, Environment
from generator.model.objective import Objective
from generator.model.site import Site
from generator.repository import Repository
from reconciler.applied import Wanted, wanted
from reconciler.checkup.collector import RuleFile, read_rules
from reconciler.checkup.series import Expected
from reconciler.queries import questions

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Fleet:
    """One commit.

    Attributes:
        commit: Its id, "" where no repository could be read.
        config: `tidegate.yaml`; the defaults where it cannot be read.
        environments: Settings by name.
        sites: Sites by environment.
        stable: Stable release by (environment, model), where there is a baseline.
        objectives: Objectives by model.
        names: Name in the registry by model.
        wanted: Applications that Argo CD should hold, by name.
        files: What stands below argocd/, by path.
        rules: Rule files by environment.
    """

    commit: str = ""
    config: Config = field(default_factory=Config)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    sites: Mapping[str, tuple[Site, ...]] = field(default_factory=dict)
    stable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    objectives: Mapping[str, tuple[Objective, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    wanted: Mapping[str, Wanted] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    rules: Mapping[str, tuple[RuleFile, ...]] = field(default_factory=dict)

    def expected(self, environment: str) -> Expected:
        """Say what metrics should show of an environment."""
        ids = frozenset(one.id for one in self.sites.get(environment, ()))
        stable = {model: one for (of, model), one in self.stable.items() if of == environment}
        return Expected(environment, ids, stable)

    def selectors(self, environment: str, model: str) -> tuple[str, ...]:
        """List the selectors that a model is judged by."""
        release = self.stable[environment, model]
        objectives = self.objectives.get(model, ())
        asked = questions(environment, model, (release,), objectives)
        return asked.texts

    @property
    def on_hub(self) -> Mapping[str, Environment]:
        """Name the environments that the Argo CD of the hub applies."""
        return {
            name: one for name, one in self.environments.items() if one.delivery is Delivery.ARGOCD
        }


def read_fleet(repository: Repository) -> Fleet:
    """Read what the checks need; `verify` names what is invalid."""
    environments = _readable(repository.environments(), repository.environment)
    rollouts = _readable(repository.rollouts(), lambda one: repository.rollout(*one))
    models = _readable(repository.models(), repository.model)
    config = _readable([()], lambda _: repository.config())
    return Fleet(
        repository.tree.commit,
        config.get((), Config()),
        environments,
        _readable(environments, repository.sites),
        {line: one.stable for line, one in rollouts.items() if one.stable},
        {name: one.objectives for name, one in models.items()},
        {name: one.registry_name for name, one in models.items()},
        wanted(repository),
        repository.tree.read_many(repository.tree.ids(layout.ARGOCD)),
        {name: _rules(repository, name) for name in environments},
    )


def _readable(names: Iterable[K], read: Callable[[K], V]) -> dict[K, V]:
    """Read what can be read."""
    found: dict[K, V] = {}
    for name in names:
        with suppress(InputError):
            found[name] = read(name)
    return found


def _rules(repository: Repository, environment: str) -> tuple[RuleFile, ...]:
    folder = f"{layout.watched(environment)}/rules"
    found = repository.tree.read_many(repository.tree.ids(folder))
    return tuple(read_rules(path, environment, data) for path, data in sorted(found.items()))
