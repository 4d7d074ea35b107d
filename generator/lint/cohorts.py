"""A draw is the one its rollout id gives, and stays as it was drawn."""

from collections.abc import Iterator

from generator import layout
from generator.cohort import draw
from generator.documents.rollout import read_cohort, write_cohort
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.lint.view import View
from generator.model.cohort import ALGORITHM, Cohort
from generator.model.environment import Kind
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.repository import Repository

MOST_PAST = 10


def cohort(view: View) -> Iterator[Problem]:
    """Check the draw of every rollout."""
    for rollout in view.rollouts():
        path = layout.cohort(rollout.environment, rollout.model)
        drawn = view.cohort(rollout.environment, rollout.model)
        if drawn is not None:
            yield from _drawn(view, path, rollout, drawn)
        elif rollout.canary and view.tree.read(path) is None and _is_edge(view, rollout):
            hint = _again(rollout)
            yield Problem("a canary is out, but no sites were drawn for it", path, hint=hint)


def _is_edge(view: View, rollout: Rollout) -> bool:
    settings = view.environment(rollout.environment)
    return settings is not None and settings.kind is Kind.EDGE


def _again(rollout: Rollout) -> str:
    return f"git revert the edit, or tidegate revert {rollout.model} --env {rollout.environment}"


def _drawn(view: View, path: RepoPath, rollout: Rollout, drawn: Cohort) -> Iterator[Problem]:
    hint = view.restore(path) or _again(rollout)
    if rollout.canary and drawn.rollout != rollout.id:
        text = f"this draw is of {drawn.rollout!r}, not {rollout.id!r}"
        yield Problem(text, path, view.line(path, "rollout"), hint)
    elif drawn.algorithm != ALGORITHM:
        text = f"the algorithm {drawn.algorithm!r} is not known; this version has {ALGORITHM}"
        yield Problem(text, path, view.line(path, "algorithm"), hint)
    elif (place := _first_moved(drawn)) is not None:
        text = f"site {drawn.members[place].id!r} stands in a place that it was not drawn for"
        yield Problem(text, path, _row(view, path, place), hint)
    elif write_cohort(drawn) != view.read(path):
        yield Problem("the draw was written by hand", path, hint=hint)
    else:
        yield from _past(view, path, rollout, drawn, hint)


def _first_moved(drawn: Cohort) -> int | None:
    """Draw the same sites again and find the first that stands elsewhere."""
    sites = [Site(one.id, "any", labels={"stratum": one.stratum}) for one in drawn.members]
    again = draw(drawn.rollout, sites, ("stratum",)).members
    pairs = enumerate(zip(drawn.members, again, strict=True))
    return next((place for place, (one, other) in pairs if one.id != other.id), None)


def _row(view: View, path: RepoPath, place: int) -> int | None:
    documents = view.documents(path)
    return documents[0].line_of("sites", place) if documents else None


def _past(
    view: View, path: RepoPath, rollout: Rollout, drawn: Cohort, hint: str
) -> Iterator[Problem]:
    """Compare with the draw as it was first committed, and with the sites of that commit."""
    if not view.tree.commit:
        return
    versions = _versions(view, path, drawn.rollout)
    for commit, data in versions:
        if data != view.read(path):
            where = f"since {commit[:12]}"
            text = f"the sites of a rollout stay as they were drawn; this draw changed {where}"
            yield Problem(text, path, hint=hint)
            return
    known = {site.id for site in view.sites(rollout.environment)}
    strangers = [one.id for one in drawn.members if one.id not in known]
    if strangers and versions:
        then = _sites(view, versions[-1][0], rollout.environment)
        made_up = [one for one in strangers if then and one not in then]
        if made_up:
            text = f"{count(len(made_up), 'site')} never there when it was drawn: {few(made_up)}"
            yield Problem(text, path, hint=hint)


def _versions(view: View, path: RepoPath, rollout: str) -> list[tuple[str, bytes]]:
    """List the committed versions of one draw, newest first."""
    now = view.read(path)
    past = view.tree.past(path, MOST_PAST)
    return [(one.id, data) for one, data in past if data == now or _is_of(path, data, rollout)]


def _is_of(path: RepoPath, data: bytes, rollout: str) -> bool:
    try:
        return read_cohort(path, data).rollout == rollout
    except InputError:
        return False


def _sites(view: View, commit: str, environment: str) -> frozenset[str]:
    try:
        sites = Repository(view.tree.at(commit)).sites(environment)
    except InputError:
        return frozenset()
    return frozenset(site.id for site in sites)
