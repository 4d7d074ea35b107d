"""A real Prometheus that scrapes the model servers of the sites."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.bed import engines, ports
from tests.e2e.bed.cluster import Place
from tests.e2e.bed.ports import LOOPBACK
from tests.e2e.bed.proxy import Proxy, tcp


@dataclass(frozen=True)
class Prometheus:
    """The process, behind a proxy; `url` is what everybody but the bed uses."""

    place: Place
    folder: Path
    port: int
    proxy: Proxy
    name: str

    @property
    def url(self) -> str:
        """Give the address behind the proxy."""
        return f"http://{LOOPBACK}:{self.proxy.port}"

    @classmethod
    def start(cls, place: Place, scrape_s: float = 2, name: str = "prometheus") -> "Prometheus":
        """Start one without targets."""
        folder, port = place.folder / name, ports.free()
        (folder / "targets").mkdir(parents=True)
        # YAML is a superset of JSON.
        (folder / "prometheus.yaml").write_text(json.dumps(_settings(folder, scrape_s), indent=1))
        argv = [
            engines.path("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        ]
        place.processes.start(name, argv)
        made = cls(place, folder, port, Proxy(place.wire, tcp(port), ports.free()), name)
        place.processes.wait(name, made.is_ready)
        return made

    def is_ready(self) -> bool:
        """Say whether it answers that it is ready."""
        try:
            url = f"http://{LOOPBACK}:{self.port}/-/ready"
            return httpx.get(url, timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def scrape(self, label: str, targets: Sequence[Mapping[str, Any]]) -> None:
        """Give it targets under a name; it reads them within a second. None ends it."""
        file = self.folder / "targets" / f"{label}.json"
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(list(targets)))
        beside.replace(file)

    def ask(self, promql: str, at: str = "") -> list[Mapping[str, Any]]:
        """Ask for an instant vector, past the proxy; as of now, or of a time in RFC 3339."""
        url = f"http://{LOOPBACK}:{self.port}/api/v1/query"
        words = {"query": promql, **({"time": at} if at else {})}
        reply = httpx.get(url, params=words, timeout=20, trust_env=False)
        found: list[Mapping[str, Any]] = reply.raise_for_status().json()["data"]["result"]
        return found


def _settings(folder: Path, scrape_s: float) -> Mapping[str, Any]:
    span = f"{int(scrape_s * 1000)}ms"
    job = {
        "job_name": "models",
        "honor_labels": True,
        "file_sd_configs": [{"files": [str(folder / "targets" / "*.json")]}],
    }
    return {
        "global": {"scrape_interval": span, "scrape_timeout": span, "evaluation_interval": span},
        "scrape_configs": [job],
    }
