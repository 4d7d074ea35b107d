"""The command line as people and pipelines meet it: help, exit codes, one clear line, stdout."""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.builders import EDGE, MODEL, Origin, baseline, fleet, promote
from tests.shell import tidegate
from tidegate import cli

PYTHON = [sys.executable, "-m", "tidegate.cli"]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return done.stdout.decode()


def verbs() -> Iterator[tuple[str, click.Command]]:
    """Give every command with its whole name, those in a group too."""
    context = click.Context(cli.tidegate)
    for name in cli.COMMANDS:
        command = cli.tidegate.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", one) for sub, one in command.commands.items())
        else:
            yield name, command


VERBS = dict(verbs())


@pytest.fixture(scope="module")
def climbing(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Give a fleet of 100 sites whose version 13 is at 5 percent."""
    origin = Origin.start(tmp_path_factory.mktemp("climbing"), fleet())
    origin.must(baseline(12))
    origin.must(promote(13))
    git(origin.folder, "clone", "--quiet", f"file://{origin.folder}/origin.git", "checkout")
    return origin


@pytest.fixture
def folder(climbing: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout of it, and stand in it."""
    place = tmp_path / "checkout"
    shutil.copytree(climbing.folder / "checkout", place, symlinks=True)
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def remote(climbing: Origin, tmp_path: Path) -> Path:
    """Give the bare repository of it."""
    shutil.copytree(climbing.folder / "origin.git", tmp_path / "origin.git")
    return tmp_path / "origin.git"


# ------------------------------------------------------------------ help

SDKS = ("cookiecutter", "git", "httpx", "jinja2", "kubernetes", "mlflow", "numpy", "yaml")


def test_help_names_every_verb_and_loads_no_sdk() -> None:
    script = (
        "import sys; from tidegate import cli; code = cli.run(['--help'])\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    code, *loaded = done.stderr.split()
    assert code == "0"
    assert "click" in loaded
    assert {*SDKS, "generator", "reconciler"} & set(loaded) == set()
    listed = re.findall(r"^  ([a-z-]+)  +\S", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(cli.COMMANDS)
    assert "\n  Start:    tidegate init" in done.stdout


def cpu_s(*words: str) -> float:
    """Take the least processor time of a few runs, which load cannot change."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_help_takes_at_most_twice_as_long_as_click_alone() -> None:
    assert cpu_s("-m", "tidegate.cli", "--help") < 2 * cpu_s("-c", "import click")


@pytest.mark.parametrize("verb", [*VERBS, "site", "model", ""])
def test_every_verb_has_help(verb: str) -> None:
    code, out, err = tidegate(*verb.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: tidegate {verb}".strip())
    assert "\\b" not in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert tidegate(*verb.split(), "-h") == (code, out, err)


def examples(verb: str) -> list[list[str]]:
    """Read the command lines that a help text shows."""
    text = tidegate(*verb.split(), "--help")[1].partition("Options:")[0].replace("\\\n", " ")
    found = re.findall(rf"^  (?:zcat .*\| )?tidegate ({verb}(?: .*)?)$", text, re.MULTILINE)
    return [shlex.split(re.sub(r"<[^>]*>", "x", line)) for line in found]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_examples_that_parse(verb: str) -> None:
    shown = examples(verb)
    assert shown
    for words in shown:
        parser = VERBS[verb].make_parser(click.Context(VERBS[verb]))
        told, rest, _ = parser.parse_args(words[len(verb.split()) :])
        needed = {each.name for each in VERBS[verb].params if each.required}
        given = {name for name, value in told.items() if isinstance(value, str | list | tuple)}
        assert (words, rest, needed - given) == (words, [], set())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_is(verb: str) -> None:
    options = [each for each in VERBS[verb].params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


# ------------------------------------------------------------------ usage


@pytest.mark.parametrize(
    ("typed", "near"),
    [("stat", "status"), ("set-percnt", "set-percent"), ("rollback", None), ("Promote", "promote")],
)
def test_an_unknown_verb_names_the_nearest(typed: str, near: str | None) -> None:
    code, out, err = tidegate(typed)
    assert (code, out) == (2, "")
    hint = f" Did you mean {near!r}?" if near else ""
    assert err.splitlines()[-1] == f"Error: No such command {typed!r}.{hint}"


@pytest.mark.parametrize(
    "words",
    [
        "",
        "site",
        "site imprt",
        "--nonsense",
        "set-percent",
        "set-percent m",
        "set-percent m 5",
        "set-percent m -1 --env e --reason r",
        "set-percent m 5 --env e --reson r",
        "pause m --env e --reason r -C gone",
        "site import gone.csv",
        "site import .",
        "init",
        "init x",
        "judge",
        "reconcile",
        "demo --fault none",
        "demo --sites many",
    ],
)
def test_wrong_usage_exits_with_2(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = tidegate(*words.split())
    assert (code, out) == (2, "")
    assert err.startswith("Usage: tidegate")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ bad input

LINE = f"{MODEL} --env {EDGE} --reason r"
BAD: dict[str, str] = {
    f"set-percent {MODEL} nan --env {EDGE} --reason r": "'nan'",
    f"set-percent {MODEL} 5_0 --env {EDGE} --reason r": "'5_0'",
    f"set-percent {MODEL} 1e1 --env {EDGE} --reason r": "'1e1'",
    f"set-percent {MODEL} 5% --env {EDGE} --reason r": "'5%'",
    f"set-percent {MODEL} 101 --env {EDGE} --reason r": "a percentage lies between 0 and 100",
    f"set-percent {MODEL} 12.345 --env {EDGE} --reason r": "'12.345'",
    f"set-percent {MODEL} \u0665 --env {EDGE} --reason r": "'\u0665'",
    f"set-percent {MODEL} 10 --env {EDGE}": 'say why, it will stand in the commit; --reason "..."',
    f"pause {MODEL} --env {EDGE} --reason ' '": "say why, it will stand in the commit; --reason",
    "pause other --env edge-k3s --reason r": f"there is no model 'other'; known: {MODEL}",
    "pause 'a\nb' --env edge-k3s --reason r": f"there is no model 'a\\nb'; known: {MODEL}",
    f"pause {MODEL} --env prod --reason r": "there is no environment 'prod'; known: cloud-eks, ed",
    f"pause {MODEL} --env ../x --reason r": "there is no environment '../x'; known: cloud-eks, ed",
    f"reject {MODEL} v99 --env {EDGE} --reason r": "v99",
    f"unreject {MODEL} ../x --env {EDGE} --reason r": "../x",
    f"revert {LINE} --to v99": "v99",
    f"revert {LINE} --to v12 --reject": "--to and --reject cannot go together; tidegate reject",
    f"expand other --env {EDGE}": f"there is no such rollout; known: {MODEL} --env cloud-eks, ",
    f"promote {MODEL} --env {EDGE} --reason r": f"'{MODEL}': name a version as MODEL@ALIAS or",
    f"promote @x --env {EDGE} --reason r": "'@x': name a version as MODEL@ALIAS or",
    f"promote {MODEL}@x --env {EDGE} --reason r": "no model registry is named; set registry.uri",
    f"release {MODEL}@x --env {EDGE}": "no model registry is named; set registry.uri",
    f"promote {MODEL}/1 --env {EDGE} --registry gopher://x --reason r": "gopher",
    "site add X --cluster c --hardware cpu": "site 'X' is not a name",
    "site add x --cluster c": "an edge site names its hardware profile; --hardware cpu",
    "site add x --cluster c --hardware cpu --label line": "--label 'line': write NAME=VALUE",
    "site add x --cluster c --hardware cpu --label line=ü": "--label line: 'ü' holds characters",
    "site add x --cluster c --hardware cpu": "the label columns differ from those there; there: l",
    "site add plant-0001 --cluster c --hardware cpu --label line=a": "is there already, with other",
    "site remove nobody": "there is no site 'nobody'; see environments/edge-k3s/sites/",
    "site remove plant-0001 --env prod": "there is no environment 'prod'; known: cloud-eks, edge-",
    "model add X_Y": "model 'X_Y' is not a name",
    f"pause {LINE} --now yesterday": "'yesterday'",
    f"pause {LINE} --repo https://git.example/x --now 2026-11-20T08:00:00Z": "--now is only for lo",
    f"pause {LINE} --repo ext::sh": "'ext::sh' is not a repository URL",
    f"pause {LINE} --repo=--upload-pack=x": "'--upload-pack=x' is not a repository URL",
    f"pause {LINE} --repo file:///gone/x.git": "Git at file:///gone/x.git: '/gone/x.git' does not",
    f"pause {LINE} --branch ../x": "'../x' is not a branch name",
    f"pause {LINE} --repo file:///x --state-dir /dev/null/x": "/dev/null/x: not a directory",
    "reconcile --repo ext::sh --once": "'ext::sh' is not a repository URL",
    "reconcile --repo file:///x --now 2026-11-20T08:00:00Z": "--now goes with --once",
    "reconcile --repo https://x/y --once --now 2026-11-20T08:00:00Z": "--now is only for local rem",
    "reconcile --repo file:///x --once --allow-origin ftp://x": "'ftp://x' is not an http or https",
    "reconcile --repo file:///x --once --token-file http://x=/gone": "the token cannot be read",
    "status --repo file:///gone/x.git": "Git at file:///gone/x.git: '/gone/x.git' does not",
    "judge gone.ndjson": "gone.ndjson: cannot be read",
    "init . --environment edge-k3s": "is a fleet repository made with other words",
    "init rollouts --environment edge-k3s": "rollouts is not empty; name a folder",
    "init new --environment prod": "--environment 'prod' names no kind; write NAME=KIND",
    "init new --environment edge-k3s --environment edge-k3s": "--environment 'edge-k3s' stands",
    "init new --environment UP=edge-k3s": "environment 'UP' is not a name",
    "init new --environment edge-k3s --model ../x": "model '../x' is not a name",
    "init new --environment edge-k3s --sites gone.csv": "gone.csv: there is no such file",
    "init new --environment edge-k3s --sites x=gone.csv": "'x=gone.csv': no environment 'x'",
    "init new --environment edge-k3s --remote ext::sh": "'ext::sh' is not a repository URL",
    "init new --environment edge-k3s --now noon": "'noon'",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_gets_one_clear_line(
    words: str, climbing: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = climbing.folder / "checkout"
    monkeypatch.chdir(folder)
    before = git(folder, "rev-parse", "HEAD"), sorted(climbing.folder.iterdir())
    code, out, err = tidegate(*shlex.split(words))
    lines = [line for line in err.splitlines() if not line.startswith("resolving ")]
    assert (code, out, len(lines)) == (1, "", 1), err
    assert lines[0].startswith("error: ")
    assert BAD[words] in lines[0]
    assert git(folder, "status", "--porcelain") == ""
    assert (git(folder, "rev-parse", "HEAD"), sorted(climbing.folder.iterdir())) == before


def test_no_checkout_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = tidegate("pause", MODEL, "--env", EDGE, "--reason", "r")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: . is not inside a Git checkout; go into the repository that")


def test_a_checkout_of_something_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    monkeypatch.chdir(tmp_path)
    for words in (
        f"pause {LINE}",
        "expand",
        "site remove x",
        "model add x",
        f"promote {MODEL}@x --env e --reason r",
    ):
        code, _, err = tidegate(*words.split())
        assert (code, err.count("\n")) == (1, 1)
        assert err.startswith("error: ")


def test_bytes_that_are_no_text_are_bad_input(folder: Path) -> None:
    for words in ([b"pause", b"\xff"], [b"site", b"add", b"\xff", b"--cluster", b"c"]):
        command = [*map(os.fsencode, PYTHON), *words, b"--env", EDGE.encode(), b"--reason", b"\xff"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (1, b""), done.stderr
        assert done.stderr.startswith(b"error: ")
        assert done.stderr.count(b"\n") == 1


def test_a_reason_forges_no_trailer(folder: Path) -> None:
    reason = "calm\n\nRollout-Percent: 5->100\nVerdict: Healthy\x1b[0m"
    code, _, err = tidegate("pause", MODEL, "--env", EDGE, "--reason", reason)
    assert (code, err) == (0, "")
    trailers = git(folder, "log", "-1", "--format=%(trailers:only,unfold)").split("\n")
    assert "Reason: calm Rollout-Percent: 5->100 Verdict: Healthy [0m" in trailers
    assert not any(line.startswith(("Rollout-Percent", "Verdict")) for line in trailers)


# ------------------------------------------------------------------ exit codes


def test_done_is_0_and_nothing_to_do_is_0_or_3(folder: Path) -> None:
    words = ["set-percent", MODEL, "25", "--env", EDGE, "--reason", "r"]
    code, out, err = tidegate(*words, "--exit-code")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{12} defect-detector edge-k3s: 5% -> 25% .*\n", out)
    head = git(folder, "rev-parse", "HEAD")
    told = "nothing to do: that is how it stands already\n"
    assert tidegate(*words) == (0, "", told)
    assert tidegate(*words, "--exit-code") == (3, "", told)
    assert git(folder, "rev-parse", "HEAD") == head


def test_a_race_that_is_lost_for_good_is_6(remote: Path, tmp_path: Path) -> None:
    (remote / "hooks").mkdir(exist_ok=True)
    hook = remote / "hooks/update"
    hook.write_text(
        "#!/bin/sh\n"
        "git update-ref $1 $(git -c user.name=Eve -c user.email=eve@example.com "
        "commit-tree -m faster -p $1 $1^{tree})\n"
    )
    hook.chmod(0o755)
    where = ["--repo", remote.as_uri(), "--state-dir", str(tmp_path / "state")]
    code, out, err = tidegate("pause", MODEL, "--env", EDGE, "--reason", "r", *where)
    assert (code, out) == (6, "")
    assert err == "error: somebody else changed the branch 5 times; try again\n"
    assert git(remote, "log", "--format=%s", "-6", "main").split("\n")[:5] == ["faster"] * 5
    assert "paused" not in git(remote, "log", "--format=%s", "main")


def test_a_refused_push_is_1_and_says_what_to_do(remote: Path, tmp_path: Path) -> None:
    (remote / "hooks").mkdir(exist_ok=True)
    (remote / "hooks/pre-receive").write_text("#!/bin/sh\necho GH006: protected >&2\nexit 1\n")
    (remote / "hooks/pre-receive").chmod(0o755)
    where = ["--repo", remote.as_uri(), "--state-dir", str(tmp_path / "state")]
    words = ["pause", MODEL, "--env", EDGE, "--reason", "r", *where]
    code, out, err = tidegate(*words)
    assert (code, out) == (1, "")
    assert "(pre-receive hook declined) GH006: protected; if the branch is protected" in err
    (remote / "hooks/pre-receive").unlink()
    code, _, _ = tidegate(*words, "--branch", "review")
    assert code == 0
    assert git(remote, "rev-list", "--count", "main..review") == "1\n"
    code, _, err = tidegate(*words, "--branch", "review", "--reason", "another")
    assert (code, err) == (1, "error: the branch 'review' is there already; name another one\n")


def test_a_push_that_fails_after_the_commit_is_1_and_says_where_it_is(
    folder: Path, tmp_path: Path
) -> None:
    git(folder, "remote", "set-url", "origin", str(tmp_path / "gone.git"))
    code, out, err = tidegate("pause", MODEL, "--env", EDGE, "--reason", "r", "--push")
    assert code == 1
    assert out.startswith(git(folder, "rev-parse", "HEAD")[:12])
    assert err.startswith("error: the commit is on your branch main, but not on origin: ")
    assert err.endswith("; git push origin main\n")


def test_a_bug_is_70_with_a_trace() -> None:
    script = (
        "import sys, click; from tidegate import cli; import tidegate.commands.pause as module\n"
        "module.pause = click.command(lambda: 1 / 0)\n"
        "sys.exit(cli.run(['pause']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (70, "")
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.endswith(
        "this is a bug in tidegate; please report it with the lines above\n"
    )


def test_an_interrupt_is_130(folder: Path) -> None:
    words = [*PYTHON, "status", "-w", "--every", "600"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "interrupted; nothing is half written"


def test_an_interrupt_while_files_move_leaves_the_whole_commit(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/git"
    script.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *read-tree*) kill -INT $PPID; exec sleep 60 ;; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    script.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"}
    words = [*PYTHON, "set-percent", MODEL, "25", "--env", EDGE, "--reason", "r"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 130, done.stderr
    assert "interrupted; nothing is half written" in done.stderr
    assert git(folder, "status", "--porcelain") == ""
    assert "5% -> 25%" in git(folder, "log", "-1", "--format=%s")
    git(folder, "fsck", "--strict")


def test_a_reader_that_goes_away_is_no_bug(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        done = subprocess.run([*PYTHON, "status"], stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


# ------------------------------------------------------------------ stdout is the answer


@pytest.mark.parametrize("words", ["status --json", "verify --json", "verify --rules --json"])
def test_json_is_one_document_on_stdout(folder: Path, words: str) -> None:
    done = subprocess.run([*PYTHON, *words.split()], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)


def test_the_json_of_reconcile_is_one_document_on_stdout(remote: Path, tmp_path: Path) -> None:
    where = ["--repo", remote.as_uri(), "--state-dir", str(tmp_path / "state")]
    words = ["reconcile", "--once", "--json", "--now", "2026-11-20T08:05:00Z", *where]
    done = subprocess.run([*PYTHON, *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    rows = json.loads(done.stdout)
    assert (EDGE, MODEL) in [(row["environment"], row["model"]) for row in rows]


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"tidegate, version \d+\.\d+\.\d+\n", tidegate("--version")[1])
