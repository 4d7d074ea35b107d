"""Against a real SQLite store of MLflow, and servers that lie, stall or are away."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from generator.errors import InputError, RemoteError
from generator.model.release import ModelVersion
from generator.registry import Limits, Registry, quiet
from tests.artifacts import FILES, digest_of, write
from tests.servers import IMPATIENT, free_port
from tidegate.demo.registry import artifact_files, move_alias, seed, store_uri

pytest.importorskip("sqlalchemy", reason="not run: MLflow (not installed)")
pytest.importorskip("mlflow", reason="not run: MLflow (not installed)")

IMAGE = "registry.example.com/detector@sha256:" + "a" * 64
NAMES = (f"model-{number}" for number in count())


@dataclass(frozen=True)
class Store:
    """A seeded store, and a person who registers models in it."""

    folder: Path
    client: Any

    @property
    def uri(self) -> str:
        return store_uri(self.folder)

    @property
    def registry(self) -> Registry:
        return Registry(self.uri, ("file:",))

    def register(self, source: Path | str, name: str = "", **more: Any) -> str:
        """Register a source under a new name; give `NAME/VERSION`."""
        name = name or next(NAMES)
        if not self.client.search_registered_models(f"name='{name}'"):
            self.client.create_registered_model(name)
        version = self.client.create_model_version(name, str(source), await_creation_for=0, **more)
        return f"{name}/{version.version}"

    def files(self, files: Mapping[str, bytes] = FILES) -> Path:
        return write(self.folder / "artifacts" / "by-hand" / next(NAMES), files)

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("registry")
    seed(folder, IMAGE)
    from mlflow import MlflowClient

    with quiet():
        return Store(folder, MlflowClient(store_uri(folder), store_uri(folder)))


# ------------------------------------------------------------------ the demo's store


def test_the_seed_holds_four_versions_with_digests_that_are_the_same_everywhere(store):
    pinned = [store.registry.resolve(f"defect-detector/{number}") for number in (1, 2, 3, 4)]
    assert [version.digest for version in pinned] == [
        digest_of(artifact_files(number)) for number in (1, 2, 3, 4)
    ]
    assert {(version.image, version.files) for version in pinned} == {(IMAGE, 3)}
    assert all(re.fullmatch("m-[0-9a-f]{32}", version.model_id) for version in pinned)
    assert all(re.fullmatch("[0-9a-f]{32}", version.run_id) for version in pinned)
    assert pinned == sorted(pinned, key=lambda version: version.created_ms)


def test_seeding_again_changes_nothing_and_leaves_a_moved_alias(store):
    before = (store.folder / "mlflow.db").read_bytes()
    move_alias(store.folder, "challenger", 3)
    moved = (store.folder / "mlflow.db").read_bytes()
    seed(store.folder, IMAGE)
    assert (store.folder / "mlflow.db").read_bytes() == moved != before
    assert store.registry.resolve("defect-detector@challenger").version == "3"
    move_alias(store.folder, "challenger", 2)


def test_a_seed_that_was_killed_half_way_is_completed(tmp_path):
    killed = (
        "import os, sys; from pathlib import Path\n"
        "from generator.registry import load_mlflow; load_mlflow(full=True)\n"
        "from mlflow import MlflowClient\n"
        "create = MlflowClient.create_model_version\n"
        "def third(self, *args, tags, **more):\n"
        "    os._exit(9) if tags['tidegate.demo'] == '3' else None\n"
        "    return create(self, *args, tags=tags, **more)\n"
        "MlflowClient.create_model_version = third\n"
        "from tidegate.demo.registry import seed; seed(Path(sys.argv[1]), sys.argv[2])\n"
    )
    write(tmp_path / ".new", {"mlflow.db": b"cut off in a migration"})
    command = [sys.executable, "-c", killed, str(tmp_path), IMAGE]
    assert subprocess.run(command, cwd=Path.cwd(), check=False).returncode == 9
    registry = Registry(store_uri(tmp_path), ("file:",))
    with pytest.raises(InputError, match="last versions: 2, 1"):
        registry.resolve("defect-detector/3")
    seed(tmp_path, IMAGE)
    pinned = [registry.resolve(f"defect-detector/{number}") for number in (1, 2, 3, 4)]
    assert [v.digest for v in pinned] == [digest_of(artifact_files(n)) for n in (1, 2, 3, 4)]
    assert registry.resolve("defect-detector@champion").version == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "mlflow.db"]


def test_a_seed_says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"no store can be made in .*: Not a directory"):
        seed(tmp_path / "file" / "store", IMAGE)


def test_an_alias_cannot_move_to_a_version_that_is_not_there(store):
    with pytest.raises(InputError, match="cannot be version 9"):
        move_alias(store.folder, "champion", 9)


# ------------------------------------------------------------------ what is pinned


def test_an_alias_is_pinned_with_all_its_facts(store):
    entry = store.client.get_model_version("defect-detector", "1")
    pinned = store.registry.resolve("defect-detector@champion")
    assert (pinned.registry_name, pinned.version, pinned.asked) == (
        "defect-detector",
        "1",
        "defect-detector@champion",
    )
    assert (pinned.run_id, pinned.created_ms) == (entry.run_id, entry.creation_timestamp)
    assert pinned.uri == entry.source
    assert pinned.size_bytes == sum(map(len, artifact_files(1).values()))


def test_an_alias_that_moves_is_another_version_and_the_old_pin_stays_true(store):
    before = store.registry.resolve("defect-detector@challenger")
    move_alias(store.folder, "challenger", 4)
    after = store.registry.resolve("defect-detector@challenger")
    move_alias(store.folder, "challenger", 2)
    assert (before.version, after.version) == ("2", "4")
    assert store.registry.resolve("defect-detector/2").digest == before.digest


def test_an_artifact_overwritten_under_the_same_version_changes_the_digest(store):
    folder = store.files()
    ref = store.register(folder)
    before = store.registry.resolve(ref)
    (folder / "data/weights.bin").write_bytes(b"\x01" * 1000)
    after = store.registry.resolve(ref)
    assert before.digest == digest_of(FILES)
    assert (after.uri, after.size_bytes) == (before.uri, before.size_bytes)
    assert after.digest != before.digest


def test_a_copied_version_keeps_the_model_id_and_the_bytes_of_its_origin(store):
    origin = store.registry.resolve("defect-detector/2")
    first = store.register("models:/defect-detector/2")
    copy = store.registry.resolve(store.register(f"models:/{first}"))
    assert (copy.model_id, copy.uri, copy.digest) == (origin.model_id, origin.uri, origin.digest)
    assert copy.registry_name != origin.registry_name


def test_a_copy_of_a_logged_model_that_names_no_folder_is_followed(store):
    model_id = store.registry.resolve("defect-detector/3").model_id
    ref = store.register(store.files())
    source = f"models:/{model_id}"
    store.sql(
        "UPDATE model_versions SET source = ?, storage_location = NULL WHERE name = ?",
        source,
        ref.split("/")[0],
    )
    pinned = store.registry.resolve(ref)
    assert (pinned.model_id, pinned.digest) == (model_id, digest_of(artifact_files(3)))


def test_a_model_of_a_run_is_followed(store):
    run = store.client.create_run(
        store.client.get_experiment_by_name("surface-inspection").experiment_id
    )
    write(Path(run.info.artifact_uri.removeprefix("file://")), {"model/MLmodel": b"x"})
    ref = store.register(store.files())
    store.sql(
        "UPDATE model_versions SET source = ?, storage_location = NULL WHERE name = ?",
        f"runs:/{run.info.run_id}/model",
        ref.split("/")[0],
    )
    assert store.registry.resolve(ref).digest == digest_of({"MLmodel": b"x"})


def test_copies_that_lead_to_each_other_are_refused(store):
    ref = store.register(store.files())
    name = ref.split("/")[0]
    store.sql(
        "UPDATE model_versions SET source = ?, storage_location = NULL WHERE name = ?",
        f"models:/{ref}",
        name,
    )
    with pytest.raises(InputError, match="copy of copies"):
        store.registry.resolve(ref)


def test_the_model_id_is_read_from_the_description_where_nothing_else_names_it(store):
    model_id = "m-" + "0123456789abcdef" * 2
    text = f"flavors: {{}}\nmodel_id: {model_id}\nmodel_uuid: {model_id}\n"
    ref = store.register(store.files({"MLmodel": text.encode()}))
    assert store.registry.resolve(ref).model_id == model_id


def test_a_model_made_anew_under_the_same_name_is_told_apart_by_its_time(store):
    name = next(NAMES)
    first = store.registry.resolve(store.register(store.files(), name))
    store.client.delete_registered_model(name)
    second = store.registry.resolve(store.register(store.files(), name))
    assert (first.version, first.digest) == (second.version, second.digest)
    assert first.created_ms < second.created_ms


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            "defect-detector@nobody",
            "MLflow has no defect-detector@nobody; aliases: challenger, champion",
        ),
        ("defect-detector/9", "MLflow has no defect-detector/9; last versions: 4, 3, 2, 1"),
        ("defect-detektor/1", "MLflow has no defect-detektor/1; models: defect-detector"),
    ],
)
def test_what_is_absent_is_answered_with_what_is_there(store, ref, message):
    with pytest.raises(InputError) as caught:
        store.registry.resolve(ref)
    assert str(caught.value) == message


def test_a_reference_that_is_none_never_reaches_the_store():
    with pytest.raises(InputError, match="write NAME@ALIAS"):
        Registry("sqlite:////nowhere", ()).resolve("defect-detector")


def test_a_version_that_is_not_ready_is_refused(store):
    ref = store.register(store.files())
    store.sql(
        "UPDATE model_versions SET status = 'PENDING_REGISTRATION' WHERE name = ?",
        ref.split("/")[0],
    )
    with pytest.raises(InputError, match="not ready: 'PENDING_REGISTRATION'"):
        store.registry.resolve(ref)


@pytest.mark.parametrize("allow", [(), ("s3://models",), ("file:///elsewhere",), ("https:",)])
def test_a_location_that_is_not_on_the_allow_list_is_refused(store, allow):
    with pytest.raises(InputError, match=r"not on the allow-list; add 'file:'"):
        Registry(store.uri, allow).resolve("defect-detector/1")


def test_a_bucket_that_is_not_on_the_allow_list_is_never_asked(store):
    ref = store.register("s3://their-bucket/model")
    with pytest.raises(InputError, match="add 's3://their-bucket' under artifacts: allow"):
        store.registry.resolve(ref)


def test_a_location_with_a_password_is_refused_without_repeating_it(store):
    ref = store.register(store.files())
    store.sql(
        "UPDATE model_versions SET storage_location = ? WHERE name = ?",
        "https://robot:hunter2@host/x",
        ref.split("/")[0],
    )
    with pytest.raises(InputError, match="holds credentials") as caught:
        store.registry.resolve(ref)
    assert "hunter2" not in str(caught.value)


def outside(store: Store, tmp_path: Path) -> str:
    return str(write(tmp_path / "outside", FILES))


def climbing(store: Store, tmp_path: Path) -> str:
    outside(store, tmp_path)
    return f"{store.files()}/../../../../{tmp_path.name}/outside"


def linked(store: Store, tmp_path: Path) -> str:
    link = store.folder / "artifacts" / next(NAMES)
    link.symlink_to(outside(store, tmp_path))
    return str(link)


def whole_store(store: Store, tmp_path: Path) -> str:
    return str(store.folder)


def one_file(store: Store, tmp_path: Path) -> str:
    return str(store.files() / "MLmodel")


@pytest.mark.parametrize("place", [outside, climbing, linked, whole_store, one_file])
def test_files_are_read_only_below_the_stores_own_folder(store, tmp_path, place):
    ref = store.register(store.files())
    store.sql(
        "UPDATE model_versions SET storage_location = ? WHERE name = ?",
        place(store, tmp_path),
        ref.split("/")[0],
    )
    with pytest.raises(InputError, match=r"below the store's own|climbs"):
        store.registry.resolve(ref)


def with_link(folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")


def with_linked_folder(folder: Path) -> None:
    (folder / "etc").symlink_to("/etc")


def with_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def with_odd_name(folder: Path) -> None:
    (folder / "a\nb").write_bytes(b"")


def with_bytes_for_a_name(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (with_link, "is a symbolic link"),
        (with_linked_folder, "is a symbolic link"),
        (with_pipe, "not a regular file"),
        (with_odd_name, "not allowed"),
        (with_bytes_for_a_name, "not allowed"),
        (shutil.rmtree, "artifact folder is gone"),
        (lambda folder: [shutil.rmtree(folder), folder.mkdir()], "no artifact file"),
    ],
)
def test_a_folder_that_is_not_plain_files_is_refused(store, spoil, why):
    folder = store.files()
    ref = store.register(folder)
    spoil(folder)
    with pytest.raises(InputError, match=why):
        store.registry.resolve(ref)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_not_left_out(store):
    folder = store.files()
    ref = store.register(folder)
    (folder / "data").chmod(0)
    with pytest.raises(InputError, match="cannot read artifact 'data'"):
        store.registry.resolve(ref)


@pytest.mark.parametrize(
    ("limits", "error", "why"),
    [
        (Limits(files=3), InputError, "more than 3 artifact files and folders"),
        (Limits(size_bytes=65_000), InputError, "more than 65000 bytes"),
        (Limits(seconds=0), RemoteError, "not done within 0 s"),
    ],
)
def test_files_bytes_and_seconds_are_capped(store, limits, error, why):
    with pytest.raises(error, match=why):
        Registry(store.uri, ("file:",), limits).resolve("defect-detector/1")


def test_hostile_names_of_other_models_are_shown_harmless(store):
    store.client.create_registered_model("defect\x1b[31m\nRollout-Id forged")
    with pytest.raises(InputError) as caught:
        store.registry.resolve("zzzz/1")
    assert str(caught.value).isprintable()
    assert "Rollout-Id" in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["postgresql://u:hunter2@host/db", "databricks", "file:///x", "http://["]
)
def test_other_kinds_of_registry_are_refused(uri):
    with pytest.raises(InputError, match="registry") as caught:
        Registry(uri, ()).resolve("a@b")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "no MLflow store"), (b"", "not an SQLite file"), (b"hello" * 9, "not an SQLite file")],
)
def test_a_store_that_is_not_there_is_not_made(tmp_path, content, why):
    file = tmp_path / "mlflow.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=why):
        Registry(f"sqlite:///{file}", ("file:",)).resolve("a@b")
    assert file.exists() is (content is not None)


def test_asking_leaves_nothing_behind_and_says_nothing(store, tmp_path, monkeypatch, capfd):
    before = sorted(store.folder.rglob("*"))
    monkeypatch.chdir(tmp_path)
    store.registry.resolve("defect-detector@champion")
    with pytest.raises(InputError):
        store.registry.resolve("defect-detector@nobody")
    assert sorted(store.folder.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------ the way back


def test_the_result_is_written_as_tags_of_the_version(store):
    pinned = store.registry.resolve("defect-detector/3")
    tags = {"tidegate.rollout": "r-1", "tidegate.result": "Reverted", "tidegate.evidence": "e@1"}
    store.registry.write_back(pinned, tags)
    store.registry.write_back(pinned, tags)
    kept = store.client.get_model_version("defect-detector", "3").tags
    assert {key: kept[key] for key in tags} == tags
    assert kept["tidegate.image"] == IMAGE


@pytest.mark.parametrize(
    "tags",
    [{"tidegate.image": IMAGE}, {"tidegate.result": "a\nb"}, {"tidegate.result": "x" * 2001}],
)
def test_only_our_own_tags_are_written(store, tags):
    pinned = store.registry.resolve("defect-detector/3")
    with pytest.raises(ValueError, match="tidegate"):
        store.registry.write_back(pinned, tags)


def test_a_version_made_anew_is_not_tagged(store):
    name = next(NAMES)
    pinned = store.registry.resolve(store.register(store.files(), name))
    store.client.delete_registered_model(name)
    with pytest.raises(RemoteError, match="not found"):
        store.registry.write_back(pinned, {"tidegate.result": "Completed"})
    store.register(store.files(), name)
    with pytest.raises(RemoteError, match="registered anew"):
        store.registry.write_back(pinned, {"tidegate.result": "Completed"})
    assert store.client.get_model_version(name, "1").tags == {}


# ------------------------------------------------------------------ over HTTP


@pytest.fixture
def answer() -> Iterator[Callable[[Callable[[BaseHTTPRequestHandler], None]], str]]:
    """Start a server that answers every request as told; give its address."""
    servers = []

    def start(reply: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reply(self)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def say(
    status: int, body: bytes, headers: Mapping[str, str], request: BaseHTTPRequestHandler
) -> None:
    request.send_response(status)
    for key, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(key, value)
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_is_named_without_its_password():
    registry = Registry(f"http://robot:hunter2@127.0.0.1:{free_port()}", ())
    with pytest.raises(RemoteError, match="Connection refused") as caught:
        registry.resolve("a@b")
    assert re.fullmatch(r"http://\*\*\*@127\.0\.0\.1:\d+", caught.value.endpoint)
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "headers", "error", "why"),
    [
        (500, {}, RemoteError, "500"),
        (503, {"Retry-After": "3600"}, RemoteError, "503"),
        (302, {"Location": "http://127.0.0.1:9/"}, RemoteError, "MLflow at"),
        (401, {}, InputError, "MLFLOW_TRACKING"),
        (403, {}, InputError, "--allowed-hosts"),
        (200, {}, RemoteError, "MLflow at"),
    ],
)
def test_a_server_in_trouble_is_translated(answer, monkeypatch, status, headers, error, why):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    host = answer(partial(say, status, b"you sent hunter2 to http://u:hunter2@x\n", headers))
    started = time.monotonic()
    with pytest.raises(error, match=why) as caught:
        Registry(f"http://{host}", ()).resolve("a@b")
    assert "hunter2" not in str(caught.value)
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_answers_is_left(answer):
    host = answer(lambda request: time.sleep(1.5))
    with pytest.raises(RemoteError, match=rf"^MLflow at http://{host}: timed out$"):
        Registry(f"http://{host}", ()).resolve("a@b")


def test_a_server_that_never_ends_its_answer_is_left(answer):
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.1)

    host = answer(drip)
    started = time.monotonic()
    with pytest.raises(RemoteError, match="not done within 1 s"):
        Registry(f"http://{host}", (), Limits(seconds=1)).resolve("a@b")
    assert time.monotonic() - started < 5


VERSION = {"name": "a", "version": "1", "status": "READY", "creation_timestamp": 7, "source": "x"}
LISTING = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True)
class Liar:
    """A server that says whatever a registry under attack would say."""

    version: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...] = ({"path": "w", "is_dir": False, "file_size": 4},)
    uri: str = "mlflow-artifacts:/m"
    data: bytes = b"data"
    endless: bool = False

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if path == LISTING:
            self.write(request, {"files": self.files})
        elif path.startswith(f"{LISTING}/"):
            say(200, self.data, {}, request) if not self.endless else self.pour(request)
        elif path.endswith("get-download-uri"):
            self.write(request, {"artifact_uri": self.uri})
        else:
            self.write(request, {"model_version": self.version})

    def write(self, request: BaseHTTPRequestHandler, value: Mapping[str, Any]) -> None:
        say(200, json.dumps(value).encode(), {"Content-Type": "application/json"}, request)

    def pour(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):
            for _ in range(1000):
                request.wfile.write(b"x" * (1 << 20))
                time.sleep(0.01)


def pinned_from(host: str, **limits: Any) -> ModelVersion:
    return Registry(f"http://{host}", ("mlflow-artifacts:",), Limits(**limits)).resolve("a@b")


def test_a_server_of_few_words_is_pinned(answer):
    pinned = pinned_from(answer(Liar(VERSION)))
    assert pinned == ModelVersion(
        registry_name="a",
        version="1",
        model_id="",
        run_id="",
        created_ms=7,
        uri="mlflow-artifacts:/m",
        digest=digest_of({"w": b"data"}),
        files=1,
        size_bytes=4,
        asked="a@b",
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"name": "A"}, "another version"),
        ({"name": "\u0430"}, "another version"),
        ({"version": "01"}, "not a version number"),
        ({"version": "1\nRollout-Id: x"}, "control characters"),
        ({"run_id": "r\nRollout-Id: x"}, "run id"),
        ({"run_id": "{{ 7 * 7 }}"}, "run id"),
        ({"status": "FAILED_REGISTRATION"}, "not ready"),
    ],
)
def test_hostile_words_of_a_version_are_refused(answer, said, why):
    with pytest.raises(InputError, match=why) as caught:
        pinned_from(answer(Liar({**VERSION, **said})))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("file:///etc", "not on the allow-list"),
        ("/etc", "not on the allow-list"),
        ("mlflow-artifacts://elsewhere/m", "not on the allow-list"),
        ("http://169.254.169.254/latest", "not on the allow-list"),
        ("mlflow-artifacts:/m/../../x", "climbs"),
        ("mlflow-artifacts:/m\nx", "control"),
        ("mlflow-artifacts:/m x", "not a plain URI"),
        ("mlflow-artifacts:/" + "m" * 2000, "not a plain URI"),
    ],
)
def test_a_hostile_artifact_location_is_refused(answer, uri, why):
    with pytest.raises(InputError, match=why):
        pinned_from(answer(Liar(VERSION, uri=uri)))


def test_a_folder_of_the_servers_own_machine_is_refused(answer):
    host = answer(Liar(VERSION, uri="file:///srv/models/1"))
    with pytest.raises(InputError, match="its own machine"):
        Registry(f"http://{host}", ("file:",)).resolve("a@b")


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "d/../../x", "a?b", "a\x1bb", "a" * 2000]
)
def test_a_hostile_artifact_path_is_refused(answer, path):
    with pytest.raises(InputError) as caught:
        pinned_from(answer(Liar(VERSION, files=({"path": path, "is_dir": False},))))
    assert str(caught.value).isprintable()


def test_folders_without_end_are_left(answer):
    with pytest.raises(InputError, match="more than 20 artifact files and folders"):
        pinned_from(answer(Liar(VERSION, files=({"path": "d", "is_dir": True},))), files=20)


def test_a_file_listed_twice_is_refused(answer):
    with pytest.raises(InputError, match="appears twice"):
        pinned_from(answer(Liar(VERSION, files=({"path": "w", "is_dir": False},) * 2)))


@pytest.mark.parametrize("data", [b"dat", b"data2"])
def test_a_file_that_is_not_as_long_as_it_was_listed_is_trouble(answer, data):
    with pytest.raises(RemoteError, match=f"ended after {len(data)} of 4 bytes"):
        pinned_from(answer(Liar(VERSION, data=data)))


def test_a_download_longer_than_it_was_listed_is_stopped(answer):
    host = answer(Liar(VERSION, endless=True))
    with pytest.raises(InputError, match="more than 2000000 bytes"):
        pinned_from(host, size_bytes=2_000_000)


def test_a_download_that_takes_too_long_is_left(answer):
    host = answer(Liar(VERSION, endless=True))
    with pytest.raises(RemoteError, match="not done within 1 s"):
        pinned_from(host, seconds=1)


def test_the_metrics_of_a_run_that_is_gone_are_a_plain_refusal(store: Store) -> None:
    with pytest.raises(InputError, match="MLflow has no training run 'r-12'"):
        store.registry.metrics("r-12")
