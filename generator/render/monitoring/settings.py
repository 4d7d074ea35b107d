"""Settings of Prometheus: the agent of a site, and the server that the series of all sites reach.

The offline budget is one sum. A site that is away for the whole budget keeps its samples: the
agent cuts its log every two hours, so it has to be told that much more. What it then sends is at
most that old, and the server takes it. By default neither holds: the agent keeps 4 h, and the
server refuses what is older than about an hour, for good.

Source: Prometheus, tsdb/head_append.go, tsdb/agent/db.go and issue 11919.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from generator import layout
from generator.layout import RepoPath
from generator.model.environment import WAL_TRUNCATION, Environment
from generator.model.spans import say_span, write_span
from generator.model.telemetry import OWN_LABELS
from generator.render.kustomize import HEADER
from generator.yamltext import dump

# Time to send a backlog, on top of the age of its oldest sample.
_DRAIN = timedelta(hours=1)
_SLOWEST_SCRAPE = timedelta(seconds=30)
_FASTEST_SCRAPE = timedelta(seconds=5)
# Bytes of a sample in the log, before compression: reference, time, 8 bytes of value.
_SAMPLE_BYTES = 12
_SERIES = 100
_KEPT_DAYS = 31  # the window of an objective is 30 d
_PASSWORD = "/etc/prometheus/remote-write/password"  # noqa: S105 (a path; the secret is not in Git)
_POD = "__meta_kubernetes_pod_"
TARGETS = "/etc/prometheus/tidegate/*.yaml"


def retention(settings: Environment) -> timedelta:
    """Say how long the agent has to keep samples that it could not send."""
    return settings.offline_budget + WAL_TRUNCATION


def window(environments: Sequence[Environment]) -> timedelta:
    """Say how old a sample may be when the server still takes it."""
    return max(map(retention, environments)) + _DRAIN


def scrape_interval(settings: Environment) -> timedelta:
    """Say how often a site is scraped: at least twice between two looks of the judge."""
    half = timedelta(seconds=settings.interval // timedelta(seconds=2))
    return max(_FASTEST_SCRAPE, min(_SLOWEST_SCRAPE, half))


def agent(settings: Environment) -> Mapping[RepoPath, bytes]:
    """Write the settings of the agent on every site of an environment, and its flags.

    The same bytes serve all sites: which site a pod is on stands on the pod, from its pointer.
    """
    folder = layout.watched(settings.name)
    interval = write_span(scrape_interval(settings))
    config: dict[str, object] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [_scrape(settings)],
    }
    if settings.prometheus:
        config["remote_write"] = [_remote_write(settings)]
    return {
        f"{folder}/agent.yaml": HEADER + dump(config),
        f"{folder}/agent.args": _flags(_agent_words(settings), _agent_flags(settings)),
    }


def _scrape(settings: Environment) -> Mapping[str, object]:
    own = {
        "model": f"{_POD}label_app_kubernetes_io_name",
        "release": f"{_POD}label_tidegate_dev_release",
        "site": f"{_POD}label_tidegate_dev_site",
        # Its own for each pod, so that the counters of two pods never run into each other.
        "instance": f"{_POD}name",
    }
    keep = [
        {"action": "keep", "source_labels": [source], "regex": regex}
        for source, regex in (
            (f"{_POD}label_app_kubernetes_io_component", "model-server"),
            (f"{_POD}label_tidegate_dev_release", ".+"),
            (f"{_POD}label_tidegate_dev_site", ".+"),
            (f"{_POD}container_port_name", "metrics"),
        )
    ]
    named = [{"source_labels": [source], "target_label": name} for name, source in own.items()]
    here = {"target_label": "environment", "replacement": settings.name}
    # With honor_labels off, what a server says about these itself arrives under another name.
    foreign = f"exported_({'|'.join((*OWN_LABELS, 'instance', 'job'))})"
    return {
        "job_name": "models",
        "honor_labels": False,
        "honor_timestamps": False,
        "sample_limit": 5000,
        "label_limit": 40,
        "label_value_length_limit": 400,
        "kubernetes_sd_configs": [
            {"role": "pod", "namespaces": {"names": [settings.namespace]}},
        ],
        "relabel_configs": [*keep, *named, here],
        "metric_relabel_configs": [{"action": "labeldrop", "regex": foreign}],
    }


def _remote_write(settings: Environment) -> Mapping[str, object]:
    kept = write_span(retention(settings))
    queue = {
        "capacity": 10000,
        "max_shards": 4,
        "max_samples_per_send": 2000,
        "batch_send_deadline": "5s",
        "min_backoff": "1s",
        # The longest pause before a site that is back is heard.
        "max_backoff": "30s",
        # The server is busy when many sites come back at once: wait, do not drop.
        "retry_on_http_429": True,
        "sample_age_limit": kept,
    }
    url = f"{settings.prometheus.rstrip('/')}/api/v1/write"
    row: dict[str, object] = {"name": "central", "url": url, "remote_timeout": "30s"}
    if url.startswith("https://"):
        row["basic_auth"] = {"username": settings.name, "password_file": _PASSWORD}
    return {**row, "queue_config": queue}


def _agent_flags(settings: Environment) -> Sequence[str]:
    return (
        "--enable-feature=agent",
        "--config.file=/etc/prometheus/agent.yaml",
        "--storage.agent.path=/var/lib/prometheus",
        f"--storage.agent.retention.max-time={write_span(retention(settings))}",
        f"--storage.agent.retention.min-time={write_span(timedelta(minutes=5))}",
        "--storage.agent.wal-compression",
        "--web.listen-address=127.0.0.1:9095",
    )


def _agent_words(settings: Environment) -> Sequence[str]:
    kept = retention(settings) + WAL_TRUNCATION  # at most: until the next cut
    samples = _SERIES * (kept // scrape_interval(settings))
    megabytes = max(1, round(samples * _SAMPLE_BYTES / 1e6))
    return (
        f"Prometheus agent of every site of {settings.name}: prometheus @agent.args",
        "It needs Prometheus 2.50 or later. From 3.0 on write --agent for --enable-feature=agent.",
        f"A site may be away for {say_span(settings.offline_budget)} (offlineBudget). The log is",
        f"cut every {say_span(WAL_TRUNCATION)}, so samples are kept for"
        f" {say_span(retention(settings))} at least.",
        f"Disk on the site: {megabytes} MB at most for every {_SERIES} series, one sample every",
        f"{write_span(scrape_interval(settings))}; a restart of the agent loses what was not sent.",
    )


def central(environments: Sequence[Environment]) -> Mapping[RepoPath, bytes]:
    """Write the settings and flags of the server that all sites send to."""
    folder = f"{layout.MONITORING}/central"
    accepted = window(environments)
    names = sorted(settings.name for settings in environments)
    config = {
        "global": {"scrape_interval": "30s", "evaluation_interval": "1m"},
        "storage": {"tsdb": {"out_of_order_time_window": write_span(accepted)}},
        "rule_files": [f"../fleet/{name}/rules/*.yaml" for name in names],
        "scrape_configs": [
            # The environment that a reconciler looks after is its own label.
            {
                "job_name": "tidegate",
                "honor_labels": True,
                "file_sd_configs": [{"files": [TARGETS]}],
            }
        ],
    }
    words = (
        "The Prometheus that the agents of all sites send to: prometheus @prometheus.args,",
        "started in the folder monitoring/central of a checkout. Sites send at most",
        f"{say_span(accepted)} late; out_of_order_time_window takes that, and costs memory.",
    )
    flags = (
        "--config.file=prometheus.yaml",
        "--storage.tsdb.path=/var/lib/prometheus",
        f"--storage.tsdb.retention.time={_KEPT_DAYS}d",
        "--web.enable-remote-write-receiver",
    )
    return {
        f"{folder}/prometheus.yaml": HEADER + dump(config),
        f"{folder}/prometheus.args": _flags(words, flags),
    }


def _flags(words: Sequence[str], flags: Sequence[str]) -> bytes:
    comments = [f"# {line}" for line in words]
    return HEADER + "".join(f"{line}\n" for line in (*comments, *flags)).encode("ascii")
