"""The series that a fleet exposes, already written as JSON: fast enough for 10,000 plants."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.demo.fleet import Fleet
from tidegate.demo.plants import (
    CONFIDENCE,
    CONFIDENCE_EDGES,
    ERROR,
    LATENCY,
    LATENCY_EDGES,
    OK,
    Sample,
)
from tidegate.demo.selector import Selector

Values = NDArray[Any]  # whole numbers or floats
Read = Callable[[Sample], Values]
Moment = tuple[str, Sample]
"""The time as it is written, and what is exposed at it."""

_OF_SITE = frozenset({"site", "region", "hardware"})


@dataclass(frozen=True)
class _Variant:
    """One series per site and release: its own labels and where its value stands."""

    labels: Mapping[str, str]
    read: Read
    pinned: bool = field(default=False)


def _column(number: int) -> Read:
    return lambda sample: sample.counters[:, number]


def _histogram(name: str, edges: Sequence[float], columns: slice) -> Iterator[_Variant]:
    texts = [f"{edge:g}" for edge in edges] + ["+Inf"]
    for offset, text in enumerate(texts):
        labels = {"__name__": f"{name}_bucket", "le": text}
        yield _Variant(labels, _column(columns.start + offset))
    yield _Variant({"__name__": f"{name}_count"}, _column(columns.stop - 1))
    # Which value a prediction had is not kept; the middle of its bucket stands for it.
    bounds = np.array([0.0, *edges, edges[-1]])
    middles = np.append((bounds[:-2] + bounds[1:-1]) / 2, bounds[-1])

    def total(sample: Sample) -> Values:
        single = np.diff(sample.counters[:, columns], axis=1, prepend=0)
        return np.asarray(np.round(single @ middles, 3), np.float64)

    yield _Variant({"__name__": f"{name}_sum"}, total)


_VARIANTS = (
    _Variant({"__name__": "model_predictions_total", "outcome": "ok"}, _column(OK)),
    _Variant({"__name__": "model_predictions_total", "outcome": "error"}, _column(ERROR)),
    *_histogram("model_prediction_latency_seconds", LATENCY_EDGES, LATENCY),
    *_histogram("model_prediction_confidence", CONFIDENCE_EDGES, CONFIDENCE),
    _Variant(
        {"__name__": "model_release_info"},
        lambda sample: np.ones(len(sample.release), np.int64),
        pinned=True,
    ),
    _Variant({"__name__": "model_process_start_time_seconds"}, lambda sample: sample.started),
    _Variant({"__name__": "model_last_prediction_timestamp_seconds"}, lambda sample: sample.last),
)


class Exposition:
    """Selects series of one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        """Write the labels of every site once."""
        self._fleet = fleet
        labels = [
            {"hardware": site.hardware, "region": site.region, "site": site.id}
            for site in fleet.sites
        ]
        self._sites = [{name: text for name, text in one.items() if text} for one in labels]
        self._tails = [json.dumps(one)[1:] for one in self._sites]

    def series(self, selector: Selector, moments: Sequence[Moment]) -> Iterator[tuple[str, str]]:
        """Give the labels and the points of each series that has any, both as JSON.

        Points are `[time,"value"]`, joined by commas.
        """
        if not moments:
            return
        sites = np.array([selector.accepts(one, _OF_SITE) for one in self._sites], np.bool_)
        shown = np.stack([sample.release for _, sample in moments], axis=1)
        texts = [f'[{time},"' for time, _ in moments]
        for variant in _VARIANTS:
            for index, release in enumerate(tuple(self._fleet.releases)):
                labels = self._labels(variant, release)
                present = (shown == index) & sites[:, np.newaxis]
                if selector.accepts(labels, _besides(selector)) and present.any():
                    head = json.dumps(labels)[:-1] + ", "
                    yield from self._lines(head, texts, _values(variant, moments), present)

    def _labels(self, variant: _Variant, release: str) -> dict[str, str]:
        pins = self._fleet.pins.get(release, {}) if variant.pinned else {}
        where = {"environment": self._fleet.environment} if self._fleet.environment else {}
        ours = {**where, "model": self._fleet.model, "release": release}
        return {**variant.labels, **pins, **ours}

    def _lines(
        self, head: str, texts: Sequence[str], values: Values, present: NDArray[np.bool_]
    ) -> Iterator[tuple[str, str]]:
        rows = np.flatnonzero(present.any(axis=1))
        whole = np.logical_and.reduce(present[rows], axis=1)
        for row, is_whole, mine in zip(
            rows.tolist(), whole.tolist(), values[rows].tolist(), strict=True
        ):
            points = list(map(add, texts, map(str, mine)))
            if not is_whole:
                points = [points[place] for place in np.flatnonzero(present[row])]
            yield head + self._tails[row], '"],'.join(points) + '"]'


def _besides(selector: Selector) -> frozenset[str]:
    return frozenset(label for label, _ in selector.tests) - _OF_SITE


def _values(variant: _Variant, moments: Sequence[Moment]) -> Values:
    return np.stack([variant.read(sample) for _, sample in moments], axis=1)
