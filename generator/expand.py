"""Rollouts, cohorts, releases and sites to pointers: `sites/` is a pure function of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from generator import layout
from generator.changes import Tree, blob_id
from generator.cohort import canary_sites
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.model.cohort import Cohort
from generator.model.environment import Kind
from generator.model.percent import ZERO
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.render import helm, kustomize
from generator.repository import Repository


@dataclass(frozen=True, slots=True)
class Expansion:
    """Which release every present site should run, and the bytes that say so."""

    releases: Mapping[str, str]
    files: Mapping[RepoPath, bytes]


def assign(repository: Repository, rollout: Rollout) -> Mapping[str, str]:
    """Say which release each present site should run; empty before the baseline.

    For edge environments; in the cloud every site holds both releases and traffic is split.

    Raises:
        InputError: The canary is out and its draw is missing, invalid or of another rollout.
    """
    if not rollout.stable:
        return {}
    sites = [site.id for site in repository.sites(rollout.environment)]
    if not rollout.canary or rollout.percent == ZERO:
        return dict.fromkeys(sites, rollout.stable)
    canary = canary_sites(rollout, _draw(repository, rollout), sites)
    return {site: rollout.canary if site in canary else rollout.stable for site in sites}


def _draw(repository: Repository, rollout: Rollout) -> Cohort:
    cohort = repository.cohort(rollout.environment, rollout.model)
    path = layout.cohort(rollout.environment, rollout.model)
    hint = "restore it from the commit that started the rollout, or revert the rollout"
    if cohort is None:
        raise InputError("the draw of this rollout is missing", file=path, hint=hint)
    if cohort.rollout != rollout.id:
        text = f"this draw is of {cohort.rollout!r}, not {rollout.id!r}"
        raise InputError(text, file=path, hint=hint)
    return cohort


def expand(repository: Repository, environment: str, model: str) -> Expansion:
    """Compute every pointer of one model in one environment.

    Raises:
        InputError: A file is invalid, a release is missing, or a site names a hardware profile
            that its release does not have.
    """
    rollout = repository.rollout(environment, model)
    _refuse_rejected(repository, rollout)
    settings = repository.environment(environment)
    if settings.kind is Kind.CLOUD:
        return _expand_cloud(repository, rollout)
    releases = assign(repository, rollout)
    sites = {site.id: site for site in repository.sites(environment)}
    _check_profiles(repository, rollout, sites, releases)
    files = kustomize.pointers(environment, model, sites, releases, settings.settings)
    return Expansion(releases, files)


def _expand_cloud(repository: Repository, rollout: Rollout) -> Expansion:
    if not rollout.stable:
        return Expansion({}, {})
    environment, model = rollout.environment, rollout.model
    if rollout.canary == rollout.stable:
        path = layout.rollout(environment, model)
        hint = "restore both lines from the commit before"
        raise InputError("canary and stable are the same release", file=path, hint=hint)
    stable = _frozen(repository, environment, model, rollout.stable)
    canary = _frozen(repository, environment, model, rollout.canary) if rollout.canary else None
    settings = repository.environment(environment).settings
    files: dict[RepoPath, bytes] = {}
    for site in repository.sites(environment):
        files.update(helm.pointer(site, stable, canary, rollout.percent, settings))
    return Expansion(
        dict.fromkeys((s.id for s in repository.sites(environment)), rollout.stable), files
    )


def _frozen(repository: Repository, environment: str, model: str, name: str) -> helm.Frozen:
    folder = layout.release(environment, model, name)
    read = repository.tree.read_many(repository.tree.ids(folder))
    files = {path.removeprefix(f"{folder}/"): data for path, data in read.items()}
    return helm.Frozen(repository.release(environment, model, name), files)


def _refuse_rejected(repository: Repository, rollout: Rollout) -> None:
    if not rollout.canary or not rollout.percent.basis_points:
        return
    environment, model = rollout.environment, rollout.model
    release = repository.release(environment, model, rollout.canary)
    for entry in repository.rejected():
        if entry.key == release.key:
            raise InputError(
                f"the canary {rollout.canary} was rejected: {entry.reason}",
                file=layout.rollout(environment, model),
                hint=f"tidegate revert {model} --env {environment}, or tidegate unreject",
            )


def _check_profiles(
    repository: Repository,
    rollout: Rollout,
    sites: Mapping[str, Site],
    releases: Mapping[str, str],
) -> None:
    problems = []
    for release in sorted(set(releases.values())):
        repository.release(rollout.environment, rollout.model, release)
        known = profiles_of(repository.tree, rollout.environment, rollout.model, release)
        for site, wanted in releases.items():
            if wanted == release and sites[site].hardware not in known:
                name, file = sites[site].hardware, sites[site].shard
                text = f"site {site!r}: release {release} has no hardware profile {name!r}"
                path = layout.shard(rollout.environment, file)
                problems.append(Problem(text, path, hint=f"profiles: {', '.join(sorted(known))}"))
    if problems:
        raise InputError.many(problems)


def profiles_of(tree: Tree, environment: str, model: str, release: str) -> frozenset[str]:
    """List the hardware profiles that a release was frozen with."""
    under = f"{layout.release(environment, model, release)}/components"
    return frozenset(path.removeprefix(f"{under}/").partition("/")[0] for path in tree.ids(under))


def differences(
    repository: Repository, environment: str, model: str
) -> Mapping[RepoPath, bytes | None]:
    """Compare the pointers in the tree with what they should be.

    Returns:
        The files to write, None for one that has to go; empty when all is right.

    Raises:
        InputError: As `expand`, or every pointer would go: an emptied file is never an order
            to take a model off a whole fleet.
    """
    expected = expand(repository, environment, model).files
    found = pointers(repository.tree, environment, model)
    if found and not expected:
        raise InputError(
            f"this would take {model} off every site of {environment}",
            file=layout.rollout(environment, model),
            hint="restore the stable line and the site files from the commit before",
        )
    like = next(iter(found.values()), None)
    changed: dict[RepoPath, bytes | None] = {
        path: data for path, data in expected.items() if found.get(path) != blob_id(data, like)
    }
    changed.update(dict.fromkeys(path for path in found if path not in expected))
    return changed


def pointers(tree: Tree, environment: str, model: str) -> Mapping[RepoPath, str]:
    """List the pointer files of one model in one environment with their blob ids."""
    under = f"{layout.SITES}/{environment}"
    middle = f"/{model}/"
    return {
        path: id_
        for path, id_ in tree.ids(under).items()
        if path[len(under) + 1 :].partition("/")[2].startswith(middle[1:])
    }
