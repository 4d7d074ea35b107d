"""Sites come and go: one row and its pointers, and nothing of any other site."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.documents.sites import SHARD_SIZE, append_rows, remove_rows
from generator.errors import InputError, Problem
from generator.expand import differences
from generator.intents.delivery import write_delivery
from generator.intents.words import Asked
from generator.layout import RepoPath
from generator.model.names import application_name, clashes, say_clash
from generator.model.site import Site
from generator.repository import Repository


def add_sites(
    repository: Repository,
    environment: str,
    rows: Sequence[tuple[int | None, Site]],
    file: str | None,
    asked: Asked,
) -> ChangeSet | None:
    """Add sites, with pointers to the stable release where a model has one.

    Args:
        repository: What stands in Git.
        environment: Where they belong.
        rows: Sites with the line they come from, for messages.
        file: The file they come from, for messages.
        asked: Who and why.

    Returns:
        The change; None when every site is there already, just so.

    Raises:
        InputError: An id is taken by another row, a name gets too long, columns differ.
    """
    present = {site.id: site for site in repository.sites(environment)}
    fresh = [(line, site) for line, site in rows if not _is_same(present.get(site.id), site)]
    problems = list(_problems(repository, environment, present, fresh, file))
    if problems:
        raise InputError.many(problems)
    if not fresh:
        return None
    _need_expanded(repository, environment)
    draft = Draft(repository.tree)
    _append(draft, repository, environment, [site for _, site in fresh])
    return _close(draft, environment, f"{_count(len(fresh))} added", asked)


def _is_same(old: Site | None, new: Site) -> bool:
    return old is not None and (old.id, old.cluster, old.region, old.hardware, old.labels) == (
        new.id,
        new.cluster,
        new.region,
        new.hardware,
        new.labels,
    )


def _problems(
    repository: Repository,
    environment: str,
    present: dict[str, Site],
    rows: Iterable[tuple[int | None, Site]],
    file: str | None,
) -> Iterable[Problem]:
    columns = {frozenset(site.labels) for site in present.values()}
    models = repository.models()
    for line, site in rows:
        if site.id in present:
            text = f"site {site.id!r} is there already, with other values"
            hint = f"edit {layout.shard(environment, present[site.id].shard)} instead"
            yield Problem(text, file, line, hint)
        if columns and frozenset(site.labels) not in columns:
            known = ", ".join(sorted(next(iter(columns)))) or "none"
            yield Problem(
                "the label columns differ from those there", file, line, f"there: {known}"
            )
        for model in models:
            try:
                application_name(environment, model, site.id)
            except ValueError as error:
                yield Problem(str(error), file, line)
    yield from _clashes(repository, environment, {site.id: line for line, site in rows}, file)


def _clashes(
    repository: Repository, environment: str, fresh: Mapping[str, int | None], file: str | None
) -> Iterator[Problem]:
    ids = {name: {one.id for one in repository.sites(name)} for name in repository.environments()}
    ids[environment] = {*ids[environment], *fresh}
    lines = {(name, model): ids[name] for name in ids for model in repository.models()}
    for one, other in clashes(lines):
        for name, _, site in (one, other):
            if name == environment and site in fresh:
                yield Problem(say_clash(one, other), file, fresh[site], "give the site another id")
                break


def _append(draft: Draft, repository: Repository, environment: str, sites: Sequence[Site]) -> None:
    stems = repository.shards(environment)
    sizes = dict.fromkeys(stems, 0)
    for site in repository.sites(environment):
        sizes[site.shard] += 1
    waiting = list(sites)
    numbered = (f"s{number:03d}" for number in range(1000))
    while waiting:
        open_ = next((stem for stem in stems if sizes[stem] < SHARD_SIZE), None)
        stem = open_ or next(name for name in numbered if name not in sizes)
        room = SHARD_SIZE - sizes.setdefault(stem, 0)
        batch, waiting = waiting[:room], waiting[room:]
        path = layout.shard(environment, stem)
        text = (draft.read(path) or b"").decode("utf-8")
        with _in_file(path):
            draft.write({path: append_rows(text, batch).encode("utf-8")})
        sizes[stem] += len(batch)


def remove_sites(
    repository: Repository, environment: str, ids: Sequence[str], asked: Asked
) -> ChangeSet:
    """Remove sites and their pointers.

    Raises:
        InputError: A site is not there, or it would be the last one of a baseline.
    """
    present = {site.id: site for site in repository.sites(environment)}
    missing = [one for one in ids if one not in present]
    if missing:
        hint = f"see {layout.shards(environment)}/"
        raise InputError.many(Problem(f"there is no site {one!r}", hint=hint) for one in missing)
    going = frozenset(ids)
    if not set(present) - going:
        raise InputError(
            f"this would remove every site of {environment}",
            hint="an empty fleet is never what Argo CD should be told; remove the environment",
        )
    _need_expanded(repository, environment)
    draft = Draft(repository.tree)
    for stem in sorted({present[one].shard for one in going}):
        path = layout.shard(environment, stem)
        with _in_file(path):
            draft.edit(path, lambda text: remove_rows(text, going))
    return _close(draft, environment, f"{_count(len(going))} removed", asked)


def _need_expanded(repository: Repository, environment: str) -> None:
    """Let no percentage move under the words of a change of sites."""
    for owner, model in repository.rollouts():
        if owner == environment and differences(repository, environment, model):
            raise InputError(
                "the pointers do not follow this file yet",
                file=layout.rollout(environment, model),
                hint=f"first: tidegate expand {model} --env {environment}",
            )


@contextmanager
def _in_file(path: RepoPath) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        (problem,) = error.problems
        raise InputError(problem.message, file=path, hint=problem.hint) from error


def _close(draft: Draft, environment: str, what: str, asked: Asked) -> ChangeSet:
    repository = Repository(draft)
    for owner, model in repository.rollouts():
        if owner == environment:
            changed = differences(repository, environment, model)
            draft.write({path: data for path, data in changed.items() if data is not None})
            draft.delete(path for path, data in changed.items() if data is None)
    write_delivery(draft)
    total = len(repository.sites(environment))
    subject = f"{environment}: {what}, {total} now"
    return ChangeSet(draft.commit, draft.changes(), subject, "", asked.trailers())


def _count(number: int) -> str:
    return "1 site" if number == 1 else f"{number} sites"
