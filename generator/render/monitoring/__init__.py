"""What watches the models: rules, their tests, dashboards, and the settings of Prometheus."""

from generator.render.monitoring.cases import model_tests, reconciler_tests
from generator.render.monitoring.dashboards import dashboards
from generator.render.monitoring.rules import RECONCILER, model_rules, reconciler_rules
from generator.render.monitoring.settings import agent, central

__all__ = [
    "RECONCILER",
    "agent",
    "central",
    "dashboards",
    "model_rules",
    "model_tests",
    "reconciler_rules",
    "reconciler_tests",
]
