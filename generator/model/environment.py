"""One delivery target with its own settings: an edge fleet or a set of cloud clusters."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from generator.model.names import check_name
from generator.model.window import DenyWindow

# An agent keeps its write-ahead log by segments, and cuts it this often (Prometheus' default).
WAL_TRUNCATION = timedelta(hours=2)


class Kind(StrEnum):
    """What an environment is made of."""

    EDGE = "edge-k3s"
    CLOUD = "cloud-eks"


class Delivery(StrEnum):
    """Who applies the pointers."""

    ARGOCD = "argocd"
    ARGOCD_PULL = "argocd-pull"
    FLUX = "flux"

    @property
    def is_pull(self) -> bool:
        """Say whether each site applies its own, so that nobody else knows what it applied."""
        return self is not Delivery.ARGOCD


@dataclass(frozen=True, slots=True)
class Environment:
    """`environments/<env>/environment.yaml`.

    Attributes:
        name: RFC 1123 label.
        kind: Edge or cloud.
        kubernetes: Version the manifests are written for, as "1.36".
        delivery: Who applies the pointers: one Argo CD for all sites, or one or Flux on each.
        namespace: Where the model runs on every site.
        prometheus: Base URL of the HTTP API, or "".
        interval: Spacing of the judge's ticks; ticks lie at UTC multiples of it.
        history: How far back sites are compared with themselves.
        offline_budget: How long a site may be away without losing its measurements.
        adopt_within: Longest time from a step's commit until a reachable site must serve.
        strata: Columns of the site file that cohorts are balanced over.
        settings: Columns of the site file that become pod-template annotations.
        requires: Environments that must have completed the same model first.
        kinds: Further kinds that releases may bring, as `Kind` or `group/Kind`.
        deny_windows: Times in which no step is taken; a revert is.
    """

    name: str
    kind: Kind
    kubernetes: str = "1.36"
    delivery: Delivery = Delivery.ARGOCD
    namespace: str = "models"
    prometheus: str = ""
    interval: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(hours=24)
    offline_budget: timedelta = timedelta(hours=24)
    adopt_within: timedelta = timedelta(hours=1)
    strata: tuple[str, ...] = ("region", "hardware")
    settings: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    deny_windows: tuple[DenyWindow, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names and spans that could not work."""
        check_name("environment", self.name, 30)
        check_name("namespace", self.namespace, 63)
        if not timedelta(seconds=10) <= self.interval <= timedelta(hours=1):
            raise ValueError("interval lies between 10s and 1h")
        if not timedelta(hours=1) <= self.history <= timedelta(days=7):
            raise ValueError("history lies between 1h and 7d")
        if not WAL_TRUNCATION <= self.offline_budget <= timedelta(days=7):
            raise ValueError(
                "offlineBudget lies between 2h, how often an agent truncates its log, and 7d"
            )
