"""A release enters an environment: frozen alone, as the baseline, or as a canary."""

from collections.abc import Iterable, Iterator

from generator import cohort as cohorts
from generator import layout
from generator.changes import ChangeSet, Draft
from generator.documents.release import freeze
from generator.documents.rollout import write_cohort
from generator.errors import InputError
from generator.intents.delivery import write_delivery
from generator.intents.freezing import copied_files, frozen_files
from generator.intents.moves import edit, finish
from generator.intents.words import Asked, next_id, title
from generator.model.config import ModelSpec
from generator.model.environment import Environment, Kind
from generator.model.percent import FULL, ZERO
from generator.model.release import ModelVersion, Release, check_image
from generator.model.rollout import OnNewVersion, Phase, Rollout
from generator.repository import Repository


def release(
    repository: Repository, environment: str, model: str, version: ModelVersion, asked: Asked
) -> tuple[Release, ChangeSet | None]:
    """Freeze one release and move nothing.

    Returns:
        The release, and the change that writes it; None when it stands already.

    Raises:
        InputError: It has no pinned image, the image is not allowed, or a file is missing.
    """
    draft = Draft(repository.tree)
    frozen = _freeze(draft, repository, environment, model, version)
    files = draft.changes()
    if not files:
        return frozen, None
    subject = f"{model} {environment}: froze {frozen.id}, nothing moves"
    pins = (("Model-Version", version.version), ("Model-Digest", version.digest))
    return frozen, ChangeSet(draft.commit, files, subject, "", (*pins, *asked.trailers()))


def baseline(
    repository: Repository, environment: str, model: str, version: ModelVersion, asked: Asked
) -> ChangeSet | None:
    """Put a release on every site without a rollout: the first one, or a repair.

    Of a canary that is at 100 percent it makes the stable release, by a person's word.

    Raises:
        InputError: A canary is out, there are no sites, or the release was rejected.
    """
    before = repository.rollout(environment, model)
    _need_sites(repository, environment)
    draft = Draft(repository.tree)
    frozen = _freeze(draft, repository, environment, model, version)
    everywhere = before.canary == frozen.id and before.percent == FULL
    if before.is_climbing and not everywhere:
        hint = f"tidegate revert {model} --env {environment} --reason ..."
        raise InputError(
            f"{before.canary} is at {before.percent}%: end that rollout first", hint=hint
        )
    _refuse_rejected(repository, frozen)
    after = edit(
        draft,
        environment,
        model,
        stable=frozen.id,
        canary=None,
        percent="0",
        phase=Phase.COMPLETED.value,
    )
    write_delivery(draft)

    def say(_: tuple[int, int], total: int) -> str:
        return f"{title(after)}: {frozen.short} is the baseline of {total} sites"

    return finish(repository, draft, before, after, say, asked)


def promote(
    repository: Repository, environment: str, model: str, version: ModelVersion, asked: Asked
) -> ChangeSet | None:
    """Start a rollout: freeze the release, draw the cohort, take the first step.

    In the cloud the objects of the canary come first, with no traffic.

    Returns:
        The change, or None when this very release climbs or is stable already.

    Raises:
        InputError: No baseline, another rollout climbs, the release was rejected, the first
            step has too few sites, or an environment it requires has not completed the model.
    """
    before = repository.rollout(environment, model)
    settings = repository.environment(environment)
    if not before.stable:
        hint = f"tidegate promote {version.asked} --env {environment} --baseline --reason ..."
        path = layout.rollout(environment, model)
        raise InputError("there is no baseline yet", file=path, hint=hint)
    _need_sites(repository, environment)
    draft = Draft(repository.tree)
    frozen = _freeze(draft, repository, environment, model, version)
    if frozen.id == before.stable or (before.is_climbing and frozen.id == before.canary):
        return None
    _refuse_rejected(repository, frozen)
    _refuse_second(repository, before, settings, version)
    _check_requires(repository, settings, model, version)
    after = _start(draft, repository, before, settings, frozen)

    def say(counts: tuple[int, int], total: int) -> str:
        where = f"at {after.percent}% ({counts[1]} of {total} sites)"
        if settings.kind is Kind.CLOUD:
            where = f"without traffic on {total} clusters"
        replaced = f", replacing {before.canary}" if before.is_climbing else ""
        stable = before.stable.partition("-")[0]
        return f"{title(after)}: {frozen.short} starts {where}, {stable} stays stable{replaced}"

    return finish(repository, draft, before, after, say, asked)


def _start(
    draft: Draft,
    repository: Repository,
    before: Rollout,
    settings: Environment,
    frozen: Release,
) -> Rollout:
    environment, model = before.environment, before.model
    drawn = repository.cohort(environment, model)
    name = next_id(repository.tree, environment, model, frozen.id, drawn)
    percent = ZERO if settings.kind is Kind.CLOUD else before.steps[0]
    if settings.kind is Kind.EDGE:
        sites = repository.sites(environment)
        _check_first_step(before, len(sites))
        cohort = cohorts.draw(name, sites, settings.strata)
        draft.write({layout.cohort(environment, model): write_cohort(cohort)})
    phase = Phase.PROGRESSING.value
    keys = {"canary": frozen.id, "rollout": name, "percent": str(percent), "phase": phase}
    return edit(draft, environment, model, **keys)


def _check_first_step(rollout: Rollout, total: int) -> None:
    first = rollout.steps[0]
    if first.count_of(total) >= rollout.min_sites:
        return
    least = cohorts.smallest_percent(total, rollout.min_sites)
    if least is None:
        hint = f"lower minSites, or add sites ({total} now)"
    else:
        hint = f"the smallest first step here is {least}: edit steps"
    raise InputError(
        f"the first step of {first}% is {first.count_of(total)} of {total} sites, "
        f"under minSites: {rollout.min_sites}",
        file=layout.rollout(rollout.environment, rollout.model),
        hint=hint,
    )


def _refuse_second(
    repository: Repository, before: Rollout, settings: Environment, version: ModelVersion
) -> None:
    path = layout.rollout(before.environment, before.model)
    if before.is_climbing and before.on_new_version is OnNewVersion.REFUSE:
        pinned = repository.release(before.environment, before.model, before.canary).version
        has_moved = pinned.asked == version.asked and pinned.entry != version.entry
        moved = f"{version.asked} has moved on to version {version.version}, but "
        raise InputError(
            f"{moved if has_moved else ''}{before.canary} is at {before.percent}% "
            "of this environment",
            file=path,
            hint="wait, revert it, or set onNewVersion: supersede",
        )
    if settings.kind is Kind.CLOUD and before.canary and before.percent != ZERO:
        # Its objects may go only when no traffic does.
        raise InputError(
            f"{before.canary} has {before.percent}% of the traffic",
            file=path,
            hint=f"first: tidegate set-percent {before.model} --env {before.environment} 0",
        )


def _refuse_rejected(repository: Repository, frozen: Release) -> None:
    for entry in repository.rejected():
        if entry.key == frozen.key:
            raise InputError(
                f"{frozen.id} was rejected in {entry.environment} at {entry.at}: {entry.reason}"
                + (f" (evidence {entry.evidence})" if entry.evidence else ""),
                hint=f"register a new version, or tidegate unreject {frozen.model} {entry.release}",
            )


def _check_requires(
    repository: Repository, settings: Environment, model: str, version: ModelVersion
) -> None:
    for upstream, running in unmet(repository, settings.requires, model, version.digest):
        raise InputError(
            f"{settings.name} requires {upstream} to have completed this model first; "
            f"{upstream} runs {running}",
            file=layout.environment(settings.name),
            hint=f"tidegate promote {version.asked} --env {upstream} --reason ...",
        )


def unmet(
    repository: Repository, requires: Iterable[str], model: str, digest: str
) -> Iterator[tuple[str, str]]:
    """Name the environments that have not completed a model, and what they run instead.

    Raises:
        InputError: One of them does not know the model, or its rollout is invalid.
    """
    for upstream in requires:
        rollout = repository.rollout(upstream, model)
        have = ""
        if rollout.stable:
            have = repository.release(upstream, model, rollout.stable).version.digest
        if rollout.phase is not Phase.COMPLETED or have != digest:
            yield upstream, f"{rollout.stable or 'nothing'} ({rollout.phase or 'no baseline'})"


def _need_sites(repository: Repository, environment: str) -> None:
    if not repository.sites(environment):
        raise InputError(
            f"{environment} has no sites",
            file=layout.shards(environment),
            hint=f"tidegate site import FILE.csv --env {environment}",
        )


def _refuse_overwritten(repository: Repository, version: ModelVersion) -> None:
    """Refuse other bytes under a version that was pinned before, in any environment."""
    for environment, model, name in repository.all_releases():
        if not name.startswith(f"v{version.version}-"):
            continue
        try:
            pinned = repository.release(environment, model, name).version
        except InputError:
            continue  # `verify` names it; it says nothing about this one
        if pinned.entry == version.entry and pinned.digest != version.digest:
            raise InputError(
                f"version {version.version} of {version.registry_name!a} has other artifacts now "
                f"({version.digest[:19]}) than when {name} was frozen ({pinned.digest[:19]})",
                file=layout.release_file(environment, model, name),
                hint="find out who overwrote them, and register the new ones as a new version",
            )


def _freeze(
    draft: Draft,
    repository: Repository,
    environment: str,
    model: str,
    version: ModelVersion,
) -> Release:
    spec, settings = repository.model(model), repository.environment(environment)
    _refuse_overwritten(repository, version)
    image = _image(repository, spec, version)
    copied = copied_files(repository, settings.kind, model)
    frozen = freeze(environment, model, version, image, copied, repository.tree.commit)
    folder = layout.release(environment, model, frozen.id)
    if repository.tree.read(f"{folder}/release.yaml") is not None:
        standing = repository.release(environment, model, frozen.id)
        if standing.digest != frozen.digest:
            raise InputError("another release has the same id", file=folder)
        return standing
    draft.write(frozen_files(frozen, copied))
    return frozen


def _image(repository: Repository, spec: ModelSpec, version: ModelVersion) -> str:
    path = layout.model(spec.name)
    image = version.image if spec.image_from_tag else spec.image
    try:
        check_image(image)
    except ValueError as error:
        where = "the version's tag tidegate.image" if spec.image_from_tag else "image"
        raise InputError(f"{where}: {error}", file=path) from error
    allowed = repository.config().images
    if (allowed or spec.image_from_tag) and not any(_is_under(image, one) for one in allowed):
        hint = f"images.allow in {layout.CONFIG} holds: {', '.join(allowed) or 'nothing'}"
        raise InputError(f"image {image!r} is not allowed", file=path, hint=hint)
    return image


def _is_under(image: str, prefix: str) -> bool:
    # A prefix ends at a border: registry.example is not registry.example.org.
    ends = ("/", ":", "@")
    rest = image.removeprefix(prefix)
    return bool(prefix) and rest != image and (prefix.endswith(ends) or rest.startswith(ends))
