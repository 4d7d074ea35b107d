"""What the registry is told of a model version: where it was rolled out, how that went, on what."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator import layout
from generator.errors import InputError
from generator.model.forge import ForgePlace
from generator.model.release import ModelVersion
from generator.model.rollout import Rollout
from generator.repository import Repository

LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one version, in every environment that it entered by a rollout.

    Attributes:
        version: As it was pinned.
        rollouts: Their ids.
        results: How each of them stands.
        evidence: Where the newest evidence of each lies; only of those that have any.
    """

    version: ModelVersion
    rollouts: tuple[str, ...]
    results: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def key(self) -> object:
        """Give what has to change before anybody is told again."""
        return self.results, self.rollouts, self.evidence

    def tags(self, forge: ForgePlace, commit: str) -> Mapping[str, str]:
        """Write them as tags, one line each; links where a forge can show a file.

        Args:
            forge: Shows files.
            commit: At which the evidence stands.
        """
        shown = (
            forge.file(commit, path) if forge.is_there else f"{commit[:12]}:{path}"
            for path in self.evidence
        )
        tags = {
            "tidegate.rollout": ", ".join(self.rollouts),
            "tidegate.result": ", ".join(self.results),
            "tidegate.evidence": " ".join(shown),
        }
        return {key: value[:LONGEST] for key, value in tags.items() if value}


def results(repository: Repository) -> tuple[Result, ...]:
    """List what became of every version that the newest rollout of a line was of.

    A line that cannot be read is left out: `verify` names it.
    """
    found: dict[str, list[tuple[ModelVersion, Rollout]]] = {}
    for environment, model in repository.rollouts():
        try:
            rollout = repository.rollout(environment, model)
            if not rollout.id:
                continue
            version = repository.release(environment, model, rollout.candidate).version
        except InputError:
            continue
        name = json.dumps([version.registry_name, version.version, version.created_ms])
        found.setdefault(name, []).append((version, rollout))
    return tuple(_result(repository, lines) for _, lines in sorted(found.items()))


def _result(repository: Repository, lines: list[tuple[ModelVersion, Rollout]]) -> Result:
    rollouts = [rollout for _, rollout in lines]
    return Result(
        lines[0][0],
        tuple(one.id for one in rollouts),
        tuple(_say(one) for one in rollouts),
        tuple(path for one in rollouts for path in _evidence(repository, one)),
    )


def _say(rollout: Rollout) -> str:
    where = f" at {rollout.percent}%" if rollout.is_climbing else ""
    return f"{rollout.environment}: {rollout.phase or 'unknown'}{where}"


def _evidence(repository: Repository, rollout: Rollout) -> Iterator[str]:
    folder = layout.evidence(rollout.environment, rollout.model, rollout.id)
    paths = [path for path in repository.tree.ids(folder) if path.endswith(".json")]
    if paths:
        yield max(paths)
