"""What the reconciler says about itself: the outcome of a pass -> Prometheus text 0.0.4.

Names and meanings stand in `generator.model.telemetry`, where rules and dashboards take them from.
Series come in a stable order, and no text can break out of a label value, whatever it holds.
"""

from reconciler.telemetry.counts import Counts, Outcome, cause, kind, outcome_of
from reconciler.telemetry.rendering import render, say_decision
from reconciler.telemetry.report import Applied, Desired, Report, desired, ticks
from reconciler.telemetry.text import CONTENT_TYPE

__all__ = [
    "CONTENT_TYPE",
    "Applied",
    "Counts",
    "Desired",
    "Outcome",
    "Report",
    "cause",
    "desired",
    "kind",
    "outcome_of",
    "render",
    "say_decision",
    "ticks",
]
