"""The names of all metrics that tidegate reads or exports, once, for exporters and rules alike.

A label here has the same meaning everywhere: `environment`, `model`, `site` and `release` are the
names in Git; `canary`, `stable` are release ids; `rollout` is the id of a rollout.
"""

from enum import StrEnum

# ------------------------------------------------------------------ what sites export

RELEASE_INFO = "model_release_info"
"""1 per {environment, model, site, release, *_digest}: what a site serves."""

PROCESS_START = "model_process_start_time_seconds"
"""Seconds since the epoch, per {environment, model, site, release}."""

PREDICTIONS = "model_predictions_total"
"""Counter per {environment, model, site, release, outcome="ok|error"}."""

LATENCY = "model_prediction_latency_seconds"
"""Histogram in seconds, per {environment, model, site, release}."""

CONFIDENCE = "model_prediction_confidence"
"""Histogram of fractions 0..1, per {environment, model, site, release}."""

LAST_PREDICTION = "model_last_prediction_timestamp_seconds"
"""Seconds since the epoch, per {environment, model, site, release}."""


class Metric(StrEnum):
    """What a metric is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


OUTCOMES = ("ok", "error")
EXPORTED = {
    PREDICTIONS: Metric.COUNTER,
    LATENCY: Metric.HISTOGRAM,
    CONFIDENCE: Metric.HISTOGRAM,
    RELEASE_INFO: Metric.GAUGE,
    PROCESS_START: Metric.GAUGE,
    LAST_PREDICTION: Metric.GAUGE,
}
"""What every model server exports; other names are a server's own."""

# ------------------------------------------------------------------ what the reconciler exports

TICK = "tidegate_tick_timestamp_seconds"
"""End of the last whole tick, seconds since the epoch, per {environment}; whatever it decided."""

ROLLOUT_INFO = "tidegate_rollout_info"
"""1 per {environment, model, rollout, stable, canary, phase}: what the rollout file says.

`canary` and `rollout` are "" where there is none; one series per (environment, model).
"""

ROLLOUT_PERCENT = "tidegate_rollout_percent"
"""Percent 0..100 on the canary, per {environment, model}; 0 where nothing climbs."""

ROLLOUT_STEP = "tidegate_rollout_step_timestamp_seconds"
"""Start of the step, seconds since the epoch, per {environment, model}; only while climbing.

That is its commit time, or, of a step that a person took, when the reconciler saw it. Climbing
means phase Progressing with a canary: a paused rollout waits for a person, not for this.
"""

ROLLOUT_DEADLINE = "tidegate_rollout_deadline_timestamp_seconds"
"""End of the longest wait of the step, per {environment, model}; only while climbing.

Left out while the step waits for nothing but its soak, or a person: policy calls neither overdue.
"""

VERDICT = "tidegate_verdict_info"
"""1 per {environment, model, verdict}: the verdict of the last tick; only while a canary is out.

`verdict` is Healthy, Breached, Undecided, NoData or Stale.
"""

E_BAD = "tidegate_objective_e_bad"
"""E-value for "the canary is worse", per {environment, model, objective}; 100 is a breach."""

E_OK = "tidegate_objective_e_ok"
"""E-value for "not worse than the margin", per {environment, model, objective}; 20 is enough."""

SITE_DESIRED = "tidegate_site_desired_info"
"""1 per {environment, model, site, release}: what Git wants; one series per site and model."""

SITE_APPLIED = "tidegate_site_applied_info"
"""1 per {environment, model, site, release}: what Argo CD has applied.

Exported only where exactly one release is applied and healthy; nothing at all in pull mode, where
nobody can know it.
"""

# ------------------------------------------------------------------ how the reconciler itself does

DECISION = "tidegate_decision_info"
"""1 per {environment, model, decision, code}: the decision of the last tick; only while climbing.

`decision` is Advance, Hold, Revert or Escalate; `code` is why it holds or reverts, else "".
"""

COMMITS = "tidegate_commits_total"
"""Counter of commits that landed, per {environment, model, kind}.

`kind` is that of the evidence in the commit (history, seen, advance, complete, revert), or expand.
"""

TROUBLES = "tidegate_troubles_total"
"""Counter of ticks of one rollout that went wrong, per {environment, model, cause}.

`cause` is metrics (Prometheus gave no usable answer), remote (Git did not answer), refused (the
push was), lost (somebody else was faster every time), invalid (a file in Git) or bug.
"""

PASSES = "tidegate_passes_total"
"""Counter of passes over the repository, per {outcome}.

`outcome` is whole, or why it ended too early: remote (Git did not answer), input (no fleet
repository, or no such branch) or bug.
"""

DURATION = "tidegate_pass_duration_seconds"
"""Histogram of the length of passes in seconds, of those that failed, too."""

STARTED = "process_start_time_seconds"
"""When the reconciler started, seconds since the epoch; its counters begin there at 0."""

# ------------------------------------------------------------------ who writes which label

OWN_LABELS = ("environment", "model", "release", "site")
"""Labels that the scrape sets from the pod; what a server says about them itself is dropped."""
