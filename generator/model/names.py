"""Names that become paths, labels and Kubernetes objects, and nothing else.

Every name is an RFC 1123 label, so no name can climb out of its folder, forge a YAML key
or a commit trailer, or differ from another one by case only.
"""

import re
from collections.abc import Collection, Iterator, Mapping

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_RELEASE = re.compile(r"v([0-9]{1,9})-([0-9a-f]{8})", re.ASCII)
APPLICATION_LENGTH = 63
Line = tuple[str, str]  # environment, model
Application = tuple[str, str, str]  # environment, model, site


def check_name(kind: str, text: str, longest: int = 53) -> str:
    """Give the name back when it is one.

    Args:
        kind: What is named, for the message ("site", "model", ...).
        text: Foreign text.
        longest: Most characters.

    Raises:
        ValueError: Not lower-case letters, digits and inner hyphens, or too long.
    """
    if len(text) > longest:
        raise ValueError(f"{kind} {text[:20]!r}... has {len(text)} characters, {longest} at most")
    if not _LABEL.fullmatch(text):
        raise ValueError(
            f"{kind} {text!r} is not a name: use lower-case letters, digits and inner hyphens"
        )
    return text


def check_release(text: str) -> str:
    """Give the release id back when it is one, as in `v13-3f9a1c2b`.

    Raises:
        ValueError: It is not.
    """
    if not _RELEASE.fullmatch(text):
        raise ValueError(f"{text!r} is not a release id such as v13-3f9a1c2b")
    return text


def application_name(environment: str, model: str, site: str) -> str:
    """Name the Argo CD Application of one model on one site.

    Raises:
        ValueError: Longer than the 63 characters of a label value.
    """
    name = f"{environment}-{model}-{site}"
    if len(name) > APPLICATION_LENGTH:
        raise ValueError(
            f"the Application {name!r} would have {len(name)} characters, "
            f"{APPLICATION_LENGTH} at most; shorten the site, model or environment"
        )
    return name


def clashes(sites: Mapping[Line, Collection[str]]) -> Iterator[tuple[Application, Application]]:
    """Find Applications that would have the same name.

    `a-b` + `c` + `d` reads like `a` + `b-c` + `d`. Only lines whose own part of the name begins
    with that of another can meet, so a fleet without such a pair costs nothing.

    Args:
        sites: The site ids of every (environment, model).
    """
    for one, mine in sites.items():
        for other, theirs in sites.items():
            head, short = f"{one[0]}-{one[1]}-", f"{other[0]}-{other[1]}-"
            if one == other or not head.startswith(short) or (head == short and one < other):
                continue
            known, rest = frozenset(theirs), head.removeprefix(short)
            for site in sorted(mine):
                if rest + site in known:
                    yield (*one, site), (*other, rest + site)


def say_clash(one: Application, other: Application) -> str:
    """Say which two Applications would be one."""
    first, second = " / ".join(one), " / ".join(other)
    return f"the Application {'-'.join(one)!r} would be that of {first} and {second}"
