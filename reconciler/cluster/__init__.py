"""The Kubernetes API of the hub, and what of Argo CD is behind it."""

from reconciler.cluster.api import Api, Conflict, Forbidden, connect
from reconciler.cluster.hub import Hub
from reconciler.cluster.lease import Lease

__all__ = ["Api", "Conflict", "Forbidden", "Hub", "Lease", "connect"]
