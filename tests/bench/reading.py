"""What one tick costs the reconciler: replies of a metrics API in, verdicts out.

The replies are made by another process before the clock starts; their bytes are those of a real
API. Sockets are left out.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from generator.http import Http, Reply
from generator.model.objective import Below, Objective, Ratio, Selector, Slower
from reconciler.analysis import Judge, Settings
from reconciler.measure import Assignment, Cut, Window, measure
from reconciler.prometheus import Prometheus
from reconciler.queries import Questions, questions
from reconciler.recording import AssignedLine
from tests.bench.measuring import Clock, Cost

STEP_S = 300
END_S = 1_795_000_200
POINTS = 7  # the look-back of 30 minutes and one new tick
STABLE, CANARY = "v12-9be07d11", "v13-3f9a1c2b"
OBJECTIVES = (
    Objective(
        "errors",
        Ratio(
            Selector.parse('model_predictions_total{outcome="error"}'),
            Selector.parse("model_predictions_total"),
        ),
        Fraction(99),
    ),
    Objective(
        "latency",
        Slower(Fraction(1, 4), Selector("model_prediction_latency_seconds")),
        Fraction(99),
    ),
    Objective(
        "confidence", Below(Fraction(3, 5), Selector("model_prediction_confidence")), Fraction(95)
    ),
)


def make(folder: str, sites: int) -> None:
    """Write the reply to each question into a file."""
    Path(folder).mkdir()
    for text in _asked().texts:
        _file(Path(folder), text).write_bytes(_body(text, sites))


def _file(folder: Path, text: str) -> Path:
    return folder / hashlib.sha256(text.encode()).hexdigest()


def _asked() -> Questions:
    return questions("edge-k3s", "defect-detector", (STABLE, CANARY), OBJECTIVES)


def _body(text: str, sites: int) -> bytes:
    name = text.partition("{")[0]
    both = name == "model_predictions_total" and "outcome=" not in text
    outcomes: list[dict[str, str]] = [{"outcome": "ok"}, {"outcome": "error"}] if both else [{}]
    edge = {"le": "0.25"} if name.endswith("_bucket") else {}
    is_bad = 'outcome="error"' in text or name == "model_prediction_confidence_bucket"
    result = [
        {
            "metric": {"__name__": name, **_own(site, sites), **one, **edge},
            "values": list(_values(name, site, is_rare=is_bad or one.get("outcome") == "error")),
        }
        for site in range(sites)
        for one in outcomes
    ]
    data = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    return json.dumps(data).encode()


def _own(site: int, sites: int) -> dict[str, str]:
    release = CANARY if site < sites // 20 else STABLE
    return {
        "environment": "edge-k3s",
        "model": "defect-detector",
        "release": release,
        "site": f"plant-{site:05d}",
        "instance": "10.0.0.1:9100",
        "job": "model",
    }


def _values(name: str, site: int, *, is_rare: bool) -> Iterator[list[Any]]:
    each = 1 if is_rare else 20
    value: Callable[[int], float] = {
        "model_release_info": lambda _: 1,
        "model_process_start_time_seconds": lambda _: END_S - 100_000,
    }.get(name, lambda number: 1_000 + each * number + site % 7)
    for number in range(POINTS):
        yield [END_S - (POINTS - 1 - number) * STEP_S, str(value(number))]


class Replies:
    """Answers the door from files."""

    def __init__(self, folder: Path) -> None:
        """Take what `make` made."""
        self._folder = folder

    def post_form(self, path: str, form: Mapping[str, str], *, body_bytes: int) -> Reply:
        """Give the reply to one question."""
        del path, body_bytes
        return Reply(200, _file(self._folder, form["query"]).read_bytes())


def tick(folder: str, sites: int) -> Cost:
    """Read, measure and judge the newest tick."""
    names = [f"plant-{site:05d}" for site in range(sites)]
    canary = frozenset(names[: sites // 20])
    end, step = datetime.fromtimestamp(END_S, UTC), timedelta(seconds=STEP_S)
    cuts = (Cut(end - timedelta(days=1), canary),)
    assignment = Assignment("r1", STABLE, CANARY, dict.fromkeys(names, "eu/cpu"), cuts)
    asked, door = _asked(), Prometheus(cast(Http, Replies(Path(folder))))
    judge = Judge(Settings(budgets={one.name: one.budget for one in OBJECTIVES}))
    arms = {site: ("canary" if site in canary else "stable", "eu/cpu") for site in names}
    judge.feed(AssignedLine("r1", None, cast(Any, arms)))
    clock = Clock()
    window = Window(end - step, end, step, (POINTS - 2) * step)
    answers = {text: door.range(text, window.fetched_from, end, step) for text in asked.texts}
    measured = measure(asked, answers, assignment, window)
    verdicts = [judge.feed(line) for line in measured.ticks]
    cost = clock.cost()
    assert all(one and one.events >= 20 * (sites // 20) for one in verdicts), verdicts
    return cost
