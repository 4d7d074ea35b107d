"""Drift is an objective: a share of predictions, of the canary against stable in the same ticks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from generator.documents.model import read_model
from reconciler.analysis import Judge, Verdict
from reconciler.recording import AssignedLine, HistoryLine, TickLine

START = datetime(2026, 11, 20, tzinfo=UTC)
SITES = [f"s{number:03d}" for number in range(100)]
CANARY = SITES[:10]
MODEL = b"""\
apiVersion: tidegate.dev/v1alpha1
kind: Model
name: m
image: 'r.example/m@sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e'
objectives:
- name: unsure
  below: 0.6
  histogram: model_prediction_confidence
  target: 95.0
- name: more-defects
  about: predictions
  bad: 'model_predictions_total{class="defect"}'
  total: model_predictions_total
  target: 90.0
- name: fewer-defects
  about: predictions
  bad: 'model_predictions_total{class!="defect"}'
  total: model_predictions_total
  target: 5.0
  margin: 1.05
"""


def judged(canary: float, stable: float, ticks: int = 24) -> Verdict:
    """Say what comes of a share of predictions that was 5 % before, in both arms."""
    rng, judge = np.random.default_rng(1), Judge()
    judge.feed(HistoryLine("r1", "unsure", dict.fromkeys(SITES, (5000, 250))))
    arms = {name: ("canary" if name in CANARY else "stable", "") for name in SITES}
    judge.feed(AssignedLine("r1", START, arms))  # type: ignore[arg-type]
    for tick in range(1, ticks + 1):
        counts = {
            name: (100, int(rng.binomial(100, canary if name in CANARY else stable)))
            for name in SITES
        }
        mine = {name: counts.pop(name) for name in CANARY}
        said = judge.feed(
            TickLine("r1", "unsure", START + tick * timedelta(minutes=5), mine, counts)
        )
        assert said is not None
        if said.verdict is Verdict.BREACHED:
            break
    return said.verdict


def test_the_words_of_the_page_are_a_model() -> None:
    spec = read_model("model.yaml", MODEL, "m")
    assert [one.name for one in spec.objectives] == ["unsure", "more-defects", "fewer-defects"]


@pytest.mark.parametrize(
    ("canary", "stable", "verdict"),
    [
        (0.05, 0.05, Verdict.HEALTHY),
        (0.15, 0.15, Verdict.HEALTHY),  # the plants' input drifted, under both
        (0.15, 0.05, Verdict.BREACHED),
        (0.05, 0.15, Verdict.HEALTHY),
    ],
)
def test_only_drift_of_the_canary_alone_is_a_breach(
    canary: float, stable: float, verdict: Verdict
) -> None:
    assert judged(canary, stable) is verdict
