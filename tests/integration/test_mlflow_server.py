"""Against a real MLflow server with passwords: what it does meanwhile never moves a release."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from generator import layout
from generator.documents.release import read_release
from generator.errors import InputError
from generator.model.release import ModelVersion
from generator.registry import Limits, Registry, load_mlflow, quiet
from tests.artifacts import FILES, digest_of, write
from tests.builders import EDGE, MODEL, Origin, fleet, replaced
from tests.servers import IMPATIENT, Relay, free_port, mlflow_server
from tests.shell import tidegate

pytestmark = pytest.mark.timeout(400)  # the server alone needs minutes on a busy machine
pytest.importorskip("sqlalchemy", reason="not run: MLflow (not installed)")
pytest.importorskip("mlflow", reason="not run: MLflow (not installed)")
pytest.importorskip("flask_wtf", reason="not run: MLflow's basic-auth (Flask-WTF not installed)")

ADMIN, ADMIN_PASSWORD = "admin", "a long admin's password"
ROBOT, ROBOT_PASSWORD = "robot", "hunter2-hunter2-hunter2"
SECRETS = (
    ADMIN_PASSWORD,
    ROBOT_PASSWORD,
    b64encode(f"{ROBOT}:{ROBOT_PASSWORD}".encode()).decode(),
    b64encode(f"{ADMIN}:{ADMIN_PASSWORD}".encode()).decode(),
)
AUTH = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {admin}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
REASON = ("--reason", "a good reason")


@dataclass(frozen=True)
class Server:
    """A registry, and an ML engineer who may write into it."""

    uri: str
    folder: Path
    client: Any
    run: Any

    def register(self, files: Mapping[str, bytes]) -> str:
        """Register what lies in the server's artifact store; give `NUMBER`."""
        source = f"{self.run.artifact_uri}/{next(NUMBERS)}"
        write(self.folder / "artifacts" / source.partition(":/")[2], files)
        with quiet():
            made = self.client.create_model_version(
                MODEL, source, run_id=self.run.run_id, await_creation_for=0
            )
        return str(made.version)

    def overwrite(self, version: str, files: Mapping[str, bytes]) -> None:
        """Write other bytes under a version that is registered, as a bucket lets anyone do."""
        with quiet():
            source = self.client.get_model_version(MODEL, version).source
        write(self.folder / "artifacts" / source.partition(":/")[2], files)

    def point(self, alias: str, version: str) -> None:
        """Move an alias."""
        with quiet():
            self.client.set_registered_model_alias(MODEL, alias, version)


NUMBERS = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with MLflow's own user database, and a user who may only read."""
    load_mlflow(full=True)
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("server")
    text = AUTH.format(folder=folder, admin=ADMIN, password=ADMIN_PASSWORD)
    (folder / "auth.ini").write_text(text)
    env = {"MLFLOW_AUTH_CONFIG_PATH": f"{folder}/auth.ini", "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    with mlflow_server(folder, sys.executable, ("--app-name", "basic-auth"), env) as uri:
        with httpx.Client(base_url=uri, trust_env=False, auth=(ADMIN, ADMIN_PASSWORD)) as http:
            user = {"username": ROBOT, "password": ROBOT_PASSWORD}
            http.post("/api/2.0/mlflow/users/create", json=user).raise_for_status()
        _hash_cheaply(folder / "auth.db")
        with pytest.MonkeyPatch.context() as patch:
            who(patch, ADMIN, ADMIN_PASSWORD)
            client = MlflowClient(uri, uri)
            made = Server(uri, folder, client, client.create_run("0").info)
            made.client.create_registered_model(MODEL)
            made.point("champion", made.register(version_files(1)))
        yield made


def _hash_cheaply(file: Path) -> None:
    """Keep the users' passwords in a form that takes no second of a processor to compare."""
    from werkzeug.security import generate_password_hash

    with closing(sqlite3.connect(file)) as connection, connection:
        for user, password in ((ADMIN, ADMIN_PASSWORD), (ROBOT, ROBOT_PASSWORD)):
            cheap = generate_password_hash(password, "pbkdf2:sha256:1")
            set_ = "UPDATE users SET password_hash = ? WHERE username = ?"
            assert connection.execute(set_, (cheap, user)).rowcount == 1


def version_files(number: int) -> Mapping[str, bytes]:
    return {"MLmodel": b"flavors: {}\nnumber: %d\n" % number}


def who(patch: pytest.MonkeyPatch, user: str, password: str) -> None:
    patch.setenv("MLFLOW_TRACKING_USERNAME", user)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", password)


@pytest.fixture(autouse=True)
def _engineer(monkeypatch: pytest.MonkeyPatch) -> None:
    who(monkeypatch, ADMIN, ADMIN_PASSWORD)


@dataclass(frozen=True)
class Desk:
    """A release manager's shell: a bare repository and a state folder of their own."""

    folder: Path
    origin: Origin

    def type(self, verb: str, *words: object) -> tuple[int, str, str]:
        """Run one verb as the user who may only read; give exit code, stdout and stderr."""
        place = ("--repo", f"file://{self.folder}/origin.git", "--state-dir", self.folder / "state")
        with pytest.MonkeyPatch.context() as patch:
            if os.environ["MLFLOW_TRACKING_USERNAME"] == ADMIN:
                who(patch, ROBOT, ROBOT_PASSWORD)
            code, out, err = tidegate(verb, *words, *place)
        assert not [secret for secret in SECRETS if secret in out + err]
        return code, out, err

    def promote(self, what: str, *words: object, verb: str = "promote") -> tuple[int, str, str]:
        """Promote, or do something else with, a version."""
        reason = () if verb == "release" else REASON
        return self.type(verb, what, "--env", EDGE, *reason, *words)

    def head(self) -> str:
        """Name the newest commit of the bare repository."""
        return self.origin.git.run("rev-parse", "main").decode().strip()

    def objects(self) -> str:
        """Count what is stored in the bare repository, and name its branches."""
        return (
            self.origin.git.run("count-objects", "-v") + self.origin.git.run("show-ref")
        ).decode()

    def rollout(self) -> Any:
        """Read the rollout file of the newest commit."""
        self.origin.refresh()
        return self.origin.view.rollout()

    def pins(self, release: str) -> ModelVersion:
        """Read the pins of a release."""
        path = layout.release_file(EDGE, MODEL, release)
        return read_release(path, self.origin.view.files[path]).version

    def status(self) -> Any:
        """Give the edge line of `tidegate status --aliases`."""
        code, out, err = self.type("status", "--aliases", "--json")
        assert (code, err) == (0, "")
        return next(row for row in json.loads(out) if row["environment"] == EDGE)


@pytest.fixture(scope="module")
def prepared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a fleet of 100 sites whose baseline is the champion of the server."""
    folder = tmp_path_factory.mktemp("fleet")
    files = replaced(fleet(), layout.CONFIG, 'uri: ""', f'uri: "{server.uri}"')
    desk = Desk(folder, Origin.start(folder, files))
    with pytest.MonkeyPatch.context() as patch:
        who(patch, ROBOT, ROBOT_PASSWORD)
        code, out, _ = desk.promote(f"{MODEL}@champion", "--baseline")
    assert (code, "is the baseline of 100 sites" in out) == (0, True)
    return folder


@pytest.fixture
def desk(prepared: Path, tmp_path: Path) -> Desk:
    shutil.copytree(prepared / "origin.git", tmp_path / "origin.git")
    return Desk(tmp_path, Origin(tmp_path))


# ------------------------------------------------------------------ the alias moves


def test_an_alias_that_moves_during_a_rollout_changes_nothing_and_is_told(
    server: Server, desk: Desk
) -> None:
    second, third = (server.register(version_files(number)) for number in (2, 3))
    server.point("challenger", second)
    code, out, _ = desk.promote(f"{MODEL}@challenger")
    assert (code, "starts at 5% (5 of 100 sites)" in out) == (0, True)
    canary = desk.rollout().canary
    before = desk.head()
    assert desk.status()["notes"] == []
    assert desk.promote(f"{MODEL}@challenger")[2].endswith("that is how it stands already\n")

    server.point("challenger", third)
    assert desk.status()["notes"] == [
        f"{MODEL}@challenger has moved on to version {third}; {canary} keeps version {second}"
    ]
    assert desk.promote(f"{MODEL}@challenger") == (
        1,
        "",
        f"resolving {MODEL}@challenger, hashing its artifacts\n"
        f"error: rollouts/{EDGE}/{MODEL}.yaml: {MODEL}@challenger has moved on to version {third}, "
        f"but {canary} is at 5% of this environment; "
        "wait, revert it, or set onNewVersion: supersede\n",
    )
    assert desk.head() == before
    assert desk.pins(canary).digest == digest_of(version_files(2))
    code, out, _ = desk.type("set-percent", MODEL, "10", "--env", EDGE, *REASON)
    assert (code, desk.rollout().canary) == (0, canary)


def test_an_alias_that_is_gone_is_told_and_changes_nothing(server: Server, desk: Desk) -> None:
    server.point("passing", server.register(version_files(4)))
    assert desk.promote(f"{MODEL}@passing")[0] == 0
    with quiet():
        server.client.delete_registered_model_alias(MODEL, "passing")
    before = desk.head()
    (note,) = desk.status()["notes"]
    assert f"MLflow has no {MODEL}@passing; aliases: " in note
    assert desk.head() == before


# ------------------------------------------------------------------ the version goes


def test_a_version_that_is_deleted_is_refused_and_its_rollout_goes_on(
    server: Server, desk: Desk
) -> None:
    gone = server.register(version_files(5))
    pointers = desk.origin.view.under(layout.SITES)
    assert desk.promote(f"{MODEL}/{gone}")[0] == 0
    canary = desk.rollout().canary
    with quiet():
        server.client.delete_model_version(MODEL, gone)
    for verb in ("promote", "release"):
        code, out, err = desk.promote(f"{MODEL}/{gone}", verb=verb)
        assert (code, out) == (1, "")
        assert re.search(rf"error: MLflow has no {MODEL}/{gone}; last versions: [\d, ]+\n", err)
    assert desk.type("set-percent", MODEL, "25", "--env", EDGE, *REASON)[0] == 0
    assert (str(desk.rollout().percent), desk.rollout().canary) == ("25", canary)
    assert desk.type("revert", MODEL, "--env", EDGE, *REASON)[0] == 0
    assert desk.rollout().canary == ""
    assert desk.origin.view.under(layout.SITES) == pointers


# ------------------------------------------------------------------ the bytes change


def test_artifacts_overwritten_after_they_were_pinned_are_refused_by_name(
    server: Server, desk: Desk
) -> None:
    number = server.register(version_files(6))
    code, out, _ = desk.promote(f"{MODEL}/{number}", verb="release")
    assert code == 0
    frozen, before = out.splitlines()[-1], desk.head()
    server.overwrite(number, version_files(66))
    old, new = (digest_of(version_files(each))[:19] for each in (6, 66))
    for verb in ("release", "promote"):
        code, out, err = desk.promote(f"{MODEL}/{number}", verb=verb)
        assert (code, out, err.splitlines()[-1]) == (
            1,
            "",
            f"error: releases/{EDGE}/{MODEL}/{frozen}/release.yaml: version {number} of '{MODEL}' "
            f"has other artifacts now ({new}) than when {frozen} was frozen ({old}); "
            "find out who overwrote them, and register the new ones as a new version",
        )
    assert desk.head() == before
    server.overwrite(number, version_files(6))
    code, out, err = desk.promote(f"{MODEL}/{number}")
    assert (code, desk.rollout().canary) == (0, frozen)


def test_artifacts_overwritten_while_two_people_pin_them_are_found_after_the_merge(
    server: Server, desk: Desk, tmp_path: Path
) -> None:
    """Each branch is right by itself; only together do they break a promise."""
    number = server.register(version_files(7))
    assert desk.promote(f"{MODEL}/{number}", "--branch", "mine", verb="release")[0] == 0
    server.overwrite(number, version_files(77))
    assert desk.promote(f"{MODEL}/{number}", "--branch", "theirs", verb="release")[0] == 0
    checkout = tmp_path / "checkout"
    git("clone", "--quiet", tmp_path / "origin.git", checkout)
    git("-C", checkout, "merge", "--quiet", "origin/mine")
    assert tidegate("verify", "-C", checkout)[0] == 0
    git("-C", checkout, "merge", "--quiet", "--no-edit", "origin/theirs")
    code, out, _ = tidegate("verify", "-C", checkout, "--json")
    found = [one for one in json.loads(out)["findings"] if one["severity"] == "error"]
    assert (code, [one["rule"] for one in found]) == (1, ["overwritten"])
    assert f"version {number} of '{MODEL}' has other artifacts here" in found[0]["message"]


def git(*words: object) -> None:
    subprocess.run(["git", *map(str, words)], check=True, capture_output=True)


# ------------------------------------------------------------------ the server is away


@contextmanager
def refused() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def swallowed() -> Iterator[str]:
    """A host that answers nothing at all: its queue is full, so the kernel drops the rest."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for one in fill:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in fill:
            one.close()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes the connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def failing() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("Authorization", "")
            body = f"<h1>Internal Server Error</h1> you sent {sent}".encode()
            self.send_response(500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)


NEXT = "nothing was changed: look at that server, or name another with --registry"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        pytest.param(refused, "Connection refused", id="refused"),
        pytest.param(swallowed, "timed out", id="swallowed"),
        pytest.param(silent, "timed out", id="silent"),
        pytest.param(failing, ".*500.*", id="failing"),
    ],
)
def test_a_server_in_trouble_is_one_line_and_nothing_is_half_written(
    desk: Desk, trouble: Callable[[], Any], why: str
) -> None:
    before = (desk.head(), desk.objects())
    with trouble() as uri:
        for verb in ("promote", "release"):
            code, out, err = desk.promote(f"{MODEL}@champion", "--registry", uri, verb=verb)
            lines = err.splitlines()
            assert (code, out, len(lines)) == (1, "", 2)
            assert re.fullmatch(
                rf"error: MLflow at {uri}: {why}; {NEXT}; it is safe to try again", lines[1]
            )
    assert (desk.head(), desk.objects()) == before


def test_a_server_in_trouble_hinders_no_status_and_no_revert(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.promote(f"{MODEL}/{server.register(version_files(8))}")[0] == 0
    away = f"http://127.0.0.1:{free_port()}"
    desk.origin.edit(layout.CONFIG, server.uri, away)
    code, out, err = desk.type("status")
    assert (code, err) == (0, "")
    assert "keeps version" not in out
    assert desk.status()["notes"] == []  # a version was named, so there is no alias to ask for
    assert desk.type("revert", MODEL, "--env", EDGE, *REASON)[0] == 0
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)
    (note,) = desk.status()["notes"]
    assert f"has moved on is not known: MLflow at {away}: Connection refused" in note


def test_a_slow_server_is_waited_for(server: Server, desk: Desk) -> None:
    with Relay(server.uri, pause_s=0.15) as relay:
        code, out, _ = desk.promote(f"{MODEL}@champion", "--registry", relay.url, verb="release")
    assert (code, out.splitlines()[-1]) == (0, desk.rollout().stable)


def test_a_server_that_is_cut_off_in_the_middle_leaves_nothing(
    server: Server, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = server.register({"MLmodel": b"flavors: {}\n", "big": os.urandom(3_000_000)})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = (desk.head(), desk.objects())
    with Relay(server.uri, most_bytes=1_000_000) as relay:
        code, out, err = desk.promote(f"{MODEL}/{number}", "--registry", relay.url)
    assert (code, out, len(err.splitlines())) == (1, "", 2)
    assert f"error: MLflow at {relay.url}: " in err
    assert (desk.head(), desk.objects(), list(scratch.iterdir())) == (*before, [])


# ------------------------------------------------------------------ who asks


@pytest.mark.parametrize(
    ("user", "password"), [(ROBOT, "wrong-wrong-wrong"), ("nobody", ROBOT_PASSWORD), ("", "")]
)
def test_wrong_credentials_are_refused_without_being_repeated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, user: str, password: str
) -> None:
    for name, value in (("USERNAME", user), ("PASSWORD", password)):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    before = (desk.head(), desk.objects())
    for verb in ("promote", "release"):
        code, out, err = desk.promote(f"{MODEL}@champion", verb=verb)
        assert (code, out, len(err.splitlines())) == (1, "", 2)
        assert "refuses: " in err
        assert "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in err
        assert not password or password not in err
    assert (desk.head(), desk.objects()) == before


def test_credentials_reach_neither_git_nor_disk(
    server: Server, desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = server.uri.replace("//", f"//{ROBOT}:{ROBOT_PASSWORD}@")
    number = server.register(version_files(9))
    assert desk.promote(f"{MODEL}/{number}")[0] == 0
    code, _, err = desk.promote(f"{MODEL}@champion", "--registry", asked, verb="release")
    assert (code, ROBOT_PASSWORD in err) == (0, False)
    everything = desk.origin.git.run("cat-file", "--batch", "--batch-all-objects")
    written = [file.read_bytes() for file in desk.folder.rglob("*") if file.is_file()]
    for secret in SECRETS:
        assert secret.encode() not in everything
        assert not [1 for data in written if secret.encode() in data]
    assert not [secret for secret in SECRETS if secret in "".join(capfd.readouterr())]


def test_a_user_who_may_only_read_pins_and_may_not_write_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    who(monkeypatch, ROBOT, ROBOT_PASSWORD)
    registry = Registry(server.uri, ("mlflow-artifacts:",))
    pinned = registry.resolve(f"{MODEL}@champion")
    assert pinned.digest == digest_of(version_files(1))
    with pytest.raises(InputError, match="refuses: ") as caught:
        registry.write_back(pinned, {"tidegate.result": "Completed"})
    assert ROBOT_PASSWORD not in str(caught.value)


# ------------------------------------------------------------------ the door alone


@pytest.fixture(scope="module")
def served(server: Server) -> str:
    """Register a logged model with a copy; give its id."""
    client = server.client
    with pytest.MonkeyPatch.context() as patch, quiet():
        who(patch, ADMIN, ADMIN_PASSWORD)
        run = client.create_run("0").info.run_id
        model = client.create_logged_model("0", name="served", source_run_id=run)
        client.log_model_artifacts(model.model_id, str(write(server.folder / "upload", FILES)))
        client.finalize_logged_model(model.model_id, "READY")
        client.create_registered_model("served")
        source = f"models:/{model.model_id}"
        client.create_model_version(
            "served", source, run_id=run, await_creation_for=0, model_id=model.model_id
        )
        client.set_registered_model_alias("served", "champion", "1")
        client.copy_model_version("models:/served/1", "production")
    return str(model.model_id)


def test_a_real_server_is_pinned_like_a_store(server, served, capfd):
    registry = Registry(server.uri, ("mlflow-artifacts:",))
    pinned = registry.resolve("served@champion")
    assert (pinned.model_id, pinned.version, pinned.digest) == (served, "1", digest_of(FILES))
    assert re.fullmatch(rf"mlflow-artifacts:/0/models/{served}/artifacts", pinned.uri)
    copy = registry.resolve("production/1")
    assert (copy.model_id, copy.uri, copy.digest) == (served, pinned.uri, pinned.digest)
    registry.write_back(copy, {"tidegate.result": "Completed"})
    assert server.client.get_model_version("production", "1").tags == {
        "tidegate.result": "Completed"
    }
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("ref", "hint"),
    [
        ("served@nobody", "aliases: champion"),
        ("served/9", "last versions: 1"),
        ("serve/1", "models: served"),
    ],
)
def test_a_real_server_says_what_is_there(server, served, ref, hint):
    with pytest.raises(InputError, match=hint):
        Registry(server.uri, ()).resolve(ref)


@pytest.mark.parametrize(
    ("allow", "limits", "why"),
    [
        (("https://elsewhere",), Limits(), "add 'mlflow-artifacts:'"),
        (("mlflow-artifacts:",), Limits(files=2), "more than 2 artifact files"),
        (("mlflow-artifacts:",), Limits(size_bytes=999), "more than 999 bytes"),
    ],
)
def test_a_real_server_is_held_to_the_limits(server, served, allow, limits, why):
    with pytest.raises(InputError, match=why):
        Registry(server.uri, allow, limits).resolve("served/1")


def test_a_download_leaves_nothing_behind(server, served, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Registry(server.uri, ("mlflow-artifacts:",)).resolve("served/1")
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_overwritten_on_the_server_changes_the_digest(server, served, tmp_path):
    registry = Registry(server.uri, ("mlflow-artifacts:",))
    before = registry.resolve("served/1")
    spoilt = {**FILES, "data/weights.bin": b"\x01" * 1000}
    with quiet():
        server.client.log_model_artifacts(served, str(write(tmp_path, spoilt)))
    after = registry.resolve("served/1")
    assert (after.created_ms, after.uri) == (before.created_ms, before.uri)
    assert (before.digest, after.digest) == (digest_of(FILES), digest_of(spoilt))
