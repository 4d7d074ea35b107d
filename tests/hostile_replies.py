"""Replies of a metrics API with everything that may be wrong with one, drawn from a seed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

STABLE, CANARY, OTHER = "v12-9be07d11", "v13-3f9a1c2b", "v11-00000000"
SITES = ("a", "b", "c", "d")
JUNK: tuple[Any, ...] = ("NaN", "+Inf", "-Inf", "1e999", "seven", "", "-1", "1e300", "1_0", 10**400)
FOREIGN: tuple[Any, ...] = (1, "1", None, True, 0.5, float("nan"), 10**400)
BROKEN: tuple[Any, ...] = (
    None,
    7,
    [],
    "series",
    {"values": []},
    {"metric": None},
    {"metric": []},
    {"metric": "a"},
    {"metric": {"site": 7}},
    {"metric": {"site": None}},
    {"metric": {"site": ["a"]}},
    {"metric": {"site": {"metric": {}}}},
    {"metric": {"metric": {"metric": {"site": "a"}}}},
    {"metric": {}, "values": 7},
    {"metric": {}, "values": None},
    {"metric": {}, "values": "abc"},
    {"metric": {}, "values": {"a": 1}},
    {"metric": {}, "values": [[1]]},
    {"metric": {}, "values": [[1, 2, 3]]},
    {"metric": {}, "values": [7]},
    {"metric": {}, "values": [[1, [2]]]},
    {"metric": {}, "values": [[1, None]]},
    {"metric": {}, "values": [[1], ["1", 2, "2"]]},
)
HARMLESS: tuple[Any, ...] = (
    {"metric": {}},
    {"metric": {}, "values": ""},
    {"metric": {}, "values": {}},
    {"metric": {}, "values": {"ab": 1}},
    {"metric": {}, "values": ["15"]},
    {"metric": {"metric": "a", "site": "a"}, "values": []},
    {"metric": {"site": "a"}, "histograms": [[1, {"metric": "a"}]]},
    {"metric": {"site": "x" * 1025}, "values": 7},
    {"metric": {"x" * 1025: "site"}},
    {"metric": {"site": "x" * 1024, "instance": "y" * 1024}},
    {"metric": {f"l{number}": "" for number in range(65)}, "values": [[]]},
)


@dataclass
class Api:
    """One draw of a fleet and of what its API says.

    Attributes:
        seed: Names it.
        ticks: What is asked for.
        trouble: Share of the points that are wrong in some way.
    """

    seed: int
    ticks: Sequence[int]
    trouble: float = 0.05

    def __post_init__(self) -> None:
        """Draw the processes: site, release, labels, the tick of their start."""
        draw = self._draw = Random(self.seed)
        self._processes = [
            (self._labels(site, release), draw.choice(self.ticks) - draw.choice((0, 7, 3600)))
            for site in (*SITES, "stranger")
            for release in draw.sample((STABLE, CANARY, OTHER), draw.choice((1, 1, 2)))
            for _ in range(draw.choice((1, 1, 1, 2)))
        ]

    def _labels(self, site: str, release: str) -> dict[str, str]:
        draw = self._draw
        labels = {"site": site, "release": release, "model": "m", "job": "model"}
        if draw.random() < 0.5:
            labels["pod"] = draw.choice("xyz")
        for name in ("site", "release", "job"):
            if draw.random() < 0.03:
                del labels[name]
        return labels

    def body(self, text: str) -> bytes:
        """Answer one question."""
        draw = self._draw
        found = list(self._series(text.partition("{")[0], 'outcome="error"' in text))
        found += [one for one in found if draw.random() < 0.03]
        found += draw.choices(HARMLESS, k=draw.choice((0, 0, 0, 1, 3)))
        found += draw.choices(BROKEN, k=1) if draw.random() < 0.03 else []
        draw.shuffle(found)
        return json.dumps(
            {"status": "success", "data": {"resultType": "matrix", "result": found}}
        ).encode()

    def _series(self, name: str, is_bad: bool) -> Iterator[dict[str, Any]]:
        draw = self._draw
        for labels, start in self._processes:
            for more in self._kinds(name, is_bad):
                if draw.random() < 0.95:
                    own = {"__name__": name, **labels, **more}
                    if "start_time" in name and draw.random() < 0.3:
                        own.pop("pod", None)
                    mixed = draw.sample(sorted(own.items()), len(own))
                    metric = dict(mixed if draw.random() < 0.3 else sorted(own.items()))
                    yield {"metric": metric, "values": self._values(name, start, is_bad)}

    def _kinds(self, name: str, is_bad: bool) -> list[dict[str, str]]:
        draw = self._draw
        if name.endswith("_bucket"):
            one = draw.choice(("0.25", "0.250", "2.5e-1", "low", ""))
            return [{"le": one}, *([{"le": "0.25"}] if draw.random() < 0.2 else [])]
        if name == "events_total":
            return [{"outcome": "error"}, *([] if is_bad else [{"outcome": "ok"}])]
        if name.endswith("_count") and draw.random() < 0.05:
            return [{"le": "0.25"}]
        return [{}]

    def _values(self, name: str, start: int, is_bad: bool) -> list[list[Any]]:
        draw = self._draw
        points: list[list[Any]] = []
        value = float(draw.choice((0, 100)))
        whole = draw.random() < 0.5
        for at in self.ticks:
            if "start_time" in name:
                value = start if draw.random() < 0.95 else at - draw.choice((1, 60, 400))
            elif name.endswith("_info"):
                value = draw.choice((1, 1, 1, 1, 0))
            elif draw.random() < 0.05:
                value = draw.choice((0, 3))
            else:
                value += draw.choice((0, 1) if is_bad or name.endswith("_bucket") else (5, 9, 0.5))
            if whole or draw.random() < 0.8:
                points.append(self._point(at, value))
        if draw.random() < self.trouble:
            points += draw.choices(points, k=1) if points else []
            points.append([draw.choice(FOREIGN), "5"])
        if draw.random() < self.trouble:
            draw.shuffle(points)
        return points

    def _point(self, at: int, value: float) -> list[Any]:
        draw = self._draw
        text: Any = f"{value:g}" if value < 1e5 else repr(value)
        if draw.random() < self.trouble / 2:
            text = draw.choice((*JUNK, value))
        return [float(at) if draw.random() < self.trouble else at, text]
