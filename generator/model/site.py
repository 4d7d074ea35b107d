"""One edge location or one cloud cluster: the unit of a rollout."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from generator.model.names import check_name

# Argo CD fills these in beside the columns of a site, without a word about one it replaces.
RESERVED = ("path", "values")

_CLUSTER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,251}[A-Za-z0-9])?", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Site:
    """One row of `environments/<env>/sites/<shard>.yaml`.

    Attributes:
        id: Unique in its environment.
        cluster: The name under which Argo CD knows the cluster.
        region: Stratum, or "".
        hardware: Profile of the model to run ("" in the cloud).
        labels: Further columns, text to text.
        shard: File stem; a site never changes it.
    """

    id: str
    cluster: str
    region: str = ""
    hardware: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    shard: str = "s000"

    def __post_init__(self) -> None:
        """Refuse names that could not be paths or labels."""
        check_name("site", self.id)
        _check("cluster", _CLUSTER, self.cluster)
        if self.region:
            _check("region", _REGION, self.region)
        if self.hardware:
            check_name("hardware profile", self.hardware, 40)

    def column(self, name: str) -> str:
        """Look a column up by name; "" where the site has none."""
        match name:
            case "id" | "cluster" | "region" | "hardware":
                return str(getattr(self, name))
            case _:
                return self.labels.get(name, "")


def _check(kind: str, grammar: re.Pattern[str], text: str) -> None:
    if not grammar.fullmatch(text):
        raise ValueError(f"{kind} {text[:80]!r} holds characters that are not allowed")


def check_column(name: str) -> str:
    """Give the name of a further column back when it can be one.

    Raises:
        ValueError: It is no word of ASCII letters, digits, hyphens and underscores, or reserved.
    """
    if not name.isascii() or not name.replace("-", "_").isidentifier() or len(name) > 63:
        raise ValueError(f"{name[:80]!r} is not a column name")
    if name in RESERVED:
        raise ValueError(f"{name!r} cannot be a column: Argo CD puts a value of its own there")
    return name
