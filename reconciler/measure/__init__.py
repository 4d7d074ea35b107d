"""Turn raw counters into increments per site, tick and objective, and say who was seen."""

from reconciler.measure.assignment import Assignment, Cut, Window
from reconciler.measure.measurement import History, Measurement, history, measure
from reconciler.measure.series import Answer, MetricsUnavailable, Series
from reconciler.measure.sights import Sight
from reconciler.measure.table import Lines, Table, Texts, join

__all__ = [
    "Answer",
    "Assignment",
    "Cut",
    "History",
    "Lines",
    "Measurement",
    "MetricsUnavailable",
    "Series",
    "Sight",
    "Table",
    "Texts",
    "Window",
    "history",
    "join",
    "measure",
]
