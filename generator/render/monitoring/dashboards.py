"""Three dashboards: the fleet, one rollout, one site.

They read what the rules record, so that no panel touches the series of 10,000 sites; only the
dashboard of one site reads raw series, of that site. They hold no name of a model: variables do.
"""

import json
from collections.abc import Mapping, Sequence

from generator import layout
from generator.layout import RepoPath
from generator.model.telemetry import (
    E_BAD,
    E_OK,
    LAST_PREDICTION,
    PROCESS_START,
    RELEASE_INFO,
    ROLLOUT_DEADLINE,
    ROLLOUT_INFO,
    ROLLOUT_PERCENT,
    ROLLOUT_STEP,
    SITE_APPLIED,
    SITE_DESIRED,
    TICK,
    VERDICT,
)
from generator.render.monitoring import promql
from generator.render.monitoring.burn import FAST, SLOW
from generator.render.monitoring.panels import Json, Panel, place, source, variable

SCHEMA = 41  # of Grafana 12; newer ones read it
_HERE = 'environment="$environment"'
_MODEL = f'{_HERE},model="$model"'
_SITE = f'{_MODEL},site="$site"'
_STEPS: Json = {"lineInterpolation": "stepAfter", "fillOpacity": 10}
_STACKED: Json = {**_STEPS, "stacking": {"mode": "normal"}}
_TEXT: Json = {"textMode": "name"}


def dashboards() -> Mapping[RepoPath, bytes]:
    """Write the dashboards."""
    environment = variable("environment", "Environment", f"label_values({TICK}, environment)")
    models = f"label_values({ROLLOUT_INFO}{{{_HERE}}}, model)"
    model = variable("model", "Model", models)
    sites = f"label_values({SITE_DESIRED}{{{_MODEL}}}, site)"
    chosen = [source(), environment, model]
    return {
        layout.dashboard("fleet"): _write("fleet", "Fleet", _fleet(), chosen),
        layout.dashboard("rollout"): _write("rollout", "Rollout", _rollout(), chosen),
        layout.dashboard("site"): _write(
            "site", "Site", _site(), [*chosen, variable("site", "Site", sites)]
        ),
    }


def _write(name: str, title: str, panels: Sequence[Panel], chosen: Sequence[Json]) -> bytes:
    value = {
        "uid": f"tidegate-{name}",
        "title": f"tidegate: {title}",
        "tags": ["tidegate"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [*chosen]},
        "annotations": {"list": []},
        "links": [_links()],
        "panels": place(panels),
    }
    return (json.dumps(value, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def _links() -> Json:
    return {
        "type": "dashboards",
        "title": "tidegate",
        "tags": ["tidegate"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }


def _fleet() -> Sequence[Panel]:
    share = f"{promql.SILENT_SHARE}{{{_HERE}}}"
    return (
        Panel(
            "Percent on the canary",
            "timeseries",
            "percent",
            {"{{model}}": f"max by (model) ({ROLLOUT_PERCENT}{{{_HERE}}})"},
            help="One stair is one step; straight down is a revert.",
            custom=_STEPS,
        ),
        Panel(
            "Sites that serve, by release",
            "timeseries",
            "short",
            {"{{release}}": f"{promql.SERVING_SITES}{{{_MODEL}}}"},
            help="What the sites say themselves. A gap to the sites wanted is silence.",
            custom=_STACKED,
        ),
        Panel(
            "Silent sites",
            "timeseries",
            "percentunit",
            {"{{model}}": share},
            help="Sites that should run the model and send nothing.",
        ),
        Panel(
            "Bad events over 1 h, by release",
            "timeseries",
            "percentunit",
            {"{{objective}} {{release}}": f"{promql.ratio(FAST.long)}{{{_MODEL}}}"},
            help="The budget is 100 percent minus the target of the objective.",
        ),
        Panel(
            "Sites that burn their budget",
            "table",
            "percentunit",
            {"": f"topk(20, {promql.SITE_BURN}{{{_MODEL}}})"},
            help="Bad events over 6 h on single sites, the worst twenty.",
        ),
        Panel(
            "Sites that disagree with Git",
            "timeseries",
            "short",
            {
                "not applied: {{release}}": _count(promql.NOT_APPLIED),
                "not serving: {{release}}": _count(promql.NOT_SERVING),
                "away for too long": f"count({promql.LOST}{{{_MODEL}}})",
            },
            help="Sites for a while after each step are normal; sites that stay are not.",
        ),
        Panel(
            "tidegate last looked",
            "stat",
            "dateTimeFromNow",
            {"": f"1000 * max by (environment) ({TICK}{{{_HERE}}})"},
            width=6,
        ),
    )


def _count(metric: str) -> str:
    return f"count by (release) ({metric}{{{_MODEL}}})"


def _rollout() -> Sequence[Panel]:
    return (
        Panel(
            "What climbs",
            "stat",
            "short",
            {
                "{{canary}} over {{stable}}, {{phase}}": (
                    f"max by (canary, stable, phase) ({ROLLOUT_INFO}{{{_MODEL}}})"
                ),
            },
            width=8,
            options=_TEXT,
        ),
        Panel(
            "Verdict of the last tick",
            "stat",
            "short",
            {"{{verdict}}": f"max by (verdict) ({VERDICT}{{{_MODEL}}}) == 1"},
            width=4,
            options=_TEXT,
        ),
        Panel(
            "This step began",
            "stat",
            "dateTimeFromNow",
            {"": f"1000 * max by (model) ({ROLLOUT_STEP}{{{_MODEL}}})"},
            width=6,
        ),
        Panel(
            "Its deadline",
            "stat",
            "dateTimeFromNow",
            {"": f"1000 * max by (model) ({ROLLOUT_DEADLINE}{{{_MODEL}}})"},
            width=6,
        ),
        Panel(
            "Percent on the canary",
            "timeseries",
            "percent",
            {"percent": f"max by (model) ({ROLLOUT_PERCENT}{{{_MODEL}}})"},
            custom=_STEPS,
        ),
        Panel(
            "Sites wanted, applied, serving",
            "timeseries",
            "short",
            {
                "wanted {{release}}": f"{promql.DESIRED_SITES}{{{_MODEL}}}",
                "applied {{release}}": f"{promql.APPLIED_SITES}{{{_MODEL}}}",
                "serving {{release}}": f"{promql.SERVING_SITES}{{{_MODEL}}}",
            },
            custom=_STEPS,
        ),
        Panel(
            "Evidence that the canary is worse",
            "timeseries",
            "short",
            {"{{objective}}": f"max by (objective) ({E_BAD}{{{_MODEL}}})"},
            help="An e-value: at 100 the canary is taken back.",
            custom={"scaleDistribution": {"type": "log", "log": 10}},
        ),
        Panel(
            "Evidence that the canary is good enough",
            "timeseries",
            "short",
            {"{{objective}}": f"max by (objective) ({E_OK}{{{_MODEL}}})"},
            help="An e-value, new in each step: at 20 the step may end.",
            custom={"scaleDistribution": {"type": "log", "log": 10}},
        ),
        Panel(
            "Bad events over 1 h, canary and stable",
            "timeseries",
            "percentunit",
            {"{{objective}} {{release}}": f"{promql.ratio(FAST.long)}{{{_MODEL}}}"},
        ),
        Panel(
            "Bad events over 6 h, canary and stable",
            "timeseries",
            "percentunit",
            {"{{objective}} {{release}}": f"{promql.ratio(SLOW.long)}{{{_MODEL}}}"},
        ),
        Panel(
            "Events over 1 h",
            "timeseries",
            "short",
            {"{{objective}} {{release}}": f"{promql.events(FAST.long)}{{{_MODEL}}}"},
            width=24,
        ),
    )


def _site() -> Sequence[Panel]:
    burns = f"{promql.SITE_BAD}{{{_SITE}}} / {promql.SITE_EVENTS}{{{_SITE}}}"
    return (
        Panel("Git wants", "stat", "short", _release(SITE_DESIRED), width=6, options=_TEXT),
        Panel(
            "Applied",
            "stat",
            "short",
            _release(SITE_APPLIED),
            width=6,
            help="Empty in pull mode, where nobody can know it.",
            options=_TEXT,
        ),
        Panel("Serves", "stat", "short", _release(RELEASE_INFO), width=6, options=_TEXT),
        Panel(
            "Last prediction",
            "stat",
            "dateTimeFromNow",
            {"": f"1000 * max by (site) ({LAST_PREDICTION}{{{_SITE}}})"},
            width=6,
        ),
        Panel(
            "Release over time",
            "timeseries",
            "short",
            {
                "wanted {{release}}": f"max by (release) ({SITE_DESIRED}{{{_SITE}}})",
                "serves {{release}}": f"max by (release) ({RELEASE_INFO}{{{_SITE}}})",
            },
            help="A gap is time in which nothing arrived.",
            custom=_STEPS,
        ),
        Panel(
            "Bad events over 6 h",
            "timeseries",
            "percentunit",
            {"{{objective}} {{release}}": burns},
        ),
        Panel(
            "Events over 6 h",
            "timeseries",
            "short",
            {"{{objective}} {{release}}": f"{promql.SITE_EVENTS}{{{_SITE}}}"},
            help="Under a few hundred events a ratio says little.",
        ),
        Panel(
            "The server started",
            "timeseries",
            "dateTimeFromNow",
            {"{{release}}": f"1000 * max by (release) ({PROCESS_START}{{{_SITE}}})"},
            help="A new stair is a restart.",
            custom=_STEPS,
        ),
    )


def _release(metric: str) -> Mapping[str, str]:
    return {"{{release}}": f"max by (release) ({metric}{{{_SITE}}})"}
