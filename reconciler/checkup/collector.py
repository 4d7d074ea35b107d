"""How a Prometheus is set up: what it keeps, how late it listens, which rules it has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from generator.lint.finding import count, few
from generator.model.environment import Environment
from generator.model.spans import write_span
from generator.render.monitoring.settings import scrape_interval, window
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned
from reconciler.checkup.lives import mapping

_SPAN = re.compile(r"(\d{1,9})(ms|[smhdwy])", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_RECEIVER = "web.enable-remote-write-receiver"
_RETENTION = "storage.tsdb.retention.time"
_DEFAULT_RETENTION = timedelta(days=15)


def read_span(text: str) -> timedelta | None:
    """Read a duration as Prometheus writes it, `1h30m`; None where it is none."""
    parts = _SPAN.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        return timedelta(0) if text == "0" else None
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))


def flags(where: str, found: Mapping[str, str], served: Sequence[Environment]) -> Iterator[Finding]:
    """Hold its flags against what the environments that it serves need.

    Args:
        where: The metrics API.
        found: Flag to value.
        served: Environments that name it.
    """
    lookback = read_span(found.get("query.lookback-delta", ""))
    slowest = max(map(scrape_interval, served))
    if lookback is not None:
        yield _lookback(where, lookback, slowest)
    yield _retention(where, read_span(found.get(_RETENTION, "")), served)
    if found.get(_RECEIVER) == "false":
        text = "it takes no remote write, so the agents of the sites cannot send to it"
        fix = f"start it with --{_RECEIVER}, if sites send to it and are not scraped by it"
        yield warned("metrics.receiver", where, text, fix)


def _lookback(where: str, lookback: timedelta, slowest: timedelta) -> Finding:
    told = f"query.lookback-delta is {write_span(lookback)}"
    if lookback < 2 * slowest:
        text = f"{told}: sites are scraped every {write_span(slowest)}, so one lost scrape is a gap"
        fix = f"start it with --query.lookback-delta=5m, at least {write_span(2 * slowest)}"
        return failed("metrics.lookback", where, text, fix)
    return passed("metrics.lookback", where, told)


def _retention(where: str, kept: timedelta | None, served: Sequence[Environment]) -> Finding:
    kept = kept or _DEFAULT_RETENTION
    longest = max(one.history + one.offline_budget for one in served)
    told = f"it keeps {write_span(kept)}"
    if kept < longest:
        text = f"{told}; history and offlineBudget together need {write_span(longest)}"
        fix = f"start it with --{_RETENTION}=31d, as monitoring/central/prometheus.args does"
        return failed("metrics.retention", where, text, fix)
    return passed("metrics.retention", where, told)


def lateness(where: str, config: str, served: Sequence[Environment]) -> Iterator[Finding]:
    """Does it take what a site sends after it was away for its whole budget?

    Args:
        where: The metrics API.
        config: Its configuration file, as it shows it.
        served: Environments that name it.
    """
    check, needed = "metrics.late", window(served)
    try:
        read = yaml.safe_load(config)
    except (yaml.YAMLError, ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        yield unknown(check, where, "its configuration cannot be read")
        return
    tsdb = mapping(mapping(read, "storage"), "tsdb")
    accepted = read_span(str(tsdb.get("out_of_order_time_window", "0"))) or timedelta(0)
    told = f"it takes samples that are {write_span(accepted)} late"
    if accepted < needed:
        text = (
            f"{told}; a site that was away for its offlineBudget sends up to "
            f"{write_span(needed)} late, and all of that is lost"
        )
        fix = f"storage: {{tsdb: {{out_of_order_time_window: {write_span(needed)}}}}}"
        yield warned(check, where, text, f"{fix}, as monitoring/central/prometheus.yaml has it")
    else:
        yield passed(check, where, told)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file of rules in Git.

    Attributes:
        path: Its path.
        environment: The environment that its rules name.
        names: Names of its records and alerts.
    """

    path: str
    environment: str
    names: frozenset[str]


def read_rules(path: str, environment: str, data: bytes) -> RuleFile:
    """Read the names of the rules of one file; none where it is no such file."""
    try:
        read = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError):
        read = None
    names = {str(rule.get("record") or rule.get("alert")) for rule in _rules(read)}
    return RuleFile(path, environment, frozenset(names))


def rules(where: str, wanted: Sequence[RuleFile], loaded: Any) -> Iterator[Finding]:  # noqa: ANN401 (foreign)
    """Are the rules of `monitoring/` loaded, and do they work?

    Args:
        where: The metrics API.
        wanted: What stands in Git.
        loaded: `data` of the answer of `/api/v1/rules`.
    """
    check = "metrics.rules"
    there: dict[str, set[str]] = {}
    broken: list[str] = []
    for rule in _rules(loaded):
        name, query = str(rule.get("name", "")), str(rule.get("query", ""))
        for one in wanted:
            if f'environment="{one.environment}"' in query:
                there.setdefault(one.environment, set()).add(name)
        if rule.get("health") == "err" and any(name in one.names for one in wanted):
            broken.append(f"{name}: {rule.get('lastError', '')}")
    missing = [one for one in wanted if one.names - there.get(one.environment, set())]
    if missing:
        gone = sum(len(one.names - there.get(one.environment, set())) for one in missing)
        files = few([one.path for one in missing])
        text = f"{count(gone, 'rule')} of Git not loaded: {files}"
        yield warned(check, where, text, "add the files to rule_files: and POST /-/reload")
    if broken:
        text = f"{count(len(broken), 'rule')} cannot be evaluated: {broken[0]}"
        yield warned(check, where, text, "tidegate verify, and promtool check rules")
    if wanted and not missing and not broken:
        yield passed(check, where, f"the rules of {count(len(wanted), 'file')} are loaded")


def _rules(document: object) -> Iterator[Mapping[str, Any]]:
    groups = document.get("groups") if isinstance(document, Mapping) else None
    for group in groups if isinstance(groups, list) else ():
        listed = group.get("rules") if isinstance(group, Mapping) else None
        yield from (one for one in listed or () if isinstance(one, Mapping))
