"""Sites: told apart by everything that is made of their names, and known to every release."""

from collections.abc import Iterable, Iterator

from generator import layout
from generator.documents.nodes import Node
from generator.errors import Problem
from generator.expand import profiles_of
from generator.lint.finding import count, few
from generator.lint.view import View
from generator.model.environment import Kind
from generator.model.names import APPLICATION_LENGTH, clashes, say_clash
from generator.model.rollout import Rollout
from generator.model.site import Site

_QUOTED = ("id", "cluster")


def sites(view: View) -> Iterator[Problem]:
    """Check the rows of every site file, alone and against the other files."""
    for environment in view.environments():
        yield from _twins(view, environment)
        for stem in view.shards(environment):
            path = layout.shard(environment, stem)
            for document in view.documents(path):
                yield from _bare(path, document)
        if not view.sites(environment) and _is_served(view, environment):
            hint = "git restore the rows, or take the rollout file away with them"
            text = "a model has a baseline here, but there are no sites"
            yield Problem(text, layout.environment(environment), hint=hint)


def _is_served(view: View, environment: str) -> bool:
    if any(view.shard(environment, stem) is None for stem in view.shards(environment)):
        return False
    return any(one.stable for one in view.rollouts() if one.environment == environment)


def _twins(view: View, environment: str) -> Iterator[Problem]:
    first: dict[str, Site] = {}
    for site in view.sites(environment):
        other = first.setdefault(site.id, site)
        if other is not site:
            path = layout.shard(environment, site.shard)
            text = f"site {site.id!r} also stands in {other.shard}.yaml"
            line = view.site_line(environment, site)
            yield Problem(text, path, line, "take one of the rows away")


def _bare(path: str, document: Node) -> Iterator[Problem]:
    """Argo CD reads `id: 012` as the site 10, and complains about nothing."""
    bare = [
        (node.line, f"{key}: {node.text()}")
        for row in document.items()
        for key in _QUOTED
        if (node := row.at(key)) is not None and node.is_plain
    ]
    if bare:
        text = f"not quoted: {few([text for _, text in bare])}"
        yield Problem(text, path, bare[0][0], "write every id and cluster in double quotes")


def applications(view: View) -> Iterator[Problem]:
    """Demand that every Application has a name of its own, and not too long a one."""
    sites = {name: {site.id: site for site in view.sites(name)} for name, _ in view.lines()}
    for environment, model in view.lines():
        found = sites[environment].values()
        long = [s for s in found if len(f"{environment}-{model}-{s.id}") > APPLICATION_LENGTH]
        if long:
            yield _too_long(view, environment, model, long)
    for one, other in clashes({line: sites[line[0]] for line in view.lines()}):
        site = sites[one[0]][one[2]]
        path, line = layout.shard(one[0], site.shard), view.site_line(one[0], site)
        yield Problem(say_clash(one, other), path, line, "rename one of the sites")


def _too_long(view: View, environment: str, model: str, found: list[Site]) -> Problem:
    text = (
        f"{count(len(found), 'Application')} of {model} would have a name of more than "
        f"{APPLICATION_LENGTH} characters: {few([site.id for site in found])}"
    )
    path = layout.shard(environment, found[0].shard)
    hint = "shorten the names of the sites"
    return Problem(text, path, view.site_line(environment, found[0]), hint)


def clusters(view: View) -> Iterator[Problem]:
    """Name sites whose objects would overwrite each other."""
    taken: dict[tuple[str, str, str], tuple[str, Site]] = {}
    for environment, model in view.lines():
        settings = view.environment(environment)
        shared: list[tuple[Site, Site]] = []
        for site in view.sites(environment) if settings is not None else ():
            place = (site.cluster, settings.namespace if settings else "", model)
            other = taken.setdefault(place, (environment, site))
            if other[1].id != site.id or other[0] != environment:
                shared.append((site, other[1]))
        if shared:
            yield _shared(view, environment, model, shared)


def _shared(view: View, environment: str, model: str, shared: list[tuple[Site, Site]]) -> Problem:
    named = few([f"{one.id} and {other.id} on {one.cluster}" for one, other in shared])
    text = f"{model} would be applied twice in one namespace of one cluster: {named}"
    path = layout.shard(environment, shared[0][0].shard)
    hint = "one site, one cluster; or give the environments namespaces of their own"
    return Problem(text, path, view.site_line(environment, shared[0][0]), hint)


def profiles(view: View) -> Iterator[Problem]:
    """Demand that the stable release and the canary know the hardware of every site."""
    for rollout in view.rollouts():
        settings = view.environment(rollout.environment)
        if settings is None or settings.kind is not Kind.EDGE:
            continue
        for release in dict.fromkeys((rollout.stable, rollout.canary)):
            if release and view.release(rollout.environment, rollout.model, release):
                yield from _unknown(view, rollout, release)


def _unknown(view: View, rollout: Rollout, release: str) -> Iterable[Problem]:
    environment = rollout.environment
    known = profiles_of(view.tree, environment, rollout.model, release)
    groups: dict[tuple[str, str], list[Site]] = {}
    for site in view.sites(environment):
        if site.hardware not in known:
            groups.setdefault((site.shard, site.hardware), []).append(site)
    for (shard, hardware), found in groups.items():
        ids = few([site.id for site in found])
        text = f"release {release} of {rollout.model} has no hardware profile {hardware!r}: {ids}"
        line = view.site_line(environment, found[0])
        hint = f"profiles: {', '.join(sorted(known)) or 'none'}"
        yield Problem(text, layout.shard(environment, shard), line, hint)
