"""An API server for faults: JSON, tables and pages, patches with tests, resource versions.

It speaks the wire format of the parts that the door uses, and refuses what the real one refuses.
What a real API server does is tested in `tests/e2e`.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

TOKEN = "not-a-real-token"
COLUMNS = ("Name", "Sync Status", "Health Status", "Revision", "Project")


@dataclass
class Fake:
    """What the server holds, and how it fails.

    Attributes:
        objects: Path to object.
        fail: Path (or its end) to the status that it answers with.
        hang: Paths that are never answered.
        trickle: Paths whose answer comes a byte at a time.
        garbage: Paths whose answer is no JSON.
        denied: "verb resource" of what an access review says no to.
        before: Called before each writing request.
        calls: (method, path) of every request.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    fail: dict[str, int] = field(default_factory=dict)
    hang: set[str] = field(default_factory=set)
    trickle: set[str] = field(default_factory=set)
    garbage: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    before: Any = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    version: int = 1
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, folder: str, **object_: Any) -> dict[str, Any]:
        """Hold an object; `metadata.name` names it."""
        self.version += 1
        object_.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        self.objects[f"{folder}/{object_['metadata']['name']}"] = object_
        return object_

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig for it."""
        file = folder / "kubeconfig"
        server = f"http://127.0.0.1:{self.port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": server}}],
            "users": [{"name": "x", "user": {"token": TOKEN}}],
        }
        file.write_text(yaml.safe_dump(config))
        return file


@contextmanager
def serving() -> Iterator[Fake]:
    """Run the server on a free port of loopback."""
    fake = Fake()

    class Handler(_Handler):
        held = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    held: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._begin("GET", parts.path):
            return
        held = self.held.objects
        if parts.path in held:
            return self._send(200, held[parts.path])
        found = [o for p, o in sorted(held.items()) if p.rpartition("/")[0] == parts.path]
        if not found and not parts.path.endswith("s"):
            return self._send(404, _status(404, "not found"))
        asked = parse_qs(parts.query)
        start = int(asked.get("continue", ["0"])[0])
        size = int(asked.get("limit", ["0"])[0]) or len(found) or 1
        if "as=PartialObjectMetadataList" in self.headers["Accept"]:
            found = [{"metadata": one["metadata"]} for one in found]
        page, rest = found[start : start + size], start + size < len(found)
        metadata = {"continue": str(start + size)} if rest else {}
        if "as=Table" in self.headers["Accept"]:
            columns = [{"name": one} for one in COLUMNS]
            rows = [{"cells": _cells(one)} for one in page]
            table = {"kind": "Table", "columnDefinitions": columns, "rows": rows}
            return self._send(200, {**table, "metadata": metadata})
        return self._send(200, {"kind": "List", "items": page, "metadata": metadata})

    def do_POST(self) -> None:
        self._write("POST")

    def do_PUT(self) -> None:
        self._write("PUT")

    def do_PATCH(self) -> None:
        self._write("PATCH")

    def _write(self, method: str) -> None:
        path = urlsplit(self.path).path
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._begin(method, path):
            return
        if path.rpartition("/")[2].startswith("selfsubject"):
            return self._send(201, _review(body, self.held.denied))
        if self.held.before:
            self.held.before(method, path)
        with self.held.lock:
            if method == "POST":
                path = f"{path}/{body['metadata']['name']}"
            self._send(*self._change(method, path, body))

    def _change(self, method: str, path: str, body: Any) -> tuple[int, Mapping[str, Any]]:
        before = self.held.objects.get(path)
        if method == "POST":
            taken = _status(409, "already exists")
            return (409, taken) if before else (201, self._keep(path, body))
        if before is None:
            return 404, _status(404, "not found")
        if method == "PUT":
            same = body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
            changed = _status(409, "the object has been modified")
            return (200, self._keep(path, body)) if same else (409, changed)
        after = json.loads(json.dumps(before))
        if self.headers["Content-Type"] == "application/merge-patch+json":
            _merge(after, body)
        elif not all(_step(after, one) for one in body):
            return 422, _status(422, "the server rejected our request")
        return 200, self._keep(path, after)

    def _keep(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.held.version += 1
        body["metadata"]["resourceVersion"] = str(self.held.version)
        self.held.objects[path] = body
        return body

    def _begin(self, method: str, path: str) -> bool:
        self.held.calls.append((method, path))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, _status(401, "Unauthorized"))
            return False
        if path in self.held.hang:
            self.held.released.wait(60)
            return False
        for end, code in self.held.fail.items():
            if path.endswith(end):
                self._send(code, _status(code, f"no {path}\n\x1b[31mred"))
                return False
        return True

    def _send(self, code: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        path = urlsplit(self.path).path
        if path in self.held.garbage:
            data = b"<html>no</html>"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if path in self.held.trickle:
            with suppress(OSError):  # who asked has gone
                for one in data:
                    self.wfile.write(bytes([one]))
                    self.wfile.flush()
                    time.sleep(0.05)
            return
        self.wfile.write(data)


def _cells(one: Mapping[str, Any]) -> list[str]:
    status = one.get("status", {})
    sync = status.get("sync", {})
    health = status.get("health", {}).get("status", "")
    return [
        one["metadata"]["name"],
        sync.get("status", ""),
        health,
        sync.get("revision", ""),
        one.get("spec", {}).get("project", ""),
    ]


def _review(body: Mapping[str, Any], denied: set[str]) -> dict[str, Any]:
    asked = body.get("spec", {}).get("resourceAttributes")
    if asked is None:
        return {**body, "status": {"userInfo": {"username": "tester"}}}
    is_denied = f"{asked['verb']} {asked['resource']}" in denied
    return {**body, "status": {"allowed": not is_denied}}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}


def _merge(target: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _step(target: dict[str, Any], step: Mapping[str, Any]) -> bool:
    *folders, key = (part.replace("~1", "/") for part in step["path"].split("/")[1:])
    place: Any = target
    for folder in folders:
        place = place.get(folder) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        return False
    if step["op"] == "test":
        return key in place and place[key] == step["value"]
    if step["op"] == "replace" and key not in place:
        return False
    place[key] = step["value"]
    return True
