"""The course of a rollout so far, from Git alone: which sites were asked to move, since when."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from generator import layout
from generator.changes import CommitInfo, Tree
from generator.cohort import canary_sites, stratum_of
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.model.cohort import Cohort
from generator.model.environment import Environment, Kind
from generator.model.percent import ZERO, Percent
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler import record
from reconciler.measure import Assignment, Cut
from reconciler.queries import Questions, questions

MOST_PAST = 500
LONGEST_UNSEEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """From this commit on the rollout was at this percentage.

    Attributes:
        percent: Share of the cohort.
        commit: The commit, on the first-parent line.
        at: When sites may have begun to move: its date, at most a day before `since`.
        since: When the reconciler knew of it, by its own clock; every waiting counts from here.
        is_seen: Whether Git says so; else `since` is that of the next moment, or now.
    """

    percent: Percent
    commit: str
    at: datetime
    since: datetime
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Course:
    """All that stands in Git about one climbing rollout; in the cloud nobody is drawn."""

    repository: Repository
    rollout: Rollout
    settings: Environment
    cohort: Cohort | None
    chain: record.Chain
    moments: tuple[Moment, ...]

    @property
    def since(self) -> datetime:
        """Give the time from which the present step counts."""
        return self.moments[-1].since

    @property
    def unseen(self) -> str:
        """Name the commit of the present step while nothing in Git says that it was seen."""
        newest = self.moments[-1]
        return "" if newest.is_seen else newest.commit

    @property
    def is_split(self) -> bool:
        """Say whether each site serves both releases, and the percentage is one of traffic."""
        return self.settings.kind is Kind.CLOUD

    @property
    def asked(self) -> Questions:
        """Give the questions to the metrics API."""
        rollout = self.rollout
        spec = self.repository.model(rollout.model)
        arms = (rollout.stable, rollout.canary)
        return questions(rollout.environment, rollout.model, arms, spec.objectives)

    def canary(self, percent: Percent) -> frozenset[str]:
        """Give the present sites that run the canary at a percentage; in the cloud all or none."""
        present = [site.id for site in self.repository.sites(self.rollout.environment)]
        if self.is_split:
            return frozenset(present if percent != ZERO else ())
        return canary_sites(replace(self.rollout, percent=percent), self.cohort, present)

    @property
    def assignment(self) -> Assignment:
        """Say who should serve what, since when."""
        sites = self.repository.sites(self.rollout.environment)
        return Assignment(
            rollout=self.rollout.id,
            stable=self.rollout.stable,
            canary=self.rollout.canary,
            sites={site.id: stratum_of(site, self.settings.strata) for site in sites},
            cuts=tuple(Cut(one.at, self.canary(one.percent)) for one in self.moments),
            is_split=self.is_split,
        )


def read_course(
    repository: Repository, rollout: Rollout, chain: record.Chain, now: datetime
) -> Course:
    """Read the course of a climbing rollout.

    Raises:
        InputError: The cohort is missing, or what the rollout began with was changed.
    """
    settings = repository.environment(rollout.environment)
    cohort = repository.cohort(rollout.environment, rollout.model)
    is_drawn = settings.kind is Kind.EDGE
    if is_drawn and (cohort is None or cohort.rollout != rollout.id):
        path = layout.cohort(rollout.environment, rollout.model)
        raise InputError("the cohort of this rollout is missing", file=path, hint="promote again")
    moments = timeline(repository.tree, rollout, chain.seen, now)
    course = Course(repository, rollout, settings, cohort, chain, moments)
    if chain.asked not in (None, asked_for(course.asked)):
        hint = "git revert that edit, or tidegate revert and promote again"
        text = "stable, canary or objectives are not those that this rollout began with"
        path = layout.rollout(rollout.environment, rollout.model)
        raise InputError(text, file=path, hint=hint)
    return course


def asked_for(asked: Questions) -> Mapping[str, Sequence[str]]:
    """Give the questions of every objective, as they stand in evidence 0000."""
    return {one.objective: [one.total, one.part] for one in asked.counts}


def check_names(rollout: Rollout) -> None:
    """Refuse machine lines that no promotion can have written.

    Raises:
        InputError: No stable release, both arms the same, or an id of another release.
    """
    begin = f"{rollout.environment}-{rollout.model}-{rollout.canary}-"
    number = rollout.id.removeprefix(begin)
    numbered = rollout.id.startswith(begin) and number.isdecimal() and number.isascii()
    if not numbered or not rollout.stable or rollout.stable == rollout.canary:
        raise InputError(
            "stable, canary and rollout do not go together: only tidegate writes these lines",
            file=layout.rollout(rollout.environment, rollout.model),
            hint="git revert the edit, or promote again",
        )


def timeline(
    tree: Tree, rollout: Rollout, seen: Mapping[str, datetime], now: datetime
) -> tuple[Moment, ...]:
    """Read from the log when the rollout reached each percentage, oldest first.

    The date of a commit is what somebody's clock said when it was made, and it may have been
    pushed long after. The reconciler believes its own clock only: its own steps, and the
    evidence in which it says that it has seen the step of somebody else.

    Args:
        tree: The newest commit.
        rollout: Whose id counts.
        seen: Commit to when the reconciler saw it.
        now: UTC; no commit was made later.

    Raises:
        InputError: The log does not hold the start of this rollout.
    """
    found: list[Moment] = []
    since = now
    for commit, percent in _steps(tree, rollout):
        known = commit.at if "Evidence" in commit.trailers else seen.get(commit.id)
        since = min(since, known or since)
        at = max(min(commit.at, since), since - LONGEST_UNSEEN)
        found.append(Moment(percent, commit.id, at, since, known is not None))
    if not found:
        path = layout.rollout(rollout.environment, rollout.model)
        raise InputError("no commit started this rollout", file=path)
    return tuple(_rising(reversed(found)))


def _steps(tree: Tree, rollout: Rollout) -> list[tuple[CommitInfo, Percent]]:
    """List the commits that changed the percentage of this rollout, newest first."""
    path = layout.rollout(rollout.environment, rollout.model)
    found: list[tuple[CommitInfo, Percent]] = []
    for commit, data in tree.past(path, MOST_PAST):
        try:
            then = read_rollout(path, data, rollout.environment, rollout.model)
        except InputError:
            continue
        if then.id != rollout.id or not then.canary:
            break
        if found and found[-1][1] == then.percent:
            found.pop()
        found.append((commit, then.percent))
    return found


def _rising(moments: Iterable[Moment]) -> Iterator[Moment]:
    """Let no commit count as earlier than the one before it."""
    latest = datetime.min.replace(tzinfo=UTC)
    for moment in moments:
        latest = max(latest, moment.at)
        yield replace(moment, at=latest)


def floor(at: datetime, step: timedelta) -> datetime:
    """Give the newest UTC multiple of `step` at or before a time."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def ceil(at: datetime, step: timedelta) -> datetime:
    """Give the oldest UTC multiple of `step` at or after a time without fractions of a second."""
    below = floor(at, step)
    return below if below == at else below + step


def floor_span(span: timedelta, step: timedelta) -> timedelta:
    """Give the longest multiple of `step` within a span, at least one."""
    return max(1, span // step) * step
