"""Read and measure replies of a metrics API the slow way, a value at a time, to compare with.

It says once more, in plain Python, what `reconciler.prometheus` and `reconciler.measure` do: what
they leave out, what they refuse, and how raw counters become increments.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler.measure import Assignment, Window
from reconciler.queries import Count, Questions

Labels = Mapping[str, str]
Line = tuple[Labels, list[tuple[int, float]]]
Key = frozenset[tuple[str, str]]
Numbers = list[float | None]
MOST = 2.0**53


class Wrong(Exception):  # noqa: N818 (what the reply is)
    """The reply cannot be trusted as a whole."""


# ------------------------------------------------------------------ the reply


def read(body: bytes, ticks: range) -> tuple[list[Line], list[str]]:
    """Give the series of a matrix, and what was left out."""
    lines: list[Line] = []
    lost: dict[str, int] = {}
    oversized = 0
    try:
        for item in json.loads(body)["data"]["result"]:
            labels = item["metric"]
            lengths = [len("" + text) for text in (*labels.keys(), *labels.values())]
            if len(labels) > 64 or max(lengths, default=0) > 1024:
                oversized += 1
                continue
            values = item.get("values", [])
            points = [(at, _number(text)) for at, text in values]
            kept = [(int(at), one) for at, one in points if _is_tick(at, ticks) and one is not None]
            lines.append((labels, kept))
            if len(kept) < len(values):
                name = (
                    f"{labels.get('__name__', 'a metric')} of site {labels.get('site', '(none)')}"
                )
                lost[name] = lost.get(name, 0) + len(values) - len(kept)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise Wrong from error
    notes = [
        f"{count} points are not finite numbers at ticks: {name}" for name, count in lost.items()
    ][:20]
    notes += [f"and points of {len(lost) - 20} more series"] if len(lost) > 20 else []
    left_out = f"{oversized} series with too many or too long labels are left out"
    return lines, notes + ([left_out] if oversized else [])


def _is_tick(at: Any, ticks: range) -> bool:
    return isinstance(at, (int, float)) and at in ticks


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


# ------------------------------------------------------------------ the counters


@dataclass
class Counter:
    """One counter of one query."""

    labels: Labels
    key: Key
    lines: list[Line]
    values: Numbers = field(default_factory=list)

    @property
    def site(self) -> str:
        """Give its site."""
        return self.labels["site"]


@dataclass
class Found:
    """What a window showed, of all that a decision is made on."""

    ticks: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    last_seen: dict[str, datetime | None] = field(default_factory=dict)
    serving: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Plain:
    """One window, measured counter by counter."""

    asked: Questions
    lines: Mapping[str, Sequence[Line]]
    who: Assignment
    window: Window

    def __post_init__(self) -> None:
        """Prepare the ticks, and the processes."""
        self.at = [int(one) for one in self.window.seconds]
        self.starts = [
            (_unnamed(labels), _carried(self._laid([(labels, points)])))
            for labels, points in self.lines[self.asked.started]
            if "site" in labels and "release" in labels
        ]

    def measure(self) -> Found:
        """Measure it."""
        found = Found()
        texts = dict.fromkeys(text for one in self.asked.counts for text in (one.total, one.part))
        read = {text: self._counters(text, found.notes) for text in texts}
        sums = [self._objective(one, read, found.notes) for one in self.asked.counts]
        info = self._info()
        for column in range(len(self.at))[self.window.judged]:
            there = {
                site
                for site in self.who.sites
                if any(fresh[column].get(site) for fresh, _ in sums)
                or any(ticks[column] for _, ticks in info.get(site, ()))
            }
            found.ticks += [self._tick(one, column, there) for one in sums]
        self._sights(found, sums, info)
        return found

    def _laid(self, lines: Iterable[Line]) -> Numbers:
        values: Numbers = [None] * len(self.at)
        for _, points in lines:
            for at, value in points:
                place = self.at.index(at)
                before = values[place]
                values[place] = value if before is None else max(before, value)
        return values

    def _counters(self, text: str, notes: list[str]) -> list[Counter]:
        found: dict[Key, Counter] = {}
        for line in self.lines[text]:
            labels, _ = line
            releases = {self.who.stable, self.who.canary} - {""}
            if labels.get("site") in self.who.sites and labels.get("release") in releases:
                key = _key(labels)
                found.setdefault(key, Counter(labels, key, [])).lines.append(line)
        twins, unfit = set(), set()
        for one in found.values():
            edges = [labels.get("le", "") for labels, _ in one.lines]
            if len(set(edges)) < len(edges):
                twins.add(one.site)
        for one in found.values():
            values = [None] * len(self.at) if one.site in twins else self._laid(one.lines)
            if any(value is not None and not 0 <= value <= MOST for value in values):
                unfit.add(one.site)
            one.values = [
                math.floor(value) if value is not None and 0 <= value <= MOST else None
                for value in values
            ]
        notes += [f"two series with the same labels at site {site}" for site in sorted(twins)]
        notes += [f"a counter at site {site} is negative or too large" for site in sorted(unfit)]
        return list(found.values())

    def _start(self, labels: Labels) -> Numbers:
        near = [
            (own, values)
            for own, values in self.starts
            if (own["site"], own["release"]) == (labels["site"], labels["release"])
        ]
        whole = [values for own, values in near if own.items() <= labels.items()]
        agree = [
            values
            for own, values in near
            if all(labels.get(name, text) == text for name, text in own.items())
        ]
        fitting = whole or agree
        return fitting[0] if len(fitting) == 1 else [None] * len(self.at)

    # -------------------------------------------------------------- the objectives

    def _objective(
        self, count: Count, read: Mapping[str, list[Counter]], notes: list[str]
    ) -> tuple[list[dict[str, bool]], list[dict[str, tuple[int, int]]]]:
        total, part = read[count.total], read[count.part]
        fresh = [
            {one.site: True for one in total if one.values[column] is not None}
            for column in range(len(self.at))
        ]
        if count.part_is_good:
            total, part = _bad_from_good(total, part)
        total, part = self._together(total, part), self._together(part, total)
        events, bad = self._sums(total), self._sums(part)
        wrong = set()
        pairs: list[dict[str, tuple[int, int]]] = []
        for all_of, bad_of in zip(events, bad, strict=True):
            both = {site: (all_of[site], bad_of[site]) for site in all_of if site in bad_of}
            wrong |= {site for site, (n, x) in both.items() if x > n or n > MOST}
            pairs.append({site: (n, x) for site, (n, x) in both.items() if x <= n <= MOST})
        notes += [
            f"{count.objective}: more bad events than events at site {site}"
            for site in sorted(wrong)
        ]
        return fresh, pairs

    def _together(self, mine: list[Counter], others: list[Counter]) -> list[Counter]:
        def seen(counters: list[Counter], one: Counter, column: int) -> bool:
            return any(
                each.values[column] is not None
                for each in counters
                if (each.site, each.labels["release"]) == (one.site, one.labels["release"])
            )

        return [
            Counter(
                one.labels,
                one.key,
                one.lines,
                [
                    value if seen(others, one, column) else None
                    for column, value in enumerate(one.values)
                ],
            )
            for one in mine
        ]

    def _sums(self, counters: list[Counter]) -> list[dict[str, int]]:
        sums: list[dict[str, int]] = [{} for _ in self.at]
        for one in counters:
            for column, grown in self._grown(one):
                arm = self.who.canary if self._is_canary(one.site, column) else self.who.stable
                if arm == one.labels["release"]:
                    sums[column][one.site] = sums[column].get(one.site, 0) + int(grown)
        return sums

    def _grown(self, one: Counter) -> Iterator[tuple[int, float]]:
        started = self._start(one.labels)
        last: int | None = None
        for column, value in enumerate(one.values):
            if value is None:
                continue
            start = started[column]
            if last is not None:
                before, began = one.values[last], started[last]
                assert before is not None
                moved = start is not None and began is not None and abs(start - began) > 2
                again = moved and start is not None and start > self.at[last] - 300
                yield column, value if again or value < before else value - before
            elif start is not None:
                earliest = max(self._flipped(one.site, column), self.at[0])
                if earliest <= start <= self.at[column] + 300:
                    yield column, value
            last = column

    def _is_canary(self, site: str, column: int) -> bool:
        past = [cut for cut in self.who.cuts if cut.since.timestamp() <= self.at[column]]
        return bool(past) and site in past[-1].canary

    def _flipped(self, site: str, column: int) -> float:
        flipped, before = -math.inf, False
        for cut in self.who.cuts:
            if cut.since.timestamp() <= self.at[column] and (site in cut.canary) != before:
                flipped, before = cut.since.timestamp(), not before
        return flipped

    # -------------------------------------------------------------- ticks and sights

    def _tick(self, one: Any, column: int, there: set[str]) -> tuple[Any, ...]:
        fresh, pairs = one[0][column], one[1][column]
        canary = {site for site in self.who.sites if self._is_canary(site, column)}
        return (
            {site: pair for site, pair in pairs.items() if site in canary},
            {site: pair for site, pair in pairs.items() if site not in canary},
            (len(fresh.keys() & canary), len(fresh.keys() - canary)),
            tuple(sorted(there - pairs.keys())),
        )

    def _info(self) -> dict[str, list[tuple[str, list[bool]]]]:
        found: dict[str, list[tuple[str, list[bool]]]] = {}
        for labels, points in self.lines[self.asked.info]:
            if labels.get("site") in self.who.sites:
                values = self._laid([(labels, points)])
                ticks = [value is not None and value > 0 for value in values]
                found.setdefault(labels["site"], []).append((labels.get("release", ""), ticks))
        return found

    def _sights(self, found: Found, sums: list[Any], info: Mapping[str, Any]) -> None:
        for site in self.who.sites:
            seen = [
                at
                for column, at in enumerate(self.at)
                if any(fresh[column].get(site) for fresh, _ in sums)
                or any(ticks[column] for _, ticks in info.get(site, ()))
            ]
            found.last_seen[site] = datetime.fromtimestamp(seen[-1], UTC) if seen else None
            named = {release for release, ticks in info.get(site, ()) if ticks[-1]}
            ages = sorted(((self._latest(site, one), one) for one in named), reverse=True)
            clear = len(ages) == 1 or (len(ages) > 1 and ages[0][0] > ages[1][0])
            found.serving[site] = ages[0][1] if clear else None

    def _latest(self, site: str, release: str) -> float:
        newest = [
            values[-1]
            for own, values in self.starts
            if (own["site"], own["release"]) == (site, release)
        ]
        return max((one for one in newest if one is not None), default=-math.inf)


def _bad_from_good(total: list[Counter], good: list[Counter]) -> tuple[list[Counter], ...]:
    by_key = {frozenset(item for item in one.key if item[0] != "le"): one for one in good}
    kept, bad = [], []
    for one in total:
        if one.key in by_key:
            pairs = list(zip(one.values, by_key[one.key].values, strict=True))
            known = [n is not None and x is not None and n >= x for n, x in pairs]
            values: Numbers = [n if ok else None for (n, _), ok in zip(pairs, known, strict=True)]
            rest: Numbers = [
                n - x if ok and n is not None and x is not None else None
                for (n, x), ok in zip(pairs, known, strict=True)
            ]
            kept.append(Counter(one.labels, one.key, one.lines, values))
            bad.append(Counter(one.labels, one.key, one.lines, rest))
    return kept, bad


def _unnamed(labels: Labels) -> Labels:
    return {name: text for name, text in labels.items() if name != "__name__"}


def _key(labels: Labels) -> Key:
    own = dict(_unnamed(labels))
    if "le" in own:
        with suppress(ValueError):
            own["le"] = repr(float(own["le"]))
    return frozenset(own.items())


def _carried(values: Numbers) -> Numbers:
    last: float | None = None
    found: Numbers = []
    for value in values:
        last = value if value is not None else last
        found.append(last)
    return found
