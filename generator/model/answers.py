"""What a repository was made from: the inputs of its blueprints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from generator.errors import InputError, Problem
from generator.model.environment import Kind
from generator.model.names import check_name


@dataclass(frozen=True, slots=True)
class Answers:
    """What `tidegate init` was told, and what was added since.

    Attributes:
        environments: Name to kind, in order.
        models: Names, in order.
        image: REFERENCE@sha256:..., or "" to take it from the version's tag.
        registry: URI of the MLflow store or server, or "".
        prometheus: Base URL, or "".
        remote: URL under which Argo CD knows the repository, or "".
        branch: The branch that Argo CD applies.
        interval: Spacing of the judge's ticks.
        own_images: Model to image, of the models that were added with another one.
    """

    environments: Mapping[str, Kind]
    models: Sequence[str]
    image: str = ""
    registry: str = ""
    prometheus: str = ""
    remote: str = ""
    branch: str = "main"
    interval: str = "5m"
    own_images: Mapping[str, str] = field(default_factory=dict)

    def image_of(self, model: str) -> str:
        """Give the serving image of one model, or ""."""
        return self.own_images.get(model, self.image)

    def check(self) -> None:
        """Refuse names that cannot be.

        Raises:
            InputError: Every problem.
        """
        problems: list[Problem] = []
        if not self.environments:
            problems.append(Problem("no environment", hint="--environment edge-k3s"))
        named = [("environment", one, 30) for one in self.environments]
        for kind, name, longest in [*named, *(("model", one, 43) for one in self.models)]:
            try:
                check_name(kind, name, longest)
            except ValueError as error:
                problems.append(Problem(str(error)))
        if problems:
            raise InputError.many(problems)
