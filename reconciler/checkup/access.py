"""What an identity may do on the hub, held against what the reconciler has to do there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from generator.lint.finding import few
from reconciler.checkup.finding import Finding, failed, passed


@dataclass(frozen=True, slots=True)
class Right:
    """One thing to be allowed.

    Attributes:
        verb: get, list, patch, ...
        group: API group, "" for the core.
        resource: Plural name.
        namespace: Where.
    """

    verb: str
    group: str
    resource: str
    namespace: str

    def __str__(self) -> str:
        """Write it as people ask for it."""
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{group} in {self.namespace}"


def needed(namespace: str, lease: str) -> tuple[Right, ...]:
    """List what the reconciler does on the hub.

    Args:
        namespace: Where Argo CD lives.
        lease: Namespace of the Lease, "" where none is used.
    """
    argo = [
        Right(verb, "argoproj.io", resource, namespace)
        for resource, verbs in (
            ("applications", ("get", "list", "patch")),
            ("applicationsets", ("patch",)),
        )
        for verb in verbs
    ]
    held = ("get", "create", "update") if lease else ()
    turns = [Right(verb, "coordination.k8s.io", "leases", lease) for verb in held]
    return (*argo, *turns)


def rights(who: str, refused: Sequence[Right]) -> Iterator[Finding]:
    """Say what is not allowed.

    Args:
        who: Name of the identity, "" where the server does not say.
        refused: What of `needed` it may not do.
    """
    check, told = "cluster.rights", who or "this identity"
    if refused:
        text = f"{told} may not {few([str(one) for one in refused])}"
        fix = "bind the Role that tidegate writes for the reconciler, and try: kubectl auth can-i "
        one = refused[0]
        asked = f"{one.verb} {one.resource}.{one.group} -n {one.namespace}"
        yield failed(check, who, text, fix + asked)
    else:
        text = f"{told} may do all that the reconciler does; it need not be the reconciler's own"
        yield passed(check, who, text)
