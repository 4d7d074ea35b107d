"""Versions that tidegate was tried with, and the oldest that can work."""

import re
from collections.abc import Iterator, Mapping

from reconciler.checkup.finding import Finding, failed, passed, unknown, warned

TRIED: Mapping[str, tuple[str, ...]] = {
    "Argo CD": ("3.5",),
    "Helm": ("4.2",),
    "Kubernetes": ("1.36",),
    "Kustomize": ("5.8",),
    "MLflow": ("3.17",),
    "Prometheus": ("2.42", "3.14"),
}
# Argo CD: before that a sync that is retried never sees the revert (`retry.refresh`).
# Git: before that a clone of SHA-256 objects and `--end-of-options` are not whole.
OLDEST: Mapping[str, tuple[int, int]] = {
    "Argo CD": (3, 2),
    "Git": (2, 39),
    "Kubernetes": (1, 27),
    "Prometheus": (2, 39),
    "Python": (3, 11),
}
# Works, but with a flaw until then: prometheus/prometheus#13115.
FLAWED: Mapping[str, tuple[tuple[int, int], str]] = {
    "Prometheus": ((2, 49), "an answer may lack late samples while it compacts them"),
}
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})", re.ASCII)


def version(check: str, where: str, system: str, found: str) -> Iterator[Finding]:
    """Hold a version against the tables.

    Args:
        check: Id of the finding.
        where: Where the system runs.
        system: Its name in the tables.
        found: What it calls itself; "" where it does not say.
    """
    read = _VERSION.match(found)
    if read is None:
        said = f"it calls itself {found!r}" if found else "it does not say its version"
        yield unknown(check, where, f"{system}: {said}")
        return
    number = int(read[1]), int(read[2])
    oldest, tried = OLDEST.get(system, (0, 0)), TRIED.get(system, ())
    told = f"{system} {found.removeprefix('v')}"
    if number == (0, 0):
        text = f"{told}: a build without its version; charts with kubeVersion fail on it"
        yield warned(check, where, text, f"run a released build of {system}")
    elif number < oldest:
        needed = ".".join(map(str, oldest))
        yield failed(check, where, f"{told} is too old", f"upgrade it to {needed} or newer")
    elif system in FLAWED and number < FLAWED[system][0]:
        until, flaw = FLAWED[system]
        better = ".".join(map(str, until))
        yield warned(check, where, f"{told}: {flaw}", f"upgrade it to {better} or newer")
    elif not tried or f"{number[0]}.{number[1]}" in tried:
        yield passed(check, where, told)
    else:
        yield passed(check, where, f"{told}; tidegate was tried with {' and '.join(tried)}")
