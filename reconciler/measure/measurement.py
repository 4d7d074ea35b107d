"""Answers and assignment to one line of the recording per tick and objective."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.assignment import Assignment, Roster, Window, roster
from reconciler.measure.counters import Counters, Starts, read_counters, read_starts
from reconciler.measure.pods import by_pod
from reconciler.measure.series import Answer
from reconciler.measure.sights import Info, Sight, read_info, sights
from reconciler.measure.table import Floats
from reconciler.measure.tally import Tally, tally
from reconciler.queries import Count, Questions
from reconciler.recording import HistoryLine, SiteCounts, TickLine

MOST_NOTES = 20
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a window showed.

    Attributes:
        ticks: In time order, within a tick the objectives in their order.
        sights: Every site of the assignment.
        warnings: The metrics API doubts its own answer: do not advance on it.
        notes: What was refused or disagrees, in words, at most 20 and a count of the rest.
    """

    ticks: tuple[TickLine, ...]
    sights: Mapping[str, Sight]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What the sites did under the stable release before a rollout.

    Attributes:
        lines: One per objective; a site without data is left out.
        reporting: Share of the ticks at which a site showed any series, 0..1; every site.
        warnings: As in a measurement.
        notes: As in a measurement.
    """

    lines: tuple[HistoryLine, ...]
    reporting: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    sites: Roster
    tallies: tuple[Tally, ...]
    starts: Starts
    notes: tuple[str, ...]

    def present(self, info: Info, sites: Roster) -> Bools:
        found = info.present(len(sites.names))
        fresh = [one.fresh for one in self.tallies]
        if self.sites.names == sites.names:
            return np.asarray(np.logical_or.reduce([found, *fresh]))
        rows = [sites.rows[name.partition("/")[0]] for name in self.sites.names]
        for one in fresh:
            np.logical_or.at(found, rows, one)
        return found


def measure(
    asked: Questions, answers: Mapping[str, Answer], assignment: Assignment, window: Window
) -> Measurement:
    """Turn the answers of one window into increments.

    A site counts only under the release that its arm should serve and that its own series
    name; whatever else it counts belongs to neither arm and shows in its sight. Where traffic is
    split, pods take the place of sites, and `fresh` counts the sites that they are on.

    Args:
        asked: The questions.
        answers: By text of the query, over all ticks from `window.fetched_from` to its end.
        assignment: Who should serve what, since when.
        window: Which ticks are new.

    Raises:
        KeyError: A question has no answer.

    Source: design.md sections 4 and 5.
    """
    sites, reading = roster(assignment, window), _read(asked, answers, assignment, window)
    info = read_info(answers[asked.info].series, sites, window)
    present, starts = reading.present(info, sites), reading.starts
    if assignment.is_split:
        starts = read_starts(answers[asked.started].series, window)
    seen = sights(info, present, assignment.canary, sites, window, starts)
    columns = range(len(window.seconds))[window.judged]
    return Measurement(
        ticks=tuple(
            _tick(assignment, one, reading.sites, window, column, present)
            for column in columns
            for one in reading.tallies
        ),
        sights=seen,
        warnings=_warnings(asked, answers),
        notes=_shortened((*reading.notes, *_disagreements(seen, assignment, sites))),
    )


def history(
    asked: Questions, answers: Mapping[str, Answer], assignment: Assignment, window: Window
) -> History:
    """Sum a window before the rollout, in which every site belongs to stable.

    Args:
        asked: The questions.
        answers: By text of the query.
        assignment: Of the rollout; its cuts are not looked at.
        window: Ends at the last tick before the promotion's commit.

    Raises:
        KeyError: A question has no answer.
    """
    before = Assignment(assignment.rollout, assignment.stable, "", assignment.sites)
    reading = _read(asked, answers, before, window)
    info = read_info(answers[asked.info].series, reading.sites, window)
    present = reading.present(info, reading.sites)[:, window.judged]
    shares = present.sum(axis=1) / max(1, present.shape[1])
    return History(
        lines=tuple(
            HistoryLine(assignment.rollout, one.objective, _total(one, reading.sites, window))
            for one in reading.tallies
        ),
        reporting=dict(zip(reading.sites.names, shares.tolist(), strict=True)),
        warnings=_warnings(asked, answers),
        notes=_shortened(reading.notes),
    )


def _read(
    asked: Questions, answers: Mapping[str, Answer], assignment: Assignment, window: Window
) -> _Reading:
    sites = roster(assignment, window)
    wanted = dict.fromkeys(text for count in asked.counts for text in (count.total, count.part))
    if assignment.is_split:
        told, sites = by_pod(answers, (*wanted, asked.started), assignment, window)
        answers = {**answers, **told}
    starts = read_starts(answers[asked.started].series, window)
    read = {text: read_counters(answers[text].series, sites, window, starts) for text in wanted}
    tallies = tuple(_tally(count, read, sites, window) for count in asked.counts)
    notes = [note for text in asked.texts for note in answers[text].notes]
    notes += [note for _, refused in read.values() for note in refused]
    notes += [note for one in tallies for note in one.notes]
    return _Reading(sites, tallies, starts, tuple(notes))


def _tally(
    count: Count, read: Mapping[str, tuple[Counters, object]], sites: Roster, window: Window
) -> Tally:
    total, part = read[count.total][0], read[count.part][0]
    return tally(count.objective, total, part, sites, window, part_is_good=count.part_is_good)


def _tick(
    assignment: Assignment,
    one: Tally,
    sites: Roster,
    window: Window,
    column: int,
    present: Bools,
) -> TickLine:
    canary: Bools = sites.is_canary[:, column]
    known, fresh = one.has_data[:, column], one.fresh[:, column]
    events, bad = one.events[:, column], one.bad[:, column]
    fresh_in = (fresh & canary, fresh & ~canary)
    fresh_sites = [int(which.sum()) for which in fresh_in]
    quiet: tuple[str, ...] = ()
    if assignment.is_split:
        fresh_sites = [_places(sites, which) for which in fresh_in]
    else:  # whoever serves both releases falls silent with both, which tells nothing
        quiet = tuple(sites.names[row] for row in np.flatnonzero(present[:, column] & ~known))
    return TickLine(
        rollout=assignment.rollout,
        objective=one.objective,
        at=window.at(column),
        canary=_counts(sites, known & canary, events, bad),
        stable=_counts(sites, known & ~canary, events, bad),
        fresh=(fresh_sites[0], fresh_sites[1]),
        seen=quiet,
    )


def _places(sites: Roster, which: Bools) -> int:
    """Count the sites that rows are on."""
    return len({sites.names[row].partition("/")[0] for row in np.flatnonzero(which)})


def _total(one: Tally, sites: Roster, window: Window) -> SiteCounts:
    known = one.has_data[:, window.judged]
    events = np.where(known, one.events[:, window.judged], 0).sum(axis=1)
    bad = np.where(known, one.bad[:, window.judged], 0).sum(axis=1)
    return _counts(sites, np.logical_or.reduce(known, axis=1), events, bad)


def _counts(sites: Roster, which: Bools, events: Floats, bad: Floats) -> SiteCounts:
    rows = np.flatnonzero(which)
    pairs = zip(
        events[rows].astype(np.int64).tolist(), bad[rows].astype(np.int64).tolist(), strict=True
    )
    return dict(zip([sites.names[row] for row in rows], pairs, strict=True))


def _disagreements(seen: Mapping[str, Sight], assignment: Assignment, sites: Roster) -> list[str]:
    """Name sites that serve what no step of this rollout explains; a late canary is no news."""
    found: dict[tuple[str, str], list[str]] = {}
    both = {assignment.stable, assignment.canary}
    expected = {"canary": both, "stable": both if assignment.is_split else {assignment.stable}}
    for site, is_canary in zip(sites.names, sites.is_canary[:, -1].tolist(), strict=True):
        serving, arm = seen[site].serving, "canary" if is_canary else "stable"
        if serving is not None and serving not in expected[arm]:
            found.setdefault((arm, serving or "no release"), []).append(site)
    return [
        f"{len(names)} sites of the {arm} arm serve {release}, such as {names[0]}"
        for (arm, release), names in sorted(found.items())
    ]


def _warnings(asked: Questions, answers: Mapping[str, Answer]) -> tuple[str, ...]:
    return _shortened([warning for text in asked.texts for warning in answers[text].warnings])


def _shortened(notes: Iterable[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(notes))
    rest = len(unique) - MOST_NOTES
    return unique if rest <= 0 else (*unique[:MOST_NOTES], f"and {rest} more")
