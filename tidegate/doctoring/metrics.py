"""Look at every Prometheus that an environment names, and that may be asked."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from generator import layout
from generator.http import Http, Reply
from generator.model.environment import Environment, Kind
from generator.model.telemetry import RELEASE_INFO
from reconciler.checkup import Finding, failed, passed, unknown, warned
from reconciler.checkup.clock import skew
from reconciler.checkup.collector import flags, lateness, rules
from reconciler.checkup.series import contract, duplicates, labels, releases, reporting
from reconciler.checkup.versions import version
from tidegate.doctoring.fleet import Fleet
from tidegate.doctoring.running import Area, Step

Open = Callable[[str], Http]
_ENVIRONMENTS = f"count by (environment) ({RELEASE_INFO})"


def metrics(fleet: Fleet, door: Open) -> list[Area]:
    """List the checks, an area for each address.

    Args:
        fleet: What Git says.
        door: Opens an address; refuses what is not allowed.
    """
    served: dict[str, list[Environment]] = {}
    for one in fleet.environments.values():
        served.setdefault(one.prometheus, []).append(one)
    return [
        _Server(url, fleet, here, door).area() if url else _nameless(here)
        for url, here in sorted(served.items())
    ]


def _nameless(here: Sequence[Environment]) -> Area:
    check = "metrics.named"

    def work(one: Environment) -> tuple[Finding, ...]:
        text = "it names no Prometheus, so every rollout there holds, and a breach is not seen"
        fix = f"write prometheus: into {layout.environment(one.name)}"
        # In the cloud people move a rollout, and look themselves.
        return ((warned if one.kind is Kind.CLOUD else failed)(check, one.name, text, fix),)

    return Area("metrics", [Step(check, one.name, partial(work, one)) for one in here])


@dataclass
class _Server:
    url: str
    fleet: Fleet
    served: Sequence[Environment]
    open: Open
    _doors: list[Http] = field(default_factory=list)
    _others: dict[str, int] = field(default_factory=dict)

    def area(self) -> Area:
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("metrics.answers", self._answers),
            ("metrics.clock", self._clock),
            ("metrics.environment", self._environments),
        ]
        for one in self.served:
            steps.append(("metrics.sites", partial(self._sites, one.name)))
            steps += [
                ("metrics.contract", partial(self._contract, one.name, model))
                for environment, model in sorted(self.fleet.stable)
                if environment == one.name
            ]
        steps += [
            ("metrics.version", self._version),
            ("metrics.flags", self._flags),
            ("metrics.late", self._late),
            ("metrics.rules", self._rules),
        ]
        return Area(
            "metrics", [Step(check, self.url, work) for check, work in steps], is_gated=True
        )

    def _answers(self) -> Iterator[Finding]:
        self._count("vector(1)")
        yield passed("metrics.answers", self.url, "it answers queries")

    def _clock(self) -> Iterator[Finding]:
        before = _clock()
        theirs = datetime.fromtimestamp(self._count("time()"), UTC)
        yield skew("metrics.clock", self.url, theirs, (before, _clock()))

    def _environments(self) -> Iterator[Finding]:
        for found, number in self._ask(_ENVIRONMENTS):
            self._others[found.get("environment", "")] = int(number)
        served = tuple(one.name for one in self.served)
        yield from labels(self.url, self._others, served, tuple(self.fleet.environments))

    def _sites(self, environment: str) -> Iterator[Finding]:
        # As the judge asks: whoever scrapes one environment need not name it.
        selector = f'{RELEASE_INFO}{{environment=~"{environment}|"}}'
        found = [found for found, _ in self._ask(selector)]
        expected = self.fleet.expected(environment)
        yield from reporting(self.url, expected, found, self._others)
        if found:
            yield from releases(self.url, expected, found)
            yield from duplicates(self.url, environment, found)

    def _contract(self, environment: str, model: str) -> Iterator[Finding]:
        texts = self.fleet.selectors(environment, model)
        counted = {text: int(self._count(f"count({text})")) for text in texts}
        yield from contract(self.url, f"{environment}/{model}", counted)

    def _version(self) -> Iterator[Finding]:
        data = self._look("metrics.version", "/api/v1/status/buildinfo")
        if isinstance(data, Finding):
            yield data
        else:
            found = str(data.get("version", ""))
            yield from version("metrics.version", self.url, "Prometheus", found)

    def _flags(self) -> Iterator[Finding]:
        data = self._look("metrics.flags", "/api/v1/status/flags")
        if isinstance(data, Finding):
            yield data
        else:
            told = {str(name): str(value) for name, value in data.items()}
            yield from flags(self.url, told, self.served)

    def _late(self) -> Iterator[Finding]:
        data = self._look("metrics.late", "/api/v1/status/config")
        if isinstance(data, Finding):
            yield data
        else:
            yield from lateness(self.url, str(data.get("yaml", "")), self.served)

    def _rules(self) -> Iterator[Finding]:
        data = self._look("metrics.rules", "/api/v1/rules")
        if isinstance(data, Finding):
            yield data
        else:
            wanted = [file for one in self.served for file in self.fleet.rules.get(one.name, ())]
            yield from rules(self.url, wanted, data)

    def _look(self, check: str, path: str) -> Mapping[str, Any] | Finding:
        """Read what only Prometheus itself has, and not everybody may read."""
        reply = self._door().get(path)
        if not reply.is_ok:
            text = f"{path} is not served (status {reply.status})"
            return unknown(
                check, self.url, text, "ask the Prometheus behind it, if this is a proxy"
            )
        data = self._data(reply)
        return data if isinstance(data, Mapping) else {}

    def _count(self, promql: str) -> float:
        """Ask for one number; 0 where there is none."""
        found = self._ask(promql)
        return found[0][1] if found else 0.0

    def _ask(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """Ask for the value of every series now."""
        reply = self._door().get("/api/v1/query", {"query": promql})
        data = self._data(reply)
        try:
            result = data["result"]
            if data["resultType"] == "scalar":
                return [({}, float(result[1]))]
            return [(dict(one["metric"]), float(one["value"][1])) for one in result]
        except (KeyError, TypeError, ValueError, IndexError):
            raise self._door().error("the answer is not a vector") from None

    def _data(self, reply: Reply) -> Any:  # noqa: ANN401 (foreign)
        try:
            document = json.loads(reply.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, Mapping) or document.get("status") != "success":
            raise self._door().error(f"the answer is not one of Prometheus: {reply.excerpt()}")
        return document.get("data")

    def _door(self) -> Http:
        if not self._doors:
            self._doors.append(self.open(self.url))
        return self._doors[0]


def _clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 (two clocks are compared)
