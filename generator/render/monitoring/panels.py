"""Panels of Grafana, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH = 24
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What it answers.
        kind: timeseries, stat or table.
        unit: Of Grafana: percent (0..100), percentunit (0..1), short, s, dateTimeFromNow.
        queries: Legend to PromQL.
        width: Of 24 columns.
        help: What to make of it.
        options: Of the kind.
        custom: How a line is drawn.
    """

    title: str
    kind: str
    unit: str
    queries: Mapping[str, str]
    width: int = 12
    help: str = ""
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)


HEIGHT = 8
_LEGEND = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
_OPTIONS: Mapping[str, Json] = {
    "timeseries": {**_LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
    "table": {"showHeader": True},
}


def place(panels: Sequence[Panel]) -> list[Json]:
    """Lay panels out in rows, from left to right."""
    found: list[Json] = []
    x = y = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + HEIGHT
        found.append(_panel(panel, number, {"h": HEIGHT, "w": panel.width, "x": x, "y": y}))
        x += panel.width
    return found


def _panel(panel: Panel, number: int, where: Mapping[str, int]) -> Json:
    is_table = panel.kind == "table"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": expr,
            "legendFormat": legend,
            "instant": is_table,
            "range": not is_table,
            "format": "table" if is_table else "time_series",
        }
        for index, (legend, expr) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": DATASOURCE,
        "gridPos": where,
        "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": panel.custom},
            "overrides": [],
        },
        "options": {**_OPTIONS[panel.kind], **panel.options},
    }


def variable(name: str, label: str, query: str) -> Json:
    """Let a person choose a label's value."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "hide": 0,
    }


def source() -> Json:
    """Let a person choose the Prometheus."""
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
    }
