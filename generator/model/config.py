"""What holds for the whole repository: `tidegate.yaml` and the ledger of rejected releases."""

from dataclasses import dataclass
from datetime import datetime

from generator.model.approval import Approval
from generator.model.forge import NO_FORGE, ForgePlace
from generator.model.objective import Objective


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule of `verify` that a person has set aside, with a reason and an end."""

    rule: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Config:
    """`tidegate.yaml`.

    Attributes:
        branch: The branch that Argo CD applies.
        remote: URL under which Argo CD knows this repository, or "".
        forge: Where pull requests are opened.
        registry: URI of the MLflow store or server, or "".
        images: Prefixes of image references that may run.
        artifacts: Schemes or origins that model artifacts may come from.
        waivers: Rules set aside.
        approvals: Who has to approve what.
    """

    branch: str = "main"
    remote: str = ""
    forge: ForgePlace = NO_FORGE
    registry: str = ""
    images: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """`models/<model>/model.yaml`.

    Attributes:
        name: RFC 1123 label in this repository.
        registry_name: Name in the registry.
        runtime: Kind of model server.
        image: REFERENCE@sha256:... or "" where `image_from_tag` holds.
        image_from_tag: Take the image from the version's tag `tidegate.image`.
        objectives: At least one is about the predictions themselves.
    """

    name: str
    registry_name: str
    runtime: str
    image: str
    image_from_tag: bool
    objectives: tuple[Objective, ...]

    def __post_init__(self) -> None:
        """Refuse a model that cannot be judged on what it says."""
        names = [objective.name for objective in self.objectives]
        if len(set(names)) != len(names):
            raise ValueError("two objectives have the same name")
        if not any(objective.about_predictions for objective in self.objectives):
            raise ValueError(
                "no objective is about the predictions themselves (confidence, reject rate, "
                "agreement, drift): add one, or mark one with about: predictions"
            )


@dataclass(frozen=True, slots=True)
class Rejection:
    """One entry of `rejected.yaml`; the key is the three digests."""

    model_digest: str
    config_digest: str
    image_digest: str
    release: str
    model: str
    environment: str
    rollout: str
    reason: str
    evidence: str
    at: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Identify what was rejected, wherever it would run."""
        return self.model_digest, self.config_digest, self.image_digest
